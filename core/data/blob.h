/* Bytes that grow, in counted memory. All zero is an empty one. */
#ifndef SE_DATA_BLOB_H
#define SE_DATA_BLOB_H

#include "base.h"

typedef struct se_blob {
    char *data;
    size_t bytes, room;
} se_blob;

/* Room for `more` bytes behind those that are there; data may move. */
se_status se_blob_reserve(se_blob *b, size_t more);
se_status se_blob_add(se_blob *b, const void *data, size_t bytes);
void se_blob_free(se_blob *b);

#endif
