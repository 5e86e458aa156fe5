/* Scratch memory of attention's kernels: what core/ops/attention.c must ask for. */
#ifndef SE_ATTENTION_H
#define SE_ATTENTION_H

#include "base.h"

enum {
    SE_ATTENTION_QUERIES = 32, /* queries done at a time: bounds the table of probabilities */
    SE_ATTENTION_PAD = 32,     /* rows of tiles are padded to this many elements, at every level */
    SE_ATTENTION_GROUPS = 16   /* texts are split in so many groups for the sum of dbias */
};

static inline int64_t se_attention_padded(int64_t n)
{
    return (n + SE_ATTENTION_PAD - 1) / SE_ATTENTION_PAD * SE_ATTENTION_PAD;
}

/* Elements of one thread's tiles for texts up to `longest` with heads of d. */
static inline int64_t se_attention_tiles(int64_t longest, int64_t d, bool backward)
{
    int64_t keys = se_attention_padded(longest), wide = se_attention_padded(d);
    int64_t square = SE_ATTENTION_QUERIES * keys, narrow = SE_ATTENTION_QUERIES * wide;
    int64_t bias = se_attention_padded(2 * longest);
    if (backward) /* k^T, v^T, k; q, dy, dq; p, factors, dp; dk, dv */
        return 2 * d * keys + longest * wide + 3 * narrow + 3 * square + 2 * longest * wide + bias;
    return d * keys + longest * wide + narrow + 2 * square + bias; /* k^T, v; out; p, factors */
}

/* Numbers of a head's bias: one a distance, or one a query and key. */
static inline int64_t se_attention_cells(int64_t longest, bool matrix)
{
    return matrix ? longest * longest : 2 * longest - 1;
}

/* In how many groups texts are split for the sum of dbias: one where its parts would be large. */
static inline int64_t se_attention_groups(int64_t longest, int64_t heads, bool matrix)
{
    int64_t all = SE_ATTENTION_GROUPS * heads * se_attention_cells(longest, matrix);
    return matrix && all > (int64_t)1 << 22 ? 1 : SE_ATTENTION_GROUPS;
}

/* Elements of the partial sums of dbias, shared by all threads, after their tiles. */
static inline int64_t se_attention_partials(int64_t longest, int64_t heads, bool matrix)
{
    return se_attention_groups(longest, heads, matrix) * heads *
           se_attention_cells(longest, matrix);
}

#endif
