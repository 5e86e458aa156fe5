/* Elements put in another order or repeated, all written as slices, stretches and joins. */
#include "kernels/shape.h"
#include "ops/compose.h"

#include <math.h>

SE_OP_EXTERN(cast);
SE_OP_EXTERN(concat);
SE_OP_EXTERN(unsqueeze);

static se_ref slice_of(se_build *b, se_ref x, int axis, int64_t start, int64_t stop, int64_t step)
{
    return OP(b, slice, ATTRS(SE_INT(axis), SE_INT(start), SE_INT(stop), SE_INT(step)), x);
}

/* An axis or a size that the caller named, resolved: the shape rule has checked it. */
static int from_end(int64_t axis, int rank)
{
    return (int)(axis < 0 ? axis + rank : axis);
}

/* --- stack --- */

static se_status stack_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    int axis = 0, rank = s->in[0].rank;
    if (rank == SE_MAX_RANK)
        return SE_SHAPE_FAIL(s, "the tensors have %d axes already: more are not possible", rank);
    se_status status = se_axis(s, s->attr[0].i, rank + 1, &axis);
    if (status)
        return status;
    for (int k = 1; k < s->n_in; k++)
        if (!se_shape_same_dims(&s->in[k], &s->in[0]))
            return SE_SHAPE_FAIL(s, "tensors 1 and %d differ in shape: %s and %s", k + 1,
                                 se_type_print(&s->in[0], a), se_type_print(&s->in[k], c));
    se_type t = {.dtype = s->in[0].dtype, .rank = (uint8_t)(rank + 1)};
    for (int i = 0; i <= rank; i++)
        t.dim[i] = i == axis ? s->n_in : s->in[0].dim[i - (i > axis)];
    s->out[0] = t;
    return SE_OK;
}

static void stack_expand(se_build *b, const se_rule *g)
{
    se_attr axis = SE_INT(from_end(g->attr[0].i, se_ref_type(g->x[0])->rank + 1));
    se_ref each[SE_MAX_INPUTS];
    for (int k = 0; k < g->n_in; k++)
        each[k] = OP(b, unsqueeze, &axis, g->x[k]);
    g->y[0] = se_op_apply(b, &se_op_concat, &axis, g->n_in, each);
}

const se_op se_op_stack = {
    .name = "stack",
    .args = "xs* axis:axis=0",
    .doc = "tensors of one shape side by side along a new axis",
    .shape = stack_shape,
    .expand = stack_expand,
    .sample = "xs:f32[2x3] xs:f32[2x3] axis=-1; xs:f32[] xs:f32[] xs:f32[]; xs:i32[2]; "
              "xs:bf16[2x1] xs:bf16[2x1] axis=1; xs:f32[0x3] xs:f32[0x3]; xs:bool[2] xs:f32[2]; "
              "xs:f32[201x167] xs:f32[201x167] axis=1",
    .promote = true,
    .bf16 = true,
};

/* --- flip, roll --- */

static se_status flip_shape(const se_shape *s)
{
    uint32_t seen = 0;
    for (int i = 0; i < s->attr[0].n; i++) {
        int axis = 0;
        se_status status = se_axis(s, s->attr[0].list[i], s->in[0].rank, &axis);
        if (status)
            return status;
        if (seen >> axis & 1)
            return SE_SHAPE_FAIL(s, "axis %d is named twice", axis + 1);
        seen |= 1u << axis;
    }
    return se_shape_like_first(s);
}

static void flip_expand(se_build *b, const se_rule *g)
{
    const se_type *t = se_ref_type(g->x[0]);
    g->y[0] = g->x[0];
    for (int i = 0; i < g->attr[0].n; i++) {
        int axis = from_end(g->attr[0].list[i], t->rank);
        g->y[0] = slice_of(b, g->y[0], axis, -1, -1 - t->dim[axis], -1);
    }
}

const se_op se_op_flip = {
    .name = "flip",
    .args = "x axes:axes",
    .doc = "x backwards along each of the axes",
    .shape = flip_shape,
    .expand = flip_expand,
    .sample = "x:f32[2x3] axes={1} -rows; x:f32[2x3x4] axes={0,-1} -rows; x:f32[] axes={}; "
              "x:i32[5] axes={0} -rows; x:f32[0x3] axes={0,1}; x:bf16[3x2] axes={0} -rows; "
              "x:f32[301x167] axes={0,1} -rows",
    .bf16 = true,
};

static se_status roll_shape(const se_shape *s)
{
    int axis = 0;
    se_status status = se_axis(s, s->attr[1].i, s->in[0].rank, &axis);
    return status ? status : se_shape_like_first(s);
}

