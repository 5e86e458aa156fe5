/* Shapes: views that move nothing (alias), and views made contiguous. */
#include "hlo.h"
#include "kernels/shape.h"
#include "op.h"

SE_KERNEL_DECLARE(transpose);
SE_KERNEL_DECLARE(permute);
SE_KERNEL_DECLARE(broadcast_to);
SE_KERNEL_DECLARE(slice);
SE_KERNEL_DECLARE(pad_slice);
SE_KERNEL_DECLARE(concat);

SE_OP_EXTERN(transpose);
SE_OP_EXTERN(permute);
SE_OP_EXTERN(slice);
SE_OP_EXTERN(pad_slice);

static int from_end(int64_t axis, int rank)
{
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Checks sizes given by the caller: how many, none negative, a product that can be held. */
static se_status check_dims(const se_shape *s, const se_attr *dims)
{
    if (dims->n < 0 || dims->n > SE_MAX_RANK)
        return SE_SHAPE_FAIL(s, "%d axes: at most %d are possible", dims->n, SE_MAX_RANK);
    se_type t = se_type_make(SE_F32, dims->n, dims->list);
    for (int i = 0; i < dims->n; i++)
        if (dims->list[i] < -1)
            return SE_SHAPE_FAIL(s, "size %lld of axis %d: 0 or more is wanted",
                                 (long long)dims->list[i], i + 1);
    if (se_type_span(&t) > SE_MAX_SPAN)
        return SE_SHAPE_FAIL(s, "the sizes multiply to %.3g", se_type_span(&t));
    return SE_OK;
}

/* --- reshape, squeeze, unsqueeze --- */

static se_status reshape_shape(const se_shape *s)
{
    char from[SE_TYPE_TEXT], to[SE_TYPE_TEXT];
    se_status status = check_dims(s, &s->attr[0]);
    if (status)
        return status;
    se_type t = se_type_make((se_dtype)s->in[0].dtype, s->attr[0].n, s->attr[0].list);
    int64_t known = 1, count = se_type_count(&s->in[0]);
    int open = -1;
    for (int i = 0; i < t.rank; i++) {
        if (t.dim[i] >= 0)
            known *= t.dim[i];
        else if (open >= 0)
            return SE_SHAPE_FAIL(s, "two sizes are left open (-1): axes %d and %d", open + 1,
                                 i + 1);
        else
            open = i;
    }
    if (open >= 0 && known > 0 && count % known == 0)
        t.dim[open] = count / known;
    else if (open >= 0)
        return SE_SHAPE_FAIL(s, "%lld elements of %s cannot be divided into groups of %lld",
                             (long long)count, se_type_print(&s->in[0], from), (long long)known);
    if (se_type_count(&t) != count)
        return SE_SHAPE_FAIL(s, "%s cannot become %s: %lld and %lld elements",
                             se_type_print(&s->in[0], from), se_type_print(&t, to),
                             (long long)count, (long long)se_type_count(&t));
    s->out[0] = t;
    return SE_OK;
}

static void reshape_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    g->dx[0] = se_reshape_to(b, g->dy[0], x->rank, x->dim);
}

const se_op se_op_reshape = {
    .name = "reshape",
    .args = "x dims:ints",
    .doc = "the same elements in another shape; one size may be -1: what is left",
    .shape = reshape_shape,
    .grad = reshape_grad,
    .hlo = se_hlo_same,
    .sample =
        "x:f32[2x6] dims={3,4}; x:f32[2x6] dims={-1}; x:f32[] dims={1,1}; x:i32[6] dims={2,-1}; "
        "x:f32[0x3] dims={3,0}; x:bf16[4] dims={2,2}; x:f32[301x168] dims={-1,12} -rows",
    .bf16 = true,
    .rowwise = true, /* where the first axis keeps its size */
    .alias = true,
};

