/* Ops that draw random numbers. Every number is a pure function of its place: kernels/threefry.h.
 */
#include "ops/compose.h"
#include "ops/random_hlo.h"
#include "ops/texts.h"

#include <math.h>

SE_OP_EXTERN(dropout);
SE_OP_EXTERN(dropout_grid);
SE_KERNEL_DECLARE(dropout);
SE_KERNEL_DECLARE(dropout_grid);
SE_KERNEL_DECLARE(random_normal);
SE_KERNEL_DECLARE(random_uniform);
SE_KERNEL_DECLARE(random_truncated_normal);
SE_KERNEL_DECLARE(random_bernoulli);
SE_KERNEL_DECLARE(random_integers);
SE_KERNEL_DECLARE(random_categorical_draws);
SE_KERNEL_DECLARE(random_permutation);
SE_OP_EXTERN(random_categorical_draws);

static se_status dropout_shape(const se_shape *s)
{
    const se_type *who = &s->in[2], *starts = &s->in[3];
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = se_want_key(s, 1)) || (status = se_want_rate(s, s->attr[0].f)))
        return status;
    if ((who->dtype == SE_NONE) != (starts->dtype == SE_NONE))
        return SE_SHAPE_FAIL(s, "who and starts come together or not at all");
    if (starts->dtype != SE_NONE &&
        ((status = se_want_starts(s, 3)) || (status = se_want_who(s, 2, starts->dim[0] - 1))))
        return status;
    return se_shape_like_first(s);
}

static se_status dropout_check(const se_task *t)
{
    int64_t rows = se_type_rows(&t->in_type[0]);
    return t->in[3] ? se_check_starts(&t->in_type[3], t->in[3], rows, rows) : SE_OK;
}

static void dropout_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, dropout, g->attr, g->dy[0], g->x[1], g->x[2], g->x[3]);
}

const se_op se_op_dropout = {
    .name = "dropout",
    .args = "x key who? starts? rate:num=0.1 place:int=0",
    .doc = "zeros a share `rate` of the elements, drawn from key (seed, step, stream), and scales "
           "the rest by 1 / (1 - rate); with who and starts a row's draw belongs to its text",
    .shape = dropout_shape,
    .cpu_rows = SE_KERNEL(dropout),
    .hlo = se_dropout_hlo,
    .split = SE_BY_LAST,
    .check = dropout_check,
    .grad = dropout_rule,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7] key:i32[3]=1,2,0 rate=0.5 -rows; "
              "x:f32[9x7] key:i32[3]=1,2,0 who:i32[3]=4,0,9 starts:i32[4]=0,2,2,8 place=3 -rows; "
              "x:f32[67x768] key:i32[3]=1,2,1 -rows",
};

static se_status dropout_grid_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 4);
    if (status || (status = se_want_key(s, 1)) || (status = se_want_who(s, 2, s->in[0].dim[0])) ||
        (status = se_want_rate(s, s->attr[0].f)))
        return status;
    return se_shape_like_first(s);
}

static void dropout_grid_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, dropout_grid, g->attr, g->dy[0], g->x[1], g->x[2]);
}

const se_op se_op_dropout_grid = {
    .name = "dropout_grid",
    .of = "dropout",
    .args = "p key who rate:num=0.1 place:int=0",
    .doc = "dropout of attention probabilities [texts, heads, queries, keys]",
    .shape = dropout_grid_shape,
    .cpu_rows = SE_KERNEL(dropout_grid),
    .hlo = se_dropout_grid_hlo,
    .split = SE_BY_LAST,
    .grad = dropout_grid_rule,
    .internal = true,
    .rowwise = true,
    .inplace = 1,
    .sample = "p:f32[2x3x4x5] key:i32[3]=1,2,0 who:i32[2]=7,3 rate=0.4 place=1 -rows; "
              "p:f32[7x3x45x45] key:i32[3]=1,2,0 who:i32[7]=7,3,1,2,9,8,11 -rows",
};

static se_status random_shape(const se_shape *s)
{
    se_status status = se_want_key(s, 0);
    for (int i = 0; !status && i < s->attr[0].n; i++)
        if (s->attr[0].list[i] < 0)
            status = SE_SHAPE_FAIL(s, "a size is negative: %lld", (long long)s->attr[0].list[i]);
    if (!status)
        s->out[0] = se_type_make(SE_F32, s->attr[0].n, s->attr[0].list);
    return status;
}

const se_op se_op_random_normal = {
    .name = "random_normal",
    .args = "key dims:ints place:int=0",
    .doc = "normal numbers (mean 0, deviation 1), drawn from key (seed, step, stream) and place",
    .shape = random_shape,
    .cpu_rows = SE_KERNEL(random_normal),
    .hlo = se_normal_hlo,
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} place=4; key:i32[3]=1,2,0 dims={}; "
              "key:i32[3]=-1,2,0 dims={67,777}",
};

