/* The comments of some threads, all in memory -> their pairs as packed JSON lines. */
#ifndef SE_DATA_JOIN_H
#define SE_DATA_JOIN_H

#include "data/comment.h"

/* Reads the comments at data[0 .. bytes), in the order of the input, and appends gzip members of
 * the pairs for training and testing to `train` and `test` (file descriptors; names for messages).
 * The lines are in an order that a hash of thread and id decides, so that neighbours are of
 * different threads. Counts what was written. */
typedef struct se_join_out {
    int fd[2]; /* train, test */
    const char *path[2];
    int64_t pairs[2], bytes[2];
} se_join_out;

se_status se_join(const char *data, size_t bytes, const se_comments_options *options,
                  se_join_out *out);

/* A gzip member without content. */
se_status se_join_empty(se_blob *to);

#endif
