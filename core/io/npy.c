#include "io/npy.h"
#include "buf.h"
#include "io/files.h"
#include "io/map.h"
#include "node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int bytes, kind; /* kind -1: integers of one byte */
} DTYPES[] = {{"f4", 4, SE_REAL_F32},
              {"f2", 2, SE_REAL_F16},
              {"f8", 8, SE_REAL_F64},
              {"i1", 1, -1},
              {"u1", 1, -1}};

struct se_npy {
    char *path;
    se_map *map;
    const char *rows_at;
    int64_t rows, dims;
    int dtype;
};

/* The header's text: a Python dict of three entries. */
typedef struct scanner {
    const char *path, *file, *at, *end;
    bool any; /* any number of axes and either order will do, not only rows of numbers */
    char descr[8];
    int seen; /* bits: descr, fortran_order, shape */
    bool fortran;
    int rank;
    int64_t dim[SE_MAX_RANK];
} scanner;

static se_status lie(const scanner *s, const char *what)
{
    return se_fail(SE_ERR_FORMAT, "%s: offset %" PRIu64 ": %s", s->path,
                   (uint64_t)(s->at - s->file), what);
}

static void space(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t'))
        s->at++;
}

static bool take(scanner *s, const char *word)
{
    size_t n = strlen(word);
    space(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

/* 'text' or "text" of at most size - 1 characters, with no escapes. */
static bool take_text(scanner *s, char *to, size_t size)
{
    const char *from;
    space(s);
    if (s->at >= s->end || (*s->at != '\'' && *s->at != '"'))
        return false;
    for (from = s->at + 1; from < s->end && *from != *s->at && size > 1; size--)
        *to++ = *from++;
    if (from >= s->end || *from != *s->at)
        return false;
    *to = '\0';
    s->at = from + 1;
    return true;
}

static se_status read_size(scanner *s, int64_t *size)
{
    space(s);
    const char *from = s->at;
    *size = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, *s->at - '0', size))
            return lie(s, "a size of the shape is too large");
    return s->at > from ? SE_OK : lie(s, "expected a size of the shape");
}

static se_status read_shape(scanner *s)
{
    if (!take(s, "("))
        return lie(s, "expected the shape, (rows, numbers of a row)");
    for (int i = 0; i < 2; i++) {
        se_status status = read_size(s, &s->dim[i]);
        if (status)
            return status;
        if (i == 0 && !take(s, ","))
            return lie(s, "expected a shape of two axes");
    }
    take(s, ",");
    return take(s, ")") ? SE_OK : lie(s, "expected a shape of two axes");
}

static se_status read_axes(scanner *s)
{
    if (!take(s, "("))
        return lie(s, "expected the shape, such as (2, 3)");
    while (!take(s, ")")) {
        if (s->rank == SE_MAX_RANK)
            return lie(s, "expected at most 6 axes");
        se_status status = read_size(s, &s->dim[s->rank++]);
        if (status)
            return status;
        if (take(s, ","))
            continue;
        return take(s, ")") ? SE_OK : lie(s, "expected ',' or ')'");
    }
    return SE_OK;
}

static se_status read_order(scanner *s)
{
    s->fortran = s->any && take(s, "True");
    if (s->fortran || take(s, "False"))
        return SE_OK;
    return lie(s, s->any ? "expected True or False"
                         : "expected False: arrays in Fortran's order are not read");
}

static se_status read_entry(scanner *s)
{
    static const char *const KEYS[] = {"descr", "fortran_order", "shape"};
    char key[16];
    int i = 0;
    if (!take_text(s, key, sizeof key))
        return lie(s, "expected a key: 'descr', 'fortran_order' or 'shape'");
    while (i < 3 && strcmp(key, KEYS[i]) != 0)
        i++;
    if (i == 3 || s->seen >> i & 1)
        return lie(s, i == 3 ? "an unknown key before here" : "a key comes twice before here");
    s->seen |= 1 << i;
    if (!take(s, ":"))
        return lie(s, "expected ':'");
    if (i == 2)
        return s->any ? read_axes(s) : read_shape(s);
    if (i == 1)
        return read_order(s);
    return take_text(s, s->descr, sizeof s->descr) ? SE_OK
                                                   : lie(s, "expected a plain type such as '<f4'");
}

