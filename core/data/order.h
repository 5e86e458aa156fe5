/* The order in which pairs are drawn: each epoch a fresh permutation, no text twice in a batch,
 * every pair exactly once an epoch; from several data sets by weight. The position is a few
 * numbers, so going on is a seek.
 *
 * A permutation of hundreds of millions of pairs would read a disk in small pieces. So the blocks
 * of the token file are permuted, and pairs within windows of some hundred blocks; a file of no
 * more than one window is permuted as a whole. */
#ifndef SE_DATA_ORDER_H
#define SE_DATA_ORDER_H

#include "data/tokenfile.h"

/* sembed-cdef-begin */
typedef struct se_order se_order;
typedef struct se_token_file se_token_file; /* tokenfile.h */
typedef struct se_packed se_packed;         /* pack.h */

typedef struct se_order_options {
    int64_t seed;
    int32_t low, high; /* the buckets that are drawn from (tokenfile.h); 0, 0: all */
    int32_t window;    /* blocks; 0: 256 */
    bool mixed;        /* every row may be of another data set; else a batch is of one */
    bool repeats;      /* a text may come twice in a batch */
} se_order_options;

/* An order over the pairs of some token files with the same columns, which are lent while it lives.
 * A batch (mixed: a row) is of file i with probability weight[i] / sum of weights; NULL: by their
 * numbers of pairs. Fails with SE_ERR_ARG when a file has no pairs in the buckets or a weight is
 * not above 0. */
SE_API se_status se_order_new(int32_t n_files, const se_token_file *const *files,
                              const double *weight, const se_order_options *options,
                              se_order **out);
SE_API void se_order_free(se_order *o); /* NULL is allowed */

/* The next global batch: numbers of pairs, and of which file each is. A pair one of whose texts (by
 * hash, in any column) is already in the batch in another pair is put in its file's queue, which
 * opens the next batches of that file; what is left there at an epoch's end opens the next. A batch
 * may hold the end of one epoch and the beginning of the next. In a file with lists of texts to
 * draw from, pair i has the number draw * (pairs of the file) + i, where draw is a function of seed
 * and epoch: it says which of its texts the pair has, and what the rule about equal texts looks at.
 * Fails with SE_ERR_ARG, nothing changed, when no such batch can be had. */
SE_API se_status se_order_next(se_order *o, int64_t batch, int64_t *pair, int32_t *file);

/* Says that the step of the last batch is complete. Until then se_order_state gives the position
 * before that batch. */
SE_API void se_order_done(se_order *o);

/* Packs a column of n drawn pairs: see se_pack_batch. */
SE_API se_status se_order_pack(const se_order *o, int32_t column, int64_t n, const int64_t *pair,
                               const int32_t *file, int32_t pad, se_packed *out, int32_t *ids,
                               int32_t *starts, int32_t *positions);

/* Numbers the different texts of n drawn pairs: out[column * n + i], from 0 in the order of their
 * first places; equal texts have equal numbers. */
SE_API se_status se_order_same(se_order *o, int64_t n, const int64_t *pair, const int32_t *file,
                               int32_t *out);

/* The position as of the last completed step, as JSON (freed by se_io_free), and back. Restoring
 * takes over the seed of the saved order; SE_ERR_FORMAT when the text is not such a position or
 * belongs to other data. */
SE_API se_status se_order_state(const se_order *o, char **out);
SE_API se_status se_order_restore(se_order *o, const char *text, size_t bytes);

/* Where the last batch ended in a file: epoch (from 0), pairs of the file passed in it, pairs in
 * the queue; and the pairs of the file. */
SE_API void se_order_where(const se_order *o, int32_t file, int64_t *epoch, int64_t *index,
                           int64_t *queued, int64_t *pairs);
/* sembed-cdef-end */

#endif
