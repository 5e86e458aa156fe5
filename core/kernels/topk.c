/* The largest elements of rows, and a search for the nearest rows of a corpus. */
#include "kernels/topk.h"
#include "kernels/lanes.h"
#include <string.h>

SE_HEAP(real)

/* --- topk --- */

/* best_of_T: n elements, `step` apart; a heap of k grows first, then lets in what is above its
 * worst. topk_T: one line of x[.., n, inner] and where its k values and places go. */
#define TOPK(T)                                                                                    \
    static void best_of_##T(const T *x, int64_t n, int64_t step, int64_t k, T *v, int32_t *p)      \
    {                                                                                              \
        for (int64_t i = 0; i < k; i++) {                                                          \
            v[i] = x[i * step];                                                                    \
            p[i] = (int32_t)i;                                                                     \
        }                                                                                          \
        for (int64_t i = k / 2 - 1; i >= 0;                                                        \
             i--) { /* every subtree becomes a heap, the last first */                             \
            T top = v[i];                                                                          \
            int32_t place = p[i];                                                                  \
            int64_t at = i;                                                                        \
            for (int64_t child = 2 * at + 1; child < k; child = 2 * at + 1) {                      \
                if (child + 1 < k && se_above_##T(v[child], p[child], v[child + 1], p[child + 1])) \
                    child++;                                                                       \
                if (!se_above_##T(top, place, v[child], p[child]))                                 \
                    break;                                                                         \
                v[at] = v[child];                                                                  \
                p[at] = p[child];                                                                  \
                at = child;                                                                        \
            }                                                                                      \
            v[at] = top;                                                                           \
            p[at] = place;                                                                         \
        }                                                                                          \
        for (int64_t i = k; i < n; i++)                                                            \
            if (se_above_##T(x[i * step], (int32_t)i, v[0], p[0]))                                 \
                se_heap_sink_##T(v, p, k, x[i * step], (int32_t)i);                                \
        se_heap_sort_##T(v, p, k);                                                                 \
    }                                                                                              \
    static void topk_##T(const T *x, int64_t n, int64_t inner, int64_t k, void *room, T *to,       \
                         int32_t *places)                                                          \
    {                                                                                              \
        int32_t *p = room; /* the wider type goes where the alignment is */                        \
        T *v = room;                                                                               \
        if (sizeof(T) > sizeof *p)                                                                 \
            p = (int32_t *)(void *)(v + k);                                                        \
        else                                                                                       \
            v = (T *)(void *)(p + k);                                                              \
        best_of_##T(x, n, inner, k, v, p);                                                         \
        for (int64_t i = 0; i < k; i++) {                                                          \
            to[i * inner] = v[i];                                                                  \
            places[i * inner] = p[i];                                                              \
        }                                                                                          \
    }
TOPK(real)
SE_HEAP(int32_t)
TOPK(int32_t)
SE_HEAP(uint8_t)
TOPK(uint8_t)

/* x [outer, n, inner] -> values and places [outer, k, inner]. A thread's scratch holds one heap. */
SE_ROWS(topk)
{
    const se_type *x = &t->in_type[0];
    int axis = (int)(t->attr[1].i < 0 ? t->attr[1].i + x->rank : t->attr[1].i);
    int64_t outer = 1, n = x->dim[axis], inner = 1, k = t->attr[0].i;
    for (int i = 0; i < x->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : x->dim[i];
    (void)lo;
    (void)hi;
    if (k == 0)
        return;
#pragma omp parallel for schedule(static) if (outer * n * inner > 16384)
    for (int64_t row = 0; row < outer * inner; row++) {
        int64_t at = row / inner * n * inner + row % inner;
        int64_t to = row / inner * k * inner + row % inner;
        int32_t *places = (int32_t *)SE_OUT(1) + to;
        void *room = se_scratch(t);
        if (x->dtype == SE_I32)
            topk_int32_t((const int32_t *)SE_IN(0) + at, n, inner, k, room,
                         (int32_t *)SE_OUT(0) + to, places);
        else if (x->dtype == SE_BOOL)
            topk_uint8_t((const uint8_t *)SE_IN(0) + at, n, inner, k, room,
                         (uint8_t *)SE_OUT(0) + to, places);
        else
            topk_real((const real *)SE_IN(0) + at, n, inner, k, room, (real *)SE_OUT(0) + to,
                      places);
    }
}

/* --- nearest --- */

/* QUERIES x ROWS products side by side keep the multipliers busy while the vectors come from the
 * caches. Each product adds in the one order that dot1 has, so a score depends on its two
 * vectors alone. */
enum { QUERIES = 4, ROWS = 3, CHUNK = 48 };

static real dot1(const real *x, const real *y, int64_t n)
{
    se_vec a = {0};
    real tail = 0;
    int64_t i = 0;
    for (; i + SE_LANES <= n; i += SE_LANES)
        a = VFMA(VLOAD(x + i), VLOAD(y + i), a);
    for (; i < n; i++)
        tail = FMA(x[i], y[i], tail);
    return se_vec_sum(a) + tail;
}

/* o[q * step + r] = q[q] . y[r] for QUERIES x ROWS vectors of n that stand one after another. */
static void dot_tile(const real *q, const real *y, int64_t n, real *o, int64_t step)
{
    se_vec a[QUERIES][ROWS] = {{{0}}};
    real tail[QUERIES][ROWS] = {{0}};
    int64_t i = 0;
    for (; i + SE_LANES <= n; i += SE_LANES) {
        se_vec row[ROWS];
        for (int r = 0; r < ROWS; r++)
            row[r] = VLOAD(y + r * n + i);
        for (int k = 0; k < QUERIES; k++) {
            se_vec x = VLOAD(q + k * n + i);
            for (int r = 0; r < ROWS; r++)
                a[k][r] = VFMA(x, row[r], a[k][r]);
        }
    }
    for (; i < n; i++)
        for (int k = 0; k < QUERIES; k++)
            for (int r = 0; r < ROWS; r++)
                tail[k][r] = FMA(q[k * n + i], y[r * n + i], tail[k][r]);
    for (int k = 0; k < QUERIES; k++)
        for (int r = 0; r < ROWS; r++)
            o[k * step + r] = se_vec_sum(a[k][r]) + tail[k][r];
}

/* Scores of all queries with `rows` rows, at most CHUNK, which stay in the cache meanwhile. */
static void score_chunk(const real *q, int64_t queries, const real *y, int64_t rows, int64_t n,
                        bool cosine, real *o, int64_t step)
{
    real scale[CHUNK];
    for (int64_t r = 0; r < rows && cosine; r++) {
        real norm = (real)__builtin_sqrt((double)dot1(y + r * n, y + r * n, n));
        scale[r] = 1 / (norm > (real)1e-12 ? norm : (real)1e-12);
    }
    for (int64_t i = 0; i < queries; i += QUERIES)
        for (int64_t r = 0; r < rows; r += ROWS) {
            if (i + QUERIES <= queries && r + ROWS <= rows) {
                dot_tile(q + i * n, y + r * n, n, o + i * step + r, step);
                continue;
            }
            for (int64_t k = i; k < queries && k < i + QUERIES; k++)
                for (int64_t s = r; s < rows && s < r + ROWS; s++)
                    o[k * step + s] = dot1(q + k * n, y + s * n, n);
        }
    for (int64_t i = 0; i < queries && cosine; i++)
        for (int64_t r = 0; r < rows; r++)
            o[i * step + r] *= scale[r];
}

/* Lets the scores of rows `first`.. that are above the worst of the heap in; a nan is above all, so
 * that it is seen. */
static void take_best(const real *score, int64_t rows, int64_t first, int64_t k, real *v,
                      int32_t *p)
{
    for (int64_t r = 0; r < rows; r++)
        if (!(score[r] < v[0]) && se_above_real(score[r], (int32_t)(first + r), v[0], p[0]))
            se_heap_sink_real(v, p, k, score[r], (int32_t)(first + r));
}

/* queries [m,n], corpus [c,n], values and places [m,k] best so far, best first; rows `from` ..
 * from + count of the corpus are looked at, and called `name` and so on. The scores of as many rows
 * as fit into the scratch memory are made by all threads, then each takes some of the queries. */
SE_ROWS(nearest)
{
    const real *q = SE_IN(0), *corpus = SE_IN(1);
    real *v = SE_OUT(0), *score = t->scratch;
    int32_t *p = SE_OUT(1);
    int64_t m = t->in_type[0].dim[0], n = t->in_type[0].dim[1], k = t->in_type[2].dim[1];
    int64_t from = t->attr[0].i, count = t->attr[1].i, name = t->attr[2].i;
    int64_t room = t->scratch_bytes * se_threads() / (int64_t)sizeof(real) / (m ? m : 1);
    bool cosine = t->attr[3].i;
    (void)lo;
    (void)hi;
    if (m == 0 || k == 0)
        return;
    room = room / CHUNK * CHUNK;
    for (int64_t i = 0; i < m * k; i++) { /* a list turned round is a heap */
        v[i] = ((const real *)SE_IN(2))[i / k * k + k - 1 - i % k];
        p[i] = ((const int32_t *)SE_IN(3))[i / k * k + k - 1 - i % k];
    }
    for (int64_t at = 0; at < count; at += room) {
        int64_t rows = count - at < room ? count - at : room;
#pragma omp parallel if (m * rows * n > 65536)
        {
#pragma omp for schedule(dynamic, 4)
            for (int64_t r = 0; r < rows; r += CHUNK) {
                int64_t some = rows - r < CHUNK ? rows - r : CHUNK;
                score_chunk(q, m, corpus + (from + at + r) * n, some, n, cosine, score + r, rows);
            }
#pragma omp for schedule(static)
            for (int64_t i = 0; i < m; i++)
                take_best(score + i * rows, rows, name + at, k, v + i * k, p + i * k);
        }
    }
    for (int64_t i = 0; i < m; i++)
        se_heap_sort_real(v + i * k, p + i * k, k);
}
