/* 64-bit hashes: of texts (which decide whether two are equal) and of numbers. */
#ifndef SE_DATA_HASH_H
#define SE_DATA_HASH_H

#include "base.h"

/* XXH64 (Yann Collet's specification of xxHash, version 0.1.1): the same on every machine, as it is
 * stored in files. */
uint64_t se_hash_text(const void *text, size_t bytes, uint64_t seed);

/* A bijection of 64-bit numbers in which every bit of x moves every bit of the result (the
 * finaliser of splitmix64, Stafford's variant 13). */
static inline uint64_t se_hash_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#endif
