/* Shorthand for the rules of several files: reductions over the last axis, arithmetic with plain
 * numbers. */
#ifndef SE_COMPOSE_H
#define SE_COMPOSE_H

#include "op.h"

SE_OP_EXTERN(add);
SE_OP_EXTERN(sub);
SE_OP_EXTERN(mul);
SE_OP_EXTERN(div);
SE_OP_EXTERN(sum);
SE_OP_EXTERN(max);
SE_OP_EXTERN(broadcast_to);
SE_OP_EXTERN(permute);
SE_OP_EXTERN(slice);
SE_OP_EXTERN(iota);
SE_OP_EXTERN(take);
SE_OP_EXTERN(scatter_add);
SE_OP_EXTERN(segment_ids);

static inline se_ref se_plus(se_build *b, se_ref x, double c)
{
    return OP2(b, add, x, se_number(b, c));
}

static inline se_ref se_times(se_build *b, se_ref x, double c)
{
    return OP2(b, mul, x, se_number(b, c));
}

/* Sum and largest element over the last axis, which stays with size 1. */
static inline se_ref se_sum_last(se_build *b, se_ref x)
{
    return OP(b, sum, ATTRS({.n = 1, .list = {-1}}, SE_INT(1)), x);
}

static inline se_ref se_max_last(se_build *b, se_ref x)
{
    return OP(b, max, ATTRS({.n = 1, .list = {-1}}, SE_INT(1)), x);
}

static inline se_ref se_mean_last(se_build *b, se_ref x)
{
    const se_type *t = se_ref_type(x);
    return t ? se_times(b, se_sum_last(b, x), 1.0 / (double)se_type_last(t)) : x;
}

/* x [..] -> [.., 1] and [.., 1] -> [..] */
static inline se_ref se_with_last(se_build *b, se_ref x)
{
    const se_type *t = se_ref_type(x);
    if (!t)
        return x;
    int64_t dim[SE_MAX_RANK] = {0};
    for (int i = 0; i < t->rank; i++)
        dim[i] = t->dim[i];
    dim[t->rank] = 1;
    return se_reshape_to(b, x, t->rank + 1, dim);
}

static inline se_ref se_without_last(se_build *b, se_ref x)
{
    const se_type *t = se_ref_type(x);
    return t ? se_reshape_to(b, x, t->rank - 1, t->dim) : x;
}

/* x stretched to the dims of t. */
static inline se_ref se_stretch(se_build *b, se_ref x, const se_type *t)
{
    if (!t)
        return (se_ref){0};
    se_attr dims = {.n = t->rank};
    for (int i = 0; i < t->rank; i++)
        dims.list[i] = t->dim[i];
    return OP(b, broadcast_to, ATTRS(dims), x);
}

/* i32[n]: 0, 1, .. */
static inline se_ref se_iota(se_build *b, int64_t n)
{
    return se_op_apply(b, &se_op_iota, ATTRS(SE_INT(n)), 0, NULL);
}

/* x[ids] along the first axis. */
static inline se_ref se_take_rows(se_build *b, se_ref x, se_ref ids)
{
    return OP2(b, take, x, ids);
}

/* Rows [start, stop) of x. */
static inline se_ref se_rows_of(se_build *b, se_ref x, int64_t start, int64_t stop)
{
    return OP(b, slice, ATTRS(SE_INT(0), SE_INT(start), SE_INT(stop), SE_INT(1)), x);
}

static inline se_ref se_permute(se_build *b, se_ref x, int rank, const int64_t *axes)
{
    se_attr order = {.n = rank};
    for (int i = 0; i < rank; i++)
        order.list[i] = axes[i];
    return OP(b, permute, ATTRS(order), x);
}

/* [rows, ...]: row j is the sum of the rows i of x with ids[i] = j. */
static inline se_ref se_add_by_row(se_build *b, se_ref x, se_ref ids, int64_t rows)
{
    return OP(b, scatter_add, ATTRS(SE_INT(rows), SE_INT(-1)), x, ids);
}

/* Of packed texts with starts i32[n + 1]: the text of each row, i32[rows], n where there is none;
 * the number of tokens of each text, i32[n]. */
static inline se_ref se_text_of_row(se_build *b, se_ref starts, int64_t rows)
{
    return OP(b, segment_ids, ATTRS(SE_INT(rows)), starts);
}

static inline se_ref se_text_lengths(se_build *b, se_ref starts)
{
    const se_type *t = se_ref_type(starts);
    if (!t)
        return starts;
    int64_t n = t->dim[0] - 1;
    return OP2(b, sub, se_rows_of(b, starts, 1, n + 1), se_rows_of(b, starts, 0, n));
}

#endif
