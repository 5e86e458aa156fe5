/* Arithmetic and functions of single elements, with numpy's broadcasting. Comparisons, logic and
 * choice are in compare.c. */
#include "hlo.h"
#include "op.h"

#include <math.h>

SE_KERNEL_DECLARE(add);
SE_KERNEL_DECLARE(sub);
SE_KERNEL_DECLARE(mul);
SE_KERNEL_DECLARE(div);
SE_KERNEL_DECLARE(maximum);
SE_KERNEL_DECLARE(minimum);
SE_KERNEL_DECLARE(pow);
SE_KERNEL_DECLARE(mod);
SE_KERNEL_DECLARE(floor_divide);
SE_KERNEL_DECLARE(neg);
SE_KERNEL_DECLARE(exp);
SE_KERNEL_DECLARE(log);
SE_KERNEL_DECLARE(sqrt);
SE_KERNEL_DECLARE(rsqrt);
SE_KERNEL_DECLARE(tanh);
SE_KERNEL_DECLARE(erf);
SE_KERNEL_DECLARE(abs);
SE_KERNEL_DECLARE(sign);
SE_KERNEL_DECLARE(relu);
SE_KERNEL_DECLARE(sigmoid);
SE_KERNEL_DECLARE(clip);
SE_KERNEL_DECLARE(cast);
SE_KERNEL_DECLARE(iota);

SE_OP_EXTERN(add);
SE_OP_EXTERN(sub);
SE_OP_EXTERN(mul);
SE_OP_EXTERN(div);
SE_OP_EXTERN(pow);
SE_OP_EXTERN(floor);
SE_OP_EXTERN(neg);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(log);
SE_OP_EXTERN(sign);
SE_OP_EXTERN(cast);
SE_OP_EXTERN(where);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(minimum);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(greater);
SE_OP_EXTERN(greater_equal);
SE_OP_EXTERN(less);
SE_OP_EXTERN(less_equal);
SE_OP_EXTERN(logical_and);

/* --- shape rules --- */

/* All inputs f32, or (numbers) f32 or i32; bool and i32 are never converted silently. */
static se_status want_dtype(const se_shape *s, bool or_i32)
{
    char text[SE_TYPE_TEXT];
    for (int i = 0; i < s->n_in; i++) {
        se_dtype d = (se_dtype)s->in[i].dtype;
        if (d != SE_F32 && !(or_i32 && d == SE_I32))
            return SE_SHAPE_FAIL(s, "wrong dtype: %s came, %s is wanted: cast it first",
                                 se_type_print(&s->in[i], text), or_i32 ? "f32 or i32" : "f32");
    }
    return SE_OK;
}

static se_status binary_shape(const se_shape *s)
{
    se_status status = want_dtype(s, true);
    return status ? status : se_shape_broadcast(s);
}

static se_status binary_f32_shape(const se_shape *s)
{
    se_status status = want_dtype(s, false);
    return status ? status : se_shape_broadcast(s);
}

static se_status unary_shape(const se_shape *s)
{
    se_status status = want_dtype(s, true);
    return status ? status : se_shape_like_first(s);
}

static se_status unary_f32_shape(const se_shape *s)
{
    se_status status = want_dtype(s, false);
    return status ? status : se_shape_like_first(s);
}

/* --- two operands --- */

/* dx[i] = d, summed over what broadcasting stretched. */
static void give(se_build *b, const se_rule *g, int i, se_ref d)
{
    g->dx[i] = se_sum_to(b, d, se_ref_type(g->x[i]));
}

static void add_grad(se_build *b, const se_rule *g)
{
    for (int i = 0; i < 2; i++)
        if (g->want[i])
            give(b, g, i, g->dy[0]);
}

static void sub_grad(se_build *b, const se_rule *g)
{
    if (g->want[0])
        give(b, g, 0, g->dy[0]);
    if (g->want[1])
        give(b, g, 1, OP1(b, neg, g->dy[0]));
}

static void mul_grad(se_build *b, const se_rule *g)
{
    for (int i = 0; i < 2; i++)
        if (g->want[i])
            give(b, g, i, OP2(b, mul, g->dy[0], g->x[1 - i]));
}

