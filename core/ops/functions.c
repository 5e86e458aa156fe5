/* Functions of single elements beside those of elementwise.c: with kernels of their own (sin, cos,
 * log1p, expm1, softsign, floor, ceil, round, trunc), and made of others. */
#include "hlo.h"
#include "ops/compose.h"

#include <math.h>

SE_KERNEL_DECLARE(sin);
SE_KERNEL_DECLARE(cos);
SE_KERNEL_DECLARE(log1p);
SE_KERNEL_DECLARE(expm1);
SE_KERNEL_DECLARE(floor);
SE_KERNEL_DECLARE(ceil);
SE_KERNEL_DECLARE(round);
SE_KERNEL_DECLARE(trunc);
SE_KERNEL_DECLARE(softsign);

SE_OP_EXTERN(abs);
SE_OP_EXTERN(cast);
SE_OP_EXTERN(cos);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(expm1);
SE_OP_EXTERN(greater);
SE_OP_EXTERN(is_nan);
SE_OP_EXTERN(less);
SE_OP_EXTERN(log1p);
SE_OP_EXTERN(logical_not);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(neg);
SE_OP_EXTERN(not_equal);
SE_OP_EXTERN(sigmoid);
SE_OP_EXTERN(sin);
SE_OP_EXTERN(softplus);
SE_OP_EXTERN(where);

static se_status f32_shape(const se_shape *s)
{
    for (int i = 0; i < s->n_in; i++) {
        se_status status = se_shape_want(s, i, SE_F32, -1);
        if (status)
            return status;
    }
    return se_shape_broadcast(s);
}

/* Whole numbers are what floor, ceil and round make of them. */
static se_status steps_shape(const se_shape *s)
{
    return s->in[0].dtype == SE_I32 ? se_shape_like_first(s) : f32_shape(s);
}

/* --- with kernels --- */

static void sin_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], OP1(b, cos, g->x[0]));
}

static void cos_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP1(b, neg, OP2(b, mul, g->dy[0], OP1(b, sin, g->x[0])));
}

static void log1p_grad(se_build *b, const se_rule *g) /* dy / (1 + x) */
{
    g->dx[0] = OP2(b, div, g->dy[0], se_plus(b, g->x[0], 1));
}

static void expm1_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], OP1(b, exp, g->x[0])); /* y + 1 is 0 where x is far below it */
}

static void no_grad(se_build *b, const se_rule *g) /* a step: flat wherever it has a slope */
{
    (void)b;
    (void)g;
}

static void steps_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = r->x[0];
    if (r->x[0].dtype != SE_I32)
        se_hlo_named(h, r);
}

static void trunc_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (x.dtype == SE_I32)
        return;
    se_hval down = se_hlo_unary(h, "floor", x), up = se_hlo_unary(h, "ceil", x);
    r->y[0] = se_hlo_select(h, se_hlo_compare_with(h, "LT", x, 0), up, down);
}

static void softsign_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval base = se_hlo_with(h, "add", se_hlo_unary(h, "abs", r->x[0]), 1);
    r->y[0] = se_hlo_binary(h, "divide", r->x[0], base);
}

#define FUNCTION(NAME, DOC, SHAPE, GRAD, SAMPLE, ...)                                              \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x",                                                       \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .cpu_rows = SE_KERNEL(NAME),                                       \
                                .grad = GRAD,                                                      \
                                .sample = SAMPLE,                                                  \
                                .rowwise = true,                                                   \
                                __VA_ARGS__}
#define ANY "x:f32[2x3]; x:f32[]; x:f32[0]; x:i32[5]@-3..4; x:f32[301x167]@-6..6"
#define STEPS                                                                                      \
    "x:f32[2x3]=0.3,-1.2,2.7,-0.4,5.8,1.1; x:f32[]=0.3; x:f32[0]; x:i32[5]@-3..4; "                \
    "x:f32[301x167]@-6..6 -grad; x:f32[8]=0.5,1.5,-0.5,-1.5,2.5,1e20,-1e20,0! -grad"

