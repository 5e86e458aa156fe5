/* What the files of core/shard share. */
#ifndef SE_SHARD_PRIVATE_H
#define SE_SHARD_PRIVATE_H

#include "shard/shard.h"
#include "shard/transport.h"

typedef struct se_peer { /* where a shard runs */
    uint64_t host;       /* a hash of the machine's name */
    int64_t pid, pad;
} se_peer;

typedef struct se_shards {
    int32_t index, count;
    const se_transport *way; /* NULL: no others */
    se_peer *peer;           /* count of them */
    bool over;               /* a shard has failed, or all are done: nothing is sent any more */
    bool lost;               /* a shard is gone */
    bool interrupted;        /* as the last meeting had it */
    bool stopping;           /* and by that all leave what they were doing */
    char why[512];           /* what every later call says once it is over */
    bool crowded;            /* more shards than cores: waiting must not take a core */
    se_shard_moved moved;
} se_shards;

extern se_shards se_shards_now;

/* Sends and receives (-1: neither), and waits. The bytes sent are added to *counter. */
se_status se_shard_exchange(int64_t *counter, const void *out, int32_t to, int64_t out_bytes,
                            void *in, int32_t from, int64_t in_bytes);

/* As se_shard_gather and se_shard_broadcast, without a meeting before. */
se_status se_ring_gather(int64_t *counter, void *out, int64_t rows, int64_t row_bytes);
se_status se_tree_broadcast(int64_t *counter, void *x, int64_t bytes, int32_t from);

#endif
