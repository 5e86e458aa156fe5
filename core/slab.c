#include "slab.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BY_ONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BY_ONE 1
#endif
#endif
#ifndef ONE_BY_ONE
#define ONE_BY_ONE 0
#endif

enum { STEP = 32, LARGEST = 1024, PIECE = 64 * 1024 };

/* A block that nobody uses holds the way to the next one. */
typedef struct block {
    struct block *next;
} block;

static block *unused[LARGEST / STEP + 1]; /* by size in steps */

static bool own_malloc(size_t bytes)
{
    return ONE_BY_ONE || bytes > LARGEST;
}

/* Cuts a piece of memory into blocks. */
static bool more(size_t size)
{
    char *piece = se_malloc(PIECE);
    if (!piece)
        return false;
    block **list = &unused[size / STEP];
    for (size_t at = PIECE / size * size; at >= size; at -= size) {
        block *b = (block *)(piece + at - size);
        b->next = *list;
        *list = b;
    }
    return true;
}

void *se_slab_take(size_t bytes)
{
    size_t size = (bytes + STEP - 1) / STEP * STEP;
    if (own_malloc(bytes))
        return se_calloc(1, bytes);
    block **list = &unused[size / STEP];
    if (!*list && !more(size))
        return NULL;
    block *b = *list;
    *list = b->next;
    return memset(b, 0, size);
}

void se_slab_give(void *p, size_t bytes)
{
    if (!p)
        return;
    if (own_malloc(bytes)) {
        free(p);
        return;
    }
    block **list = &unused[(bytes + STEP - 1) / STEP], *b = p;
    b->next = *list;
    *list = b;
}
