/* What an executor does: takes a plan (which nodes, in which order, where their outputs lie) and
 * computes it. */
#ifndef SE_EXEC_H
#define SE_EXEC_H

#include "arena.h"
#include "node.h"

/* A pending assign: `target_old` is what the handle meant before. */
typedef struct se_pending {
    se_ref value, target_old;
    const char *file;
    int32_t line;
} se_pending;

/* What one eval is asked for. */
typedef struct se_request {
    int n_roots, n_pending, n_guards;
    const se_ref *roots;
    const se_pending *pending;
    const se_ref *guards;
    const char *label; /* of the scope, for messages: "step 7", or NULL */
    int devices;       /* 0: the host; else values are kept on so many devices */
} se_request;

/* Where a value lies: arena offset, or a buffer (kept value, leaf). */
typedef struct se_place {
    se_buf *buf;        /* NULL: in the arena; borrowed from `made` or from a node */
    const void *number; /* of a plain number */
    int64_t offset, bytes;
    int32_t live; /* values that lie here and are still needed */
    bool arena;
} se_place;

typedef struct se_value {
    int32_t place; /* index; -1: not needed */
    int32_t last;  /* index of the last node that reads it; INT32_MAX: until the commit */
    bool kept;     /* the node keeps it after the eval */
} se_value;

typedef struct se_step {
    se_node *node;
    int32_t value;  /* of output 0 */
    int32_t inside; /* edges from nodes of this plan that never ran */
    bool run, commit, wanted;
    int64_t scratch; /* arena offset of the scratch memory; -1: none */
    int64_t scratch_each;
} se_step;

typedef struct se_plan {
    uint64_t stamp;
    int32_t n_steps, n_values, n_places, room, n_made;
    se_step *step; /* sources and nodes to run, inputs first */
    se_value *value;
    se_place *place;
    se_buf **made; /* buffers allocated for kept values; owned until handed to nodes */
    int64_t arena_bytes;
    const se_request *request;
} se_plan;

/* Plans the request. On failure nothing has changed. */
se_status se_plan_make(se_plan *p, const se_request *request);
void se_plan_free(se_plan *p);

/* Index of the value of r in the plan. */
int32_t se_plan_value(const se_plan *p, se_ref r);

/* After a successful run: hands kept buffers to their nodes, carries out the assigns' part on nodes
 * (a new leaf for each; the caller moves the handles), releases buffers that nothing waits for.
 * leaf[i] is a new reference for pending i. */
void se_plan_commit(se_plan *p, se_node **leaf);

/* Runs the plan on the CPU: phase 1 may fail and leaves everything as it was; then the commit
 * nodes. */
se_status se_cpu_run(se_plan *p);
int64_t se_cpu_arena_bytes(void);
void se_cpu_arena_trim(void);

#endif
