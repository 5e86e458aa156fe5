/* exp, log, log1p, expm1, tanh, erf, sigmoid, sin, cos of one `real`, straight-line, so that
 * compilers vectorise loops over them. In float at most 1.6 ulp (log1p 2.5, sigmoid 2.4, erf
 * 1.2; tests/test_vmath.c); +-inf, nan and overflow as libm. Denormal results of exp are kept,
 * those of sigmoid become zero. In the f64 level, which tests alone use, they are libm's.
 *
 * Sources: S. Moshier's Cephes (exp, log, tanh, sin, cos polynomials), N. Juffa (erf). */
#ifndef SE_VMATH_H
#define SE_VMATH_H

#include "kernel.h"
#include <math.h>
#include <string.h>

#ifdef SE_LEVEL_f64

static inline real se_exp(real x)
{
    return exp(x);
}
static inline real se_log(real x)
{
    return log(x);
}
static inline real se_log1p(real x)
{
    return log1p(x);
}
static inline real se_expm1(real x)
{
    return expm1(x);
}
static inline real se_tanh(real x)
{
    return tanh(x);
}
static inline real se_erf(real x)
{
    return erf(x);
}
static inline real se_exp_near(real x)
{
    return exp(x);
}
static inline real se_sigmoid(real x)
{
    return 1.0 / (1.0 + exp(-x));
}
static inline real se_sin(real x)
{
    return sin(x);
}
static inline real se_cos(real x)
{
    return cos(x);
}
static inline real se_sqrt(real x)
{
    return sqrt(x);
}
static inline real se_abs(real x)
{
    return fabs(x);
}

#else

static inline float se_sqrt(float x)
{
    return sqrtf(x);
}
static inline float se_abs(float x)
{
    return fabsf(x);
}
static inline uint32_t se_bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float se_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* exp(x) = (1 + y) 2^n with x = n ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an
 * integer, found in the low bits. */
static inline float se_expm1_parts(float x, int32_t *n)
{
    const float magic = 12582912.0f;
    float shifted = FMA(x, 1.44269504f, magic), whole = shifted - magic;
    float r = FMA(whole, -0.693359375f, x);
    r = FMA(whole, 2.12194440e-4f, r);
    float y = 1.9875691500e-4f;
    y = FMA(y, r, 1.3981999507e-3f);
    y = FMA(y, r, 8.3334519073e-3f);
    y = FMA(y, r, 4.1665795894e-2f);
    y = FMA(y, r, 1.6666665459e-1f);
    y = FMA(y, r, 5.0000001201e-1f);
    *n = (int32_t)(se_bits_of(shifted) - se_bits_of(magic));
    return FMA(y, r * r, r);
}

static inline float se_exp_parts(float x, int32_t *n)
{
    return se_expm1_parts(x, n) + 1.0f;
}

/* 2^n is applied in two halves, so that n = 128 and denormal results need no case of their own. */
static inline float se_exp(float x)
{
    int32_t n;
    x = x > 89.0f ? 89.0f : x; /* in this order a nan stays one */
    x = x < -104.0f ? -104.0f : x;
    float y = se_exp_parts(x, &n);
    int32_t half = n >> 1;
    uint32_t a = (uint32_t)half + 127u, c = (uint32_t)n - (uint32_t)half + 127u;
    return y * se_of_bits(a << 23) * se_of_bits(c << 23);
}

/* exp(x) for -87 <= x <= 88 or nan. */
static inline float se_exp_near(float x)
{
    int32_t n;
    float y = se_exp_parts(x, &n);
    return y * se_of_bits(((uint32_t)n + 127u) << 23);
}

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)). */
static inline float se_log(float x)
{
    const uint32_t root_half = 0x3f3504f3u;
    bool tiny = x < 1.17549435e-38f;
    float scaled = tiny ? x * 8388608.0f : x;
    uint32_t u = se_bits_of(scaled) - root_half;
    float e = (float)((int32_t)u >> 23) - (tiny ? 23.0f : 0.0f);
    float f = se_of_bits((u & 0x007fffffu) + root_half) - 1.0f, z = f * f;
    float y = 7.0376836292e-2f;
    y = FMA(y, f, -1.1514610310e-1f);
    y = FMA(y, f, 1.1676998740e-1f);
    y = FMA(y, f, -1.2420140846e-1f);
    y = FMA(y, f, 1.4249322787e-1f);
    y = FMA(y, f, -1.6668057665e-1f);
    y = FMA(y, f, 2.0000714765e-1f);
    y = FMA(y, f, -2.4999993993e-1f);
    y = FMA(y, f, 3.3333331174e-1f);
    y = y * f * z;
    y = FMA(e, -2.12194440e-4f, y);
    y = FMA(-0.5f, z, y);
    y = FMA(e, 0.693359375f, f + y);
    y = x < INFINITY ? y : x; /* inf and nan */
    y = x > 0.0f ? y : (x == 0.0f ? -INFINITY : (x < 0.0f ? NAN : x));
    return y;
}

