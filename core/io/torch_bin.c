#include "io/torch_bin.h"
#include "io/map.h"
#include "io/pickle.h"
#include "io/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 16 };
static const uint64_t MAX_PICKLE = 16 << 20; /* that of 10,000 tensors has 2 MB */

typedef struct view {
    char *name;
    const char *dtype;
    int item; /* bytes of an element */
    int32_t rank;
    int64_t dim[MAX_RANK], stride[MAX_RANK], count;
    int64_t room;   /* elements of the storage */
    uint64_t first; /* where the first element stands in the file */
} view;

struct se_torch_bin {
    char *path;
    se_map *map;
    se_zip zip;
    const se_zip_member *pickle;
    size_t prefix; /* bytes of "NAME/" */
    int64_t n;
    view *view;
};

#define BAD(f, at, format, ...)                                                                    \
    se_fail(SE_ERR_FORMAT, "%s: offset %" PRIu64 ": " format, (f)->path, (uint64_t)(at),           \
            __VA_ARGS__)

/* --- the archive --- */

/* What the file is instead, by its first bytes. */
static se_status not_zip(const se_torch_bin *f)
{
    /* A pickle of the integer 0x1950a86a20f9469cfc6c begins what torch.save wrote before 1.6. */
    static const char LEGACY[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    size_t n = sizeof LEGACY - 1;
    if (f->map->bytes >= n && memcmp(f->map->data, LEGACY, n) == 0)
        return BAD(f, 0,
                   "PyTorch's format from before version 1.6, expected its zip format. To convert: "
                   "python -c \"import torch; torch.save(torch.load('%s', map_location='cpu', "
                   "weights_only=True), 'pytorch_model.bin')\"",
                   f->path);
    if (f->map->bytes < 4)
        return BAD(f, 0, "the file has %zu bytes, expected a zip archive as torch.save writes it",
                   f->map->bytes);
    const unsigned char *p = (const unsigned char *)f->map->data;
    return BAD(
        f, 0,
        "the file begins with bytes %02x %02x %02x %02x, expected 50 4b 03 04 (a zip archive "
        "as torch.save writes it)",
        p[0], p[1], p[2], p[3]);
}

/* NAME/data.pkl, where NAME has no '/'. */
static se_status find_pickle(se_torch_bin *f)
{
    static const char LAST[] = "/data.pkl";
    size_t n = sizeof LAST - 1;
    for (int64_t i = 0; i < f->zip.n; i++) {
        const se_zip_member *m = &f->zip.member[i];
        const char *slash = memchr(m->name, '/', m->name_bytes);
        size_t before = slash ? (size_t)(slash - m->name) : 0;
        if (!slash || m->name_bytes - before != n || memcmp(slash, LAST, n) != 0)
            continue;
        if (f->pickle)
            return BAD(f, m->header, "%s", "a second data.pkl, expected one");
        f->pickle = m;
        f->prefix = before + 1;
    }
    if (!f->pickle)
        return BAD(f, 0, "%s",
                   "a zip archive without NAME/data.pkl, expected one as torch.save writes it");
    if (f->pickle->bytes > MAX_PICKLE)
        return BAD(f, f->pickle->at, "data.pkl has %" PRIu64 " bytes, expected at most %" PRIu64,
                   f->pickle->bytes, MAX_PICKLE);
    return se_zip_check(f->map->data, f->pickle, f->path);
}

/* The member NAME/REST; NULL with SE_OK where there is none. */
static se_status find_member(const se_torch_bin *f, const char *folder, const char *rest,
                             size_t bytes, const se_zip_member **out)
{
    size_t middle = strlen(folder), n = f->prefix + middle + bytes;
    char *name = se_malloc(n + 1);
    *out = NULL;
    if (!name)
        return SE_ERR_MEMORY;
    memcpy(name, f->pickle->name, f->prefix);
    memcpy(name + f->prefix, folder, middle);
    memcpy(name + f->prefix + middle, rest, bytes);
    *out = se_zip_find(&f->zip, name, n);
    free(name);
    return SE_OK;
}

/* Files of before version 2.1 do not say; they were written on little-endian machines. */
static se_status check_byte_order(const se_torch_bin *f)
{
    const se_zip_member *m;
    se_status s = find_member(f, "byteorder", "", 0, &m);
    if (s == SE_OK && m && (m->bytes != 6 || memcmp(f->map->data + m->at, "little", 6) != 0))
        return BAD(f, m->at, "byteorder is '%.*s', expected 'little'",
                   (int)(m->bytes < 20 ? m->bytes : 20), f->map->data + m->at);
    return s;
}

/* --- tensors --- */

#define LIE(f, v, format, ...)                                                                     \
    BAD(f, (f)->pickle->at, "data.pkl: tensor '%.200s': " format, (v)->name, __VA_ARGS__)

/* Sizes and strides from the pickle; the last element has to be in the storage, too. */
static se_status read_shape(const se_torch_bin *f, const se_pickle_value *const *of, view *v,
                            int64_t offset)
{
    const se_pickle_value *sizes = of[2], *strides = of[3];
    if (sizes->n > MAX_RANK)
        return LIE(f, v, "%zu axes, expected at most %d", sizes->n, MAX_RANK);
    v->rank = (int32_t)sizes->n;
    v->count = 1;
    int64_t last = offset, all = 1;
    bool wrong = offset < 0, empty = false;
    for (int32_t a = 0; a < v->rank; a++) {
        int64_t d = v->dim[a] = sizes->item[a]->integer, reach;
        int64_t step = v->stride[a] = strides->item[a]->integer;
        if (d < 0 || step < 0)
            return LIE(f, v,
                       "axis %d has size %" PRId64 " and stride %" PRId64 ", expected none "
                       "below 0",
                       a, d, step);
        empty = empty || d == 0;
        wrong = wrong || __builtin_mul_overflow(all, d ? d : 1, &all) ||
                __builtin_mul_overflow(d ? d - 1 : 0, step, &reach) ||
                __builtin_add_overflow(last, reach, &last);
    }
    v->count = empty ? 0 : all;
    if (wrong || all > INT64_MAX / 8 || (!empty && last >= v->room))
        return LIE(f, v,
                   "its %d axes from element %" PRId64 " on go beyond the %" PRId64
                   " elements of its storage",
                   v->rank, offset, v->room);
    return SE_OK;
}

static se_status read_storage(const se_torch_bin *f, const se_pickle_value *storage, view *v,
                              int64_t offset)
{
    const se_pickle_value *key = storage->item[2];
    const se_zip_member *m;
    se_status s = find_member(f, "data/", key->text, key->bytes, &m);
    if (s != SE_OK)
        return s;
    if (!m)
        return LIE(f, v, "its storage '%.*s' is not in the archive",
                   (int)(key->bytes < 40 ? key->bytes : 40), key->text);
    uint64_t item = (uint64_t)v->item;
    if (m->bytes / item != (uint64_t)v->room)
        return BAD(f, m->at,
                   "storage '%.*s' has %" PRIu64 " bytes, expected %" PRId64
                   " elements of %d bytes for tensor '%.200s'",
                   (int)(key->bytes < 40 ? key->bytes : 40), key->text, m->bytes, v->room, v->item,
                   v->name);
    v->first = m->at + (v->count ? (uint64_t)offset * item : 0);
    return SE_OK;
}

static se_status read_view(const se_torch_bin *f, const se_pickle_value *key,
                           const se_pickle_value *tensor, view *v)
{
    if (key->kind != SE_PICKLE_TEXT || memchr(key->text, 0, key->bytes))
        return BAD(f, f->pickle->at, "data.pkl: a name that is %s, expected a text without 0 bytes",
                   se_pickle_kind_name(key->kind));
    v->name = se_malloc(key->bytes + 1);
    if (!v->name)
        return SE_ERR_MEMORY;
    memcpy(v->name, key->text, key->bytes);
    v->name[key->bytes] = 0;
    if (tensor->kind != SE_PICKLE_TENSOR)
        return BAD(f, f->pickle->at,
                   "data.pkl: '%.200s' is %s, expected a tensor: a dict of weights by name "
                   "(state_dict) is wanted",
                   v->name, se_pickle_kind_name(tensor->kind));
    const se_pickle_value *const *of = (const se_pickle_value *const *)tensor->item;
    v->dtype = of[0]->class->dtype;
    v->item = of[0]->class->bytes;
    v->room = of[0]->item[4]->integer;
    se_status s = read_shape(f, of, v, of[1]->integer);
    return s == SE_OK ? read_storage(f, of[0], v, of[1]->integer) : s;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static se_status check_names(const se_torch_bin *f)
{
    const char **name = se_calloc((size_t)f->n + 1, sizeof *name);
    se_status s = name ? SE_OK : SE_ERR_MEMORY;
    for (int64_t i = 0; name && i < f->n; i++)
        name[i] = f->view[i].name;
    if (name)
        qsort(name, (size_t)f->n, sizeof *name, by_name);
    for (int64_t i = 1; s == SE_OK && i < f->n; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            s = BAD(f, f->pickle->at, "data.pkl: two tensors are called '%.200s'", name[i]);
    free(name);
    return s;
}

static se_status read_tensors(se_torch_bin *f)
{
    se_pickle_value *dict, *all;
    se_status s = se_pickle_read(f->map->data + f->pickle->at, (size_t)f->pickle->bytes, f->path,
                                 f->pickle->at, &dict, &all);
    if (s == SE_OK && dict->kind != SE_PICKLE_DICT)
        s = BAD(f, f->pickle->at, "data.pkl holds %s, expected a dict of tensors",
                se_pickle_kind_name(dict->kind));
    if (s == SE_OK) {
        f->view = se_calloc(dict->n / 2 + 1, sizeof *f->view);
        s = f->view ? SE_OK : SE_ERR_MEMORY;
    }
    for (size_t i = 0; s == SE_OK && i + 1 < dict->n; i += 2) {
        s = read_view(f, dict->item[i], dict->item[i + 1], &f->view[f->n]);
        f->n++;
    }
    se_pickle_free(all);
    return s == SE_OK ? check_names(f) : s;
}

/* --- the open file --- */

static se_status read_all(se_torch_bin *f)
{
    if (f->map->bytes < 4 || memcmp(f->map->data, "PK\3\4", 4) != 0)
        return not_zip(f);
    se_status s = se_zip_read(f->map->data, f->map->bytes, f->path, &f->zip);
    if (s == SE_OK)
        s = find_pickle(f);
    if (s == SE_OK)
        s = check_byte_order(f);
    return s == SE_OK ? read_tensors(f) : s;
}

se_status se_torch_bin_open(const char *path, se_torch_bin **out)
{
    *out = NULL;
    se_torch_bin *f = se_calloc(1, sizeof *f);
    if (!f)
        return SE_ERR_MEMORY;
    f->path = se_strdup(path);
    se_status s = f->path ? se_map_open(path, &f->map) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = read_all(f);
    if (s != SE_OK)
        se_torch_bin_close(f);
    else
        *out = f;
    return s;
}

void se_torch_bin_close(se_torch_bin *f)
{
    if (!f)
        return;
    for (int64_t i = 0; i < f->n; i++)
        free(f->view[i].name);
    free(f->view);
    se_zip_free(&f->zip);
    se_map_release(f->map);
    free(f->path);
    free(f);
}

int64_t se_torch_bin_count(const se_torch_bin *f)
{
    return f->n;
}

int64_t se_torch_bin_find(const se_torch_bin *f, const char *name)
{
    for (int64_t i = 0; i < f->n; i++)
        if (strcmp(f->view[i].name, name) == 0)
            return i;
    return -1;
}

const char *se_torch_bin_name(const se_torch_bin *f, int64_t i)
{
    return i >= 0 && i < f->n ? f->view[i].name : NULL;
}

const char *se_torch_bin_dtype(const se_torch_bin *f, int64_t i)
{
    return i >= 0 && i < f->n ? f->view[i].dtype : NULL;
}

se_status se_torch_bin_weight(const se_torch_bin *f, int64_t i, se_tensor **out)
{
    se_real_kind kind;
    *out = NULL;
    if (i < 0 || i >= f->n)
        return se_fail(SE_ERR_ARG, "%s: no tensor %lld: there are %lld", f->path, (long long)i,
                       (long long)f->n);
    const view *v = &f->view[i];
    if (!se_real_kind_of(v->dtype, &kind))
        return LIE(f, v, "dtype %s, weights are F32, F16, BF16 or F64", v->dtype);
    if (v->rank > SE_MAX_RANK)
        return LIE(f, v, "%d axes, expected at most %d", v->rank, SE_MAX_RANK);
    /* A view that repeats elements could take any amount of memory. */
    if (v->count > v->room)
        return LIE(f, v, "%" PRId64 " elements, expected at most the %" PRId64 " of its storage",
                   v->count, v->room);
    return se_map_leaf(f->map, f->map->data + v->first, kind, v->rank, v->dim, v->stride, out);
}
