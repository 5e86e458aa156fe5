/* Kernels that draw. See threefry.h. What decides between cases (random_truncated_normal,
 * random_categorical) is computed in double by libm, so that no instruction set chooses otherwise.
 */
#include "kernels/threefry.h"
#include "kernels/vmath.h"

enum { CHUNK = 128 }; /* features drawn at a time; even */

/* y = x * factor for one row. Whole pairs go through the vector loop; x may be y. */
static void drop_row(se_drop d, se_words row, uint32_t sub, int64_t n, const real *x, real *y)
{
    real factor[CHUNK];
    for (int64_t from = 0; from < n; from += CHUNK) {
        int64_t m = n - from < CHUNK ? n - from : CHUNK;
        se_drop_factors(d, row, sub, from, m, factor);
        for (int64_t i = 0; i < m; i++)
            y[from + i] = x[from + i] * factor[i];
    }
}

/* x key who? starts?: row t is position t - starts[j] of text j, whose global number is who[j];
 * rows after the last text give zeros. Without them row t is text t, position 0. */
SE_ROWS(dropout)
{
    const real *x = SE_IN(0);
    const int32_t *who = SE_IN(2), *starts = SE_IN(3);
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]), texts = starts ? t->in_type[3].dim[0] - 1 : 0;
    se_drop d = se_drop_make(SE_IN(1), t->attr[1].i, t->attr[0].f);
    int64_t j = 0;
    for (int64_t r = lo; r < hi; r++) {
        int64_t text = r, position = 0;
        if (starts) {
            while (j < texts && starts[j + 1] <= r)
                j++;
            if (j == texts) {
                memset(y + r * n, 0, (size_t)n * sizeof(real));
                continue;
            }
            text = who[j];
            position = r - starts[j];
        }
        se_words row = se_threefry(d.key, (uint32_t)text, (uint32_t)position);
        drop_row(d, row, 0, n, x + r * n, y + r * n);
    }
}

/* p [n, heads, L, L], key, who: row (i, head, query). */
SE_ROWS(dropout_grid)
{
    const real *p = SE_IN(0);
    const int32_t *who = SE_IN(2);
    real *y = SE_OUT(0);
    int64_t heads = t->in_type[0].dim[1], queries = t->in_type[0].dim[2];
    int64_t n = t->in_type[0].dim[3];
    se_drop d = se_drop_make(SE_IN(1), t->attr[1].i, t->attr[0].f);
    for (int64_t r = lo; r < hi; r++) {
        int64_t query = r % queries, head = r / queries % heads, text = r / queries / heads;
        se_words row = se_threefry(d.key, (uint32_t)who[text], (uint32_t)query);
        drop_row(d, row, (uint32_t)head + 1, n, p + r * n, y + r * n);
    }
}

/* Uniform in [0, 1): the upper 24 bits. */
SE_ROWS(random_uniform)
{
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]);
    se_words key = se_place_key(SE_IN(0), t->attr[1].i);
    for (int64_t r = lo; r < hi; r++) {
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t i = 0; i < n; i++) {
            se_words w = se_threefry(row, (uint32_t)(i / 2), 0);
            y[r * n + i] = (real)(int32_t)((i % 2 ? w.b : w.a) >> 8) * (real)0x1p-24;
        }
    }
}

/* Box and Muller 1958: a pair of words gives a pair of normal numbers. 31 bits of the first word
 * give u in (0, 1], so that the tail reaches 6.6 standard deviations. */
SE_ROWS(random_normal)
{
    real *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]);
    se_words key = se_place_key(SE_IN(0), t->attr[1].i);
    real pair[CHUNK];
    for (int64_t r = lo; r < hi; r++) {
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t from = 0; from < n; from += CHUNK) {
            int64_t m = n - from < CHUNK ? n - from : CHUNK;
            for (int64_t i = 0; i < (m + 1) / 2; i++) {
                se_words w = se_threefry(row, (uint32_t)(from / 2 + i), 0);
                real u = ((real)(int32_t)(w.a >> 1) + (real)0.5) * (real)0x1p-31;
                real angle = (real)(int32_t)(w.b >> 8) * (real)(0x1p-24 * 6.283185307179586477);
                real radius = se_sqrt((real)-2 * se_log(u));
                pair[2 * i] = radius * se_cos(angle);
                pair[2 * i + 1] = radius * se_sin(angle);
            }
            memcpy(y + r * n + from, pair, (size_t)m * sizeof(real));
        }
    }
}

/* --- draws of 64 bits: element i of row r has threefry(row key, (i, 0)) for its own --- */

static inline uint64_t bits_of(se_words w)
{
    return (uint64_t)w.a << 32 | w.b;
}

