/* Kernels over the last axis: layer_norm, softmax, log_softmax, logsumexp, normalize. One row at a
 * time, sums in the fixed order of lanes.h. */
#include "kernels/norm.h"
#include "kernels/lanes.h"
#include "kernels/vmath.h"

/* x weight bias -> y mean rstd */
SE_ROWS(layer_norm)
{
    const real *x = SE_IN(0), *weight = SE_IN(1), *bias = SE_IN(2);
    real *y = SE_OUT(0), *means = SE_OUT(1), *rstds = SE_OUT(2), eps = (real)t->attr[0].f;
    int64_t n = se_type_last(&t->out_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        const real *row = x + r * n;
        real *to = y + r * n, mean = se_row_sum(row, n) / (real)n;
        for (int64_t i = 0; i < n; i++)
            to[i] = row[i] - mean;
        real rstd = (real)1 / se_sqrt(se_row_dot(to, to, n) / (real)n + eps);
        for (int64_t i = 0; i < n; i++)
            to[i] = FMA(to[i] * rstd, weight[i], bias[i]);
        means[r] = mean;
        rstds[r] = rstd;
    }
}

/* One row of dx, and its part of the column sums. With xh = (x - mean) rstd and g = dy weight:
 * dx = rstd (g - mean(g) - xh mean(g xh)). */
static void layer_norm_row(int64_t n, const real *x, const real *weight, real mean, real rstd,
                           const real *dy, real *dx, real *dweight, real *dbias)
{
    se_vec g_sum = {0}, gx_sum = {0}, means = se_vec_of(mean), rstds = se_vec_of(rstd);
    real g_tail = 0, gx_tail = 0;
    int64_t i = 0;
    for (; i + SE_LANES <= n; i += SE_LANES) {
        se_vec d = VLOAD(dy + i), xh = (VLOAD(x + i) - means) * rstds, g = d * VLOAD(weight + i);
        g_sum += g;
        gx_sum = VFMA(g, xh, gx_sum);
        VSTORE(dweight + i, VFMA(d, xh, VLOAD(dweight + i)));
        VSTORE(dbias + i, VLOAD(dbias + i) + d);
    }
    for (; i < n; i++) {
        real xh = (x[i] - mean) * rstd, g = dy[i] * weight[i];
        g_tail += g;
        gx_tail = FMA(g, xh, gx_tail);
        dweight[i] = FMA(dy[i], xh, dweight[i]);
        dbias[i] += dy[i];
    }
    real g_mean = (se_vec_sum(g_sum) + g_tail) / (real)n;
    real gx_mean = (se_vec_sum(gx_sum) + gx_tail) / (real)n;
    for (i = 0; i < n; i++) {
        real xh = (x[i] - mean) * rstd;
        dx[i] = rstd * FMA(-xh, gx_mean, FMA(dy[i], weight[i], -g_mean));
    }
}

/* x weight mean rstd dy -> dx dweight dbias. Blocks of rows that depend on their number alone add
 * up their columns in scratch memory; the blocks' sums are then added in order. */
SE_ROWS(layer_norm_grad)
{
    (void)lo;
    (void)hi;
    const real *x = SE_IN(0), *weight = SE_IN(1), *means = SE_IN(2), *rstds = SE_IN(3);
    const real *dy = SE_IN(4);
    real *dx = SE_OUT(0), *dweight = SE_OUT(1), *dbias = SE_OUT(2), *part = t->scratch;
    int64_t n = se_type_last(&t->in_type[0]), rows = se_type_rows(&t->in_type[0]);
    int64_t tall = se_norm_block_rows(rows), blocks = se_norm_blocks(rows);
#pragma omp parallel num_threads(se_threads())
    {
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < blocks; b++) {
            real *sums = part + b * 2 * n;
            int64_t end = (b + 1) * tall < rows ? (b + 1) * tall : rows;
            memset(sums, 0, (size_t)(2 * n) * sizeof(real));
            for (int64_t r = b * tall; r < end; r++) {
                layer_norm_row(n, x + r * n, weight, means[r], rstds[r], dy + r * n, dx + r * n,
                               sums, sums + n);
            }
        }
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            real w = 0, c = 0;
            for (int64_t b = 0; b < blocks; b++) {
                w += part[b * 2 * n + i];
                c += part[b * 2 * n + n + i];
            }
            dweight[i] = w;
            dbias[i] = c;
        }
    }
}

/* y = exp(x - top); the sum of y. */
static real exp_row(const real *x, real top, real *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = se_exp(x[i] - top);
    return se_row_sum(y, n);
}

SE_ROWS(softmax)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        const real *row = x + r * n;
        real *to = y + r * n, share = (real)1 / exp_row(row, se_row_max(row, n), to, n);
        for (int64_t i = 0; i < n; i++)
            to[i] *= share;
    }
}

SE_ROWS(log_softmax)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        const real *row = x + r * n;
        real top = se_row_max(row, n), rest = se_log(se_row_exp_sum(row, top, n));
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = (row[i] - top) - rest;
    }
}

/* An output element stands for a whole row, so the rows are split here. */
SE_ROWS(logsumexp)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->in_type[0]);
#pragma omp parallel for num_threads(se_threads()) schedule(static)
    for (int64_t r = lo; r < hi; r++) {
        const real *row = x + r * n;
        real top = se_row_max(row, n);
        top = isfinite(top) ? top : 0; /* all -inf, or an inf: the sum is 0 or inf, not nan */
        y[r] = top + se_log(se_row_exp_sum(row, top, n));
    }
}

/* x / max(|x|, eps) */
SE_ROWS(normalize)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0), eps = (real)t->attr[0].f;
    int64_t n = se_type_last(&t->out_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        real norm = se_sqrt(se_row_dot(x + r * n, x + r * n, n));
        norm = norm < eps ? eps : norm; /* nan stays nan */
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = x[r * n + i] / norm;
    }
}
