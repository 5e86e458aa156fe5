/* Functions that vmath.h has no vector form of: libm's in double, rounded once. So a float is right
 * to half a unit in the last place, next to zeros and poles, too, and the same with every
 * instruction set. */
#include "kernel.h"
#include <math.h>

#define BY_LIBM(name)                                                                              \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        const real *x = SE_IN(0);                                                                  \
        real *o = SE_OUT(0);                                                                       \
        for (int64_t i = lo; i < hi; i++)                                                          \
            o[i] = (real)name((double)x[i]);                                                       \
    }

BY_LIBM(tan)
BY_LIBM(asin)
BY_LIBM(acos)
BY_LIBM(atan)
BY_LIBM(sinh)
BY_LIBM(cosh)
BY_LIBM(asinh)
BY_LIBM(acosh)
BY_LIBM(atanh)
BY_LIBM(log2)
BY_LIBM(log10)
BY_LIBM(exp2)
BY_LIBM(erfc)