static se_status squeeze_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    int axis = 0, rank = s->in[0].rank;
    se_status status = se_axis(s, s->attr[0].i, rank, &axis);
    if (status)
        return status;
    if (s->in[0].dim[axis] != 1)
        return SE_SHAPE_FAIL(s, "axis %d of %s is not of size 1", axis + 1,
                             se_type_print(&s->in[0], text));
    se_type t = {.dtype = s->in[0].dtype};
    for (int i = 0; i < rank; i++)
        if (i != axis)
            t.dim[t.rank++] = s->in[0].dim[i];
    s->out[0] = t;
    return SE_OK;
}

const se_op se_op_squeeze = {
    .name = "squeeze",
    .args = "x axis:axis",
    .doc = "x without an axis of size 1",
    .shape = squeeze_shape,
    .grad = reshape_grad,
    .hlo = se_hlo_same,
    .sample = "x:f32[2x1x3] axis=1; x:f32[1] axis=-1; x:bool[1x4] axis=0",
    .bf16 = true,
    .rowwise = true, /* where the first axis keeps its size */
    .alias = true,
};

static se_status unsqueeze_shape(const se_shape *s)
{
    int axis = 0, rank = s->in[0].rank;
    if (rank == SE_MAX_RANK)
        return SE_SHAPE_FAIL(s, "x has %d axes already: more are not possible", rank);
    se_status status = se_axis(s, s->attr[0].i, rank + 1, &axis);
    if (status)
        return status;
    se_type t = {.dtype = s->in[0].dtype, .rank = (uint8_t)(rank + 1)};
    for (int i = 0; i <= rank; i++)
        t.dim[i] = i == axis ? 1 : s->in[0].dim[i - (i > axis)];
    s->out[0] = t;
    return SE_OK;
}

const se_op se_op_unsqueeze = {
    .name = "unsqueeze",
    .args = "x axis:axis",
    .doc = "x with a new axis of size 1 at that place",
    .shape = unsqueeze_shape,
    .grad = reshape_grad,
    .hlo = se_hlo_same,
    .sample = "x:f32[2x3] axis=1; x:f32[] axis=0; x:i32[3] axis=-1",
    .bf16 = true,
    .rowwise = true, /* where the first axis keeps its size */
    .alias = true,
};

/* --- transpose, permute --- */

static se_status transpose_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    se_type t = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    if (t.rank < 2)
        return SE_SHAPE_FAIL(s, "%s came, two axes or more are wanted",
                             se_type_print(&s->in[0], text));
    t.dim[t.rank - 2] = s->in[0].dim[t.rank - 1];
    t.dim[t.rank - 1] = s->in[0].dim[t.rank - 2];
    s->out[0] = t;
    return SE_OK;
}

static void transpose_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP1(b, transpose, g->dy[0]);
}

static void transpose_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t axes[SE_MAX_RANK];
    int rank = r->x[0].rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    r->y[0] = se_hlo_permute(h, r->x[0], axes);
}

const se_op se_op_transpose = {
    .name = "transpose",
    .args = "x",
    .doc = "x with its last two axes swapped; matmul takes it in without a copy",
    .shape = transpose_shape,
    .cpu = SE_KERNEL(transpose),
    .hlo = transpose_hlo,
    .grad = transpose_grad,
    .sample = "x:f32[2x3]; x:f32[4x2x3]; x:i32[1x3]; x:bool[3x5]; x:bf16[3x5]; x:f32[0x3]; "
              "x:f32[301x167]; x:f32[70x33x40]",
    .bf16 = true,
};

static se_status permute_shape(const se_shape *s)
{
    const se_attr *axes = &s->attr[0];
    int rank = s->in[0].rank;
    uint32_t seen = 0;
    if (axes->n != rank)
        return SE_SHAPE_FAIL(s, "%d axes are named, x has %d", axes->n, rank);
    se_type t = {.dtype = s->in[0].dtype, .rank = (uint8_t)rank};
    for (int i = 0; i < rank; i++) {
        int axis = 0;
        se_status status = se_axis(s, axes->list[i], rank, &axis);
        if (status)
            return status;
        if (seen >> axis & 1)
            return SE_SHAPE_FAIL(s, "axis %d is named twice", axis + 1);
        seen |= 1u << axis;
        t.dim[i] = s->in[0].dim[axis];
    }
    s->out[0] = t;
    return SE_OK;
}

