/* Reductions over any set of axes. The order in which a sum is taken depends on the reduced lengths
 * alone: short runs are added in f32 lanes, their results in double; long sums are cut at fixed
 * places. So threads, blocks and neighbours change no bit, and the relative error stays near 1e-7.
 */
#include "kernels/reduce.h"
#include "kernels/kernel.h"
#include <string.h>

enum {
    RUN = 512,     /* elements of a row added in f32 before the result goes to double */
    PIECE = 65536, /* elements of a row summed by one thread at a time */
    LANES = 32,
    ROWS = 64 /* rows of a column sum added in f32 before the results go to double */
};

/* What one reduction does. Accumulators are double, which holds every i32, f32 and bool; sums of
 * i32 are exact up to 2^53. */
typedef struct fold {
    double start;
    double (*row)(const void *x, int64_t n); /* over n <= PIECE neighbours */
    /* acc[j] over rows (at most ROWS, `step` elements apart) of n <= SE_REDUCE_STRIP columns */
    void (*columns)(double *acc, const void *x, int64_t step, int64_t rows, int64_t n);
    double (*join)(double a, double b);
    size_t size; /* of an element of x */
} fold;

static double join_sum(double a, double b)
{
    return a + b;
}
static double join_max(double a, double b)
{
    return a > b || a != a ? a : b;
}
static double join_min(double a, double b)
{
    return a < b || a != a ? a : b;
}

/* --- sums --- */

static double sum_row_real(const void *px, int64_t n)
{
    const real *x = px;
    double total = 0;
    for (int64_t from = 0; from < n; from += RUN) {
        int64_t m = n - from < RUN ? n - from : RUN, i = 0;
        real lane[LANES] = {0};
        for (; i + LANES <= m; i += LANES)
#pragma omp simd
            for (int k = 0; k < LANES; k++)
                lane[k] += x[from + i + k];
        double tail = 0;
        for (; i < m; i++)
            tail += x[from + i];
        for (int w = LANES / 2; w > 0; w /= 2)
            for (int k = 0; k < w; k++)
                lane[k] += lane[k + w];
        total += (double)lane[0] + tail;
    }
    return total;
}

static void sum_columns_real(double *acc, const void *px, int64_t step, int64_t rows, int64_t n)
{
    const real *x = px;
    real part[SE_REDUCE_STRIP] = {0};
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const real *a = x + r * step, *b = a + step, *c = b + step, *d = c + step;
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            part[j] += (a[j] + b[j]) + (c[j] + d[j]);
    }
    for (; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            part[j] += x[r * step + j];
    for (int64_t j = 0; j < n; j++)
        acc[j] += part[j];
}

/* i32, and bool counted as i32: exact in any order. */
#define SUM_INT(T)                                                                                 \
    static double sum_row_##T(const void *px, int64_t n)                                           \
    {                                                                                              \
        const T *x = px;                                                                           \
        int64_t total = 0;                                                                         \
        for (int64_t i = 0; i < n; i++)                                                            \
            total += x[i];                                                                         \
        return (double)total;                                                                      \
    }                                                                                              \
    static void sum_columns_##T(double *acc, const void *px, int64_t step, int64_t rows,           \
                                int64_t n)                                                         \
    {                                                                                              \
        const T *x = px;                                                                           \
        for (int64_t r = 0; r < rows; r++)                                                         \
            for (int64_t j = 0; j < n; j++)                                                        \
                acc[j] += x[r * step + j];                                                         \
    }
SUM_INT(int32_t)
SUM_INT(uint8_t)

/* --- products, in double: f32 would run over or under --- */

static double join_prod(double a, double b)
{
    return a * b;
}

/* Wraps around as i32 does; every number it meets is one. */
static double join_prod_whole(double a, double b)
{
    return (double)(int32_t)((uint32_t)(int32_t)a * (uint32_t)(int32_t)b);
}

static double prod_row_real(const void *px, int64_t n)
{
    const real *x = px;
    double lane[LANES];
    int64_t i = 0;
    for (int k = 0; k < LANES; k++)
        lane[k] = 1;
    for (; i + LANES <= n; i += LANES)
#pragma omp simd
        for (int k = 0; k < LANES; k++)
            lane[k] *= (double)x[i + k];
    double tail = 1;
    for (; i < n; i++)
        tail *= (double)x[i];
    for (int w = LANES / 2; w > 0; w /= 2)
        for (int k = 0; k < w; k++)
            lane[k] *= lane[k + w];
    return lane[0] * tail;
}

