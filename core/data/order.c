#include "data/order.h"
#include "data/blob.h"
#include "data/hash.h"
#include "data/permute.h"
#include "io/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct position {
    int64_t epoch, index; /* the next draw is element `index` of the epoch's permutation */
    se_blob queue;        /* int64_t: pairs put off, oldest first */
} position;

/* The hashes of the texts in a batch: open addressing; a slot is in use while its stamp is the
 * batch's. */
typedef struct slot {
    uint64_t hash, stamp;
} slot;

struct se_order {
    const se_pairs *pairs;
    int64_t seed, n;
    int64_t *subset; /* NULL: all */
    uint64_t data;   /* tells these pairs in this subset from others */
    position now;    /* behind the last batch */
    position before; /* in front of it */
    bool complete;   /* the step of the last batch is done, or there was no batch yet */
    slot *slots;
    uint64_t n_slots, stamp;
};

static uint64_t epoch_key(int64_t seed, int64_t epoch)
{
    return se_hash_mix(se_hash_mix((uint64_t)seed) + (uint64_t)epoch);
}

static int64_t pair_at(const se_order *o, int64_t i)
{
    return o->subset ? o->subset[i] : i;
}

se_status se_order_new(const se_pairs *pairs, int64_t seed, const int64_t *subset, int64_t n,
                       se_order **out)
{
    int64_t all = se_pairs_count(pairs);
    *out = NULL;
    n = subset ? n : all;
    if (n < 1)
        return se_fail(SE_ERR_ARG, "order: no pairs to draw from");
    se_order *o = se_calloc(1, sizeof *o);
    if (!o)
        return SE_ERR_MEMORY;
    *o = (se_order){.pairs = pairs, .seed = seed, .n = n, .complete = true};
    if (subset) {
        o->subset = se_counted_alloc((size_t)n * sizeof *subset);
        if (!o->subset) {
            se_order_free(o);
            return SE_ERR_MEMORY;
        }
        memcpy(o->subset, subset, (size_t)n * sizeof *subset);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t pair = pair_at(o, i);
        if (pair < 0 || pair >= all) {
            se_order_free(o);
            return se_fail(SE_ERR_ARG, "order: pair %" PRId64 ": expected 0 to %" PRId64, pair,
                           all - 1);
        }
        for (int32_t c = 0; c < se_pairs_columns(pairs); c++)
            o->data = se_hash_mix(o->data + se_pairs_hash(pairs, c, pair));
    }
    *out = o;
    return SE_OK;
}

void se_order_free(se_order *o)
{
    if (!o)
        return;
    se_counted_free(o->subset, (size_t)o->n * sizeof *o->subset);
    se_blob_free(&o->now.queue);
    se_blob_free(&o->before.queue);
    se_counted_free(o->slots, o->n_slots * sizeof *o->slots);
    free(o);
}

/* Makes `to` a copy; on failure it is as before. */
static se_status copy_position(position *to, const position *from)
{
    size_t bytes = from->queue.bytes;
    if (bytes > to->queue.bytes) {
        se_status s = se_blob_reserve(&to->queue, bytes - to->queue.bytes);
        if (s != SE_OK)
            return s;
    }
    if (bytes)
        memcpy(to->queue.data, from->queue.data, bytes);
    to->queue.bytes = bytes;
    to->epoch = from->epoch;
    to->index = from->index;
    return SE_OK;
}

/* An empty set with room for the texts of a batch, at most half full. */
static se_status start_set(se_order *o, int64_t batch)
{
    uint64_t want = 16;
    while (want < 2 * (uint64_t)batch * (uint64_t)se_pairs_columns(o->pairs))
        want *= 2;
    o->stamp++;
    if (want <= o->n_slots)
        return SE_OK;
    slot *slots = se_counted_alloc(want * sizeof *slots);
    if (!slots)
        return SE_ERR_MEMORY;
    memset(slots, 0, want * sizeof *slots);
    se_counted_free(o->slots, o->n_slots * sizeof *o->slots);
    o->slots = slots;
    o->n_slots = want;
    o->stamp = 1;
    return SE_OK;
}