static void permute_grad(se_build *b, const se_rule *g)
{
    se_attr back = {.n = g->attr[0].n};
    for (int i = 0; i < back.n; i++)
        back.list[from_end(g->attr[0].list[i], back.n)] = i;
    g->dx[0] = OP(b, permute, ATTRS(back), g->dy[0]);
}

static void permute_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t axes[SE_MAX_RANK];
    for (int i = 0; i < r->x[0].rank; i++)
        axes[i] = from_end(r->attr[0].list[i], r->x[0].rank);
    r->y[0] = se_hlo_permute(h, r->x[0], axes);
}

const se_op se_op_permute = {
    .name = "permute",
    .args = "x axes:axes",
    .doc = "x with its axes in another order: axis i of the result is axis axes[i] of x",
    .shape = permute_shape,
    .cpu = SE_KERNEL(permute),
    .hlo = permute_hlo,
    .grad = permute_grad,
    .sample = "x:f32[2x3] axes={1,0}; x:f32[2x3x4] axes={2,0,1}; x:f32[2x3x4x5] axes={0,2,1,-1}; "
              "x:f32[] axes={}; x:i32[2x3x4] axes={1,2,0}; x:bool[2x3] axes={0,1}; "
              "x:f32[40x30x3x20] axes={3,1,0,2}; x:f32[40x30x3x20] axes={0,2,1,3}; "
              "x:bf16[5x6x7] axes={2,1,0}",
    .bf16 = true,
};

/* --- broadcast_to --- */

static se_status broadcast_to_shape(const se_shape *s)
{
    char from[SE_TYPE_TEXT], to[SE_TYPE_TEXT];
    se_status status = check_dims(s, &s->attr[0]);
    if (status)
        return status;
    se_type t = se_type_make((se_dtype)s->in[0].dtype, s->attr[0].n, s->attr[0].list), both;
    for (int i = 0; i < t.rank; i++)
        if (t.dim[i] < 0)
            return SE_SHAPE_FAIL(s, "size %lld of axis %d: 0 or more is wanted",
                                 (long long)t.dim[i], i + 1);
    if (!se_type_broadcast(&s->in[0], &t, &both) || !se_shape_same_dims(&both, &t))
        return SE_SHAPE_FAIL(s,
                             "%s cannot be stretched to %s: axes must be equal or 1, from the last",
                             se_type_print(&s->in[0], from), se_type_print(&t, to));
    s->out[0] = t;
    return SE_OK;
}

static void broadcast_to_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = se_sum_to(b, g->dy[0], se_ref_type(g->x[0]));
}

static void broadcast_to_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_stretch(h, r->x[0], r->type[0].rank, r->type[0].dim);
}

const se_op se_op_broadcast_to = {
    .name = "broadcast_to",
    .args = "x dims:ints",
    .doc = "x repeated along axes of size 1, and along new axes in front",
    .shape = broadcast_to_shape,
    .cpu = SE_KERNEL(broadcast_to),
    .hlo = broadcast_to_hlo,
    .grad = broadcast_to_grad,
    .sample = "x:f32[3] dims={2,3}; x:f32[2x1] dims={2,4}; x:f32[] dims={2,2}; x:i32[1] dims={0}; "
              "x:bool[1x3x1] dims={2,3,2}; x:f32[3] dims={3}; x:bf16[1x2] dims={3,2}; "
              "x:f32[301x1] dims={301,167}; x:f32[167] dims={301,167}; x:f32[] dims={50001}",
    .bf16 = true,
};

/* --- slice --- */

static se_status slice_shape(const se_shape *s)
{
    int axis = 0;
    se_status status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    if (s->attr[3].i == 0)
        return SE_SHAPE_FAIL(s, "step is 0: 1 or more is wanted, or -1 or less to go backwards");
    s->out[0] = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    s->out[0].dim[axis] =
        se_range_of(s->in[0].dim[axis], s->attr[1].i, s->attr[2].i, s->attr[3].i).count;
    return SE_OK;
}

