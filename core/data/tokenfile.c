#define _GNU_SOURCE
#include "data/tokenfile.h"
#include "data/hash.h"
#include "data/permute.h"
#include "data/tokenlayout.h"
#include "io/files.h"
#include "io/json.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct se_token_file {
    char *path;
    se_map *map;
    const se_token_head *head;
    const se_token_end *end;
    const int64_t *offset, *bucket; /* of the tail */
    const se_source_place *place;
    se_json *facts;
    se_columns columns;
};

se_token_offsets se_token_place(int64_t texts, int64_t lists, int64_t tokens, bool wide)
{
    se_token_offsets o = {.hash = sizeof(se_token_block)};
    o.start = o.hash + texts * 8;
    o.first = o.start + (texts + 1) * 4;
    o.cut = o.first + (lists ? (lists + 1) * 4 : 0);
    o.ids = (o.cut + texts + 3) / 4 * 4;
    o.bytes = o.ids + tokens * (wide ? 4 : 2);
    o.bytes = (o.bytes + SE_TOKEN_ALIGN - 1) / SE_TOKEN_ALIGN * SE_TOKEN_ALIGN;
    return o;
}

int64_t se_token_tail(int64_t blocks)
{
    int64_t bytes =
        (blocks + 1) * 8 + blocks * (int64_t)sizeof(se_source_place) + SE_TOKEN_BUCKETS * 8;
    return (bytes + SE_TOKEN_ALIGN - 1) / SE_TOKEN_ALIGN * SE_TOKEN_ALIGN;
}

int32_t se_token_bucket(uint64_t hash)
{
    return (int32_t)(se_hash_mix(hash ^ 0x9e3779b97f4a7c15u) >> 52);
}

/* --- opening --- */

static se_status damaged(const se_token_file *f, int64_t offset, const char *what)
{
    return se_fail(SE_ERR_FORMAT,
                   "%s: offset %" PRId64 ": not a whole token file: %s; remove it, and it is made "
                   "again",
                   f->path, offset, what);
}

static se_status look_at_ends(se_token_file *f)
{
    const char *data = f->map->data;
    int64_t bytes = (int64_t)f->map->bytes;
    if (bytes < (int64_t)(sizeof *f->head + sizeof *f->end) || bytes % SE_TOKEN_ALIGN)
        return damaged(f, 0, "its length is not one that such a file has");
    f->head = (const void *)data;
    f->end = (const void *)(data + bytes - sizeof *f->end);
    const se_token_head *h = f->head;
    const se_token_end *e = f->end;
    if (h->magic != SE_TOKEN_MAGIC)
        return damaged(f, 0, "it does not begin as one");
    if (h->version != SE_TOKEN_VERSION)
        return se_fail(SE_ERR_FORMAT,
                       "%s: a token file of version %" PRIu32 ", expected %d; remove it, and it is "
                       "made again",
                       f->path, h->version, SE_TOKEN_VERSION);
    int64_t at = bytes - (int64_t)sizeof *e;
    if (e->magic != SE_TOKEN_MAGIC)
        return damaged(f, at, "it does not end as one");
    int64_t tail = e->tail;
    if (h->columns < 1 || h->columns > SE_MAX_COLUMNS || h->pairs_in_block < 1 ||
        h->text > (uint64_t)bytes || h->facts >= h->text || e->pairs < 1 || e->blocks < 1 ||
        e->blocks > bytes / SE_TOKEN_ALIGN || tail < 0 || tail % 8 || tail > at ||
        e->blocks != (e->pairs - 1) / h->pairs_in_block + 1 ||
        at - tail != se_token_tail(e->blocks))
        return damaged(f, at, "its numbers do not fit together");
    if (se_hash_text(data + tail, (size_t)(at - tail), e->check ^ (uint64_t)e->pairs) !=
        e->tail_check)
        return damaged(f, tail, "the check sum of its index differs");
    f->offset = (const void *)(data + tail);
    f->place = (const void *)(f->offset + e->blocks + 1);
    f->bucket = (const void *)(f->place + e->blocks);
    return SE_OK;
}

