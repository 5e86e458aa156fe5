#include "arena.h"

#include <stdlib.h>
#include <string.h>

static int64_t rounded(int64_t bytes)
{
    return bytes > 0 ? (bytes + 63) / 64 * 64 : 64;
}

static void remove_gap(se_arena_plan *p, int i)
{
    memmove(p->gap + i, p->gap + i + 1, sizeof *p->gap * (size_t)(p->n - i - 1));
    p->n--;
}

int64_t se_arena_take(se_arena_plan *p, int64_t bytes)
{
    int64_t size = rounded(bytes);
    int best = -1;
    for (int i = 0; i < p->n; i++)
        if (p->gap[i].size >= size && (best < 0 || p->gap[i].size < p->gap[best].size))
            best = i;
    if (best >= 0) {
        int64_t offset = p->gap[best].offset;
        p->gap[best].offset += size;
        p->gap[best].size -= size;
        if (p->gap[best].size == 0)
            remove_gap(p, best);
        return offset;
    }
    if (p->n && p->gap[p->n - 1].offset + p->gap[p->n - 1].size == p->top) {
        int64_t offset = p->gap[p->n - 1].offset; /* the last piece grows */
        p->n--;
        p->top = offset + size;
        return offset;
    }
    int64_t offset = p->top;
    p->top += size;
    return offset;
}

se_status se_arena_give(se_arena_plan *p, int64_t offset, int64_t bytes)
{
    int64_t size = rounded(bytes);
    int i = 0;
    while (i < p->n && p->gap[i].offset < offset)
        i++;
    bool joins_left = i > 0 && p->gap[i - 1].offset + p->gap[i - 1].size == offset;
    bool joins_right = i < p->n && offset + size == p->gap[i].offset;
    if (joins_left) {
        p->gap[i - 1].size += size;
        if (joins_right) {
            p->gap[i - 1].size += p->gap[i].size;
            remove_gap(p, i);
        }
        return SE_OK;
    }
    if (joins_right) {
        p->gap[i].offset = offset;
        p->gap[i].size += size;
        return SE_OK;
    }
    if (p->n == p->room) {
        int room = p->room ? 2 * p->room : 32;
        se_arena_gap *more = se_realloc(p->gap, sizeof *more * (size_t)room);
        if (!more)
            return SE_ERR_MEMORY;
        p->gap = more;
        p->room = room;
    }
    memmove(p->gap + i + 1, p->gap + i, sizeof *p->gap * (size_t)(p->n - i));
    p->gap[i] = (se_arena_gap){offset, size};
    p->n++;
    return SE_OK;
}

void se_arena_plan_free(se_arena_plan *p)
{
    free(p->gap);
    *p = (se_arena_plan){0};
}