static void slice_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    int axis = from_end(g->attr[0].i, x->rank);
    int64_t size = x->dim[axis];
    se_range r = se_range_of(size, g->attr[1].i, g->attr[2].i, g->attr[3].i);
    g->dx[0] = OP(b, pad_slice, ATTRS(SE_INT(axis), SE_INT(r.first), SE_INT(size), SE_INT(r.step)),
                  g->dy[0]);
}

/* Backwards: forwards from the last item, then turned round. */
static void slice_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int axis = from_end(r->attr[0].i, r->x[0].rank);
    se_range at = se_range_of(r->x[0].dim[axis], r->attr[1].i, r->attr[2].i, r->attr[3].i);
    int64_t last = at.first + (at.count - 1) * at.step;
    if (at.count == 0)
        r->y[0] = se_hlo_slice(h, r->x[0], axis, 0, 0, 1);
    else if (at.step > 0)
        r->y[0] = se_hlo_slice(h, r->x[0], axis, at.first, last + 1, at.step);
    else
        r->y[0] =
            se_hlo_reverse(h, se_hlo_slice(h, r->x[0], axis, last, at.first + 1, -at.step), axis);
}

const se_op se_op_slice = {
    .name = "slice",
    .args = "x axis:axis start:int stop:int step:int=1",
    .doc = "x[start:stop:step] along an axis, by Python's rules: places from 0, stop not included, "
           "negative ones from the end, what lies outside is cut",
    .shape = slice_shape,
    .cpu = SE_KERNEL(slice),
    .hlo = slice_hlo,
    .grad = slice_grad,
    .sample =
        "x:f32[5] axis=0 start=1 stop=4; x:f32[3x5] axis=1 start=-3 stop=-1; "
        "x:f32[4x3] axis=0 start=2 stop=2; x:i32[2x3x4] axis=1 start=0 stop=2; "
        "x:bool[4] axis=0 start=0 stop=4 -rows; x:bf16[3x5] axis=1 start=2 stop=5; "
        "x:f32[301x167] axis=0 start=3 stop=300; x:f32[301x167] axis=1 start=3 stop=160; "
        "x:f32[9] axis=0 start=1 stop=8 step=3; x:f32[2x7x3] axis=1 start=-1 stop=-99 "
        "step=-2; x:f32[4x3] axis=1 start=7 stop=9; x:i32[5] axis=0 start=-99 stop=99 step=2; "
        "x:f32[5] axis=0 start=2 stop=0 step=-5; x:f32[0x3] axis=0 start=0 stop=5 step=-1; "
        "x:bf16[3x5] axis=1 start=4 stop=1 step=-1; x:bool[5x2] axis=0 start=3 stop=-6 step=-1 "
        "-rows; x:f32[301x167] axis=1 start=166 stop=-168 step=-1; "
        "x:f32[601x167] axis=0 start=600 stop=-602 step=-2",
    .rowwise = true, /* where the first axis keeps its size */
    .bf16 = true,
};

static se_status pad_slice_shape(const se_shape *s)
{
    int axis = 0;
    se_status status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    int64_t own = s->in[0].dim[axis], start = s->attr[1].i, size = s->attr[2].i, span;
    bool fits = size >= 0 && size <= (int64_t)1 << 48 && start >= 0 && s->attr[3].i != 0;
    if (fits && own > 0) {
        fits = !__builtin_mul_overflow(own - 1, s->attr[3].i, &span) &&
               !__builtin_add_overflow(start, span, &span) && start < size && span >= 0 &&
               span < size;
    }
    if (!fits)
        return SE_SHAPE_FAIL(s, "%lld items at %lld by steps of %lld do not fit into %lld",
                             (long long)own, (long long)start, (long long)s->attr[3].i,
                             (long long)size);
    s->out[0] = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    s->out[0].dim[axis] = size;
    return SE_OK;
}

static void pad_slice_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    int64_t own = x->dim[from_end(g->attr[0].i, x->rank)], start = g->attr[1].i;
    int64_t step = own > 1 ? g->attr[3].i : 1, last = start + (own - 1) * step;
    int64_t stop = own == 0 ? start : step > 0 ? last + 1 : last - 1;
    if (stop < 0)
        stop = -1 - g->attr[2].i; /* before the first, not the last */
    g->dx[0] = OP(b, slice, ATTRS(g->attr[0], g->attr[1], SE_INT(stop), SE_INT(step)), g->dy[0]);
}

