#define _GNU_SOURCE
#include "io/safetensors.h"
#include "buf.h"
#include "node.h"
#include "io/json.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 16, START = 8 };
static const uint64_t MAX_HEADER = 100000000; /* as the reference implementation */

static const struct {
    const char *name;
    int bytes;
} DTYPES[] = {{"F32", 4}, {"BF16", 2}, {"F16", 2},     {"F64", 8},     {"I64", 8},    {"I32", 4},
              {"I16", 2}, {"I8", 1},   {"U8", 1},      {"BOOL", 1},    {"U16", 2},    {"U32", 4},
              {"U64", 8}, {"C64", 8},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}};

typedef struct entry {
    const char *name, *dtype; /* the name is the header's, the dtype a constant */
    int item;                 /* bytes of an element */
    int32_t rank;
    int64_t dim[MAX_RANK], count;
    uint64_t begin, end; /* in the data part */
} entry;

struct se_safetensors {
    char *path;
    se_map *map;
    se_json *header;
    uint64_t data_at; /* offset of the data part in the file */
    int64_t n;
    entry *entry;
};

/* Where a tensor's entry stands in the file: its quoted name, or the header's start. */
static uint64_t entry_at(const se_safetensors *f, const char *name)
{
    const char *text = f->map->data + START;
    size_t n = strlen(name) + 2, header = (size_t)(f->data_at - START);
    char *quoted = se_malloc(n + 1);
    if (!quoted)
        return START;
    snprintf(quoted, n + 1, "\"%s\"", name);
    const char *at = memmem(text, header, quoted, n);
    free(quoted);
    return at ? (uint64_t)(at - text) + START : START;
}

#define LIE(f, name, format, ...)                                                                  \
    se_fail(SE_ERR_FORMAT, "%s: offset %" PRIu64 ": tensor '%s': " format, (f)->path,              \
            entry_at(f, name), name, __VA_ARGS__)

/* "shape": fills rank, dim and count; the bytes must be countable. */
static se_status read_shape(const se_safetensors *f, const se_json *info, entry *e)
{
    const se_json *shape = se_json_get(info, "shape");
    if (se_json_type(shape) != SE_JSON_ARRAY)
        return LIE(f, e->name, "%s", "no \"shape\", expected an array of sizes");
    if (se_json_size(shape) > MAX_RANK)
        return LIE(f, e->name, "%lld axes, expected at most %d", (long long)se_json_size(shape),
                   MAX_RANK);
    e->rank = (int32_t)se_json_size(shape);
    e->count = 1;
    int64_t bytes = e->item;
    for (int32_t a = 0; a < e->rank; a++) {
        const se_json *d = se_json_at(shape, a);
        if (se_json_type(d) != SE_JSON_INTEGER || se_json_integer(d) < 0)
            return LIE(f, e->name, "axis %d of the shape is not a size (an integer from 0)", a);
        e->dim[a] = se_json_integer(d);
    }
    /* A 0 among the sizes makes the product 0, but no order of multiplying may overflow. */
    for (int32_t a = 0; a < e->rank; a++) {
        int64_t d = e->dim[a] ? e->dim[a] : 1;
        if (__builtin_mul_overflow(bytes, d, &bytes))
            return LIE(f, e->name, "the shape's %s", "bytes overflow 63 bits");
    }
    for (int32_t a = 0; a < e->rank; a++)
        e->count *= e->dim[a];
    return SE_OK;
}

