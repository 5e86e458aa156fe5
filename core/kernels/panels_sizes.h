/* The sizes of panels_frame.h at the level that is compiled; PER_WORD, the k's in a word, has been
 * defined before. A tile of c lives in registers: 6 x 16
 * of 16 registers, 14 x 32 of 32. A block of b's panel (DEEP x COLUMNS words) and the tile's rows
 * of a go through the first-level cache, a task's piece of b (DEEP x CHUNK) and TALL rows of a stay
 * in the second. */
#ifndef SE_PANELS_SIZES_H
#define SE_PANELS_SIZES_H

#include "lanes.h"

enum {
    COLUMNS = 2 * SE_LANES,
    CHUNK = 12 * COLUMNS,
#ifdef SE_LEVEL_avx512
    ROWS = 14,
#else
    ROWS = 6,
#endif
    DEEP = 384,
    STEP = DEEP + 16, /* from row to row of packed a: rows of one tile in different cache sets */
    TALL = 12 * ROWS,
    SCRATCH = (TALL * STEP + DEEP * CHUNK) * (int)sizeof(float)
};

static inline int64_t words(int64_t k)
{
    return (k + PER_WORD - 1) / PER_WORD;
}

/* Blocks of k, in words: as few as DEEP allows, as equal as can be. */
static inline int64_t depth(int64_t k)
{
    int64_t all = words(k), blocks = (all + DEEP - 1) / DEEP;
    return (all + blocks - 1) / blocks;
}

#endif
