#include "xla_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

se_xla se_xla_now;

se_status se_xla_open(const char *path, int devices, bool bf16)
{
    if (se_xla_now.device)
        return se_fail(SE_ERR_STATE, "device: devices are open already");
    char *found = NULL;
    se_status s = path ? SE_OK : se_pjrt_find(&found);
    se_pjrt *device = NULL;
    if (!s)
        s = se_pjrt_open(path ? path : found, devices, &device);
    free(found);
    if (s)
        return s;
    se_xla_now = (se_xla){.device = device, .n = devices, .bf16 = bf16};
    se_xla_now.counts.about = se_pjrt_about(device);
    se_xla_now.counts.kind = se_pjrt_platform(device);
    return SE_OK;
}

int se_xla_devices(void)
{
    return se_xla_now.n;
}

void se_xla_count(se_xla_counts *out)
{
    *out = se_xla_now.counts;
}

/* --- what an op says about values: before the run, where the host has them --- */

static se_status check_node(const se_node *n)
{
    se_type type[SE_MAX_INPUTS];
    const void *in[SE_MAX_INPUTS];
    for (int i = 0; i < n->n_in; i++) {
        se_ref r = n->in[i];
        type[i] = r.node ? r.node->type[r.out] : (se_type){.dtype = SE_NONE};
        in[i] = se_node_data(r);
        if (r.node && !in[i] && type[i].dtype != SE_F32)
            return SE_OK;
    }
    se_task t = {.n_in = n->n_in,
                 .n_out = n->n_out,
                 .in_type = type,
                 .out_type = n->type,
                 .in = in,
                 .attr = n->attr};
    int shards = 1; /* each part on its own */
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i].node && !n->in[i].node->is_number && n->in[i].node->buf[n->in[i].out] &&
            n->in[i].node->buf[n->in[i].out]->shards > shards)
            shards = n->in[i].node->buf[n->in[i].out]->shards;
    for (int part = 0; part < shards; part++) {
        se_status s = n->op->check(&t);
        if (s)
            return se_fail(s, "%s: %s (%s:%d)", se_op_known_as(n->op), se_message(),
                           n->file ? n->file : "-", n->line);
        for (int i = 0; i < n->n_in; i++) {
            se_buf *b =
                in[i] && !n->in[i].node->is_number ? n->in[i].node->buf[n->in[i].out] : NULL;
            if (b && b->shards > 1)
                in[i] = (const char *)in[i] + b->bytes / (size_t)b->shards;
        }
    }
    return SE_OK;
}

/* XLA takes an id out of range for the nearest one. */
static se_status check_values(const se_plan *p)
{
    se_status s = SE_OK;
    for (int i = 0; i < p->n_steps && !s; i++)
        if (p->step[i].run && p->step[i].node->op->check)
            s = check_node(p->step[i].node);
    return s;
}

/* --- arguments and outputs --- */

static se_buf *buf_of(se_ref r)
{
    return r.node->buf[r.out];
}

static se_status arguments(const se_hlo_program *p, se_pjrt_buf **in)
{
    se_copies_trim(256);
    for (int i = 0; i < p->n_in; i++) {
        se_ref r = p->in[i];
        se_copies *c = NULL;
        se_status s;
        if (r.node->is_number) {
            s = se_copies_number(r.node, &c);
        } else {
            s = se_copies_put(buf_of(r), &r.node->type[r.out]);
            c = (se_copies *)buf_of(r)->far;
        }
        if (s)
            return se_fail_prefix(s, "%s:%d: ", r.node->file ? r.node->file : "-", r.node->line);
        for (int k = 0; k < se_xla_now.n; k++)
            in[k * p->n_in + i] = c->on[k];
    }
    return SE_OK;
}

/* Empty copies for all outputs, so that nothing can fail after the run. */
static se_status make_outputs(const se_hlo_program *p, se_copies **made)
{
    for (int k = 0; k < p->n_out; k++) {
        const se_type *t = &p->out[k].node->type[p->out[k].out];
        made[k] = se_copies_new(se_type_bytes(t), t->varying ? se_xla_now.n : 1);
        if (!made[k])
            return SE_ERR_MEMORY;
    }
    return SE_OK;
}

/* The memory of these arguments is the outputs' now: the old values are those that the host still
 * has, if it has them. After a failure they may be lost. */
