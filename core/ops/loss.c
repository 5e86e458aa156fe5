/* The loss of rows of scores: cross_entropy. Where targets are numbers and nothing is smoothed it
 * is a kernel with a gradient of its own; else it is made of other ops. */
#include "ops/compose.h"

SE_OP_EXTERN(cross_entropy_grad);
SE_OP_EXTERN(cross_entropy_rows);
SE_OP_EXTERN(log_softmax);
SE_OP_EXTERN(logsumexp_last);
SE_OP_EXTERN(logsumexp);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(where);
SE_KERNEL_DECLARE(cross_entropy);
SE_KERNEL_DECLARE(cross_entropy_grad);

/* scores f32[B, C], targets i32[B]. */
static se_status want_scores(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 2);
    if (status || (status = se_shape_want(s, 1, SE_I32, 1)))
        return status;
    if (s->in[0].dim[0] != s->in[1].dim[0] || s->in[0].dim[1] < 1) {
        char scores[SE_TYPE_TEXT], targets[SE_TYPE_TEXT];
        return SE_SHAPE_FAIL(s, "one target a row of scores is wanted: %s and %s came",
                             se_type_print(&s->in[0], scores), se_type_print(&s->in[1], targets));
    }
    return SE_OK;
}

static se_status loss_shape(const se_shape *s)
{
    se_status status = want_scores(s);
    if (!status)
        s->out[0] = s->out[1] = se_type_make(SE_F32, 1, s->in[0].dim);
    return status;
}

static se_status check_targets(const se_task *t)
{
    const int32_t *targets = t->in[1];
    int64_t classes = t->in_type[0].dim[1];
    for (int64_t i = 0; i < t->in_type[1].dim[0]; i++) {
        if (targets[i] < 0 || targets[i] >= classes) {
            return se_fail(SE_ERR_ARG, "target %lld is %d: 0 to %lld are possible", (long long)i,
                           targets[i], (long long)classes - 1);
        }
    }
    return SE_OK;
}

/* [B, C]: true at each row's target. */
static se_ref at_target(se_build *b, se_ref scores, se_ref targets)
{
    const se_type *t = se_ref_type(scores);
    return t ? OP2(b, equal, se_iota(b, t->dim[1]), se_with_last(b, targets)) : scores;
}

static void loss_rule(se_build *b, const se_rule *g)
{
    se_ref lse = g->y[1];
    if (se_ref_ok(g->dy[0]))
        g->dx[0] = OP(b, cross_entropy_grad, NULL, g->x[0], g->x[1], lse, g->dy[0]);
    if (se_ref_ok(g->dy[1])) { /* of second derivatives: d lse / dx = softmax */
        se_ref share = OP1(b, exp, OP2(b, sub, g->x[0], se_with_last(b, lse)));
        se_ref part = OP2(b, mul, share, se_with_last(b, g->dy[1]));
        g->dx[0] = se_add_grads(b, g->dx[0], part);
    }
}

static void loss_expand(se_build *b, const se_rule *g)
{
    se_ref here = at_target(b, g->x[0], g->x[1]);
    se_ref own = se_sum_last(b, OP3(b, where, here, g->x[0], se_number(b, 0)));
    g->y[1] = OP1(b, logsumexp_last, g->x[0]);
    g->y[0] = OP2(b, sub, g->y[1], se_without_last(b, own));
}

const se_op se_op_cross_entropy_rows = {
    .name = "cross_entropy_rows",
    .of = "cross_entropy",
    .args = "scores targets",
    .doc = "cross_entropy of rows whose targets are numbers",
    .internal = true,
    .n_out = 2,
    .outs = "loss lse",
    .shape = loss_shape,
    .cpu = SE_KERNEL(cross_entropy),
    .check = check_targets,
    .grad = loss_rule,
    .expand = loss_expand,
    .rowwise = true,
    .sample = "scores:f32[5x7] targets:i32[5]=0,6,3,3,2; "
              "scores:f32[4x300]@-20..20 targets:i32[4]@0..300; "
              "scores:f32[211x200] targets:i32[211]@0..200",
};

static se_status loss_grad_shape(const se_shape *s)
{
    se_status status = want_scores(s);
    for (int i = 2; !status && i < 4; i++) {
        status = se_shape_want(s, i, SE_F32, 1);
        if (!status && s->in[i].dim[0] != s->in[0].dim[0]) {
            status = SE_SHAPE_FAIL(s, "one value a row of scores is wanted: %lld for %lld rows",
                                   (long long)s->in[i].dim[0], (long long)s->in[0].dim[0]);
        }
    }
    return status ? status : se_shape_like_first(s);
}

