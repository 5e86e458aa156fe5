/* Which items a slice takes, for its shape rule and its kernel. */
#ifndef SE_KERNEL_SHAPE_H
#define SE_KERNEL_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct se_range {
    int64_t first, step, count; /* items first, first + step, ... */
} se_range;

static inline int64_t se_range_cut(int64_t at, int64_t size, int64_t least, int64_t most)
{
    at += at < 0 ? size : 0;
    return at < least ? least : at > most ? most : at;
}

/* Python's x[start:stop:step] of `size` items: negative places count from the end, what lies
 * outside is cut. step is not 0. */
static inline se_range se_range_of(int64_t size, int64_t start, int64_t stop, int64_t step)
{
    bool up = step > 0;
    int64_t least = up ? 0 : -1, most = up ? size : size - 1;
    int64_t first = se_range_cut(start, size, least, most);
    int64_t last = se_range_cut(stop, size, least, most), far = size + 1;
    step = step > far ? far : step < -far ? -far : step; /* beyond that it is one item at most */
    int64_t span = up ? last - first : first - last;
    int64_t count = span > 0 ? (span - 1) / (up ? step : -step) + 1 : 0;
    return (se_range){count ? first : 0, step, count};
}

#endif
