/* Rows picked by ids, sums of rows by ids, and the index tensors of packed texts. */
#include "hlo.h"
#include "op.h"

SE_KERNEL_DECLARE(take);
SE_KERNEL_DECLARE(scatter_add);
SE_KERNEL_DECLARE(one_hot);
SE_KERNEL_DECLARE(segment_ids);

SE_OP_EXTERN(take);
SE_OP_EXTERN(scatter_add);
SE_OP_EXTERN(not_equal);
SE_OP_EXTERN(where);

/* Refuses ids outside [0, rows), but not `skip`. */
static se_status check_ids(const int32_t *ids, int64_t n, int64_t rows, int64_t skip)
{
    for (int64_t i = 0; i < n; i++)
        if ((ids[i] < 0 || ids[i] >= rows) && ids[i] != skip)
            return se_fail(SE_ERR_ARG, "id %d at place %lld is out of range: 0 to %lld there are",
                           ids[i], (long long)i, (long long)rows - 1);
    return SE_OK;
}

/* --- take, embedding --- */

static se_status take_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 1, SE_I32, -1);
    if (status)
        return status;
    const se_type *x = &s->in[0], *ids = &s->in[1];
    if (x->rank < 1)
        return SE_SHAPE_FAIL(s, "a scalar came, a tensor with rows is wanted");
    if (x->rank - 1 + ids->rank > SE_MAX_RANK)
        return SE_SHAPE_FAIL(s, "the result would have %d axes, at most %d are possible",
                             x->rank - 1 + ids->rank, SE_MAX_RANK);
    se_type t = se_type_make((se_dtype)x->dtype, ids->rank, ids->dim);
    for (int i = 1; i < x->rank; i++)
        t.dim[t.rank++] = x->dim[i];
    s->out[0] = t;
    return SE_OK;
}

static se_status take_check(const se_task *t)
{
    return check_ids(t->in[1], se_type_count(&t->in_type[1]), t->in_type[0].dim[0], INT64_MIN);
}

static void take_grad(se_build *b, const se_rule *g)
{
    se_attr rows = SE_INT(se_ref_type(g->x[0])->dim[0]), skip = SE_INT(-1);
    if (g->want[0])
        g->dx[0] = OP(b, scatter_add, ATTRS(rows, skip), g->dy[0], g->x[1]);
}

static void take_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_take(h, r->x[0], r->x[1]);
}

const se_op se_op_take = {
    .name = "take",
    .args = "x ids",
    .doc = "rows of x by their numbers (from 0): result[i] = x[ids[i]]",
    .shape = take_shape,
    .cpu = SE_KERNEL(take),
    .hlo = take_hlo,
    .check = take_check,
    .grad = take_grad,
    .sample =
        "x:f32[4x3] ids:i32[5]@0..4; x:f32[4] ids:i32[2x3]@0..4; x:f32[4x2x2] ids:i32[]@0..4; "
        "x:i32[4x3] ids:i32[2]@0..4; x:bool[4] ids:i32[2]@0..4; x:f32[4x3] ids:i32[0]; "
        "x:bf16[4x3] ids:i32[2]@0..4; x:f32[40x167] ids:i32[301]@0..40",
    .bf16 = true,
};

static void embedding_grad(se_build *b, const se_rule *g)
{
    se_attr rows = SE_INT(se_ref_type(g->x[0])->dim[0]);
    if (g->want[0])
        g->dx[0] = OP(b, scatter_add, ATTRS(rows, g->attr[0]), g->dy[0], g->x[1]);
}

const se_op se_op_embedding = {
    .name = "embedding",
    .args = "table ids padding:int=-1",
    .doc = "rows of a table by token ids; the row `padding` gets no gradient",
    .shape = take_shape,
    .cpu = SE_KERNEL(take),
    .hlo = take_hlo,
    .check = take_check,
    .grad = embedding_grad,
    .sample = "table:f32[4x3] ids:i32[5]@0..4; table:f32[6x3] ids:i32[2x2]=0,2,2,5; "
              "table:f32[4x3] ids:i32[5]=0,1,3,1,2 padding=1 -grad; "
              "table:f32[40x167] ids:i32[301]@0..40",
    .bf16 = true,
    .rowwise = true,
};