static se_status read_dict(scanner *s)
{
    if (!take(s, "{"))
        return lie(s, "expected '{'");
    while (!take(s, "}")) {
        se_status status = read_entry(s);
        if (status)
            return status;
        if (take(s, ","))
            continue;
        if (!take(s, "}"))
            return lie(s, "expected ',' or '}'");
        break;
    }
    space(s);
    if (s->at != s->end)
        return lie(s, "expected nothing more in the header");
    return s->seen == 7 ? SE_OK : lie(s, "the header lacks descr, fortran_order or shape");
}

/* Finds the header's text; the scanner's end is where the rows begin. */
static se_status find_header(scanner *s, size_t bytes)
{
    const uint8_t *b = (const uint8_t *)s->file;
    if (bytes < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return lie(s, "expected \"\\x93NUMPY\": not a .npy file");
    s->at += 6;
    if (b[6] < 1 || b[6] > 3)
        return lie(s, "an unknown version: expected 1, 2 or 3");
    s->at += 2;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8, from = b[6] == 1 ? 10 : 12;
    if (b[6] > 1 && bytes >= 12)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (bytes < from || length > bytes - from)
        return lie(s, "the header is longer than the file");
    s->at = s->file + from;
    s->end = s->at + length;
    return SE_OK;
}

static se_status read_header(scanner *s, const char *path, const se_map *map, bool any)
{
    *s = (scanner){.path = path, .file = map->data, .at = map->data, .any = any};
    se_status status = find_header(s, map->bytes);
    return status ? status : read_dict(s);
}

static se_status check_array(se_npy *f, const scanner *s)
{
    const char *name = s->descr + 1;
    int n = (int)(sizeof DTYPES / sizeof *DTYPES), i = 0;
    while (i < n && strcmp(name, DTYPES[i].name) != 0)
        i++;
    if (!s->descr[0] || !strchr("<|=", s->descr[0]) || i == n)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset %d: type '%s', expected <f4, <f2, <f8, |i1 or |u1", f->path, 10,
                       s->descr);
    int64_t want, left = (int64_t)f->map->bytes - (s->end - s->file);
    if (__builtin_mul_overflow(s->dim[0], s->dim[1], &want) ||
        __builtin_mul_overflow(want, DTYPES[i].bytes, &want) || want != left)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset %" PRId64 ": %" PRId64 " bytes of rows, expected those of "
                       "(%" PRId64 ", %" PRId64 ") numbers of %d bytes",
                       f->path, (int64_t)(s->end - s->file), left, s->dim[0], s->dim[1],
                       DTYPES[i].bytes);
    f->dtype = i;
    f->rows = s->dim[0];
    f->dims = s->dim[1];
    f->rows_at = s->end;
    return SE_OK;
}

se_status se_npy_open(const char *path, se_npy **out)
{
    se_npy *f = se_calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return SE_ERR_MEMORY;
    f->path = se_strdup(path);
    se_status status = f->path ? se_map_open(path, &f->map) : SE_ERR_MEMORY;
    if (!status) {
        scanner s;
        status = read_header(&s, path, f->map, false);
        if (!status)
            status = check_array(f, &s);
    }
    if (status) {
        se_npy_close(f);
        return status;
    }
    *out = f;
    return SE_OK;
}

void se_npy_close(se_npy *f)
{
    if (!f)
        return;
    se_map_release(f->map);
    free(f->path);
    free(f);
}

int64_t se_npy_rows(const se_npy *f)
{
    return f->rows;
}

int64_t se_npy_dims(const se_npy *f)
{
    return f->dims;
}

const char *se_npy_descr(const se_npy *f)
{
    return DTYPES[f->dtype].name;
}

