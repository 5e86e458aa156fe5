/* Graph nodes: an op applied to references, with types known and data computed later.
 * Reference-counted; freeing walks a list, not the stack. Nodes belong to the one thread that
 * builds graphs. */
#ifndef SE_NODE_H
#define SE_NODE_H

#include "buf.h"
#include "op.h"

struct se_node {
    const se_op *op; /* NULL: a leaf, whose data is its buffer or `number` */
    int32_t refs;    /* owners: handles, consuming nodes, pending assigns, builders */
    int32_t handles; /* those of them that are handles */
    int32_t waiting; /* edges from living nodes that never ran */
    int16_t n_in, n_out;
    int32_t bytes;         /* of the block that holds the node and its arrays */
    bool ran;              /* computed at least once */
    bool is_number;        /* a plain number: adapts to the dtype it meets */
    bool fixed;            /* a plain number that a rule made: the same whenever the graph is */
    bool kept_for_waiting; /* its buffers are there only for consumers that have not run yet */
    union {
        float f;
        double d;
        int32_t i;
    } number;
    uint64_t id; /* grows with creation: an order in which inputs come before consumers */
    const char *file;
    int32_t line;
    const char *overwritten_file; /* set when an assign took this leaf's memory */
    int32_t overwritten_line;
    struct {         /* for inputs 0 and 1: a view that .simplify took out (matmul: a transpose) */
        uint64_t id; /* 0: none. No reference, so that the view keeps nothing alive */
        bool turned; /* it differs from the input that came in its place */
    } taken[2];
    uint64_t stamp; /* of the walk that set `slot` */
    int32_t slot;
    se_ref *in;
    se_type *type;
    se_buf **buf; /* one for each output; NULL until computed and kept */
    se_attr *attr;
    struct se_node *chain;
};

/* Applies op: promotes dtypes, simplifies, runs the shape rule, expands a composite without a
 * kernel. Gives one new reference for each output in out. Rules must not call it: they use
 * se_op_apply. */
se_status se_node_apply(const se_op *op, int n_in, const se_ref *in, const se_attr *attr,
                        const char *file, int line, se_ref *out);

/* A leaf of that type over buf (the reference is taken over); a plain number. NULL with a message
 * when memory is out. */
se_node *se_node_leaf(const se_type *type, se_buf *buf);
se_node *se_node_number(double value, se_dtype dtype);

se_node *se_node_ref(se_node *n);
void se_node_unref(se_node *n); /* NULL is allowed */

/* Nobody asks for the node's values but consumers that have not run yet: they go when these have
 * run, at once where there are none. Whoever needs them later computes them anew. */
void se_node_only_waited(se_node *n);

/* Lets the values of such a node go when nothing waits any more. */
void se_node_let_go(se_node *n);

/* Whether the node's outputs are its inputs' memory (see .alias). */
bool se_node_is_alias(const se_node *n);

/* Whether an output has data, on the host or on a device; the data on the host, or NULL. */
bool se_node_ready(se_ref r);
const void *se_node_data(se_ref r);

/* A number no walk has used yet, for se_node.stamp. */
uint64_t se_node_stamp(void);

/* A lasting copy of a file name, one for each name. */
const char *se_intern(const char *text);

/* Marks the node as run: its inputs wait for one consumer less. */
void se_node_set_ran(se_node *n);

int64_t se_nodes_alive(void);

/* --- the op table: signatures, and ops from shared objects --- */
enum { SE_MAX_NAMED = 32 }; /* tensors that `args` may name */

/* Reads an op's `args`. On failure false, with what is wrong in `why`. */
bool se_signature_read(const char *args, se_signature *s, char *why, size_t room);

/* Puts n ops, which live for ever and whose names are free, at the end of the table; all or none.
 */
se_status se_ops_add(int n, const se_op *const *op, const se_signature *signature);

/* --- handles, for the files beside tensor.c --- */
struct se_tensor;
se_status
se_tensor_of_buf(se_type type, se_buf *buf,
                 struct se_tensor **out); /* a leaf over buf, whose reference is taken over */
se_ref se_tensor_ref(const struct se_tensor *t); /* borrowed */

/* --- builders: what rules write to --- */
struct se_build {
    se_status status; /* the first failure; its message is kept */
    char *message;
    const char *file;
    int32_t line;
    int32_t count, room;
    se_ref *made; /* references owned until the builder is finished */
};

/* Frees what the builder made but nobody else holds. When it failed, sets the message again and
 * returns the status. */
se_status se_build_finish(se_build *b);

/* Keeps r (a reference the caller owns) until the builder is finished. */
se_ref se_build_own(se_build *b, se_ref r);

/* The gradient walk: dx[j] = d sum_i(y[i] . dy[i]) / d x[j] (null where no path leads). `stop`: x
 * cuts the graph, so nothing behind an x is looked at. */
void se_grad_walk(se_build *b, int n_y, const se_ref *y, const se_ref *dy, int n_x, const se_ref *x,
                  se_ref *dx, bool stop);

#endif
