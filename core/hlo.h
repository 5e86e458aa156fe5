/* Writes StableHLO text: all that an op's .hlo rule may call. A rule is given the values of the
 * op's inputs and fills in those of its outputs:
 *
 *   static void sign_hlo(se_hlo *h, const se_hlo_rule *r)
 *   {
 *       r->y[0] = se_hlo_unary(h, "sign", r->x[0]);
 *   }
 *
 * A rule only writes: nothing is checked after a call: the first failure is kept, and what is
 * written later is lost. The text depends on types and attributes alone, so that equal graphs give
 * equal texts. */
#ifndef SE_HLO_H
#define SE_HLO_H

#include "op.h"

/* Element types beyond those of tensors, for intermediates. */
enum { SE_H_U32 = SE_DTYPES, SE_H_U64, SE_H_I64, SE_H_F64, SE_H_DTYPES };
enum { SE_H_RANK = SE_MAX_RANK + 2 }; /* axes of an intermediate, at most */

/* A value of the program: %id. id < 0: an optional input that was left out. */
typedef struct se_hval {
    int32_t id;
    uint8_t dtype, rank;
    int64_t dim[SE_H_RANK];
} se_hval;

struct se_hlo_rule {
    const se_op *op;
    const se_attr *attr;
    int n_in;
    const se_hval *x;
    const se_type *in;   /* of the inputs: varying or the same on every replica */
    const se_type *type; /* of the outputs */
    se_hval *y;          /* to be filled */
};

typedef struct se_hlo_options {
    int replicas; /* how many devices run the program together */
    bool bf16;    /* inputs of matrix products are rounded to bf16, sums stay f32 */
} se_hlo_options;

/* --- the writer --- */
se_hlo *se_hlo_new(const se_hlo_options *o); /* NULL with SE_ERR_MEMORY's message */
void se_hlo_free(se_hlo *h);                 /* NULL is allowed */
const se_hlo_options *se_hlo_options_of(const se_hlo *h);
se_status se_hlo_status(const se_hlo *h); /* of the first failure, with its message set again */

/* Takes over the text, which the caller frees. */
char *se_hlo_text(se_hlo *h, size_t *length);

/* Fails with "NAME: " and the text. */
void se_hlo_fail(se_hlo *h, const se_op *op, const char *format, ...) SE_PRINTF(3, 4);

/* Writes text. In the format %s is a string, %i an int64_t, %l an int and that many int64_t
 * ("1, 2"), %v and %t a const se_hval * (its name, its type), %e one, too (its element type); %% is
 * a percent sign. */
void se_hlo_write(se_hlo *h, const char *format, ...);

/* The region of an operation that folds two elements with `name`. */
void se_hlo_write_region(se_hlo *h, const char *name, int dtype);

/* A value that has a name, but no line yet; one with the dims of x. Its line is written next, from
 * "    %v = " to the newline, and then given to se_hlo_done: where the same was written before, the
 * line is taken back and that value returned. A line with several results has no se_hlo_done. */
se_hval se_hlo_value(se_hlo *h, int dtype, int rank, const int64_t *dim);
se_hval se_hlo_value_like(se_hlo *h, int dtype, se_hval x);
se_hval se_hlo_value_of(se_hlo *h, const se_type *t);
se_hval se_hlo_done(se_hlo *h, se_hval v);

/* A region ended: its lines are not seen outside. */
void se_hlo_forget(se_hlo *h);

/* --- constants --- */
se_hval se_hlo_number(se_hlo *h, int dtype, double v); /* a scalar, rounded to the dtype */
se_hval se_hlo_int(se_hlo *h, int dtype, int64_t v);
se_hval se_hlo_fill(se_hlo *h, int dtype, double v, int rank, const int64_t *dim);
se_hval se_hlo_like(se_hlo *h, se_hval x, double v); /* dtype and dims of x */
se_hval se_hlo_lowest(se_hlo *h, int dtype);         /* a scalar: -inf, INT32_MIN, false */
se_hval se_hlo_highest(se_hlo *h, int dtype);
se_hval se_hlo_iota(se_hlo *h, int dtype, int rank, const int64_t *dim, int axis);

/* --- elements: operands of the same dims; the names are StableHLO's ("chlo.erf": CHLO's) --- */
se_hval se_hlo_unary(se_hlo *h, const char *name, se_hval x);
se_hval se_hlo_binary(se_hlo *h, const char *name, se_hval x, se_hval y);
se_hval se_hlo_with(se_hlo *h, const char *name, se_hval x, double v); /* binary with a constant */
se_hval se_hlo_compare(se_hlo *h, const char *way, se_hval x, se_hval y); /* EQ NE LT LE GT GE */
se_hval se_hlo_compare_with(se_hlo *h, const char *way, se_hval x, double v);
/* The larger or the smaller one; nan where one is nan. (XLA's maximum and minimum lose a nan on a
 * CPU.) */
