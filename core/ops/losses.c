/* Losses made of other ops: one number for each element, or for each row of vectors. Their mean or
 * sum is the recipe's. cross_entropy is in loss.c. */
#include "ops/compose.h"

SE_OP_EXTERN(abs);
SE_OP_EXTERN(clip);
SE_OP_EXTERN(cosine);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(greater);
SE_OP_EXTERN(log);
SE_OP_EXTERN(log1p);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(neg);
SE_OP_EXTERN(relu);
SE_OP_EXTERN(sqrt);
SE_OP_EXTERN(where);

#define LOSS(NAME, ARGS, DOC, SHAPE, SAMPLE)                                                       \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = ARGS,                                                      \
                                .doc = DOC,                                                        \
                                .shape = SHAPE,                                                    \
                                .expand = NAME##_expand,                                           \
                                .sample = SAMPLE,                                                  \
                                .promote = true,                                                   \
                                .floats = true,                                                    \
                                .rowwise = true}

/* All that came are f32 and fit each other; what was left out has no say. */
static se_status f32_shape(const se_shape *s)
{
    se_shape given = *s;
    for (int i = 0; i < s->n_in; i++) {
        if (s->in[i].dtype == SE_NONE) {
            given.n_in = i;
            break;
        }
        se_status status = se_shape_want(s, i, SE_F32, -1);
        if (status)
            return status;
    }
    return se_shape_broadcast(&given);
}

/* The same of rows of vectors: the last axis is gone from the result. */
static se_status rows_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    se_status status = f32_shape(s);
    if (status)
        return status;
    if (s->out[0].rank == 0)
        return SE_SHAPE_FAIL(s, "vectors are wanted: %s came", se_type_print(&s->in[0], text));
    s->out[0].rank--;
    return SE_OK;
}

/* --- of differences --- */

#define TWO                                                                                        \
    "x:f32[2x3] y:f32[3]; x:f32[] y:f32[4]; x:f32[0x3] y:f32[3]; x:f32[251x173] y:f32[251x173]"

static void l1_expand(se_build *b, const se_rule *g)
{
    g->y[0] = OP1(b, abs, OP2(b, sub, g->x[0], g->x[1]));
}

LOSS(l1, "x y", "|x - y| of each element; its mean is the mean absolute error", f32_shape, TWO);

static void mse_expand(se_build *b, const se_rule *g)
{
    se_ref d = OP2(b, sub, g->x[0], g->x[1]);
    g->y[0] = OP2(b, mul, d, d);
}

LOSS(mse, "x y", "(x - y)^2 of each element; its mean is the mean squared error", f32_shape, TWO);

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

LOSS(huber, "x y delta:num=1",
     "(x - y)^2 / 2 where |x - y| is below delta, else delta (|x - y| - delta / 2)", huber_shape,
     "x:f32[2x3] y:f32[3]; x:f32[4]=0.1,-3,2.2,0.4 y:f32[]=0 delta=0.5; x:f32[0x3] y:f32[3]; "
     "x:f32[251x173] y:f32[251x173] delta=2");

/* 0 where the target is 0, also where x is -inf: both logarithms are kept from it. */
static void kl_div_expand(se_build *b, const se_rule *g)
{
    se_ref t = g->x[1], zero = se_number(b, 0), none = OP2(b, equal, t, zero);
    se_ref logarithm = OP1(b, log, OP3(b, where, none, se_number(b, 1), t));
    se_ref x = OP3(b, where, none, zero, g->x[0]);
    g->y[0] = OP2(b, mul, t, OP2(b, sub, logarithm, x));
}

LOSS(kl_div, "x target",
     "target (log target - x), 0 where target is 0: x holds logarithms, target probabilities",
     f32_shape,
     "x:f32[2x3] target:f32[3]@0.1..1; x:f32[3] target:f32[3]=0,0.5,1!; "
     "x:f32[3]=-inf,-1,-2! target:f32[3]=0,0.5,1!; x:f32[0x3] target:f32[3]; x:f32[251x173] "
     "target:f32[251x173]@0.01..1");

/* --- of logits and targets --- */

/* t softplus(-x) + (1 - t) softplus(x), where softplus(x) = max(x, 0) + log(1 + exp(-|x|)): no term
 * is below 0, so none cancels another. The maxima share the slope at 0, which relu would not. */
static void bce_with_logits_expand(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], t = g->x[1], zero = se_number(b, 0);
    se_ref below = OP2(b, maximum, OP1(b, neg, x), zero), above = OP2(b, maximum, x, zero);
    se_ref corner = OP1(b, log1p, OP1(b, exp, OP1(b, neg, OP1(b, abs, x))));
    se_ref on = t, off = OP2(b, sub, se_number(b, 1), t);
    if (se_ref_ok(g->x[2])) {
        on = OP2(b, mul, t, g->x[2]);
        corner = OP2(b, mul, OP2(b, add, on, off), corner);
    }
    se_ref far = OP2(b, add, OP2(b, mul, on, below), OP2(b, mul, off, above));
    g->y[0] = OP2(b, add, far, corner);
}

