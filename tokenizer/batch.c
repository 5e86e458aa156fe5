#include "tokenizer_private.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_PER_THREAD 4 /* so that a busy neighbour does not hold up everyone */
#define PART_BYTES 16384   /* a part is not made smaller than this many bytes of text */
#define MESSAGE_BYTES 512

/* A stretch of the batch, encoded by one thread into a buffer of its own. */
typedef struct part {
    se_tokens tokens;
    int64_t first, last; /* texts */
    int64_t at;          /* where its tokens go in the batch */
    int64_t cut, n_cut;
    se_status status;
    int64_t failed; /* the text that failed */
    char message[MESSAGE_BYTES];
} part;

typedef struct parts {
    int32_t n;
    part *list;
} parts;

static se_status parts_of(se_token_batch *batch, int32_t n, parts **out)
{
    if (!batch->parts && !(batch->parts = se_calloc(1, sizeof(parts))))
        return SE_ERR_MEMORY;
    parts *p = batch->parts;
    if (n > p->n) {
        part *list = se_realloc(p->list, (size_t)n * sizeof *list);
        if (!list)
            return SE_ERR_MEMORY;
        memset(list + p->n, 0, (size_t)(n - p->n) * sizeof *list);
        p->list = list;
        p->n = n;
    }
    *out = p;
    return SE_OK;
}

/* Cuts the texts into at most n parts of about equal bytes; returns how many. */
static int32_t split(part *list, int32_t n, const size_t *bytes, int64_t n_texts, size_t total)
{
    size_t share = total / (size_t)n + 1, sum = 0;
    int32_t count = 0;
    int64_t first = 0;
    if (share < PART_BYTES)
        share = PART_BYTES;
    for (int64_t i = 0; i < n_texts; i++) {
        sum += bytes[i];
        if (i + 1 == n_texts || (sum >= share && count + 1 < n)) {
            list[count].first = first;
            list[count++].last = first = i + 1;
            sum = 0;
        }
    }
    return count;
}

static void encode_part(const se_tokenizer *t, const char *const *texts, const size_t *bytes,
                        int32_t max_tokens, part *p, se_token_batch *out)
{
    p->tokens.n = p->cut = p->n_cut = 0;
    p->status = SE_OK;
    for (int64_t i = p->first; i < p->last; i++) {
        out->starts[i] = (int32_t)p->tokens.n;
        p->status = se_tokenizer_append(t, texts[i], bytes[i], max_tokens, &p->tokens);
        if (!p->status && p->tokens.n > INT32_MAX)
            p->status = se_fail(SE_ERR_ARG, "tokenizer: the batch has over 2^31 - 1 tokens");
        if (p->status) {
            p->failed = i;
            strncpy(p->message, se_message(), MESSAGE_BYTES - 1);
            return;
        }
        out->cuts[i] = (int32_t)p->tokens.cut;
        p->cut += p->tokens.cut;
        p->n_cut += p->tokens.cut > 0;
    }
}

/* Adds up where each part goes; the first failure, in the order of texts, is the batch's. */
static se_status add_up(part *list, int32_t n, se_token_batch *out)
{
    out->total = out->cut = out->n_cut = 0;
    for (int32_t k = 0; k < n; k++) {
        if (list[k].status)
            return se_fail(list[k].status, "text %lld of the batch: %s", (long long)list[k].failed,
                           list[k].message);
        list[k].at = out->total;
        out->total += list[k].tokens.n;
        out->cut += list[k].cut;
        out->n_cut += list[k].n_cut;
    }
    if (out->total > INT32_MAX)
        return se_fail(SE_ERR_ARG, "tokenizer: the batch has %lld tokens; wanted under 2^31",
                       (long long)out->total);
    return SE_OK;
}

static se_status reserve_texts(se_token_batch *out, int64_t n)
{
    if (out->starts && n <= out->text_capacity)
        return SE_OK;
    int32_t *starts = se_realloc(out->starts, (size_t)(n + 1) * sizeof *starts);
    if (!starts)
        return SE_ERR_MEMORY;
    out->starts = starts;
    int32_t *cuts = se_realloc(out->cuts, (size_t)n * sizeof *cuts);
    if (!cuts)
        return SE_ERR_MEMORY;
    out->cuts = cuts;
    out->text_capacity = n;
    return SE_OK;
}

static se_status reserve_tokens(int32_t **array, int64_t *capacity, int64_t n, size_t width)
{
    if (*array && n <= *capacity)
        return SE_OK;
    int64_t wanted = n + n / 4 + 64;
    int32_t *grown = se_realloc(*array, (size_t)wanted * width * sizeof **array);
    if (!grown)
        return SE_ERR_MEMORY;
    *array = grown;
    *capacity = wanted;
    return SE_OK;
}

static void pack_part(const part *p, bool with_offsets, se_token_batch *out)
{
    size_t n = (size_t)p->tokens.n;
    if (n)
        memcpy(out->ids + p->at, p->tokens.ids, n * sizeof *out->ids);
    if (n && with_offsets)
        memcpy(out->offsets + 2 * p->at, p->tokens.offsets, 2 * n * sizeof *out->offsets);
    for (int64_t i = p->first; i < p->last; i++)
        out->starts[i] += (int32_t)p->at;
}

se_status se_tokenizer_encode_batch(const se_tokenizer *t, const char *const *texts,
                                    const size_t *bytes, int64_t n, int32_t max_tokens,
                                    bool with_offsets, se_token_batch *out)
{
    size_t total = 0;
    parts *p;
    int32_t n_parts = PARTS_PER_THREAD * se_threads();
    out->n = out->total = out->cut = out->n_cut = 0;
    for (int64_t i = 0; i < n; i++)
        total += bytes[i];
    se_status s = reserve_texts(out, n);
    if (!s)
        s = parts_of(out, n_parts, &p);
    if (s)
        return s;
    n_parts = split(p->list, n_parts, bytes, n, total);
#pragma omp parallel for schedule(dynamic, 1) num_threads(se_threads()) if (n_parts > 1)
    for (int32_t k = 0; k < n_parts; k++)
        encode_part(t, texts, bytes, max_tokens, &p->list[k], out);
    s = add_up(p->list, n_parts, out);
    if (!s)
        s = reserve_tokens(&out->ids, &out->id_capacity, out->total, 1);
    if (!s && with_offsets)
        s = reserve_tokens(&out->offsets, &out->offset_capacity, out->total, 2);
    if (s) {
        out->total = 0;
        return s;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(se_threads()) if (n_parts > 1)
    for (int32_t k = 0; k < n_parts; k++)
        pack_part(&p->list[k], with_offsets, out);
    if (!with_offsets) {
        free(out->offsets);
        out->offsets = NULL;
        out->offset_capacity = 0;
    }
    out->starts[n] = (int32_t)out->total;
    out->n = n;
    return SE_OK;
}

void se_token_batch_free(se_token_batch *batch)
{
    parts *p = batch->parts;
    for (int32_t k = 0; p && k < p->n; k++)
        se_tokens_free(&p->list[k].tokens);
    if (p)
        free(p->list);
    free(p);
    free(batch->ids);
    free(batch->offsets);
    free(batch->starts);
    free(batch->cuts);
    *batch = (se_token_batch){0};
}