static se_status read_offsets(const se_safetensors *f, const se_json *info, entry *e)
{
    const se_json *offsets = se_json_get(info, "data_offsets");
    const se_json *b = se_json_at(offsets, 0), *n = se_json_at(offsets, 1);
    uint64_t data = f->map->bytes - f->data_at;
    if (se_json_size(offsets) != 2 || se_json_type(b) != SE_JSON_INTEGER ||
        se_json_type(n) != SE_JSON_INTEGER || se_json_integer(b) < 0 || se_json_integer(n) < 0)
        return LIE(f, e->name, "%s", "no \"data_offsets\", expected [begin, end]");
    e->begin = (uint64_t)se_json_integer(b);
    e->end = (uint64_t)se_json_integer(n);
    if (e->begin > e->end || e->end > data)
        return LIE(f, e->name,
                   "data_offsets [%" PRIu64 ", %" PRIu64 "], expected them inside the %" PRIu64
                   " bytes of data",
                   e->begin, e->end, data);
    uint64_t want = (uint64_t)e->count * (uint64_t)e->item;
    if (e->end - e->begin != want)
        return LIE(f, e->name,
                   "data_offsets hold %" PRIu64 " bytes, expected the %" PRIu64
                   " of its shape and dtype %s",
                   e->end - e->begin, want, e->dtype);
    return SE_OK;
}

static se_status read_entry(const se_safetensors *f, const char *name, const se_json *info,
                            entry *e)
{
    e->name = name;
    if (se_json_type(info) != SE_JSON_OBJECT)
        return LIE(f, name, "%s", "not an object, expected {dtype, shape, data_offsets}");
    const char *dtype = se_json_string(se_json_get(info, "dtype"), NULL);
    if (!dtype)
        return LIE(f, name, "%s", "no \"dtype\", expected a text");
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES && !e->dtype; i++)
        if (strcmp(dtype, DTYPES[i].name) == 0) {
            e->dtype = DTYPES[i].name;
            e->item = DTYPES[i].bytes;
        }
    if (!e->dtype)
        return LIE(f, name, "unknown dtype '%.40s', expected F32, BF16, F16, F64, I64, I32, ...",
                   dtype);
    se_status s = read_shape(f, info, e);
    return s == SE_OK ? read_offsets(f, info, e) : s;
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Every byte of data belongs to exactly one tensor. */
static se_status check_places(const se_safetensors *f)
{
    uint64_t at = 0, data = f->map->bytes - f->data_at;
    for (int64_t i = 0; i < f->n; at = f->entry[i++].end) {
        const entry *e = &f->entry[i];
        if (e->begin < at)
            return LIE(f, e->name,
                       "data_offsets begin at %" PRIu64 ", inside '%s': expected %" PRIu64
                       " or later",
                       e->begin, f->entry[i - 1].name, at);
        if (e->begin > at)
            return LIE(f, e->name,
                       "data_offsets begin at %" PRIu64 ", expected %" PRIu64
                       ": the bytes between belong to no tensor",
                       e->begin, at);
    }
    if (at != data)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset %" PRIu64 ": %" PRIu64 " bytes belong to no tensor, expected "
                       "the file to end here",
                       f->path, f->data_at + at, data - at);
    return SE_OK;
}

static se_status check_metadata(const se_safetensors *f)
{
    const se_json *meta = se_json_get(f->header, "__metadata__");
    if (meta && se_json_type(meta) != SE_JSON_OBJECT)
        return LIE(f, "__metadata__", "%s", "not an object, expected texts by name");
    for (void *it = se_json_first(meta); it; it = se_json_next(meta, it))
        if (!se_json_string(se_json_value(it), NULL))
            return LIE(f, "__metadata__", "'%s' is not a text", se_json_key(it));
    return SE_OK;
}