se_hval se_hlo_larger(se_hlo *h, se_hval x, se_hval y);
se_hval se_hlo_smaller(se_hlo *h, se_hval x, se_hval y);
se_hval se_hlo_select(se_hlo *h, se_hval cond, se_hval x, se_hval y);
se_hval se_hlo_convert(se_hlo *h, se_hval x, int dtype);
se_hval se_hlo_bits(se_hlo *h, se_hval x, int dtype); /* the same bits as another dtype */

/* --- shapes --- */
se_hval se_hlo_reshape(se_hlo *h, se_hval x, int rank, const int64_t *dim);
se_hval se_hlo_flat(se_hlo *h, se_hval x); /* one axis */
/* Axis i of x becomes axis at[i]; its size is that of `dim` or 1. */
se_hval se_hlo_spread(se_hlo *h, se_hval x, int rank, const int64_t *dim, const int64_t *at);
/* By numpy's rules: axes are matched from the last. */
se_hval se_hlo_stretch(se_hlo *h, se_hval x, int rank, const int64_t *dim);
se_hval se_hlo_permute(se_hlo *h, se_hval x, const int64_t *axes);
/* Items start, start + step, .. below stop along one axis; step > 0. */
se_hval se_hlo_slice(se_hlo *h, se_hval x, int axis, int64_t start, int64_t stop, int64_t step);
/* `v` before, after and between the items of one axis. */
se_hval se_hlo_pad(se_hlo *h, se_hval x, int axis, int64_t before, int64_t after, int64_t between,
                   double v);
se_hval se_hlo_reverse(se_hlo *h, se_hval x, int axis);
se_hval se_hlo_concat(se_hlo *h, int n, const se_hval *x, int axis);

/* --- over axes --- */

/* Folds the axes of the mask with add, multiply, maximum, minimum, and, or; they go. */
se_hval se_hlo_reduce(se_hlo *h, const char *name, se_hval x, uint32_t axes, se_hval start);
se_hval se_hlo_sum(se_hlo *h, se_hval x, uint32_t axes);

/* Sums over the axes listed, the first `batch` axes of both in common:
 * [batch, free of x, free of y]. f32, rounded to bf16 before where that or the options
 * say so. */
se_hval se_hlo_dot(se_hlo *h, se_hval x, se_hval y, int batch, int64_t axis_x, int64_t axis_y,
                   bool bf16);

/* --- rows by number --- */

/* x[ids[i], ...]; an id out of range reads the nearest row. */
se_hval se_hlo_take(se_hlo *h, se_hval x, se_hval ids);
/* `rows` rows of `start` with x[i, ...] folded into row ids[i] by `name`; what is out of range is
 * left out. */
se_hval se_hlo_scatter(se_hlo *h, const char *name, se_hval x, se_hval ids, int64_t rows,
                       se_hval start);

/* Ids [..] compared with 0, 1, .. n - 1: [.., n]. */
se_hval se_hlo_against(se_hlo *h, const char *way, se_hval ids, int64_t n);
/* i32[rows]: the text of each row, by starts i32[n + 1]; n after the last. */
se_hval se_hlo_text_of_row(se_hlo *h, se_hval starts, int64_t rows);

/* Element i of the result is x[ids[0][i], ids[1][i], ...]: x.rank index tensors of the same dims.
 */
se_hval se_hlo_pick(se_hlo *h, se_hval x, const se_hval *ids);
/* zeros of those dims with y added at such places. */
se_hval se_hlo_add_at(se_hlo *h, se_hval y, const se_hval *ids, int rank, const int64_t *dim);

/* --- order --- */

/* i32 whose order is that of x: -0 equals 0, a nan is above all. */
se_hval se_hlo_key(se_hlo *h, se_hval x);
se_hval se_hlo_unkey(se_hlo *h, se_hval key); /* the f32 of a key; nan for INT32_MIN, too */
/* Sorts the n tensors along an axis by the keys x[0], the largest first where `down`; of equal ones
 * the order stays, or the smaller x[1] comes first (`second`). */
void se_hlo_sort(se_hlo *h, int n, const se_hval *x, int axis, bool down, bool second, se_hval *y);

/* The rule of ops that are one operation on elements (.hlo_name). */
void se_hlo_named(se_hlo *h, const se_hlo_rule *r);
/* Of ops whose outputs are their inputs, in the outputs' shapes. */
void se_hlo_same(se_hlo *h, const se_hlo_rule *r);

#endif
