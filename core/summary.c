/* What the elements of a tensor are like. A block is made double and looked at while it is in the
 * cache: first for its mean, then for the squares around it; the blocks are joined in order. So the
 * number of threads changes no bit, and squares of numbers far from zero do not cancel. */
#include "sembed.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK = 2048 };

typedef struct part {
    int64_t finite, nan;
    double mean, squares; /* of the finite elements */
} part;

/* bf16 is the upper half of a float. */
static double wide_bf16(uint16_t x)
{
    union {
        uint32_t bits;
        float value;
    } both = {.bits = (uint32_t)x << 16};
    return (double)both.value;
}

static void widen(int32_t dtype, const void *data, int64_t from, int64_t n, double *x)
{
    bool f64 = dtype == SE_F32 && se_real_is_f64();
    for (int64_t i = 0; i < n; i++) {
        int64_t at = from + i;
        x[i] = f64                ? ((const double *)data)[at]
               : dtype == SE_F32  ? (double)((const float *)data)[at]
               : dtype == SE_BF16 ? wide_bf16(((const uint16_t *)data)[at])
               : dtype == SE_I32  ? (double)((const int32_t *)data)[at]
                                  : (double)((const uint8_t *)data)[at];
    }
}

static bool is_finite(double v)
{
    return fabs(v) <= DBL_MAX;
}

static part look(int32_t dtype, const void *data, int64_t from, int64_t n)
{
    double x[BLOCK], sum = 0, squares = 0;
    int64_t finite = 0, nan = 0;
    widen(dtype, data, from, n, x);
#pragma omp simd reduction(+ : sum, finite, nan)
    for (int64_t i = 0; i < n; i++) {
        sum += is_finite(x[i]) ? x[i] : 0;
        finite += is_finite(x[i]);
        nan += x[i] != x[i];
    }
    double mean = finite ? sum / (double)finite : 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; i++) {
        double v = is_finite(x[i]) ? x[i] : mean;
        squares += (v - mean) * (v - mean);
    }
    return (part){finite, nan, mean, squares};
}

/* T. F. Chan, G. H. Golub, R. J. LeVeque 1979, "Updating formulae and a pairwise algorithm for
 * computing sample variances". */
static part join(part a, part b)
{
    double na = (double)a.finite, nb = (double)b.finite, apart = b.mean - a.mean;
    a.nan += b.nan;
    if (b.finite == 0)
        return a;
    a.mean += apart * (nb / (na + nb));
    a.squares += b.squares + apart * apart * (na * nb / (na + nb));
    a.finite += b.finite;
    return a;
}

se_status se_tensor_summary(se_tensor *t, bool varying, se_summary *out)
{
    const void *data;
    se_type type;
    *out = (se_summary){0};
    se_status status = se_tensor_data(t, varying, &data);
    if (status || (status = se_tensor_type(t, &type)))
        return status;
    int64_t n = se_type_count(&type), blocks = (n + BLOCK - 1) / BLOCK;
    part *parts = se_calloc((size_t)blocks + 1, sizeof *parts);
    if (!parts)
        return SE_ERR_MEMORY;
#pragma omp parallel for schedule(static) if (blocks > 16)
    for (int64_t b = 0; b < blocks; b++)
        parts[b] = look(type.dtype, data, b * BLOCK, b + 1 < blocks ? BLOCK : n - b * BLOCK);
    part all = {0};
    for (int64_t b = 0; b < blocks; b++)
        all = join(all, parts[b]);
    free(parts);
    *out = (se_summary){.n = n, .nan = all.nan, .inf = n - all.nan - all.finite};
    if (all.finite) {
        out->mean = all.mean;
        out->spread = sqrt(all.squares / (double)all.finite);
    }
    return SE_OK;
}