static se_status read_header(se_safetensors *f)
{
    uint64_t n;
    size_t bytes = f->map->bytes;
    char source[64];
    if (bytes < START)
        return se_fail(SE_ERR_FORMAT, "%s: offset 0: the file has %zu bytes, expected at least %d",
                       f->path, bytes, START);
    memcpy(&n, f->map->data, sizeof n);
    if (n > bytes - START || n > MAX_HEADER || n < 2)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset 0: header length %" PRIu64 ", expected 2 to %" PRIu64
                       " (the file has %zu bytes)",
                       f->path, n, bytes - START < MAX_HEADER ? bytes - START : MAX_HEADER, bytes);
    f->data_at = START + n;
    const char *text = f->map->data + START;
    if (text[0] != '{')
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset 8: the header begins with byte 0x%02x, expected {", f->path,
                       (unsigned char)text[0]);
    snprintf(source, sizeof source, "header (offset 8, %" PRIu64 " bytes)", n);
    se_status s = se_json_parse(text, (size_t)n, source, &f->header);
    if (s != SE_OK)
        return se_fail_prefix(s, "%s: ", f->path);
    f->entry = se_calloc((size_t)se_json_size(f->header) + 1, sizeof *f->entry);
    s = f->entry ? check_metadata(f) : SE_ERR_MEMORY;
    for (void *it = se_json_first(f->header); s == SE_OK && it; it = se_json_next(f->header, it))
        if (strcmp(se_json_key(it), "__metadata__") != 0)
            s = read_entry(f, se_json_key(it), se_json_value(it), &f->entry[f->n++]);
    if (s != SE_OK)
        return s;
    if (f->n)
        qsort(f->entry, (size_t)f->n, sizeof *f->entry, by_place);
    return check_places(f);
}

se_status se_safetensors_open(const char *path, se_safetensors **out)
{
    *out = NULL;
    se_safetensors *f = se_calloc(1, sizeof *f);
    if (!f)
        return SE_ERR_MEMORY;
    f->path = se_strdup(path);
    se_status s = f->path ? se_map_open(path, &f->map) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = read_header(f);
    if (s != SE_OK)
        se_safetensors_close(f);
    else
        *out = f;
    return s;
}

void se_safetensors_close(se_safetensors *f)
{
    if (!f)
        return;
    se_json_free(f->header);
    free(f->entry);
    free(f->path);
    se_map_release(f->map);
    free(f);
}

int64_t se_safetensors_count(const se_safetensors *f)
{
    return f->n;
}

int64_t se_safetensors_find(const se_safetensors *f, const char *name)
{
    for (int64_t i = 0; i < f->n; i++)
        if (strcmp(f->entry[i].name, name) == 0)
            return i;
    return -1;
}

static const entry *entry_of(const se_safetensors *f, int64_t i)
{
    return i >= 0 && i < f->n ? &f->entry[i] : NULL;
}

const char *se_safetensors_name(const se_safetensors *f, int64_t i)
{
    return entry_of(f, i) ? f->entry[i].name : NULL;
}

const char *se_safetensors_dtype(const se_safetensors *f, int64_t i)
{
    return entry_of(f, i) ? f->entry[i].dtype : NULL;
}

int32_t se_safetensors_rank(const se_safetensors *f, int64_t i)
{
    return entry_of(f, i) ? f->entry[i].rank : 0;
}

int64_t se_safetensors_dim(const se_safetensors *f, int64_t i, int32_t axis)
{
    const entry *e = entry_of(f, i);
    return e && axis >= 0 && axis < e->rank ? e->dim[axis] : 0;
}

const char *se_safetensors_metadata(const se_safetensors *f, const char *key)
{
    return se_json_string(se_json_get(se_json_get(f->header, "__metadata__"), key), NULL);
}

/* --- tensors --- */

static const char *data_of(const se_safetensors *f, const entry *e)
{
    return f->map->data + f->data_at + e->begin;
}

/* I64 -> i32, as ids are. */
static se_status copy_integers(const se_safetensors *f, const entry *e, int32_t *to)
{
    const char *data = data_of(f, e);
    for (int64_t i = 0; i < e->count; i++) {
        int64_t x;
        memcpy(&x, data + 8 * i, sizeof x);
        if (x < INT32_MIN || x > INT32_MAX)
            return se_fail(SE_ERR_FORMAT,
                           "%s: offset %" PRIu64 ": tensor '%s': %" PRId64
                           ", expected a number of 32 bits",
                           f->path, f->data_at + e->begin + 8 * (uint64_t)i, e->name, x);
        to[i] = (int32_t)x;
    }
    return SE_OK;
}

