/* The members of a zip archive, read in place from memory: stored (not compressed) members only, as
 * PyTorch writes them; zip64 included. */
#ifndef SE_IO_ZIP_H
#define SE_IO_ZIP_H

#include "base.h"

typedef struct se_zip_member {
    const char *name; /* not ended by a 0 byte */
    size_t name_bytes;
    uint64_t header;    /* where its local header stands in the archive */
    uint64_t at, bytes; /* where its data stand, and how many there are */
    uint32_t crc;
} se_zip_member;

typedef struct se_zip {
    int64_t n;
    se_zip_member *member; /* in the byte order of their names, each name once */
} se_zip;

/* Reads the directory of the archive `data`. Everything it says is checked: members lie inside the
 * archive, do not overlap, and have the local header that the directory tells of. `path` is for
 * messages. *out points into data and is freed by se_zip_free. */
se_status se_zip_read(const char *data, size_t bytes, const char *path, se_zip *out);
void se_zip_free(se_zip *z);

/* The member of that name, or NULL. */
const se_zip_member *se_zip_find(const se_zip *z, const char *name, size_t bytes);

/* SE_ERR_FORMAT when the member's bytes do not have the checksum that the directory tells. */
se_status se_zip_check(const char *data, const se_zip_member *m, const char *path);

#endif
