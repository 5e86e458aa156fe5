#include "data/join.h"
#include "data/hash.h"
#include "io/disk.h"
#include "io/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK_PAIRS = 4096, LEVEL = 4, MOST_CONTEXTS = 9 };

typedef enum chain { UNKNOWN, ON_THE_WAY, ENDS, LOOPS } chain;

typedef struct pair {
    uint64_t place; /* sorts the lines */
    int32_t reply;
    bool test;
} pair;

typedef struct join {
    const se_comments_options *options;
    int64_t n, room;
    se_comment *comment;
    int32_t *parent; /* -1: not there */
    uint8_t *chain;
    int32_t *table; /* by thread and id: the last such comment, or -1 */
    uint64_t slots;
    pair *pairs;
    int64_t n_pairs;
} join;

/* --- who answers whom --- */

static uint64_t key_of(const se_comment *c, int field)
{
    return se_hash_text(c->text[field], c->bytes[field], se_comment_thread(c));
}

static bool same(const se_comment *a, int field_a, const se_comment *b, int field_b)
{
    return a->bytes[field_a] == b->bytes[field_b] &&
           memcmp(a->text[field_a], b->text[field_b], a->bytes[field_a]) == 0;
}

/* The slot of the comment whose id is field `field` of c, in c's thread; or the free one. */
static int32_t *find(join *j, const se_comment *c, int field)
{
    uint64_t i = key_of(c, field) & (j->slots - 1);
    while (j->table[i] >= 0) {
        const se_comment *there = &j->comment[j->table[i]];
        if (same(there, SE_COMMENT_ID, c, field) &&
            same(there, SE_COMMENT_THREAD, c, SE_COMMENT_THREAD))
            break;
        i = (i + 1) & (j->slots - 1);
    }
    return &j->table[i];
}

static void find_parents(join *j)
{
    for (int64_t i = 0; i < j->n; i++)
        *find(j, &j->comment[i], SE_COMMENT_ID) = (int32_t)i;
    for (int64_t i = 0; i < j->n; i++) {
        bool last = *find(j, &j->comment[i], SE_COMMENT_ID) == i;
        j->parent[i] = *find(j, &j->comment[i], SE_COMMENT_PARENT);
        j->chain[i] = last ? UNKNOWN : LOOPS; /* one that a later comment replaced gives no pair */
    }
}

/* Follows the parents until an end is known, then tells all on the way. */
static void follow(join *j, int32_t from)
{
    int32_t i = from;
    while (i >= 0 && j->chain[i] == UNKNOWN) {
        j->chain[i] = ON_THE_WAY;
        i = j->parent[i];
    }
    uint8_t end = i < 0 || j->chain[i] == ENDS ? ENDS : LOOPS;
    for (i = from; i >= 0 && j->chain[i] == ON_THE_WAY; i = j->parent[i])
        j->chain[i] = end;
}

static int by_place(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->place != y->place ? (x->place < y->place ? -1 : 1)
                                : (x->reply > y->reply) - (x->reply < y->reply);
}

static void find_pairs(join *j)
{
    for (int32_t i = 0; i < j->n; i++) {
        const se_comment *c = &j->comment[i];
        if (j->chain[i] == UNKNOWN)
            follow(j, i);
        int32_t p = j->parent[i];
        if (j->chain[i] != ENDS || p < 0 || c->skip || j->comment[p].skip)
            continue;
        j->pairs[j->n_pairs++] =
            (pair){se_hash_mix(key_of(c, SE_COMMENT_ID)), i,
                   !se_comment_trains(c->text[SE_COMMENT_THREAD], c->bytes[SE_COMMENT_THREAD])};
    }
    qsort(j->pairs, (size_t)j->n_pairs, sizeof *j->pairs, by_place);
}

/* --- lines --- */

static se_status put(se_json *v, const char *key, const se_comment *c, int field)
{
    return se_json_set(v, key, se_json_of_string(c->text[field], c->bytes[field]));
}