static bool give_up(const se_hlo_program *p, const se_request *q, bool failed)
{
    bool lost = false;
    for (int k = 0; k < p->n_out; k++) {
        if (p->donates[k] < 0)
            continue;
        se_node *old = p->in[p->donates[k]].node;
        se_copies *c = old->buf[0] ? (se_copies *)old->buf[0]->far : NULL;
        bool there = c != NULL;
        for (int i = 0; there && i < se_xla_now.n; i++)
            there = se_pjrt_buf_there(c->on[i]);
        if (there || !c)
            continue;
        if (old->buf[0]->data) {
            se_buf_drop_far(old->buf[0]);
            continue;
        }
        c->lost = lost = true;
        if (failed)
            continue;
        se_buf_unref(old->buf[0]);
        old->buf[0] = NULL;
        for (int i = 0; i < q->n_pending; i++)
            if (q->pending[i].target_old.node == old) {
                old->overwritten_file = q->pending[i].file;
                old->overwritten_line = q->pending[i].line;
            }
    }
    return lost;
}

typedef struct job {
    se_pjrt_buf **in, **out;
    se_copies **made;
} job;

static se_status prepare(const se_hlo_program *p, job *j)
{
    size_t n = (size_t)se_xla_now.n;
    j->in = se_calloc((size_t)p->n_in * n + 1, sizeof *j->in);
    j->out = se_calloc((size_t)p->n_out * n + 1, sizeof *j->out);
    j->made = se_calloc((size_t)p->n_out + 1, sizeof *j->made);
    if (!j->in || !j->out || !j->made)
        return SE_ERR_MEMORY;
    se_status s = arguments(p, j->in);
    return s ? s : make_outputs(p, j->made);
}

static void job_free(const se_hlo_program *p, job *j)
{
    for (int k = 0; j->made && k < p->n_out; k++)
        if (j->made[k])
            j->made[k]->far.drop(&j->made[k]->far);
    free(j->in);
    free(j->out);
    free(j->made);
}

static bool finite(se_dtype dtype, const void *data, size_t bytes)
{
    const float *x = data;
    bool good = true;
    for (size_t i = 0; dtype == SE_F32 && i < bytes / sizeof *x; i++)
        good &= isfinite(x[i]) != 0;
    return good;
}

static bool is_guard(const se_request *q, se_ref r)
{
    for (int i = 0; i < q->n_guards; i++)
        if (q->guards[i].node == r.node && q->guards[i].out == r.out)
            return true;
    return false;
}

/* Sets *bad where the value is guarded and not finite. */
static se_status look(const se_request *q, se_ref r, se_copies *c, se_ref *bad)
{
    if (bad->node || !is_guard(q, r) || !c->bytes)
        return SE_OK;
    void *data = se_malloc(c->bytes * (size_t)c->shards);
    se_status s = data ? c->far.fetch(&c->far, data) : SE_ERR_MEMORY;
    if (!s && !finite(r.node->type[r.out].dtype, data, c->bytes * (size_t)c->shards))
        *bad = r;
    free(data);
    return s;
}

/* Hands the outputs to the plan's buffers; those that are only guarded go. */
static se_status take_outputs(se_plan *p, const se_hlo_program *program, job *j, se_ref *bad)
{
    se_status status = SE_OK;
    for (int k = 0; k < program->n_out; k++) {
        se_ref r = program->out[k];
        se_copies *c = j->made[k];
        for (int i = 0; i < se_xla_now.n; i++)
            c->on[i] = j->out[i * program->n_out + k];
        se_status s = look(p->request, r, c, bad);
        status = status ? status : s;
        se_buf *b = p->place[p->value[se_plan_value(p, r)].place].buf;
        if (!b)
            continue;
        b->far = &c->far;
        j->made[k] = NULL;
    }
    return status;
}

static se_status run(se_plan *p, const se_hlo_program *program, se_ref *bad)
{
    job j = {0};
    se_pjrt_program *g = NULL;
    se_status s = check_values(p);
    if (!s)
        s = se_xla_program(program, &g);
    if (!s)
        s = prepare(program, &j);
    if (!s && se_interrupt_now())
        s = se_fail(SE_ERR_INTERRUPTED, "interrupted");
    if (!s) {
        s = se_pjrt_run(g, j.in, j.out);
        if (give_up(program, p->request, s != SE_OK) && s)
            s = se_fail(SE_ERR_IO, "%s; parameters that the step had taken over are lost with it",
                        se_message());
        if (!s)
            s = take_outputs(p, program, &j, bad);
    }
    job_free(program, &j);
    return s;
}

