/* Ops over the last axis: layer_norm, rms_norm, and the kernels behind softmax, log_softmax,
 * logsumexp and normalize (axis.c). */
#include "kernels/norm.h"
#include "ops/compose.h"

SE_OP_EXTERN(layer_norm);
SE_OP_EXTERN(layer_norm_grad);
SE_OP_EXTERN(logsumexp_last);
SE_OP_EXTERN(sqrt);
SE_OP_EXTERN(rsqrt);
SE_OP_EXTERN(exp);
SE_OP_EXTERN(log);
SE_OP_EXTERN(maximum);
SE_OP_EXTERN(is_finite);
SE_OP_EXTERN(where);
SE_KERNEL_DECLARE(layer_norm);
SE_KERNEL_DECLARE(layer_norm_grad);
SE_KERNEL_DECLARE(softmax);
SE_KERNEL_DECLARE(log_softmax);
SE_KERNEL_DECLARE(logsumexp);
SE_KERNEL_DECLARE(normalize);

/* x is f32 with at least one axis, the last one not empty. */
static se_status want_rows(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status)
        return status;
    if (s->in[0].rank == 0 || se_type_last(&s->in[0]) == 0) {
        char type[SE_TYPE_TEXT];
        return SE_SHAPE_FAIL(s, "x needs a last axis that is not empty: %s came",
                             se_type_print(&s->in[0], type));
    }
    return SE_OK;
}

/* Input i is f32 with these dims. */
static se_status want_dims(const se_shape *s, int i, const char *name, int rank, const int64_t *dim)
{
    se_type want = se_type_make(SE_F32, rank, dim);
    char came[SE_TYPE_TEXT], wanted[SE_TYPE_TEXT];
    if (s->in[i].dtype == SE_F32 && se_shape_same_dims(&s->in[i], &want))
        return SE_OK;
    return SE_SHAPE_FAIL(s, "%s does not fit x: %s came, %s is wanted", name,
                         se_type_print(&s->in[i], came), se_type_print(&want, wanted));
}

static se_status rows_shape(const se_shape *s)
{
    se_status status = want_rows(s);
    return status ? status : se_shape_like_first(s);
}

/* --- layer_norm --- */

static se_status layer_norm_shape(const se_shape *s)
{
    se_status status = want_rows(s);
    int64_t n = status ? 0 : se_type_last(&s->in[0]);
    if (status || (status = want_dims(s, 1, "weight", 1, &n)) ||
        (status = want_dims(s, 2, "bias", 1, &n)))
        return status;
    s->out[0] = se_type_make(SE_F32, s->in[0].rank, s->in[0].dim);
    s->out[1] = s->out[2] = se_type_make(SE_F32, s->in[0].rank - 1, s->in[0].dim);
    return SE_OK;
}

/* y from layer_norm_grad. The gradients of mean and rstd are zero but for second derivatives:
 * d mean / dx = 1 / n, d rstd / dx = -rstd^3 (x - mean) / n. */
static void layer_norm_rule(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], mean = g->y[1], rstd = g->y[2];
    const se_type *type = se_ref_type(x);
    double n = (double)se_type_last(type);
    if (se_ref_ok(g->dy[0])) {
        se_ref d = OP(b, layer_norm_grad, NULL, x, g->x[1], mean, rstd, g->dy[0]);
        g->dx[0] = d;
        g->dx[1] = se_out(d, 1);
        g->dx[2] = se_out(d, 2);
    }
    if (se_ref_ok(g->dy[1]) && g->want[0]) {
        se_ref part = se_times(b, se_with_last(b, g->dy[1]), 1 / n);
        g->dx[0] = se_add_grads(b, g->dx[0], se_stretch(b, part, type));
    }
    if (se_ref_ok(g->dy[2]) && g->want[0]) {
        se_ref cube = OP2(b, mul, rstd, OP2(b, mul, rstd, rstd));
        se_ref part = se_with_last(b, se_times(b, OP2(b, mul, cube, g->dy[2]), -1 / n));
        se_ref centred = OP2(b, sub, x, se_with_last(b, mean));
        g->dx[0] = se_add_grads(b, g->dx[0], OP2(b, mul, centred, part));
    }
}

static void layer_norm_expand(se_build *b, const se_rule *g)
{
    se_ref mean = se_mean_last(b, g->x[0]), centred = OP2(b, sub, g->x[0], mean);
    se_ref variance = se_mean_last(b, OP2(b, mul, centred, centred));
    se_ref deviation = OP1(b, sqrt, se_plus(b, variance, g->attr[0].f));
    se_ref rstd = OP2(b, div, se_number(b, 1), deviation);
    se_ref scaled = OP2(b, mul, OP2(b, mul, centred, rstd), g->x[1]);
    g->y[0] = OP2(b, add, scaled, g->x[2]);
    g->y[1] = se_without_last(b, mean);
    g->y[2] = se_without_last(b, rstd);
}

