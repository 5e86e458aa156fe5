#include "data/order.h"
#include "data/blob.h"
#include "data/hash.h"
#include "data/shuffle.h"
#include "data/textset.h"
#include "data/tokenlayout.h"
#include "io/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 256, DRAWS = 1 << 22 };

/* Where a file is. */
typedef struct position {
    int64_t epoch, index; /* the next draw is element `index` of the epoch's permutation */
    se_blob queue;        /* int64_t: pairs put off, oldest first */
} position;

typedef struct part {
    const se_token_file *file;
    double weight;
    int64_t n;                   /* of the file's pairs, those in the buckets */
    position now, before, spare; /* behind the last batch; in front of it; while one is drawn */
    se_shuffle shuffle;          /* of epoch `shuffled` */
    int64_t shuffled, ahead;     /* ahead: the window whose pages were asked for; -1: none */
} part;

struct se_order {
    se_order_options options;
    int32_t n_parts, columns;
    part *part;
    double weights;           /* their sum */
    int64_t batches, started; /* drawn so far; those in front of the last batch */
    bool complete;            /* the step of the last batch is done, or there was no batch yet */
    se_text_set set;
};

/* --- making --- */

static se_status check_part(const se_order *o, const part *p, int32_t i)
{
    int32_t columns = se_token_file_columns(p->file);
    if (columns != o->columns)
        return se_fail(SE_ERR_ARG,
                       "order: data set %d has %d columns, the first one %d: they must be the same",
                       i + 1, columns, o->columns);
    if (p->n < 1)
        return se_fail(SE_ERR_ARG, "order: no pairs to draw from%s",
                       o->n_parts > 1 ? " in one of the data sets" : "");
    if (!(p->weight > 0) || p->weight > 1e300)
        return se_fail(SE_ERR_ARG, "order: data set %d has weight %g, above 0 is wanted", i + 1,
                       p->weight);
    return SE_OK;
}

se_status se_order_new(int32_t n_files, const se_token_file *const *files, const double *weight,
                       const se_order_options *options, se_order **out)
{
    *out = NULL;
    if (n_files < 1)
        return se_fail(SE_ERR_ARG, "order: no data set");
    se_order *o = se_calloc(1, sizeof *o);
    if (!o)
        return SE_ERR_MEMORY;
    *o = (se_order){.options = *options, .n_parts = n_files, .complete = true};
    if (o->options.low == 0 && o->options.high == 0)
        o->options.high = SE_TOKEN_BUCKETS;
    if (o->options.window < 1)
        o->options.window = WINDOW;
    o->columns = se_token_file_columns(files[0]);
    o->part = se_calloc((size_t)n_files, sizeof *o->part);
    se_status s = o->part ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        int64_t n = se_token_file_part(files[i], o->options.low, o->options.high);
        o->part[i] = (part){.file = files[i],
                            .n = n,
                            .weight = weight ? weight[i] : (double)n,
                            .shuffled = -1,
                            .ahead = -1};
        s = check_part(o, &o->part[i], i);
        o->weights += o->part[i].weight;
    }
    if (s != SE_OK)
        se_order_free(o);
    else
        *out = o;
    return s;
}

void se_order_free(se_order *o)
{
    if (!o)
        return;
    for (int32_t i = 0; o->part && i < o->n_parts; i++) {
        se_blob_free(&o->part[i].now.queue);
        se_blob_free(&o->part[i].before.queue);
        se_blob_free(&o->part[i].spare.queue);
    }
    se_text_set_free(&o->set);
    free(o->part);
    free(o);
}

/* --- positions --- */

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

static se_status keep_positions(se_order *o)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < o->n_parts; i++)
        s = copy_position(&o->part[i].spare, &o->part[i].now);
    return s;
}

