/* Products of f32 on panels (panels.h). Compiled to nothing where BLIS's kernels are used. */
#include "kernels/panels.h"

#if defined(SE_LEVEL_avx2) || defined(SE_LEVEL_avx512)

enum { PER_WORD = 1, SCALED = 0 };
#define TARGET

#include "kernels/panels_sizes.h"

static inline se_vec mac(se_vec sum, const float *a, se_vec b)
{
    return VFMA(se_vec_of(*a), b, sum);
}

static inline se_vec plus(se_vec x, se_vec y)
{
    return x + y;
}

static inline se_vec finish(se_vec sum, float row, se_vec column)
{
    (void)row;
    (void)column;
    return sum;
}

static inline __m256 words_along(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline __m256 words_across(const float *x, int64_t step)
{
    (void)step;
    return _mm256_loadu_ps(x);
}

static inline float word_along(const float *x, int n)
{
    (void)n;
    return *x;
}

static inline float word_across(const float *x, int64_t step, int n)
{
    (void)step;
    (void)n;
    return *x;
}

#include "kernels/panels_pack.h"

#include "kernels/panels_frame.h"

#define PANELS_(level) se_panels_##level
#define PANELS(level) PANELS_(level)
const se_panels PANELS(SE_LEVEL) = {
    PANELS_FRAME,
};

#else
typedef int se_no_panels_here;
#endif
