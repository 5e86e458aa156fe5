/* sin, cos, log1p, expm1, floor, ceil, round, trunc, softsign of each element. */
#include "kernels/vmath.h"

#if defined(__clang__) && defined(SE_LEVEL_f64) /* libm's functions do not vectorise */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

SE_EACH(log1p, se_log1p(x))
SE_EACH(expm1, se_expm1(x))
SE_EACH(softsign, x / ((real)1 + se_abs(x)))

/* i32 stays as it is. */
#define STEPS(name, EXPR)                                                                          \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        if (t->out_type[0].dtype == SE_I32) {                                                      \
            const int32_t *from = SE_IN(0);                                                        \
            int32_t *to = SE_OUT(0);                                                               \
            if (lo < hi)                                                                           \
                memmove(to + lo, from + lo, (size_t)(hi - lo) * sizeof *to);                       \
            return;                                                                                \
        }                                                                                          \
        const real *v = SE_IN(0);                                                                  \
        real *o = SE_OUT(0);                                                                       \
        _Pragma("omp simd") for (int64_t i = lo; i < hi; i++)                                      \
        {                                                                                          \
            real x = v[i];                                                                         \
            o[i] = (EXPR);                                                                         \
        }                                                                                          \
    }
STEPS(floor, sizeof(real) == 8 ? floor(x) : floorf((float)x))
STEPS(ceil, sizeof(real) == 8 ? ceil(x) : ceilf((float)x))
STEPS(round, sizeof(real) == 8 ? rint(x) : rintf((float)x))
STEPS(trunc, sizeof(real) == 8 ? trunc(x) : truncf((float)x))

/* Arguments that the vector loop's reduction is not good for are few: libm's reduction for them.
 * The output is not the input (.inplace is not set). */
#define CIRCULAR(name)                                                                             \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        const real *x = SE_IN(0);                                                                  \
        real *o = SE_OUT(0);                                                                       \
        for (int64_t i = lo; i < hi; i++)                                                          \
            o[i] = se_##name(x[i]);                                                                \
        for (int64_t i = lo; i < hi; i++) {                                                        \
            if (se_abs(x[i]) > (real)1e6)                                                          \
                o[i] = (real)name((double)x[i]);                                                   \
        }                                                                                          \
    }
CIRCULAR(sin)
CIRCULAR(cos)
