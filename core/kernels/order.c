/* Running sums, and stable sorting. A tensor is seen as [outer, n, inner]: a line is what lies
 * along n. */
#include "kernels/kernel.h"
#include "kernels/sort.h"
#include <string.h>

typedef struct shape3 {
    int64_t outer, n, inner;
} shape3;

static shape3 shape_of(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    int axis = (int)(t->attr[0].i < 0 ? t->attr[0].i + x->rank : t->attr[0].i);
    shape3 s = {1, x->dim[axis], 1};
    for (int i = 0; i < x->rank; i++)
        *(i < axis ? &s.outer : &s.inner) *= i == axis ? 1 : x->dim[i];
    return s;
}

/* --- cumsum --- */

enum { STRIP = 256 }; /* lines side by side */

#define SCAN(T, SUM, OUT)                                                                          \
    static void scan_line_##T(const T *x, OUT *o, int64_t n, int64_t step)                         \
    {                                                                                              \
        SUM sum = 0;                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                          \
            sum += (SUM)x[i * step];                                                               \
            o[i * step] = (OUT)sum;                                                                \
        }                                                                                          \
    }                                                                                              \
    static void scan_##T(const T *x, OUT *o, shape3 s, int64_t m, bool reverse)                    \
    {                                                                                              \
        int64_t last = s.n ? (s.n - 1) * s.inner : 0;                                              \
        if (s.inner == 1) {                                                                        \
            scan_line_##T(reverse ? x + last : x, reverse ? o + last : o, s.n, reverse ? -1 : 1);  \
            return;                                                                                \
        }                                                                                          \
        SUM sum[STRIP] = {0};                                                                      \
        for (int64_t i = 0; i < s.n; i++) {                                                        \
            int64_t at = reverse ? last - i * s.inner : i * s.inner;                               \
            for (int64_t j = 0; j < m; j++) {                                                      \
                sum[j] += (SUM)x[at + j];                                                          \
                o[at + j] = (OUT)sum[j];                                                           \
            }                                                                                      \
        }                                                                                          \
    }
SCAN(real, double, real)
SCAN(int32_t, uint32_t, int32_t) /* wraps around */
SCAN(uint8_t, uint32_t, int32_t)

SE_ROWS(cumsum)
{
    shape3 s = shape_of(t);
    int64_t strips = (s.inner + STRIP - 1) / STRIP;
    bool reverse = t->attr[1].i;
    int dtype = t->in_type[0].dtype;
    (void)lo;
    (void)hi;
#pragma omp parallel for schedule(static) if (s.outer * s.n * s.inner > 16384)
    for (int64_t job = 0; job < s.outer * strips; job++) {
        int64_t from = job % strips * STRIP, at = job / strips * s.n * s.inner + from;
        int64_t m = s.inner - from < STRIP ? s.inner - from : STRIP;
        if (dtype == SE_I32)
            scan_int32_t((const int32_t *)SE_IN(0) + at, (int32_t *)SE_OUT(0) + at, s, m, reverse);
        else if (dtype == SE_BOOL)
            scan_uint8_t((const uint8_t *)SE_IN(0) + at, (int32_t *)SE_OUT(0) + at, s, m, reverse);
        else
            scan_real((const real *)SE_IN(0) + at, (real *)SE_OUT(0) + at, s, m, reverse);
    }
}

/* --- sort --- */

#ifdef SE_LEVEL_f64
typedef uint64_t key;
typedef int64_t whole;
#else
typedef uint32_t key;
typedef int32_t whole;
#endif
#define TOP ((key)1 << (8 * sizeof(key) - 1))

/* An element's key, in the order of the keys, and its place in the line. */
typedef struct item {
    key key;
    whole place;
} item;

/* -0 equals 0; a nan is above everything. */
static key key_of_real(real x)
{
    key k;
    if (x != x)
        return ~(key)0;
    x = x == 0 ? 0 : x;
    memcpy(&k, &x, sizeof k);
    return k & TOP ? ~k : k | TOP;
}
static key key_of_int32_t(int32_t x)
{
    return (key)(whole)x ^ TOP;
}
static key key_of_uint8_t(uint8_t x)
{
    return x;
}

static void insertion(item *a, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        item x = a[i];
        int64_t j = i;
        for (; j > 0 && a[j - 1].key > x.key; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

/* Sorts by bytes, the lowest first; a byte that all keys share is passed over. Returns the list
 * that holds the result: a or spare. */
static item *sort_items(item *a, item *spare, int64_t n)
{
    enum { FEW = 48, BYTES = sizeof(key) };
    if (n <= FEW) {
        insertion(a, n);
        return a;
    }
    int64_t count[BYTES][256] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < BYTES; d++)
            count[d][a[i].key >> 8 * d & 255]++;
    for (int d = 0; d < BYTES; d++) {
        int64_t *place = count[d], at = 0;
        if (place[a[0].key >> 8 * d & 255] == n)
            continue;
        for (int k = 0; k < 256; k++) {
            int64_t many = place[k];
            place[k] = at;
            at += many;
        }
        for (int64_t i = 0; i < n; i++)
            spare[place[a[i].key >> 8 * d & 255]++] = a[i];
        item *other = a;
        a = spare;
        spare = other;
    }
    return a;
}

#define SORT_LINE(T)                                                                               \
    static void sort_##T(const T *x, T *v, int32_t *p, shape3 s, bool down, item *room)            \
    {                                                                                              \
        for (int64_t i = 0; i < s.n; i++) {                                                        \
            key k = key_of_##T(x[i * s.inner]);                                                    \
            room[i] = (item){down ? ~k : k, (whole)i};                                             \
        }                                                                                          \
        const item *in_order = sort_items(room, room + s.n, s.n);                                  \
        for (int64_t i = 0; i < s.n; i++) {                                                        \
            v[i * s.inner] = x[in_order[i].place * s.inner];                                       \
            p[i * s.inner] = (int32_t)in_order[i].place;                                           \
        }                                                                                          \
    }
SORT_LINE(real)
SORT_LINE(int32_t)
SORT_LINE(uint8_t)

/* The scratch memory holds as many lines as there are threads, or fewer. */
SE_ROWS(sort)
{
    shape3 s = shape_of(t);
    int64_t lines = s.outer * s.inner, bytes = se_sort_bytes(s.n, sizeof(key));
    int dtype = t->in_type[0].dtype;
    bool down = t->attr[1].i;
    (void)lo;
    (void)hi;
    if (s.n == 0)
        return;
    int workers = (int)(t->scratch_bytes * se_threads() / bytes);
#pragma omp parallel for schedule(static) num_threads(workers) if (lines * s.n > 4096)
    for (int64_t line = 0; line < lines; line++) {
        int64_t at = line / s.inner * s.n * s.inner + line % s.inner;
        void *room = (char *)t->scratch + bytes * omp_get_thread_num();
        int32_t *p = (int32_t *)SE_OUT(1) + at;
        if (dtype == SE_I32)
            sort_int32_t((const int32_t *)SE_IN(0) + at, (int32_t *)SE_OUT(0) + at, p, s, down,
                         room);
        else if (dtype == SE_BOOL)
            sort_uint8_t((const uint8_t *)SE_IN(0) + at, (uint8_t *)SE_OUT(0) + at, p, s, down,
                         room);
        else
            sort_real((const real *)SE_IN(0) + at, (real *)SE_OUT(0) + at, p, s, down, room);
    }
}