static void div_grad(se_build *b, const se_rule *g) /* dy / b; -dy / b * y */
{
    se_ref d = OP2(b, div, g->dy[0], g->x[1]);
    if (g->want[0])
        give(b, g, 0, d);
    if (g->want[1])
        give(b, g, 1, OP1(b, neg, OP2(b, mul, d, g->y[0])));
}

/* The chosen operand gets the gradient; equal ones get half each. */
static void choice_grad(se_build *b, const se_rule *g)
{
    for (int i = 0; i < 2; i++) {
        if (!g->want[i])
            continue;
        se_ref mine = OP2(b, equal, g->x[i], g->y[0]), both = OP2(b, equal, g->x[0], g->x[1]);
        se_ref d = OP3(b, where, mine, g->dy[0], se_number(b, 0));
        se_ref half = OP2(b, mul, g->dy[0], se_number(b, 0.5));
        give(b, g, i, OP3(b, where, both, half, d));
    }
}

/* d/da a^c = c a^(c-1), 0 where c = 0; d/dc a^c = a^c log a, 0 where a = 0. The other branch is
 * kept away from its infinities, which would come back as nan. */
static void pow_grad(se_build *b, const se_rule *g)
{
    se_ref one = se_number(b, 1), zero = se_number(b, 0), a = g->x[0], c = g->x[1];
    if (g->want[0]) {
        se_ref safe = OP3(b, where, OP2(b, equal, c, zero), one, a);
        se_ref slope = OP2(b, mul, c, OP2(b, pow, safe, OP2(b, sub, c, one)));
        give(b, g, 0, OP2(b, mul, g->dy[0], slope));
    }
    if (g->want[1]) {
        se_ref safe = OP3(b, where, OP2(b, equal, a, zero), one, a);
        give(b, g, 1, OP2(b, mul, g->dy[0], OP2(b, mul, g->y[0], OP1(b, log, safe))));
    }
}

/* x - floor(x / y) y: slopes 1 and -floor(x / y) */
static void mod_grad(se_build *b, const se_rule *g)
{
    if (g->want[0])
        give(b, g, 0, g->dy[0]);
    if (g->want[1]) {
        se_ref times = OP1(b, floor, OP2(b, div, g->x[0], g->x[1]));
        give(b, g, 1, OP1(b, neg, OP2(b, mul, g->dy[0], times)));
    }
}

static void no_grad(se_build *b, const se_rule *g) /* a step: flat wherever it has a slope */
{
    (void)b;
    (void)g;
}

static se_status mod_check(const se_task *t)
{
    if (t->in_type[1].dtype != SE_I32)
        return SE_OK;
    const int32_t *y = t->in[1];
    for (int64_t i = 0; i < se_type_count(&t->in_type[1]); i++)
        if (y[i] == 0)
            return se_fail(SE_ERR_ARG, "element %lld of y is 0", (long long)i);
    return SE_OK;
}

static void maximum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_stretch(h, r->x[0], t->rank, t->dim);
    r->y[0] = se_hlo_larger(h, x, se_hlo_stretch(h, r->x[1], t->rank, t->dim));
}

static void minimum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_stretch(h, r->x[0], t->rank, t->dim);
    r->y[0] = se_hlo_smaller(h, x, se_hlo_stretch(h, r->x[1], t->rank, t->dim));
}

/* The remainder that has the sign of x, and where it is to be moved into y's half. */
static se_hval remainder_of(se_hlo *h, se_hval x, se_hval y, se_hval *moved)
{
    se_hval rest = se_hlo_binary(h, "remainder", x, y);
    se_hval left = se_hlo_compare_with(h, "LT", rest, 0), low = se_hlo_compare_with(h, "LT", y, 0);
    se_hval apart = se_hlo_compare(h, "NE", left, low);
    se_hval some = se_hlo_compare_with(h, "NE", rest, 0);
    *moved = se_hlo_binary(h, "and", some, apart);
    return rest;
}