static se_status put_all(se_json *v, const se_comment *parent, const se_comment *reply)
{
    se_status s = put(v, "subreddit", reply, SE_COMMENT_SUBREDDIT);
    if (s == SE_OK)
        s = put(v, "thread_id", reply, SE_COMMENT_THREAD);
    if (s == SE_OK)
        s = put(v, "context_author", parent, SE_COMMENT_AUTHOR);
    return s == SE_OK ? put(v, "response_author", reply, SE_COMMENT_AUTHOR) : s;
}

/* context/0 is the parent's parent, and so on up the thread. */
static se_status put_contexts(const join *j, se_json *v, int32_t parent)
{
    char key[16];
    se_status s = SE_OK;
    int32_t at = j->parent[parent];
    for (int k = 0; s == SE_OK && at >= 0 && k < j->options->contexts && k < MOST_CONTEXTS; k++) {
        snprintf(key, sizeof key, "context/%d", k);
        s = put(v, key, &j->comment[at], SE_COMMENT_BODY);
        at = j->parent[at];
    }
    return s;
}

static se_status add_line(const join *j, int32_t i, se_blob *to)
{
    const se_comment *reply = &j->comment[i], *parent = &j->comment[j->parent[i]];
    char *text = NULL;
    size_t bytes = 0;
    se_json *v = se_json_new_object();
    se_status s = v ? SE_OK : SE_ERR_MEMORY;
    if (s == SE_OK && j->options->all)
        s = put_all(v, parent, reply);
    if (s == SE_OK)
        s = put(v, "context", parent, SE_COMMENT_BODY);
    if (s == SE_OK)
        s = put(v, "response", reply, SE_COMMENT_BODY);
    if (s == SE_OK)
        s = put_contexts(j, v, j->parent[i]);
    if (s == SE_OK)
        s = se_json_dump(v, 0, false, &text, &bytes);
    if (s == SE_OK)
        s = se_blob_add(to, text, bytes);
    se_io_free(text);
    se_json_free(v);
    return s == SE_OK ? se_blob_add(to, "\n", 1) : s;
}

static se_status pack(const se_blob *text, se_blob *to)
{
    z_stream z = {0};
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return se_fail(SE_ERR_MEMORY, "out of memory while packing");
    size_t room = deflateBound(&z, text->bytes) + 64;
    se_status s = se_blob_reserve(to, room);
    if (s == SE_OK) {
        z.next_in = (Bytef *)text->data;
        z.avail_in = (uInt)text->bytes;
        z.next_out = (Bytef *)to->data + to->bytes;
        z.avail_out = (uInt)room;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            s = se_fail(SE_ERR_MEMORY, "zlib: a member does not fit into its bound");
        to->bytes += room - z.avail_out;
    }
    deflateEnd(&z);
    return s;
}

se_status se_join_empty(se_blob *to)
{
    static char nothing[1];
    return pack(&(se_blob){.data = nothing}, to);
}

/* The lines of pairs[from .. to) of one side, packed; the number of them. */
static se_status pack_chunk(const join *j, int64_t from, int64_t to, bool test, se_blob *packed,
                            int64_t *count)
{
    se_blob text = {0};
    se_status s = SE_OK;
    *count = 0;
    for (int64_t i = from; s == SE_OK && i < to; i++)
        if (j->pairs[i].test == test) {
            s = add_line(j, j->pairs[i].reply, &text);
            ++*count;
        }
    if (s == SE_OK && *count > 0)
        s = pack(&text, packed);
    se_blob_free(&text);
    return s;
}

typedef struct chunk {
    se_blob packed[2];
    int64_t count[2];
    se_status status;
    char message[256];
} chunk;

