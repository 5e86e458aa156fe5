/* The executor for devices: a plan becomes StableHLO text, a program of a plugin, and a run on n
 * replicas, each on a device of its own. Values stay on the devices; a replicated one lies on all
 * of them, of a varying one each has its part. One set of devices at a time. */
#ifndef SE_XLA_H
#define SE_XLA_H

#include "exec.h"

/* Takes so many devices of the plugin at `path` (NULL: the one that se_pjrt_find gives). Matrix
 * products round their inputs to bf16 where `bf16` says so. */
se_status se_xla_open(const char *path, int devices, bool bf16);

/* How many devices there are; 0: none is open, plans run on the host. */
int se_xla_devices(void);

typedef struct se_xla_counts {
    int64_t programs;    /* made so far */
    int64_t compiled;    /* those of them that no file of the cache had */
    double make_seconds; /* for all of them, loading from files counted */
    int64_t nodes;       /* of the last request */
    double plan_seconds, run_seconds;
    const char *about,
        *kind; /* the plugin and its file; "cpu", "cuda", "tpu"; NULL: none is open */
} se_xla_counts;
void se_xla_count(se_xla_counts *out);

/* Plans and runs a request, and does on nodes what se_plan_commit says. On a failure the assigns
 * have not taken place; SE_ERR_IO may mean that what a program had taken over is lost with it. */
se_status se_xla_eval(const se_request *q, se_node **leaf);

#endif