/* --- assigns that guards keep from taking place --- */

SE_OP_EXTERN(cast);
SE_OP_EXTERN(is_finite);
SE_OP_EXTERN(logical_not);
SE_OP_EXTERN(sum);
SE_OP_EXTERN(add);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(where);
SE_OP_EXTERN(shard_sum);

/* bool[]: all guarded values are finite, on all shards. */
static se_ref all_finite(se_build *b, const se_request *q)
{
    se_ref total = se_number(b, 0);
    for (int i = 0; i < q->n_guards; i++) {
        if (se_ref_type(q->guards[i])->dtype != SE_F32)
            continue;
        se_ref bad = OP1(b, logical_not, OP1(b, is_finite, q->guards[i]));
        bad = OP(b, sum, ATTRS({.n = 0}, SE_INT(0)), OP(b, cast, ATTRS(SE_INT(SE_F32)), bad));
        const se_type *t = se_ref_type(bad);
        if (t && t->varying)
            bad = OP1(b, shard_sum, bad);
        total = OP2(b, add, total, bad);
    }
    return OP2(b, equal, total, se_number(b, 0));
}

/* A program may take the old values' memory over before anybody has looked at the guards. So each
 * assign becomes "the new value where all guards are finite, else the old one". */
static se_status guard_assigns(se_build *b, const se_request *q, se_pending *pending)
{
    se_ref ok = all_finite(b, q);
    for (int i = 0; i < q->n_pending; i++) {
        pending[i] = q->pending[i];
        pending[i].value = OP3(b, where, ok, q->pending[i].value, q->pending[i].target_old);
    }
    return b->status;
}

/* After a guard has failed: the memory of an old value is in the new one, which equals it. */
static void restore(const se_plan *p)
{
    for (int i = 0; i < p->request->n_pending; i++) {
        const se_pending *a = &p->request->pending[i];
        se_node *old = a->target_old.node;
        if (old->op || old->buf[0])
            continue;
        old->buf[0] = se_buf_ref(p->place[p->value[se_plan_value(p, a->value)].place].buf);
        old->overwritten_file = NULL;
    }
}

static se_status not_finite(const se_request *q, se_ref bad)
{
    char type[SE_TYPE_TEXT];
    const se_node *n = bad.node;
    return se_fail(SE_ERR_NONFINITE, "%s: %s (%s:%d) made a value in %s that is not finite",
                   q->label ? q->label : "eval", n->op ? se_op_known_as(n->op) : "tensor",
                   n->file ? n->file : "-", n->line, se_type_print(&n->type[bad.out], type));
}

static se_status run_request(const se_request *q, se_node **leaf)
{
    se_plan plan;
    double start = se_seconds();
    se_status s = se_plan_make(&plan, q);
    if (s)
        return s;
    double planned = se_seconds();
    se_hlo_program program;
    se_hlo_options options = {.replicas = se_xla_now.n, .bf16 = se_xla_now.bf16};
    se_ref bad = {0};
    s = se_hlo_program_make(&plan, &options, &program);
    if (!s) {
        if (program.n_out)
            s = run(&plan, &program, &bad);
        se_hlo_program_free(&program);
        if (!s && bad.node) {
            restore(&plan);
            s = not_finite(q, bad);
        }
    }
    se_xla_now.counts.nodes = plan.n_steps;
    se_xla_now.counts.plan_seconds = planned - start;
    se_xla_now.counts.run_seconds = se_seconds() - planned;
    if (!s)
        se_plan_commit(&plan, leaf);
    se_plan_free(&plan);
    return s;
}

se_status se_xla_eval(const se_request *request, se_node **leaf)
{
    se_request q = *request;
    q.devices = se_xla_now.n;
    if (!q.n_guards || !q.n_pending)
        return run_request(&q, leaf);
    se_build b = {0};
    se_pending *pending = se_calloc((size_t)q.n_pending, sizeof *pending);
    se_status s = pending ? guard_assigns(&b, &q, pending) : SE_ERR_MEMORY;
    q.pending = pending;
    if (!s)
        s = run_request(&q, leaf);
    if (s)
        b.status = SE_OK; /* the message is the run's, not the builder's */
    se_status built = se_build_finish(&b);
    free(pending);
    return s ? s : built;
}