LOSS(bce_with_logits, "x target pos_weight?",
     "-target log sigmoid(x) - (1 - target) log sigmoid(-x); pos_weight multiplies the first term",
     f32_shape,
     "x:f32[2x3] target:f32[3]@0..1; x:f32[5]=-200,-20,-1,30,400 target:f32[5]=0,0.5,1,1,0.25; "
     "x:f32[2x3] target:f32[2x3]@0..1 pos_weight:f32[3]@0.5..3; x:f32[0x3] target:f32[3]; "
     "x:f32[2x3] target:bool[2x3]; x:f32[251x173] target:f32[251x173]@0..1");

static void hinge_expand(se_build *b, const se_rule *g)
{
    se_ref product = OP2(b, mul, g->x[0], g->x[1]);
    g->y[0] = OP1(b, relu, OP2(b, sub, se_number(b, g->attr[0].f), product));
}

LOSS(hinge, "x target margin:num=1", "max(0, margin - target x), where targets are 1 or -1",
     f32_shape,
     "x:f32[2x3] target:f32[2x3]=1,-1,-1,1,1,-1!; x:f32[4] target:i32[4]=1,1,-1,-1 margin=0.5; "
     "x:f32[0x3] target:f32[3]; x:f32[251x173] target:f32[173]=1");

/* --- of places in an order --- */

static void margin_ranking_expand(se_build *b, const se_rule *g)
{
    se_ref lead = OP2(b, mul, g->x[2], OP2(b, sub, g->x[0], g->x[1]));
    g->y[0] = OP1(b, relu, OP2(b, sub, se_number(b, g->attr[0].f), lead));
}

LOSS(margin_ranking, "x y target margin:num=0",
     "max(0, margin - target (x - y)): target 1 wants x above y by the margin, -1 below", f32_shape,
     "x:f32[2x3] y:f32[3] target:f32[2x3]=1,-1,-1,1,1,-1!; "
     "x:f32[4] y:f32[4] target:i32[4]=1,1,-1,-1 margin=0.5; x:f32[0x3] y:f32[3] target:f32[3]; "
     "x:f32[251x173] y:f32[251x173] target:f32[]=1! margin=1");

/* |a - c + eps|: eps keeps the root's slope finite where a = c. */
static se_ref distance(se_build *b, se_ref a, se_ref c, double eps)
{
    se_ref d = se_plus(b, OP2(b, sub, a, c), eps);
    return OP1(b, sqrt, se_without_last(b, se_sum_last(b, OP2(b, mul, d, d))));
}

static void triplet_expand(se_build *b, const se_rule *g)
{
    double margin = g->attr[0].f, eps = g->attr[1].f;
    se_ref near = distance(b, g->x[0], g->x[1], eps), far = distance(b, g->x[0], g->x[2], eps);
    g->y[0] = OP1(b, relu, se_plus(b, OP2(b, sub, near, far), margin));
}

LOSS(triplet, "anchor positive negative margin:num=1 eps:num=1e-6",
     "max(0, |anchor - positive| - |anchor - negative| + margin) of each row", rows_shape,
     "anchor:f32[4x5] positive:f32[4x5] negative:f32[4x5]; "
     "anchor:f32[4x5] positive:f32[5] negative:f32[4x5] margin=3 eps=0.01; "
     "anchor:f32[5] positive:f32[5] negative:f32[5] margin=9; "
     "anchor:f32[0x3] positive:f32[0x3] negative:f32[3]; "
     "anchor:f32[251x173] positive:f32[251x173] negative:f32[251x173]");

/* --- of angles --- */

/* x and y [.., d], target [..] */
static se_status cosine_embedding_shape(const se_shape *s)
{
    char x[SE_TYPE_TEXT], target[SE_TYPE_TEXT];
    se_shape vectors = *s;
    vectors.n_in = 2;
    se_status status = rows_shape(&vectors);
    if (status || (status = se_shape_want(s, 2, SE_F32, -1)))
        return status;
    if (!se_type_broadcast(&s->out[0], &s->in[2], &s->out[0]))
        return SE_SHAPE_FAIL(s, "one target for each pair of rows is wanted: %s and %s came",
                             se_type_print(&s->in[0], x), se_type_print(&s->in[2], target));
    return SE_OK;
}

static void cosine_embedding_expand(se_build *b, const se_rule *g)
{
    se_ref c = OP2(b, cosine, g->x[0], g->x[1]);
    se_ref alike = OP2(b, sub, se_number(b, 1), c);
    se_ref apart = OP1(b, relu, se_plus(b, c, -g->attr[0].f));
    g->y[0] = OP3(b, where, OP2(b, greater, g->x[2], se_number(b, 0)), alike, apart);
}

LOSS(cosine_embedding, "x y target margin:num=0",
     "1 - cosine(x, y) of rows with target 1, max(0, cosine(x, y) - margin) of those with -1",
     cosine_embedding_shape,
     "x:f32[4x5] y:f32[4x5] target:f32[4]=1,-1,1,-1!; x:f32[4x5] y:f32[5] target:i32[4]=1,-1,-1,1 "
     "margin=-0.5; x:f32[5] y:f32[5] target:f32[3]=1,-1,1!; x:f32[0x3] y:f32[0x3] target:f32[0]; "
     "x:f32[251x173] y:f32[251x173] target:f32[]=-1! margin=-0.2");
