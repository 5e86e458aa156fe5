/* Elements picked along any axis by ids: gather and its gradient, index_select. */
#include "hlo.h"
#include "ops/compose.h"

#include <stdio.h>

SE_OP_EXTERN(gather);
SE_OP_EXTERN(gather_grad);
SE_KERNEL_DECLARE(gather);
SE_KERNEL_DECLARE(gather_grad);
SE_KERNEL_DECLARE(index_select);

static int from_end(int64_t axis, int rank)
{
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Ids from 0 to size - 1, the sizes of `type` axis by axis where one is at fault. */
static se_status check_ids(const se_task *t, int64_t size)
{
    const int32_t *ids = t->in[1];
    const se_type *type = &t->in_type[1];
    int64_t n = se_type_count(type);
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] >= 0 && ids[i] < size)
            continue;
        char place[160] = "";
        int64_t left = i, index[SE_MAX_RANK];
        for (int k = type->rank; k-- > 0; left /= type->dim[k])
            index[k] = left % type->dim[k];
        for (int k = 0, at = 0; k < type->rank; k++)
            at += snprintf(place + at, sizeof place - (size_t)at, k ? ",%lld" : "%lld",
                           (long long)index[k]);
        return se_fail(SE_ERR_ARG, "id %d at [%s] is out of range: 0 to %lld there are", ids[i],
                       place, (long long)size - 1);
    }
    return SE_OK;
}

/* --- gather --- */

/* ids has as many axes as x, and is nowhere longer but on the axis itself. */
static se_status want_ids(const se_shape *s, const se_type *x, int axis)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    const se_type *ids = &s->in[1];
    if (ids->rank != x->rank)
        return SE_SHAPE_FAIL(s, "ids must have as many axes as x: %s and %s came",
                             se_type_print(ids, a), se_type_print(x, c));
    for (int i = 0; i < x->rank; i++)
        if (i != axis && ids->dim[i] > x->dim[i])
            return SE_SHAPE_FAIL(s, "ids are longer than x on axis %d: %s and %s", i + 1,
                                 se_type_print(ids, a), se_type_print(x, c));
    return SE_OK;
}

static se_status gather_shape(const se_shape *s)
{
    int axis = 0;
    se_status status = se_shape_want(s, 1, SE_I32, -1);
    if (!status)
        status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (!status)
        status = want_ids(s, &s->in[0], axis);
    if (!status)
        s->out[0] = se_type_make((se_dtype)s->in[0].dtype, s->in[1].rank, s->in[1].dim);
    return status;
}

static se_status gather_check(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    return check_ids(t, x->dim[from_end(t->attr[0].i, x->rank)]);
}

static se_attr dims_of(const se_type *t)
{
    se_attr dims = {.n = t->rank};
    for (int i = 0; i < t->rank; i++)
        dims.list[i] = t->dim[i];
    return dims;
}

static void gather_rule(se_build *b, const se_rule *g)
{
    se_attr dims = dims_of(se_ref_type(g->x[0]));
    if (g->want[0])
        g->dx[0] = OP(b, gather_grad, ATTRS(g->attr[0], dims), g->dy[0], g->x[1]);
}

/* For each element of ids where it is read or added: its own place but on the axis. */
static void places_of(se_hlo *h, se_hval ids, int64_t axis, se_hval *place)
{
    for (int i = 0; i < ids.rank; i++)
        place[i] =
            i == from_end(axis, ids.rank) ? ids : se_hlo_iota(h, SE_I32, ids.rank, ids.dim, i);
}

static void gather_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval place[SE_MAX_RANK];
    places_of(h, r->x[1], r->attr[0].i, place);
    r->y[0] = se_hlo_pick(h, r->x[0], place);
}

static void gather_grad_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval place[SE_MAX_RANK];
    places_of(h, r->x[1], r->attr[0].i, place);
    r->y[0] = se_hlo_add_at(h, r->x[0], place, r->type[0].rank, r->type[0].dim);
}

const se_op se_op_gather = {
    .name = "gather",
    .args = "x ids axis:axis",
    .doc = "elements picked along an axis, each by an id of its own (from 0): for axis 2, "
           "result[i][j] = x[i][ids[i][j]]; the result has the shape of ids",
    .shape = gather_shape,
    .cpu = SE_KERNEL(gather),
    .hlo = gather_hlo,
    .check = gather_check,
    .grad = gather_rule,
    .sample =
        "x:f32[4x3] ids:i32[4x2]@0..3 axis=1; x:f32[4x3] ids:i32[2x3]@0..4 axis=0 -rows; "
        "x:f32[4x3x2] ids:i32[3x5x1]@0..3 axis=1 -rows; x:f32[4] ids:i32[6]@0..4 axis=-1 -rows; "
        "x:i32[4x3] ids:i32[4x2]@0..3 axis=1; x:bool[4x3] ids:i32[1x1]@0..3 axis=1 -rows; "
        "x:bf16[3x4] ids:i32[3x2]@0..4 axis=1; x:f32[4x3] ids:i32[0x3] axis=0; "
        "x:f32[0x3] ids:i32[0x2]@0..3 axis=1; x:f32[301x167] ids:i32[301x140]@0..167 axis=1; "
        "x:f32[50x301] ids:i32[170x299]@0..50 axis=0 -rows",
    .rowwise = true, /* where the first axis keeps its size */
    .bf16 = true,
};

