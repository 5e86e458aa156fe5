#include "data/blob.h"

#include <string.h>

se_status se_blob_reserve(se_blob *b, size_t more)
{
    if (more <= b->room - b->bytes)
        return SE_OK;
    if (more > SIZE_MAX / 4 || b->bytes > SIZE_MAX / 4)
        return se_fail(SE_ERR_MEMORY, "out of memory: %zu bytes more are too many", more);
    size_t room = b->bytes + b->bytes / 2 + more;
    room = room < 4096 ? 4096 : room;
    char *data = se_counted_alloc(room);
    if (!data)
        return SE_ERR_MEMORY;
    if (b->bytes)
        memcpy(data, b->data, b->bytes);
    se_counted_free(b->data, b->room);
    b->data = data;
    b->room = room;
    return SE_OK;
}

se_status se_blob_add(se_blob *b, const void *data, size_t bytes)
{
    se_status s = se_blob_reserve(b, bytes);
    if (s != SE_OK)
        return s;
    if (bytes)
        memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    return SE_OK;
}

void se_blob_free(se_blob *b)
{
    se_counted_free(b->data, b->room);
    memset(b, 0, sizeof *b);
}
