/* Buffers of the engine on the devices. */
#include "xla_private.h"

#include <stdlib.h>
#include <string.h>

static se_status fetch(se_far *far, void *data)
{
    se_copies *c = (se_copies *)far;
    if (c->lost)
        return se_fail(SE_ERR_IO, "its memory on the device went with the program that failed");
    for (int i = 0; i < c->shards; i++) {
        se_status s = se_pjrt_get(c->on[i], (char *)data + (size_t)i * c->bytes, c->bytes);
        if (s)
            return s;
    }
    return SE_OK;
}

static void drop(se_far *far)
{
    se_copies *c = (se_copies *)far;
    for (int i = 0; i < se_xla_now.n; i++)
        se_pjrt_buf_free(c->on[i]);
    free(c);
}

se_copies *se_copies_new(size_t bytes, int shards)
{
    size_t n = (size_t)se_xla_now.n;
    se_copies *c = se_calloc(1, sizeof *c + n * sizeof *c->on);
    if (c)
        *c = (se_copies){.far = {fetch, drop}, .bytes = bytes, .shards = shards};
    return c;
}

static se_status put(const se_type *type, const void *data, int shards, se_copies **out)
{
    *out = se_copies_new(se_type_bytes(type), shards);
    if (!*out)
        return SE_ERR_MEMORY;
    for (int i = 0; i < se_xla_now.n; i++) {
        const char *from = (const char *)data + (shards > 1 ? (size_t)i * (*out)->bytes : 0);
        se_status s = se_pjrt_put(se_xla_now.device, i, type, from, &(*out)->on[i]);
        if (s) {
            drop(&(*out)->far);
            *out = NULL;
            return s;
        }
    }
    return SE_OK;
}

se_status se_copies_put(se_buf *b, const se_type *type)
{
    if (b->far)
        return SE_OK;
    if (!b->data || b->bytes != se_type_bytes(type) * (size_t)b->shards)
        return se_fail(SE_ERR_STATE, "a tensor has no memory that fits its type");
    if (b->shards != 1 && b->shards != se_xla_now.n)
        return se_fail(SE_ERR_STATE, "a tensor of %d parts on %d devices", b->shards, se_xla_now.n);
    if (type->varying && b->shards != se_xla_now.n)
        return se_fail(SE_ERR_STATE, "a varying tensor without a part for each of %d devices",
                       se_xla_now.n);
    if (!se_counted_take(b->bytes))
        return SE_ERR_MEMORY;
    b->counted = true;
    se_copies *c;
    se_status s = put(type, b->data, b->shards, &c);
    if (s)
        se_buf_drop_far(b);
    else
        b->far = &c->far;
    return s;
}

/* --- plain numbers: a step has the same ones as the step before, but for a few --- */

typedef struct number {
    uint8_t dtype;
    int32_t bits;
    se_copies *copies;
} number;
static number *table;
static int n_table, room_table;

void se_copies_trim(int most)
{
    if (n_table <= most)
        return;
    for (int i = 0; i < n_table; i++)
        drop(&table[i].copies->far);
    n_table = 0;
}

se_status se_copies_number(const se_node *n, se_copies **out)
{
    number x = {.dtype = n->type[0].dtype, .bits = n->number.i};
    for (int i = 0; i < n_table; i++)
        if (table[i].dtype == x.dtype && table[i].bits == x.bits) {
            *out = table[i].copies;
            return SE_OK;
        }
    if (n_table == room_table) {
        number *more = se_realloc(table, sizeof *more * (size_t)(2 * room_table + 64));
        if (!more)
            return SE_ERR_MEMORY;
        table = more;
        room_table = 2 * room_table + 64;
    }
    se_status s = put(&n->type[0], &n->number, 1, &x.copies);
    if (!s)
        table[n_table++] = x;
    *out = x.copies;
    return s;
}