/* --- scatter_add --- */

static se_status scatter_add_shape(const se_shape *s)
{
    char x[SE_TYPE_TEXT], ids[SE_TYPE_TEXT];
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (!status)
        status = se_shape_want(s, 1, SE_I32, -1);
    if (status)
        return status;
    int lead = s->in[1].rank;
    bool fits = s->in[0].rank >= lead && s->in[0].rank - lead < SE_MAX_RANK;
    for (int i = 0; i < lead && fits; i++)
        fits = s->in[0].dim[i] == s->in[1].dim[i];
    if (!fits)
        return SE_SHAPE_FAIL(s, "x must have the axes of ids first: %s and %s came",
                             se_type_print(&s->in[0], x), se_type_print(&s->in[1], ids));
    if (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX)
        return SE_SHAPE_FAIL(s, "rows = %lld: 0 to 2147483647 is wanted", (long long)s->attr[0].i);
    se_type t = {.dtype = SE_F32, .rank = 1, .dim = {s->attr[0].i}};
    for (int i = lead; i < s->in[0].rank; i++)
        t.dim[t.rank++] = s->in[0].dim[i];
    s->out[0] = t;
    return SE_OK;
}

static se_status scatter_add_check(const se_task *t)
{
    return check_ids(t->in[1], se_type_count(&t->in_type[1]), t->attr[0].i, t->attr[1].i);
}

/* dx[i] = dy[ids[i]]; zero where id is the one left out (row 0 is read there, and thrown away). */
static void scatter_add_grad(se_build *b, const se_rule *g)
{
    if (!g->want[0])
        return;
    const se_type *x = se_ref_type(g->x[0]), *ids = se_ref_type(g->x[1]);
    if (g->attr[0].i == 0) {
        g->dx[0] = se_zeros(b, x);
        return;
    }
    se_type t = *ids;
    while (t.rank < x->rank)
        t.dim[t.rank++] = 1;
    se_ref counts = OP2(b, not_equal, g->x[1], se_number_i32(b, g->attr[1].i));
    se_ref safe = OP3(b, where, counts, g->x[1], se_number_i32(b, 0));
    se_ref rows = OP2(b, take, g->dy[0], safe);
    g->dx[0] = OP3(b, where, se_reshape_to(b, counts, t.rank, t.dim), rows, se_number(b, 0));
}

/* XLA leaves out what is out of range: `skip` is sent there. */
static void scatter_add_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t rows = r->attr[0].i, skip = r->attr[1].i;
    se_hval ids = r->x[1];
    if (skip >= 0 && skip < rows) {
        se_hval out = se_hlo_compare_with(h, "EQ", ids, (double)skip);
        ids = se_hlo_select(h, out, se_hlo_like(h, ids, -1), ids);
    }
    r->y[0] = se_hlo_scatter(h, "add", r->x[0], ids, rows, se_hlo_number(h, SE_F32, 0));
}

const se_op se_op_scatter_add = {
    .name = "scatter_add",
    .args = "x ids rows:int skip:int=-1",
    .doc =
        "sums of rows of x by id: result[r] is the sum of x[i] where ids[i] = r; id `skip` is left "
        "out",
    .shape = scatter_add_shape,
    .cpu = SE_KERNEL(scatter_add),
    .hlo = scatter_add_hlo,
    .check = scatter_add_check,
    .grad = scatter_add_grad,
    .sample = "x:f32[5x3] ids:i32[5]@0..4 rows=4; x:f32[5] ids:i32[5]=0,-1,2,2,0 rows=3; "
              "x:f32[2x3x2] ids:i32[2x3]@0..4 rows=5 skip=1; x:f32[3] ids:i32[]=1 rows=2; "
              "x:f32[0x3] ids:i32[0] rows=2; x:f32[301x167] ids:i32[301]@0..90 rows=90",
};

