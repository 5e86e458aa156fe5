/* Rows picked by ids, and sums of rows by ids. */
#include "kernels/kernel.h"
#include <string.h>

enum { PARALLEL = 16384, OWN = 16 };

static size_t size_of(const se_type *t)
{
    static const size_t size[SE_DTYPES] = {sizeof(real), 2, 4, 1};
    return size[t->dtype];
}

/* x[ids]: x [rows, ...], elements of any size. */
SE_ROWS(take)
{
    const int32_t *ids = SE_IN(1);
    const char *x = SE_IN(0);
    char *o = SE_OUT(0);
    int64_t n = se_type_count(&t->in_type[1]), width = 1;
    for (int i = 1; i < t->in_type[0].rank; i++)
        width *= t->in_type[0].dim[i];
    size_t bytes = (size_t)width * size_of(&t->in_type[0]);
    (void)lo;
    (void)hi;
    if (bytes == 0)
        return;
#pragma omp parallel for schedule(static) if (n * width > PARALLEL)
    for (int64_t i = 0; i < n; i++)
        memcpy(o + (size_t)i * bytes, x + (size_t)ids[i] * bytes, bytes);
}

static void add_row(real *o, const real *x, int64_t n)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        o[j] += x[j];
}

/* out[ids[i]] += x[i]. A row of the output belongs to one thread (runs of OWN ids in turn, so that
 * frequent neighbours are shared out), which adds in the order of i. */
SE_ROWS(scatter_add)
{
    const real *x = SE_IN(0);
    const int32_t *ids = SE_IN(1);
    real *o = SE_OUT(0);
    int64_t n = se_type_count(&t->in_type[1]), rows = t->out_type[0].dim[0], skip = t->attr[1].i;
    int64_t count = se_type_count(&t->out_type[0]), width = rows ? count / rows : 0;
    int64_t pieces = (count + PARALLEL - 1) / PARALLEL;
    (void)lo;
    (void)hi;
    if (count == 0)
        return;
#pragma omp parallel if (count + n * width > PARALLEL)
    {
#pragma omp for schedule(static)
        for (int64_t p = 0; p < pieces; p++) {
            int64_t left = count - p * PARALLEL;
            memset(o + p * PARALLEL, 0, sizeof(real) * (size_t)(left < PARALLEL ? left : PARALLEL));
        }
        uint32_t me = (uint32_t)omp_get_thread_num(), threads = (uint32_t)omp_get_num_threads();
        for (int64_t i = 0; i < n; i++)
            if (ids[i] != skip && (uint32_t)ids[i] / OWN % threads == me)
                add_row(o + ids[i] * width, x + i * width, width);
    }
}

SE_ROWS(one_hot)
{
    const int32_t *ids = SE_IN(0);
    real *o = SE_OUT(0);
    int64_t n = t->attr[0].i;
    for (int64_t r = lo; r < hi; r++) {
        memset(o + r * n, 0, sizeof(real) * (size_t)n);
        o[r * n + ids[r]] = 1;
    }
}

/* starts [n + 1], ascending: which text row t belongs to; n after the last. */
SE_ROWS(segment_ids)
{
    const int32_t *starts = SE_IN(0);
    int32_t *o = SE_OUT(0);
    int64_t n = t->in_type[0].dim[0] - 1, at = 0, most = n;
    while (at < most) { /* the first text that ends after lo */
        int64_t middle = (at + most) / 2;
        if (starts[middle + 1] > lo)
            most = middle;
        else
            at = middle + 1;
    }
    for (int64_t r = lo; r < hi; r++) {
        while (at < n && starts[at + 1] <= r)
            at++;
        o[r] = (int32_t)at;
    }
}
