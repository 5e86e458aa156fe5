#include "data/permute.h"
#include "data/hash.h"

enum { ROUNDS = 8 };

int64_t se_permute(uint64_t key, int64_t n, int64_t i)
{
    int bits = 2; /* both halves need one */
    while (bits < 62 && (int64_t)1 << bits < n)
        bits++;
    int low_bits = bits / 2;
    uint64_t low_mask = ((uint64_t)1 << low_bits) - 1;
    uint64_t high_mask = ((uint64_t)1 << (bits - low_bits)) - 1;
    uint64_t x = (uint64_t)i;
    do { /* halves may differ by a bit: each in turn is changed by a function of the other */
        uint64_t low = x & low_mask, high = x >> low_bits;
        for (int r = 0; r < ROUNDS; r += 2) {
            high ^= se_hash_mix(key + 0x9e3779b97f4a7c15u * (low + ((uint64_t)r << 48))) >> 32 &
                    high_mask;
            low ^=
                se_hash_mix(key + 0x9e3779b97f4a7c15u * (high + ((uint64_t)(r + 1) << 48))) >> 32 &
                low_mask;
        }
        x = high << low_bits | low;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}
