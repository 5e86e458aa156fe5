/* Offsets in one block of memory, planned before it is used: an allocator over numbers. */
#ifndef SE_ARENA_H
#define SE_ARENA_H

#include "base.h"

typedef struct se_arena_gap {
    int64_t offset, size;
} se_arena_gap;

typedef struct se_arena_plan {
    int64_t top; /* bytes the plan needs so far */
    int32_t n, room;
    se_arena_gap *gap; /* free pieces below top, by offset, never adjacent */
} se_arena_plan;

/* The offset of `bytes` (rounded up to 64) in the smallest free piece that fits, or at the top; -1
 * when memory is out. */
int64_t se_arena_take(se_arena_plan *p, int64_t bytes);

/* Gives the piece back. */
se_status se_arena_give(se_arena_plan *p, int64_t offset, int64_t bytes);

void se_arena_plan_free(se_arena_plan *p);

#endif