static void prod_columns_real(double *acc, const void *px, int64_t step, int64_t rows, int64_t n)
{
    const real *x = px;
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            acc[j] *= (double)x[r * step + j];
}

#define PROD_WHOLE(T)                                                                              \
    static double prod_row_##T(const void *px, int64_t n)                                          \
    {                                                                                              \
        const T *x = px;                                                                           \
        uint32_t total = 1;                                                                        \
        for (int64_t i = 0; i < n; i++)                                                            \
            total *= (uint32_t)x[i];                                                               \
        return (double)(int32_t)total;                                                             \
    }                                                                                              \
    static void prod_columns_##T(double *acc, const void *px, int64_t step, int64_t rows,          \
                                 int64_t n)                                                        \
    {                                                                                              \
        const T *x = px;                                                                           \
        for (int64_t r = 0; r < rows; r++)                                                         \
            for (int64_t j = 0; j < n; j++)                                                        \
                acc[j] = join_prod_whole(acc[j], (double)x[r * step + j]);                         \
    }
PROD_WHOLE(int32_t)
PROD_WHOLE(uint8_t)

/* --- largest and smallest; a nan stays --- */

#define EXTREME(name, T, BETTER)                                                                   \
    static double name##_row_##T(const void *px, int64_t n)                                        \
    {                                                                                              \
        const T *x = px;                                                                           \
        T lane[LANES];                                                                             \
        int64_t i = 0;                                                                             \
        for (int k = 0; k < LANES; k++)                                                            \
            lane[k] = x[0];                                                                        \
        for (; i + LANES <= n; i += LANES)                                                         \
            _Pragma("omp simd") for (int k = 0; k < LANES; k++)                                    \
            {                                                                                      \
                T a = lane[k], b = x[i + k];                                                       \
                lane[k] = ((a BETTER b) | (a != a)) ? a : b;                                       \
            }                                                                                      \
        for (int w = LANES / 2; w > 0; w /= 2)                                                     \
            _Pragma("omp simd") for (int k = 0; k < w; k++)                                        \
            {                                                                                      \
                T a = lane[k], b = lane[k + w];                                                    \
                lane[k] = ((a BETTER b) | (a != a)) ? a : b;                                       \
            }                                                                                      \
        T a = lane[0];                                                                             \
        for (; i < n; i++)                                                                         \
            a = a BETTER x[i] || a != a ? a : x[i];                                                \
        return (double)a;                                                                          \
    }                                                                                              \
    static void name##_columns_##T(double *acc, const void *px, int64_t step, int64_t rows,        \
                                   int64_t n)                                                      \
    {                                                                                              \
        const T *x = px;                                                                           \
        T part[SE_REDUCE_STRIP];                                                                   \
        memcpy(part, x, sizeof(T) * (size_t)n);                                                    \
        for (int64_t r = 1; r < rows; r++)                                                         \
            _Pragma("omp simd") for (int64_t j = 0; j < n; j++)                                    \
            {                                                                                      \
                T a = part[j], b = x[r * step + j];                                                \
                part[j] = ((a BETTER b) | (a != a)) ? a : b;                                       \
            }                                                                                      \
        for (int64_t j = 0; j < n; j++)                                                            \
            acc[j] = acc[j] BETTER(double) part[j] || acc[j] != acc[j] ? acc[j] : (double)part[j]; \
    }
EXTREME(max, real, >)
EXTREME(min, real, <)
EXTREME(max, int32_t, >)
EXTREME(min, int32_t, <)
EXTREME(max, uint8_t, >)
EXTREME(min, uint8_t, <)

/* --- the axes in groups --- */

/* Axes of x with equal use (kept or reduced) that lie next to each other are merged; `inner` is the
 * last group, the others are split by use. Steps in elements of x. */
typedef struct layout {
    bool inner_reduced;
    int64_t inner;
    int n_kept, n_reduced; /* groups before the last */
    int64_t kept[SE_MAX_RANK], kept_step[SE_MAX_RANK];
    int64_t reduced[SE_MAX_RANK], reduced_step[SE_MAX_RANK];
    int64_t outputs, rows; /* products of kept and of reduced */
} layout;

static uint32_t reduced_axes(const se_task *t)
{
    const se_attr *axes = &t->attr[0];
    int rank = t->in_type[0].rank;
    uint32_t mask = axes->n ? 0 : (1u << rank) - 1;
    for (int i = 0; i < axes->n; i++)
        mask |= 1u << (axes->list[i] < 0 ? axes->list[i] + rank : axes->list[i]);
    return mask;
}

