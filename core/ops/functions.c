/* Functions of single elements beside those of elementwise.c: with kernels of their own (sin, cos,
 * log1p, expm1, floor, ceil, round), and made of others. */
#include "ops/compose.h"

SE_KERNEL_DECLARE(sin);
SE_KERNEL_DECLARE(cos);
SE_KERNEL_DECLARE(log1p);
SE_KERNEL_DECLARE(expm1);
SE_KERNEL_DECLARE(floor);
SE_KERNEL_DECLARE(ceil);
SE_KERNEL_DECLARE(round);

SE_OP_EXTERN(abs);
SE_OP_EXTERN(cast);
SE_OP_EXTERN(clip);
SE_OP_EXTERN(cos);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(log);
SE_OP_EXTERN(log1p);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(neg);
SE_OP_EXTERN(not_equal);
SE_OP_EXTERN(sigmoid);
SE_OP_EXTERN(sin);
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

FUNCTION(sin, "sine of each element, in radians", f32_shape, sin_grad, ANY, .floats = true);
FUNCTION(cos, "cosine of each element, in radians", f32_shape, cos_grad, ANY, .floats = true);
FUNCTION(log1p, "log(1 + x), exact where x is near 0", f32_shape, log1p_grad,
         "x:f32[2x3]@-0.8..3; x:f32[]@1..2; x:f32[0]; x:i32[5]; x:f32[301x167]@-0.9..50",
         .floats = true, .inplace = 1);
FUNCTION(expm1, "exp(x) - 1, exact where x is near 0", f32_shape, expm1_grad, ANY, .floats = true,
         .inplace = 1);
FUNCTION(floor, "the largest whole number not above x", steps_shape, no_grad, STEPS, .inplace = 1);
FUNCTION(ceil, "the smallest whole number not below x", steps_shape, no_grad, STEPS, .inplace = 1);
FUNCTION(round, "the nearest whole number; of two equally near ones the even one", steps_shape,
         no_grad, STEPS, .inplace = 1);

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

static se_status is_nan_shape(const se_shape *s)
{
    s->out[0] = se_type_make(SE_BOOL, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

static void is_nan_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, not_equal, g->x[0], g->x[0]);
}

COMPOSITE(is_nan, "x", "true where x is not a number", is_nan_shape,
          "x:f32[4]=1,nan,inf,0; x:i32[3]; x:f32[0]; x:f32[301x167]");

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

/* --- losses of single elements --- */

static void mse_expand(se_build *b, const se_rule *g)
{
    se_ref d = OP2(b, sub, g->x[0], g->x[1]);
    g->y[0] = OP2(b, mul, d, d);
}

#define TWO                                                                                        \
    "x:f32[2x3] y:f32[3]; x:f32[] y:f32[4]; x:f32[0x3] y:f32[3]; x:f32[251x173] y:f32[251x173]"

COMPOSITE(mse, "x y", "(x - y)^2 of each element; its mean is the mean squared error", f32_shape,
          TWO, .promote = true, .floats = true);

static se_status huber_shape(const se_shape *s)
{
    if (!(s->attr[0].f > 0))
        return SE_SHAPE_FAIL(s, "delta = %g: more than 0 is wanted", s->attr[0].f);
    return f32_shape(s);
}

/* With c = min(|d|, delta) both pieces are c (|d| - c / 2). */
static void huber_expand(se_build *b, const se_rule *g)
{
    se_ref d = OP2(b, sub, g->x[0], g->x[1]);
    se_ref c = OP(b, clip, ATTRS(SE_NUM(-g->attr[0].f), SE_NUM(g->attr[0].f)), d);
    g->y[0] = OP2(b, mul, c, OP2(b, sub, d, se_times(b, c, 0.5)));
}

COMPOSITE(huber, "x y delta:num=1",
          "(x - y)^2 / 2 where |x - y| is below delta, else delta (|x - y| - delta / 2)",
          huber_shape,
          "x:f32[2x3] y:f32[3]; x:f32[4]=0.1,-3,2.2,0.4 y:f32[]=0 delta=0.5; x:f32[0x3] y:f32[3]; "
          "x:f32[251x173] y:f32[251x173] delta=2",
          .promote = true, .floats = true);

/* 0 where the target is 0, also where x is -inf: both logarithms are kept from it. */
static void kl_div_expand(se_build *b, const se_rule *g)
{
    se_ref t = g->x[1], zero = se_number(b, 0), none = OP2(b, equal, t, zero);
    se_ref logarithm = OP1(b, log, OP3(b, where, none, se_number(b, 1), t));
    se_ref x = OP3(b, where, none, zero, g->x[0]);
    g->y[0] = OP2(b, mul, t, OP2(b, sub, logarithm, x));
}

COMPOSITE(kl_div, "x target",
          "target (log target - x), 0 where target is 0: x holds logarithms, target probabilities",
          f32_shape,
          "x:f32[2x3] target:f32[3]@0.1..1; x:f32[3] target:f32[3]=0,0.5,1!; "
          "x:f32[3]=-inf,-1,-2! target:f32[3]=0,0.5,1!; x:f32[0x3] target:f32[3]; x:f32[251x173] "
          "target:f32[251x173]@0.01..1",
          .promote = true, .floats = true);
