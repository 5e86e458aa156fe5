/* Circular and hyperbolic functions with their inverses, logarithms and powers of other bases.
 * Their kernels are libm's (kernels/libm.c); sin and cos are in functions.c, tanh in elementwise.c.
 */
#include "ops/compose.h"

SE_KERNEL_DECLARE(tan);
SE_KERNEL_DECLARE(asin);
SE_KERNEL_DECLARE(acos);
SE_KERNEL_DECLARE(atan);
SE_KERNEL_DECLARE(atan2);
SE_KERNEL_DECLARE(sinh);
SE_KERNEL_DECLARE(cosh);
SE_KERNEL_DECLARE(asinh);
SE_KERNEL_DECLARE(acosh);
SE_KERNEL_DECLARE(atanh);
SE_KERNEL_DECLARE(log2);
SE_KERNEL_DECLARE(log10);
SE_KERNEL_DECLARE(exp2);
SE_KERNEL_DECLARE(erfc);
SE_KERNEL_DECLARE(hypot);

SE_OP_EXTERN(cosh);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(neg);
SE_OP_EXTERN(rsqrt);
SE_OP_EXTERN(sinh);
SE_OP_EXTERN(where);

#define LN_2 0.69314718055994530942
#define LN_10 2.30258509299404568402

static se_status f32_shape(const se_shape *s)
{
    for (int i = 0; i < s->n_in; i++) {
        se_status status = se_shape_want(s, i, SE_F32, -1);
        if (status)
            return status;
    }
    return se_shape_broadcast(s);
}

/* 1 + x and 1 - x: next to a zero they are exact, where 1 - x^2 would not be. */
static se_ref one_plus(se_build *b, se_ref x)
{
    return se_plus(b, x, 1);
}

static se_ref one_minus(se_build *b, se_ref x)
{
    return OP2(b, sub, se_number(b, 1), x);
}

static void tan_grad(se_build *b, const se_rule *g) /* dy (1 + y^2) */
{
    g->dx[0] = OP2(b, mul, g->dy[0], one_plus(b, OP2(b, mul, g->y[0], g->y[0])));
}

/* dy / sqrt((1 - x) (1 + x)), by the roots of each */
static se_ref over_circle(se_build *b, const se_rule *g)
{
    se_ref left = OP1(b, rsqrt, one_minus(b, g->x[0])), right = OP1(b, rsqrt, one_plus(b, g->x[0]));
    return OP2(b, mul, g->dy[0], OP2(b, mul, left, right));
}

static void asin_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = over_circle(b, g);
}

static void acos_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP1(b, neg, over_circle(b, g));
}

static void atan_grad(se_build *b, const se_rule *g) /* dy / (1 + x^2) */
{
    g->dx[0] = OP2(b, div, g->dy[0], one_plus(b, OP2(b, mul, g->x[0], g->x[0])));
}

/* d/dy = x / (x^2 + y^2), d/dx = -y / (x^2 + y^2) */
static void atan2_grad(se_build *b, const se_rule *g)
{
    se_ref y = g->x[0], x = g->x[1];
    se_ref squares = OP2(b, add, OP2(b, mul, x, x), OP2(b, mul, y, y));
    se_ref d = OP2(b, div, g->dy[0], squares);
    if (g->want[0])
        g->dx[0] = se_sum_to(b, OP2(b, mul, d, x), se_ref_type(y));
    if (g->want[1])
        g->dx[1] = se_sum_to(b, OP1(b, neg, OP2(b, mul, d, y)), se_ref_type(x));
}

static void sinh_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], OP1(b, cosh, g->x[0]));
}

static void cosh_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], OP1(b, sinh, g->x[0]));
}

static void asinh_grad(se_build *b, const se_rule *g) /* dy / sqrt(1 + x^2) */
{
    se_ref slope = OP1(b, rsqrt, one_plus(b, OP2(b, mul, g->x[0], g->x[0])));
    g->dx[0] = OP2(b, mul, g->dy[0], slope);
}

static void acosh_grad(se_build *b, const se_rule *g) /* dy / sqrt((x - 1) (x + 1)) */
{
    se_ref left = OP1(b, rsqrt, se_plus(b, g->x[0], -1)),
           right = OP1(b, rsqrt, one_plus(b, g->x[0]));
    g->dx[0] = OP2(b, mul, g->dy[0], OP2(b, mul, left, right));
}

static void atanh_grad(se_build *b, const se_rule *g) /* dy / ((1 - x) (1 + x)) */
{
    se_ref product = OP2(b, mul, one_minus(b, g->x[0]), one_plus(b, g->x[0]));
    g->dx[0] = OP2(b, div, g->dy[0], product);
}

static void log2_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, div, g->dy[0], se_times(b, g->x[0], LN_2));
}

static void log10_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, div, g->dy[0], se_times(b, g->x[0], LN_10));
}

static void exp2_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], se_times(b, g->y[0], LN_2));
}