static layout layout_of(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    uint32_t mask = reduced_axes(t);
    layout l = {.inner = 1, .outputs = 1, .rows = 1};
    int i = x->rank - 1;
    for (; i >= 0 && x->dim[i] == 1; i--)
        continue;
    l.inner_reduced = i < 0 || (mask >> i & 1);
    int64_t step = 1;
    bool started = false, last = false;
    for (; i >= 0; i--) {
        bool reduced = mask >> i & 1;
        int64_t dim = x->dim[i];
        if (dim != 1 && !l.n_kept && !l.n_reduced && reduced == l.inner_reduced) {
            l.inner *= dim;
        } else if (dim != 1) {
            int *n = reduced ? &l.n_reduced : &l.n_kept;
            int64_t *size = reduced ? l.reduced : l.kept;
            int64_t *steps = reduced ? l.reduced_step : l.kept_step;
            if (started && last == reduced) {
                size[*n - 1] *= dim;
            } else {
                size[*n] = dim;
                steps[(*n)++] = step;
            }
            started = true;
            last = reduced;
        }
        step *= dim;
    }
    if (!l.n_reduced)
        l.reduced[l.n_reduced++] = 1;
    for (int k = 0; k < l.n_kept; k++)
        l.outputs *= l.kept[k];
    for (int k = 0; k < l.n_reduced; k++)
        l.rows *= l.reduced[k];
    return l;
}

/* Where item i of the groups (the first is the fastest) begins in x. */
static int64_t place(int n, const int64_t *size, const int64_t *step, int64_t i)
{
    int64_t at = 0;
    for (int k = 0; k < n; k++) {
        at += i % size[k] * step[k];
        i /= size[k];
    }
    return at;
}

static void put(const se_task *t, int64_t i, double v)
{
    if (t->out_type[0].dtype == SE_I32)
        ((int32_t *)SE_OUT(0))[i] = (int32_t)(uint32_t)(int64_t)v;
    else if (t->out_type[0].dtype == SE_BOOL)
        ((uint8_t *)SE_OUT(0))[i] = v != 0;
    else
        ((real *)SE_OUT(0))[i] = (real)v;
}

/* --- the last group is reduced: one number from each run of neighbours --- */

static double fold_row(const fold *f, const char *x, int64_t n, bool split)
{
    int64_t pieces = (n + PIECE - 1) / PIECE;
    double total = f->start;
    if (pieces == 1)
        return f->join(total, f->row(x, n));
    enum { MANY = 256 };
    double part[MANY];
    for (int64_t from = 0; from < pieces; from += MANY) {
        int64_t m = pieces - from < MANY ? pieces - from : MANY;
#pragma omp parallel for if (split)
        for (int64_t p = 0; p < m; p++) {
            int64_t at = (from + p) * PIECE;
            part[p] = f->row(x + (size_t)at * f->size, n - at < PIECE ? n - at : PIECE);
        }
        for (int64_t p = 0; p < m; p++)
            total = f->join(total, part[p]);
    }
    return total;
}

static double fold_output(const fold *f, const layout *l, const char *x, int64_t o, bool split)
{
    int64_t base = place(l->n_kept, l->kept, l->kept_step, o);
    double total = f->start;
    for (int64_t r = 0; r < l->rows; r++) {
        int64_t at = base + place(l->n_reduced, l->reduced, l->reduced_step, r);
        total = f->join(total, fold_row(f, x + (size_t)at * f->size, l->inner, split));
    }
    return total;
}

static void fold_rows(const se_task *t, const fold *f, const layout *l)
{
    const char *x = SE_IN(0);
    int64_t each = l->rows * l->inner, block = each < 16384 ? 16384 / each : 1;
    if (l->outputs < 16 && l->inner > PIECE) {
        for (int64_t o = 0; o < l->outputs; o++)
            put(t, o, fold_output(f, l, x, o, true));
        return;
    }
    int64_t blocks = (l->outputs + block - 1) / block;
#pragma omp parallel for schedule(dynamic, 1) if (blocks > 1)
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t o = b * block; o < (b + 1) * block && o < l->outputs; o++)
            put(t, o, fold_output(f, l, x, o, false));
}

/* --- the last group is kept: a row of numbers from many rows --- */

/* acc[0..n) over rows [lo, hi) of the strip that begins at x. */
static void fold_strip(const fold *f, const layout *l, const char *x, int64_t lo, int64_t hi,
                       double *acc, int64_t n)
{
    int64_t run = l->reduced[0], step = l->reduced_step[0];
    for (int64_t r = lo; r < hi;) {
        int64_t left = run - r % run, m = hi - r < left ? hi - r : left;
        m = m < ROWS ? m : ROWS;
        int64_t at = place(l->n_reduced, l->reduced, l->reduced_step, r);
        f->columns(acc, x + (size_t)at * f->size, step, m, n);
        r += m;
    }
}