const se_op se_op_random_uniform = {
    .name = "random_uniform",
    .args = "key dims:ints place:int=0",
    .doc = "numbers from 0 up to 1, drawn from key (seed, step, stream) and place",
    .shape = random_shape,
    .cpu_rows = SE_KERNEL(random_uniform),
    .hlo = se_uniform_hlo,
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} place=4; key:i32[3]=1,2,0 dims={}; "
              "key:i32[3]=-1,2,0 dims={67,777}",
};

/* --- truncated normal --- */

static se_status truncated_shape(const se_shape *s)
{
    double low = s->attr[1].f, high = s->attr[2].f;
    double share = (erf(high * 0.70710678118654752440) - erf(low * 0.70710678118654752440)) / 2;
    if (!(share >= 0.01)) /* tries are a hundred on average, then */
        return SE_SHAPE_FAIL(
            s,
            "low = %g, high = %g: bounds are wanted that a hundredth of all normal "
            "numbers lie within",
            low, high);
    return random_shape(s);
}

const se_op se_op_random_truncated_normal = {
    .name = "random_truncated_normal",
    .args = "key dims:ints low:num=-2 high:num=2 place:int=0",
    .doc = "normal numbers (mean 0, deviation 1) that lie from low to high, drawn from key (seed, "
           "step, stream) and place",
    .shape = truncated_shape,
    .cpu_rows = SE_KERNEL(random_truncated_normal),
    .hlo = se_truncated_hlo,
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} place=4; key:i32[3]=1,2,0 dims={} low=1 high=2; "
              "key:i32[3]=-1,2,0 dims={67,777} high=0.5",
};

/* --- bernoulli --- */

static se_status bernoulli_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    se_status status = random_shape(s);
    if (status || (status = se_shape_want(s, 1, SE_F32, -1)))
        return status;
    if (s->in[1].rank && !se_shape_same_dims(&s->in[1], &s->out[0]))
        return SE_SHAPE_FAIL(s, "p is one number or one for each draw: %s came",
                             se_type_print(&s->in[1], text));
    s->out[0].dtype = SE_BOOL;
    return SE_OK;
}

static double real_at(const void *x, int64_t i)
{
    return se_real_is_f64() ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static se_status bernoulli_check(const se_task *t)
{
    if (!t->in[1])
        return SE_OK;
    for (int64_t i = 0; i < se_type_count(&t->in_type[1]); i++) {
        double p = real_at(t->in[1], i);
        if (!(p >= 0 && p <= 1))
            return se_fail(SE_ERR_ARG, "element %lld of p is %g: 0 to 1 is wanted", (long long)i,
                           p);
    }
    return SE_OK;
}

const se_op se_op_random_bernoulli = {
    .name = "random_bernoulli",
    .args = "key p dims:ints place:int=0",
    .doc = "true with probability p, one number or one for each element, drawn from key (seed, "
           "step, stream) and place",
    .shape = bernoulli_shape,
    .cpu_rows = SE_KERNEL(random_bernoulli),
    .hlo = se_bernoulli_hlo,
    .split = SE_BY_LAST,
    .check = bernoulli_check,
    .sample =
        "key:i32[3]=1,2,0 p:f32[]=0.3 dims={3,5} place=4; key:i32[3]=1,2,0 p:f32[]=1 dims={}; "
        "key:i32[3]=1,2,0 p:f32[3x5]@0..1 dims={3,5}; "
        "key:i32[3]=-1,2,0 p:f32[67x777]@0..1 dims={67,777}",
};

/* --- integers --- */

static se_status integers_shape(const se_shape *s)
{
    int64_t low = s->attr[1].i, high = s->attr[2].i;
    if (low >= high || low < INT32_MIN || high > (int64_t)INT32_MAX + 1)
        return SE_SHAPE_FAIL(s, "low = %lld, high = %lld: low < high is wanted, both of them i32",
                             (long long)low, (long long)high);
    se_status status = random_shape(s);
    s->out[0].dtype = SE_I32;
    return status;
}

const se_op se_op_random_integers = {
    .name = "random_integers",
    .args = "key dims:ints low:int high:int place:int=0",
    .doc = "whole numbers from low up to high, which is left out, drawn from key (seed, step, "
           "stream) and place",
    .shape = integers_shape,
    .cpu_rows = SE_KERNEL(random_integers),
    .hlo = se_integers_hlo,
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} low=-3 high=9 place=4; "
              "key:i32[3]=1,2,0 dims={} low=7 high=8; "
              "key:i32[3]=-1,2,0 dims={67,777} low=-2147483648 high=2147483648",
};

/* --- categorical --- */

