/* Along one axis: running sums, and sorting. */
#include "hlo.h"
#include "kernels/sort.h"
#include "ops/compose.h"

SE_KERNEL_DECLARE(cumsum);
SE_KERNEL_DECLARE(sort);

SE_OP_EXTERN(cumsum);
SE_OP_EXTERN(gather_grad);
SE_OP_EXTERN(sort);

/* The shape of x, and its rows where the axis of attribute 0 leaves them apart. */
static se_status along_shape(const se_shape *s, int *axis)
{
    const se_type *x = &s->in[0];
    se_status status = se_axis(s, s->attr[0].i, x->rank, axis);
    if (status)
        return status;
    s->out[0] = se_type_make((se_dtype)x->dtype, x->rank, x->dim);
    if (*axis > 0)
        s->out[0].rows = x->rows;
    return SE_OK;
}

/* --- cumsum --- */

static se_status cumsum_shape(const se_shape *s)
{
    int axis;
    se_status status = along_shape(s, &axis);
    if (!status && s->in[0].dtype == SE_BOOL)
        s->out[0].dtype = SE_I32;
    return status;
}

static void cumsum_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, cumsum, ATTRS(g->attr[0], SE_INT(!g->attr[1].i)), g->dy[0]);
}

/* By doubling: sums of 2, 4, 8, .. elements that end here. */
static void cumsum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = se_hlo_convert(h, r->x[0], r->type[0].dtype);
    int axis = (int)(r->attr[0].i < 0 ? r->attr[0].i + x.rank : r->attr[0].i);
    int64_t n = x.dim[axis];
    for (int64_t by = 1; by < n; by *= 2) {
        se_hval part = r->attr[1].i ? se_hlo_slice(h, x, axis, by, n, 1)
                                    : se_hlo_slice(h, x, axis, 0, n - by, 1);
        part = r->attr[1].i ? se_hlo_pad(h, part, axis, 0, by, 0, 0)
                            : se_hlo_pad(h, part, axis, by, 0, 0, 0);
        x = se_hlo_binary(h, "add", x, part);
    }
    r->y[0] = x;
}

const se_op se_op_cumsum = {
    .name = "cumsum",
    .args = "x axis:axis=-1 reverse:bool=false",
    .doc = "running sums along an axis: each element and all before it; reverse: all after it",
    .shape = cumsum_shape,
    .cpu = SE_KERNEL(cumsum),
    .hlo = cumsum_hlo,
    .grad = cumsum_grad,
    .sample = "x:f32[5]; x:f32[3x4] axis=0; x:f32[2x3x4] axis=1 reverse=true; x:f32[0x3]; "
              "x:f32[3x0]; x:i32[2x5]@-9..9 reverse=true; x:i32[3]=2147483647,1,5; x:bool[9]; "
              "x:bf16[2x5]; x:f32[301x167]; x:f32[301x567] axis=0; x:f32[3x70x300] axis=1",
};

/* --- sort, argsort --- */

static se_status sort_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    int axis;
    se_status status = along_shape(s, &axis);
    if (status)
        return status;
    if (s->in[0].dim[axis] > INT32_MAX)
        return SE_SHAPE_FAIL(s, "%s has more places along axis %d than an i32 can name",
                             se_type_print(&s->in[0], text), axis + 1);
    s->out[1] = s->out[0];
    s->out[1].dtype = SE_I32;
    return SE_OK;
}

static int64_t sort_scratch(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    int64_t axis = t->attr[0].i < 0 ? t->attr[0].i + x->rank : t->attr[0].i, n = x->dim[axis];
    int64_t threads = se_threads(), lines = n ? se_type_count(x) / n : 0;
    int64_t bytes = se_sort_bytes(n, (int64_t)se_dtype_size(SE_F32));
    return (bytes * (lines < threads ? lines : threads) / threads + 64) / 64 * 64;
}

/* Each element of dy goes back to the place its value came from. */
static void sort_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    se_attr dims = {.n = x->rank};
    for (int i = 0; i < x->rank; i++)
        dims.list[i] = x->dim[i];
    if (se_ref_ok(g->dy[0]))
        g->dx[0] = OP(b, gather_grad, ATTRS(g->attr[0], dims), g->dy[0], g->y[1]);
}

#define SORTED                                                                                     \
    "x:f32[5]; x:f32[3x4] axis=0; x:f32[2x6x3] axis=1 descending=true; x:f32[0x3]; x:f32[3x0]; "   \
    "x:f32[9]=1,0,-0,nan,1,inf,-inf,nan,0! -grad; x:f32[9]=1,0,-0,nan,1,inf,-inf,nan,0! "          \
    "descending=true -grad; x:i32[100]@-9..9; x:i32[2x70]@-900000..900000 descending=true; "       \
    "x:bool[90]; x:bool[4x3] axis=0 descending=true; x:bf16[2x9]; x:f32[301x167]; x:f32[167x31] "  \
    "axis=0; x:f32[1]; x:f32[2x20001] descending=true -grad"

static void sort_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0], in[3], out[3];
    int axis = (int)(r->attr[0].i < 0 ? r->attr[0].i + x.rank : r->attr[0].i);
    in[0] = se_hlo_key(h, x);
    in[1] = se_hlo_iota(h, SE_I32, x.rank, x.dim, axis);
    in[2] = x;
    se_hlo_sort(h, 3, in, axis, r->attr[1].i, false, out);
    r->y[0] = out[2];
    r->y[1] = out[1];
}

const se_op se_op_sort = {
    .name = "sort",
    .args = "x axis:axis=-1 descending:bool=false",
    .doc = "the values along an axis from the smallest to the largest (descending: the other way) "
           "and their places from 0; equal ones keep their order, a nan counts as the largest",
    .n_out = 2,
    .outs = "values indices",
    .shape = sort_shape,
    .cpu = SE_KERNEL(sort),
    .hlo = sort_hlo,
    .scratch = sort_scratch,
    .grad = sort_grad,
    .sample = SORTED,
};

static se_status argsort_shape(const se_shape *s)
{
    se_type both[2];
    se_shape all = *s;
    all.out = both;
    se_status status = sort_shape(&all);
    if (!status)
        s->out[0] = both[1];
    return status;
}

static void argsort_expand(se_build *b, const se_rule *g)
{
    se_ref sorted = OP(b, sort, g->attr, g->x[0]);
    g->y[0] = se_ref_ok(sorted) ? se_out(sorted, 1) : sorted;
}

const se_op se_op_argsort = {
    .name = "argsort",
    .args = "x axis:axis=-1 descending:bool=false",
    .doc = "the places (from 0) of the elements along an axis in their order: the second result of "
           "sort",
    .shape = argsort_shape,
    .expand = argsort_expand,
    .sample = SORTED,
};