FUNCTION(sin, "sine of each element, in radians", f32_shape, sin_grad, ANY, .floats = true,
         .hlo_name = "sine");
FUNCTION(cos, "cosine of each element, in radians", f32_shape, cos_grad, ANY, .floats = true,
         .hlo_name = "cosine");
FUNCTION(log1p, "log(1 + x), exact where x is near 0", f32_shape, log1p_grad,
         "x:f32[2x3]@-0.8..3; x:f32[]@1..2; x:f32[0]; x:i32[5]; x:f32[301x167]@-0.9..50",
         .floats = true, .inplace = 1, .hlo_name = "log_plus_one");
FUNCTION(expm1, "exp(x) - 1, exact where x is near 0", f32_shape, expm1_grad, ANY, .floats = true,
         .inplace = 1, .hlo_name = "exponential_minus_one");
FUNCTION(floor, "the largest whole number not above x", steps_shape, no_grad, STEPS, .inplace = 1,
         .hlo = steps_hlo, .hlo_name = "floor");
FUNCTION(ceil, "the smallest whole number not below x", steps_shape, no_grad, STEPS, .inplace = 1,
         .hlo = steps_hlo, .hlo_name = "ceil");
FUNCTION(round, "the nearest whole number; of two equally near ones the even one", steps_shape,
         no_grad, STEPS, .inplace = 1, .hlo = steps_hlo, .hlo_name = "round_nearest_even");
FUNCTION(trunc, "x without its fraction: the nearest whole number towards 0", steps_shape, no_grad,
         STEPS, .inplace = 1, .hlo = trunc_hlo);

/* dy / (1 + |x|)^2: the quotient rule would subtract two numbers that are nearly the same. */
static void softsign_grad(se_build *b, const se_rule *g)
{
    se_ref base = se_plus(b, OP1(b, abs, g->x[0]), 1);
    g->dx[0] = OP2(b, div, OP2(b, div, g->dy[0], base), base);
}

FUNCTION(softsign, "x / (1 + |x|), between -1 and 1", f32_shape, softsign_grad, ANY, .floats = true,
         .inplace = 1, .hlo = softsign_hlo);

/* --- made of others --- */

#define COMPOSITE(NAME, ARGS, DOC, SHAPE, SAMPLE, ...)                                             \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = ARGS,                                                      \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .expand = NAME##_expand,                                           \
                                .sample = SAMPLE,                                                  \
                                .rowwise = true,                                                   \
                                __VA_ARGS__}

/* log(1 + exp(-|x|)): between 0 and log 2, whatever x is. */
static se_ref soft_corner(se_build *b, se_ref x)
{
    return OP1(b, log1p, OP1(b, exp, OP1(b, neg, OP1(b, abs, x))));
}

static void softplus_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, add, OP2(b, maximum, g->x[0], se_number(b, 0)), soft_corner(b, g->x[0]));
}

COMPOSITE(softplus, "x", "log(1 + exp(x))", f32_shape, ANY, .floats = true);

/* Equal operands have the difference 0 even where they are infinite. */
static void logaddexp_expand(se_build *b, const se_rule *g)
{
    se_ref same = OP2(b, equal, g->x[0], g->x[1]);
    se_ref apart = OP3(b, where, same, se_number(b, 0), OP2(b, sub, g->x[0], g->x[1]));
    g->y[0] = OP2(b, add, OP2(b, maximum, g->x[0], g->x[1]), soft_corner(b, apart));
}

COMPOSITE(logaddexp, "x y", "log(exp(x) + exp(y))", f32_shape,
          "x:f32[2x3] y:f32[3]; x:f32[] y:f32[4]; x:f32[0x3] y:f32[3]; "
          "x:f32[251x173]@-40..40 y:f32[173]@-40..40",
          .promote = true, .floats = true);

static void silu_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, mul, g->x[0], OP1(b, sigmoid, g->x[0]));
}

COMPOSITE(silu, "x", "x * sigmoid(x)", f32_shape, ANY, .floats = true);

static void log_sigmoid_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP1(b, neg, OP1(b, softplus, OP1(b, neg, g->x[0])));
}

