/* Over any one axis: softmax, log_softmax, logsumexp, normalize, cosine, diff. The kernels of the
 * first four know the last one (norm.c): another axis is brought there and back. */
#include "ops/compose.h"

SE_OP_EXTERN(log_softmax_last);
SE_OP_EXTERN(logsumexp_last);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(normalize_last);
SE_OP_EXTERN(not_equal);
SE_OP_EXTERN(softmax_last);
SE_OP_EXTERN(sqrt);

/* x is f32 with at least one axis; attribute 0 names one that is not empty. */
static se_status want_axis(const se_shape *s, int *axis)
{
    char type[SE_TYPE_TEXT];
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = se_axis(s, s->attr[0].i, s->in[0].rank, axis)))
        return status;
    if (s->in[0].dim[*axis] == 0)
        return SE_SHAPE_FAIL(s, "x needs an axis that is not empty: %s came",
                             se_type_print(&s->in[0], type));
    return SE_OK;
}

static se_status axis_shape(const se_shape *s)
{
    int axis;
    se_status status = want_axis(s, &axis);
    return status ? status : se_shape_like_first(s);
}

/* The axis of attribute 0, counted from 0. */
static int axis_of(const se_rule *g)
{
    int rank = se_ref_type(g->x[0])->rank;
    int64_t axis = g->attr[0].i;
    return (int)(axis < 0 ? axis + rank : axis);
}

/* x with `axis` and the last one exchanged: its own inverse. */
static se_ref exchange(se_build *b, se_ref x, int axis)
{
    const se_type *t = se_ref_type(x);
    if (!t || axis == t->rank - 1)
        return x;
    int64_t order[SE_MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        order[i] = i;
    order[axis] = t->rank - 1;
    order[t->rank - 1] = axis;
    return se_permute(b, x, t->rank, order);
}

static void softmax_expand(se_build *b, const se_rule *g)
{
    int axis = axis_of(g);
    g->y[0] = exchange(b, OP1(b, softmax_last, exchange(b, g->x[0], axis)), axis);
}

static void log_softmax_expand(se_build *b, const se_rule *g)
{
    int axis = axis_of(g);
    g->y[0] = exchange(b, OP1(b, log_softmax_last, exchange(b, g->x[0], axis)), axis);
}

static void normalize_expand(se_build *b, const se_rule *g)
{
    int axis = axis_of(g);
    se_ref x = exchange(b, g->x[0], axis);
    g->y[0] = exchange(b, OP(b, normalize_last, ATTRS(SE_NUM(g->attr[1].f)), x), axis);
}

#define SAMPLE                                                                                     \
    "x:f32[5x7]; x:f32[4x3x5] axis=0; x:f32[2x3x33]@-3..3 axis=1; x:f32[0x3]; "                    \
    "x:f32[211x200] axis=-2; x:f32[1]"
#define OVER_AXIS(NAME, ARGS, DOC)                                                                 \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = ARGS,                                                      \
                                .doc = DOC,                                                        \
                                .shape = axis_shape,                                               \
                                .expand = NAME##_expand,                                           \
                                .sample = SAMPLE}

OVER_AXIS(softmax, "x axis:axis=-1", "exp(x) / sum(exp(x)) over an axis");
OVER_AXIS(log_softmax, "x axis:axis=-1", "x - log(sum(exp(x))) over an axis");
OVER_AXIS(normalize, "x axis:axis=-1 eps:num=1e-12",
          "x / max(|x|, eps) over an axis: rows of length 1");

/* --- logsumexp --- */

static void without_axis(const se_type *t, int axis, bool keep, se_type *out)
{
    int64_t dim[SE_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < t->rank; i++)
        if (i != axis || keep)
            dim[rank++] = i == axis ? 1 : t->dim[i];
    *out = se_type_make(SE_F32, rank, dim);
}

static se_status logsumexp_shape(const se_shape *s)
{
    int axis;
    se_status status = want_axis(s, &axis);
    if (!status)
        without_axis(&s->in[0], axis, s->attr[1].i != 0, &s->out[0]);
    return status;
}

static void logsumexp_expand(se_build *b, const se_rule *g)
{
    se_type out;
    int axis = axis_of(g), last = se_ref_type(g->x[0])->rank - 1;
    bool keep = g->attr[1].i != 0;
    se_ref x = exchange(b, g->x[0], axis);
    if (axis == last) {
        g->y[0] = OP(b, logsumexp_last, ATTRS(SE_INT(keep)), x);
        return;
    }
    se_ref y = exchange(b, OP(b, logsumexp_last, ATTRS(SE_INT(1)), x), axis);
    without_axis(se_ref_type(g->x[0]), axis, keep, &out);
    g->y[0] = se_reshape_to(b, y, out.rank, out.dim);
}

