/* gelu, exact and by tanh, and its gradient. */
#include "kernels/vmath.h"

#define SQRT_HALF ((real)0.70710678118654752440)
#define NORMAL_PEAK ((real)0.39894228040143267794) /* 1 / sqrt(2 pi) */
#define SLOPE ((real)0.79788456080286535588)       /* sqrt(2 / pi) */
#define CUBIC ((real)0.044715)

static inline real by_tanh(real x)
{
    return se_tanh(SLOPE * FMA(CUBIC * x * x, x, x));
}

static void approximate(const real *x, real *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        real half = (real)0.5 * x[i];
        y[i] = FMA(half, by_tanh(x[i]), half);
    }
}

static void approximate_grad(const real *x, const real *dy, real *dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        real t = by_tanh(x[i]), inner = SLOPE * FMA(3 * CUBIC * x[i], x[i], (real)1);
        real slope = (real)0.5 * x[i] * ((real)1 - t * t) * inner;
        dx[i] = dy[i] * (FMA((real)0.5, t, (real)0.5) + slope);
    }
}

SE_ROWS(gelu)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0);
    if (t->attr[0].i) {
        approximate(x + lo, y + lo, hi - lo);
        return;
    }
    for (int64_t i = lo; i < hi; i++) {
        real half = (real)0.5 * x[i];
        y[i] = FMA(half, se_erf(x[i] * SQRT_HALF), half);
    }
}

/* x dy -> dy (Phi(x) + x phi(x)) */
SE_ROWS(gelu_grad)
{
    const real *x = SE_IN(0), *dy = SE_IN(1);
    real *dx = SE_OUT(0);
    if (t->attr[0].i) {
        approximate_grad(x + lo, dy + lo, dx + lo, hi - lo);
        return;
    }
    for (int64_t i = lo; i < hi; i++) {
        real below = FMA((real)0.5, se_erf(x[i] * SQRT_HALF), (real)0.5);
        real power = (real)-0.5 * x[i] * x[i];
        real density = NORMAL_PEAK * se_exp_near(power < -87 ? (real)-87 : power);
        dx[i] = dy[i] * FMA(x[i], density, below);
    }
}
