/* gelu, exact: x Phi(x), where Phi is the normal distribution; and its gradient. */
#include "kernels/vmath.h"

#define SQRT_HALF ((real)0.70710678118654752440)
#define NORMAL_PEAK ((real)0.39894228040143267794) /* 1 / sqrt(2 pi) */

SE_ROWS(gelu)
{
    const real *x = SE_IN(0);
    real *y = SE_OUT(0);
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
    for (int64_t i = lo; i < hi; i++) {
        real below = FMA((real)0.5, se_erf(x[i] * SQRT_HALF), (real)0.5);
        real power = (real)-0.5 * x[i] * x[i];
        real density = NORMAL_PEAK * se_exp_near(power < -87 ? (real)-87 : power);
        dx[i] = dy[i] * FMA(x[i], density, below);
    }
}