/* What was kept becomes the position in front of the batch, or (the batch failed) that of now. */
static void use_kept(se_order *o, bool failed)
{
    for (int32_t i = 0; i < o->n_parts; i++) {
        part *p = &o->part[i];
        position *to = failed ? &p->now : &p->before, swap = *to;
        *to = p->spare;
        p->spare = swap;
    }
}

/* --- drawing --- */

/* Puts the pair's texts into the set unless one is there already. */
static bool join(se_order *o, const part *p, int64_t pair)
{
    for (int32_t c = 0; c < o->columns && !o->options.repeats; c++)
        if (se_text_set_has(&o->set, se_token_file_hash(p->file, c, pair)))
            return false;
    for (int32_t c = 0; c < o->columns && !o->options.repeats; c++)
        se_text_set_add(&o->set, se_token_file_hash(p->file, c, pair));
    return true;
}

static void ask_for(const void *file, int64_t first, int64_t count)
{
    se_token_file_ahead(file, first, count);
}

/* The pages of the window that is drawn from, and of the next one. */
static void look_ahead(part *p, int64_t window)
{
    if (p->ahead == window)
        return;
    p->ahead = window;
    se_shuffle_window(&p->shuffle, window, ask_for, p->file);
    se_shuffle_window(&p->shuffle, window + 1, ask_for, p->file);
}

/* The next pair of the permutation, in the buckets or not. */
static int64_t next_element(se_order *o, part *p)
{
    int64_t window;
    position *at = &p->now;
    if (p->shuffled != at->epoch) {
        uint64_t key = se_hash_mix(se_hash_mix((uint64_t)o->options.seed) + (uint64_t)at->epoch);
        p->shuffle = se_shuffle_make(key, se_token_file_count(p->file),
                                     se_token_file_block(p->file), o->options.window);
        p->shuffled = at->epoch;
        p->ahead = -1;
    }
    int64_t pair = se_shuffle_at(&p->shuffle, at->index, &window);
    look_ahead(p, window);
    if (++at->index == p->shuffle.n) {
        at->index = 0;
        at->epoch++;
    }
    return pair;
}

/* Which texts of its lists a pair has: another number of the pair (tokenfile.h) for each seed and
 * epoch, which stays with it in the queue. */
static int64_t choose_texts(const se_order *o, const part *p, int64_t epoch, int64_t pair)
{
    uint64_t h =
        se_hash_mix(se_hash_mix((uint64_t)o->options.seed + 0x1b873593u) + (uint64_t)epoch);
    if (!se_token_file_lists(p->file))
        return pair;
    return (int64_t)(1 + h % (DRAWS - 1)) * se_token_file_count(p->file) + pair;
}

static int64_t draw(se_order *o, part *p)
{
    for (;;) {
        int64_t epoch = p->now.epoch, pair = next_element(o, p);
        int32_t bucket = se_token_bucket(se_token_file_hash(p->file, 0, pair));
        if (bucket >= o->options.low && bucket < o->options.high)
            return choose_texts(o, p, epoch, pair);
    }
}

/* Takes up to `most` of what it can from the queue; the others keep their order. */
static int64_t from_queue(se_order *o, part *p, int64_t most, int64_t *out)
{
    int64_t *queue = (int64_t *)(void *)p->now.queue.data;
    int64_t queued = (int64_t)(p->now.queue.bytes / sizeof *queue), left = 0, n = 0, i = 0;
    for (; i < queued && n < most; i++)
        if (join(o, p, queue[i]))
            out[n++] = queue[i];
        else
            queue[left++] = queue[i];
    if (left < i && i < queued)
        memmove(queue + left, queue + i, (size_t)(queued - i) * sizeof *queue);
    p->now.queue.bytes = (size_t)(left + queued - i) * sizeof *queue;
    return n;
}