const se_op se_op_logsumexp = {
    .name = "logsumexp",
    .args = "x axis:axis=-1 keep:bool=false",
    .doc = "log(sum(exp(x))) over an axis",
    .shape = logsumexp_shape,
    .expand = logsumexp_expand,
    .sample = SAMPLE "; x:f32[4x3x5] axis=1 keep=true; x:f32[4x3] keep=true",
};

/* --- cosine --- */

static se_status cosine_shape(const se_shape *s)
{
    int axis;
    se_status status = se_shape_want(s, 1, SE_F32, -1);
    if (status || (status = se_shape_want(s, 0, SE_F32, -1)) || (status = se_shape_broadcast(s)))
        return status;
    se_type all = s->out[0];
    status = se_axis(s, s->attr[0].i, all.rank, &axis);
    if (!status)
        without_axis(&all, axis, false, &s->out[0]);
    return status;
}

static se_ref sum_over(se_build *b, se_ref x, int axis)
{
    return OP(b, sum, ATTRS({.n = 1, .list = {axis}}, SE_INT(0)), x);
}

/* The limit is set on the squared length, so that a row of zeros has gradient 0 / eps, not a nan.
 */
static se_ref length_of(se_build *b, se_ref x, int axis, double eps)
{
    se_ref squares = sum_over(b, OP2(b, mul, x, x), axis);
    return OP1(b, sqrt, OP2(b, maximum, squares, se_number(b, eps * eps)));
}

static void cosine_expand(se_build *b, const se_rule *g)
{
    se_ref product = OP2(b, mul, g->x[0], g->x[1]);
    if (!se_ref_ok(product))
        return;
    const se_type *all = se_ref_type(product);
    int64_t axis = g->attr[0].i < 0 ? g->attr[0].i + all->rank : g->attr[0].i;
    se_ref length[2];
    for (int i = 0; i < 2; i++)
        length[i] = length_of(b, se_stretch(b, g->x[i], all), (int)axis, g->attr[1].f);
    g->y[0] = OP2(b, div, sum_over(b, product, (int)axis), OP2(b, mul, length[0], length[1]));
}

const se_op se_op_cosine = {
    .name = "cosine",
    .args = "x y axis:axis=-1 eps:num=1e-8",
    .doc = "cosine of the angle between x and y over an axis",
    .shape = cosine_shape,
    .expand = cosine_expand,
    .promote = true,
    .floats = true,
    .sample =
        "x:f32[5x7] y:f32[5x7]; x:f32[5x7] y:f32[7]; x:f32[4x3x5] y:f32[4x3x1] axis=1; "
        "x:f32[2x3]=0,0,0,0,0,0! y:f32[3]; x:f32[0x3] y:f32[3]; x:f32[211x200] y:f32[211x200]",
};

/* --- diff --- */

enum { MOST_DIFFS = 100 }; /* each is three nodes */

static se_status diff_shape(const se_shape *s)
{
    int axis;
    se_status status = se_axis(s, s->attr[1].i, s->in[0].rank, &axis);
    if (status)
        return status;
    if (s->attr[0].i < 0 || s->attr[0].i > MOST_DIFFS)
        return SE_SHAPE_FAIL(s, "n = %lld: 0 to %d is wanted", (long long)s->attr[0].i, MOST_DIFFS);
    s->out[0] = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    int64_t size = s->in[0].dim[axis];
    s->out[0].dim[axis] = size > s->attr[0].i ? size - s->attr[0].i : 0;
    return SE_OK;
}

static void diff_expand(se_build *b, const se_rule *g)
{
    const se_type *t = se_ref_type(g->x[0]);
    int64_t axis = g->attr[1].i < 0 ? g->attr[1].i + t->rank : g->attr[1].i, size = t->dim[axis];
    se_ref y = g->x[0];
    for (int64_t i = 0; i < g->attr[0].i && size > 0 && se_ref_ok(y); i++, size--) {
        se_ref next = OP(b, slice, ATTRS(SE_INT(axis), SE_INT(1), SE_INT(size), SE_INT(1)), y);
        se_ref here = OP(b, slice, ATTRS(SE_INT(axis), SE_INT(0), SE_INT(size - 1), SE_INT(1)), y);
        y = t->dtype == SE_BOOL ? OP2(b, not_equal, next, here) : OP2(b, sub, next, here);
    }
    g->y[0] = y;
}

const se_op se_op_diff = {
    .name = "diff",
    .args = "x n:int=1 axis:axis=-1",
    .doc = "each element less the one before it along an axis, n times; of bool, where they differ",
    .shape = diff_shape,
    .expand = diff_expand,
    .sample =
        "x:f32[5x7]; x:f32[4x3] axis=0; x:f32[4x3x2] n=2 axis=1; x:f32[3] n=9; x:f32[2x3] n=0; "
        "x:i32[5]; x:bool[2x5]; x:f32[0x3]; x:f32[3x0]; x:f32[301x167]",
};