const se_op se_op_layer_norm = {
    .name = "layer_norm",
    .args = "x weight bias eps:num=1e-5",
    .doc = "(x - mean) / sqrt(variance + eps) * weight + bias over the last axis",
    .n_out = 3,
    .outs = "y mean rstd",
    .shape = layer_norm_shape,
    .cpu_rows = SE_KERNEL(layer_norm),
    .split = SE_BY_LAST,
    .grad = layer_norm_rule,
    .expand = layer_norm_expand,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7] weight:f32[7] bias:f32[7]; x:f32[2x3x16] weight:f32[16] bias:f32[16] "
              "eps=0.1; x:f32[67x768] weight:f32[768] bias:f32[768]",
};

static se_status layer_norm_grad_shape(const se_shape *s)
{
    se_status status = want_rows(s);
    if (status)
        return status;
    int rank = s->in[0].rank;
    int64_t n = se_type_last(&s->in[0]);
    if ((status = want_dims(s, 1, "weight", 1, &n)) ||
        (status = want_dims(s, 2, "mean", rank - 1, s->in[0].dim)) ||
        (status = want_dims(s, 3, "rstd", rank - 1, s->in[0].dim)) ||
        (status = want_dims(s, 4, "dy", rank, s->in[0].dim)))
        return status;
    s->out[0] = se_type_make(SE_F32, rank, s->in[0].dim);
    s->out[1] = s->out[2] = se_type_make(SE_F32, 1, &n);
    return SE_OK;
}

static int64_t layer_norm_grad_scratch(const se_task *t)
{
    int64_t n = se_type_last(&t->in_type[0]), rows = se_type_rows(&t->in_type[0]);
    int64_t bytes = se_norm_blocks(rows) * 2 * n * (int64_t)se_dtype_size(SE_F32);
    return (bytes / se_threads() + 128) / 64 * 64;
}

/* x weight mean rstd dy; mean and rstd count as inputs of their own. */
static void layer_norm_grad_expand(se_build *b, const se_rule *g)
{
    se_ref x = g->x[0], dy = g->x[4], rstd = se_with_last(b, g->x[3]);
    se_ref centred = OP2(b, sub, x, se_with_last(b, g->x[2]));
    se_ref unit = OP2(b, mul, centred, rstd), scaled = OP2(b, mul, dy, g->x[1]);
    se_ref along = OP2(b, mul, unit, se_mean_last(b, OP2(b, mul, scaled, unit)));
    se_ref rest = OP2(b, sub, OP2(b, sub, scaled, se_mean_last(b, scaled)), along);
    const se_type *weight = se_ref_type(g->x[1]);
    g->y[0] = OP2(b, mul, rest, rstd);
    g->y[1] = se_sum_to(b, OP2(b, mul, dy, unit), weight);
    g->y[2] = se_sum_to(b, dy, weight);
}

const se_op se_op_layer_norm_grad = {
    .name = "layer_norm_grad",
    .of = "layer_norm",
    .args = "x weight mean rstd dy",
    .doc = "gradient of layer_norm",
    .n_out = 3,
    .outs = "dx dweight dbias",
    .shape = layer_norm_grad_shape,
    .cpu = SE_KERNEL(layer_norm_grad),
    .scratch = layer_norm_grad_scratch,
    .expand = layer_norm_grad_expand,
    .internal = true,
    .sample = "x:f32[5x7] weight:f32[7] mean:f32[5] rstd:f32[5]@0.5..1 dy:f32[5x7]; "
              "x:f32[67x768] weight:f32[768] mean:f32[67] rstd:f32[67]@0.5..1 dy:f32[67x768]",
};

/* --- rms_norm --- */

static se_status rms_norm_shape(const se_shape *s)
{
    se_status status = want_rows(s);
    int64_t n = status ? 0 : se_type_last(&s->in[0]);
    if (!status && s->in[1].dtype != SE_NONE)
        status = want_dims(s, 1, "weight", 1, &n);
    return status ? status : se_shape_like_first(s);
}

static void rms_norm_expand(se_build *b, const se_rule *g)
{
    se_ref squares = se_mean_last(b, OP2(b, mul, g->x[0], g->x[0]));
    se_ref y = OP2(b, mul, g->x[0], OP1(b, rsqrt, se_plus(b, squares, g->attr[0].f)));
    g->y[0] = se_ref_ok(g->x[1]) ? OP2(b, mul, y, g->x[1]) : y;
}

const se_op se_op_rms_norm = {
    .name = "rms_norm",
    .args = "x weight? eps:num=1e-6",
    .doc = "x / sqrt(mean(x^2) + eps) * weight over the last axis",
    .shape = rms_norm_shape,
    .expand = rms_norm_expand,
    .rowwise = true,
    .sample = "x:f32[5x7] weight:f32[7]; x:f32[2x3x16] eps=0.1; x:f32[0x3]; "
              "x:f32[67x768] weight:f32[768]",
};

/* --- softmax and its relatives --- */

