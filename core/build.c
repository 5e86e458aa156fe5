/* What the rules of ops may call to build graph nodes (declared in op.h). */
#include "node.h"

#include <stdlib.h>
#include <string.h>

SE_OP_EXTERN(sum);
SE_OP_EXTERN(reshape);
SE_OP_EXTERN(broadcast_to);
SE_OP_EXTERN(add);

static void fail(se_build *b, se_status status)
{
    if (b->status)
        return;
    b->status = status;
    b->message = se_strdup(se_message());
}

void se_no_gradient(se_build *b, const se_rule *g, const char *why)
{
    if (b->status)
        return;
    fail(b, se_shape_fail(g->op, "has no gradient: %s (%s:%d)", why, b->file ? b->file : "-",
                          b->line));
}

se_status se_build_finish(se_build *b)
{
    for (int i = b->count; i-- > 0;)
        se_node_unref(b->made[i].node);
    free(b->made);
    se_status status = b->status;
    if (status && b->message)
        se_fail(status, "%s", b->message);
    free(b->message);
    *b = (se_build){.file = b->file, .line = b->line};
    return status;
}

se_ref se_build_own(se_build *b, se_ref r)
{
    if (b->count == b->room) {
        int room = b->room ? 2 * b->room : 64;
        se_ref *more = se_realloc(b->made, sizeof *more * (size_t)room);
        if (!more) {
            fail(b, SE_ERR_MEMORY);
            se_node_unref(r.node);
            return (se_ref){0};
        }
        b->made = more;
        b->room = room;
    }
    b->made[b->count++] = r;
    return r;
}

se_ref se_op_apply(se_build *b, const se_op *op, const se_attr *attr, int n_in, const se_ref *in)
{
    se_ref out[SE_MAX_OUTPUTS] = {{0}};
    if (b->status)
        return out[0];
    const se_signature *sig = se_op_signature(op);
    if (!sig) {
        fail(b,
             se_shape_fail(op, "a rule uses this op, but the table lacks it: SE_OP_EXPORT has to "
                               "name it"));
        return out[0];
    }
    for (int i = 0; i < n_in && i < sig->n_required; i++)
        if (!in[i].node)
            return out[0];
    se_ref padded[SE_MAX_INPUTS];
    if (n_in < sig->n_tensors) { /* optional tensors at the end may be left out */
        memset(padded, 0, sizeof *padded * (size_t)sig->n_tensors);
        if (n_in > 0)
            memcpy(padded, in, sizeof *in * (size_t)n_in);
        in = padded;
        n_in = sig->n_tensors;
    }
    se_status s = se_node_apply(op, n_in, in, attr, b->file, b->line, out);
    if (s) {
        fail(b, s);
        return (se_ref){0};
    }
    for (int i = 0; i < se_op_outs(op); i++)
        if (!se_build_own(b, out[i]).node)
            return (se_ref){0};
    return out[0];
}

se_ref se_out(se_ref r, int out)
{
    return (se_ref){r.node, out};
}

const se_type *se_ref_type(se_ref r)
{
    return r.node ? &r.node->type[r.out] : NULL;
}

bool se_ref_ok(se_ref r)
{
    return r.node != NULL;
}

const se_op *se_ref_op(se_ref r)
{
    return r.node ? r.node->op : NULL;
}

se_ref se_ref_input(se_ref r, int i)
{
    return r.node && i < r.node->n_in ? r.node->in[i] : (se_ref){0};
}

const se_attr *se_ref_attr(se_ref r)
{
    return r.node ? r.node->attr : NULL;
}

static se_ref own_leaf(se_build *b, se_node *n)
{
    if (!n) {
        fail(b, SE_ERR_MEMORY);
        return (se_ref){0};
    }
    return se_build_own(b, (se_ref){n, 0});
}

static se_ref fixed_number(se_build *b, double value, se_dtype dtype)
{
    if (b->status)
        return (se_ref){0};
    se_ref r = own_leaf(b, se_node_number(value, dtype));
    if (r.node)
        r.node->fixed = true;
    return r;
}

se_ref se_number(se_build *b, double value)
{
    return fixed_number(b, value, SE_F32);
}

se_ref se_number_i32(se_build *b, int64_t value)
{
    return fixed_number(b, (double)value, SE_I32);
}

static se_attr dims_attr(int rank, const int64_t *dim)
{
    se_attr a = {.n = rank};
    for (int i = 0; i < rank; i++)
        a.list[i] = dim[i];
    return a;
}

se_ref se_zeros(se_build *b, const se_type *t)
{
    if (!t)
        return (se_ref){0};
    se_ref zero = t->dtype == SE_I32 ? se_number_i32(b, 0) : se_number(b, 0);
    return OP(b, broadcast_to, ATTRS(dims_attr(t->rank, t->dim)), zero);
}

se_ref se_reshape_to(se_build *b, se_ref x, int rank, const int64_t *dim)
{
    return OP(b, reshape, ATTRS(dims_attr(rank, dim)), x);
}

se_ref se_sum_to(se_build *b, se_ref x, const se_type *t)
{
    if (!x.node || !t)
        return (se_ref){0};
    const se_type *from = se_ref_type(x);
    if (se_shape_same_dims(from, t))
        return x;
    se_attr axes = {0};
    int extra = from->rank - t->rank;
    for (int i = 0; i < from->rank; i++)
        if (i < extra || (t->dim[i - extra] == 1 && from->dim[i] != 1))
            axes.list[axes.n++] = i;
    if (axes.n)
        x = OP(b, sum, ATTRS(axes, SE_INT(0)), x);
    return x.node && !se_shape_same_dims(se_ref_type(x), t) ? se_reshape_to(b, x, t->rank, t->dim)
                                                            : x;
}

se_ref se_add_grads(se_build *b, se_ref a, se_ref c)
{
    if (!a.node)
        return c;
    if (!c.node)
        return a;
    return OP2(b, add, a, c);
}

void se_op_expanded(se_build *b, const se_op *op, const se_attr *attr, int n_in, const se_ref *in,
                    se_ref *y)
{
    for (int i = 0; i < se_op_outs(op); i++)
        y[i] = (se_ref){0};
    if (b->status)
        return;
    if (!op->expand)
        fail(b, se_shape_fail(op, "has no expansion"));
    else
        op->expand(b, &(se_rule){.op = op, .attr = attr, .n_in = n_in, .x = in, .y = y});
}

void se_grad_between(se_build *b, int n_y, const se_ref *y, const se_ref *dy, int n_x,
                     const se_ref *x, se_ref *dx)
{
    se_grad_walk(b, n_y, y, dy, n_x, x, dx, true);
}
