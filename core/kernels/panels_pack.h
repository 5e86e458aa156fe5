/* Packing for panels_frame.h where the words are made of floats on the way. A file that includes it
 * has defined PER_WORD and
 *
 *   words_along(x), word_along(x, n)    8 words of floats that follow each other; one word of the
 *                  n <= PER_WORD that there are
 *   words_across(x, step), word_across(x, step, n)   the same, where a word's floats are `step`
 *                  apart and words follow each other */
#ifndef SE_PANELS_PACK_H
#define SE_PANELS_PACK_H

/* y[c][r] = x[r][c] for 8 rows and columns of words. */
static inline __attribute__((always_inline)) void turn_8(__m256 x[8], float *to, int64_t to_step)
{
    __m256 y[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
        x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
        x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
        x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * to_step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
    }
}

/* Word (r, c) of a block: along, from + r * step is row r, whose floats make words; across, word c
 * of row r is made of column c of PER_WORD rows. n: floats in it. */
static inline __attribute__((always_inline)) const float *place(bool across, const float *from,
                                                                int64_t step, int64_t r, int64_t c)
{
    return across ? from + r * PER_WORD * step + c : from + r * step + c * PER_WORD;
}

TARGET static inline __attribute__((always_inline)) float
word(bool across, const float *from, int64_t step, int64_t r, int64_t c, int n)
{
    const float *x = place(across, from, step, r, c);
    return across ? word_across(x, step, n) : word_along(x, n);
}

/* to[c * to_step + r] = word (r, c) for whole words. Eight rows at a time, so that few streams of
 * memory are read side by side. */
TARGET static inline __attribute__((always_inline)) void turn_words(bool across, const float *from,
                                                                    int64_t step, int64_t rows,
                                                                    int64_t columns, float *to,
                                                                    int64_t to_step)
{
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        int64_t c = 0;
        for (; c + 8 <= columns; c += 8) {
            __m256 x[8];
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                const float *at = place(across, from, step, r + i, c);
                x[i] = across ? words_across(at, step) : words_along(at);
            }
            turn_8(x, to + c * to_step + r, to_step);
        }
        for (; c < columns; c++)
            for (int64_t i = r; i < r + 8; i++)
                to[c * to_step + i] = word(across, from, step, i, c, PER_WORD);
    }
    for (; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * to_step + r] = word(across, from, step, r, c, PER_WORD);
}

/* Rows of `floats` floats, turned: word c of row r goes to to[c * to_step + r]. */
TARGET static void turn_along(const float *from, int64_t step, int64_t rows, int64_t floats,
                              float *to, int64_t to_step)
{
    int64_t whole = floats / PER_WORD;
    turn_words(false, from, step, rows, whole, to, to_step);
    for (int64_t r = 0; floats % PER_WORD && r < rows; r++)
        to[whole * to_step + r] = word(false, from, step, r, whole, (int)(floats % PER_WORD));
}

/* Columns of `floats` floats: word r of column c goes to to[c * to_step + r]. */
TARGET static void turn_across(const float *from, int64_t step, int64_t floats, int64_t columns,
                               float *to, int64_t to_step)
{
    int64_t whole = floats / PER_WORD;
    turn_words(true, from, step, whole, columns, to, to_step);
    for (int64_t c = 0; floats % PER_WORD && c < columns; c++)
        to[c * to_step + whole] = word(true, from, step, whole, c, (int)(floats % PER_WORD));
}

/* One row: the words of its floats. */
TARGET static void line_along(const float *from, int64_t floats, float *to)
{
    int64_t c = 0, whole = floats / PER_WORD;
    for (; c + 8 <= whole; c += 8)
        _mm256_storeu_ps(to + c, words_along(from + c * PER_WORD));
    for (; c < whole; c++)
        to[c] = word_along(from + c * PER_WORD, PER_WORD);
    if (floats % PER_WORD)
        to[whole] = word_along(from + whole * PER_WORD, (int)(floats % PER_WORD));
}

/* One word of each column, of the n rows that there are. */
TARGET static void line_across(const float *from, int64_t step, int n, int64_t columns, float *to)
{
    int64_t c = 0;
    for (; n == PER_WORD && c + 8 <= columns; c += 8)
        _mm256_storeu_ps(to + c, words_across(from + c, step));
    for (; c < columns; c++)
        to[c] = word_across(from + c, step, n);
}

/* Floats of the block [p0, p0 + deep) of words. */
static int64_t floats_of(const se_product *p, int64_t p0, int64_t deep)
{
    int64_t left = p->k - p0 * PER_WORD;
    return left < deep * PER_WORD ? left : deep * PER_WORD;
}

/* Words [p0, p0 + deep) of columns [j0, j1) of b, zeros up to a whole panel; panels are `apart`
 * words from each other. */
static void pack_b(const se_product *p, int64_t p0, int64_t deep, int64_t j0, int64_t j1, float *to,
                   int64_t apart)
{
    const float *b = p->b;
    int64_t floats = floats_of(p, p0, deep);
    for (int64_t j = j0; j < j1; j += COLUMNS, to += apart) {
        int64_t wide = j1 - j < COLUMNS ? j1 - j : COLUMNS;
        const float *from = b + p0 * PER_WORD * p->rs_b + j * p->cs_b;
        if (wide < COLUMNS)
            memset(to, 0, (size_t)(deep * COLUMNS) * sizeof *to);
        if (p->cs_b != 1) {
            turn_along(from, p->cs_b, wide, floats, to, COLUMNS);
            continue;
        }
        for (int64_t r = 0; r < deep; r++) {
            int64_t left = floats - r * PER_WORD;
            line_across(from + r * PER_WORD * p->rs_b, p->rs_b,
                        left < PER_WORD ? (int)left : PER_WORD, wide, to + r * COLUMNS);
        }
    }
}

/* All blocks of columns [j0, j1), each panel whole. */
static void pack(const se_product *p, int64_t j0, int64_t j1, float *panels)
{
    int64_t k = words(p->k), most = depth(p->k);
    for (int64_t j = j0; j < j1; j += COLUMNS)
        for (int64_t p0 = 0; p0 < k; p0 += most) {
            int64_t last = j + COLUMNS < j1 ? j + COLUMNS : j1;
            pack_b(p, p0, k - p0 < most ? k - p0 : most, j, last, panels + j * k + p0 * COLUMNS, 0);
        }
}

/* Rows [i0, i1) of a at words [p0, p0 + deep), STEP words from row to row. */
static void pack_a(const se_product *p, int64_t i0, int64_t i1, int64_t p0, int64_t deep, float *to)
{
    const float *from = (const float *)p->a + i0 * p->rs_a + p0 * PER_WORD * p->cs_a;
    int64_t floats = floats_of(p, p0, deep);
    if (p->cs_a != 1)
        turn_across(from, p->cs_a, floats, i1 - i0, to, STEP);
    for (int64_t i = i0; p->cs_a == 1 && i < i1; i++)
        line_along(from + (i - i0) * p->rs_a, floats, to + (i - i0) * STEP);
}

#endif
