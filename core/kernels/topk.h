/* The k best of a row: a heap of pairs (value, place) with the worst on top. */
#ifndef SE_TOPK_H
#define SE_TOPK_H

#include "kernels/kernel.h"

/* Of elements T:
 * se_above_T: is a at place i above b at place j? Larger first, of equals the lower place; a nan is
 * above everything, as for argmax.
 * se_heap_sink_T: puts (x, place) on the top of the heap of n, in the place of what is there, and
 * lets it sink.
 * se_heap_sort_T: the heap becomes a list with the best first. */
#define SE_HEAP(T)                                                                                 \
    static inline bool se_above_##T(T a, int32_t i, T b, int32_t j)                                \
    {                                                                                              \
        if (a != a || b != b)                                                                      \
            return a != a && (b == b || i < j);                                                    \
        return a > b || (a == b && i < j);                                                         \
    }                                                                                              \
    static inline void se_heap_sink_##T(T *v, int32_t *p, int64_t n, T x, int32_t place)           \
    {                                                                                              \
        int64_t at = 0;                                                                            \
        for (int64_t child = 1; child < n; child = 2 * at + 1) {                                   \
            if (child + 1 < n && se_above_##T(v[child], p[child], v[child + 1], p[child + 1]))     \
                child++;                                                                           \
            if (!se_above_##T(x, place, v[child], p[child]))                                       \
                break;                                                                             \
            v[at] = v[child];                                                                      \
            p[at] = p[child];                                                                      \
            at = child;                                                                            \
        }                                                                                          \
        v[at] = x;                                                                                 \
        p[at] = place;                                                                             \
    }                                                                                              \
    static inline void se_heap_sort_##T(T *v, int32_t *p, int64_t n)                               \
    {                                                                                              \
        while (--n > 0) {                                                                          \
            T x = v[n];                                                                            \
            int32_t place = p[n];                                                                  \
            v[n] = v[0];                                                                           \
            p[n] = p[0];                                                                           \
            se_heap_sink_##T(v, p, n, x, place);                                                   \
        }                                                                                          \
    }

#endif
