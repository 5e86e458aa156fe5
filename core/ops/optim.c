/* Optimizers: adamw, sgd, and the norm that gradients are clipped by. */
#include "kernels/optim.h"
#include "ops/compose.h"
#include <math.h>

SE_OP_EXTERN(global_norm);
SE_OP_EXTERN(sqrt);
SE_OP_EXTERN(tanh);
SE_OP_EXTERN(where);
SE_OP_EXTERN(maximum);
SE_KERNEL_DECLARE(adamw);
SE_KERNEL_DECLARE(sgd);
SE_KERNEL_DECLARE(global_norm);

/* Input i is f32 with the dims of p. */
static se_status want_like_p(const se_shape *s, int i, const char *name)
{
    char came[SE_TYPE_TEXT], p[SE_TYPE_TEXT];
    if (se_type_same(&s->in[i], &s->in[0]))
        return SE_OK;
    return SE_SHAPE_FAIL(s, "%s is not like p: %s and %s", name, se_type_print(&s->in[i], came),
                         se_type_print(&s->in[0], p));
}

/* Optional inputs: scale f32[], ok bool[]. */
static se_status want_scale_ok(const se_shape *s, int scale, int ok)
{
    se_status status = SE_OK;
    if (s->in[scale].dtype != SE_NONE)
        status = se_shape_want(s, scale, SE_F32, 0);
    if (!status && s->in[ok].dtype != SE_NONE)
        status = se_shape_want(s, ok, SE_BOOL, 0);
    return status;
}

static se_status adamw_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = want_like_p(s, 1, "m")) || (status = want_like_p(s, 2, "v")) ||
        (status = want_like_p(s, 3, "g")) || (status = se_shape_want(s, 4, SE_F32, 0)) ||
        (status = se_shape_want(s, 5, SE_F32, 0)) || (status = want_scale_ok(s, 6, 7)))
        return status;
    for (int o = 0; o < 3; o++)
        s->out[o] = se_type_make(SE_F32, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

static se_ref chosen(se_build *b, se_ref ok, se_ref new_value, se_ref old)
{
    return se_ref_ok(ok) ? OP3(b, where, ok, new_value, old) : new_value;
}

/* 1 - beta^t = 2 tanh(a) / (1 + tanh(a)) with a = -t log(beta) / 2: exact where beta^t is near 1.
 */
static se_ref one_minus_power(se_build *b, double beta, se_ref t)
{
    se_ref h = OP1(b, tanh, se_times(b, t, -0.5 * log(beta)));
    return OP2(b, div, se_times(b, h, 2), se_plus(b, h, 1));
}

/* p m v g rate t scale? ok?; attributes beta1 beta2 eps decay torch. The formulas: kernels/optim.c.
 */
static void adamw_expand(se_build *b, const se_rule *r)
{
    se_ref p = r->x[0], m = r->x[1], v = r->x[2], g = r->x[3], rate = r->x[4], ok = r->x[7];
    double beta1 = r->attr[0].f, beta2 = r->attr[1].f, eps = r->attr[2].f, decay = r->attr[3].f;
    bool torch = r->attr[4].i != 0;
    if (se_ref_ok(r->x[6]))
        g = OP2(b, mul, g, r->x[6]);
    se_ref mean = OP2(b, add, se_times(b, m, beta1), se_times(b, g, 1 - beta1));
    se_ref square = OP2(b, add, se_times(b, v, beta2), se_times(b, OP2(b, mul, g, g), 1 - beta2));
    se_ref step = OP2(b, div, rate, one_minus_power(b, beta1, r->x[5]));
    se_ref root = OP1(b, sqrt, one_minus_power(b, beta2, r->x[5])), size = OP1(b, sqrt, square);
    se_ref shrink = se_plus(b, se_times(b, rate, -decay), 1); /* 1 - rate decay */
    se_ref start = torch ? OP2(b, mul, p, shrink) : p;
    if (torch)
        size = OP2(b, div, size, root);
    else
        step = OP2(b, mul, step, root);
    se_ref move = OP2(b, mul, OP2(b, div, mean, se_plus(b, size, eps)), step);
    se_ref value = OP2(b, sub, start, move);
    r->y[0] = chosen(b, ok, torch ? value : OP2(b, mul, value, shrink), p);
    r->y[1] = chosen(b, ok, mean, m);
    r->y[2] = chosen(b, ok, square, v);
}

const se_op se_op_adamw = {
    .name = "adamw",
    .args = "p m v g rate t scale? ok? beta1:num=0.9 beta2:num=0.999 eps:num=1e-6 decay:num=0 "
            "torch:bool=false",
    .doc =
        "a step of AdamW, number t (from 1), with gradient scale * g: new parameters and moments "
        "(the old ones where ok is false); Hugging Face's form (eps added to the uncorrected "
        "root, decay last) or torch's",
    .n_out = 3,
    .outs = "p m v",
    .shape = adamw_shape,
    .cpu_rows = SE_KERNEL(adamw),
    .expand = adamw_expand,
    .overwrites = {1, 2, 3},
    .rowwise = true,
    .sample = "p:f32[2x3] m:f32[2x3] v:f32[2x3]@0.1..2 g:f32[2x3] rate:f32[]=0.01 t:f32[]=3 -grad; "
              "p:f32[2x3] m:f32[2x3] v:f32[2x3]@0.1..2 g:f32[2x3] rate:f32[]=0.01 t:f32[]=1 "
              "scale:f32[]=0.5 ok:bool[]=1 decay=0.1 -grad; "
              "p:f32[2x3] m:f32[2x3] v:f32[2x3]@0.1..2 g:f32[2x3] rate:f32[]=0.01 t:f32[]=2 "
              "ok:bool[]=0 -grad; "
              "p:f32[211x200] m:f32[211x200] v:f32[211x200]@0.1..2 g:f32[211x200] rate:f32[]=0.01 "
              "t:f32[]=700 decay=0.1 torch=true -grad",
};

/* --- sgd --- */

static se_status sgd_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = want_like_p(s, 1, "g")) || (status = se_shape_want(s, 2, SE_F32, 0)) ||
        (status = want_scale_ok(s, 3, 4)))
        return status;
    return se_shape_like_first(s);
}