COMPOSITE(log_sigmoid, "x", "log(1 / (1 + exp(-x)))", f32_shape, ANY, .floats = true);

static void reciprocal_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, div, se_number(b, 1), g->x[0]);
}

COMPOSITE(reciprocal, "x", "1 / x of each element", f32_shape,
          "x:f32[2x3]@0.5..2; x:f32[]@-3..-1; x:f32[0]; x:i32[3]@1..4; x:f32[301x167]@0.1..9",
          .floats = true);

/* Exactly x where weight is 0, exactly y where it is 1. */
static void lerp_expand(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], y = g->x[1], w = g->x[2], way = OP2(b, sub, y, x);
    se_ref from_x = OP2(b, add, x, OP2(b, mul, w, way));
    se_ref from_y = OP2(b, sub, y, OP2(b, mul, OP2(b, sub, se_number(b, 1), w), way));
    g->y[0] = OP3(b, where, OP2(b, less, OP1(b, abs, w), se_number(b, 0.5)), from_x, from_y);
}

COMPOSITE(lerp, "x y weight", "x + weight (y - x): from x at 0 to y at 1", f32_shape,
          "x:f32[2x3] y:f32[3] weight:f32[]=0.25; x:f32[] y:f32[4] weight:f32[4]@0..1; "
          "x:i32[3] y:i32[3] weight:f32[]=0.75; x:f32[0x3] y:f32[3] weight:f32[]; "
          "x:f32[251x173] y:f32[251x173] weight:f32[173]@-1..2",
          .promote = true, .floats = true);

/* --- bent lines --- */

static se_ref is_above(se_build *b, se_ref x)
{
    return OP2(b, greater, x, se_number(b, 0));
}

static void leaky_relu_expand(se_build *b, const se_rule *g)
{
    se_ref below = se_times(b, g->x[0], g->attr[0].f);
    g->y[0] = OP3(b, where, is_above(b, g->x[0]), g->x[0], below);
}

COMPOSITE(leaky_relu, "x slope:num=0.01", "x where it is above 0, else slope x", f32_shape,
          ANY "; x:f32[2x3] slope=-0.5", .floats = true);

/* expm1 sees no x above 0, whose infinite slope times 0 would be nan. */
static se_ref bent(se_build *b, se_ref x, double above, double below)
{
    se_ref up = is_above(b, x), low = OP3(b, where, up, se_number(b, 0), x);
    se_ref straight = above == 1 ? x : se_times(b, x, above);
    return OP3(b, where, up, straight, se_times(b, OP1(b, expm1, low), below));
}

static void elu_expand(se_build *b, const se_rule *g)
{
    g->y[0] = bent(b, g->x[0], 1, g->attr[0].f);
}

COMPOSITE(elu, "x alpha:num=1", "x where it is above 0, else alpha (exp(x) - 1)", f32_shape,
          ANY "; x:f32[2x3]@-200..200 alpha=1.5", .floats = true);

/* G. Klambauer and others 2017: numbers of mean 0 and variance 1 keep these through a layer. */
static void selu_expand(se_build *b, const se_rule *g)
{
    double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;
    g->y[0] = bent(b, g->x[0], scale, scale * alpha);
}

COMPOSITE(selu, "x", "1.0507 x where it is above 0, else 1.7581 (exp(x) - 1)", f32_shape, ANY,
          .floats = true);

/* --- kinds of numbers --- */

static se_status to_bool_shape(const se_shape *s)
{
    s->out[0] = se_type_make(SE_BOOL, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

static void is_nan_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, not_equal, g->x[0], g->x[0]);
}

COMPOSITE(is_nan, "x", "true where x is not a number", to_bool_shape,
          "x:f32[4]=1,nan,inf,0; x:i32[3]; x:f32[0]; x:f32[301x167]");

static void is_inf_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, equal, OP1(b, abs, g->x[0]), se_number(b, INFINITY));
}

COMPOSITE(is_inf, "x", "true where x is infinite", to_bool_shape,
          "x:f32[5]=1,nan,inf,-inf,0; x:i32[3]; x:bool[2]; x:f32[0]; x:f32[301x167]",
          .floats = true);

