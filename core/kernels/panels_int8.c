/* Products of rows and weights rounded to int8, exact in their sums, on panels (panels.h). A row of
 * a is x[k] = round(x / s) with s the largest |x| of the row / 127; a column of b likewise.
 *
 * AVX-512 VNNI multiplies bytes without a sign with bytes that have one (vpdpbusd: four products at
 * once, no saturation): 128 is added to those of a, and `start` takes 128 times a column's sum away
 * again; sums wrap around, so that only the end has to fit into 32 bits. Elsewhere int8 stands as
 * int16, two to a word, of which vpmaddwd adds two products exactly; AVX2's product of bytes
 * (vpmaddubsw) would saturate. */
#include "kernels/panels.h"

#ifndef SE_LEVEL_f64

#ifdef SE_LEVEL_avx512
enum { PER_WORD = 4, SCALED = 1, OFFSET = 128 };
#define TARGET __attribute__((target("avx512vnni")))
typedef int8_t number; /* what a panel holds */
typedef uint8_t row_number;
#else
enum { PER_WORD = 2, SCALED = 1, OFFSET = 0 };
#define TARGET
typedef int16_t number, row_number;
#endif

#include "kernels/panels_sizes.h"

typedef int32_t integers __attribute__((vector_size(SE_VECTOR_BYTES)));

#if defined(SE_LEVEL_avx512)
TARGET static inline se_vec mac(se_vec sum, const float *a, se_vec b)
{
    __m512i word = (__m512i)_mm512_set1_ps(*a);
    return (se_vec)_mm512_dpbusd_epi32((__m512i)sum, word, (__m512i)b);
}
#elif defined(SE_LEVEL_avx2)
static inline se_vec mac(se_vec sum, const float *a, se_vec b)
{
    __m256i word = (__m256i)_mm256_broadcast_ss(a);
    return (se_vec)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(word, (__m256i)b));
}
#else
static inline se_vec mac(se_vec sum, const float *a, se_vec b)
{
    int16_t x[2], y[2 * SE_LANES];
    integers s;
    memcpy(x, a, sizeof x);
    memcpy(y, &b, sizeof y);
    memcpy(&s, &sum, sizeof s);
    for (int i = 0; i < SE_LANES; i++)
        s[i] += x[0] * y[2 * i] + x[1] * y[2 * i + 1];
    memcpy(&sum, &s, sizeof s);
    return sum;
}
#endif

static inline se_vec plus(se_vec x, se_vec y)
{
    return (se_vec)((integers)x + (integers)y);
}

static inline se_vec finish(se_vec sum, float row, se_vec column)
{
    return __builtin_convertvector((integers)sum, se_vec) * (se_vec_of(row) * column);
}

/* --- rounding --- */

/* The largest |x|: the bits of such floats are ordered as they are; a nan is larger than all. */
static float largest(const float *x, int64_t n)
{
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float y;
    memcpy(&y, &most, sizeof y);
    return y;
}

/* x scaled to -127..127 and rounded, of two equally near ones to the even one: 1.5 x 2^23 leaves no
 * room for a fraction. What cannot be scaled (nan) becomes some number; the scale is nan, too. */
static inline int32_t scaled(float x, float by)
{
    float y = x * by;
    y = y < 127 ? y : 127;
    y = y > -127 ? y : -127;
    y += 12582912.0f;
    int32_t bits;
    memcpy(&bits, &y, sizeof bits);
    return bits - 0x4b400000;
}

/* What |x| <= most is multiplied with; SMALLEST and what is below counts as nothing. */
static float factor(float most)
{
    return most > SE_INT8_SMALLEST ? 127 / most : 0;
}

static float scale_of(float most)
{
    return most <= SE_INT8_SMALLEST ? 0 : most / 127;
}

static void round_rows(int64_t rows, int64_t k, const float *x, float *to, float *scale)
{
    for (int64_t i = 0; i < rows; i++, x += k, to += words(k)) {
        float most = largest(x, k), by = factor(most);
        row_number *y = (row_number *)(void *)to;
        for (int64_t p = 0; p < k; p++)
            y[p] = (row_number)(scaled(x[p], by) + OFFSET);
        for (int64_t p = k; p < words(k) * PER_WORD; p++)
            y[p] = OFFSET;
        scale[i] = scale_of(most);
    }
}

/* --- packing --- */

/* k numbers of a column to every COLUMNS-th word of a panel; gives what its sums begin with. */
static int32_t pack_column(const float *x, int64_t k, float by, float *panel)
{
    enum { PIECE = 64 }; /* of words */
    int32_t sum = 0;
    for (int64_t w = 0; w < words(k); w += PIECE) {
        int64_t many = words(k) - w < PIECE ? words(k) - w : PIECE;
        int64_t there = k - w * PER_WORD < many * PER_WORD ? k - w * PER_WORD : many * PER_WORD;
        number y[PIECE * PER_WORD] = {0};
        for (int64_t i = 0; i < there; i++) {
            int32_t v = scaled(x[w * PER_WORD + i], by);
            sum += v;
            y[i] = (number)v;
        }
        for (int64_t i = 0; i < many; i++)
            memcpy(panel + (w + i) * COLUMNS, y + i * PER_WORD, sizeof *panel);
    }
    return -OFFSET * sum;
}

/* Behind the panels stand the starts of all columns, then their scales. */
static void pack(const se_product *p, int64_t j0, int64_t j1, float *panels)
{
    int64_t k = words(p->k), all = (p->n + COLUMNS - 1) / COLUMNS * COLUMNS;
    float *start = panels + all * k, *scale = start + all;
    for (int64_t j = j0; j < j1; j++) {
        const float *x = (const float *)p->b + j * p->cs_b;
        float most = largest(x, p->k);
        float *panel = panels + j / COLUMNS * COLUMNS * k + j % COLUMNS;
        int32_t begin = pack_column(x, p->k, factor(most), panel);
        memcpy(start + j, &begin, sizeof begin);
        scale[j] = scale_of(most);
    }
    for (int64_t j = j1; j % COLUMNS; j++) {
        start[j] = scale[j] = 0;
        for (int64_t w = 0; w < k; w++)
            panels[j / COLUMNS * COLUMNS * k + j % COLUMNS + w * COLUMNS] = 0;
    }
}

static void pack_a(const se_product *p, int64_t i0, int64_t i1, int64_t p0, int64_t deep, float *to)
{
    for (int64_t i = i0; i < i1; i++)
        memcpy(to + (i - i0) * STEP, (const float *)p->a + i * p->rs_a + p0,
               (size_t)deep * sizeof *to);
}

static void pack_b(const se_product *p, int64_t p0, int64_t deep, int64_t j0, int64_t j1, float *to,
                   int64_t apart)
{
    (void)p, (void)p0, (void)deep, (void)j0, (void)j1, (void)to, (void)apart;
    SE_BUG("the weights of an int8 product are packed before");
}

#include "kernels/panels_frame.h"

#define PANELS_(level) se_panels_int8_##level
#define PANELS(level) PANELS_(level)
const se_panels PANELS(SE_LEVEL) = {
    PANELS_FRAME,
    .extra = 2,
    .round_rows = round_rows,
};

#else
typedef int se_no_int8_here;
#endif
