/* Vectors of the level's width, for reductions and small products whose order of additions must be
 * fixed by the length of a row alone: never by its address or its neighbours. */
#ifndef SE_LANES_H
#define SE_LANES_H

#include "kernel.h"
#include "vmath.h"
#include <string.h>
#if defined(SE_LEVEL_avx2) || defined(SE_LEVEL_avx512)
#include <immintrin.h>
#endif

#if defined(SE_LEVEL_avx512)
#define SE_VECTOR_BYTES 64
#elif defined(SE_LEVEL_avx2)
#define SE_VECTOR_BYTES 32
#else
#define SE_VECTOR_BYTES 16
#endif

enum { SE_LANES = SE_VECTOR_BYTES / sizeof(real) };
typedef real se_vec __attribute__((vector_size(SE_VECTOR_BYTES)));
typedef real se_vec_memory
    __attribute__((vector_size(SE_VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define VLOAD(p) ((se_vec) * (const se_vec_memory *)(p))
#define VSTORE(p, v) (*(se_vec_memory *)(p) = (v))

#if defined(SE_LEVEL_avx512)
#define VFMA(a, b, c) ((se_vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VMAX(a, b) ((se_vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#elif defined(SE_LEVEL_avx2)
#define VFMA(a, b, c) ((se_vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VMAX(a, b) ((se_vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#else
#define VFMA(a, b, c) ((a) * (b) + (c))
#define VMAX(a, b) se_vec_max(a, b)
static inline se_vec se_vec_max(se_vec a, se_vec b)
{
    se_vec c;
    for (int i = 0; i < SE_LANES; i++)
        c[i] = a[i] > b[i] ? a[i] : b[i];
    return c;
}
#endif

static inline se_vec se_vec_of(real x)
{
    return x - (se_vec){0}; /* x + 0 would cost an addition: it turns -0 into 0 */
}

static inline real se_vec_sum(se_vec v)
{
    real a[SE_LANES];
    memcpy(a, &v, sizeof v);
    for (int w = SE_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++)
            a[i] += a[i + w];
    return a[0];
}

static inline real se_vec_top(se_vec v)
{
    real a[SE_LANES];
    memcpy(a, &v, sizeof v);
    for (int w = SE_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++)
            a[i] = a[i] > a[i + w] ? a[i] : a[i + w];
    return a[0];
}

/* Sum, sum of products, largest element of a row of n. Four vectors run side by side, what is left
 * goes one by one. A nan may be missed by se_row_max. */
static inline real se_row_sum(const real *x, int64_t n)
{
    se_vec a = {0}, b = {0}, c = {0}, d = {0};
    real tail = 0;
    int64_t i = 0;
    for (; i + 4 * SE_LANES <= n; i += 4 * SE_LANES) {
        a += VLOAD(x + i);
        b += VLOAD(x + i + SE_LANES);
        c += VLOAD(x + i + 2 * SE_LANES);
        d += VLOAD(x + i + 3 * SE_LANES);
    }
    for (; i + SE_LANES <= n; i += SE_LANES)
        a += VLOAD(x + i);
    for (; i < n; i++)
        tail += x[i];
    return se_vec_sum((a + b) + (c + d)) + tail;
}

static inline real se_row_dot(const real *x, const real *y, int64_t n)
{
    se_vec a = {0}, b = {0}, c = {0}, d = {0};
    real tail = 0;
    int64_t i = 0;
    for (; i + 4 * SE_LANES <= n; i += 4 * SE_LANES) {
        a = VFMA(VLOAD(x + i), VLOAD(y + i), a);
        b = VFMA(VLOAD(x + i + SE_LANES), VLOAD(y + i + SE_LANES), b);
        c = VFMA(VLOAD(x + i + 2 * SE_LANES), VLOAD(y + i + 2 * SE_LANES), c);
        d = VFMA(VLOAD(x + i + 3 * SE_LANES), VLOAD(y + i + 3 * SE_LANES), d);
    }
    for (; i + SE_LANES <= n; i += SE_LANES)
        a = VFMA(VLOAD(x + i), VLOAD(y + i), a);
    for (; i < n; i++)
        tail = FMA(x[i], y[i], tail);
    return se_vec_sum((a + b) + (c + d)) + tail;
}

static inline real se_row_max(const real *x, int64_t n)
{
    se_vec top = se_vec_of(x[0]);
    int64_t i = 0;
    for (; i + SE_LANES <= n; i += SE_LANES)
        top = VMAX(VLOAD(x + i), top);
    real most = se_vec_top(top);
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

/* Sum of exp(x - top) over a row. */
static inline real se_row_exp_sum(const real *x, real top, int64_t n)
{
    enum { CHUNK_OF_ROW = 256 };
    real y[CHUNK_OF_ROW], sum = 0;
    for (int64_t from = 0; from < n; from += CHUNK_OF_ROW) {
        int64_t m = n - from < CHUNK_OF_ROW ? n - from : CHUNK_OF_ROW;
        for (int64_t i = 0; i < m; i++)
            y[i] = se_exp(x[from + i] - top);
        sum += se_row_sum(y, m);
    }
    return sum;
}

#endif
