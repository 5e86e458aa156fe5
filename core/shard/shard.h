/* The shards of a run: processes (or replicas of one program) that carry out the same recipe, each
 * on its rows of every batch. Who am I, how many are there, and what they do together.
 *
 * A process that no launcher started is the only shard: every call here is then free. Under a
 * launcher (mpirun, srun) the processes are opened by se_shard_start, and from then on all of them
 * make the same calls in the same order. Each call first lets the shards meet: that finds out
 * whether one of them has failed, was interrupted, or is somewhere else in the recipe, before any
 * data moves. So an error on one shard ends all of them, and none waits for ever. */
#ifndef SE_SHARD_H
#define SE_SHARD_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sembed-cdef-begin */
/* --- who --- */

SE_API int32_t se_shard_count(void);
SE_API int32_t se_shard_index(void); /* from 0 */

/* Whether the shards are processes, of which this is one. */
SE_API bool se_shard_many(void);

/* Shard `index` of `count` has the rows [first, last) of `rows`: floor(index * rows / count) and
 * the same of index + 1. */
SE_API void se_shard_rows(int64_t rows, int32_t index, int32_t count, int64_t *first,
                          int64_t *last);

/* Joins the other processes if a launcher started this one (or force is true); else nothing. Fails
 * with SE_ERR_STATE where there are others and no way to reach them. */
SE_API se_status se_shard_start(bool force);

/* What is to be told once about how the launcher binds processes to cores; NULL: nothing. */
SE_API const char *se_shard_binding(void);

/* --- agreeing --- */

/* All shards meet; what each says (`what`, with its number) has to be the same, or all fail. *sum,
 * where it is not NULL, becomes the sum of what the shards have there. */
SE_API se_status se_shard_meet(const char *what, int64_t number, int64_t *sum);

/* Whether an interrupt had reached any shard at the last meeting: the same on all of them. */
SE_API bool se_shard_interrupted(void);

/* This shard left what all were doing because of an interrupt: the others do so, too, at their next
 * meeting (SE_ERR_INTERRUPTED). */
SE_API void se_shard_interrupt(void);

/* Gives the text of shard 0 to all: *text is read there, elsewhere it becomes a copy, freed by
 * se_shard_text_free. */
SE_API se_status se_shard_text(const char *what, const char *mine, char **text);
SE_API void se_shard_text_free(char *text);

/* This process is done, with an error or (NULL) without; the others learn of it. Gives how it goes:
 * SE_END_QUIET: another shard failed, and tells; SE_END_TELL: nobody else tells this error (*failed
 * is how many shards have one). */
typedef enum se_shard_ending { SE_END_FINE, SE_END_QUIET, SE_END_TELL } se_shard_ending;
SE_API se_shard_ending se_shard_end(const char *error, int32_t *failed);

/* Leaves the launcher's world in order; after a lost shard it ends all the others. */
SE_API void se_shard_close(void);

/* Whether a shard was lost (killed): nothing can be agreed on any more. */
SE_API bool se_shard_lost(void);

/* --- what was moved --- */
typedef struct se_shard_moved {
    /* bytes that this shard sent, by what for */
    int64_t gather, reduce_scatter, sum, broadcast, meet;
    int64_t calls;  /* of the first four */
    double seconds; /* spent in all of them */
} se_shard_moved;
SE_API void se_shard_moved_read(se_shard_moved *out);
/* sembed-cdef-end */

/* Makes messages over `count` shards and does nothing else: for tests of shape rules, and for
 * executors whose replicas are no processes. */
SE_API void se_shard_pretend(int32_t index, int32_t count);

/* --- moving data: all shards call the same, in the same order --- */

typedef enum se_number_kind { SE_SUM_F32, SE_SUM_F64, SE_SUM_I32 } se_number_kind;

/* `out` holds `rows` rows of row_bytes, of which this shard's are in place; fills in the others'.
 * count - 1 messages each way: (count - 1) / count of out's bytes are sent by each shard. */
se_status se_shard_gather(void *out, int64_t rows, int64_t row_bytes);

/* x becomes the sum over all shards, the same bits on each. */
se_status se_shard_sum(se_number_kind kind, void *x, int64_t n);

/* A long vector in pieces. */
typedef struct se_piece {
    const void *data;
    int64_t count;
    bool once; /* the same on all shards, and counted once */
} se_piece;

/* out: this shard's part of the sum over the shards: se_shard_rows of all elements, in rows of
 * `unit` of them. Bits depend on the number of shards only. Where all pieces are the same on all
 * shards nothing is sent. */
se_status se_shard_reduce_scatter(se_number_kind kind, int64_t unit, int32_t n,
                                  const se_piece *piece, void *out);

/* x of shard `from` becomes x of all. */
se_status se_shard_broadcast(void *x, int64_t bytes, int32_t from);

#ifdef __cplusplus
}
#endif

#endif
