/* Products of f32 rounded to bf16 on the way, with sums in f32, on panels (panels.h): vdpbf16ps of
 * AVX-512 BF16 multiplies pairs exactly and adds one product after the other. Denormal numbers
 * count as zero. Intel, Architecture Instruction Set Extensions Programming Reference. */
#include "kernels/panels.h"

#if defined(SE_LEVEL_avx512)

enum { PER_WORD = 2, SCALED = 0 };
#define TARGET __attribute__((target("avx512bf16")))

#include "kernels/panels_sizes.h"

TARGET static inline se_vec mac(se_vec sum, const float *a, se_vec b)
{
    return (se_vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_ps(*a), (__m512bh)b);
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

TARGET static inline __m256 words_along(const float *x)
{
    return (__m256)_mm512_cvtneps_pbh(_mm512_loadu_ps(x));
}

TARGET static inline __m256 words_across(const float *x, int64_t step)
{
    __m128i even = (__m128i)_mm256_cvtneps_pbh(_mm256_loadu_ps(x));
    __m128i odd = (__m128i)_mm256_cvtneps_pbh(_mm256_loadu_ps(x + step));
    return (__m256)_mm256_or_si256(_mm256_cvtepu16_epi32(even),
                                   _mm256_slli_epi32(_mm256_cvtepu16_epi32(odd), 16));
}

TARGET static inline float word_of(float even, float odd)
{
    return _mm_cvtss_f32((__m128)_mm_cvtneps_pbh(_mm_set_ps(0, 0, odd, even)));
}

TARGET static inline float word_along(const float *x, int n)
{
    return word_of(x[0], n > 1 ? x[1] : 0);
}

TARGET static inline float word_across(const float *x, int64_t step, int n)
{
    return word_of(x[0], n > 1 ? x[step] : 0);
}

#include "kernels/panels_pack.h"

#include "kernels/panels_frame.h"

const se_panels se_panels_bf16 = {
    PANELS_FRAME,
};

#else
typedef int se_no_bf16_here;
#endif