static void mod_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_stretch(h, r->x[0], t->rank, t->dim), moved;
    se_hval y = se_hlo_stretch(h, r->x[1], t->rank, t->dim);
    se_hval rest = remainder_of(h, x, y, &moved);
    r->y[0] = se_hlo_select(h, moved, se_hlo_binary(h, "add", rest, y), rest);
}

/* What is left without the remainder is a multiple of y, as the kernel has it. */
static void floor_divide_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_stretch(h, r->x[0], t->rank, t->dim), moved;
    se_hval y = se_hlo_stretch(h, r->x[1], t->rank, t->dim);
    se_hval rest = remainder_of(h, x, y, &moved), q;
    if (t->dtype == SE_I32) {
        q = se_hlo_binary(h, "divide", x, y);
    } else {
        q = se_hlo_binary(h, "divide", se_hlo_binary(h, "subtract", x, rest), y);
        q = se_hlo_unary(h, "round_nearest_even", q);
    }
    q = se_hlo_select(h, moved, se_hlo_with(h, "subtract", q, 1), q);
    if (t->dtype == SE_F32) {
        se_hval zero = se_hlo_compare_with(h, "EQ", y, 0);
        q = se_hlo_select(h, zero, se_hlo_binary(h, "divide", x, y), q);
    }
    r->y[0] = q;
}

#define BINARY_SAMPLE                                                                              \
    "x:f32[2x3] y:f32[3]; x:f32[] y:f32[4]; x:f32[2x3] y:f32[2x1]; x:f32[4x1x3] y:f32[2x1]; "      \
    "x:f32[0x3] y:f32[3]; x:f32[251x173] y:f32[251x173]; x:f32[251x173] y:f32[173]; "              \
    "x:f32[251x1] y:f32[251x173]"
#define BINARY(NAME, DOC, SHAPE, GRAD, SAMPLE, ...)                                                \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x y",                                                     \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .cpu_rows = SE_KERNEL(NAME),                                       \
                                .grad = GRAD,                                                      \
                                .sample = SAMPLE,                                                  \
                                .promote = true,                                                   \
                                .rowwise = true,                                                   \
                                .inplace = 3,                                                      \
                                __VA_ARGS__}
#define I32_SAMPLE "; x:i32[5x3] y:i32[3]@-5..9"

BINARY(add, "x + y", binary_shape, add_grad, BINARY_SAMPLE I32_SAMPLE, .hlo_name = "add");
BINARY(sub, "x - y", binary_shape, sub_grad, BINARY_SAMPLE I32_SAMPLE, .hlo_name = "subtract");
BINARY(mul, "x * y, element by element", binary_shape, mul_grad, BINARY_SAMPLE I32_SAMPLE,
       .hlo_name = "multiply");
BINARY(maximum, "the larger of x and y; nan where one is nan", binary_shape, choice_grad,
       BINARY_SAMPLE I32_SAMPLE, .hlo = maximum_hlo);
BINARY(minimum, "the smaller of x and y; nan where one is nan", binary_shape, choice_grad,
       BINARY_SAMPLE I32_SAMPLE, .hlo = minimum_hlo);
BINARY(div, "x / y; integers become f32 first", binary_f32_shape, div_grad,
       "x:f32[2x3] y:f32[3]@0.5..2; x:f32[] y:f32[4]@0.5..2; x:f32[2x3] y:f32[2x1]@-2..-1; "
       "x:f32[251x173] y:f32[173]@1..2; x:i32[4]@1..9 y:i32[4]@1..9",
       .floats = true, .hlo_name = "divide");
BINARY(pow, "x to the power y", binary_f32_shape, pow_grad,
       "x:f32[2x3]@0.2..2 y:f32[3]; x:f32[3]@-2..2 y:f32[]=2!; x:f32[3]=0,0,-1.5 y:f32[3]=2,1,0!; "
       "x:f32[251x173]@0.2..2 y:f32[173]",
       .floats = true, .hlo_name = "power");
