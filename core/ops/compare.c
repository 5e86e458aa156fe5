/* Comparisons and logic (to bool), and the choice between two tensors by a bool one. */
#include "hlo.h"

SE_KERNEL_DECLARE(equal);
SE_KERNEL_DECLARE(not_equal);
SE_KERNEL_DECLARE(less);
SE_KERNEL_DECLARE(less_equal);
SE_KERNEL_DECLARE(greater);
SE_KERNEL_DECLARE(greater_equal);
SE_KERNEL_DECLARE(logical_and);
SE_KERNEL_DECLARE(logical_or);
SE_KERNEL_DECLARE(logical_not);
SE_KERNEL_DECLARE(is_finite);
SE_KERNEL_DECLARE(where);

SE_OP_EXTERN(where);
SE_OP_EXTERN(cast);

static se_status comparison_shape(const se_shape *s)
{
    se_status status = se_shape_broadcast(s);
    s->out[0].dtype = SE_BOOL;
    return status;
}

static void compare_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_stretch(h, r->x[0], t->rank, t->dim);
    se_hval y = se_hlo_stretch(h, r->x[1], t->rank, t->dim);
    r->y[0] = se_hlo_compare(h, r->op->hlo_name, x, y);
}

static se_hval truth(se_hlo *h, se_hval x, const se_type *t)
{
    se_hval yes = x.dtype == SE_BOOL ? x : se_hlo_compare_with(h, "NE", x, 0);
    return se_hlo_stretch(h, yes, t->rank, t->dim);
}

static void logic_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = truth(h, r->x[0], &r->type[0]), y = truth(h, r->x[1], &r->type[0]);
    r->y[0] = se_hlo_binary(h, r->op->hlo_name, x, y);
}

static void not_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_unary(h, "not", truth(h, r->x[0], &r->type[0]));
}

static void is_finite_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval gone = se_hlo_binary(h, "subtract", r->x[0], r->x[0]);
    r->y[0] = se_hlo_compare_with(h, "EQ", gone, 0);
}

static void where_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x[3];
    for (int i = 0; i < 3; i++)
        x[i] = se_hlo_stretch(h, r->x[i], t->rank, t->dim);
    r->y[0] = se_hlo_select(h, x[0], x[1], x[2]);
}

#define COMPARISON(NAME, RULE, WORD, DOC)                                                          \
    const se_op se_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .args = "x y",                                                                             \
        .doc = DOC,                                                                                \
        .shape = comparison_shape,                                                                 \
        .cpu_rows = SE_KERNEL(NAME),                                                               \
        .hlo = RULE,                                                                               \
        .hlo_name = WORD,                                                                          \
        .sample = "x:f32[2x3]@0..2 y:f32[3]; x:i32[40x3] y:i32[40x1]; x:bool[2x3] y:bool[]; "      \
                  "x:f32[0x3] y:f32[3]; x:f32[251x173] y:f32[251x173]; x:i32[4] y:f32[4]",         \
        .promote = true,                                                                           \
        .rowwise = true, /* not in place: a stretched i32[2] has the bytes of a bool[8] */         \
    }

COMPARISON(equal, compare_hlo, "EQ", "true where x = y");
COMPARISON(not_equal, compare_hlo, "NE", "true where x differs from y");
COMPARISON(less, compare_hlo, "LT", "true where x < y");
COMPARISON(less_equal, compare_hlo, "LE", "true where x <= y");
COMPARISON(greater, compare_hlo, "GT", "true where x > y");
COMPARISON(greater_equal, compare_hlo, "GE", "true where x >= y");
COMPARISON(logical_and, logic_hlo, "and", "true where neither x nor y is zero");
COMPARISON(logical_or, logic_hlo, "or", "true where x or y is not zero");

static se_status to_bool_shape(const se_shape *s)
{
    s->out[0] = se_type_make(SE_BOOL, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

static se_status is_finite_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    return status ? status : to_bool_shape(s);
}

const se_op se_op_logical_not = {
    .name = "logical_not",
    .args = "x",
    .doc = "true where x is zero or false",
    .shape = to_bool_shape,
    .cpu_rows = SE_KERNEL(logical_not),
    .hlo = not_hlo,
    .sample = "x:bool[2x3]; x:i32[9]; x:f32[3]=0,1,-0; x:bool[301x167]",
    .rowwise = true,
    .inplace = 1,
};

const se_op se_op_is_finite = {
    .name = "is_finite",
    .args = "x",
    .doc = "true where x is neither infinite nor nan",
    .shape = is_finite_shape,
    .cpu_rows = SE_KERNEL(is_finite),
    .hlo = is_finite_hlo,
    .sample = "x:f32[2x3]; x:f32[4]=1,inf,nan,-inf; x:i32[3]; x:bool[3]; x:f32[301x167]",
    .floats = true,
    .rowwise = true,
};

/* --- where --- */

/* Promotion brought cond to the dtype of x and y; a bool cond is taken as it was. */
static void where_simplify(se_ref *in, se_attr *attr)
{
    (void)attr;
    if (se_ref_op(in[0]) == &se_op_cast && se_ref_type(se_ref_input(in[0], 0))->dtype == SE_BOOL)
        in[0] = se_ref_input(in[0], 0);
}

static se_status where_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    se_status status = se_shape_want(s, 0, SE_BOOL, -1);
    if (status)
        return status;
    se_type t = se_type_make((se_dtype)s->in[1].dtype, s->in[1].rank, s->in[1].dim);
    for (int i = 2; i >= 0; i -= 2)
        if (!se_type_broadcast(&t, &s->in[i], &t))
            return SE_SHAPE_FAIL(s, "shapes do not fit: %s and %s; axes must be equal or 1",
                                 se_type_print(&t, a), se_type_print(&s->in[i], c));
    s->out[0] = t;
    return SE_OK;
}

static void where_grad(se_build *b, const se_rule *g)
{
    se_ref zero = se_number(b, 0);
    if (g->want[1])
        g->dx[1] = se_sum_to(b, OP3(b, where, g->x[0], g->dy[0], zero), se_ref_type(g->x[1]));
    if (g->want[2])
        g->dx[2] = se_sum_to(b, OP3(b, where, g->x[0], zero, g->dy[0]), se_ref_type(g->x[2]));
}

const se_op se_op_where = {
    .name = "where",
    .args = "cond x y",
    .doc = "x where cond is true, else y",
    .shape = where_shape,
    .cpu_rows = SE_KERNEL(where),
    .hlo = where_hlo,
    .simplify = where_simplify,
    .grad = where_grad,
    .sample = "cond:bool[2x3] x:f32[2x3] y:f32[3]; cond:bool[2x1] x:f32[] y:f32[2x3]; "
              "cond:bool[4] x:i32[4] y:i32[4]; cond:bool[301x167] x:f32[301x167] y:f32[]; "
              "cond:bool[4] x:bf16[4] y:bf16[1]; cond:bool[5] x:bool[5] y:bool[5]; "
              "cond:bool[3] x:f32[4x3] y:f32[4x1]",
    .promote = true,
    .bf16 = true,
    .rowwise = true,
    .inplace = 6,
};