/* The slot that holds the hash, or the free one where it would go. */
static slot *find(se_order *o, uint64_t hash)
{
    uint64_t i = hash & (o->n_slots - 1);
    while (o->slots[i].stamp == o->stamp && o->slots[i].hash != hash)
        i = (i + 1) & (o->n_slots - 1);
    return &o->slots[i];
}

/* Puts the pair's texts into the set unless one is there already. */
static bool join(se_order *o, int64_t pair)
{
    int32_t n = se_pairs_columns(o->pairs);
    for (int32_t c = 0; c < n; c++)
        if (find(o, se_pairs_hash(o->pairs, c, pair))->stamp == o->stamp)
            return false;
    for (int32_t c = 0; c < n; c++) {
        uint64_t hash = se_pairs_hash(o->pairs, c, pair);
        *find(o, hash) = (slot){hash, o->stamp};
    }
    return true;
}

/* Takes what it can from the queue; the others keep their order. */
static int64_t from_queue(se_order *o, int64_t batch, int64_t *out)
{
    int64_t *queue = (int64_t *)(void *)o->now.queue.data;
    int64_t queued = (int64_t)(o->now.queue.bytes / sizeof *queue), left = 0, n = 0;
    for (int64_t i = 0; i < queued; i++)
        if (n < batch && join(o, queue[i]))
            out[n++] = queue[i];
        else
            queue[left++] = queue[i];
    o->now.queue.bytes = (size_t)left * sizeof *queue;
    return n;
}

static int64_t draw(se_order *o)
{
    position *at = &o->now;
    int64_t i = se_permute(epoch_key(o->seed, at->epoch), o->n, at->index);
    if (++at->index == o->n) {
        at->index = 0;
        at->epoch++;
    }
    return pair_at(o, i);
}

static se_status fill_batch(se_order *o, int64_t batch, int64_t *out)
{
    int64_t n = from_queue(o, batch, out);
    /* After two epochs every pair was tried against a batch no smaller than it is now. */
    for (int64_t drawn = 0; n < batch; drawn++) {
        if (drawn >= 2 * o->n)
            return se_fail(SE_ERR_ARG,
                           "order: a batch of %" PRId64 " pairs without equal texts is not to be "
                           "had: %" PRId64 " of the %" PRId64 " pairs fit together",
                           batch, n, o->n);
        int64_t pair = draw(o);
        if (join(o, pair))
            out[n++] = pair;
        else if (se_blob_add(&o->now.queue, &pair, sizeof pair) != SE_OK)
            return SE_ERR_MEMORY;
    }
    return SE_OK;
}

se_status se_order_next(se_order *o, int64_t batch, int64_t *out)
{
    if (batch < 1 || batch > o->n)
        return se_fail(SE_ERR_ARG,
                       "order: a batch of %" PRId64 ": expected 1 to %" PRId64
                       ", the pairs that there are",
                       batch, o->n);
    position before = {0};
    se_status s = copy_position(&before, &o->now);
    if (s != SE_OK)
        return s;
    s = start_set(o, batch);
    if (s == SE_OK)
        s = fill_batch(o, batch, out);
    if (s != SE_OK) {
        se_blob_free(&o->now.queue);
        o->now = before;
        return s;
    }
    se_blob_free(&o->before.queue);
    o->before = before;
    o->complete = false;
    return SE_OK;
}

void se_order_done(se_order *o)
{
    o->complete = true;
}

void se_order_where(const se_order *o, int64_t *epoch, int64_t *index, int64_t *queued,
                    int64_t *pairs)
{
    *epoch = o->now.epoch;
    *index = o->now.index;
    *queued = (int64_t)(o->now.queue.bytes / sizeof(int64_t));
    *pairs = o->n;
}

/* --- the position as text --- */

