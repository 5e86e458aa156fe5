/* Counted bytes that hold tensors: owned memory, or foreign memory such as a mapped file. */
#ifndef SE_BUF_H
#define SE_BUF_H

#include "type.h"
#include <stdatomic.h>

/* The copies of a buffer on devices; what else it is belongs to the executor that made it. */
typedef struct se_far {
    se_status (*fetch)(struct se_far *f, void *data); /* to the host, all `shards` parts */
    void (*drop)(struct se_far *f);
} se_far;

typedef struct se_buf {
    void *data;   /* NULL: not on the host yet, see se_buf_host */
    size_t bytes; /* of all parts */
    se_far *far;  /* NULL: on no device */
    bool counted; /* as memory of a device */
    int shards;   /* parts, one for each device, of equal bytes one after another; else 1 */
    atomic_int refs;
    bool writable; /* foreign memory is not */
    void (*release)(void *owner);
    void (*idle)(const void *data, size_t bytes); /* see se_buf_idle; NULL: nothing to do */
    void *owner;
    const char *what, *file; /* which op made it, and where: for the out-of-memory message */
    int line;
    se_type type;
    struct se_buf *prev, *next;
    void *packed; /* the data in another order, see se_buf_packed; NULL: not there */
    size_t packed_bytes;
    int packed_kind, packed_wishes;
    bool rewritten;
} se_buf;

/* Owned memory, not cleared; one reference. NULL with SE_ERR_MEMORY's message. With parts: so many
 * times the type. */
se_buf *se_buf_new(const se_type *type);
se_buf *se_buf_new_parts(const se_type *type, int shards);

/* Owned memory of devices, not there before `far` is set; the host has none of it. */
se_buf *se_buf_new_far(const se_type *type, int shards);

/* Brings the data to the host where they are not there yet. */
se_status se_buf_host(se_buf *b);

/* Drops the copies on devices. */
void se_buf_drop_far(se_buf *b);

/* Read-only memory of somebody else; release(owner) is called when the last reference goes. */
se_buf *se_buf_foreign(const void *data, size_t bytes, void (*release)(void *owner), void *owner);

se_buf *se_buf_ref(se_buf *b);
void se_buf_unref(se_buf *b); /* NULL is allowed */

/* Memory for a copy of the data in the order that kernels like best. Only data that is asked for
 * again and again (from the wish of that number on) and was never written over gets one: weights
 * that are used, not weights that are trained. NULL: there is none, or no memory for it; then do
 * without. `kind` tells orders apart; *fresh is set when the caller has to fill the memory. It goes
 * with the buffer. */
void *se_buf_packed(se_buf *b, int kind, size_t bytes, int wishes, bool *fresh);

/* The data will hardly be read from now on, since a packed copy serves: a mapped file's pages are
 * given back, and read again if they are wanted after all. */
void se_buf_idle(se_buf *b);

/* The data was written over. */
void se_buf_rewritten(se_buf *b);

/* Appends the five largest owned buffers to this thread's message ("largest: f32[..] op file:line,
 * ..."). */
void se_buf_name_largest(void);

#endif
