/* The order in which pairs are drawn: each epoch a fresh permutation, no text twice in a batch,
 * every pair exactly once an epoch. The position is a few numbers, so going on is a seek. */
#ifndef SE_DATA_ORDER_H
#define SE_DATA_ORDER_H

#include "data/pairs.h"

/* sembed-cdef-begin */
typedef struct se_order se_order;
typedef struct se_pairs se_pairs; /* pairs.h */

/* An order over all pairs (subset = NULL, n is ignored) or over the n given ones (copied). `pairs`,
 * wholly loaded, is lent while the order lives. Fails with SE_ERR_ARG when there are none. */
SE_API se_status se_order_new(const se_pairs *pairs, int64_t seed, const int64_t *subset, int64_t n,
                              se_order **out);
SE_API void se_order_free(se_order *o); /* NULL is allowed */

/* The next global batch: numbers of pairs. A pair one of whose texts (by hash, in any column) is
 * already in the batch in another pair is put in a queue, which opens the next batches; what is
 * left there at an epoch's end opens the next. A batch may hold the end of one epoch and the
 * beginning of the next. Fails with SE_ERR_ARG, nothing changed, when no such batch can be had. */
SE_API se_status se_order_next(se_order *o, int64_t batch, int64_t *out);

/* Says that the step of the last batch is complete. Until then se_order_state gives the position
 * before that batch. */
SE_API void se_order_done(se_order *o);

/* The position as of the last completed step, as JSON (freed by se_io_free), and back. Restoring
 * takes over the seed of the saved order; SE_ERR_FORMAT when the text is not such a position or
 * belongs to other data. */
SE_API se_status se_order_state(const se_order *o, char **out);
SE_API se_status se_order_restore(se_order *o, const char *text, size_t bytes);

/* Where the last batch ended: epoch (from 0), pairs drawn of it, pairs in the queue; and the pairs
 * of an epoch. */
SE_API void se_order_where(const se_order *o, int64_t *epoch, int64_t *index, int64_t *queued,
                           int64_t *pairs);
/* sembed-cdef-end */

#endif