static void fold_columns(const se_task *t, const fold *f, const layout *l)
{
    const char *x = SE_IN(0);
    int64_t strips = (l->inner + SE_REDUCE_STRIP - 1) / SE_REDUCE_STRIP;
    int64_t parts = l->rows >= SE_REDUCE_LONG ? SE_REDUCE_PARTS : 1;
    double *table = t->scratch;
    for (int64_t o = 0; o < (parts > 1 ? l->outputs : 1); o++) {
        int64_t jobs = parts > 1 ? parts * strips : l->outputs * strips;
#pragma omp parallel for schedule(dynamic, 1) if (jobs * l->rows * l->inner > 16384)
        for (int64_t job = 0; job < jobs; job++) {
            double own[SE_REDUCE_STRIP];
            int64_t from = job % strips * SE_REDUCE_STRIP, index = job / strips;
            int64_t n = l->inner - from < SE_REDUCE_STRIP ? l->inner - from : SE_REDUCE_STRIP;
            int64_t output = parts > 1 ? o : index, part = parts > 1 ? index : 0;
            int64_t at = place(l->n_kept, l->kept, l->kept_step, output) + from;
            double *acc = parts > 1 ? table + part * l->inner + from : own;
            for (int64_t j = 0; j < n; j++)
                acc[j] = f->start;
            fold_strip(f, l, x + (size_t)at * f->size, l->rows * part / parts,
                       l->rows * (part + 1) / parts, acc, n);
            for (int64_t j = 0; j < n && parts == 1; j++)
                put(t, output * l->inner + from + j, acc[j]);
        }
        for (int64_t j = 0; j < l->inner && parts > 1; j++) {
            double total = f->start;
            for (int64_t p = 0; p < parts; p++)
                total = f->join(total, table[p * l->inner + j]);
            put(t, o * l->inner + j, total);
        }
    }
}

static void reduce(const se_task *t, const fold *f)
{
    int64_t count = se_type_count(&t->out_type[0]);
    if (se_type_count(&t->in_type[0]) == 0) {
        for (int64_t i = 0; i < count; i++)
            put(t, i, f->start);
        return;
    }
    layout l = layout_of(t);
    if (l.inner_reduced)
        fold_rows(t, f, &l);
    else
        fold_columns(t, f, &l);
}

/* The entry of x's dtype. */
#define REDUCTION(name, F32, I32, BOOL)                                                            \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        static const fold folds[SE_DTYPES] = {[SE_F32] = F32, [SE_I32] = I32, [SE_BOOL] = BOOL};   \
        (void)lo;                                                                                  \
        (void)hi;                                                                                  \
        reduce(t, &folds[t->in_type[0].dtype]);                                                    \
    }
#define SUM(T)                                                                                     \
    {                                                                                              \
        0, sum_row_##T, sum_columns_##T, join_sum, sizeof(T)                                       \
    }
#define PROD(T, join)                                                                              \
    {                                                                                              \
        1, prod_row_##T, prod_columns_##T, join, sizeof(T)                                         \
    }
#define MAX(T, least)                                                                              \
    {                                                                                              \
        least, max_row_##T, max_columns_##T, join_max, sizeof(T)                                   \
    }
#define MIN(T, most)                                                                               \
    {                                                                                              \
        most, min_row_##T, min_columns_##T, join_min, sizeof(T)                                    \
    }
#define INF (1.0 / 0.0)

REDUCTION(sum, SUM(real), SUM(int32_t), SUM(uint8_t))
REDUCTION(prod, PROD(real, join_prod), PROD(int32_t, join_prod_whole),
          PROD(uint8_t, join_prod_whole))
REDUCTION(max, MAX(real, -INF), MAX(int32_t, INT32_MIN), MAX(uint8_t, 0))
REDUCTION(min, MIN(real, INF), MIN(int32_t, INT32_MAX), MIN(uint8_t, 1))

/* x[n, m] -> for each element the product of the others in its row. */
SE_ROWS(prod_others)
{
    const real *x = SE_IN(0);
    real *o = SE_OUT(0);
    int64_t m = se_type_last(&t->out_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        double all = 1; /* but the zeros */
        int64_t zeros = 0;
        for (int64_t i = r * m; i < (r + 1) * m; i++) {
            zeros += x[i] == 0;
            all *= x[i] == 0 ? 1 : (double)x[i];
        }
        for (int64_t i = r * m; i < (r + 1) * m; i++) {
            if (x[i] == 0)
                o[i] = zeros == 1 ? (real)all : 0;
            else
                o[i] = zeros == 0 ? (real)(all / (double)x[i]) : 0;
        }
    }
}

