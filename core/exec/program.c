#include "exec/program.h"

#include <stdlib.h>
#include <string.h>

/* Values of nodes while a program is written: those of the plan by their place in it, those of
 * expansions (made for the text alone) by a stamp of their own. */
typedef struct writer {
    se_hlo *h;
    const se_plan *plan;
    se_hval *value; /* of each value of the plan; id -1: not written */
    uint64_t stamp;
    se_hval *extra;
    int32_t n_extra, room;
    se_status status;
} writer;

/* --- what goes in and out --- */

static bool is_pending(const se_request *q, se_ref r)
{
    for (int i = 0; i < q->n_pending; i++)
        if (q->pending[i].value.node == r.node && q->pending[i].value.out == r.out)
            return true;
    return false;
}

static bool is_guard(const se_request *q, se_ref r)
{
    for (int i = 0; i < q->n_guards; i++)
        if (q->guards[i].node == r.node && q->guards[i].out == r.out)
            return true;
    return false;
}

static bool listed(const se_hlo_program *p, se_ref r)
{
    for (int i = 0; i < p->n_out; i++)
        if (p->out[i].node == r.node && p->out[i].out == r.out)
            return true;
    return false;
}

static void list_outputs(const se_plan *plan, se_hlo_program *p)
{
    const se_request *q = plan->request;
    for (int i = 0; i < plan->n_steps; i++) {
        const se_step *s = &plan->step[i];
        for (int k = 0; s->run && k < s->node->n_out; k++) {
            se_ref r = {s->node, k};
            if ((plan->value[s->value + k].kept || is_guard(q, r)) && !is_pending(q, r))
                p->out[p->n_out++] = r;
        }
    }
    for (int i = 0; i < q->n_pending; i++) {
        se_ref r = q->pending[i].value;
        if (plan->step[r.node->slot].run && !listed(p, r))
            p->out[p->n_out++] = r;
    }
}

/* Leaves, values that were there, numbers: what a node of the plan reads, but constants. */
static void list_inputs(const se_plan *plan, se_hlo_program *p)
{
    for (int i = 0; i < plan->n_steps; i++) {
        const se_step *s = &plan->step[i];
        for (int k = 0; !s->run && !s->node->fixed && k < s->node->n_out; k++)
            if (plan->value[s->value + k].last >= 0)
                p->in[p->n_in++] = (se_ref){s->node, k};
    }
}

/* The argument whose memory output r may take over: the leaf that it is assigned to, when no handle
 * and no other node needs it, and no other tensor has its buffer. */
static int donated_by(const se_plan *plan, const se_hlo_program *p, se_ref r)
{
    const se_request *q = plan->request;
    for (int i = 0; i < q->n_pending; i++) {
        const se_node *old = q->pending[i].target_old.node;
        if (q->pending[i].value.node != r.node || q->pending[i].value.out != r.out || old->op ||
            old->is_number || old->handles > 0 || old->stamp != plan->stamp ||
            old->waiting > plan->step[old->slot].inside || !old->buf[0] ||
            atomic_load(&old->buf[0]->refs) != 1 ||
            !se_type_same(&old->type[0], &r.node->type[r.out]))
            continue;
        for (int k = 0; k < p->n_in; k++)
            if (p->in[k].node == old)
                return k;
    }
    return -1;
}

static void list_donations(const se_plan *plan, se_hlo_program *p)
{
    for (int k = 0; k < p->n_out; k++) {
        p->donates[k] = donated_by(plan, p, p->out[k]);
        for (int j = 0; j < k; j++)
            if (p->donates[j] == p->donates[k])
                p->donates[k] = -1;
    }
}

/* --- nodes --- */

static void write_node(writer *w, const se_node *n, se_hval *y);

static void fail(writer *w, se_status status)
{
    if (!w->status)
        w->status = status;
}

static se_hval *extra_of(writer *w, int32_t n)
{
    if (w->n_extra + n > w->room) {
        int32_t room = 2 * (w->room + n) + 64;
        se_hval *more = se_realloc(w->extra, sizeof *more * (size_t)room);
        if (!more) {
            fail(w, SE_ERR_MEMORY);
            return NULL;
        }
        w->extra = more;
        w->room = room;
    }
    w->n_extra += n;
    return w->extra + w->n_extra - n;
}