/* The index leads to places in the file, one block behind the other. What a block holds is looked
 * at when it is used. */
static se_status look_at_blocks(const se_token_file *f)
{
    int64_t low = (int64_t)(sizeof *f->head + f->head->text);
    for (int64_t b = 0; b < f->end->blocks; b++) {
        int64_t at = f->offset[b], next = f->offset[b + 1];
        int64_t bytes = next - at;
        if (at < low || at % SE_TOKEN_ALIGN || next > f->end->tail ||
            bytes < (int64_t)sizeof(se_token_block))
            return damaged(f, f->end->tail + b * 8, "a block's offset is wrong");
        low = next;
    }
    return SE_OK;
}

static se_status read_text(se_token_file *f)
{
    const char *text = f->map->data + sizeof *f->head;
    se_json *names;
    se_status s = se_json_parse(text, f->head->facts, f->path, &f->facts);
    if (s != SE_OK)
        return s;
    s = se_json_parse(text + f->head->facts, f->head->text - f->head->facts, f->path, &names);
    if (s != SE_OK)
        return s;
    for (uint32_t i = 0; s == SE_OK && i < f->head->columns; i++) {
        const char *name = se_json_string(se_json_at(names, i), NULL);
        s = name ? se_columns_add(&f->columns, name)
                 : damaged(f, sizeof *f->head, "a column has no name");
    }
    se_json_free(names);
    return s;
}

se_status se_token_file_open(const char *path, se_token_file **out)
{
    *out = NULL;
    se_token_file *f = se_calloc(1, sizeof *f);
    if (!f)
        return SE_ERR_MEMORY;
    f->path = se_strdup(path);
    se_status s = f->path ? se_map_open(path, &f->map) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = look_at_ends(f);
    if (s == SE_OK)
        s = look_at_blocks(f);
    if (s == SE_OK)
        s = read_text(f);
    if (s != SE_OK)
        se_token_file_free(f);
    else
        *out = f;
    return s;
}

void se_token_file_free(se_token_file *f)
{
    if (!f)
        return;
    se_json_free(f->facts);
    se_columns_free(&f->columns);
    se_map_release(f->map);
    free(f->path);
    free(f);
}

bool se_token_file_has(const se_token_file *f, const char *facts)
{
    return strlen(facts) == f->head->facts && memcmp(f->head + 1, facts, f->head->facts) == 0;
}

/* --- looking --- */

int64_t se_token_file_count(const se_token_file *f)
{
    return f->end->pairs;
}

int32_t se_token_file_columns(const se_token_file *f)
{
    return (int32_t)f->head->columns;
}

const char *se_token_file_column_name(const se_token_file *f, int32_t i)
{
    return i >= 0 && i < f->columns.n ? f->columns.name[i] : NULL;
}

uint64_t se_token_file_identity(const se_token_file *f)
{
    return f->end->check;
}

int32_t se_token_file_block(const se_token_file *f)
{
    return (int32_t)f->head->pairs_in_block;
}

static const se_token_block *block_at(const se_token_file *f, int64_t b)
{
    return (const void *)(f->map->data + f->offset[b]);
}

static int64_t pairs_of_block(const se_token_file *f, int64_t b)
{
    int64_t left = f->end->pairs - b * f->head->pairs_in_block;
    return left < f->head->pairs_in_block ? left : f->head->pairs_in_block;
}

/* A block's arrays; texts is -1 where the block is damaged. Its own numbers are not trusted beyond
 * its length: starts are cut to the ids that fit. */