BINARY(mod, "the remainder of x / y, with the sign of y", binary_shape, mod_grad,
       "x:f32[2x3]@0.1..1.9 y:f32[3]@2..3; x:f32[5]=5.5,-5.5,7,-7,0.5! y:f32[5]=3,3,-3,-3,2!; "
       "x:f32[251x173]@-9..9 y:f32[251x173]@-3..-1 -grad; x:i32[5x3]@-9..9 y:i32[3]@1..5; "
       "x:i32[4]@-9..9 y:i32[]@-4..-1; x:f32[0x3] y:f32[3]",
       .check = mod_check, .hlo = mod_hlo);
BINARY(floor_divide, "the largest whole number not above x / y", binary_shape, no_grad,
       "x:f32[2x3]@0.1..1.9 y:f32[3]@2..3; x:f32[6]=5.5,-5.5,7,-7,0.5,1! "
       "y:f32[6]=3,3,-3,-3,2,0.1!; x:f32[251x173]@-9..9 y:f32[251x173]@-3..-1 -grad; "
       "x:i32[5x3]@-9..9 y:i32[3]@1..5; x:i32[4]@-9..9 y:i32[]@-4..-1; x:f32[0x3] y:f32[3]",
       .check = mod_check, .hlo = floor_divide_hlo);

/* --- one operand --- */

static void neg_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP1(b, neg, g->dy[0]);
}

static void exp_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], g->y[0]);
}

static void log_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, div, g->dy[0], g->x[0]);
}

static void sqrt_grad(se_build *b, const se_rule *g) /* dy / (2 y) */
{
    g->dx[0] = OP2(b, div, OP2(b, mul, g->dy[0], se_number(b, 0.5)), g->y[0]);
}

static void rsqrt_grad(se_build *b, const se_rule *g) /* -dy y / (2 x) */
{
    se_ref half = OP2(b, mul, g->dy[0], se_number(b, -0.5));
    g->dx[0] = OP2(b, mul, half, OP2(b, div, g->y[0], g->x[0]));
}

static void tanh_grad(se_build *b, const se_rule *g) /* dy (1 - y^2) */
{
    se_ref slope = OP2(b, sub, se_number(b, 1), OP2(b, mul, g->y[0], g->y[0]));
    g->dx[0] = OP2(b, mul, g->dy[0], slope);
}

static void erf_grad(se_build *b, const se_rule *g) /* dy 2 / sqrt(pi) exp(-x^2) */
{
    se_ref bell = OP1(b, exp, OP1(b, neg, OP2(b, mul, g->x[0], g->x[0])));
    se_ref scale = se_number(b, 1.12837916709551257390);
    g->dx[0] = OP2(b, mul, g->dy[0], OP2(b, mul, bell, scale));
}

static void abs_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], OP1(b, sign, g->x[0]));
}

static void relu_grad(se_build *b, const se_rule *g)
{
    se_ref zero = se_number(b, 0);
    g->dx[0] = OP3(b, where, OP2(b, greater, g->y[0], zero), g->dy[0], zero);
}

static void sigmoid_grad(se_build *b, const se_rule *g) /* dy y (1 - y) */
{
    se_ref slope = OP2(b, mul, g->y[0], OP2(b, sub, se_number(b, 1), g->y[0]));
    g->dx[0] = OP2(b, mul, g->dy[0], slope);
}

static void relu_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, maximum, g->x[0], se_number(b, 0));
}

static void sigmoid_expand(se_build *b, const se_rule *g)
{
    se_ref one = se_number(b, 1);
    g->y[0] = OP2(b, div, one, OP2(b, add, one, OP1(b, exp, OP1(b, neg, g->x[0]))));
}

static void square_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, mul, g->x[0], g->x[0]);
}

/* As the kernel has it: the reciprocal of the root. XLA's own rsqrt is an estimate on some devices.
 */
static void rsqrt_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval root = se_hlo_unary(h, "sqrt", r->x[0]);
    r->y[0] = se_hlo_binary(h, "divide", se_hlo_like(h, root, 1), root);
}

#define UNARY(NAME, DOC, SHAPE, GRAD, SAMPLE, ...)                                                 \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x",                                                       \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .cpu_rows = SE_KERNEL(NAME),                                       \
                                .grad = GRAD,                                                      \
                                .sample = SAMPLE,                                                  \
                                .rowwise = true,                                                   \
                                .inplace = 1,                                                      \
                                __VA_ARGS__}
