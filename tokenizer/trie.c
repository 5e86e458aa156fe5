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
    uint64_t *open;        /* one bit a node: free */
    int32_t n, first_open; /* first_open: no free node lies in words of `open` before it */
    pending *queue;
    int64_t head, tail, capacity;
} builder;

/* Most keys differ in their first eight bytes: those are compared as one number. */
static uint64_t head_of(const char *text)
{
    uint64_t head = 0;
    for (int i = 0; i < 8; i++)
        head = head << 8 | (uint8_t)(*text ? *text++ : 0);
    return head;
}

static int key_order(const void *a, const void *b)
{
    const se_trie_key *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static se_status add_block(builder *b)
{
    se_trie_node *node = se_realloc(b->node, (size_t)(b->n + BLOCK) * sizeof *node);
    if (!node)
        return SE_ERR_MEMORY;
    b->node = node;
    uint64_t *open = se_realloc(b->open, (size_t)(b->n + BLOCK) / 8);
    if (!open)
        return SE_ERR_MEMORY;
    b->open = open;
    for (int32_t i = b->n; i < b->n + BLOCK; i++)
        node[i] = (se_trie_node){.base = 0, .parent = -1, .id = -1};
    memset(open + b->n / 64, 0xff, BLOCK / 8);
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

static void take(builder *b, int32_t node, int32_t parent)
{
    b->node[node].parent = parent;
    b->open[node / 64] &= ~(1ULL << node % 64);
}

static bool fits(const builder *b, int32_t base, const uint8_t *child, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t node = base ^ child[i];
        if (!(b->open[node / 64] >> node % 64 & 1))
            return false;
    }
    return true;
}

/* A base that puts all children on free nodes: single children fill the gaps from the front,
 * others look through the last few blocks only, which keeps building linear. */
static se_status find_base(builder *b, const uint8_t *child, int32_t n, int32_t *base)
{
    while (b->first_open < b->n / 64 && !b->open[b->first_open])
        b->first_open++;
    int32_t last = b->n > TRIED_BLOCKS * BLOCK ? (b->n - TRIED_BLOCKS * BLOCK) / 64 : 0;
    for (int32_t w = n == 1 || b->first_open > last ? b->first_open : last; w < b->n / 64; w++)
        for (uint64_t bits = b->open[w]; bits; bits &= bits - 1) {
            *base = (w * 64 + __builtin_ctzll(bits)) ^ child[0];
            if (fits(b, *base, child, n))
                return SE_OK;
        }
    *base = b->n;
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
        take(b, next, p.node);
        s = push(b, (pending){next, start[i], start[i + 1], p.depth + 1});
    }
    return s;
}

se_status se_trie_build(se_trie_key *keys, int32_t n, se_trie *out)
{
    builder b = {0};
    for (int32_t i = 0; i < n; i++)
        keys[i].head = head_of(keys[i].text);
    qsort(keys, (size_t)n, sizeof *keys, key_order);
    se_status s = add_block(&b);
    if (!s) {
        take(&b, 0, INT32_MAX); /* nobody's child */
        s = push(&b, (pending){0, 0, n, 0});
    }
    while (!s && b.head < b.tail)
        s = place(&b, keys, b.queue[b.head++]);
    free(b.queue);
    free(b.open);
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
