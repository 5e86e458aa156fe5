/* Reductions over axes: sums, products, extremes, their places. The order of additions is fixed by
 * the reduced lengths alone (core/kernels/reduce.c). */
#include "ops/reduce.h"

#include "hlo.h"
#include "kernels/reduce.h"
#include "ops/compose.h"

SE_KERNEL_DECLARE(sum);
SE_KERNEL_DECLARE(prod);
SE_KERNEL_DECLARE(prod_others);
SE_KERNEL_DECLARE(max);
SE_KERNEL_DECLARE(min);
SE_KERNEL_DECLARE(argmax);
SE_KERNEL_DECLARE(argmin);

SE_OP_EXTERN(cast);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(pad);
SE_OP_EXTERN(prod_others);
SE_OP_EXTERN(where);

/* --- shape rules --- */

/* The set of axes that attribute 0 names, one bit each; none means all. */
static se_status axes_of(const se_shape *s, uint32_t *mask)
{
    const se_attr *axes = &s->attr[0];
    int rank = s->in[0].rank;
    *mask = axes->n ? 0 : (1u << rank) - 1;
    for (int i = 0; i < axes->n; i++) {
        int axis = 0;
        se_status status = se_axis(s, axes->list[i], rank, &axis);
        if (status)
            return status;
        if (*mask >> axis & 1)
            return SE_SHAPE_FAIL(s, "axis %d is named twice", axis + 1);
        *mask |= 1u << axis;
    }
    return SE_OK;
}

se_status se_reduced_shape(const se_shape *s, se_dtype dtype, bool need_elements)
{
    char text[SE_TYPE_TEXT];
    uint32_t mask = 0;
    se_status status = axes_of(s, &mask);
    if (status)
        return status;
    se_type t = {.dtype = (uint8_t)dtype};
    for (int i = 0; i < s->in[0].rank; i++) {
        bool reduced = mask >> i & 1;
        if (reduced && need_elements && s->in[0].dim[i] == 0)
            return SE_SHAPE_FAIL(s, "nothing to choose from: %s has no elements along axis %d",
                                 se_type_print(&s->in[0], text), i + 1);
        if (!reduced || s->attr[1].i)
            t.dim[t.rank++] = reduced ? 1 : s->in[0].dim[i];
    }
    if (!(mask & 1)) /* a row of the result comes from a row of x */
        t.rows = s->in[0].rows;
    s->out[0] = t;
    return SE_OK;
}

static se_status sum_shape(const se_shape *s)
{
    return se_reduced_shape(s, s->in[0].dtype == SE_BOOL ? SE_I32 : (se_dtype)s->in[0].dtype,
                            false);
}

static se_status mean_shape(const se_shape *s)
{
    return se_reduced_shape(s, SE_F32, false);
}

static se_status extreme_shape(const se_shape *s)
{
    return se_reduced_shape(s, (se_dtype)s->in[0].dtype, true);
}

static se_status bool_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_BOOL, -1);
    return status ? status : se_reduced_shape(s, SE_BOOL, false);
}

static se_status arg_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    int axis = 0;
    se_status status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    if (s->in[0].dim[axis] == 0 || s->in[0].dim[axis] > INT32_MAX)
        return SE_SHAPE_FAIL(s, "%s has no place along axis %d that an i32 can name",
                             se_type_print(&s->in[0], text), axis + 1);
    se_type t = {.dtype = SE_I32};
    for (int i = 0; i < s->in[0].rank; i++)
        if (i != axis)
            t.dim[t.rank++] = s->in[0].dim[i];
    if (axis > 0)
        t.rows = s->in[0].rows;
    s->out[0] = t;
    return SE_OK;
}

/* --- rules --- */

static bool reduced_axis(const se_rule *g, int i)
{
    const se_attr *axes = &g->attr[0];
    int rank = se_ref_type(g->x[0])->rank;
    bool found = axes->n == 0;
    for (int k = 0; k < axes->n; k++)
        found |= (axes->list[k] < 0 ? axes->list[k] + rank : axes->list[k]) == i;
    return found;
}

se_type se_kept_type(const se_rule *g)
{
    se_type t = *se_ref_type(g->x[0]);
    for (int i = 0; i < t.rank; i++)
        t.dim[i] = reduced_axis(g, i) ? 1 : t.dim[i];
    return t;
}

/* r (an output of the reduction, or its gradient) with the reduced axes put back, of size 1. */
static se_ref put_back(se_build *b, const se_rule *g, se_ref r)
{
    se_type t = se_kept_type(g);
    return se_reshape_to(b, r, t.rank, t.dim);
}

static void sum_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    se_attr dims = {.n = x->rank};
    for (int i = 0; i < x->rank; i++)
        dims.list[i] = x->dim[i];
    g->dx[0] = OP(b, broadcast_to, ATTRS(dims), put_back(b, g, g->dy[0]));
}