static void pad_slice_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    int axis = from_end(r->attr[0].i, x.rank);
    int64_t n = x.dim[axis], first = r->attr[1].i, size = r->attr[2].i, step = r->attr[3].i;
    if (n == 0) {
        r->y[0] = se_hlo_fill(h, x.dtype, 0, r->type[0].rank, r->type[0].dim);
        return;
    }
    int64_t last = first + (n - 1) * step;
    if (n == 1)
        step = 1;
    if (step < 0)
        x = se_hlo_reverse(h, x, axis);
    int64_t from = step < 0 ? last : first, to = step < 0 ? first : last;
    r->y[0] = se_hlo_pad(h, x, axis, from, size - 1 - to, (step < 0 ? -step : step) - 1, 0);
}

const se_op se_op_pad_slice = {
    .name = "pad_slice",
    .of = "slice",
    .args = "x axis:axis start:int size:int step:int=1",
    .doc = "zeros of that size along an axis, with x from start on: the gradient of slice",
    .shape = pad_slice_shape,
    .cpu = SE_KERNEL(pad_slice),
    .hlo = pad_slice_hlo,
    .grad = pad_slice_grad,
    .sample = "x:f32[3] axis=0 start=1 size=5; x:f32[2x3] axis=-1 start=0 size=4; "
              "x:f32[0x3] axis=0 start=0 size=2; x:f32[301x160] axis=1 start=3 size=167; "
              "x:f32[3] axis=0 start=1 size=8 step=3; x:f32[3x2] axis=0 start=4 size=5 step=-2; "
              "x:bf16[2x3] axis=1 start=0 size=6 step=2; x:f32[301x80] axis=1 start=166 size=167 "
              "step=-2",
    .bf16 = true,
    .internal = true,
};

/* --- concat --- */

static se_status concat_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    int axis = 0;
    se_status status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    se_type t = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    for (int k = 1; k < s->n_in; k++) {
        bool fits = s->in[k].rank == t.rank;
        for (int i = 0; i < t.rank && fits; i++)
            fits = i == axis || s->in[k].dim[i] == t.dim[i];
        if (!fits)
            return SE_SHAPE_FAIL(s, "%s and %s differ in more than axis %d",
                                 se_type_print(&s->in[0], a), se_type_print(&s->in[k], c),
                                 axis + 1);
        t.dim[axis] += s->in[k].dim[axis];
    }
    s->out[0] = t;
    return SE_OK;
}

static void concat_grad(se_build *b, const se_rule *g)
{
    int64_t at = 0;
    for (int k = 0; k < g->n_in; k++) {
        const se_type *x = se_ref_type(g->x[k]);
        int axis = from_end(g->attr[0].i, x->rank);
        if (g->want[k])
            g->dx[k] =
                OP(b, slice, ATTRS(SE_INT(axis), SE_INT(at), SE_INT(at + x->dim[axis]), SE_INT(1)),
                   g->dy[0]);
        at += x->dim[axis];
    }
}

static void concat_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_concat(h, r->n_in, r->x, from_end(r->attr[0].i, r->x[0].rank));
}

const se_op se_op_concat = {
    .name = "concat",
    .args = "xs* axis:axis=0",
    .doc = "tensors joined along an axis",
    .shape = concat_shape,
    .cpu = SE_KERNEL(concat),
    .hlo = concat_hlo,
    .grad = concat_grad,
    .sample = "xs:f32[2x3] xs:f32[1x3]; xs:f32[2x3] xs:f32[2x1] xs:f32[2x0] axis=-1; xs:f32[3]; "
              "xs:i32[2] xs:i32[3]; xs:bool[1x2] xs:bool[1x2] axis=1; xs:bf16[2] xs:bf16[2]; "
              "xs:f32[201x167] xs:f32[100x167]; xs:f32[301x100] xs:f32[301x67] axis=1",
    .promote = true,
    .bf16 = true,
};