/* --- one_hot, segment_ids --- */

static se_status one_hot_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_I32, -1);
    if (status)
        return status;
    if (s->in[0].rank == SE_MAX_RANK)
        return SE_SHAPE_FAIL(s, "ids has %d axes already: more are not possible", SE_MAX_RANK);
    if (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX)
        return SE_SHAPE_FAIL(s, "n = %lld: 0 to 2147483647 is wanted", (long long)s->attr[0].i);
    se_type t = se_type_make(SE_F32, s->in[0].rank, s->in[0].dim);
    t.dim[t.rank++] = s->attr[0].i;
    s->out[0] = t;
    return SE_OK;
}

static se_status one_hot_check(const se_task *t)
{
    return check_ids(t->in[0], se_type_count(&t->in_type[0]), t->attr[0].i, INT64_MIN);
}

static void one_hot_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval here = se_hlo_against(h, "EQ", r->x[0], r->type[0].dim[r->x[0].rank]);
    r->y[0] = se_hlo_convert(h, here, SE_F32);
}

const se_op se_op_one_hot = {
    .name = "one_hot",
    .args = "ids n:int",
    .doc = "rows of n zeros with a 1 at the place that the id names",
    .shape = one_hot_shape,
    .cpu_rows = SE_KERNEL(one_hot),
    .hlo = one_hot_hlo,
    .split = SE_BY_LAST,
    .check = one_hot_check,
    .sample = "ids:i32[5]@0..4 n=4; ids:i32[]@0..2 n=2; ids:i32[2x3]@0..7 n=7; ids:i32[301]@0..167 "
              "n=167; ids:i32[0] n=3",
    .rowwise = true,
};

static se_status segment_ids_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_I32, 1);
    if (status)
        return status;
    if (s->in[0].dim[0] < 1)
        return SE_SHAPE_FAIL(s, "starts is empty: n + 1 numbers are wanted for n texts");
    if (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX)
        return SE_SHAPE_FAIL(s, "total = %lld: 0 to 2147483647 is wanted", (long long)s->attr[0].i);
    s->out[0] = se_type_make(SE_I32, 1, &s->attr[0].i);
    return SE_OK;
}

static se_status segment_ids_check(const se_task *t)
{
    const int32_t *starts = t->in[0];
    int64_t n = t->in_type[0].dim[0];
    if (starts[0] != 0)
        return se_fail(SE_ERR_ARG, "starts begins with %d: 0 is wanted", starts[0]);
    for (int64_t i = 1; i < n; i++)
        if (starts[i] < starts[i - 1] || starts[i] > t->attr[0].i)
            return se_fail(SE_ERR_ARG, "starts[%lld] = %d after %d: %d to %lld is wanted",
                           (long long)i, starts[i], starts[i - 1], starts[i - 1],
                           (long long)t->attr[0].i);
    return SE_OK;
}

static void segment_ids_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_text_of_row(h, r->x[0], r->attr[0].i);
}

const se_op se_op_segment_ids = {
    .name = "segment_ids",
    .args = "starts total:int",
    .doc = "for each of `total` token rows the number of its text; n for rows after the last of n",
    .shape = segment_ids_shape,
    .cpu_rows = SE_KERNEL(segment_ids),
    .hlo = segment_ids_hlo,
    .check = segment_ids_check,
    .sample = "starts:i32[4]=0,2,2,5 total=7; starts:i32[1]=0 total=3; starts:i32[2]=0,4 total=4; "
              "starts:i32[5]=0,0,9,20000,49000 total=50000; starts:i32[3]=0,0,0 total=0",
};
