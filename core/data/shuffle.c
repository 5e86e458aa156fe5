#include "data/shuffle.h"
#include "data/hash.h"
#include "data/permute.h"

/* One window: the order of its blocks tells nothing, and the pairs are permuted as they are. */
static bool whole(const se_shuffle *s)
{
    return s->blocks <= s->window;
}

static int64_t block_at(const se_shuffle *s, int64_t place)
{
    return se_permute(se_hash_mix(s->key ^ 0x6a09e667f3bcc909u), s->blocks, place);
}

se_shuffle se_shuffle_make(uint64_t key, int64_t n, int64_t block, int64_t window)
{
    se_shuffle s = {.key = key, .n = n, .block = block, .window = window};
    s.blocks = (n + block - 1) / block;
    s.lacks = s.blocks * block - n;
    while (!whole(&s) && block_at(&s, s.short_at) != s.blocks - 1)
        s.short_at++;
    return s;
}

/* The window that element i falls in, and its place in it: all windows but the last have as many
 * pairs, less those that the short block lacks. */
static int64_t window_of(const se_shuffle *s, int64_t i, int64_t *within)
{
    int64_t full = s->window * s->block, with_short = s->short_at / s->window;
    if (i >= (with_short + 1) * full - s->lacks)
        i += s->lacks;
    *within = i % full;
    return i / full;
}

int64_t se_shuffle_at(const se_shuffle *s, int64_t i, int64_t *window)
{
    *window = 0;
    if (whole(s))
        return se_permute(s->key, s->n, i);
    int64_t j, w = window_of(s, i, &j), first = w * s->window;
    int64_t blocks = s->blocks - first < s->window ? s->blocks - first : s->window;
    int64_t size = blocks * s->block;
    int64_t shorts = s->short_at - first; /* its place in the window, if it is there */
    bool here = shorts >= 0 && shorts < blocks;
    j = se_permute(se_hash_mix(s->key + (uint64_t)w + 1), size - (here ? s->lacks : 0), j);
    if (here && j >= (shorts + 1) * s->block - s->lacks)
        j += s->lacks;
    *window = w;
    return block_at(s, first + j / s->block) * s->block + j % s->block;
}

void se_shuffle_window(const se_shuffle *s, int64_t window,
                       void (*visit)(const void *data, int64_t first, int64_t count),
                       const void *data)
{
    int64_t first = window * s->window;
    for (int64_t place = first; place < first + s->window && place < s->blocks; place++) {
        int64_t b = whole(s) ? place : block_at(s, place);
        visit(data, b * s->block, b == s->blocks - 1 ? s->block - s->lacks : s->block);
    }
}
