/* SHA-1 and SHA-256 (FIPS 180-4), to check downloaded files. */
#ifndef SE_IO_SHA_H
#define SE_IO_SHA_H

#include "base.h"

typedef enum se_sha_kind { SE_SHA1, SE_SHA256 } se_sha_kind;

typedef struct se_sha {
    se_sha_kind kind;
    uint32_t state[8];
    uint64_t bytes; /* so far */
    uint8_t block[64];
} se_sha;

void se_sha_start(se_sha *s, se_sha_kind kind);
void se_sha_add(se_sha *s, const void *data, size_t bytes);

/* The hash as lower-case hexadecimal digits: 40 or 64 of them and a 0 byte. */
enum { SE_SHA_TEXT = 65 };
void se_sha_finish(se_sha *s, char text[SE_SHA_TEXT]);

/* sembed-cdef-begin */
/* The hash of a file as hexadecimal digits in text[65]: its SHA-256, or, where `git` is set, the
 * SHA-1 that git gives it as a blob. Ctrl-C ends it with SE_ERR_INTERRUPTED. */
SE_API se_status se_file_hash(const char *path, bool git, char *text);
/* sembed-cdef-end */

#endif