static void roll_expand(se_build *b, const se_rule *g)
{
    const se_type *t = se_ref_type(g->x[0]);
    int axis = from_end(g->attr[1].i, t->rank);
    int64_t n = t->dim[axis], shift = n ? g->attr[0].i % n : 0;
    shift += shift < 0 ? n : 0;
    g->y[0] = g->x[0];
    if (shift == 0)
        return;
    se_ref end = slice_of(b, g->x[0], axis, n - shift, n, 1);
    se_ref rest = slice_of(b, g->x[0], axis, 0, n - shift, 1);
    g->y[0] = OP(b, concat, ATTRS(SE_INT(axis)), end, rest);
}

const se_op se_op_roll = {
    .name = "roll",
    .args = "x shift:int axis:axis",
    .doc = "x moved by `shift` places along an axis; what falls off the end comes in at the front",
    .shape = roll_shape,
    .expand = roll_expand,
    .sample = "x:f32[5] shift=2 axis=0; x:f32[2x3] shift=-1 axis=-1; x:f32[2x3] shift=7 axis=1; "
              "x:i32[4x2] shift=-9 axis=0; x:f32[1x3] shift=1 axis=0; x:f32[0x3] shift=2 axis=0; "
              "x:bf16[4] shift=1 axis=0; x:bool[4] shift=0 axis=0; x:f32[301x167] shift=60 axis=1",
    .bf16 = true,
};

/* --- pad --- */

/* The value must be one that x's dtype has. */
static se_status check_value(const se_shape *s, double v)
{
    if (s->in[0].dtype == SE_I32 && !(v >= INT32_MIN && v <= INT32_MAX && v == floor(v)))
        return SE_SHAPE_FAIL(s, "value %g is no i32, which x is", v);
    return SE_OK;
}

static se_status pad_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    const se_attr *before = &s->attr[0], *after = &s->attr[1];
    int rank = s->in[0].rank;
    if (before->n != rank || after->n != rank)
        return SE_SHAPE_FAIL(s, "before has %d sizes and after %d: %s has %d axes", before->n,
                             after->n, se_type_print(&s->in[0], text), rank);
    se_type t = se_type_make((se_dtype)s->in[0].dtype, rank, s->in[0].dim);
    for (int i = 0; i < rank; i++) {
        int64_t most = (int64_t)1 << 48, lead = before->list[i], tail = after->list[i];
        if (lead < 0 || tail < 0 || lead > most || tail > most)
            return SE_SHAPE_FAIL(s, "%lld before and %lld after axis %d: 0 or more are wanted",
                                 (long long)lead, (long long)tail, i + 1);
        t.dim[i] += lead + tail;
    }
    s->out[0] = t;
    return check_value(s, s->attr[2].f);
}

static se_ref filled(se_build *b, const se_type *like, int axis, int64_t size, double value)
{
    se_type t = se_type_make((se_dtype)like->dtype, like->rank, like->dim);
    bool whole = t.dtype == SE_I32;
    se_ref v = whole ? se_number_i32(b, (int64_t)value) : se_number(b, value);
    t.dim[axis] = size;
    if (t.dtype != SE_F32 && !whole)
        v = OP(b, cast, ATTRS(SE_INT(t.dtype)), v);
    return se_stretch(b, v, &t);
}

static void pad_expand(se_build *b, const se_rule *g)
{
    int rank = se_ref_type(g->x[0])->rank;
    se_ref y = g->x[0];
    for (int axis = 0; axis < rank && se_ref_ok(y); axis++) {
        int64_t before = g->attr[0].list[axis], after = g->attr[1].list[axis];
        double value = g->attr[2].f;
        se_type now = *se_ref_type(y);
        se_ref part[3];
        int n = 0;
        if (before)
            part[n++] = filled(b, &now, axis, before, value);
        part[n++] = y;
        if (after)
            part[n++] = filled(b, &now, axis, after, value);
        if (n > 1)
            y = se_op_apply(b, &se_op_concat, ATTRS(SE_INT(axis)), n, part);
    }
    g->y[0] = y;
}

const se_op se_op_pad = {
    .name = "pad",
    .args = "x before:ints after:ints value:num=0",
    .doc = "x with before[i] and after[i] more elements around it on axis i, all of that value",
    .shape = pad_shape,
    .expand = pad_expand,
    .sample = "x:f32[2x3] before={1,0} after={0,2}; x:f32[3] before={0} after={0} value=1; "
              "x:f32[] before={} after={}; x:i32[2] before={1} after={1} value=-7; "
              "x:bool[2] before={1} after={0} value=1; x:bf16[2x1] before={0,1} after={1,0} "
              "value=0.5; x:f32[0x3] before={1,1} after={1,1} value=2; "
              "x:f32[201x167] before={50,1} after={50,2} value=-1",
    .bf16 = true,
};

/* --- tile, expand --- */