/* Equal elements share the gradient evenly, as PyTorch's amax and amin do. */
static void extreme_grad(se_build *b, const se_rule *g)
{
    se_ref chosen = OP2(b, equal, g->x[0], put_back(b, g, g->y[0]));
    se_ref count = OP(b, sum, ATTRS(g->attr[0], SE_INT(1)), chosen);
    se_ref share = OP2(b, div, put_back(b, g, g->dy[0]), OP(b, cast, ATTRS(SE_INT(SE_F32)), count));
    g->dx[0] = OP3(b, where, chosen, share, se_number(b, 0));
}

/* Over the reduced axes, joined to one last axis: prod_others, and back. */
static void prod_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    se_type kept = se_kept_type(g);
    int64_t order[SE_MAX_RANK], back[SE_MAX_RANK], moved[SE_MAX_RANK], flat[2] = {1, 1};
    int n = 0;
    for (int reduced = 0; reduced < 2; reduced++)
        for (int i = 0; i < x->rank; i++)
            if (reduced_axis(g, i) == reduced) {
                order[n] = i;
                back[i] = n;
                moved[n++] = x->dim[i];
                flat[reduced] *= x->dim[i];
            }
    se_ref lines = se_reshape_to(b, se_permute(b, g->x[0], n, order), 2, flat);
    se_ref others = se_reshape_to(b, OP1(b, prod_others, lines), n, moved);
    others = se_permute(b, others, n, back);
    g->dx[0] = OP2(b, mul, others, se_reshape_to(b, g->dy[0], kept.rank, kept.dim));
}

double se_reduced_count(const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    double count = 1;
    for (int i = 0; x && i < x->rank; i++)
        count *= reduced_axis(g, i) ? (double)x->dim[i] : 1.0;
    return count;
}

static void mean_expand(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    se_ref numbers = g->x[0]; /* a sum of i32 wraps around, a mean does not */
    if (x && x->dtype == SE_I32)
        numbers = OP(b, cast, ATTRS(SE_INT(SE_F32)), numbers);
    se_ref total = OP(b, sum, g->attr, numbers);
    if (x && x->dtype == SE_BOOL)
        total = OP(b, cast, ATTRS(SE_INT(SE_F32)), total);
    g->y[0] = OP2(b, div, total, se_number(b, se_reduced_count(g)));
}

/* --- definitions --- */

/* For each thread its share of the table of partial results; see fold_columns. There is none when
 * the last axes are reduced. */
static int64_t reduce_scratch(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    const se_attr *axes = &t->attr[0];
    uint32_t mask = axes->n ? 0 : (1u << x->rank) - 1;
    for (int i = 0; i < axes->n; i++)
        mask |= 1u << (axes->list[i] < 0 ? axes->list[i] + x->rank : axes->list[i]);
    int64_t inner = 1;
    for (int i = x->rank - 1; i >= 0 && (x->dim[i] == 1 || !(mask >> i & 1)); i--)
        inner *= x->dim[i];
    int64_t in = se_type_count(x), out = se_type_count(&t->out_type[0]), threads = se_threads();
    int64_t bytes = out && inner > 1 ? se_reduce_partials(in / out, inner) * 8 : 0;
    return bytes ? (bytes + threads - 1) / threads + 64 : 0;
}

static uint32_t mask_of(const se_hlo_rule *r)
{
    const se_attr *axes = &r->attr[0];
    int rank = r->x[0].rank;
    uint32_t mask = axes->n ? 0 : (1u << rank) - 1;
    for (int i = 0; i < axes->n; i++)
        mask |= 1u << (axes->list[i] < 0 ? axes->list[i] + rank : axes->list[i]);
    return mask;
}

static void folded(se_hlo *h, const se_hlo_rule *r, se_hval x, se_hval start)
{
    se_hval y = se_hlo_reduce(h, r->op->hlo_name, x, mask_of(r), start);
    r->y[0] = se_hlo_reshape(h, y, r->type[0].rank, r->type[0].dim);
}

/* Bools are counted as i32, as in the kernels. Floats are added in XLA's order. */
static void sum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = se_hlo_convert(h, r->x[0], r->type[0].dtype);
    folded(h, r, x, se_hlo_number(h, x.dtype, 0));
}

static void prod_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = se_hlo_convert(h, r->x[0], r->type[0].dtype);
    folded(h, r, x, se_hlo_number(h, x.dtype, 1));
}

