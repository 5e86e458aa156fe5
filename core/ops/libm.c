/* Circular and hyperbolic functions with their inverses, logarithms and powers of other bases.
 * Their kernels are libm's (kernels/libm.c); sin and cos are in functions.c, tanh in elementwise.c.
 */
#include "hlo.h"
#include "ops/compose.h"

#include <math.h>

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

/* In f64, so that powers of the base give whole numbers. */
static void log_hlo(se_hlo *h, const se_hlo_rule *r, double base)
{
    se_hval y = se_hlo_unary(h, "log", se_hlo_convert(h, r->x[0], SE_H_F64));
    r->y[0] = se_hlo_convert(h, se_hlo_with(h, "divide", y, base), SE_F32);
}

static void log2_hlo(se_hlo *h, const se_hlo_rule *r)
{
    log_hlo(h, r, LN_2);
}

static void log10_hlo(se_hlo *h, const se_hlo_rule *r)
{
    log_hlo(h, r, LN_10);
}

/* atan of t from 0 to 1: above tan(pi/8) it is pi/4 + atan((t - 1) / (t + 1)); then a polynomial in
 * t^2, fitted to (atan(t) / t - 1) / t^2: off by 2e-8 of the value. (XLA's own atan2 gave x for
 * atan2(x, 1) on a CPU with AVX-512.) */
static se_hval small_atan(se_hlo *h, se_hval t)
{
    static const double c[] = {0.0804201726, -0.1387373964, 0.1997729975, -0.3333293636};
    se_hval far = se_hlo_compare_with(h, "GT", t, 0.41421356);
    se_hval low = se_hlo_with(h, "subtract", t, 1), sum = se_hlo_with(h, "add", t, 1);
    t = se_hlo_select(h, far, se_hlo_binary(h, "divide", low, sum), t);
    se_hval z = se_hlo_binary(h, "multiply", t, t), p = se_hlo_like(h, z, c[0]);
    for (int i = 1; i < 4; i++)
        p = se_hlo_with(h, "add", se_hlo_binary(h, "multiply", p, z), c[i]);
    se_hval more = se_hlo_binary(h, "multiply", se_hlo_binary(h, "multiply", p, z), t);
    se_hval y = se_hlo_binary(h, "add", t, more);
    return se_hlo_select(h, far, se_hlo_with(h, "add", y, 0.78539816339744831), y);
}

static se_hval is_negative(se_hlo *h, se_hval x) /* -0, too */
{
    return se_hlo_compare_with(h, "LT", se_hlo_bits(h, x, SE_I32), 0);
}

/* The angle of (x, y): from the smaller part over the larger one, then to its eighth of the circle.
 */
static se_hval angle(se_hlo *h, se_hval y, se_hval x)
{
    se_hval up = se_hlo_unary(h, "abs", y), side = se_hlo_unary(h, "abs", x);
    se_hval most = se_hlo_larger(h, up, side);
    se_hval least = se_hlo_smaller(h, up, side);
    se_hval same = se_hlo_compare(h, "EQ", up, side); /* zeros and infinities, too */
    se_hval zero = se_hlo_compare_with(h, "EQ", most, 0);
    se_hval t = se_hlo_binary(h, "divide", least, most);
    t = se_hlo_select(h, same, se_hlo_like(h, t, 1), t);
    t = se_hlo_select(h, zero, most, t);
    se_hval a = small_atan(h, t), steep = se_hlo_compare(h, "GT", up, side);
    se_hval rest = se_hlo_binary(h, "subtract", se_hlo_like(h, a, 1.5707963267948966), a);
    a = se_hlo_select(h, steep, rest, a);
    rest = se_hlo_binary(h, "subtract", se_hlo_like(h, a, 3.1415926535897932), a);
    a = se_hlo_select(h, is_negative(h, x), rest, a);
    se_hval minus = se_hlo_unary(h, "negate", a);
    return se_hlo_select(h, is_negative(h, y), minus, a);
}

static void atan2_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval y = se_hlo_stretch(h, r->x[0], t->rank, t->dim);
    r->y[0] = angle(h, y, se_hlo_stretch(h, r->x[1], t->rank, t->dim));
}

static void atan_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = angle(h, r->x[0], se_hlo_like(h, r->x[0], 1));
}

/* sqrt(1 - x) and sqrt(1 + x): exact next to a zero; nan beyond 1 */
static void roots(se_hlo *h, se_hval x, se_hval *minus, se_hval *plus)
{
    *minus = se_hlo_unary(h, "sqrt", se_hlo_binary(h, "subtract", se_hlo_like(h, x, 1), x));
    *plus = se_hlo_unary(h, "sqrt", se_hlo_with(h, "add", x, 1));
}

static void asin_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval minus, plus;
    roots(h, r->x[0], &minus, &plus);
    r->y[0] = angle(h, r->x[0], se_hlo_binary(h, "multiply", minus, plus));
}

static void acos_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval minus, plus;
    roots(h, r->x[0], &minus, &plus);
    r->y[0] = se_hlo_with(h, "multiply", angle(h, minus, plus), 2);
}