/* `batch` pairs of one file. */
static se_status fill(se_order *o, part *p, int64_t batch, int64_t *out)
{
    int64_t n = from_queue(o, p, batch, out);
    /* After two epochs every pair was tried against a batch no smaller than it is now. */
    for (int64_t drawn = 0; n < batch; drawn++) {
        if (drawn >= 2 * p->n)
            return se_fail(SE_ERR_ARG,
                           "order: a batch of %" PRId64 " pairs without equal texts is not to be "
                           "had: %" PRId64 " of the %" PRId64 " pairs fit together",
                           batch, n, p->n);
        int64_t pair = draw(o, p);
        if (join(o, p, pair))
            out[n++] = pair;
        else if (se_blob_add(&p->now.queue, &pair, sizeof pair) != SE_OK)
            return SE_ERR_MEMORY;
    }
    return SE_OK;
}

/* The file of a batch, or of a row of it: a function of seed, batch and row alone. */
static int32_t choose(const se_order *o, int64_t row)
{
    uint64_t h = se_hash_mix((uint64_t)o->options.seed + 0x3c6ef372fe94f82bu);
    h = se_hash_mix(se_hash_mix(h + (uint64_t)o->batches) + (uint64_t)row);
    double u = (double)(h >> 11) * 0x1p-53 * o->weights;
    for (int32_t i = 0; i < o->n_parts - 1; i++) {
        if (u < o->part[i].weight)
            return i;
        u -= o->part[i].weight;
    }
    return o->n_parts - 1;
}

static se_status fill_batch(se_order *o, int64_t batch, int64_t *pair, int32_t *file)
{
    se_status s = SE_OK;
    if (!o->options.mixed) {
        int32_t i = choose(o, 0);
        for (int64_t row = 0; row < batch; row++)
            file[row] = i;
        return fill(o, &o->part[i], batch, pair);
    }
    for (int64_t row = 0; s == SE_OK && row < batch; row++) {
        file[row] = choose(o, row);
        s = fill(o, &o->part[file[row]], 1, pair + row);
    }
    return s;
}

se_status se_order_next(se_order *o, int64_t batch, int64_t *pair, int32_t *file)
{
    int64_t least = INT64_MAX;
    for (int32_t i = 0; i < o->n_parts; i++)
        least = o->part[i].n < least ? o->part[i].n : least;
    if (batch < 1 || (batch > least && !o->options.mixed))
        return se_fail(SE_ERR_ARG,
                       "order: a batch of %" PRId64 ": expected 1 to %" PRId64
                       ", the pairs that there are%s",
                       batch, least, o->n_parts > 1 ? " in the smallest data set" : "");
    se_status s = keep_positions(o);
    if (s == SE_OK)
        s = se_text_set_start(&o->set, batch * o->columns);
    if (s != SE_OK)
        return s;
    s = fill_batch(o, batch, pair, file);
    use_kept(o, s != SE_OK);
    if (s != SE_OK)
        return s;
    o->started = o->batches++;
    o->complete = false;
    return SE_OK;
}

void se_order_done(se_order *o)
{
    o->complete = true;
}

/* --- what was drawn --- */

typedef struct drawn {
    const se_order *order;
    int32_t column;
    const int64_t *pair;
    const int32_t *file;
} drawn;

static se_pack_text text_of(const void *from, int64_t i)
{
    const drawn *d = from;
    return se_token_file_text(d->order->part[d->file[i]].file, d->column, d->pair[i]);
}

se_status se_order_pack(const se_order *o, int32_t column, int64_t n, const int64_t *pair,
                        const int32_t *file, int32_t pad, se_packed *out, int32_t *ids,
                        int32_t *starts, int32_t *positions)
{
    if (column < 0 || column >= o->columns)
        return se_fail(SE_ERR_ARG, "pairs: column %d: there are %d", column, o->columns);
    drawn d = {o, column, pair, file};
    se_pack_source source = {.texts = n, .from = &d, .text = text_of};
    se_status s = se_pack(&source, n, NULL, pad, out, ids, starts, positions);
    for (int64_t i = 0; s == SE_OK && !ids && i < n; i++)
        s = se_token_file_sound(o->part[file[i]].file, pair[i]);
    return s;
}