se_status se_order_state(const se_order *o, char **out)
{
    const position *at = o->complete ? &o->now : &o->before;
    const int64_t *queue = (const int64_t *)(const void *)at->queue.data;
    char data[32];
    size_t bytes;
    *out = NULL;
    snprintf(data, sizeof data, "%016" PRIx64, o->data);
    se_json *v = se_json_new_object(), *list = se_json_new_array();
    se_status s = v && list ? SE_OK : SE_ERR_MEMORY;
    for (size_t i = 0; s == SE_OK && i < at->queue.bytes / sizeof *queue; i++)
        s = se_json_append(list, se_json_of_integer(queue[i]));
    if (s != SE_OK) {
        se_json_free(v);
        se_json_free(list);
        return s;
    }
    s = se_json_set(v, "queue", list);
    const struct {
        const char *key;
        int64_t value;
    } number[] = {{"seed", o->seed}, {"epoch", at->epoch}, {"index", at->index}, {"pairs", o->n}};
    for (size_t i = 0; s == SE_OK && i < sizeof number / sizeof *number; i++)
        s = se_json_set(v, number[i].key, se_json_of_integer(number[i].value));
    if (s == SE_OK)
        s = se_json_set(v, "data", se_json_of_string(data, strlen(data)));
    if (s == SE_OK)
        s = se_json_dump(v, 0, false, out, &bytes);
    se_json_free(v);
    return s;
}

static bool read_number(const se_json *v, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const se_json *x = se_json_get(v, key);
    *out = se_json_integer(x);
    return se_json_type(x) == SE_JSON_INTEGER && *out >= low && *out <= high;
}

static se_status read_position(se_order *o, const se_json *v, position *at, int64_t *seed)
{
    int64_t pairs, pair;
    const char *data = se_json_string(se_json_get(v, "data"), NULL);
    const se_json *queue = se_json_get(v, "queue");
    if (!read_number(v, "pairs", 1, INT64_MAX, &pairs) || !data)
        return se_fail(SE_ERR_FORMAT, "order: the saved position lacks \"pairs\" or \"data\"");
    if (pairs != o->n || strtoull(data, NULL, 16) != o->data)
        return se_fail(SE_ERR_FORMAT,
                       "order: the saved position belongs to other data: %" PRId64
                       " pairs (%s), expected %" PRId64 " (%016" PRIx64 ")",
                       pairs, data, o->n, o->data);
    if (!read_number(v, "seed", INT64_MIN, INT64_MAX, seed) ||
        !read_number(v, "epoch", 0, INT64_MAX, &at->epoch) ||
        !read_number(v, "index", 0, o->n - 1, &at->index) || se_json_type(queue) != SE_JSON_ARRAY)
        return se_fail(SE_ERR_FORMAT,
                       "order: the saved position's seed, epoch, index or queue is not as saved");
    for (int64_t i = 0; i < se_json_size(queue); i++) {
        const se_json *x = se_json_at(queue, i);
        pair = se_json_integer(x);
        if (se_json_type(x) != SE_JSON_INTEGER || pair < 0 || pair >= se_pairs_count(o->pairs))
            return se_fail(SE_ERR_FORMAT, "order: the saved queue holds no pair at place %" PRId64,
                           i);
        se_status s = se_blob_add(&at->queue, &pair, sizeof pair);
        if (s != SE_OK)
            return s;
    }
    return SE_OK;
}

se_status se_order_restore(se_order *o, const char *text, size_t bytes)
{
    se_json *v;
    position at = {0};
    int64_t seed = 0;
    se_status s = se_json_parse(text, bytes, "order", &v);
    if (s != SE_OK)
        return s;
    s = read_position(o, v, &at, &seed);
    se_json_free(v);
    if (s != SE_OK) {
        se_blob_free(&at.queue);
        return s;
    }
    se_blob_free(&o->now.queue);
    o->now = at;
    o->seed = seed;
    o->complete = true;
    return SE_OK;
}