/* exp(x) - 1 = y 2^n + (2^n - 1): exact where x is near 0, where n is 0. Below -60 it is -1; above
 * 60 it is exp(x). */
static inline float se_expm1(float x)
{
    int32_t n;
    float near = x > 60.0f ? 60.0f : x;
    near = near < -60.0f ? -60.0f : near;
    float y = se_expm1_parts(near, &n), scale = se_of_bits(((uint32_t)n + 127u) << 23);
    y = FMA(y, scale, scale - 1.0f);
    y = x > 60.0f ? se_exp(x) : y;
    return x == 0.0f ? x : y; /* keeps -0 */
}

/* W. Kahan: with u = 1 + x as it rounds, log(u) x / (u - 1). */
static inline float se_log1p(float x)
{
    float u = 1.0f + x, step = u - 1.0f;
    float y = se_log(u) * (x / (step == 0.0f ? 1.0f : step));
    y = step == 0.0f ? x : y;
    return x < INFINITY ? y : x; /* inf and nan */
}

/* A polynomial below 0.625; above it 1 - 2 / (exp(2|x|) + 1). */
static inline float se_tanh(float x)
{
    float a = fabsf(x), z = x * x;
    float p = -5.70498872745e-3f;
    p = FMA(p, z, 2.06390887954e-2f);
    p = FMA(p, z, -5.37397155531e-2f);
    p = FMA(p, z, 1.33314422036e-1f);
    p = FMA(p, z, -3.33332819422e-1f);
    p = FMA(p * z, x, x);
    float far = a > 10.0f ? 10.0f : a; /* tanh(10) rounds to 1 */
    float q = copysignf(1.0f - 2.0f / (se_exp_near(2.0f * far) + 1.0f), x);
    return a < 0.625f ? p : q;
}

static inline float se_erf(float x)
{
    float a = fabsf(x), s = x * x, t = a > 4.0f ? 4.0f : a; /* erf(4) rounds to 1 */
    float p = -5.96761703e-4f;
    p = FMA(p, s, 4.99119423e-3f);
    p = FMA(p, s, -2.67681349e-2f);
    p = FMA(p, s, 1.12819925e-1f);
    p = FMA(p, s, -3.76125336e-1f);
    p = FMA(p, s, 1.28379166e-1f);
    p = FMA(p, x, x);
    float q = FMA(-1.72853470e-5f, t, 3.83197126e-4f), u = FMA(-3.88396438e-3f, t, 2.42546219e-2f);
    q = FMA(q, t * t, u);
    q = FMA(q, t, -1.06777877e-1f);
    q = FMA(q, t, -6.34846687e-1f);
    q = FMA(q, t, -1.28717512e-1f);
    q = FMA(q, t, -t);
    q = copysignf(1.0f - se_exp_near(q), x);
    return a > 0.927734375f ? q : (x != x ? x : p);
}

static inline float se_sigmoid(float x)
{
    return 1.0f / (1.0f + se_exp(-x));
}

/* sin(x + quarter * pi/2) for |x| <= 1e6. The reduction is done in double, with pi/2 as a sum of
 * two (fdlibm): n times the first, of 33 bits, is exact for n < 2^20, so that what is left keeps
 * all of a float's bits next to a zero, too. */
static inline float se_sin_quarter(float x, int32_t quarter)
{
    const double magic = 6755399441055744.0;
    double shifted = (double)x * 0.63661977236758134308 + magic;
    double n = shifted - magic;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    uint32_t q = (uint32_t)bits + (uint32_t)quarter;
    double rest = ((double)x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11;
    float r = (float)rest, z = r * r;
    float s = -1.9515295891e-4f;
    s = FMA(s, z, 8.3321608736e-3f);
    s = FMA(s, z, -1.6666654611e-1f);
    s = FMA(s * z, r, r);
    float c = 2.443315711809948e-5f;
    c = FMA(c, z, -1.388731625493765e-3f);
    c = FMA(c, z, 4.166664568298827e-2f);
    c = FMA(c * z, z, FMA(-0.5f, z, 1.0f));
    float y = (q & 1u) ? c : s;
    return (q & 2u) ? -y : y;
}
static inline float se_sin(float x)
{
    return se_sin_quarter(x, 0);
}
static inline float se_cos(float x)
{
    return se_sin_quarter(x, 1);
}

#endif
#endif