static se_token_arrays arrays_of(const se_token_file *f, int64_t b)
{
    const se_token_block *block = block_at(f, b);
    const char *data = (const char *)block;
    int64_t bytes = f->offset[b + 1] - f->offset[b];
    int64_t lists = pairs_of_block(f, b) * f->head->columns;
    int64_t texts = f->head->lists ? block->texts : lists;
    if (texts < 0 || texts > bytes / 8) /* each has a hash */
        return (se_token_arrays){.texts = -1};
    se_token_offsets o = se_token_place(texts, f->head->lists ? lists : 0, 0, f->head->wide != 0);
    if (o.ids > bytes)
        return (se_token_arrays){.texts = -1};
    se_token_arrays a = {.hash = (const void *)(data + o.hash),
                         .start = (const void *)(data + o.start),
                         .first = f->head->lists ? (const void *)(data + o.first) : NULL,
                         .cut = (const void *)(data + o.cut),
                         .ids = data + o.ids,
                         .texts = texts,
                         .room = (bytes - o.ids) / (f->head->wide ? 4 : 2)};
    if (a.first && a.first[lists] != texts) /* no check sum holds the number of texts */
        a.texts = -1;
    return a;
}

bool se_token_file_lists(const se_token_file *f)
{
    return f->head->lists != 0;
}

/* The text of a drawn pair: its number in the block, -1 where the block is damaged. Without a draw
 * (pairs below the file's number of them) it is the list's first, for columns that share a list the
 * next ones; with one it is that of a permutation of the list. */
static int64_t find_text(const se_token_file *f, const se_token_arrays *a, int32_t column,
                         int64_t pair)
{
    int64_t n = f->end->pairs, size = f->head->pairs_in_block;
    int64_t draw = pair / n, list = pair % n % size * f->head->columns;
    int32_t base = column;
    if (a->texts < 0)
        return -1;
    if (!a->first)
        return list + column;
    while (base > 0 && a->first[list + base] == a->first[list + base + 1])
        base--;
    int64_t from = a->first[list + base], count = a->first[list + base + 1] - from;
    int64_t at = column - base;
    if (count <= at || from + count > a->texts)
        return -1;
    if (draw > 0) {
        uint64_t key = se_hash_mix(se_hash_mix((uint64_t)draw) + (uint64_t)(pair % n));
        at = se_permute(se_hash_mix(key + (uint64_t)base), count, at);
    }
    return from + at;
}

uint64_t se_token_file_hash(const se_token_file *f, int32_t column, int64_t pair)
{
    int64_t n = f->end->pairs;
    if (column < 0 || column >= (int32_t)f->head->columns || pair < 0 ||
        (pair >= n && !f->head->lists))
        return 0;
    se_token_arrays a = arrays_of(f, pair % n / f->head->pairs_in_block);
    int64_t i = find_text(f, &a, column, pair);
    return i < 0 ? 0 : a.hash[i];
}

static se_status check_column(const se_token_file *f, int32_t i)
{
    return i >= 0 && i < f->columns.n
               ? SE_OK
               : se_fail(SE_ERR_ARG, "pairs: column %d: there are %d", i, f->columns.n);
}

se_status se_token_file_stats(const se_token_file *f, int32_t column, se_column_stats *out)
{
    se_status s = check_column(f, column);
    if (s == SE_OK)
        do
            *out = block_at(f, f->end->blocks - 1)->stats[column];
        while (out->texts == 0 && column-- > 0);
    return s;
}

/* --- packing --- */

se_pack_text se_token_file_text(const se_token_file *f, int32_t column, int64_t pair)
{
    se_pack_text t = {0};
    se_token_arrays a = arrays_of(f, pair % f->end->pairs / f->head->pairs_in_block);
    int64_t i = find_text(f, &a, column, pair);
    if (i < 0)
        return t;
    int64_t begin = a.start[i], end = a.start[i + 1];
    if (begin > end || end > a.room)
        return t;
    t.tokens = end - begin;
    t.cut = a.cut[i] != 0;
    t.ids16 = f->head->wide ? NULL : (const uint16_t *)a.ids + begin;
    t.ids32 = f->head->wide ? (const int32_t *)a.ids + begin : NULL;
    return t;
}

/* Every text has tokens: none are left only where the file is damaged. */
se_status se_token_file_sound(const se_token_file *f, int64_t pair)
{
    for (int32_t c = 0; c < (int32_t)f->head->columns; c++)
        if (se_token_file_text(f, c, pair).tokens == 0)
            return damaged(f, f->offset[pair % f->end->pairs / f->head->pairs_in_block],
                           "a block is not as it was written");
    return SE_OK;
}

