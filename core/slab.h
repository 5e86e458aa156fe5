/* Memory for the many small blocks of the graph (nodes, handles), taken and given back in a few
 * nanoseconds. Blocks that were given back wait for the next of their size; the memory is never
 * handed to the system again, so it is as much as the largest graph took. One thread at a time, the
 * one that builds graphs. With the address sanitizer each block is a malloc of its own. */
#ifndef SE_SLAB_H
#define SE_SLAB_H

#include "base.h"

/* Cleared memory, 16-byte aligned; NULL with SE_ERR_MEMORY's message. */
void *se_slab_take(size_t bytes);

/* Takes the size given to se_slab_take. */
void se_slab_give(void *p, size_t bytes);

#endif