static se_status integers(const se_npy *f, const char *from, const int64_t *dim, se_tensor **out)
{
    se_type type = se_type_make(SE_F32, 2, dim);
    se_buf *buf = se_buf_new(&type);
    if (!buf)
        return SE_ERR_MEMORY;
    bool is_signed = DTYPES[f->dtype].name[0] == 'i';
    for (int64_t i = 0; i < dim[0] * dim[1]; i++) {
        int v = is_signed ? ((const int8_t *)from)[i] : ((const uint8_t *)from)[i];
        if (se_real_is_f64())
            ((double *)buf->data)[i] = v;
        else
            ((float *)buf->data)[i] = (float)v;
    }
    return se_tensor_of_buf(type, buf, out);
}

se_status se_npy_part(const se_npy *f, int64_t first, int64_t count, se_tensor **out)
{
    *out = NULL;
    if (first < 0 || count < 0 || first > f->rows - count)
        return se_fail(SE_ERR_ARG, "%s: %" PRId64 " rows from %" PRId64 " on: there are %" PRId64,
                       f->path, count, first, f->rows);
    int64_t dim[2] = {count, f->dims};
    const char *from = f->rows_at + first * f->dims * DTYPES[f->dtype].bytes;
    if (DTYPES[f->dtype].kind < 0)
        return integers(f, from, dim, out);
    return se_map_leaf(f->map, from, (se_real_kind)DTYPES[f->dtype].kind, 2, dim, NULL, out);
}

/* --- whole arrays --- */

static const struct {
    const char *name;
    int bytes;
    se_dtype dtype;
    int kind; /* of real numbers; -1: they are whole, or bools */
} ARRAYS[] = {
    {"f4", 4, SE_F32, SE_REAL_F32}, {"f2", 2, SE_F32, SE_REAL_F16}, {"f8", 8, SE_F32, SE_REAL_F64},
    {"i1", 1, SE_I32, -1},          {"u1", 1, SE_I32, -1},          {"i2", 2, SE_I32, -1},
    {"u2", 2, SE_I32, -1},          {"i4", 4, SE_I32, -1},          {"u4", 4, SE_I32, -1},
    {"i8", 8, SE_I32, -1},          {"u8", 8, SE_I32, -1},          {"b1", 1, SE_BOOL, -1}};

/* A little-endian whole number of any size; 2^63 and more become the largest below. */
static int64_t number_at(const char *from, int bytes, bool is_signed)
{
    uint64_t bits = 0;
    memcpy(&bits, from, (size_t)bytes);
    int unused = 64 - 8 * bytes;
    if (is_signed)
        return (int64_t)(bits << unused) >> unused;
    return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
}

/* Whole numbers and bools are copied. */
static se_status copy_whole(const scanner *s, int k, const se_type *type, void *to)
{
    bool is_bool = type->dtype == SE_BOOL;
    for (int64_t i = 0; i < se_type_count(type); i++) {
        const char *from = s->end + i * ARRAYS[k].bytes;
        int64_t v = number_at(from, ARRAYS[k].bytes, ARRAYS[k].name[0] == 'i');
        if (v < INT32_MIN || v > (is_bool ? 1 : INT32_MAX))
            return se_fail(SE_ERR_FORMAT, "%s: offset %" PRId64 ": %" PRId64 ", expected %s",
                           s->path, (int64_t)(from - s->file), v,
                           is_bool ? "0 or 1" : "a number of 32 bits");
        if (is_bool)
            ((uint8_t *)to)[i] = (uint8_t)v;
        else
            ((int32_t *)to)[i] = (int32_t)v;
    }
    return SE_OK;
}