typedef struct column_of {
    const se_token_file *file;
    int32_t column;
} column_of;

static se_pack_text text_of(const void *from, int64_t pair)
{
    const column_of *c = from;
    return se_token_file_text(c->file, c->column, pair);
}

se_status se_token_file_pack(const se_token_file *f, int32_t column, int64_t n,
                             const int64_t *which, int32_t pad, se_packed *out, int32_t *ids,
                             int32_t *starts, int32_t *positions)
{
    se_status s = check_column(f, column);
    if (s != SE_OK)
        return s;
    column_of c = {f, column};
    se_pack_source source = {.texts = f->end->pairs, .from = &c, .text = text_of};
    s = se_pack(&source, n, which, pad, out, ids, starts, positions);
    for (int64_t i = 0; s == SE_OK && !ids && i < n; i++)
        s = se_token_file_sound(f, which ? which[i] : i);
    return s;
}

void se_token_file_ahead(const se_token_file *f, int64_t first, int64_t n)
{
    enum { PAGE = 4096 };
    int64_t b = first / f->head->pairs_in_block, last = (first + n - 1) / f->head->pairs_in_block;
    if (n < 1 || last >= f->end->blocks)
        return;
    int64_t from = f->offset[b] / PAGE * PAGE;
    /* Only a hint: where it fails, the pages come when they are touched. */
    (void)madvise((char *)f->map->data + from, (size_t)(f->offset[last + 1] - from), MADV_WILLNEED);
}

/* --- parts --- */

int64_t se_token_file_part(const se_token_file *f, int32_t low, int32_t high)
{
    int64_t n = 0;
    for (int32_t i = low < 0 ? 0 : low; i < high && i < SE_TOKEN_BUCKETS; i++)
        n += f->bucket[i];
    return n;
}

int64_t se_token_file_pairs(const se_token_file *f, int32_t low, int32_t high, int64_t *out,
                            int64_t room)
{
    int64_t n = 0;
    for (int64_t pair = 0; pair < f->end->pairs && n < room; pair++) {
        int32_t bucket = se_token_bucket(se_token_file_hash(f, 0, pair));
        if (bucket >= low && bucket < high)
            out[n++] = pair;
    }
    return n;
}

/* --- the check sums --- */

se_status se_token_file_verify(const se_token_file *f)
{
    uint64_t seed = 0;
    for (int64_t b = 0; b < f->end->blocks; b++) {
        const se_token_block *block = block_at(f, b);
        size_t bytes = (size_t)(f->offset[b + 1] - f->offset[b]);
        if (se_interrupt_now())
            return se_fail(SE_ERR_INTERRUPTED, "%s: interrupted", f->path);
        if (arrays_of(f, b).texts < 0 ||
            block->check != se_hash_text(block + 1, bytes - sizeof *block, seed))
            return damaged(f, f->offset[b], "the check sum of a block differs");
        seed = block->check;
    }
    return seed == f->end->check ? SE_OK : damaged(f, f->end->tail, "the last check sum differs");
}

/* --- the texts behind the tokens --- */

/* Whether a source is as it was when the file was made. */
static se_status check_source(const se_json *was, const char *path)
{
    se_json *x;
    char *now = NULL, *then = NULL;
    se_status s = se_token_source(path, &x);
    if (s == SE_OK)
        s = se_token_line(x, &now);
    if (s == SE_OK)
        s = se_token_line(was, &then);
    bool standard = strcmp(path, "-") == 0; /* cannot be read again */
    if (s != SE_ERR_MEMORY && (s != SE_OK || standard || strcmp(now, then) != 0))
        s = se_fail(SE_ERR_FORMAT, "%s: has changed since it was tokenised, or is gone", path);
    free(now);
    free(then);
    se_json_free(x);
    return s;
}

