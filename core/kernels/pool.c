/* Kernels of mean_pool, the mean of each text's rows, added in order, and of max_pool. */
#include "kernels/kernel.h"
#include <string.h>

static real share_of(int64_t count)
{
    return (real)1 / (count > 0 ? (real)count : (real)1e-9);
}

/* x starts -> y: text j is rows [starts[j], starts[j + 1]) of x; an empty one gives zeros. */
SE_ROWS(mean_pool)
{
    const real *x = SE_IN(0);
    const int32_t *starts = SE_IN(1);
    real *y = SE_OUT(0);
    int64_t n = t->out_type[0].dim[1];
    for (int64_t j = lo; j < hi; j++) {
        real *to = y + j * n, share = share_of(starts[j + 1] - starts[j]);
        memset(to, 0, (size_t)n * sizeof(real));
        for (int64_t r = starts[j]; r < starts[j + 1]; r++)
            for (int64_t i = 0; i < n; i++)
                to[i] += x[r * n + i];
        for (int64_t i = 0; i < n; i++)
            to[i] *= share;
    }
}

/* dy starts -> dx: the row of its text, divided by the text's length; zeros in rows of no text. */
SE_ROWS(mean_pool_grad)
{
    const real *dy = SE_IN(0);
    const int32_t *starts = SE_IN(1);
    real *dx = SE_OUT(0);
    int64_t n = t->out_type[0].dim[1], texts = t->in_type[1].dim[0] - 1, j = 0;
    for (int64_t r = lo; r < hi; r++) {
        while (j < texts && starts[j + 1] <= r)
            j++;
        if (j == texts) {
            memset(dx + r * n, 0, (size_t)n * sizeof(real));
            continue;
        }
        real share = share_of(starts[j + 1] - starts[j]);
        for (int64_t i = 0; i < n; i++)
            dx[r * n + i] = dy[j * n + i] * share;
    }
}

/* x starts -> y: the largest of each column; NaN where there is one; zeros for an empty text. */
SE_ROWS(max_pool)
{
    const real *x = SE_IN(0);
    const int32_t *starts = SE_IN(1);
    real *y = SE_OUT(0);
    int64_t n = t->out_type[0].dim[1];
    for (int64_t j = lo; j < hi; j++) {
        real *to = y + j * n;
        if (starts[j] == starts[j + 1]) {
            memset(to, 0, (size_t)n * sizeof(real));
            continue;
        }
        memcpy(to, x + starts[j] * n, (size_t)n * sizeof(real));
        for (int64_t r = starts[j] + 1; r < starts[j + 1]; r++) {
            for (int64_t i = 0; i < n; i++) {
                real v = x[r * n + i];
                to[i] = v > to[i] || v != v ? v : to[i];
            }
        }
    }
}

/* x starts -> y: the first row of each text; zeros for an empty text. */
SE_ROWS(first_pool)
{
    const real *x = SE_IN(0);
    const int32_t *starts = SE_IN(1);
    real *y = SE_OUT(0);
    int64_t n = t->out_type[0].dim[1];
    size_t bytes = (size_t)n * sizeof(real);
    for (int64_t j = lo; j < hi; j++) {
        if (starts[j] == starts[j + 1])
            memset(y + j * n, 0, bytes);
        else
            memcpy(y + j * n, x + starts[j] * n, bytes);
    }
}
