#include "tokenizer_private.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256
#define TRIED_BLOCKS 4 /* how many blocks a node with several children may try before a new one */

/* The builder goes through the sorted keys level by level: each pending node stands for the keys
 * that share its first `depth` bytes. */
typedef struct pending {
    int32_t node, first, last, depth;
} pending;

typedef struct builder {
    se_trie_node *node;
    int32_t n, first_open; /* first_open: no free node lies before it */
    pending *queue;
    int64_t head, tail, capacity;
} builder;

static int key_order(const void *a, const void *b)
{
    const se_trie_key *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static se_status add_block(builder *b)
{
    se_trie_node *node = se_realloc(b->node, (size_t)(b->n + BLOCK) * sizeof *node);
    if (!node)
        return SE_ERR_MEMORY;
    for (int32_t i = b->n; i < b->n + BLOCK; i++)
        node[i] = (se_trie_node){.base = 0, .parent = -1, .id = -1};
    b->node = node;
    b->n += BLOCK;
    return SE_OK;
}

static se_status push(builder *b, pending p)
{
    if (b->tail == b->capacity) {
        int64_t capacity = b->capacity ? 2 * b->capacity : 1024;
        pending *queue = se_realloc(b->queue, (size_t)capacity * sizeof *queue);
        if (!queue)
            return SE_ERR_MEMORY;
        b->queue = queue;
        b->capacity = capacity;
    }
    b->queue[b->tail++] = p;
    return SE_OK;
}

static bool fits(const builder *b, int32_t base, const uint8_t *child, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (b->node[base ^ child[i]].parent >= 0)
            return false;
    return true;
}

/* A base that puts all children on free nodes: single children fill the gaps from the front,
 * others look through the last few blocks only, which keeps building linear. */
static se_status find_base(builder *b, const uint8_t *child, int32_t n, int32_t *base)
{
    if (n == 1) {
        for (; b->first_open < b->n; b->first_open++)
            if (b->node[b->first_open].parent < 0) {
                *base = b->first_open ^ child[0];
                return SE_OK;
            }
    } else {
        int32_t from = b->n > TRIED_BLOCKS * BLOCK ? b->n - TRIED_BLOCKS * BLOCK : 0;
        for (*base = from; *base < b->n; ++*base)
            if (fits(b, *base, child, n))
                return SE_OK;
    }
    *base = b->n ^ (n == 1 ? child[0] : 0);
    return add_block(b);
}

/* Places the children of one node and queues them. */
static se_status place(builder *b, const se_trie_key *keys, pending p)
{
    uint8_t child[256];
    int32_t start[257], n = 0;
    while (p.first < p.last && !keys[p.first].text[p.depth])
        b->node[p.node].id = keys[p.first++].id;
    for (int32_t i = p.first; i < p.last; i++) {
        uint8_t byte = (uint8_t)keys[i].text[p.depth];
        if (n == 0 || child[n - 1] != byte) {
            child[n] = byte;
            start[n++] = i;
        }
    }
    if (n == 0)
        return SE_OK;
    start[n] = p.last;
    int32_t base;
    se_status s = find_base(b, child, n, &base);
    if (s)
        return s;
    b->node[p.node].base = base;
    for (int32_t i = 0; i < n && !s; i++) {
        int32_t next = base ^ child[i];
        b->node[next].parent = p.node;
        s = push(b, (pending){next, start[i], start[i + 1], p.depth + 1});
    }
    return s;
}

se_status se_trie_build(se_trie_key *keys, int32_t n, se_trie *out)
{
    builder b = {0};
    qsort(keys, (size_t)n, sizeof *keys, key_order);
    se_status s = add_block(&b);
    if (!s) {
        b.node[0].parent = INT32_MAX; /* taken, and nobody's child */
        s = push(&b, (pending){0, 0, n, 0});
    }
    while (!s && b.head < b.tail)
        s = place(&b, keys, b.queue[b.head++]);
    free(b.queue);
    if (s) {
        free(b.node);
        return s;
    }
    *out = (se_trie){b.node, b.n};
    return SE_OK;
}

void se_trie_free(se_trie *trie)
{
    free(trie->node);
    *trie = (se_trie){0};
}

int32_t se_trie_walk(const se_trie *trie, const char *text)
{
    int32_t node = 0;
    for (; *text && node >= 0; text++)
        node = se_trie_step(trie, node, (uint8_t)*text);
    return node;
}
