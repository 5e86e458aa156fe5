/* Activations with a kernel of their own: gelu, x Phi(x), where Phi is the normal distribution,
 * exact or by tanh; and its gradient. */
#include "ops/compose.h"

SE_OP_EXTERN(gelu_grad);
SE_OP_EXTERN(erf);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(tanh);
SE_KERNEL_DECLARE(gelu);
SE_KERNEL_DECLARE(gelu_grad);

#define SQRT_HALF 0.70710678118654752440
#define NORMAL_PEAK 0.39894228040143267794 /* 1 / sqrt(2 pi) */
#define SLOPE 0.79788456080286535588       /* sqrt(2 / pi) */
#define CUBIC 0.044715

static se_status gelu_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    return status ? status : se_shape_like_first(s);
}

static void gelu_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, gelu_grad, g->attr, g->x[0], g->dy[0]);
}

/* tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
static se_ref by_tanh(se_build *b, se_ref x)
{
    se_ref cube = OP2(b, mul, x, OP2(b, mul, x, x));
    return OP1(b, tanh, se_times(b, OP2(b, add, x, se_times(b, cube, CUBIC)), SLOPE));
}

static void gelu_expand(se_build *b, const se_rule *g)
{
    if (g->attr[0].i) {
        se_ref half_x = se_times(b, g->x[0], 0.5);
        g->y[0] = OP2(b, add, half_x, OP2(b, mul, half_x, by_tanh(b, g->x[0])));
        return;
    }
    se_ref half = se_times(b, g->x[0], 0.5);
    se_ref e = OP1(b, erf, se_times(b, g->x[0], SQRT_HALF));
    g->y[0] = OP2(b, add, half, OP2(b, mul, half, e));
}

const se_op se_op_gelu = {
    .name = "gelu",
    .args = "x approximate:bool=false",
    .doc = "x (1 + erf(x / sqrt(2))) / 2; approximate: tanh(sqrt(2 / pi) (x + 0.044715 x^3)) for "
           "erf",
    .shape = gelu_shape,
    .cpu_rows = SE_KERNEL(gelu),
    .grad = gelu_rule,
    .expand = gelu_expand,
    .floats = true,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[2x3]; x:f32[]; x:i32[7]@-5..5; x:f32[67x77]@-12..12; x:f32[211x200]; "
              "x:f32[2x3] approximate=true; x:f32[211x200]@-12..12 approximate=true",
};

static se_status gelu_grad_shape(const se_shape *s)
{
    char x[SE_TYPE_TEXT], dy[SE_TYPE_TEXT];
    se_status status = gelu_shape(s);
    if (status || (status = se_shape_want(s, 1, SE_F32, s->in[0].rank)))
        return status;
    if (!se_shape_same_dims(&s->in[0], &s->in[1])) {
        return SE_SHAPE_FAIL(s, "dy is not like x: %s and %s", se_type_print(&s->in[1], dy),
                             se_type_print(&s->in[0], x));
    }
    return SE_OK;
}

/* t = by_tanh(x): dy ((1 + t) / 2 + x / 2 (1 - t^2) SLOPE (1 + 3 CUBIC x^2)) */
static void approximate_expand(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], t = by_tanh(b, x), half = se_plus(b, se_times(b, t, 0.5), 0.5);
    se_ref flat = OP2(b, sub, se_number(b, 1), OP2(b, mul, t, t));
    se_ref inner = se_plus(b, se_times(b, OP2(b, mul, x, x), 3 * CUBIC * SLOPE), SLOPE);
    se_ref slope = OP2(b, mul, OP2(b, mul, se_times(b, x, 0.5), flat), inner);
    g->y[0] = OP2(b, mul, g->x[1], OP2(b, add, half, slope));
}

static void gelu_grad_expand(se_build *b, const se_rule *g)
{
    if (g->attr[0].i) {
        approximate_expand(b, g);
        return;
    }
    se_ref x = g->x[0], e = OP1(b, erf, se_times(b, x, SQRT_HALF));
    se_ref below = se_plus(b, se_times(b, e, 0.5), 0.5);
    se_ref density = se_times(b, OP1(b, exp, se_times(b, OP2(b, mul, x, x), -0.5)), NORMAL_PEAK);
    g->y[0] = OP2(b, mul, g->x[1], OP2(b, add, below, OP2(b, mul, x, density)));
}

const se_op se_op_gelu_grad = {
    .name = "gelu_grad",
    .of = "gelu",
    .args = "x dy approximate:bool=false",
    .doc = "gradient of gelu",
    .shape = gelu_grad_shape,
    .cpu_rows = SE_KERNEL(gelu_grad),
    .expand = gelu_grad_expand,
    .rowwise = true,
    .inplace = 3,
    .internal = true,
    .sample = "x:f32[2x3] dy:f32[2x3]; x:f32[67x77]@-12..12 dy:f32[67x77]; "
              "x:f32[211x200] dy:f32[211x200]; x:f32[2x3] dy:f32[2x3] approximate=true; "
              "x:f32[211x200]@-12..12 dy:f32[211x200] approximate=true",
};