static se_status tile_shape(const se_shape *s)
{
    const se_attr *reps = &s->attr[0];
    int own = s->in[0].rank, rank = reps->n > own ? reps->n : own;
    se_type t = {.dtype = s->in[0].dtype, .rank = (uint8_t)rank};
    for (int i = 0; i < rank; i++) {
        int k = i - (rank - own), r = i - (rank - reps->n);
        int64_t size = k < 0 ? 1 : s->in[0].dim[k], times = r < 0 ? 1 : reps->list[r];
        if (times < 0)
            return SE_SHAPE_FAIL(s, "reps[%d] = %lld: 0 or more is wanted", r + 1,
                                 (long long)times);
        if (__builtin_mul_overflow(size, times, &t.dim[i]) || t.dim[i] > (int64_t)1 << 48)
            return SE_SHAPE_FAIL(s, "axis %d would have %lld times %lld elements", i + 1,
                                 (long long)times, (long long)size);
    }
    s->out[0] = t;
    return SE_OK;
}

/* One axis: [outer, inner] -> [outer, times, inner], where inner begins with that axis. */
static se_ref repeated(se_build *b, se_ref x, int axis, int64_t times)
{
    if (!se_ref_ok(x) || times == 1)
        return x;
    se_type t = *se_ref_type(x), block = {.dtype = t.dtype, .rank = 3, .dim = {1, 1, 1}};
    for (int i = 0; i < t.rank; i++)
        block.dim[i < axis ? 0 : 2] *= t.dim[i];
    x = se_reshape_to(b, x, 3, block.dim);
    block.dim[1] = times;
    t.dim[axis] *= times;
    return se_reshape_to(b, se_stretch(b, x, &block), t.rank, t.dim);
}

static void tile_expand(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    const se_attr *reps = &g->attr[0];
    se_ref y = g->x[0];
    int more = reps->n - x->rank, rank = more > 0 ? reps->n : x->rank;
    if (more > 0) {
        int64_t dim[SE_MAX_RANK];
        for (int i = 0; i < rank; i++)
            dim[i] = i < more ? 1 : x->dim[i - more];
        y = se_reshape_to(b, y, rank, dim);
    }
    for (int r = reps->n; r-- > 0;) /* the last axis first: its copies are the smallest */
        y = repeated(b, y, r + rank - reps->n, reps->list[r]);
    g->y[0] = y;
}

const se_op se_op_tile = {
    .name = "tile",
    .args = "x reps:ints",
    .doc = "copies of x side by side: reps[i] along axis i; more reps than axes make axes in front",
    .shape = tile_shape,
    .expand = tile_expand,
    .sample = "x:f32[2x3] reps={2,1}; x:f32[2x3] reps={2}; x:f32[3] reps={2,2}; x:f32[] reps={3}; "
              "x:i32[2] reps={0}; x:bool[1x2] reps={2,3}; x:f32[0x3] reps={2,2}; "
              "x:bf16[2x2] reps={1,2}; x:f32[2x3] reps={}; x:f32[101x167] reps={2,2}",
    .bf16 = true,
};

/* The sizes with -1 filled in; what is wrong with them is left to broadcast_to. */
static se_status expand_dims(const se_shape *s, const se_type *x, const se_attr *dims, se_attr *to)
{
    int more = dims->n - x->rank;
    *to = *dims;
    for (int i = 0; i < dims->n; i++) {
        if (dims->list[i] != -1)
            continue;
        if (s && i < more)
            return SE_SHAPE_FAIL(s, "size -1 of axis %d: a new axis has no size to keep", i + 1);
        to->list[i] = x->dim[i - more];
    }
    return SE_OK;
}

static se_status expand_shape(const se_shape *s)
{
    se_attr dims;
    if (s->attr[0].n < s->in[0].rank)
        return SE_SHAPE_FAIL(s, "%d sizes for a tensor of %d axes", s->attr[0].n, s->in[0].rank);
    se_status status = expand_dims(s, &s->in[0], &s->attr[0], &dims);
    if (status)
        return status;
    se_shape as = *s;
    as.attr = &dims;
    return se_op_broadcast_to.shape(&as);
}

static void expand_expand(se_build *b, const se_rule *g)
{
    se_attr dims;
    expand_dims(NULL, se_ref_type(g->x[0]), &g->attr[0], &dims);
    g->y[0] = OP(b, broadcast_to, &dims, g->x[0]);
}

const se_op se_op_expand = {
    .name = "expand",
    .args = "x dims:ints",
    .doc = "x repeated along axes of size 1, and along new axes in front; -1 keeps an axis",
    .shape = expand_shape,
    .expand = expand_expand,
    .sample = "x:f32[3x1] dims={-1,4}; x:f32[3] dims={2,-1}; x:f32[] dims={2}; x:i32[1x2] "
              "dims={0,-1}; x:bf16[1x2] dims={3,2}; x:f32[1x3] dims={-1,-1}; x:f32[301x1] "
              "dims={-1,167}",
    .bf16 = true,
};
