/* Permutations of [0, n) that take no memory: element i in O(1). */
#ifndef SE_DATA_PERMUTE_H
#define SE_DATA_PERMUTE_H

#include "base.h"

/* Where i (0 <= i < n) goes in the permutation of [0, n) that `key` chooses. A Feistel network over
 * the smallest power of two >= n, walked until it falls inside [0, n): less than two steps on
 * average (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). */
int64_t se_permute(uint64_t key, int64_t n, int64_t i);

#endif
