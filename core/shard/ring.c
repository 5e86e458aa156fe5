/* Rings and trees over point-to-point messages. Our own, so that sums are grouped the same way
 * under every MPI, that waiting leaves the core to others, and that bytes are counted.
 *
 * A ring moves (count - 1) / count of the data through every shard, the least there can be, in
 * count - 1 messages one after another; a tree needs 2 log2(count) messages of all the data. */
#include "shard/shard.h"

#include "shard/private.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 8 << 20, /* of each part, that go round at once: what the staging memory is of */
    TREE_BYTES = 64 << 10  /* up to here a sum goes by the tree */
};

/* --- gather --- */

se_status se_ring_gather(int64_t *counter, void *out, int64_t rows, int64_t row_bytes)
{
    const se_shards *s = &se_shards_now;
    int32_t n = s->count, right = (s->index + 1) % n, left = (s->index + n - 1) % n;
    se_status status = SE_OK;
    for (int32_t k = 0; k < n - 1 && !status; k++) {
        int64_t from, to, first, last;
        se_shard_rows(rows, (s->index + n - k) % n, n, &from, &to);
        se_shard_rows(rows, (s->index + 2 * n - k - 1) % n, n, &first, &last);
        status = se_shard_exchange(counter, (char *)out + from * row_bytes, right,
                                   (to - from) * row_bytes, (char *)out + first * row_bytes, left,
                                   (last - first) * row_bytes);
    }
    return status;
}

/* --- trees --- */

se_status se_tree_broadcast(int64_t *counter, void *x, int64_t bytes, int32_t from)
{
    const se_shards *s = &se_shards_now;
    int32_t n = s->count, me = (s->index + n - from) % n, bit = 1;
    for (; bit < n; bit *= 2)
        if (me & bit) {
            se_status status =
                se_shard_exchange(counter, NULL, -1, 0, x, (me - bit + from) % n, bytes);
            if (status)
                return status;
            break;
        }
    for (bit /= 2; bit > 0; bit /= 2)
        if (me + bit < n) {
            se_status status =
                se_shard_exchange(counter, x, (me + bit + from) % n, bytes, NULL, -1, 0);
            if (status)
                return status;
        }
    return SE_OK;
}

static size_t size_of(se_number_kind kind)
{
    return kind == SE_SUM_F64 ? 8 : 4;
}

static void add(se_number_kind kind, void *to, const void *more, int64_t n)
{
    if (kind == SE_SUM_F32)
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] += ((const float *)more)[i];
    else if (kind == SE_SUM_F64)
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[i] += ((const double *)more)[i];
    else
        for (int64_t i = 0; i < n; i++) /* wraps as the executor's sums do */
            ((uint32_t *)to)[i] += ((const uint32_t *)more)[i];
}

static se_status tree_sum(se_number_kind kind, void *x, int64_t n)
{
    static char other[TREE_BYTES];
    se_shards *s = &se_shards_now;
    int64_t bytes = n * (int64_t)size_of(kind), *counter = &s->moved.sum;
    for (int32_t bit = 1; bit < s->count; bit *= 2) {
        if (s->index & bit) {
            se_status status = se_shard_exchange(counter, x, s->index - bit, bytes, NULL, -1, 0);
            if (status)
                return status;
            break;
        }
        if (s->index + bit >= s->count)
            continue;
        se_status status = se_shard_exchange(counter, NULL, -1, 0, other, s->index + bit, bytes);
        if (status)
            return status;
        add(kind, x, other, n);
    }
    return se_tree_broadcast(counter, x, bytes, 0);
}

/* --- reduce-scatter --- */

/* A vector in pieces, of which the parts [low, high) of every shard's part are under way: a sum for
 * part p starts at shard p + 1 and ends at p. The staging memory is there before the shards meet,
 * for behind that none may drop out. */
typedef struct vector {
    se_number_kind kind;
    int32_t pieces;
    const se_piece *piece;
    int64_t total, unit, longest, low, high;
    char *have, *get;
    int64_t *counter;
} vector;

static bool open_vector(vector *v, se_number_kind kind, int64_t unit, int32_t n,
                        const se_piece *piece, int64_t *counter)
{
    *v = (vector){.kind = kind, .unit = unit, .pieces = n, .piece = piece, .counter = counter};
    for (int32_t i = 0; i < n; i++)
        v->total += piece[i].count;
    int32_t shards = se_shards_now.count;
    int64_t size = (int64_t)size_of(kind), most = PIECE_BYTES / size;
    v->longest = (v->total / unit + shards - 1) / shards * unit;
    v->high = v->longest < most ? v->longest : most;
    v->have = se_malloc((size_t)(v->high * size));
    v->get = se_malloc((size_t)(v->high * size));
    return v->have && v->get;
}

static void close_vector(vector *v)
{
    free(v->have);
    free(v->get);
}

enum { PUT = 1, ADD = 2, ONCE_TOO = 4 };

/* Elements [first, first + n): put to `to`, or added to it. Pieces that are counted once are shard
 * 0's, unless they are all there is. */
static void take(const vector *v, int64_t first, int64_t n, void *to, int how)
{
    size_t size = size_of(v->kind);
    int64_t start = 0;
    for (int32_t i = 0; i < v->pieces && n > 0; start += v->piece[i++].count) {
        int64_t skip = first - start;
        if (skip >= v->piece[i].count)
            continue;
        int64_t some = v->piece[i].count - skip < n ? v->piece[i].count - skip : n;
        const char *data = (const char *)v->piece[i].data + (size_t)skip * size;
        bool counts = !v->piece[i].once || (how & ONCE_TOO) || se_shards_now.index == 0;
        if (counts && (how & ADD))
            add(v->kind, to, data, some);
        else if (counts)
            memcpy(to, data, (size_t)some * size);
        else if (how & PUT)
            memset(to, 0, (size_t)some * size);
        to = (char *)to + (size_t)some * size;
        first += some;
        n -= some;
    }
}

