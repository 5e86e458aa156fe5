/* Over axes, made of other reductions: variance, standard deviation, norms. */
#include "ops/compose.h"
#include "ops/reduce.h"

#include <float.h>
#include <math.h>

SE_OP_EXTERN(abs);
SE_OP_EXTERN(cast);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(mean);
SE_OP_EXTERN(min);
SE_OP_EXTERN(not_equal);
SE_OP_EXTERN(pow);
SE_OP_EXTERN(sqrt);
SE_OP_EXTERN(square);
SE_OP_EXTERN(var);
SE_OP_EXTERN(where);

/* f(x) but where x is 0: there `at_zero`, without a gradient. */
static se_ref but_zero(se_build *b, se_ref x, se_ref (*f)(se_build *b, se_ref x, double p),
                       double p, double at_zero)
{
    se_ref zero = OP2(b, equal, x, se_number(b, 0));
    se_ref y = f(b, OP3(b, where, zero, se_number(b, 1), x), p);
    return OP3(b, where, zero, se_number(b, at_zero), y);
}

static se_ref root(se_build *b, se_ref x, double p)
{
    return p == 2 ? OP1(b, sqrt, x) : OP2(b, pow, x, se_number(b, 1 / p));
}

static se_ref power(se_build *b, se_ref x, double p)
{
    return OP2(b, pow, x, se_number(b, p));
}

/* --- var, std --- */

static se_status spread_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    return status ? status : se_reduced_shape(s, SE_F32, false);
}

static void var_expand(se_build *b, const se_rule *g)
{
    double count = se_reduced_count(g) - (double)g->attr[2].i;
    se_ref mean = OP(b, mean, ATTRS(g->attr[0], SE_INT(1)), g->x[0]);
    se_ref squares = OP1(b, square, OP2(b, sub, g->x[0], mean));
    se_ref total = OP(b, sum, g->attr, squares);
    g->y[0] = OP2(b, div, total, se_number(b, count > 0 ? count : 0));
}

/* The slope of the root is infinite at 0, where std has its least value: 0 is taken there. */
static void std_expand(se_build *b, const se_rule *g)
{
    g->y[0] = but_zero(b, OP(b, var, g->attr, g->x[0]), root, 2, 0);
}

#define SPREAD(NAME, DOC)                                                                          \
    const se_op se_op_##NAME = {                                                                   \
        .name = #NAME,                                                                             \
        .args = "x axes:axes={} keep:bool=false correction:int=1",                                 \
        .doc = DOC,                                                                                \
        .shape = spread_shape,                                                                     \
        .expand = NAME##_expand,                                                                   \
        .floats = true,                                                                            \
        .sample = "x:f32[3x4]; x:f32[3x4] axes={-1} correction=0; x:f32[2x3x4] axes={0,2} "        \
                  "keep=true; x:f32[2x1] axes={1} -grad; x:f32[0]; x:i32[3x4] axes={0}; "          \
                  "x:bool[9]; x:f32[301x167] axes={1}",                                            \
    }

SPREAD(var, "variance over axes: squares of what is off the mean, added up and divided by their "
            "number - correction");
SPREAD(std,
       "standard deviation over axes: the square root of var; its gradient is 0 where it is 0");

/* --- norm --- */

static se_status norm_shape(const se_shape *s)
{
    double p = s->attr[2].f;
    if (p != p)
        return SE_SHAPE_FAIL(s, "p = nan: a number is wanted");
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    return status ? status : se_reduced_shape(s, SE_F32, p < 0 || p > FLT_MAX);
}

/* Zeros of x, and rows of nothing else, have no slope (or many): 0 is taken. */
static void norm_expand(se_build *b, const se_rule *g)
{
    double p = g->attr[2].f;
    se_ref x = g->x[0];
    if (p == 0) {
        se_ref count = OP(b, sum, g->attr, OP2(b, not_equal, x, se_number(b, 0)));
        g->y[0] = OP(b, cast, ATTRS(SE_INT(SE_F32)), count);
    } else if (p == 2) {
        g->y[0] = but_zero(b, OP(b, sum, g->attr, OP1(b, square, x)), root, p, 0);
    } else if (p == 1) {
        g->y[0] = OP(b, sum, g->attr, OP1(b, abs, x));
    } else if (fabs(p) > FLT_MAX) {
        x = OP1(b, abs, x);
        g->y[0] = p > 0 ? OP(b, max, g->attr, x) : OP(b, min, g->attr, x);
    } else {
        se_ref powers = but_zero(b, OP1(b, abs, x), power, p, p > 0 ? 0 : INFINITY);
        g->y[0] = but_zero(b, OP(b, sum, g->attr, powers), root, p, p > 0 ? 0 : INFINITY);
    }
}

const se_op se_op_norm = {
    .name = "norm",
    .args = "x axes:axes={} keep:bool=false p:num=2",
    .doc = "(sum of |x|^p)^(1/p) over axes; p = math.huge: the largest |x|; 0: how many are not 0",
    .shape = norm_shape,
    .expand = norm_expand,
    .floats = true,
    .sample = "x:f32[3x4]; x:f32[3x4] axes={-1} p=1; x:f32[2x3x4] axes={0,2} keep=true; "
              "x:f32[3x4] axes={0} p=3; x:f32[3x4]@0.5..2 axes={0} p=0.5; x:f32[3x4] p=1e308; "
              "x:f32[3x4]@0.5..2 p=-1; x:f32[5] p=-1e308; x:f32[5] p=0; x:f32[0x3] axes={0}; "
              "x:i32[3x4] axes={0}; x:bool[9]; x:f32[301x167] axes={1}",
};
