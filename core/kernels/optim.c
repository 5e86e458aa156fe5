/* Kernels of the optimizers: one pass over memory, outputs may be written over their inputs. */
#include "kernels/optim.h"
#include "kernels/lanes.h"
#include "kernels/vmath.h"

/* Where the step is refused the values stay as they are. */
static void keep(const real *from, real *to, int64_t lo, int64_t hi)
{
    if (to != from)
        memcpy(to + lo, from + lo, (size_t)(hi - lo) * sizeof(real));
}

static bool refused(const bool *ok)
{
    return ok && !*ok;
}

static real scalar_or_one(const real *x)
{
    return x ? *x : (real)1;
}

typedef struct adam {
    real scale, beta1, beta2, rest1, rest2, eps, step, decay, root;
} adam;

/* Hugging Face: p -= rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps), then
 * p -= rate decay p. torch: p *= 1 - rate decay first, then
 * p -= rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps). */
static adam adam_of(const se_task *t)
{
    const real *rate = SE_IN(4), *time = SE_IN(5);
    double beta1 = t->attr[0].f, beta2 = t->attr[1].f, decay = t->attr[3].f;
    double part1 = 1 - pow(beta1, *time), part2 = 1 - pow(beta2, *time);
    bool torch = t->attr[4].i != 0;
    return (adam){.scale = scalar_or_one(SE_IN(6)),
                  .beta1 = (real)beta1,
                  .beta2 = (real)beta2,
                  .rest1 = (real)(1 - beta1),
                  .rest2 = (real)(1 - beta2),
                  .eps = (real)t->attr[2].f,
                  .step = (real)(torch ? *rate / part1 : *rate * sqrt(part2) / part1),
                  .decay = (real)(*rate * decay),
                  .root = (real)(torch ? 1 / sqrt(part2) : 1)};
}

/* p m v g rate t scale? ok? -> p m v */
SE_ROWS(adamw)
{
    const real *p = SE_IN(0), *m = SE_IN(1), *v = SE_IN(2), *g = SE_IN(3);
    real *p_out = SE_OUT(0), *m_out = SE_OUT(1), *v_out = SE_OUT(2);
    if (refused(SE_IN(7))) {
        keep(p, p_out, lo, hi);
        keep(m, m_out, lo, hi);
        keep(v, v_out, lo, hi);
        return;
    }
    adam a = adam_of(t);
    real before = t->attr[4].i ? a.decay : 0, after = t->attr[4].i ? 0 : a.decay;
    /* An output is its own input or apart from it: no element depends on another. */
#pragma omp simd
    for (int64_t i = lo; i < hi; i++) {
        real grad = g[i] * a.scale, value = FMA(-before, p[i], p[i]);
        real mean = FMA(a.beta1, m[i], a.rest1 * grad);
        real square = FMA(a.beta2, v[i], a.rest2 * grad * grad);
        value = FMA(-a.step, mean / FMA(se_sqrt(square), a.root, a.eps), value);
        p_out[i] = FMA(-after, value, value);
        m_out[i] = mean;
        v_out[i] = square;
    }
}

/* p g rate scale? ok? -> p - rate (scale g + decay p) */
SE_ROWS(sgd)
{
    const real *p = SE_IN(0), *g = SE_IN(1), *rate = SE_IN(2);
    real *out = SE_OUT(0), scale = scalar_or_one(SE_IN(3)), decay = (real)t->attr[0].f;
    if (refused(SE_IN(4))) {
        keep(p, out, lo, hi);
        return;
    }
    real step = *rate;
#pragma omp simd
    for (int64_t i = lo; i < hi; i++)
        out[i] = FMA(-step, FMA(decay, p[i], g[i] * scale), p[i]);
}

/* Sum of squares of n elements in double, always in the same order: four vectors side by side. */
typedef double wide __attribute__((vector_size(SE_VECTOR_BYTES)));
enum { WIDE = SE_VECTOR_BYTES / sizeof(double) };
typedef real narrow __attribute__((vector_size(WIDE * sizeof(real)), aligned(sizeof(real))));

static double sum_squares(const real *x, int64_t n)
{
    wide sum[4] = {{0}};
    double total = 0;
    int64_t i = 0;
    for (; i + 4 * WIDE <= n; i += 4 * WIDE) {
        for (int k = 0; k < 4; k++) {
            wide part = __builtin_convertvector(*(const narrow *)(x + i + k * WIDE), wide);
            sum[k] += part * part;
        }
    }
    for (; i < n; i++)
        total += (double)x[i] * x[i];
    for (int l = 0; l < WIDE; l++)
        total += (sum[0][l] + sum[1][l]) + (sum[2][l] + sum[3][l]);
    return total;
}

/* xs* -> sqrt of the sum of squares over all: blocks of fixed size, added in order. */
SE_ROWS(global_norm)
{
    (void)lo;
    (void)hi;
    double *part = t->scratch, total = 0;
    int64_t first[SE_MAX_INPUTS + 1] = {0};
    for (int k = 0; k < t->n_in; k++)
        first[k + 1] = first[k] + se_norm_blocks_of(&t->in_type[k]);
#pragma omp parallel for num_threads(se_threads()) schedule(dynamic, 8)
    for (int64_t b = 0; b < first[t->n_in]; b++) {
        int k = 0;
        while (first[k + 1] <= b)
            k++;
        int64_t from = (b - first[k]) * SE_NORM_BLOCK, n = se_type_count(&t->in_type[k]) - from;
        part[b] = sum_squares((const real *)SE_IN(k) + from, n < SE_NORM_BLOCK ? n : SE_NORM_BLOCK);
    }
    for (int64_t b = 0; b < first[t->n_in]; b++)
        total += part[b];
    *(real *)SE_OUT(0) = (real)sqrt(total);
}