/* logits [.., c] -> [.., draws] */
static se_status draws_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    const se_type *logits = &s->in[1];
    se_status status = se_want_key(s, 0);
    if (status || (status = se_shape_want(s, 1, SE_F32, -1)))
        return status;
    if (logits->rank == 0 || se_type_last(logits) == 0)
        return SE_SHAPE_FAIL(s, "logits need a last axis that is not empty: %s came",
                             se_type_print(logits, text));
    if (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX || se_type_last(logits) > INT32_MAX)
        return SE_SHAPE_FAIL(s, "draws = %lld of %s: 0 to 2147483647 is wanted",
                             (long long)s->attr[0].i, se_type_print(logits, text));
    s->out[0] = se_type_make(SE_I32, logits->rank, logits->dim);
    s->out[0].dim[logits->rank - 1] = s->attr[0].i;
    return SE_OK;
}

static se_status categorical_shape(const se_shape *s)
{
    se_status status = draws_shape(s);
    if (!status && s->attr[0].i == 0)
        s->out[0].rank--;
    return status;
}

static int64_t draws_scratch(const se_task *t)
{
    return (se_type_last(&t->in_type[1]) * (int64_t)sizeof(double) + 63) / 64 * 64;
}

static se_status draws_check(const se_task *t)
{
    int64_t c = se_type_last(&t->in_type[1]), rows = se_type_count(&t->in_type[1]) / c;
    if (!t->in[1])
        return SE_OK;
    for (int64_t r = 0; r < rows; r++) {
        bool any = false;
        for (int64_t i = 0; i < c; i++) {
            double v = real_at(t->in[1], r * c + i);
            any |= isfinite(v);
            if (isnan(v) || v == INFINITY)
                return se_fail(SE_ERR_ARG, "logit %lld of row %lld is %s", (long long)i,
                               (long long)r, isnan(v) ? "nan" : "inf");
        }
        if (!any)
            return se_fail(SE_ERR_ARG, "all logits of row %lld are -inf: none can be drawn",
                           (long long)r);
    }
    return SE_OK;
}

const se_op se_op_random_categorical_draws = {
    .name = "random_categorical_draws",
    .of = "random_categorical",
    .args = "key logits draws:int place:int=0",
    .doc = "random_categorical with an axis for the draws",
    .internal = true,
    .shape = draws_shape,
    .cpu_rows = SE_KERNEL(random_categorical_draws),
    .hlo = se_draws_hlo,
    .split = SE_BY_LAST,
    .scratch = draws_scratch,
    .check = draws_check,
    .sample = "key:i32[3]=1,2,0 logits:f32[3x5] draws=4; "
              "key:i32[3]=1,2,0 logits:f32[211x9] draws=200 place=1",
};

static void categorical_expand(se_build *b, const se_rule *g)
{
    const se_attr *draws = &g->attr[0];
    se_attr attr[] = {SE_INT(draws->i ? draws->i : 1), g->attr[1]};
    se_ref y = OP(b, random_categorical_draws, attr, g->x[0], g->x[1]);
    g->y[0] = draws->i ? y : se_without_last(b, y);
}

const se_op se_op_random_categorical = {
    .name = "random_categorical",
    .args = "key logits draws:int=0 place:int=0",
    .doc = "the place, from 0, of one entry of each row of logits, drawn with probability "
           "softmax(logits); draws > 0 adds an axis of so many",
    .shape = categorical_shape,
    .expand = categorical_expand,
    .sample = "key:i32[3]=1,2,0 logits:f32[3x5]; key:i32[3]=1,2,0 logits:f32[5] draws=7 place=2; "
              "key:i32[3]=1,2,0 logits:f32[2x3x4]; key:i32[3]=1,2,0 logits:f32[0x4] draws=2; "
              "key:i32[3]=1,2,0 logits:f32[2x3]=-inf,0,-inf,1,-inf,2 draws=20; "
              "key:i32[3]=-1,2,0 logits:f32[601x70]",
};

/* --- permutation --- */

static se_status permutation_shape(const se_shape *s)
{
    se_status status = se_want_key(s, 0);
    if (!status && (s->attr[0].i < 0 || s->attr[0].i > INT32_MAX))
        status = SE_SHAPE_FAIL(s, "n = %lld: 0 to 2147483647 is wanted", (long long)s->attr[0].i);
    if (!status)
        s->out[0] = se_type_make(SE_I32, 1, &s->attr[0].i);
    return status;
}

const se_op se_op_random_permutation = {
    .name = "random_permutation",
    .args = "key n:int place:int=0",
    .doc = "the whole numbers 0, 1, ... n-1 in an order drawn from key (seed, step, stream) and "
           "place",
    .shape = permutation_shape,
    .cpu = SE_KERNEL(random_permutation),
    .hlo = se_permutation_hlo,
    .sample = "key:i32[3]=1,2,0 n=7 place=4; key:i32[3]=1,2,0 n=0; key:i32[3]=-1,2,0 n=50001",
};