/* scores targets lse dy; lse counts as an input of its own. */
static void loss_grad_expand(se_build *b, const se_rule *g)
{
    se_ref here = at_target(b, g->x[0], g->x[1]);
    se_ref share = OP1(b, exp, OP2(b, sub, g->x[0], se_with_last(b, g->x[2])));
    se_ref less = OP3(b, where, here, se_number(b, 1), se_number(b, 0));
    g->y[0] = OP2(b, mul, OP2(b, sub, share, less), se_with_last(b, g->x[3]));
}

const se_op se_op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .of = "cross_entropy",
    .args = "scores targets lse dy",
    .doc = "gradient of cross_entropy",
    .shape = loss_grad_shape,
    .cpu_rows = SE_KERNEL(cross_entropy_grad),
    .split = SE_BY_LAST,
    .check = check_targets,
    .expand = loss_grad_expand,
    .rowwise = true,
    .inplace = 1,
    .internal = true,
    .sample = "scores:f32[5x7] targets:i32[5]=0,6,3,3,2 lse:f32[5]@3..5 dy:f32[5]; "
              "scores:f32[211x200] targets:i32[211]@0..200 lse:f32[211]@5..7 dy:f32[211]",
};

/* --- the public op --- */

static se_status soft_shape(const se_shape *s)
{
    char scores[SE_TYPE_TEXT], targets[SE_TYPE_TEXT];
    int rank = s->in[0].rank;
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status)
        return status;
    if (rank == 0 || !se_shape_same_dims(&s->in[0], &s->in[1]) || se_type_last(&s->in[0]) == 0)
        return SE_SHAPE_FAIL(s, "f32 targets are as large as the scores: %s and %s came",
                             se_type_print(&s->in[0], scores), se_type_print(&s->in[1], targets));
    s->out[0] = s->out[1] = se_type_make(SE_F32, rank - 1, s->in[0].dim);
    return SE_OK;
}

static se_status cross_entropy_shape(const se_shape *s)
{
    double smoothing = s->attr[0].f;
    if (!(smoothing >= 0 && smoothing <= 1))
        return SE_SHAPE_FAIL(s, "smoothing = %g: 0 to 1 is wanted", smoothing);
    return s->in[1].dtype == SE_F32 ? soft_shape(s) : loss_shape(s);
}

/* With the smoothing e over C classes: sum(t' (lse - scores)), t' = (1 - e) t + e / C. */
static void cross_entropy_expand(se_build *b, const se_rule *g)
{
    double smoothing = g->attr[0].f;
    se_ref scores = g->x[0], targets = g->x[1], own;
    if (se_ref_type(targets)->dtype == SE_I32) {
        se_ref loss = OP2(b, cross_entropy_rows, scores, targets);
        g->y[1] = se_out(loss, 1);
        own = loss;
    } else {
        se_ref far = OP1(b, log_softmax, scores);
        g->y[1] = OP1(b, logsumexp, scores);
        own = se_times(b, se_without_last(b, se_sum_last(b, OP2(b, mul, targets, far))), -1);
    }
    if (smoothing == 0) {
        g->y[0] = own;
        return;
    }
    se_ref every = OP2(b, sub, g->y[1], se_without_last(b, se_mean_last(b, scores)));
    g->y[0] = OP2(b, add, se_times(b, own, 1 - smoothing), se_times(b, every, smoothing));
}

const se_op se_op_cross_entropy = {
    .name = "cross_entropy",
    .args = "scores targets smoothing:num=0",
    .doc =
        "log(sum(exp(scores))) - scores[target] of each row, and its first part; targets i32[rows] "
        "count from 0, or are f32 shares of all classes; smoothing: so large a share of a target "
        "goes to all classes evenly",
    .n_out = 2,
    .outs = "loss lse",
    .shape = cross_entropy_shape,
    .expand = cross_entropy_expand,
    .sample = "scores:f32[5x7] targets:i32[5]=0,6,3,3,2; "
              "scores:f32[5x7] targets:i32[5]=0,6,3,3,2 smoothing=0.1; "
              "scores:f32[5x7] targets:f32[5x7]@0..1; scores:f32[2x3x4] targets:f32[2x3x4]@0..1 "
              "smoothing=0.3; scores:f32[211x200] targets:i32[211]@0..200; "
              "scores:f32[0x4] targets:i32[0]",
};