/* Floats by keys among which a nan is the best one: XLA's maximum may lose it. */
static void extreme_hlo(se_hlo *h, const se_hlo_rule *r)
{
    bool most = r->op->hlo_name[1] == 'a';
    se_hval x = r->x[0], key = x;
    if (x.dtype == SE_F32) {
        key = se_hlo_key(h, x);
        se_hval number = se_hlo_compare(h, "EQ", x, x), first = se_hlo_like(h, key, INT32_MIN);
        key = most ? key : se_hlo_select(h, number, key, first);
    }
    folded(h, r, key, most ? se_hlo_lowest(h, key.dtype) : se_hlo_highest(h, key.dtype));
    if (x.dtype == SE_F32)
        r->y[0] = se_hlo_unkey(h, r->y[0]);
}

static void all_hlo(se_hlo *h, const se_hlo_rule *r)
{
    folded(h, r, r->x[0], se_hlo_number(h, SE_BOOL, 1));
}

static void any_hlo(se_hlo *h, const se_hlo_rule *r)
{
    folded(h, r, r->x[0], se_hlo_number(h, SE_BOOL, 0));
}

#define REDUCTION(NAME, KERNEL, DOC, SHAPE, SAMPLE, ...)                                           \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x axes:axes={} keep:bool=false",                          \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .cpu = SE_KERNEL(KERNEL),                                          \
                                .scratch = reduce_scratch,                                         \
                                .sample = SAMPLE,                                                  \
                                __VA_ARGS__}
#define AXES_SAMPLE_OF(T, RANGE)                                                                   \
    "x:" T "[3x4]" RANGE "; x:" T "[3x4]" RANGE " axes={-1}; x:" T "[3x4]" RANGE                   \
    " axes={0} keep=true; x:" T "[2x3x4]" RANGE " axes={0,2}; x:" T "[2x3x4x5]" RANGE              \
    " axes={1,3}; x:" T "[]" RANGE "; x:" T "[1x5x1]" RANGE " axes={0}; x:" T "[2x3x4x5]" RANGE    \
    " axes={0,2} keep=true; x:" T "[301x167]" RANGE " axes={1}; x:" T "[1301x67]" RANGE            \
    " axes={0}; x:" T "[200001]" RANGE "; x:" T "[2x100001]" RANGE " axes={1}; x:" T               \
    "[3x1100x20]" RANGE " axes={1}"
#define AXES_SAMPLE(T) AXES_SAMPLE_OF(T, "")

REDUCTION(sum, sum, "sum over axes (all of them when none is named); of bool: how many are true",
          sum_shape,
          AXES_SAMPLE("f32") "; " AXES_SAMPLE("i32") "; x:bool[301x167] axes={0}; x:bool[9]; "
                                                     "x:f32[0x3] axes={0}; x:f32[3x0]",
          .grad = sum_grad, .hlo = sum_hlo, .hlo_name = "add");
REDUCTION(prod, prod, "product over axes (all of them when none is named); i32 wraps around",
          sum_shape,
          AXES_SAMPLE_OF("f32", "@0.5..1.5") "; x:f32[3x3]=1,2,3,0,2,5,0,3,0 axes={1}; "
                                             "x:f32[2x3x4] axes={1} keep=true; x:i32[3x4]@-4..5 "
                                             "axes={0}; x:i32[90]=3; x:i32[2x70x3]=-5 axes={1}; "
                                             "x:bool[3x4] axes={1}; x:bool[301x167] axes={0}; "
                                             "x:f32[0x3] axes={0}; x:f32[3x0]",
          .grad = prod_grad, .hlo = prod_hlo, .hlo_name = "multiply");
REDUCTION(max, max, "the largest element over axes; equal ones share the gradient evenly",
          extreme_shape,
          AXES_SAMPLE("f32") "; x:f32[2x3]=1,1,0,2,2,2 axes={1} -grad; x:i32[3x4]@-9..9 axes={0}; "
                             "x:f32[0x3] axes={1}; x:bool[3x4] axes={1}",
          .grad = extreme_grad, .hlo = extreme_hlo, .hlo_name = "maximum");
REDUCTION(min, min, "the smallest element over axes; equal ones share the gradient evenly",
          extreme_shape, AXES_SAMPLE("f32") "; x:i32[3x4]@-9..9 axes={0}; x:bool[3x4] axes={1}",
          .grad = extreme_grad, .hlo = extreme_hlo, .hlo_name = "minimum");
REDUCTION(all, min, "true where every element over the axes is true", bool_shape,
          "x:bool[3x4] axes={1}; x:bool[3x4]; x:bool[301x167] axes={0}; x:bool[0x2] axes={0}",
          .hlo = all_hlo, .hlo_name = "and");
REDUCTION(any, max, "true where an element over the axes is true", bool_shape,
          "x:bool[3x4] axes={1}; x:bool[3x4]; x:bool[301x167] axes={0}; x:bool[0x2] axes={0}",
          .hlo = any_hlo, .hlo_name = "or");

