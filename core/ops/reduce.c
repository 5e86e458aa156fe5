/* Reductions over axes: sums, extremes, their places. The order of additions is fixed by the
 * reduced lengths alone (core/kernels/reduce.c). */
#include "op.h"

#include "kernels/reduce.h"

SE_KERNEL_DECLARE(sum);
SE_KERNEL_DECLARE(max);
SE_KERNEL_DECLARE(min);
SE_KERNEL_DECLARE(argmax);
SE_KERNEL_DECLARE(argmin);

SE_OP_EXTERN(sum);
SE_OP_EXTERN(broadcast_to);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(where);
SE_OP_EXTERN(div);
SE_OP_EXTERN(cast);

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

static se_status reduced_shape(const se_shape *s, se_dtype dtype, bool need_elements)
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
    return reduced_shape(s, s->in[0].dtype == SE_BOOL ? SE_I32 : (se_dtype)s->in[0].dtype, false);
}

static se_status mean_shape(const se_shape *s)
{
    return reduced_shape(s, SE_F32, false);
}

static se_status extreme_shape(const se_shape *s)
{
    if (s->in[0].dtype == SE_BOOL)
        return SE_SHAPE_FAIL(s, "x is bool: use `any` or `all`, or cast it first");
    return reduced_shape(s, (se_dtype)s->in[0].dtype, true);
}

static se_status bool_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_BOOL, -1);
    return status ? status : reduced_shape(s, SE_BOOL, false);
}

static se_status arg_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    int axis = 0;
    if (s->in[0].dtype == SE_BOOL)
        return SE_SHAPE_FAIL(s, "x is bool: cast it first");
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

/* The type of x with reduced axes of size 1. */
static se_type kept_type(const se_rule *g)
{
    se_type t = *se_ref_type(g->x[0]);
    const se_attr *axes = &g->attr[0];
    for (int i = 0; i < t.rank && !axes->n; i++)
        t.dim[i] = 1;
    for (int i = 0; i < axes->n; i++)
        t.dim[axes->list[i] < 0 ? axes->list[i] + t.rank : axes->list[i]] = 1;
    return t;
}

/* r (an output of the reduction, or its gradient) with the reduced axes put back, of size 1. */
static se_ref put_back(se_build *b, const se_rule *g, se_ref r)
{
    se_type t = kept_type(g);
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

static void mean_expand(se_build *b, const se_rule *g)
{
    se_type kept = kept_type(g);
    const se_type *x = se_ref_type(g->x[0]);
    double count = 1;
    for (int i = 0; x && i < x->rank; i++)
        count *= kept.dim[i] == 1 ? (double)x->dim[i] : 1.0;
    se_ref numbers = g->x[0]; /* a sum of i32 wraps around, a mean does not */
    if (x && x->dtype == SE_I32)
        numbers = OP(b, cast, ATTRS(SE_INT(SE_F32)), numbers);
    se_ref total = OP(b, sum, g->attr, numbers);
    if (x && x->dtype == SE_BOOL)
        total = OP(b, cast, ATTRS(SE_INT(SE_F32)), total);
    g->y[0] = OP2(b, div, total, se_number(b, count));
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

#define REDUCTION(NAME, KERNEL, DOC, SHAPE, SAMPLE, ...)                                           \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x axes:axes={} keep:bool=false",                          \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .cpu = SE_KERNEL(KERNEL),                                          \
                                .scratch = reduce_scratch,                                         \
                                .sample = SAMPLE,                                                  \
                                __VA_ARGS__}
#define AXES_SAMPLE(T)                                                                             \
    "x:" T "[3x4]; x:" T "[3x4] axes={-1}; x:" T "[3x4] axes={0} keep=true; x:" T                  \
    "[2x3x4] axes={0,2}; x:" T "[2x3x4x5] axes={1,3}; x:" T "[]; x:" T "[1x5x1] axes={0}; x:" T    \
    "[2x3x4x5] axes={0,2} keep=true; x:" T "[301x167] axes={1}; x:" T "[1301x67] axes={0}; x:" T   \
    "[200001]; x:" T "[2x100001] axes={1}; x:" T "[3x1100x20] axes={1}"

REDUCTION(sum, sum, "sum over axes (all of them when none is named); of bool: how many are true",
          sum_shape,
          AXES_SAMPLE("f32") "; " AXES_SAMPLE("i32") "; x:bool[301x167] axes={0}; x:bool[9]; "
                                                     "x:f32[0x3] axes={0}; x:f32[3x0]",
          .grad = sum_grad);
REDUCTION(max, max, "the largest element over axes; equal ones share the gradient evenly",
          extreme_shape,
          AXES_SAMPLE("f32") "; x:f32[2x3]=1,1,0,2,2,2 axes={1} -grad; x:i32[3x4]@-9..9 axes={0}; "
                             "x:f32[0x3] axes={1}",
          .grad = extreme_grad);
REDUCTION(min, min, "the smallest element over axes; equal ones share the gradient evenly",
          extreme_shape, AXES_SAMPLE("f32") "; x:i32[3x4]@-9..9 axes={0}", .grad = extreme_grad);
REDUCTION(all, min, "true where every element over the axes is true", bool_shape,
          "x:bool[3x4] axes={1}; x:bool[3x4]; x:bool[301x167] axes={0}; x:bool[0x2] axes={0}");
REDUCTION(any, max, "true where an element over the axes is true", bool_shape,
          "x:bool[3x4] axes={1}; x:bool[3x4]; x:bool[301x167] axes={0}; x:bool[0x2] axes={0}");

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

#define ARG(NAME, DOC)                                                                             \
    const se_op se_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .args = "x axis:axis=-1",                                                                  \
        .doc = DOC,                                                                                \
        .shape = arg_shape,                                                                        \
        .cpu = SE_KERNEL(NAME),                                                                    \
        .sample = "x:f32[3x4]; x:f32[3x4] axis=0; x:i32[2x30x4] axis=1; x:f32[301x167]; "          \
                  "x:i32[7]=3,1,3,1,0,3,0; x:f32[40x3x1100] axis=1; x:f32[4]=1,nan,2,nan",         \
    }
ARG(argmax, "place (from 0) of the largest element along an axis, the first of equals");
ARG(argmin, "place (from 0) of the smallest element along an axis, the first of equals");