/* Where a shard's part begins and ends. */
static void part_of(const vector *v, int32_t part, int64_t *from, int64_t *to)
{
    se_shard_rows(v->total / v->unit, part, se_shards_now.count, from, to);
    *from *= v->unit;
    *to *= v->unit;
}

static void range_of(const vector *v, int32_t part, int64_t *first, int64_t *count)
{
    int64_t from, to;
    part_of(v, part, &from, &to);
    int64_t low = from + v->low < to ? from + v->low : to;
    int64_t high = from + v->high < to ? from + v->high : to;
    *first = low;
    *count = high - low;
}

static se_status go_round(vector *v, void *out)
{
    const se_shards *s = &se_shards_now;
    int32_t n = s->count, right = (s->index + 1) % n, left = (s->index + n - 1) % n;
    int64_t size = (int64_t)size_of(v->kind), first, count, next, some;
    range_of(v, left, &first, &count);
    take(v, first, count, v->have, PUT);
    for (int32_t k = 0; k < n - 1; k++) {
        range_of(v, (s->index + 2 * n - k - 2) % n, &next, &some);
        se_status status =
            se_shard_exchange(v->counter, v->have, right, count * size, v->get, left, some * size);
        if (status)
            return status;
        take(v, next, some, v->get, ADD);
        char *swap = v->have;
        v->have = v->get;
        v->get = swap;
        count = some;
    }
    memcpy(out, v->have, (size_t)(count * size));
    return SE_OK;
}

static se_status ring_reduce_scatter(vector *v, void *out)
{
    int64_t each = v->high, size = (int64_t)size_of(v->kind), start, end, first, count;
    part_of(v, se_shards_now.index, &start, &end);
    se_status status = SE_OK;
    for (v->low = 0; v->low < v->longest && !status; v->low = v->high) {
        v->high = v->low + each;
        range_of(v, se_shards_now.index, &first, &count);
        status = go_round(v, (char *)out + (first - start) * size);
    }
    return status;
}

/* --- the calls --- */

/* Meets; *start becomes the moment from which the moving is timed. */
static se_status begin(const char *what, int64_t number, double *start)
{
    se_status status = se_shard_meet(what, number, NULL);
    se_shards_now.moved.calls++;
    *start = se_seconds();
    return status;
}

static se_status finish(se_status status, double start)
{
    se_shards_now.moved.seconds += se_seconds() - start;
    return status;
}

se_status se_shard_gather(void *out, int64_t rows, int64_t row_bytes)
{
    double start;
    if (!se_shards_now.way)
        return SE_OK;
    se_status s = begin("a gather", rows * row_bytes, &start);
    return s ? s : finish(se_ring_gather(&se_shards_now.moved.gather, out, rows, row_bytes), start);
}

se_status se_shard_broadcast(void *x, int64_t bytes, int32_t from)
{
    double start;
    if (!se_shards_now.way)
        return SE_OK;
    se_status s = begin("a broadcast", bytes, &start);
    return s ? s : finish(se_tree_broadcast(&se_shards_now.moved.broadcast, x, bytes, from), start);
}

static se_status ring_sum(vector *v, void *x, char *part)
{
    se_shards *s = &se_shards_now;
    int64_t first, last, size = (int64_t)size_of(v->kind);
    se_status status = ring_reduce_scatter(v, part);
    part_of(v, s->index, &first, &last);
    memcpy((char *)x + first * size, part, (size_t)((last - first) * size));
    return status ? status : se_ring_gather(v->counter, x, v->total, size);
}

se_status se_shard_sum(se_number_kind kind, void *x, int64_t n)
{
    double start;
    if (!se_shards_now.way)
        return SE_OK;
    if (n * (int64_t)size_of(kind) <= TREE_BYTES) {
        se_status s = begin("a sum", n, &start);
        return s ? s : finish(tree_sum(kind, x, n), start);
    }
    vector v;
    se_piece all = {x, n, false};
    bool there = open_vector(&v, kind, 1, 1, &all, &se_shards_now.moved.sum);
    char *part = se_malloc((size_t)v.longest * size_of(kind));
    se_status s = there && part ? begin("a sum", n, &start) : SE_ERR_MEMORY;
    if (!s)
        s = finish(ring_sum(&v, x, part), start);
    free(part);
    close_vector(&v);
    return s;
}

se_status se_shard_reduce_scatter(se_number_kind kind, int64_t unit, int32_t n,
                                  const se_piece *piece, void *out)
{
    double start;
    vector v;
    bool talk = false;
    bool there = open_vector(&v, kind, unit, n, piece, &se_shards_now.moved.reduce_scatter);
    se_status s = there ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; i < n; i++)
        talk |= !piece[i].once && se_shards_now.way != NULL;
    if (!s && talk && !(s = begin("a reduce-scatter", v.total, &start))) {
        s = finish(ring_reduce_scatter(&v, out), start);
    } else if (!s) {
        int64_t first, last;
        part_of(&v, se_shards_now.index, &first, &last);
        take(&v, first, last - first, out, PUT | ONCE_TOO);
    }
    close_vector(&v);
    return s;
}