#define ANY "x:f32[2x3]; x:f32[]; x:f32[0]; x:f32[301x167]@-6..6"
#define POSITIVE "x:f32[2x3]@0.1..3; x:f32[]@1..2; x:f32[0]; x:f32[301x167]@0.01..50"

UNARY(neg, "-x", unary_shape, neg_grad, ANY "; x:i32[7]@-5..5", .hlo_name = "negate");
UNARY(exp, "e to the power x", unary_f32_shape, exp_grad, ANY, .floats = true,
      .hlo_name = "exponential");
UNARY(log, "natural logarithm of each element", unary_f32_shape, log_grad, POSITIVE, .floats = true,
      .hlo_name = "log");
UNARY(sqrt, "square root of each element", unary_f32_shape, sqrt_grad, POSITIVE, .floats = true,
      .hlo_name = "sqrt");
UNARY(rsqrt, "1 / square root of each element", unary_f32_shape, rsqrt_grad, POSITIVE,
      .floats = true, .hlo = rsqrt_hlo);
UNARY(tanh, "hyperbolic tangent of each element", unary_f32_shape, tanh_grad, ANY, .floats = true,
      .hlo_name = "tanh");
UNARY(erf, "error function of each element", unary_f32_shape, erf_grad, ANY, .floats = true,
      .hlo_name = "chlo.erf");
UNARY(abs, "absolute value of each element", unary_shape, abs_grad, ANY "; x:i32[7]@-5..5",
      .hlo_name = "abs");
UNARY(sign, "-1, 0 or 1: the sign of each element", unary_shape, no_grad, ANY "; x:i32[7]@-5..5",
      .hlo_name = "sign");
UNARY(relu, "x where x is above 0, else 0", unary_f32_shape, relu_grad, ANY "; x:i32[7]@-5..5",
      .expand = relu_expand, .floats = true);
UNARY(sigmoid, "1 / (1 + e^-x)", unary_f32_shape, sigmoid_grad, ANY, .expand = sigmoid_expand,
      .floats = true);

const se_op se_op_square = {
    .name = "square",
    .args = "x",
    .doc = "x * x",
    .shape = unary_shape,
    .expand = square_expand,
    .sample = ANY "; x:i32[7]@-5..5",
    .rowwise = true,
};

/* --- clip --- */

static se_status clip_shape(const se_shape *s)
{
    if (!(s->attr[0].f <= s->attr[1].f))
        return SE_SHAPE_FAIL(s, "low is above high: %g and %g came", s->attr[0].f, s->attr[1].f);
    return unary_shape(s);
}

static void clip_grad(se_build *b, const se_rule *g) /* dy within the bounds, which belong to it */
{
    se_ref above = OP2(b, greater_equal, g->x[0], se_number(b, g->attr[0].f));
    se_ref below = OP2(b, less_equal, g->x[0], se_number(b, g->attr[1].f));
    g->dx[0] = OP3(b, where, OP2(b, logical_and, above, below), g->dy[0], se_number(b, 0));
}

static void clip_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    double low = r->attr[0].f, high = r->attr[1].f;
    if (x.dtype == SE_I32) {
        low = low < INT32_MIN ? INT32_MIN : low > INT32_MAX ? INT32_MAX : ceil(low);
        high = high < INT32_MIN ? INT32_MIN : high > INT32_MAX ? INT32_MAX : floor(high);
    }
    se_hval a = se_hlo_like(h, x, low), b = se_hlo_like(h, x, high);
    se_hval down = se_hlo_select(h, se_hlo_compare(h, "GT", x, b), b, x);
    r->y[0] = se_hlo_select(h, se_hlo_compare(h, "LT", x, a), a, down);
}

