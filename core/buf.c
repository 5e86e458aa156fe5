#include "buf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static se_buf *all; /* owned buffers, for se_buf_name_largest */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static se_buf *owned(const se_type *type, int shards, bool far)
{
    se_buf *b = se_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->bytes = se_type_bytes(type) * (size_t)shards;
    if (far ? !se_counted_take(b->bytes) : !(b->data = se_counted_alloc(b->bytes))) {
        free(b);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->shards = shards;
    b->counted = far;
    b->writable = true;
    b->type = *type;
    pthread_mutex_lock(&lock);
    b->next = all;
    if (all)
        all->prev = b;
    all = b;
    pthread_mutex_unlock(&lock);
    return b;
}

se_buf *se_buf_new(const se_type *type)
{
    return owned(type, 1, false);
}

se_buf *se_buf_new_parts(const se_type *type, int shards)
{
    return owned(type, shards, false);
}

se_buf *se_buf_new_far(const se_type *type, int shards)
{
    return owned(type, shards, true);
}

se_status se_buf_host(se_buf *b)
{
    if (b->data)
        return SE_OK;
    if (!b->far)
        return se_fail(SE_ERR_STATE, "tensor: its memory on the device is lost");
    void *data = se_counted_alloc(b->bytes);
    se_status s = data ? b->far->fetch(b->far, data) : SE_ERR_MEMORY;
    if (s)
        se_counted_free(data, b->bytes);
    else
        b->data = data;
    return s;
}

void se_buf_drop_far(se_buf *b)
{
    if (b->far)
        b->far->drop(b->far);
    b->far = NULL;
    if (b->counted)
        se_counted_give(b->bytes);
    b->counted = false;
}

se_buf *se_buf_foreign(const void *data, size_t bytes, void (*release)(void *owner), void *owner)
{
    se_buf *b = se_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->data = (void *)data;
    b->bytes = bytes;
    b->release = release;
    b->owner = owner;
    b->shards = 1;
    atomic_init(&b->refs, 1);
    return b;
}

se_buf *se_buf_ref(se_buf *b)
{
    if (b)
        atomic_fetch_add(&b->refs, 1);
    return b;
}

static void drop_packed(se_buf *b)
{
    se_counted_free(b->packed, b->packed_bytes);
    b->packed = NULL;
}

void se_buf_unref(se_buf *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    drop_packed(b);
    se_buf_drop_far(b);
    if (b->writable) {
        pthread_mutex_lock(&lock);
        if (b->prev)
            b->prev->next = b->next;
        else
            all = b->next;
        if (b->next)
            b->next->prev = b->prev;
        pthread_mutex_unlock(&lock);
        se_counted_free(b->data, b->bytes);
    } else if (b->release) {
        b->release(b->owner);
    }
    free(b);
}

void *se_buf_packed(se_buf *b, int kind, size_t bytes, int wishes, bool *fresh)
{
    *fresh = false;
    if (b->packed && b->packed_kind == kind && b->packed_bytes == bytes)
        return b->packed;
    if (b->rewritten || ++b->packed_wishes < wishes)
        return NULL;
    drop_packed(b);
    b->packed_wishes = 0; /* where memory is short, asking each time would take time */
    b->packed = se_counted_alloc(bytes);
    b->packed_bytes = bytes;
    b->packed_kind = kind;
    *fresh = b->packed != NULL;
    return b->packed;
}

void se_buf_idle(se_buf *b)
{
    if (b->idle)
        b->idle(b->data, b->bytes);
}

void se_buf_rewritten(se_buf *b)
{
    drop_packed(b);
    b->rewritten = true;
}

void se_buf_name_largest(void)
{
    enum { MOST = 5 };
    se_buf *top[MOST] = {0};
    pthread_mutex_lock(&lock);
    for (se_buf *b = all; b; b = b->next) {
        se_buf *x = b;
        for (int i = 0; i < MOST; i++)
            if (!top[i] || top[i]->bytes < x->bytes) {
                se_buf *t = top[i];
                top[i] = x;
                x = t;
                if (!x)
                    break;
            }
    }
    char text[1024], type[SE_TYPE_TEXT];
    int n = 0;
    for (int i = 0; i < MOST && top[i] && n < (int)sizeof text - 1; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %s (%s:%d)", i ? ", " : "",
                      se_type_print(&top[i]->type, type), top[i]->what ? top[i]->what : "leaf",
                      top[i]->file ? top[i]->file : "-", top[i]->line);
    pthread_mutex_unlock(&lock);
    if (n) {
        char message[3072];
        snprintf(message, sizeof message, "%s", se_message());
        se_fail(SE_ERR_MEMORY, "%s; largest: %s", message, text);
    }
}