static se_status open_sources(const se_token_file *f, const char **names, se_source **out)
{
    const se_json *sources = se_json_get(f->facts, "sources");
    const se_json *asked = se_json_get(f->facts, "columns");
    int64_t n = se_json_size(sources);
    const char *columns[SE_MAX_COLUMNS];
    for (int64_t i = 0; i < n; i++) {
        const se_json *x = se_json_at(sources, i);
        names[i] = se_json_string(se_json_get(x, "path"), NULL);
        if (!names[i])
            return damaged(f, sizeof *f->head, "a source has no path");
        se_status s = check_source(x, names[i]);
        if (s != SE_OK)
            return s;
    }
    for (int32_t i = 0; i < f->columns.n; i++)
        columns[i] = f->columns.name[i];
    /* Those that were not asked for are none of a table's header. */
    bool named = se_json_size(asked) > 0;
    se_status s = se_source_open((int32_t)n, names, named ? f->columns.n : 0, columns, out);
    for (int32_t i = 0; s == SE_OK && !named && i < f->columns.n; i++)
        s = se_columns_add(se_source_columns(*out), columns[i]);
    if (s != SE_OK)
        return s;
    se_source_columns(*out)->decided = true;
    se_source_columns(*out)->lists = f->head->lists != 0;
    return SE_OK;
}

/* Reads on to a wanted pair, and keeps it. *pair is the number of the next one. */
static se_status reach_text(se_source *source, int64_t *pair, int64_t wanted, se_pairs *out)
{
    const char *text = "";
    size_t bytes;
    se_record r;
    for (; *pair <= wanted; ++*pair) {
        if (se_interrupt_now())
            return se_fail(SE_ERR_INTERRUPTED, "pairs: interrupted");
        se_status s = se_source_next(source, &text, &bytes);
        if (s == SE_OK && !text)
            s = se_fail(SE_ERR_FORMAT, "pairs: the sources end before pair %" PRId64, *pair + 1);
        if (s != SE_OK)
            return s;
    }
    se_status s =
        se_source_parse(source, text, bytes, se_source_file(source), se_source_line(source), &r);
    if (s != SE_OK)
        return s;
    s = se_pairs_add(out, &r);
    se_record_free(&r);
    return s;
}

/* From one to the next, without going back: packed sources are read once. */
static se_status gather_texts(const se_token_file *f, const char **names, int64_t n,
                              const int64_t *which, se_pairs *out)
{
    int64_t size = f->head->pairs_in_block, pair = 0;
    se_source *source;
    se_status s = open_sources(f, names, &source);
    if (s != SE_OK)
        return s;
    for (int64_t i = 0; s == SE_OK && i < n; i++) {
        int64_t block = which[i] / size;
        if (pair < block * size) {
            s = se_source_go(source, &f->place[block]);
            pair = block * size;
        }
        if (s == SE_OK)
            s = reach_text(source, &pair, which[i], out);
    }
    se_source_free(source);
    return s;
}

se_status se_token_file_texts(const se_token_file *f, int64_t n, const int64_t *which,
                              se_pairs **out)
{
    const char *columns[SE_MAX_COLUMNS];
    *out = NULL;
    for (int64_t i = 0; i < n; i++)
        if (which[i] < (i ? which[i - 1] + 1 : 0) || which[i] >= f->end->pairs)
            return se_fail(SE_ERR_ARG,
                           "pairs: number %" PRId64 ": wanted are ascending ones up to %" PRId64,
                           which[i], f->end->pairs - 1);
    for (int32_t i = 0; i < f->columns.n; i++)
        columns[i] = f->columns.name[i];
    int64_t sources = se_json_size(se_json_get(f->facts, "sources"));
    const char **names = se_calloc((size_t)sources + 1, sizeof *names);
    se_pairs *p = NULL;
    se_status s = names ? se_pairs_new(f->columns.n, columns, &p) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = gather_texts(f, names, n, which, p);
    free(names);
    if (s != SE_OK)
        se_pairs_free(p);
    else
        *out = p;
    return s;
}