static void exp2_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_binary(h, "power", se_hlo_like(h, r->x[0], 2), r->x[0]);
}

/* The larger one times sqrt(1 + ratio^2); an infinite one is the result, whatever the other is. */
static void hypot_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x = se_hlo_unary(h, "abs", se_hlo_stretch(h, r->x[0], t->rank, t->dim));
    se_hval y = se_hlo_unary(h, "abs", se_hlo_stretch(h, r->x[1], t->rank, t->dim));
    se_hval most = se_hlo_larger(h, x, y), least = se_hlo_smaller(h, x, y);
    se_hval ratio = se_hlo_binary(h, "divide", least, most);
    se_hval root = se_hlo_with(h, "add", se_hlo_binary(h, "multiply", ratio, ratio), 1);
    se_hval length = se_hlo_binary(h, "multiply", most, se_hlo_unary(h, "sqrt", root));
    length = se_hlo_select(h, se_hlo_compare_with(h, "EQ", most, 0), most, length);
    length = se_hlo_select(h, se_hlo_compare_with(h, "EQ", x, INFINITY), x, length);
    r->y[0] = se_hlo_select(h, se_hlo_compare_with(h, "EQ", y, INFINITY), y, length);
}

#define FUNCTION(NAME, HLO, DOC, SAMPLE)                                                           \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x",                                                       \
                                .doc = DOC,                                                        \
                                .shape = f32_shape,                                                \
                                .cpu_rows = SE_KERNEL(NAME),                                       \
                                HLO,                                                               \
                                .grad = NAME##_grad,                                               \
                                .sample = SAMPLE,                                                  \
                                .floats = true,                                                    \
                                .rowwise = true,                                                   \
                                .inplace = 1}
#define ANY "x:f32[2x3]; x:f32[]; x:f32[0]; x:i32[5]@-3..4; x:f32[301x167]@-6..6"
#define WITHIN_ONE "x:f32[2x3]@-0.9..0.9; x:f32[]@0..0.5; x:f32[0]; x:f32[301x167]@-0.9..0.9"
#define POSITIVE "x:f32[2x3]@0.1..3; x:f32[]@1..2; x:f32[0]; x:i32[5]@1..9; x:f32[301x167]@0.1..50"

FUNCTION(tan, .hlo_name = "chlo.tan", "tangent of each element, in radians",
         "x:f32[2x3]@-1.4..1.4; x:f32[]@2..4; x:f32[0]; x:i32[3]; x:f32[301x167]@-1.3..1.3");
FUNCTION(asin, .hlo = asin_hlo, "the angle from -pi/2 to pi/2 whose sine is x; nan beyond 1",
         WITHIN_ONE);
FUNCTION(acos, .hlo = acos_hlo, "the angle from 0 to pi whose cosine is x; nan beyond 1",
         WITHIN_ONE);
FUNCTION(atan, .hlo = atan_hlo, "the angle from -pi/2 to pi/2 whose tangent is x", ANY);
FUNCTION(sinh, .hlo_name = "chlo.sinh", "(exp(x) - exp(-x)) / 2", ANY);
FUNCTION(cosh, .hlo_name = "chlo.cosh", "(exp(x) + exp(-x)) / 2", ANY);
FUNCTION(asinh, .hlo_name = "chlo.asinh", "the number whose sinh is x", ANY);
FUNCTION(acosh, .hlo_name = "chlo.acosh", "the number from 0 up whose cosh is x; nan below 1",
         "x:f32[2x3]@1.1..3; x:f32[]@2..4; x:f32[0]; x:i32[3]@1..5; x:f32[301x167]@1.1..50");
FUNCTION(atanh, .hlo_name = "chlo.atanh", "the number whose tanh is x; nan beyond 1", WITHIN_ONE);
FUNCTION(log2, .hlo = log2_hlo, "logarithm to the base 2: a power of 2 gives a whole number",
         POSITIVE);
FUNCTION(log10, .hlo = log10_hlo, "logarithm to the base 10: a power of 10 gives a whole number",
         POSITIVE);
FUNCTION(exp2, .hlo = exp2_hlo, "2 to the power x", ANY);
FUNCTION(erfc, .hlo_name = "chlo.erfc", "1 - erf(x), exact where that is near 0", ANY);

const se_op se_op_atan2 = {
    .name = "atan2",
    .args = "y x",
    .doc = "the angle from -pi to pi of the point (x, y), seen from the x axis",
    .shape = f32_shape,
    .cpu_rows = SE_KERNEL(atan2),
    .hlo = atan2_hlo,
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
    .hlo = hypot_hlo,
    .grad = hypot_grad,
    .sample = "x:f32[2x3] y:f32[3]@0.5..2; x:f32[] y:f32[4]@-2..-1; x:f32[0x3] y:f32[3]; "
              "x:i32[3]@1..5 y:i32[3]; x:f32[3]=0,-0,3e38! y:f32[3]=0,2,1e30!; "
              "x:f32[251x173]@0.5..2 y:f32[251x173]",
    .promote = true,
    .floats = true,
    .rowwise = true,
    .inplace = 3,
};
