/* Runs a plan on the CPU: one node after the other, each split over OpenMP threads in blocks of
 * rows. */
#include "exec.h"

#include "exec/profile.h"
#include "kernels/isa.h"
#include "shard/shard.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    BLOCK_ELEMENTS = 16384
}; /* about what half of a first-level cache and its neighbours like */

static char *arena;
static int64_t arena_room;

int64_t se_cpu_arena_bytes(void)
{
    return arena_room;
}

void se_cpu_arena_trim(void)
{
    se_counted_free(arena, (size_t)arena_room);
    arena = NULL;
    arena_room = 0;
}

/* The arena holds nothing between plans, so it grows by a new block. */
static se_status arena_reach(int64_t bytes)
{
    if (bytes <= arena_room)
        return SE_OK;
    se_cpu_arena_trim();
    if (!(arena = se_counted_alloc((size_t)bytes)))
        return SE_ERR_MEMORY;
    arena_room = bytes;
    return SE_OK;
}

static void *address(const se_plan *p, int32_t value)
{
    const se_place *place = &p->place[p->value[value].place];
    if (place->number)
        return (void *)place->number;
    return place->buf ? place->buf->data : arena + place->offset;
}

/* The task of one node, with room for its arrays. */
typedef struct job {
    se_task task;
    se_type in_type[SE_MAX_INPUTS];
    const void *in[SE_MAX_INPUTS];
    se_buf *leaf[SE_MAX_INPUTS];
    void *out[SE_MAX_OUTPUTS];
} job;

static void prepare(const se_plan *p, const se_step *s, job *j)
{
    const se_node *n = s->node;
    for (int i = 0; i < n->n_in; i++) {
        bool given = n->in[i].node != NULL;
        j->in_type[i] = given ? n->in[i].node->type[n->in[i].out] : (se_type){.dtype = SE_NONE};
        j->in[i] = given ? address(p, se_plan_value(p, n->in[i])) : NULL;
        bool there = given && !p->step[n->in[i].node->slot].run;
        j->leaf[i] = there ? n->in[i].node->buf[n->in[i].out] : NULL;
    }
    for (int i = 0; i < n->n_out; i++)
        j->out[i] = address(p, s->value + i);
    j->task = (se_task){.n_in = n->n_in,
                        .n_out = n->n_out,
                        .in_type = j->in_type,
                        .out_type = n->type,
                        .in = j->in,
                        .leaf = j->leaf,
                        .out = j->out,
                        .attr = n->attr,
                        .scratch = s->scratch >= 0 ? arena + s->scratch : NULL,
                        .scratch_bytes = s->scratch_each};
}

static int64_t split_rows(const se_op *op, const se_type *t)
{
    if (op->split == SE_BY_ELEMENT)
        return se_type_count(t);
    if (op->split == SE_BY_LAST)
        return se_type_rows(t);
    return t->rank ? t->dim[0] : 1;
}

static void run_rows(se_kernel_fn kernel, const se_task *t, int64_t rows)
{
    int64_t each = rows > 0 ? se_type_count(&t->out_type[0]) / rows : 1;
    int64_t block = each > 0 && each < BLOCK_ELEMENTS ? BLOCK_ELEMENTS / each : 1;
    int64_t blocks = (rows + block - 1) / block;
    if (blocks <= 1) {
        if (rows > 0)
            kernel(t, 0, rows);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t b = 0; b < blocks; b++)
        kernel(t, b * block, (b + 1) * block < rows ? (b + 1) * block : rows);
}

static bool all_empty(const se_node *n)
{
    for (int k = 0; k < n->n_out; k++)
        if (se_type_count(&n->type[k]))
            return false;
    return true;
}

static se_status run_step(const se_plan *p, const se_step *s, job *j)
{
    const se_op *op = s->node->op;
    prepare(p, s, j);
    if (se_node_is_alias(s->node)) {
        for (int k = 0; k < s->node->n_out; k++)
            if (j->out[k] != j->in[k])
                memcpy(j->out[k], j->in[k], se_type_bytes(&s->node->type[k]));
        return SE_OK;
    }
    if (op->check) {
        se_status status = op->check(&j->task);
        if (status)
            return se_fail(status, "%s: %s (%s:%d)", se_op_known_as(op), se_message(),
                           s->node->file ? s->node->file : "-", s->node->line);
    }
    if (op->run)
        return op->run(&j->task);
    if (all_empty(s->node)) /* a kernel would go through its 2^40 rows, one after another */
        return SE_OK;
    int64_t rows = split_rows(op, &s->node->type[0]);
    se_kernel_fn whole = se_kernel_pick(&op->cpu);
    if (whole)
        whole(&j->task, 0, rows);
    else
        run_rows(se_kernel_pick(&op->cpu_rows), &j->task, rows);
    return SE_OK;
}

