#include "io/safetensors.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/json.h"
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct item {
    const char *name, *dtype;
    se_tensor *tensor;
    se_type type;
    uint64_t bytes;
} item;

/* Larger elements first, then names: the order of the reference implementation, which keeps every
 * tensor aligned. */
static int by_size_and_name(const void *a, const void *b)
{
    const item *x = a, *y = b;
    static const int RANK[SE_DTYPES] = {[SE_F32] = 0, [SE_I32] = 1, [SE_BF16] = 2, [SE_BOOL] = 3};
    int d = RANK[x->type.dtype] - RANK[y->type.dtype];
    return d ? d : strcmp(x->name, y->name);
}

static se_status collect(const char *path, int32_t n, const char *const *names,
                         se_tensor *const *tensors, item *items)
{
    static const char *const NAMES[SE_DTYPES] = {
        [SE_F32] = "F32", [SE_I32] = "I32", [SE_BF16] = "BF16", [SE_BOOL] = "BOOL"};
    static const uint64_t BYTES[SE_DTYPES] = {
        [SE_F32] = 4, [SE_I32] = 4, [SE_BF16] = 2, [SE_BOOL] = 1};
    for (int32_t i = 0; i < n; i++) {
        item *t = &items[i];
        t->name = names[i];
        t->tensor = tensors[i];
        se_status s = se_tensor_type(tensors[i], &t->type);
        if (s != SE_OK)
            return se_fail_prefix(s, "%s: tensor '%s': ", path, names[i]);
        t->dtype = NAMES[t->type.dtype];
        t->bytes = (uint64_t)se_type_count(&t->type) * BYTES[t->type.dtype];
    }
    if (n)
        qsort(items, (size_t)n, sizeof *items, by_size_and_name);
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = i + 1; j < n; j++)
            if (strcmp(items[i].name, items[j].name) == 0)
                return se_fail(SE_ERR_ARG, "%s: two tensors are called '%s'", path, items[i].name);
    for (int32_t i = 0; i < n; i++)
        if (strcmp(items[i].name, "__metadata__") == 0)
            return se_fail(SE_ERR_ARG, "%s: a tensor cannot be called '__metadata__'", path);
    return SE_OK;
}

static se_status add_metadata(se_json *header, int32_t n, const char *const *keys,
                              const char *const *values)
{
    bool format = false;
    se_json *meta = se_json_new_object();
    se_status s = meta ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; i < n; i++)
        format = format || strcmp(keys[i], "format") == 0;
    if (s == SE_OK && !format)
        s = se_json_set(meta, "format", se_json_of_string("pt", 2));
    for (int32_t i = 0; s == SE_OK && i < n; i++)
        s = se_json_set(meta, keys[i], se_json_of_string(values[i], strlen(values[i])));
    if (s == SE_OK)
        return se_json_set(header, "__metadata__", meta);
    se_json_free(meta);
    return s;
}

static se_status add_tensor(se_json *header, const item *t, uint64_t begin)
{
    se_json *info = se_json_new_object(), *shape = se_json_new_array();
    se_json *offsets = se_json_new_array();
    se_status s = info && shape && offsets ? SE_OK : SE_ERR_MEMORY;
    for (int a = 0; s == SE_OK && a < t->type.rank; a++)
        s = se_json_append(shape, se_json_of_integer(t->type.dim[a]));
    if (s == SE_OK)
        s = se_json_append(offsets, se_json_of_integer((int64_t)begin));
    if (s == SE_OK)
        s = se_json_append(offsets, se_json_of_integer((int64_t)(begin + t->bytes)));
    if (s == SE_OK)
        s = se_json_set(info, "dtype", se_json_of_string(t->dtype, strlen(t->dtype)));
    if (s != SE_OK) {
        se_json_free(info);
        se_json_free(shape);
        se_json_free(offsets);
        return s;
    }
    s = se_json_set(info, "shape", shape);
    se_status s2 = se_json_set(info, "data_offsets", offsets);
    se_status s3 = se_json_set(header, t->name, info);
    return s != SE_OK ? s : s2 != SE_OK ? s2 : s3;
}

