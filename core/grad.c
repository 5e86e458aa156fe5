/* The reverse walk: adds gradient nodes to the graph, computes nothing. */
#include "node.h"
#include "shard/shard.h"

#include <stdlib.h>
#include <string.h>

SE_OP_EXTERN(mul);
SE_OP_EXTERN(shard_own);
SE_OP_EXTERN(transpose);

typedef struct walk {
    se_build *b;
    uint64_t stamp;
    int count, room;
    se_node **node; /* every node between y and x; after sorting: inputs first */
    bool *reach;    /* reach[slot]: an x is among the node's ancestors */
    se_ref **dy;    /* dy[slot][output] */
    int n_x;
    const se_ref *x;
    bool stop;
    se_ref *dx; /* what comes to an x that a node has taken in: it is no ancestor of that node */
} walk;

static bool is_target(const se_node *n, int n_x, const se_ref *x)
{
    for (int j = 0; j < n_x; j++)
        if (x[j].node == n)
            return true;
    return false;
}

/* The x that stood at input i before node n took in what it is a view of, or -1. */
static int taken_in(const walk *w, const se_node *n, int i)
{
    for (int j = 0; i < 2 && n->taken[i].id && j < w->n_x; j++)
        if (w->x[j].node && w->x[j].node->id == n->taken[i].id)
            return j;
    return -1;
}

static void give_up(walk *w)
{
    if (!w->b->status) {
        w->b->status = SE_ERR_MEMORY;
        w->b->message = se_strdup(se_message());
    }
}

static bool add(walk *w, se_node *n)
{
    if (n->stamp == w->stamp)
        return true;
    n->stamp = w->stamp;
    if (w->count == w->room) {
        int room = w->room ? 2 * w->room : 256;
        se_node **more = se_realloc(w->node, sizeof *more * (size_t)room);
        if (!more)
            return false;
        w->node = more;
        w->room = room;
    }
    w->node[w->count++] = n;
    return true;
}

/* Nodes older than every x cannot depend on one. */
static bool collect(walk *w, int n_y, const se_ref *y, int n_x, const se_ref *x, bool stop)
{
    uint64_t oldest = UINT64_MAX;
    for (int j = 0; j < n_x; j++)
        if (x[j].node && x[j].node->id < oldest)
            oldest = x[j].node->id;
    w->stamp = se_node_stamp();
    for (int i = 0; i < n_y; i++)
        if (y[i].node && !add(w, y[i].node))
            return false;
    for (int done = 0; done < w->count; done++) {
        se_node *n = w->node[done];
        if (n->id < oldest || (stop && is_target(n, n_x, x)))
            continue;
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i].node && !add(w, n->in[i].node))
                return false;
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(se_node *const *)a)->id, y = (*(se_node *const *)b)->id;
    return x < y ? -1 : x > y;
}

/* Sorts the nodes and finds out which of them lead to an x. */
static bool mark(walk *w, int n_x, const se_ref *x, bool stop)
{
    if (w->count == 0)
        return true;
    qsort(w->node, (size_t)w->count, sizeof *w->node, by_id);
    w->reach = se_calloc((size_t)w->count, sizeof *w->reach);
    w->dy = se_calloc((size_t)w->count, sizeof *w->dy);
    if (!w->reach || !w->dy)
        return false;
    for (int i = 0; i < w->count; i++) {
        se_node *n = w->node[i];
        n->slot = i;
        bool target = is_target(n, n_x, x);
        w->reach[i] = target;
        if (target && stop)
            continue;
        for (int k = 0; k < n->n_in && !w->reach[i]; k++) {
            const se_node *in = n->in[k].node;
            w->reach[i] = in && in->stamp == w->stamp && w->reach[in->slot] &&
                          in->type[n->in[k].out].dtype <= SE_BF16;
            w->reach[i] |= taken_in(w, n, k) >= 0;
        }
    }
    return true;
}

/* The gradient of what is the same on every shard: where it varies, each shard has a term of it,
 * and it is their sum that counts; else it is whole. A sum of both is a term on each shard, so what
 * is whole is divided among them. */
static se_ref add_terms(walk *w, se_ref to, se_ref a, se_ref c)
{
    if (a.node && c.node && se_shard_count() > 1 && !se_ref_type(to)->varying &&
        se_ref_type(a)->varying != se_ref_type(c)->varying) {
        se_ref *whole = se_ref_type(a)->varying ? &c : &a;
        *whole = OP2(w->b, mul, *whole, se_number(w->b, 1.0 / se_shard_count()));
    }
    return se_add_grads(w->b, a, c);
}

/* What a node that varies hands on to an input that does not is this shard's term, even where all
 * have the same: they used it once each. */
static se_ref as_term(walk *w, const se_node *n, int i, se_ref dx)
{
    if (!dx.node || se_shard_count() == 1 || !n->type[0].varying ||
        se_ref_type(n->in[i])->varying || se_ref_type(dx)->varying)
        return dx;
    return OP1(w->b, shard_own, dx);
}

static bool add_dy(walk *w, se_ref to, se_ref dy)
{
    if (!dy.node || !to.node || to.node->stamp != w->stamp)
        return true;
    se_ref **slot = &w->dy[to.node->slot];
    if (!*slot && !(*slot = se_calloc((size_t)to.node->n_out, sizeof **slot)))
        return false;
    (*slot)[to.out] = add_terms(w, to, (*slot)[to.out], dy);
    return true;
}

