/* One row for each packed text: mean_pool and its gradient, each the transpose of the other;
 * max_pool; first_pool. */
#include "hlo.h"
#include "ops/compose.h"
#include "ops/texts.h"

SE_OP_EXTERN(mean_pool);
SE_OP_EXTERN(mean_pool_grad);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(cast);
SE_OP_EXTERN(concat);
SE_OP_EXTERN(max_pool);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(where);
SE_KERNEL_DECLARE(mean_pool);
SE_KERNEL_DECLARE(mean_pool_grad);
SE_KERNEL_DECLARE(max_pool);
SE_KERNEL_DECLARE(first_pool);
SE_OP_EXTERN(less);

static se_status pool_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 2);
    if (status || (status = se_want_starts(s, 1)))
        return status;
    s->out[0] = se_type_make(SE_F32, 2, (int64_t[]){s->in[1].dim[0] - 1, s->in[0].dim[1]});
    return SE_OK;
}

static se_status pool_check(const se_task *t)
{
    int64_t rows = t->in_type[0].dim[0];
    return se_check_starts(&t->in_type[1], t->in[1], rows, rows);
}

static void pool_rule(se_build *b, const se_rule *g)
{
    int64_t rows = se_ref_type(g->x[0])->dim[0];
    g->dx[0] = OP(b, mean_pool_grad, ATTRS(SE_INT(rows)), g->dy[0], g->x[1]);
}

/* max(tokens of each text, 1e-9), f32[n, 1]. */
static se_ref lengths(se_build *b, se_ref starts)
{
    se_ref count = OP(b, cast, ATTRS(SE_INT(SE_F32)), se_text_lengths(b, starts));
    return se_with_last(b, OP2(b, maximum, count, se_number(b, 1e-9)));
}

static void pool_expand(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]), *starts = se_ref_type(g->x[1]);
    se_ref text = se_text_of_row(b, g->x[1], x->dim[0]);
    se_ref sums = se_add_by_row(b, g->x[0], text, starts->dim[0]); /* the last: rows of no text */
    g->y[0] = OP2(b, div, se_rows_of(b, sums, 0, starts->dim[0] - 1), lengths(b, g->x[1]));
}

const se_op se_op_mean_pool = {
    .name = "mean_pool",
    .args = "x starts",
    .doc = "the mean of each text's rows: text j is rows starts[j] to starts[j + 1] - 1",
    .shape = pool_shape,
    .cpu_rows = SE_KERNEL(mean_pool),
    .split = SE_BY_FIRST,
    .check = pool_check,
    .grad = pool_rule,
    .expand = pool_expand,
    .texts = 2,
    .sample = "x:f32[8x5] starts:i32[4]=0,2,2,7; x:f32[3x2] starts:i32[1]=0; "
              "x:f32[89x768] starts:i32[5]=0,20,41,80,89",
};

static se_status pool_grad_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 2);
    if (status || (status = se_want_starts(s, 1)))
        return status;
    if (s->in[0].dim[0] != s->in[1].dim[0] - 1 || s->attr[0].i < 0) {
        return SE_SHAPE_FAIL(s, "dy has %lld rows for %lld texts", (long long)s->in[0].dim[0],
                             (long long)s->in[1].dim[0] - 1);
    }
    s->out[0] = se_type_make(SE_F32, 2, (int64_t[]){s->attr[0].i, s->in[0].dim[1]});
    return SE_OK;
}

static se_status pool_grad_check(const se_task *t)
{
    return se_check_starts(&t->in_type[1], t->in[1], t->attr[0].i, t->attr[0].i);
}

static void pool_grad_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mean_pool, g->dy[0], g->x[1]);
}

/* Row j of `each` for the rows of text j, zeros for the rows of no text. */
static se_ref rows_of_texts(se_build *b, se_ref each, se_ref text)
{
    const se_type *t = se_ref_type(each);
    if (!t)
        return each;
    se_type none = se_type_make(SE_F32, 2, (int64_t[]){1, t->dim[1]});
    return se_take_rows(b, OP(b, concat, ATTRS(SE_INT(0)), each, se_zeros(b, &none)), text);
}

static void pool_grad_expand(se_build *b, const se_rule *g)
{
    se_ref each = OP2(b, div, g->x[0], lengths(b, g->x[1]));
    g->y[0] = rows_of_texts(b, each, se_text_of_row(b, g->x[1], g->attr[0].i));
}

