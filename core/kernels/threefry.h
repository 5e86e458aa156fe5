/* Random bits as a pure function of place: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw
 * 2011, "Parallel random numbers: as easy as 1, 2, 3").
 *
 *   k       = threefry(key = (seed, step), counter = (stream, place))
 *   row key = threefry(k, (text id, position))
 *   bits of feature f = threefry(row key, (f / 2, sub))[f % 2]
 *
 * sub is 0 for hidden states and head + 1 for attention probabilities. */
#ifndef SE_THREEFRY_H
#define SE_THREEFRY_H

#include "kernel.h"

typedef struct se_words {
    uint32_t a, b;
} se_words;

static inline uint32_t se_rotate(uint32_t x, int by)
{
    return (x << by) | (x >> (32 - by));
}

#define SE_ROUND(by)                                                                               \
    a += b;                                                                                        \
    b = se_rotate(b, by) ^ a
#define SE_ROUNDS_EVEN()                                                                           \
    SE_ROUND(13);                                                                                  \
    SE_ROUND(15);                                                                                  \
    SE_ROUND(26);                                                                                  \
    SE_ROUND(6)
#define SE_ROUNDS_ODD()                                                                            \
    SE_ROUND(17);                                                                                  \
    SE_ROUND(29);                                                                                  \
    SE_ROUND(16);                                                                                  \
    SE_ROUND(24)

static inline se_words se_threefry(se_words key, uint32_t a, uint32_t b)
{
    uint32_t k0 = key.a, k1 = key.b, k2 = k0 ^ k1 ^ 0x1BD11BDAu;
    a += k0;
    b += k1;
    SE_ROUNDS_EVEN();
    a += k1;
    b += k2 + 1;
    SE_ROUNDS_ODD();
    a += k2;
    b += k0 + 2;
    SE_ROUNDS_EVEN();
    a += k0;
    b += k1 + 3;
    SE_ROUNDS_ODD();
    a += k1;
    b += k2 + 4;
    SE_ROUNDS_EVEN();
    a += k2;
    b += k0 + 5;
    return (se_words){a, b};
}

/* The key of one place in the model; key holds seed, step, stream. */
static inline se_words se_place_key(const int32_t *key, int64_t place)
{
    se_words k = {(uint32_t)key[0], (uint32_t)key[1]};
    return se_threefry(k, (uint32_t)key[2], (uint32_t)place);
}

/* Dropout: a feature is kept when its bits are >= threshold, and multiplied by scale. */
typedef struct se_drop {
    se_words key;
    uint32_t threshold;
    real scale;
} se_drop;

static inline se_drop se_drop_make(const int32_t *key, int64_t place, double rate)
{
    return (se_drop){se_place_key(key, place), (uint32_t)(rate * 4294967296.0),
                     (real)(1.0 / (1.0 - rate))};
}

/* factor[i] = 0 or scale for features first + i (first even), i < n, of the row whose key is `row`.
 * Writes n rounded up to an even number of elements. */
static inline void se_drop_factors(se_drop d, se_words row, uint32_t sub, int64_t first, int64_t n,
                                   real *factor)
{
    for (int64_t i = 0; i < (n + 1) / 2; i++) {
        se_words w = se_threefry(row, (uint32_t)(first / 2 + i), sub);
        factor[2 * i] = w.a >= d.threshold ? d.scale : (real)0;
        factor[2 * i + 1] = w.b >= d.threshold ? d.scale : (real)0;
    }
}

#endif