static se_status gather_grad_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    const se_attr *dims = &s->attr[1];
    int axis = 0;
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (!status)
        status = se_shape_want(s, 1, SE_I32, -1);
    if (!status)
        status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    if (!se_shape_same_dims(&s->in[0], &s->in[1]))
        return SE_SHAPE_FAIL(s, "dy and ids differ in shape: %s and %s",
                             se_type_print(&s->in[0], a), se_type_print(&s->in[1], c));
    for (int i = 0; i < dims->n; i++)
        if (dims->list[i] < 0)
            return SE_SHAPE_FAIL(s, "size %lld of axis %d: 0 or more is wanted",
                                 (long long)dims->list[i], i + 1);
    s->out[0] = se_type_make(SE_F32, dims->n, dims->list);
    return want_ids(s, &s->out[0], axis);
}

static se_status gather_grad_check(const se_task *t)
{
    const se_type *y = &t->out_type[0];
    return check_ids(t, y->dim[from_end(t->attr[0].i, y->rank)]);
}

static void gather_grad_rule(se_build *b, const se_rule *g)
{
    if (g->want[0])
        g->dx[0] = OP(b, gather, ATTRS(g->attr[0]), g->dy[0], g->x[1]);
}

const se_op se_op_gather_grad = {
    .name = "gather_grad",
    .of = "gather",
    .args = "dy ids axis:axis dims:ints",
    .doc = "gradient of gather: dy added up along an axis at the places that ids name",
    .shape = gather_grad_shape,
    .cpu = SE_KERNEL(gather_grad),
    .hlo = gather_grad_hlo,
    .check = gather_grad_check,
    .grad = gather_grad_rule,
    .sample =
        "dy:f32[4x2] ids:i32[4x2]@0..3 axis=1 dims={4,3}; dy:f32[2x3] ids:i32[2x3]@0..4 axis=0 "
        "dims={5,4}; dy:f32[3x5x1] ids:i32[3x5x1]@0..3 axis=1 dims={4,3,2}; "
        "dy:f32[301x140] ids:i32[301x140]@0..167 axis=1 dims={301,167}; "
        "dy:f32[170x299] ids:i32[170x299]@0..50 axis=0 dims={50,301}; "
        "dy:f32[0x2] ids:i32[0x2] axis=1 dims={0,3}",
    .internal = true,
};

/* --- index_select --- */

static se_status index_select_shape(const se_shape *s)
{
    int axis = 0;
    se_status status = se_shape_want(s, 1, SE_I32, 1);
    if (!status)
        status = se_axis(s, s->attr[0].i, s->in[0].rank, &axis);
    if (status)
        return status;
    s->out[0] = se_type_make((se_dtype)s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    s->out[0].dim[axis] = s->in[1].dim[0];
    return SE_OK;
}

/* x with the axis in front, and back again. */
static se_ref in_front(se_build *b, se_ref x, int axis, bool back)
{
    const se_type *t = se_ref_type(x);
    int64_t order[SE_MAX_RANK];
    if (!t || axis == 0)
        return x;
    for (int i = 0; i < t->rank; i++) {
        int from = i == 0 ? axis : i - (i <= axis);
        order[back ? from : i] = back ? i : from;
    }
    return se_permute(b, x, t->rank, order);
}

static void index_select_rule(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    int axis = from_end(g->attr[0].i, x->rank);
    if (!g->want[0])
        return;
    se_ref sums = se_add_by_row(b, in_front(b, g->dy[0], axis, false), g->x[1], x->dim[axis]);
    g->dx[0] = in_front(b, sums, axis, true);
}

static void index_select_expand(se_build *b, const se_rule *g)
{
    int axis = from_end(g->attr[0].i, se_ref_type(g->x[0])->rank);
    se_ref rows = se_take_rows(b, in_front(b, g->x[0], axis, false), g->x[1]);
    g->y[0] = in_front(b, rows, axis, true);
}

const se_op se_op_index_select = {
    .name = "index_select",
    .args = "x ids axis:axis",
    .doc = "the items of an axis whose numbers (from 0) are in the list ids, in that order",
    .shape = index_select_shape,
    .cpu = SE_KERNEL(index_select),
    .check = gather_check,
    .grad = index_select_rule,
    .expand = index_select_expand,
    .sample = "x:f32[4x3] ids:i32[5]@0..4 axis=0 -rows; x:f32[4x3] ids:i32[2]@0..3 axis=1; "
              "x:f32[2x3x2] ids:i32[4]@0..3 axis=1; x:i32[4x3] ids:i32[0] axis=-1; "
              "x:bool[4] ids:i32[3]@0..4 axis=0 -rows; x:bf16[2x3] ids:i32[5]@0..3 axis=1; "
              "x:f32[0x3] ids:i32[2]@0..3 axis=1; x:f32[2x4x3x5] ids:i32[3]@0..3 axis=2; "
              "x:f32[301x40] ids:i32[167]@0..40 axis=1; x:f32[301x5x40] ids:i32[9]@0..5 axis=1",
    .rowwise = true, /* where the first axis keeps its size */
    .bf16 = true,
};