static se_status check_bools(const se_safetensors *f, const entry *e)
{
    const uint8_t *data = (const uint8_t *)data_of(f, e);
    for (int64_t i = 0; i < e->count; i++)
        if (data[i] > 1)
            return se_fail(SE_ERR_FORMAT,
                           "%s: offset %" PRIu64 ": tensor '%s': byte 0x%02x, expected 0 or 1",
                           f->path, f->data_at + e->begin + (uint64_t)i, e->name, data[i]);
    return SE_OK;
}

static se_status find_entry(const se_safetensors *f, int64_t i, const entry **out)
{
    *out = entry_of(f, i);
    if (!*out)
        return se_fail(SE_ERR_ARG, "%s: no tensor %lld: there are %lld", f->path, (long long)i,
                       (long long)f->n);
    if ((*out)->rank > SE_MAX_RANK)
        return LIE(f, (*out)->name, "%d axes, expected at most %d", (*out)->rank, SE_MAX_RANK);
    return SE_OK;
}

se_status se_safetensors_weight(const se_safetensors *f, int64_t i, se_tensor **out)
{
    const entry *e;
    se_real_kind kind;
    *out = NULL;
    se_status s = find_entry(f, i, &e);
    if (s != SE_OK)
        return s;
    if (!se_real_kind_of(e->dtype, &kind))
        return LIE(f, e->name, "dtype %s, weights are F32, F16, BF16 or F64", e->dtype);
    return se_map_leaf(f->map, data_of(f, e), kind, e->rank, e->dim, NULL, out);
}

se_status se_safetensors_tensor(const se_safetensors *f, int64_t i, se_tensor **out)
{
    static const struct {
        const char *name;
        se_dtype dtype;
        bool real; /* a matter of se_safetensors_weight */
    } KINDS[] = {{"F32", SE_F32, true},  {"F16", SE_F32, true},    {"F64", SE_F32, true},
                 {"I32", SE_I32, false}, {"BF16", SE_BF16, false}, {"BOOL", SE_BOOL, false},
                 {"I64", SE_I32, false}};
    const entry *e;
    int kind = -1;
    *out = NULL;
    se_status s = find_entry(f, i, &e);
    if (s != SE_OK)
        return s;
    for (int k = 0; k < (int)(sizeof KINDS / sizeof *KINDS); k++)
        if (strcmp(e->dtype, KINDS[k].name) == 0)
            kind = k;
    if (kind < 0)
        return LIE(f, e->name,
                   "dtype %s cannot be used, expected F32, BF16, F16, F64, I64, I32, BOOL",
                   e->dtype);
    if (KINDS[kind].real)
        return se_safetensors_weight(f, i, out);
    if (KINDS[kind].dtype == SE_BOOL && check_bools(f, e) != SE_OK)
        return SE_ERR_FORMAT;

    se_type type = se_type_make(KINDS[kind].dtype, e->rank, e->dim);
    bool wide = strcmp(e->dtype, "I64") == 0;
    bool foreign = !wide && (uintptr_t)data_of(f, e) % (size_t)e->item == 0 && e->count > 0;
    size_t bytes = (size_t)(e->end - e->begin);
    se_buf *buf =
        foreign ? se_buf_foreign(data_of(f, e), bytes, se_map_release, f->map) : se_buf_new(&type);
    if (!buf)
        return SE_ERR_MEMORY;
    if (foreign)
        atomic_fetch_add(&f->map->refs, 1);
    else if (wide)
        s = copy_integers(f, e, buf->data);
    else if (bytes)
        memcpy(buf->data, data_of(f, e), bytes);
    if (s != SE_OK) {
        se_buf_unref(buf);
        return s;
    }
    return se_tensor_of_buf(type, buf, out);
}