/* The place of the array's type in ARRAYS, and its bytes compared with the file's. */
static se_status find_type(const scanner *s, const se_map *map, int *k)
{
    int n = (int)(sizeof ARRAYS / sizeof *ARRAYS);
    int64_t want = 1, left = (int64_t)map->bytes - (s->end - s->file);
    bool fits = true;
    *k = 0;
    while (*k < n && strcmp(s->descr + 1, ARRAYS[*k].name) != 0)
        ++*k;
    if (!s->descr[0] || !strchr("<|=", s->descr[0]) || *k == n)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset %d: type '%s', expected <f4, <f2, <f8, whole numbers or |b1",
                       s->path, 10, s->descr);
    for (int i = 0; i < s->rank && fits; i++)
        fits = !__builtin_mul_overflow(want, s->dim[i], &want);
    if (!fits || __builtin_mul_overflow(want, ARRAYS[*k].bytes, &want) || want != left)
        return se_fail(SE_ERR_FORMAT,
                       "%s: offset %" PRId64 ": %" PRId64 " bytes of elements, the shape is for %s"
                       "%" PRId64,
                       s->path, (int64_t)(s->end - s->file), left, fits ? "" : "more than ", want);
    return SE_OK;
}

static se_status make_array(const scanner *s, se_map *map, se_tensor **out)
{
    int k;
    int64_t dim[SE_MAX_RANK];
    se_status status = find_type(s, map, &k);
    if (status)
        return status;
    for (int i = 0; i < s->rank; i++)
        dim[i] = s->dim[s->fortran ? s->rank - 1 - i : i];
    if (ARRAYS[k].kind >= 0)
        return se_map_leaf(map, s->end, (se_real_kind)ARRAYS[k].kind, s->rank, dim, NULL, out);
    se_type type = se_type_make(ARRAYS[k].dtype, s->rank, dim);
    se_buf *buf = se_buf_new(&type);
    status = buf ? copy_whole(s, k, &type, buf->data) : SE_ERR_MEMORY;
    if (!status)
        return se_tensor_of_buf(type, buf, out);
    se_buf_unref(buf);
    return status;
}

se_status se_npy_read(const char *path, bool *turned, se_tensor **out)
{
    se_map *map = NULL;
    scanner s = {0};
    *out = NULL;
    se_status status = se_map_open(path, &map);
    if (!status)
        status = read_header(&s, path, map, true);
    if (!status)
        status = make_array(&s, map, out);
    *turned = s.fortran && s.rank > 1;
    se_map_release(map);
    return status;
}

/* "\x93NUMPY", version 1.0 and the dict, filled up so that the elements begin at a multiple of 64.
 */
static int write_head(const se_type *t, const char *descr, char head[256])
{
    enum { BEFORE = 10 };
    char *text = head + BEFORE;
    int n = sprintf(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < t->rank; i++)
        n += sprintf(text + n, i ? " %" PRId64 "%s" : "%" PRId64 "%s", t->dim[i],
                     i + 1 < t->rank || i == 0 ? "," : "");
    n += sprintf(text + n, "), }");
    int all = (BEFORE + n + 1 + 63) / 64 * 64, length = all - BEFORE;
    memset(text + n, ' ', (size_t)(length - n));
    head[all - 1] = '\n';
    memcpy(head, "\x93NUMPY\x01", 8);
    head[8] = (char)(length & 255);
    head[9] = (char)(length >> 8);
    return all;
}

se_status se_npy_write(const char *path, se_tensor *t)
{
    static const char *const NAMES[SE_DTYPES] = {
        [SE_F32] = "<f4", [SE_I32] = "<i4", [SE_BOOL] = "|b1"};
    char head[256];
    const void *data = NULL;
    se_type type;
    se_status status = se_tensor_type(t, &type);
    if (status)
        return status;
    if (!NAMES[type.dtype])
        return se_fail(SE_ERR_ARG, "%s: numpy has no bf16: cast it to f32 first", path);
    status = se_tensor_data(t, false, &data);
    if (status)
        return se_fail_prefix(status, "%s: ", path);
    int n = write_head(&type, NAMES[type.dtype], head);
    return se_file_write_parts(path, 2,
                               (se_part[]){{head, (size_t)n}, {data, se_type_bytes(&type)}});
}