const se_op se_op_clip = {
    .name = "clip",
    .args = "x low:num high:num",
    .doc = "x, but low where it is below low and high where it is above high",
    .shape = clip_shape,
    .cpu_rows = SE_KERNEL(clip),
    .hlo = clip_hlo,
    .grad = clip_grad,
    .sample = "x:f32[2x3] low=-0.5 high=1; x:f32[301x167] low=-1 high=1; "
              "x:i32[20]@-9..9 low=-2.5 high=3",
    .rowwise = true,
    .inplace = 1,
};

/* --- dtypes --- */

static se_status cast_shape(const se_shape *s)
{
    if (s->attr[0].i < 0 || s->attr[0].i >= SE_DTYPES)
        return SE_SHAPE_FAIL(s, "no such dtype; f32, bf16, i32 and bool there are");
    s->out[0] = se_type_make((se_dtype)s->attr[0].i, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

static void cast_grad(se_build *b, const se_rule *g)
{
    if (g->attr[0].i == SE_F32 || g->attr[0].i == SE_BF16)
        g->dx[0] = OP(b, cast, ATTRS(SE_INT(se_ref_type(g->x[0])->dtype)), g->dy[0]);
}

/* Beyond i32 the nearest one, nan is 0, as in the kernel. The largest f32 below 2^31 comes next. */
static void cast_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    bool real = x.dtype == SE_F32 || x.dtype == SE_BF16;
    r->y[0] = se_hlo_convert(h, x, (int)r->attr[0].i);
    if (!real || r->attr[0].i != SE_I32)
        return;
    x = se_hlo_convert(h, x, SE_F32);
    se_hval high = se_hlo_compare_with(h, "GE", x, 2147483648.0);
    se_hval low = se_hlo_compare_with(h, "LE", x, -2147483648.0);
    se_hval zero = se_hlo_like(h, x, 0);
    se_hval inside = se_hlo_select(h, high, zero, se_hlo_select(h, low, zero, x));
    se_hval y =
        se_hlo_convert(h, se_hlo_select(h, se_hlo_compare(h, "EQ", x, x), inside, zero), SE_I32);
    y = se_hlo_select(h, high, se_hlo_like(h, y, INT32_MAX), y);
    r->y[0] = se_hlo_select(h, low, se_hlo_like(h, y, INT32_MIN), y);
}

const se_op se_op_cast = {
    .name = "cast",
    .args = "x dtype:dtype",
    .doc = "x as another dtype: f32 to bf16 rounds to nearest even, to i32 towards zero",
    .shape = cast_shape,
    .cpu_rows = SE_KERNEL(cast),
    .hlo = cast_hlo,
    .grad = cast_grad,
    .sample =
        "x:f32[2x3] dtype=bf16 -grad; x:f32[2x3] dtype=f32; x:f32[301x167]@-90..90 dtype=i32; "
        "x:i32[5x7]@-9..9 dtype=f32; x:bool[6] dtype=f32; x:bf16[6] dtype=i32; "
        "x:i32[6] dtype=bool; x:f32[0x2] dtype=bool; x:f32[301x167] dtype=bf16 -grad",
    .bf16 = true,
    .rowwise = true,
    .inplace = 1,
};

const se_op se_op_stop_grad = {
    .name = "stop_grad",
    .hlo = se_hlo_same,
    .args = "x",
    .doc = "x, through which no gradient flows",
    .shape = se_shape_like_first,
    .grad = no_grad,
    .sample = "x:f32[2x3]!; x:i32[3]",
    .bf16 = true,
    .rowwise = true,
    .alias = true,
};

/* --- iota --- */

static se_status iota_shape(const se_shape *s)
{
    if (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX)
        return SE_SHAPE_FAIL(s, "n = %lld: 0 to 2147483647 is wanted", (long long)s->attr[0].i);
    s->out[0] = se_type_make(SE_I32, 1, &s->attr[0].i);
    return SE_OK;
}

static void iota_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_iota(h, SE_I32, 1, r->type[0].dim, 0);
}

const se_op se_op_iota = {
    .name = "iota",
    .args = "n:int",
    .doc = "the whole numbers 0, 1, ... n-1",
    .shape = iota_shape,
    .cpu_rows = SE_KERNEL(iota),
    .hlo = iota_hlo,
    .sample = "n=5; n=0; n=50000",
};