static void erfc_grad(se_build *b, const se_rule *g) /* -dy 2 / sqrt(pi) exp(-x^2) */
{
    se_ref bell = OP1(b, exp, OP1(b, neg, OP2(b, mul, g->x[0], g->x[0])));
    g->dx[0] = OP2(b, mul, g->dy[0], se_times(b, bell, -1.12837916709551257390));
}

/* d/dx = x / y, 0 at the origin, where there is a corner */
static void hypot_grad(se_build *b, const se_rule *g)
{
    se_ref length =
        OP3(b, where, OP2(b, equal, g->y[0], se_number(b, 0)), se_number(b, 1), g->y[0]);
    for (int i = 0; i < 2; i++) {
        se_ref slope = OP2(b, div, g->x[i], length);
        if (g->want[i])
            g->dx[i] = se_sum_to(b, OP2(b, mul, g->dy[0], slope), se_ref_type(g->x[i]));
    }
}

#define FUNCTION(NAME, DOC, SAMPLE)                                                                \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x",                                                       \
                                .doc = DOC,                                                        \
                                .shape = f32_shape,                                                \
                                .cpu_rows = SE_KERNEL(NAME),                                       \
                                .grad = NAME##_grad,                                               \
                                .sample = SAMPLE,                                                  \
                                .floats = true,                                                    \
                                .rowwise = true,                                                   \
                                .inplace = 1}
#define ANY "x:f32[2x3]; x:f32[]; x:f32[0]; x:i32[5]@-3..4; x:f32[301x167]@-6..6"
#define WITHIN_ONE "x:f32[2x3]@-0.9..0.9; x:f32[]@0..0.5; x:f32[0]; x:f32[301x167]@-0.9..0.9"
#define POSITIVE "x:f32[2x3]@0.1..3; x:f32[]@1..2; x:f32[0]; x:i32[5]@1..9; x:f32[301x167]@0.1..50"

FUNCTION(tan, "tangent of each element, in radians",
         "x:f32[2x3]@-1.4..1.4; x:f32[]@2..4; x:f32[0]; x:i32[3]; x:f32[301x167]@-1.3..1.3");
FUNCTION(asin, "the angle from -pi/2 to pi/2 whose sine is x; nan beyond 1", WITHIN_ONE);
FUNCTION(acos, "the angle from 0 to pi whose cosine is x; nan beyond 1", WITHIN_ONE);
FUNCTION(atan, "the angle from -pi/2 to pi/2 whose tangent is x", ANY);
FUNCTION(sinh, "(exp(x) - exp(-x)) / 2", ANY);
FUNCTION(cosh, "(exp(x) + exp(-x)) / 2", ANY);
FUNCTION(asinh, "the number whose sinh is x", ANY);
FUNCTION(acosh, "the number from 0 up whose cosh is x; nan below 1",
         "x:f32[2x3]@1.1..3; x:f32[]@2..4; x:f32[0]; x:i32[3]@1..5; x:f32[301x167]@1.1..50");
FUNCTION(atanh, "the number whose tanh is x; nan beyond 1", WITHIN_ONE);
FUNCTION(log2, "logarithm to the base 2: a power of 2 gives a whole number", POSITIVE);
FUNCTION(log10, "logarithm to the base 10: a power of 10 gives a whole number", POSITIVE);
FUNCTION(exp2, "2 to the power x", ANY);
FUNCTION(erfc, "1 - erf(x), exact where that is near 0", ANY);

const se_op se_op_atan2 = {
    .name = "atan2",
    .args = "y x",
    .doc = "the angle from -pi to pi of the point (x, y), seen from the x axis",
    .shape = f32_shape,
    .cpu_rows = SE_KERNEL(atan2),
    .grad = atan2_grad,
    .sample = "y:f32[2x3] x:f32[3]@0.5..2; y:f32[] x:f32[4]@-2..-1; y:f32[0x3] x:f32[3]; "
              "y:i32[3]@1..5 x:i32[3]; y:f32[5]=0,-0,0,-0,1! x:f32[5]=1,1,-1,-1,0!; "
              "y:f32[251x173]@0.5..2 x:f32[251x173]",
    .promote = true,
    .floats = true,
    .rowwise = true,
    .inplace = 3,
};

const se_op se_op_hypot = {
    .name = "hypot",
    .args = "x y",
    .doc = "sqrt(x^2 + y^2), without overflow in between",
    .shape = f32_shape,
    .cpu_rows = SE_KERNEL(hypot),
    .grad = hypot_grad,
    .sample = "x:f32[2x3] y:f32[3]@0.5..2; x:f32[] y:f32[4]@-2..-1; x:f32[0x3] y:f32[3]; "
              "x:i32[3]@1..5 y:i32[3]; x:f32[3]=0,-0,3e38! y:f32[3]=0,2,1e30!; "
              "x:f32[251x173]@0.5..2 y:f32[251x173]",
    .promote = true,
    .floats = true,
    .rowwise = true,
    .inplace = 3,
};
