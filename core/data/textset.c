#include "data/textset.h"

#include <string.h>

se_status se_text_set_start(se_text_set *s, int64_t most)
{
    uint64_t want = 16;
    while (want < 2 * (uint64_t)most) /* at most half full */
        want *= 2;
    s->count = 0;
    s->stamp++;
    if (want <= s->slots)
        return SE_OK;
    struct se_text_slot *slot = se_counted_alloc(want * sizeof *slot);
    if (!slot)
        return SE_ERR_MEMORY;
    memset(slot, 0, want * sizeof *slot);
    se_counted_free(s->slot, s->slots * sizeof *slot);
    s->slot = slot;
    s->slots = want;
    s->stamp = 1;
    return SE_OK;
}

/* The slot that holds the hash, or the free one where it would go. */
static struct se_text_slot *find(const se_text_set *s, uint64_t hash)
{
    uint64_t i = hash & (s->slots - 1);
    while (s->slot[i].stamp == s->stamp && s->slot[i].hash != hash)
        i = (i + 1) & (s->slots - 1);
    return &s->slot[i];
}

bool se_text_set_has(const se_text_set *s, uint64_t hash)
{
    return find(s, hash)->stamp == s->stamp;
}

int64_t se_text_set_add(se_text_set *s, uint64_t hash)
{
    struct se_text_slot *at = find(s, hash);
    if (at->stamp != s->stamp)
        *at = (struct se_text_slot){hash, s->stamp, s->count++};
    return at->number;
}

void se_text_set_free(se_text_set *s)
{
    se_counted_free(s->slot, s->slots * sizeof *s->slot);
    memset(s, 0, sizeof *s);
}