static se_status timed_step(const se_plan *p, const se_step *s, job *j)
{
    if (!se_profile_on())
        return run_step(p, s, j);
    double start = se_seconds();
    se_status status = run_step(p, s, j);
    const se_op *op = s->node->op;
    double seconds = se_seconds() - start;
    if (!status)
        se_profile_add(s->node, seconds, op->work ? op->work(&j->task) : 0);
    return status;
}

/* --- values that are not finite --- */

typedef struct bad_values {
    int64_t nan, inf;
} bad_values;

static bad_values count_bad(const se_type *t, const void *data)
{
    bad_values bad = {0};
    if (t->dtype != SE_F32)
        return bad;
    int64_t n = se_type_count(t);
    for (int64_t i = 0; i < n; i++) {
        double x = se_real_is_f64() ? ((const double *)data)[i] : (double)((const float *)data)[i];
        bad.nan += isnan(x) != 0;
        bad.inf += isinf(x) != 0;
    }
    return bad;
}

/* Runs phase 1 again, looking at every output: the first NaN is to blame, else the first infinity.
 */
static se_status blame(const se_plan *p)
{
    static job j;
    const se_step *first_inf = NULL;
    const char *label = p->request->label ? p->request->label : "eval";
    char type[SE_TYPE_TEXT];
    for (int i = 0; i < p->n_steps && !p->step[i].commit; i++) {
        const se_step *s = &p->step[i];
        if (!s->run)
            continue;
        se_status status = run_step(p, s, &j);
        if (status)
            return status;
        const se_node *n = s->node;
        for (int k = 0; k < n->n_out; k++) {
            bad_values bad = count_bad(&n->type[k], j.out[k]);
            if (bad.nan)
                return se_fail(
                    SE_ERR_NONFINITE, "%s: %s (%s:%d) made %lld NaN of %lld values in %s", label,
                    se_op_known_as(n->op), n->file ? n->file : "-", n->line, (long long)bad.nan,
                    (long long)se_type_count(&n->type[k]), se_type_print(&n->type[k], type));
            if (bad.inf && !first_inf)
                first_inf = s;
        }
    }
    if (first_inf)
        return se_fail(SE_ERR_NONFINITE, "%s: %s (%s:%d) made an infinite value in %s", label,
                       se_op_known_as(first_inf->node->op),
                       first_inf->node->file ? first_inf->node->file : "-", first_inf->node->line,
                       se_type_print(&first_inf->node->type[0], type));
    return se_fail(SE_ERR_NONFINITE, "%s: a guarded value is not finite", label);
}

/* Whether the plan has steps that shards take together. */
static bool is_shared(const se_plan *p)
{
    for (int i = 0; i < p->n_steps && se_shard_many(); i++)
        if (p->step[i].run && p->step[i].node->op->run)
            return true;
    return false;
}

/* Where shards take steps together, all look for the one to blame when one of them has to. */
static se_status check_guards(const se_plan *p)
{
    int64_t all_bad = 0;
    bool shared = p->request->n_guards && is_shared(p);
    for (int i = 0; i < p->request->n_guards && !all_bad; i++) {
        se_ref r = p->request->guards[i];
        bad_values bad = count_bad(&r.node->type[r.out], address(p, se_plan_value(p, r)));
        all_bad = bad.nan + bad.inf > 0;
    }
    bool here = all_bad > 0;
    se_status status = shared ? se_shard_meet("guards", p->request->n_guards, &all_bad) : SE_OK;
    if (status || !all_bad)
        return status;
    status = blame(p);
    se_status told = here ? SE_OK : se_shard_meet("a value that is not finite", 0, NULL);
    return told ? told : status;
}

se_status se_cpu_run(se_plan *p)
{
    static job j; /* large; one thread at a time evaluates */
    se_status status = arena_reach(p->arena_bytes);
    int i = 0;
    for (; i < p->n_steps && !p->step[i].commit && !status; i++) {
        if (!p->step[i].run)
            continue;
        if (se_interrupt_now())
            return se_fail(SE_ERR_INTERRUPTED, "interrupted");
        status = timed_step(p, &p->step[i], &j);
    }
    if (!status)
        status = check_guards(p);
    if (status)
        return status;
    for (; i < p->n_steps; i++)
        if (p->step[i].run && timed_step(p, &p->step[i], &j))
            SE_BUG("a commit node failed");
    return SE_OK;
}
