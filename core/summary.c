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

/* One loop for each type, which compilers turn into vector code. */
#define WIDEN(type, value)                                                                         \
    do {                                                                                           \
        const type *from = (const type *)data + first;                                             \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++)                     \
        {                                                                                          \
            x[i] = value;                                                                          \
            sum += x[i];                                                                           \
        }                                                                                          \
    } while (0)

/* Gives the sum. */
static double widen(int32_t dtype, const void *data, int64_t first, int64_t n, double *x)
{
    double sum = 0;
    if (dtype == SE_F32 && se_real_is_f64())
        WIDEN(double, from[i]);
    else if (dtype == SE_F32)
        WIDEN(float, (double)from[i]);
    else if (dtype == SE_BF16)
        WIDEN(uint16_t, wide_bf16(from[i]));
    else if (dtype == SE_I32)
        WIDEN(int32_t, (double)from[i]);
    else
        WIDEN(uint8_t, (double)from[i]);
    return sum;
}

/* Moves the finite elements to the front; gives their sum. */
static double leave_finite(part *p, double *x, int64_t n)
{
    double sum = 0;
    p->finite = 0;
    for (int64_t i = 0; i < n; i++) {
        p->nan += x[i] != x[i];
        if (fabs(x[i]) > DBL_MAX || x[i] != x[i])
            continue;
        sum += x[i];
        x[p->finite++] = x[i];
    }
    return sum;
}

static part look(int32_t dtype, const void *data, int64_t from, int64_t n)
{
    double x[BLOCK], squares = 0;
    part p = {.finite = n};
    double sum = widen(dtype, data, from, n, x);
    if (!(fabs(sum) <= DBL_MAX)) /* an element is not finite */
        sum = leave_finite(&p, x, n);
    p.mean = p.finite ? sum / (double)p.finite : 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < p.finite; i++)
        squares += (x[i] - p.mean) * (x[i] - p.mean);
    p.squares = squares;
    return p;
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