static void logical_xor_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, not_equal, OP1(b, logical_not, g->x[0]), OP1(b, logical_not, g->x[1]));
}

static se_status logical_xor_shape(const se_shape *s)
{
    se_status status = se_shape_broadcast(s);
    s->out[0].dtype = SE_BOOL;
    return status;
}

COMPOSITE(logical_xor, "x y", "true where just one of x and y is zero", logical_xor_shape,
          "x:f32[2x3]=0,1,-0,nan,2,0 y:f32[3]=0,0,1; x:i32[40x3] y:i32[40x1]; "
          "x:bool[2x3] y:bool[]; x:f32[0x3] y:f32[3]; x:i32[4] y:f32[4]; "
          "x:f32[251x173] y:f32[251x173]");

static void nan_to_num_expand(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], y = x;
    const double limit[] = {INFINITY, -INFINITY};
    if (se_ref_type(x)->dtype == SE_F32) {
        for (int i = 0; i < 2; i++) {
            se_ref beyond = OP2(b, equal, x, se_number(b, limit[i]));
            y = OP3(b, where, beyond, se_number(b, g->attr[1 + i].f), y);
        }
        y = OP3(b, where, OP1(b, is_nan, x), se_number(b, g->attr[0].f), y);
    }
    g->y[0] = y;
}

COMPOSITE(nan_to_num,
          "x nan:num=0 posinf:num=3.4028234663852886e38 neginf:num=-3.4028234663852886e38",
          "x with other numbers for nan, inf and -inf", se_shape_like_first,
          "x:f32[5]=1,nan,inf,-inf,-2!; x:f32[4]=nan,inf,-inf,3! nan=7 posinf=1 neginf=-1; "
          "x:i32[3]; x:bool[3]; x:f32[2x3]; x:f32[0]; x:f32[301x167]");

static void count_nonzero_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP(b, sum, g->attr, OP(b, cast, ATTRS(SE_INT(SE_BOOL)), g->x[0]));
}

static se_status count_nonzero_shape(const se_shape *s)
{
    se_type there = s->in[0];
    there.dtype = SE_BOOL;
    se_shape as = *s;
    as.in = &there;
    return se_op_sum.shape(&as);
}

const se_op se_op_count_nonzero = {
    .name = "count_nonzero",
    .args = "x axes:axes={} keep:bool=false",
    .doc = "how many elements over axes (all by default) are not zero, nan included",
    .shape = count_nonzero_shape,
    .expand = count_nonzero_expand,
    .sample = "x:f32[2x3]=0,1,-0,nan,2,0; x:f32[2x3] axes={0} keep=true; x:i32[4x3]; x:bool[5x2] "
              "axes={-1}; x:f32[0x3] axes={0}; x:f32[]; x:f32[301x167] axes={1}",
};

/* --- masked_fill --- */

static se_status masked_fill_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 1, SE_BOOL, -1);
    return status ? status : se_shape_broadcast(s);
}

/* One number among bools stands for false or true; else dtypes are brought together. */
static void masked_fill_expand(se_build *b, const se_rule *g)
{
    se_ref value = g->x[2];
    if (se_ref_type(g->x[0])->dtype == SE_BOOL && se_ref_type(value)->rank == 0)
        value = OP(b, cast, ATTRS(SE_INT(SE_BOOL)), value);
    g->y[0] = OP3(b, where, g->x[1], value, g->x[0]);
}

COMPOSITE(masked_fill, "x mask value", "value where mask is true, else x", masked_fill_shape,
          "x:f32[2x3] mask:bool[3] value:f32[]; x:f32[2x3] mask:bool[2x1] value:f32[3]; "
          "x:f32[0x3] mask:bool[3] value:f32[]; x:f32[3] mask:bool[2x1] value:f32[]; "
          "x:bool[2x3] mask:bool[3] value:f32[]; x:bool[3] mask:bool[3] value:bool[3]; "
          "x:f32[251x173] mask:bool[251x173] value:f32[]");