/* A whole number from 0 up to n <= 2^32: the upper part of bits * n, whose 96 bits are added up in
 * two steps. No number is more likely than another by more than n / 2^64. */
static inline uint64_t below(se_words w, uint64_t n)
{
    return (w.a * n + (w.b * n >> 32)) >> 32;
}

/* p is one number or one for each element. */
SE_ROWS(random_bernoulli)
{
    const real *p = SE_IN(1);
    uint8_t *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]), step = t->in_type[1].rank > 0;
    se_words key = se_place_key(SE_IN(0), t->attr[1].i);
    for (int64_t r = lo; r < hi; r++) {
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t i = 0; i < n; i++) {
            double share = (double)p[(r * n + i) * step] * 0x1p64;
            uint64_t bits = bits_of(se_threefry(row, (uint32_t)i, 0));
            y[r * n + i] = share >= 0x1p64 || bits < (uint64_t)share;
        }
    }
}

SE_ROWS(random_integers)
{
    int32_t *y = SE_OUT(0);
    int64_t n = se_type_last(&t->out_type[0]), low = t->attr[1].i;
    uint64_t range = (uint64_t)(t->attr[2].i - low);
    se_words key = se_place_key(SE_IN(0), t->attr[3].i);
    for (int64_t r = lo; r < hi; r++) {
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = (int32_t)(low + (int64_t)below(se_threefry(row, (uint32_t)i, 0), range));
    }
}

/* Try k of element i has the pair of normal numbers of threefry(row key, (i, k)); the first number
 * within the bounds is taken. */
static double normal_within(se_words row, uint32_t i, double low, double high)
{
    for (uint32_t k = 0;; k++) {
        se_words w = se_threefry(row, i, k);
        double radius = sqrt(-2 * log(((w.a >> 1) + 0.5) * 0x1p-31));
        double angle = (w.b >> 8) * (0x1p-24 * 6.283185307179586477);
        double first = radius * cos(angle), second = radius * sin(angle);
        if (first >= low && first <= high)
            return first;
        if (second >= low && second <= high)
            return second;
    }
}

SE_ROWS(random_truncated_normal)
{
    real *y = SE_OUT(0), least = (real)t->attr[1].f, most = (real)t->attr[2].f;
    int64_t n = se_type_last(&t->out_type[0]);
    se_words key = se_place_key(SE_IN(0), t->attr[3].i);
    for (int64_t r = lo; r < hi; r++) {
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t i = 0; i < n; i++) {
            real v = (real)normal_within(row, (uint32_t)i, t->attr[1].f, t->attr[2].f);
            y[r * n + i] = v < least ? least : (v > most ? most : v); /* v was rounded */
        }
    }
}

/* The first of c rising sums above share * the last. */
static int32_t place_of(const double *sums, int64_t c, double share)
{
    int64_t low = 0, high = c - 1;
    double target = share * sums[c - 1];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (sums[middle] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return (int32_t)low;
}

/* logits [.., c] -> [.., draws]: 53 bits choose a place in the sums of exp(logit - largest). */
SE_ROWS(random_categorical_draws)
{
    const real *logits = SE_IN(1);
    int32_t *y = SE_OUT(0);
    double *sums = se_scratch(t);
    int64_t c = se_type_last(&t->in_type[1]), draws = t->attr[0].i;
    se_words key = se_place_key(SE_IN(0), t->attr[1].i);
    for (int64_t r = lo; r < hi; r++) {
        const real *x = logits + r * c;
        real most = x[0];
        for (int64_t i = 1; i < c; i++)
            most = x[i] > most ? x[i] : most;
        double sum = 0;
        for (int64_t i = 0; i < c; i++)
            sums[i] = sum += exp((double)x[i] - (double)most);
        se_words row = se_threefry(key, (uint32_t)r, 0);
        for (int64_t k = 0; k < draws; k++) {
            uint64_t bits = bits_of(se_threefry(row, (uint32_t)k, 0)) >> 11;
            y[r * draws + k] = place_of(sums, c, (double)bits * 0x1p-53);
        }
    }
}

/* R. Fisher and F. Yates, from the inside out: number i goes to a place that is drawn from the i +
 * 1 there are, and what stood there goes to the end. */
SE_ROWS(random_permutation)
{
    int32_t *y = SE_OUT(0);
    (void)lo;
    se_words row = se_threefry(se_place_key(SE_IN(0), t->attr[1].i), 0, 0);
    for (int64_t i = 0; i < hi; i++) {
        uint64_t j = below(se_threefry(row, (uint32_t)i, 0), (uint64_t)i + 1);
        y[i] = y[j];
        y[j] = (int32_t)i;
    }
}