/* --- argmax, argmin: the first of equals; a nan beats everything --- */

#define ARG(name, T, BETTER)                                                                       \
    static int32_t name##_row_##T(const T *x, int64_t n)                                           \
    {                                                                                              \
        T best = x[0];                                                                             \
        for (int64_t from = 0; from < n; from += PIECE) {                                          \
            int64_t m = n - from < PIECE ? n - from : PIECE;                                       \
            T b = (T)name##_row_best_##T(x + from, m);                                             \
            best = best BETTER b || best != best ? best : b;                                       \
        }                                                                                          \
        int64_t i = 0;                                                                             \
        if (best == best)                                                                          \
            while (x[i] != best)                                                                   \
                i++;                                                                               \
        else                                                                                       \
            while (x[i] == x[i])                                                                   \
                i++;                                                                               \
        return (int32_t)i;                                                                         \
    }                                                                                              \
    static void name##_columns_##T(const T *x, int64_t rows, int64_t step, int64_t n, int32_t *o)  \
    {                                                                                              \
        T best[SE_REDUCE_STRIP];                                                                   \
        memcpy(best, x, sizeof(T) * (size_t)n);                                                    \
        memset(o, 0, sizeof *o *(size_t)n);                                                        \
        for (int64_t r = 1; r < rows; r++)                                                         \
            for (int64_t j = 0; j < n; j++) {                                                      \
                T v = x[r * step + j];                                                             \
                bool wins = best[j] == best[j] && (v BETTER best[j] || v != v);                    \
                best[j] = wins ? v : best[j];                                                      \
                o[j] = wins ? (int32_t)r : o[j];                                                   \
            }                                                                                      \
    }
#define argmax_row_best_real max_row_real
#define argmin_row_best_real min_row_real
#define argmax_row_best_int32_t max_row_int32_t
#define argmin_row_best_int32_t min_row_int32_t
#define argmax_row_best_uint8_t max_row_uint8_t
#define argmin_row_best_uint8_t min_row_uint8_t
ARG(argmax, real, >)
ARG(argmin, real, <)
ARG(argmax, int32_t, >)
ARG(argmin, int32_t, <)
ARG(argmax, uint8_t, >)
ARG(argmin, uint8_t, <)

/* x is seen as [outer, rows, inner]; inner = 1 goes row by row. */
#define ARG_STRIP(name, T)                                                                         \
    if (inner == 1)                                                                                \
        *to = name##_row_##T((const T *)SE_IN(0) + first, rows);                                   \
    else                                                                                           \
        name##_columns_##T((const T *)SE_IN(0) + first, rows, inner, n, to)
#define ARG_KERNEL(name)                                                                           \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        const se_type *x = &t->in_type[0];                                                         \
        int axis = (int)(t->attr[0].i < 0 ? t->attr[0].i + x->rank : t->attr[0].i);                \
        int64_t outer = 1, rows = x->dim[axis], inner = 1;                                         \
        for (int i = 0; i < x->rank; i++)                                                          \
            *(i < axis ? &outer : &inner) *= i == axis ? 1 : x->dim[i];                            \
        int64_t strips = (inner + SE_REDUCE_STRIP - 1) / SE_REDUCE_STRIP;                          \
        int32_t *o = SE_OUT(0);                                                                    \
        (void)lo;                                                                                  \
        (void)hi;                                                                                  \
        _Pragma("omp parallel for if (outer * rows * inner > 16384)") for (int64_t job = 0;        \
                                                                           job < outer * strips;   \
                                                                           job++)                  \
        {                                                                                          \
            int64_t from = job % strips * SE_REDUCE_STRIP, at = job / strips;                      \
            int64_t n = inner - from < SE_REDUCE_STRIP ? inner - from : SE_REDUCE_STRIP;           \
            int64_t first = at * rows * inner + from;                                              \
            int32_t *to = o + at * inner + from;                                                   \
            if (x->dtype == SE_I32) {                                                              \
                ARG_STRIP(name, int32_t);                                                          \
            } else if (x->dtype == SE_BOOL) {                                                      \
                ARG_STRIP(name, uint8_t);                                                          \
            } else {                                                                               \
                ARG_STRIP(name, real);                                                             \
            }                                                                                      \
        }                                                                                          \
    }
ARG_KERNEL(argmax)
ARG_KERNEL(argmin)