static void no_gradient(walk *w, const se_node *n)
{
    if (w->b->status)
        return;
    se_shape_fail(n->op, "has no gradient (%s:%d)", n->file ? n->file : "-", n->line);
    w->b->status = SE_ERR_ARG;
    w->b->message = se_strdup(se_message());
}

static void wrong_gradient(walk *w, const se_node *n, int i, se_ref dx)
{
    char a[SE_TYPE_TEXT], b[SE_TYPE_TEXT];
    w->b->status = se_shape_fail(n->op, ".grad gives %s for input %d, which is %s",
                                 se_type_print(se_ref_type(dx), a), i + 1,
                                 se_type_print(se_ref_type(n->in[i]), b));
    w->b->message = se_strdup(se_message());
}

/* A rule may have walked through parts of the graph itself. */
static void restore_marks(walk *w)
{
    for (int i = 0; i < w->count; i++) {
        w->node[i]->stamp = w->stamp;
        w->node[i]->slot = i;
    }
}

/* Calls the op's .grad, or differentiates its expansion. */
static void run_rule(walk *w, se_node *n, const se_ref *dy, se_ref *dx, const bool *want)
{
    const char *file = w->b->file;
    int line = w->b->line;
    w->b->file = n->file; /* a gradient belongs to the line of what it differentiates */
    w->b->line = n->line;
    uint64_t before = se_node_stamp();
    se_ref y[SE_MAX_OUTPUTS] = {{0}};
    if (n->op->grad) {
        for (int i = 0; i < n->n_out; i++)
            y[i] = (se_ref){n, i};
        n->op->grad(w->b, &(se_rule){n->op, n->attr, n->n_in, n->in, y, dy, dx, want});
    } else {
        se_op_expanded(w->b, n->op, n->attr, n->n_in, n->in, y);
        se_ref *x = se_calloc((size_t)n->n_in, sizeof *x);
        /* An input given twice gets its whole gradient once. */
        for (int i = 0; x && i < n->n_in; i++) {
            bool again = false;
            for (int k = 0; k < i; k++)
                again |= n->in[k].node == n->in[i].node && n->in[k].out == n->in[i].out;
            x[i] = want[i] && !again ? n->in[i] : (se_ref){0};
        }
        if (x)
            se_grad_between(w->b, n->n_out, y, dy, n->n_in, x, dx);
        free(x);
    }
    w->b->file = file;
    w->b->line = line;
    if (se_node_stamp() != before + 1)
        restore_marks(w);
}

/* The gradient of input i belongs to x[j], too, a view of that input. */
static void give_to_view(walk *w, const se_node *n, int i, int j, se_ref dx)
{
    if (n->taken[i].turned)
        dx = OP1(w->b, transpose, dx);
    w->dx[j] = add_terms(w, w->x[j], w->dx[j], dx);
}

/* Lets the node's rule add the gradients of its inputs. */
static bool step(walk *w, se_node *n)
{
    se_ref dx[SE_MAX_INPUTS];
    bool want[SE_MAX_INPUTS], leads[SE_MAX_INPUTS];
    bool any = false;
    for (int i = 0; i < n->n_in; i++) {
        const se_node *in = n->in[i].node;
        int view = taken_in(w, n, i);
        dx[i] = (se_ref){0};
        leads[i] = in && in->stamp == w->stamp && w->reach[in->slot] &&
                   in->type[n->in[i].out].dtype <= SE_BF16 && !(w->stop && view >= 0);
        want[i] = leads[i] || view >= 0;
        any |= want[i];
    }
    se_ref *dy = w->dy[n->slot];
    if (any && (n->op->grad || n->op->expand))
        run_rule(w, n, dy, dx, want);
    else if (any)
        no_gradient(w, n);
    bool ok = true;
    for (int i = 0; i < n->n_in && ok && !w->b->status; i++) {
        if (want[i] && dx[i].node &&
            !se_shape_same_dims(se_ref_type(dx[i]), se_ref_type(n->in[i]))) {
            wrong_gradient(w, n, i, dx[i]);
            break;
        }
        int view = taken_in(w, n, i);
        dx[i] = as_term(w, n, i, dx[i]);
        if (leads[i])
            ok = add_dy(w, n->in[i], dx[i]);
        if (view >= 0)
            give_to_view(w, n, i, view, dx[i]);
    }
    return ok;
}

void se_grad_walk(se_build *b, int n_y, const se_ref *y, const se_ref *dy, int n_x, const se_ref *x,
                  se_ref *dx, bool stop)
{
    for (int j = 0; j < n_x; j++)
        dx[j] = (se_ref){0};
    if (b->status)
        return;
    walk w = {.b = b, .n_x = n_x, .x = x, .dx = dx, .stop = stop};
    bool ok = collect(&w, n_y, y, n_x, x, stop) && mark(&w, n_x, x, stop);
    for (int i = 0; ok && i < n_y; i++)
        if (y[i].node)
            ok = add_dy(&w, y[i], dy[i]);
    for (int i = w.count; ok && i-- > 0 && !b->status;) {
        se_node *n = w.node[i];
        if (w.dy[i] && w.reach[i] && n->op && !(stop && is_target(n, n_x, x)))
            ok = step(&w, n);
    }
    if (!ok)
        give_up(&w);
    for (int j = 0; ok && j < n_x; j++)
        if (x[j].node && x[j].node->stamp == w.stamp && w.dy[x[j].node->slot])
            dx[j] = add_terms(&w, x[j], w.dy[x[j].node->slot][x[j].out], dx[j]);
    for (int i = 0; w.dy && i < w.count; i++)
        free(w.dy[i]);
    free(w.dy);
    free(w.reach);
    free(w.node);
}