/* The value of r, written now where it is of an expansion and was not written yet. */
static se_hval look_up(writer *w, se_ref r)
{
    const se_node *n = r.node;
    if (!n || w->status)
        return (se_hval){.id = -1};
    if (n->is_number && n->fixed) {
        return n->type[0].dtype == SE_I32 ? se_hlo_int(w->h, SE_I32, n->number.i)
                                          : se_hlo_number(w->h, SE_F32, (double)n->number.f);
    }
    if (n->stamp == w->plan->stamp)
        return w->value[w->plan->step[n->slot].value + r.out];
    if (n->stamp != w->stamp) {
        se_hval y[SE_MAX_OUTPUTS] = {{0}};
        if (!n->op) {
            fail(w, se_fail(SE_ERR_STATE, "program: an expansion reads a tensor of its own"));
            return (se_hval){.id = -1};
        }
        write_node(w, n, y);
        se_hval *to = extra_of(w, n->n_out);
        if (!to)
            return (se_hval){.id = -1};
        memcpy(to, y, sizeof *y * (size_t)n->n_out);
        r.node->stamp = w->stamp;
        r.node->slot = w->n_extra - n->n_out;
    }
    return w->extra[n->slot + r.out];
}

/* Leaves that stand for the inputs x: the rule sees types, not nodes, so that it cannot reach
 * behind them. The same input has the same leaf. */
static void stand_ins(writer *w, se_build *b, const se_node *n, se_ref *leaf)
{
    for (int i = 0; i < n->n_in; i++) {
        leaf[i] = (se_ref){0};
        if (!n->in[i].node)
            continue;
        for (int k = 0; k < i && !leaf[i].node; k++)
            if (n->in[k].node == n->in[i].node && n->in[k].out == n->in[i].out)
                leaf[i] = leaf[k];
        if (leaf[i].node)
            continue;
        se_node *own = se_node_leaf(&n->in[i].node->type[n->in[i].out], NULL);
        leaf[i] = own ? se_build_own(b, (se_ref){own, 0}) : (se_ref){0};
        if (!leaf[i].node)
            fail(w, SE_ERR_MEMORY);
    }
}

static void write_expansion(writer *w, const se_node *n, const se_hval *x, se_hval *y)
{
    se_build b = {.file = n->file, .line = n->line};
    se_ref leaf[SE_MAX_INPUTS], out[SE_MAX_OUTPUTS];
    stand_ins(w, &b, n, leaf);
    if (!w->status)
        se_op_expanded(&b, n->op, n->attr, n->n_in, leaf, out);
    for (int i = 0; i < n->n_in && !w->status && !b.status; i++)
        if (leaf[i].node) { /* after the rule, which may walk over the nodes it made */
            se_hval *to = extra_of(w, 1);
            if (to)
                *to = x[i];
            leaf[i].node->stamp = w->stamp;
            leaf[i].node->slot = w->n_extra - 1;
        }
    for (int k = 0; k < n->n_out && !w->status && !b.status; k++)
        y[k] = look_up(w, out[k]);
    se_status status = se_build_finish(&b);
    if (status)
        fail(w, status);
}

static void write_node(writer *w, const se_node *n, se_hval *y)
{
    se_hval x[SE_MAX_INPUTS];
    se_type in[SE_MAX_INPUTS];
    for (int i = 0; i < n->n_in; i++) {
        const se_node *from = n->in[i].node;
        x[i] = look_up(w, n->in[i]);
        in[i] = from ? from->type[n->in[i].out] : (se_type){.dtype = SE_NONE};
    }
    if (w->status)
        return;
    memset(y, 0, sizeof *y * (size_t)n->n_out);
    se_hlo_rule rule = {n->op, n->attr, n->n_in, x, in, n->type, y};
    if (n->op->hlo)
        n->op->hlo(w->h, &rule);
    else if (n->op->hlo_name)
        se_hlo_named(w->h, &rule);
    else if (n->op->expand)
        write_expansion(w, n, x, y);
    else
        fail(w,
             se_fail(SE_ERR_ARG, "%s: cannot run on XLA: it has neither .hlo nor .expand (%s:%d)",
                     se_op_known_as(n->op), n->file ? n->file : "-", n->line));
    if (!w->status && se_hlo_status(w->h))
        fail(w, se_fail(se_hlo_status(w->h), "%s (%s:%d)", se_message(), n->file ? n->file : "-",
                        n->line));
    for (int k = 0; k < n->n_out && !w->status; k++) {
        se_hval like = {.dtype = n->type[k].dtype, .rank = n->type[k].rank};
        memcpy(like.dim, n->type[k].dim, sizeof n->type[k].dim);
        bool fits = y[k].dtype == like.dtype && y[k].rank == like.rank &&
                    memcmp(y[k].dim, like.dim, sizeof(int64_t) * like.rank) == 0;
        if (!fits)
            fail(w, se_fail(SE_ERR_STATE, "%s: output %d is of another type in StableHLO (%s:%d)",
                            se_op_known_as(n->op), k + 1, n->file ? n->file : "-", n->line));
    }
}

