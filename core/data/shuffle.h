/* The permutation of a token file's pairs in one epoch: blocks, then pairs in windows of blocks. */
#ifndef SE_DATA_SHUFFLE_H
#define SE_DATA_SHUFFLE_H

#include "base.h"

typedef struct se_shuffle {
    uint64_t key;
    int64_t n, block, window; /* pairs; pairs in a block; blocks in a window */
    int64_t blocks, lacks;    /* blocks; how many pairs the last block has less than the others */
    int64_t short_at;         /* where the last block stands among the permuted ones */
} se_shuffle;

/* The permutation of [0, n) that `key` chooses. O(blocks), for the place of the last one. */
se_shuffle se_shuffle_make(uint64_t key, int64_t n, int64_t block, int64_t window);

/* Element i; *window is the number of its window. O(1). */
int64_t se_shuffle_at(const se_shuffle *s, int64_t i, int64_t *window);

/* Calls visit(data, first, count) for each block of a window; none where there is no such one. */
void se_shuffle_window(const se_shuffle *s, int64_t window,
                       void (*visit)(const void *data, int64_t first, int64_t count),
                       const void *data);

#endif