const se_op se_op_mean = {
    .name = "mean",
    .args = "x axes:axes={} keep:bool=false",
    .doc = "mean over axes (all of them when none is named)",
    .shape = mean_shape,
    .expand = mean_expand,
    .sample = "x:f32[3x4]; x:f32[3x4] axes={-1}; x:f32[2x3x4] axes={0,2} keep=true; "
              "x:i32[3x4] axes={0}; x:i32[3]=2147483647,2147483647,-5; x:bool[9]; "
              "x:f32[301x167] axes={1}",
};

/* The first place of the best key; for argmin the keys are turned round, but those of nans. */
static void arg_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0], key = se_hlo_key(h, x);
    int axis = (int)(r->attr[0].i < 0 ? r->attr[0].i + x.rank : r->attr[0].i);
    if (r->op->hlo_name[4] == 'i') {
        se_hval turned = se_hlo_unary(h, "not", key);
        key = x.dtype != SE_F32 ? turned
                                : se_hlo_select(h, se_hlo_compare(h, "EQ", x, x), turned, key);
    }
    se_hval best = se_hlo_reduce(h, "maximum", key, 1u << axis, se_hlo_lowest(h, SE_I32));
    int64_t at[SE_H_RANK];
    for (int i = 0; i < best.rank; i++)
        at[i] = i + (i >= axis);
    best = se_hlo_spread(h, best, key.rank, key.dim, at);
    se_hval place = se_hlo_iota(h, SE_I32, key.rank, key.dim, axis);
    se_hval here = se_hlo_compare(h, "EQ", key, best);
    place = se_hlo_select(h, here, place, se_hlo_like(h, place, INT32_MAX));
    r->y[0] = se_hlo_reduce(h, "minimum", place, 1u << axis, se_hlo_highest(h, SE_I32));
}

#define ARG(NAME, DOC)                                                                             \
    const se_op se_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .args = "x axis:axis=-1",                                                                  \
        .doc = DOC,                                                                                \
        .shape = arg_shape,                                                                        \
        .cpu = SE_KERNEL(NAME),                                                                    \
        .hlo = arg_hlo,                                                                            \
        .hlo_name = #NAME,                                                                         \
        .sample = "x:f32[3x4]; x:f32[3x4] axis=0; x:i32[2x30x4] axis=1; x:f32[301x167]; "          \
                  "x:i32[7]=3,1,3,1,0,3,0; x:f32[40x3x1100] axis=1; x:f32[4]=1,nan,2,nan; "        \
                  "x:bool[3x70]; x:bool[5x3] axis=0",                                              \
    }
ARG(argmax, "place (from 0) of the largest element along an axis, the first of equals");
ARG(argmin, "place (from 0) of the smallest element along an axis, the first of equals");

/* --- the gradient of prod --- */

static se_status prod_others_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 2);
    return status ? status : se_shape_like_first(s);
}

/* x[n, m] moved by `by` places along the last axis, with ones where nothing comes in. */
static se_ref moved_by(se_build *b, se_ref x, int64_t by)
{
    int64_t m = se_ref_type(x)->dim[1], size = by < 0 ? -by : by;
    se_attr axis = SE_INT(1), before = {.n = 2}, after = {.n = 2};
    before.list[1] = by > 0 ? size : 0;
    after.list[1] = by < 0 ? size : 0;
    se_ref rest =
        OP(b, slice,
           ATTRS(axis, SE_INT(by < 0 ? size : 0), SE_INT(by < 0 ? m : m - size), SE_INT(1)), x);
    return OP(b, pad, ATTRS(before, after, SE_NUM(1)), rest);
}

/* The products of all on one side of each, by doubling: no division, so that zeros do no harm, and
 * second derivatives are right at them, too. */
static void prod_others_expand(se_build *b, const se_rule *g)
{
    int64_t m = se_ref_type(g->x[0])->dim[1];
    se_ref side[2];
    for (int k = 0; k < 2; k++) {
        int64_t to = k ? -1 : 1;
        side[k] = m ? moved_by(b, g->x[0], to) : g->x[0];
        for (int64_t by = 1; by < m && se_ref_ok(side[k]); by *= 2)
            side[k] = OP2(b, mul, side[k], moved_by(b, side[k], to * by));
    }
    g->y[0] = OP2(b, mul, side[0], side[1]);
}

const se_op se_op_prod_others = {
    .name = "prod_others",
    .of = "prod",
    .args = "x",
    .doc = "for each element the product of all others in its row: the gradient of prod",
    .shape = prod_others_shape,
    .cpu_rows = SE_KERNEL(prod_others),
    .split = SE_BY_LAST,
    .expand = prod_others_expand,
    .rowwise = true,
    .internal = true,
    .sample = "x:f32[2x3]; x:f32[3x3]=1,2,3,0,2,5,0,3,0; x:f32[5x1]; x:f32[3x0]; x:f32[0x3]; "
              "x:f32[4x9]; x:f32[301x167]@0.8..1.2",
};