/* --- the text --- */

static void write_head(writer *w, const se_hlo_program *p)
{
    int64_t replicas = se_hlo_options_of(w->h)->replicas;
    se_hlo_write(w->h,
                 "module @sembed attributes {mhlo.num_replicas = %i : i32, mhlo.num_partitions = 1 "
                 ": i32} {\n  func.func public @main(",
                 replicas);
    for (int i = 0; i < p->n_in; i++) {
        se_hval v = se_hlo_value_of(w->h, &p->in[i].node->type[p->in[i].out]);
        w->value[se_plan_value(w->plan, p->in[i])] = v;
        se_hlo_write(w->h, "%s%v: %t", i ? ", " : "", &v, &v);
        for (int k = 0; k < p->n_out; k++)
            if (p->donates[k] == i)
                se_hlo_write(w->h, " {tf.aliasing_output = %i : i32}", (int64_t)k);
    }
    se_hlo_write(w->h, ") -> (");
    for (int k = 0; k < p->n_out; k++) {
        const se_type *t = &p->out[k].node->type[p->out[k].out];
        se_hval v = {.dtype = t->dtype, .rank = t->rank};
        memcpy(v.dim, t->dim, sizeof t->dim);
        se_hlo_write(w->h, "%s%t", k ? ", " : "", &v);
    }
    se_hlo_write(w->h, ") {\n");
}

static void write_end(writer *w, const se_hlo_program *p)
{
    const char *before[2] = {"    return ", " : "};
    for (int part = 0; part < 2; part++)
        for (int k = 0; k < p->n_out; k++) {
            const se_hval *v = &w->value[se_plan_value(w->plan, p->out[k])];
            se_hlo_write(w->h, part ? "%s%t" : "%s%v", k ? ", " : before[part], v);
        }
    se_hlo_write(w->h, "\n  }\n}\n");
}

static se_status write_text(writer *w, se_hlo_program *p)
{
    const se_plan *plan = w->plan;
    write_head(w, p);
    for (int i = 0; i < plan->n_steps && !w->status; i++)
        if (plan->step[i].run)
            write_node(w, plan->step[i].node, w->value + plan->step[i].value);
    if (!w->status)
        write_end(w, p);
    if (!w->status)
        w->status = se_hlo_status(w->h);
    if (!w->status)
        p->text = se_hlo_text(w->h, &p->length);
    return w->status;
}

static se_status make_lists(const se_plan *plan, se_hlo_program *p)
{
    size_t most = (size_t)plan->n_values + 1;
    p->in = se_malloc(sizeof *p->in * most);
    p->out = se_malloc(sizeof *p->out * most);
    p->donates = se_malloc(sizeof *p->donates * most);
    if (!p->in || !p->out || !p->donates)
        return SE_ERR_MEMORY;
    list_inputs(plan, p);
    list_outputs(plan, p);
    list_donations(plan, p);
    return SE_OK;
}

se_status se_hlo_program_make(const se_plan *plan, const se_hlo_options *o, se_hlo_program *out)
{
    *out = (se_hlo_program){0};
    if (se_real_is_f64())
        return se_fail(SE_ERR_STATE, "program: gradients are checked in double: not on XLA");
    se_status s = make_lists(plan, out);
    writer w = {.plan = plan, .stamp = se_node_stamp()};
    if (!s && out->n_out) {
        w.h = se_hlo_new(o);
        w.value = se_malloc(sizeof *w.value * (size_t)(plan->n_values + 1));
        s = w.h && w.value ? write_text(&w, out) : SE_ERR_MEMORY;
    }
    se_hlo_free(w.h);
    free(w.value);
    free(w.extra);
    if (s)
        se_hlo_program_free(out);
    return s;
}

void se_hlo_program_free(se_hlo_program *p)
{
    free(p->text);
    free(p->in);
    free(p->out);
    free(p->donates);
    *p = (se_hlo_program){0};
}