static void softmax_rule(se_build *b, const se_rule *g) /* dx = y (dy - sum(dy y)) */
{
    se_ref y = g->y[0], inner = se_sum_last(b, OP2(b, mul, g->dy[0], y));
    g->dx[0] = OP2(b, mul, y, OP2(b, sub, g->dy[0], inner));
}

static void softmax_expand(se_build *b, const se_rule *g)
{
    se_ref e = OP1(b, exp, OP2(b, sub, g->x[0], se_max_last(b, g->x[0])));
    g->y[0] = OP2(b, div, e, se_sum_last(b, e));
}

const se_op se_op_softmax_last = {
    .name = "softmax_last",
    .of = "softmax",
    .internal = true,
    .args = "x",
    .doc = "exp(x) / sum(exp(x)) over the last axis",
    .shape = rows_shape,
    .cpu_rows = SE_KERNEL(softmax),
    .split = SE_BY_LAST,
    .grad = softmax_rule,
    .expand = softmax_expand,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7]; x:f32[2x3x33]@-30..30 ~2e-5; x:f32[211x200]",
};

static void log_softmax_rule(se_build *b, const se_rule *g) /* dx = dy - exp(y) sum(dy) */
{
    se_ref total = se_sum_last(b, g->dy[0]);
    g->dx[0] = OP2(b, sub, g->dy[0], OP2(b, mul, OP1(b, exp, g->y[0]), total));
}

static void log_softmax_expand(se_build *b, const se_rule *g)
{
    se_ref lse = OP(b, logsumexp_last, ATTRS(SE_INT(1)), g->x[0]);
    g->y[0] = OP2(b, sub, g->x[0], lse);
}

const se_op se_op_log_softmax_last = {
    .name = "log_softmax_last",
    .of = "log_softmax",
    .internal = true,
    .args = "x",
    .doc = "x - log(sum(exp(x))) over the last axis",
    .shape = rows_shape,
    .cpu_rows = SE_KERNEL(log_softmax),
    .split = SE_BY_LAST,
    .grad = log_softmax_rule,
    .expand = log_softmax_expand,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7]; x:f32[2x3x33]@-30..30; x:f32[211x200]",
};

static se_status logsumexp_shape(const se_shape *s)
{
    se_status status = rows_shape(s);
    if (status)
        return status;
    if (s->attr[0].i)
        s->out[0].dim[s->out[0].rank - 1] = 1;
    else
        s->out[0] = se_type_make(SE_F32, s->in[0].rank - 1, s->in[0].dim);
    return SE_OK;
}

static void logsumexp_rule(se_build *b, const se_rule *g) /* dx = dy exp(x - y) */
{
    bool keep = g->attr[0].i != 0;
    se_ref y = keep ? g->y[0] : se_with_last(b, g->y[0]);
    se_ref dy = keep ? g->dy[0] : se_with_last(b, g->dy[0]);
    g->dx[0] = OP2(b, mul, OP1(b, exp, OP2(b, sub, g->x[0], y)), dy);
}

static void logsumexp_expand(se_build *b, const se_rule *g)
{
    se_ref top = se_max_last(b, g->x[0]);
    top = OP3(b, where, OP1(b, is_finite, top), top, se_number(b, 0));
    se_ref e = OP1(b, exp, OP2(b, sub, g->x[0], top));
    se_ref y = OP2(b, add, top, OP1(b, log, se_sum_last(b, e)));
    g->y[0] = g->attr[0].i ? y : se_without_last(b, y);
}

const se_op se_op_logsumexp_last = {
    .name = "logsumexp_last",
    .of = "logsumexp",
    .internal = true,
    .args = "x keep:bool=false",
    .doc = "log(sum(exp(x))) over the last axis",
    .shape = logsumexp_shape,
    .cpu = SE_KERNEL(logsumexp),
    .grad = logsumexp_rule,
    .expand = logsumexp_expand,
    .rowwise = true,
    .sample = "x:f32[5x7]; x:f32[2x3x33]@-30..30 keep=true; x:f32[211x200]",
};

/* The limit is set on the squared norm, so that a row of zeros has gradient 0 / eps, not a nan. */
static void normalize_expand(se_build *b, const se_rule *g)
{
    double eps = g->attr[0].f;
    se_ref squares = se_sum_last(b, OP2(b, mul, g->x[0], g->x[0]));
    se_ref norm = OP1(b, sqrt, OP2(b, maximum, squares, se_number(b, eps * eps)));
    g->y[0] = OP2(b, div, g->x[0], norm);
}

const se_op se_op_normalize_last = {
    .name = "normalize_last",
    .of = "normalize",
    .internal = true,
    .args = "x eps:num=1e-12",
    .doc = "x / max(|x|, eps) over the last axis: rows of length 1",
    .shape = rows_shape,
    .cpu_rows = SE_KERNEL(normalize),
    .split = SE_BY_LAST,
    .expand = normalize_expand,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7]; x:f32[2x3x33]@0.5..3; x:f32[2x3]=0,0,0,0,0,0 -grad; x:f32[67x768]",
};