/* The first 8 bytes and the header, filled up with spaces so that data begins at a multiple of 8.
 */
static se_status make_header(int32_t n, const item *items, int32_t n_meta, const char *const *keys,
                             const char *const *values, char **out, size_t *bytes)
{
    char *json = NULL;
    size_t length = 0;
    uint64_t at = 0;
    *out = NULL;
    se_json *header = se_json_new_object();
    se_status s = header ? add_metadata(header, n_meta, keys, values) : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n; at += items[i++].bytes)
        s = add_tensor(header, &items[i], at);
    if (s == SE_OK)
        s = se_json_dump(header, 0, false, &json, &length);
    se_json_free(header);
    if (s != SE_OK)
        return s;
    uint64_t padded = (length + 7) / 8 * 8;
    char *text = se_malloc((size_t)padded + 8);
    if (text) {
        memcpy(text, &padded, 8);
        memcpy(text + 8, json, length);
        memset(text + 8 + length, ' ', (size_t)padded - length);
    }
    se_io_free(json);
    *out = text;
    *bytes = (size_t)padded + 8;
    return text ? SE_OK : SE_ERR_MEMORY;
}

static se_status write_data(int fd, const char *path, const item *t, const void *data)
{
    enum { PIECE = 4096 };
    if (t->type.dtype != SE_F32 || !se_real_is_f64())
        return t->bytes ? se_disk_write(fd, data, (size_t)t->bytes, path) : SE_OK;
    float piece[PIECE];
    se_status s = SE_OK;
    int64_t count = se_type_count(&t->type);
    for (int64_t i = 0; s == SE_OK && i < count; i += PIECE) {
        int64_t n = count - i < PIECE ? count - i : PIECE;
        for (int64_t j = 0; j < n; j++)
            piece[j] = (float)((const double *)data)[i + j];
        s = se_disk_write(fd, piece, (size_t)n * sizeof *piece, path);
    }
    return s;
}

/* Computes a tensor and writes it (path NULL: only the first); what was computed for that alone
 * goes again, so that a file of gathered tensors takes the memory of one. */
static se_status write_tensor(int fd, const char *path, const item *t)
{
    const void *data;
    bool there = se_tensor_ready(t->tensor);
    se_status s = se_tensor_data(t->tensor, true, &data);
    if (s != SE_OK)
        return se_fail_prefix(s, "%s: tensor '%s': ", path ? path : "save", t->name);
    if (path)
        s = write_data(fd, path, t, data);
    if (!there)
        se_node_only_waited(se_tensor_ref(t->tensor).node);
    return s;
}

static se_status write_all(const char *path, int32_t n, const item *items, const char *header,
                           size_t header_bytes)
{
    int fd = -1;
    char *part = se_path_with(path, ".part"), *folder = se_path_parent(path);
    se_status s = part && folder ? se_disk_create(part, false, &fd) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_write(fd, header, header_bytes, part);
    for (int32_t i = 0; s == SE_OK && i < n; i++)
        s = write_tensor(fd, part, &items[i]);
    if (s == SE_OK)
        s = se_disk_sync(fd, part);
    if (fd >= 0) {
        se_status closed = se_disk_close(fd, part);
        s = s == SE_OK ? closed : s;
    }
    if (s == SE_OK)
        s = se_disk_rename(part, path);
    if (s == SE_OK)
        s = se_disk_sync_path(folder);
    else if (fd >= 0)
        unlink(part);
    free(part);
    free(folder);
    return s;
}

se_status se_safetensors_write(const char *path, int32_t n, const char *const *names,
                               se_tensor *const *tensors, int32_t n_meta, const char *const *keys,
                               const char *const *values)
{
    char *header = NULL;
    size_t bytes = 0;
    item *items = se_calloc((size_t)n, sizeof *items);
    se_status s = items ? collect(path ? path : "save", n, names, tensors, items) : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && !path && i < n; i++)
        s = write_tensor(-1, NULL, &items[i]);
    if (s == SE_OK && path)
        s = make_header(n, items, n_meta, keys, values, &header, &bytes);
    if (s == SE_OK && path)
        s = write_all(path, n, items, header, bytes);
    free(header);
    free(items);
    return s;
}