static void sgd_expand(se_build *b, const se_rule *r)
{
    se_ref p = r->x[0], g = r->x[1];
    if (se_ref_ok(r->x[3]))
        g = OP2(b, mul, g, r->x[3]);
    g = OP2(b, add, g, se_times(b, p, r->attr[0].f));
    r->y[0] = chosen(b, r->x[4], OP2(b, sub, p, OP2(b, mul, g, r->x[2])), p);
}

const se_op se_op_sgd = {
    .name = "sgd",
    .args = "p g rate scale? ok? decay:num=0",
    .doc = "p - rate * (scale * g + decay * p); p where ok is false",
    .shape = sgd_shape,
    .cpu_rows = SE_KERNEL(sgd),
    .expand = sgd_expand,
    .overwrites = {1},
    .rowwise = true,
    .sample = "p:f32[2x3] g:f32[2x3] rate:f32[]=0.1 -grad; "
              "p:f32[2x3] g:f32[2x3] rate:f32[]=0.1 scale:f32[]=0.5 ok:bool[]=1 decay=0.1 -grad; "
              "p:f32[211x200] g:f32[211x200] rate:f32[]=0.1 ok:bool[]=0 -grad",
};

/* --- global_norm --- */

static se_status global_norm_shape(const se_shape *s)
{
    for (int i = 0; i < s->n_in; i++) {
        se_status status = se_shape_want(s, i, SE_F32, -1);
        if (status)
            return status;
    }
    s->out[0] = se_type_scalar(SE_F32);
    return SE_OK;
}

static int64_t global_norm_scratch(const se_task *t)
{
    int64_t blocks = 0;
    for (int i = 0; i < t->n_in; i++)
        blocks += se_norm_blocks_of(&t->in_type[i]);
    return (blocks * (int64_t)sizeof(double) / se_threads() + 128) / 64 * 64;
}

static void global_norm_rule(se_build *b, const se_rule *g) /* dx = x dy / norm; 0 at 0 */
{
    se_ref norm = OP2(b, maximum, g->y[0], se_number(b, 1e-30));
    se_ref share = OP2(b, div, g->dy[0], norm);
    for (int i = 0; i < g->n_in; i++)
        if (g->want[i])
            g->dx[i] = OP2(b, mul, g->x[i], share);
}

static void global_norm_expand(se_build *b, const se_rule *g)
{
    se_ref total = se_number(b, 0);
    for (int i = 0; i < g->n_in; i++) {
        se_type scalar = se_type_scalar(SE_F32);
        total = OP2(b, add, total, se_sum_to(b, OP2(b, mul, g->x[i], g->x[i]), &scalar));
    }
    g->y[0] = OP1(b, sqrt, total);
}

const se_op se_op_global_norm = {
    .name = "global_norm",
    .args = "xs*",
    .doc = "square root of the sum of squares over all tensors",
    .shape = global_norm_shape,
    .cpu = SE_KERNEL(global_norm),
    .scratch = global_norm_scratch,
    .grad = global_norm_rule,
    .expand = global_norm_expand,
    .sample = "xs:f32[2x3] xs:f32[] xs:f32[5]; xs:f32[0x3] xs:f32[2]; "
              "xs:f32[67x768] xs:f32[33000] xs:f32[7]",
};
