/* The inside of a handle, for tensor.c (handles, scopes) and eval.c (assigns, evaluation,
 * gradients). */
#ifndef SE_TENSOR_H
#define SE_TENSOR_H

#include "node.h"
#include "sembed.h"

typedef struct se_label se_label;

struct se_tensor {
    se_ref ref;             /* node NULL: released */
    se_label *label;        /* of the scope whose closing released it */
    int32_t scope;          /* 0: none */
    int32_t awaited;        /* se_keep: 1 + its place in se_awaited until there is data; 0: none */
    bool assigned;          /* a pending assign may point here */
    se_tensor *prev, *next; /* the scope's list */
};

/* What se_op_describe gives. */
void se_op_info_of(const se_op *op, se_op_info *out);

/* SE_OK while the handle is not released; else SE_ERR_STATE, saying when that was. */
se_status se_handle_alive(const se_tensor *t);

/* A handle that takes over the caller's reference (SE_ERR_MEMORY: it is given back). */
se_status se_handle_give(se_ref r, se_tensor **out);

/* Makes the handle mean nothing, or r, whose reference it takes over. */
void se_handle_drop(se_tensor *t);
void se_handle_set(se_tensor *t, se_ref r);

/* After se_keep: once there is data, the handle means a leaf and holds no graph. */
void se_handle_become_leaf(se_tensor *t);

/* The handles that were kept and have no data yet. An eval that carries assigns computes them, too:
 * afterwards what they are made from may be overwritten. The list is good until the next of the
 * calls above. */
int se_awaited(se_tensor *const **list);

/* A handle goes away: no pending assign may reach it any more. */
void se_pending_forget(se_tensor *t);

/* The label of the innermost scope, or NULL. */
const char *se_scope_label(void);

/* What se_stats_read gives of the last eval. */
void se_stats_plan(int64_t nodes, int64_t arena, double plan_seconds, double run_seconds);

#endif