const se_op se_op_mean_pool_grad = {
    .name = "mean_pool_grad",
    .of = "mean_pool",
    .args = "dy starts rows:int",
    .doc = "gradient of mean_pool: dy of each row's text, divided by the text's length",
    .shape = pool_grad_shape,
    .cpu_rows = SE_KERNEL(mean_pool_grad),
    .split = SE_BY_FIRST,
    .check = pool_grad_check,
    .grad = pool_grad_rule,
    .expand = pool_grad_expand,
    .internal = true,
    .sample = "dy:f32[3x5] starts:i32[4]=0,2,2,7 rows=8; "
              "dy:f32[4x768] starts:i32[5]=0,20,41,80,89 rows=89",
};

/* Equal elements of a text share the gradient evenly, as those of max do. */
static void max_pool_rule(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]), *starts = se_ref_type(g->x[1]);
    se_ref text = se_text_of_row(b, g->x[1], x->dim[0]);
    se_ref chosen = OP2(b, equal, g->x[0], rows_of_texts(b, g->y[0], text));
    se_ref ones = OP(b, cast, ATTRS(SE_INT(SE_F32)), chosen);
    se_ref count = se_add_by_row(b, ones, text, starts->dim[0]); /* the last: rows of no text */
    count = OP2(b, maximum, se_rows_of(b, count, 0, starts->dim[0] - 1), se_number(b, 1));
    se_ref share = rows_of_texts(b, OP2(b, div, g->dy[0], count), text);
    g->dx[0] = OP3(b, where, chosen, share, se_number(b, 0));
}

/* By keys, so that no nan is lost. Rows of no text go to row n, which is cut off. */
static void max_pool_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t n = r->type[0].dim[0], rows = r->x[0].dim[0], column = 0;
    se_hval text = se_hlo_text_of_row(h, r->x[1], rows), key = se_hlo_key(h, r->x[0]);
    key = se_hlo_scatter(h, "maximum", key, text, n + 1, se_hlo_lowest(h, SE_I32));
    se_hval most = se_hlo_unkey(h, se_hlo_slice(h, key, 0, 0, n, 1));
    se_hval last = se_hlo_slice(h, r->x[1], 0, 1, n + 1, 1);
    se_hval empty = se_hlo_compare(h, "EQ", se_hlo_slice(h, r->x[1], 0, 0, n, 1), last);
    empty = se_hlo_spread(h, empty, 2, r->type[0].dim, &column);
    r->y[0] = se_hlo_select(h, empty, se_hlo_like(h, most, 0), most);
}

const se_op se_op_max_pool = {
    .name = "max_pool",
    .args = "x starts",
    .doc = "the largest element of each column over a text's rows; zeros for an empty text",
    .shape = pool_shape,
    .cpu_rows = SE_KERNEL(max_pool),
    .hlo = max_pool_hlo,
    .split = SE_BY_FIRST,
    .check = pool_check,
    .grad = max_pool_rule,
    .texts = 2,
    .sample = "x:f32[8x5] starts:i32[4]=0,2,2,7; x:f32[3x2] starts:i32[1]=0; "
              "x:f32[89x768] starts:i32[5]=0,20,41,80,89",
};

/* i32[n]: the first row of each text, `none` for a text without rows. */
static se_ref first_rows(se_build *b, se_ref starts, int none)
{
    int64_t n = se_ref_type(starts)->dim[0] - 1;
    se_ref full = OP2(b, less, se_number_i32(b, 0), se_text_lengths(b, starts));
    return OP3(b, where, full, se_rows_of(b, starts, 0, n), se_number_i32(b, none));
}

static void first_pool_rule(se_build *b, const se_rule *g)
{
    se_attr rows = SE_INT(se_ref_type(g->x[0])->dim[0]), skip = SE_INT(-1);
    g->dx[0] = OP(b, scatter_add, ATTRS(rows, skip), g->dy[0], first_rows(b, g->x[1], -1));
}

/* Texts without rows read the row of zeros that is put after the last. */
static void first_pool_expand(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    se_type none = se_type_make(SE_F32, 2, (int64_t[]){1, x->dim[1]});
    se_ref rows = OP(b, concat, ATTRS(SE_INT(0)), g->x[0], se_zeros(b, &none));
    g->y[0] = se_take_rows(b, rows, first_rows(b, g->x[1], (int)x->dim[0]));
}

const se_op se_op_first_pool = {
    .name = "first_pool",
    .args = "x starts",
    .doc = "the first row of each text; zeros for an empty text",
    .shape = pool_shape,
    .cpu_rows = SE_KERNEL(first_pool),
    .split = SE_BY_FIRST,
    .check = pool_check,
    .grad = first_pool_rule,
    .expand = first_pool_expand,
    .texts = 2,
    .sample = "x:f32[8x5] starts:i32[4]=0,2,2,7; x:f32[3x2] starts:i32[1]=0; "
              "x:f32[0x2] starts:i32[3]=0,0,0; x:f32[89x768] starts:i32[5]=0,20,41,80,89",
};