se_status se_order_same(se_order *o, int64_t n, const int64_t *pair, const int32_t *file,
                        int32_t *out)
{
    se_status s = se_text_set_start(&o->set, n * o->columns);
    for (int32_t c = 0; s == SE_OK && c < o->columns; c++)
        for (int64_t i = 0; i < n; i++)
            out[c * n + i] = (int32_t)se_text_set_add(
                &o->set, se_token_file_hash(o->part[file[i]].file, c, pair[i]));
    return s;
}

void se_order_where(const se_order *o, int32_t file, int64_t *epoch, int64_t *index,
                    int64_t *queued, int64_t *pairs)
{
    const part *p = &o->part[file];
    *epoch = p->now.epoch;
    *index = p->now.index;
    *queued = (int64_t)(p->now.queue.bytes / sizeof(int64_t));
    *pairs = se_token_file_count(p->file);
}

/* --- the position as text --- */

static se_status put_integer(se_json *v, const char *key, int64_t x)
{
    return se_json_set(v, key, se_json_of_integer(x));
}

static se_status put_part(se_json *list, const part *p, const position *at)
{
    const int64_t *queue = (const int64_t *)(const void *)at->queue.data;
    char data[32];
    snprintf(data, sizeof data, "%016" PRIx64, se_token_file_identity(p->file));
    se_json *v = se_json_new_object(), *numbers = se_json_new_array();
    se_status s = v && numbers ? SE_OK : SE_ERR_MEMORY;
    for (size_t i = 0; s == SE_OK && i < at->queue.bytes / sizeof *queue; i++)
        s = se_json_append(numbers, se_json_of_integer(queue[i]));
    if (s != SE_OK) {
        se_json_free(v);
        se_json_free(numbers);
        return s;
    }
    s = se_json_set(v, "queue", numbers);
    if (s == SE_OK)
        s = put_integer(v, "epoch", at->epoch);
    if (s == SE_OK)
        s = put_integer(v, "index", at->index);
    if (s == SE_OK)
        s = put_integer(v, "pairs", se_token_file_count(p->file));
    if (s == SE_OK)
        s = se_json_set(v, "data", se_json_of_string(data, strlen(data)));
    if (s == SE_OK)
        return se_json_append(list, v);
    se_json_free(v);
    return s;
}

se_status se_order_state(const se_order *o, char **out)
{
    size_t bytes;
    *out = NULL;
    se_json *v = se_json_new_object(), *list = se_json_new_array();
    se_status s = v && list ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < o->n_parts; i++)
        s = put_part(list, &o->part[i], o->complete ? &o->part[i].now : &o->part[i].before);
    if (s != SE_OK) {
        se_json_free(v);
        se_json_free(list);
        return s;
    }
    s = se_json_set(v, "sets", list);
    const struct {
        const char *key;
        int64_t value;
    } number[] = {{"seed", o->options.seed},
                  {"batches", o->complete ? o->batches : o->started},
                  {"low", o->options.low},
                  {"high", o->options.high},
                  {"window", o->options.window}};
    for (size_t i = 0; s == SE_OK && i < sizeof number / sizeof *number; i++)
        s = put_integer(v, number[i].key, number[i].value);
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

