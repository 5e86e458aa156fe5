/* Kernels that draw: dropout, dropout_grid, random_normal, random_uniform. See threefry.h. */
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