static void make_chunk(const join *j, int64_t first, chunk *c)
{
    int64_t end = first + CHUNK_PAIRS < j->n_pairs ? first + CHUNK_PAIRS : j->n_pairs;
    for (int side = 0; side < 2 && c->status == SE_OK; side++)
        c->status = pack_chunk(j, first, end, side == 1, &c->packed[side], &c->count[side]);
    if (c->status != SE_OK)
        snprintf(c->message, sizeof c->message, "%s", se_message());
}

static se_status write_chunk(const chunk *c, se_join_out *out)
{
    se_status s = c->status == SE_OK ? SE_OK : se_fail(c->status, "%s", c->message);
    for (int side = 0; s == SE_OK && side < 2; side++) {
        if (c->packed[side].bytes == 0)
            continue;
        s = se_disk_write(out->fd[side], c->packed[side].data, c->packed[side].bytes,
                          out->path[side]);
        out->bytes[side] += s == SE_OK ? (int64_t)c->packed[side].bytes : 0;
        out->pairs[side] += s == SE_OK ? c->count[side] : 0;
    }
    return s;
}

static se_status write_pairs(const join *j, se_join_out *out)
{
    int width = 2 * se_threads();
    chunk *list = se_calloc((size_t)width, sizeof *list);
    se_status s = list ? SE_OK : SE_ERR_MEMORY;
    for (int64_t first = 0; s == SE_OK && first < j->n_pairs;
         first += (int64_t)width * CHUNK_PAIRS) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(se_threads())
        for (int k = 0; k < width; k++)
            if (first + (int64_t)k * CHUNK_PAIRS < j->n_pairs)
                make_chunk(j, first + (int64_t)k * CHUNK_PAIRS, &list[k]);
        for (int k = 0; k < width; k++) {
            if (s == SE_OK)
                s = write_chunk(&list[k], out);
            se_blob_free(&list[k].packed[0]);
            se_blob_free(&list[k].packed[1]);
            memset(&list[k], 0, sizeof list[k]);
        }
    }
    free(list);
    return s;
}

/* --- all of it --- */

static se_status allocate(join *j)
{
    j->slots = 16;
    while (j->slots < 2 * (uint64_t)j->room)
        j->slots *= 2;
    size_t n = (size_t)j->room;
    j->comment = se_counted_alloc(n * sizeof *j->comment);
    j->parent = se_counted_alloc(n * sizeof *j->parent);
    j->chain = se_counted_alloc(n);
    j->pairs = se_counted_alloc(n * sizeof *j->pairs);
    j->table = se_counted_alloc(j->slots * sizeof *j->table);
    if (!j->comment || !j->parent || !j->chain || !j->pairs || !j->table)
        return SE_ERR_MEMORY;
    memset(j->table, -1, j->slots * sizeof *j->table);
    return SE_OK;
}

static void release(join *j)
{
    size_t n = (size_t)j->room;
    se_counted_free(j->comment, n * sizeof *j->comment);
    se_counted_free(j->parent, n * sizeof *j->parent);
    se_counted_free(j->chain, n);
    se_counted_free(j->pairs, n * sizeof *j->pairs);
    se_counted_free(j->table, j->slots * sizeof *j->table);
}

se_status se_join(const char *data, size_t bytes, const se_comments_options *options,
                  se_join_out *out)
{
    join j = {.options = options};
    se_comment c;
    size_t n = 1;
    for (size_t at = 0; n > 0 && at < bytes; at += n) {
        n = se_comment_read(data + at, bytes - at, &c);
        j.room++;
    }
    if (n == 0 || j.room > INT32_MAX / 2)
        return se_fail(SE_ERR_FORMAT, "a partition of comments is not as it was written");
    if (j.room == 0)
        return SE_OK;
    se_status s = allocate(&j);
    for (size_t at = 0; s == SE_OK && at < bytes; at += n)
        n = se_comment_read(data + at, bytes - at, &j.comment[j.n++]);
    if (s == SE_OK) {
        find_parents(&j);
        find_pairs(&j);
        s = write_pairs(&j, out);
    }
    release(&j);
    return s;
}