static se_status read_part(const part *p, const se_json *v, position *at)
{
    int64_t pairs, n = se_token_file_count(p->file);
    const char *data = se_json_string(se_json_get(v, "data"), NULL);
    const se_json *queue = se_json_get(v, "queue");
    if (!read_number(v, "pairs", 1, INT64_MAX, &pairs) || !data)
        return se_fail(SE_ERR_FORMAT, "order: the saved position lacks \"pairs\" or \"data\"");
    if (pairs != n || strtoull(data, NULL, 16) != se_token_file_identity(p->file))
        return se_fail(SE_ERR_FORMAT,
                       "order: the saved position belongs to other data: %" PRId64
                       " pairs (%s), expected %" PRId64 " (%016" PRIx64 ")",
                       pairs, data, n, se_token_file_identity(p->file));
    if (!read_number(v, "epoch", 0, INT64_MAX, &at->epoch) ||
        !read_number(v, "index", 0, n - 1, &at->index) || se_json_type(queue) != SE_JSON_ARRAY)
        return se_fail(SE_ERR_FORMAT,
                       "order: the saved position's epoch, index or queue is not as saved");
    for (int64_t i = 0; i < se_json_size(queue); i++) {
        const se_json *x = se_json_at(queue, i);
        int64_t pair = se_json_integer(x);
        if (se_json_type(x) != SE_JSON_INTEGER || pair < 0 ||
            pair / n >= (se_token_file_lists(p->file) ? DRAWS : 1))
            return se_fail(SE_ERR_FORMAT, "order: the saved queue holds no pair at place %" PRId64,
                           i);
        se_status s = se_blob_add(&at->queue, &pair, sizeof pair);
        if (s != SE_OK)
            return s;
    }
    return SE_OK;
}

/* What says which pairs are drawn must be what it was. */
static se_status read_options(const se_order *o, const se_json *v, int64_t *seed, int64_t *batches)
{
    int64_t low, high, window;
    if (!read_number(v, "seed", INT64_MIN, INT64_MAX, seed) ||
        !read_number(v, "batches", 0, INT64_MAX, batches) ||
        !read_number(v, "low", 0, SE_TOKEN_BUCKETS, &low) ||
        !read_number(v, "high", 0, SE_TOKEN_BUCKETS, &high) ||
        !read_number(v, "window", 1, INT32_MAX, &window))
        return se_fail(SE_ERR_FORMAT, "order: the saved position's seed, batches, low, high or "
                                      "window is not as saved");
    if (low != o->options.low || high != o->options.high || window != o->options.window)
        return se_fail(SE_ERR_FORMAT,
                       "order: the saved position belongs to another part of the data: buckets "
                       "%" PRId64 " to %" PRId64 " in windows of %" PRId64
                       ", expected %d to %d in windows of %d",
                       low, high, window, o->options.low, o->options.high, o->options.window);
    return SE_OK;
}

/* Reads all of it before anything is changed. */
static se_status read_position(se_order *o, const se_json *v)
{
    int64_t seed = 0, batches = 0;
    const se_json *list = se_json_get(v, "sets");
    se_status s = read_options(o, v, &seed, &batches);
    if (s == SE_OK && se_json_size(list) != o->n_parts)
        s = se_fail(SE_ERR_FORMAT,
                    "order: the saved position belongs to %" PRId64 " data sets, expected %d",
                    se_json_size(list), o->n_parts);
    position *at = s == SE_OK ? se_calloc((size_t)o->n_parts, sizeof *at) : NULL;
    if (s == SE_OK && !at)
        s = SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < o->n_parts; i++)
        s = read_part(&o->part[i], se_json_at(list, i), &at[i]);
    for (int32_t i = 0; at && i < o->n_parts; i++) {
        se_blob_free(s == SE_OK ? &o->part[i].now.queue : &at[i].queue);
        if (s == SE_OK) {
            o->part[i].now = at[i];
            o->part[i].shuffled = -1;
        }
    }
    free(at);
    if (s != SE_OK)
        return s;
    o->options.seed = seed;
    o->batches = o->started = batches;
    o->complete = true;
    return SE_OK;
}

se_status se_order_restore(se_order *o, const char *text, size_t bytes)
{
    se_json *v;
    se_status s = se_json_parse(text, bytes, "order", &v);
    if (s != SE_OK)
        return s;
    s = read_position(o, v);
    se_json_free(v);
    return s;
}
