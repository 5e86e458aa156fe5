/* What core/ops/order.c and core/kernels/order.c agree on: the memory that sorting takes. */
#ifndef SE_SORT_H
#define SE_SORT_H

#include <stdint.h>

/* Bytes for one line of n: two lists of a key (as wide as the element, 4 or 8 bytes) and a place,
 * which takes as much. */
static inline int64_t se_sort_bytes(int64_t n, int64_t key)
{
    return (2 * n * 2 * key + 63) / 64 * 64;
}

#endif
