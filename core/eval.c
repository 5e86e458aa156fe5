/* Pending assigns, guards, evaluation, gradients (declared in sembed.h). */
#include "tensor.h"

#include "exec/xla.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static se_pending *assigns; /* what the executor sees; target[i] beside it */
static se_tensor **targets; /* NULL: the handle was freed meanwhile */
static int n_assigns, room_assigns;
static se_ref *guards;
static int n_guards, room_guards;

void se_pending_forget(se_tensor *t)
{
    for (int i = 0; t->assigned && i < n_assigns; i++)
        if (targets[i] == t)
            targets[i] = NULL;
    t->assigned = false;
}

/* --- assigns --- */

static bool grow(void **list, int n, int *room, size_t size)
{
    if (n < *room)
        return true;
    int more = *room ? 2 * *room : 64;
    void *p = se_realloc(*list, size * (size_t)more);
    if (!p)
        return false;
    *list = p;
    *room = more;
    return true;
}

SE_OP_EXTERN(broadcast_to);

/* A number has no memory of its own to become a parameter's: it is spread over the type. */
static se_status value_of(se_tensor *value, const se_type *type, const char *file, int line,
                          se_ref *out)
{
    if (!value->ref.node->is_number) {
        *out = value->ref;
        se_node_ref(out->node);
        return SE_OK;
    }
    se_attr dims = {.n = type->rank};
    memcpy(dims.list, type->dim, sizeof type->dim);
    return se_node_apply(&se_op_broadcast_to, 1, &value->ref, &dims, file, line, out);
}

static se_status check_assign(const se_tensor *target, const se_tensor *value)
{
    char a[SE_TYPE_TEXT], b[SE_TYPE_TEXT];
    se_status s = se_handle_alive(target);
    if (!s)
        s = se_handle_alive(value);
    if (s)
        return se_fail_prefix(s, "assign: ");
    const se_type *to = &target->ref.node->type[target->ref.out];
    const se_type *from = &value->ref.node->type[value->ref.out];
    if (!value->ref.node->is_number && !se_type_same(to, from))
        return se_fail(SE_ERR_ARG, "assign: the types differ: %s came, %s is wanted",
                       se_type_print(from, a), se_type_print(to, b));
    if (from->varying && !to->varying)
        return se_fail(SE_ERR_ARG,
                       "assign: a varying value cannot become a replicated tensor: sum, mean or "
                       "gather it over the shards first");
    return SE_OK;
}

se_status se_assign(se_tensor *target, se_tensor *value, const char *file, int32_t line)
{
    se_status s = check_assign(target, value);
    if (s)
        return s;
    file = se_intern(file);
    se_ref v;
    s = value_of(value, &target->ref.node->type[target->ref.out], file, line, &v);
    if (s)
        return s;
    int i = 0;
    while (i < n_assigns && targets[i] != target)
        i++;
    if (i == n_assigns) {
        int room = room_assigns;
        if (!grow((void **)&assigns, n_assigns, &room, sizeof *assigns) ||
            !grow((void **)&targets, n_assigns, &room_assigns, sizeof *targets)) {
            se_node_unref(v.node);
            return SE_ERR_MEMORY;
        }
        targets[i] = target;
        target->assigned = true;
        assigns[i].target_old = target->ref; /* the handle's reference moves here */
        target->ref.node->handles--;
        n_assigns++;
    } else {
        target->ref.node->handles--;
        se_node_unref(target->ref.node);
        se_node_unref(assigns[i].value.node);
    }
    assigns[i].value = v; /* one reference here, one in the handle */
    assigns[i].file = file;
    assigns[i].line = line;
    se_node_ref(v.node);
    se_handle_set(target, v);
    return SE_OK;
}

se_status se_guard(se_tensor *t)
{
    se_status s = se_handle_alive(t);
    if (s)
        return s;
    if (!grow((void **)&guards, n_guards, &room_guards, sizeof *guards))
        return SE_ERR_MEMORY;
    se_node_ref(t->ref.node);
    guards[n_guards++] = t->ref;
    return SE_OK;
}

static void forget_guards(void)
{
    for (int i = 0; i < n_guards; i++)
        se_node_unref(guards[i].node);
    n_guards = 0;
}

void se_pending_drop(void)
{
    for (int i = 0; i < n_assigns; i++) {
        se_tensor *t = targets[i];
        if (t) {
            se_handle_drop(t);
            se_handle_set(t, assigns[i].target_old);
        } else {
            se_node_unref(assigns[i].target_old.node);
        }
        se_node_unref(assigns[i].value.node);
    }
    n_assigns = 0;
    forget_guards();
}

/* --- evaluation --- */

static void finish_assigns(se_node **leaf)
{
    for (int i = 0; i < n_assigns; i++) {
        se_tensor *t = targets[i];
        if (t) {
            se_handle_drop(t);
            se_handle_set(t, (se_ref){leaf[i], 0});
        } else {
            se_node_unref(leaf[i]);
        }
        se_node_unref(assigns[i].value.node);
        se_node_unref(assigns[i].target_old.node);
    }
    n_assigns = 0;
    forget_guards();
}

/* Empty leaves for the assigned handles: made before anything runs, so that the commit allocates
 * nothing. */
static se_status make_leaves(se_node ***out)
{
    se_node **leaf = se_calloc((size_t)n_assigns, sizeof *leaf);
    if (!leaf)
        return SE_ERR_MEMORY;
    for (int i = 0; i < n_assigns; i++) {
        se_ref v = assigns[i].value;
        se_type type = v.node->type[v.out];
        if (!(leaf[i] = se_node_leaf(&type, NULL))) {
            for (int k = 0; k < i; k++)
                se_node_unref(leaf[k]);
            free(leaf);
            return SE_ERR_MEMORY;
        }
    }
    *out = leaf;
    return SE_OK;
}

static se_status run_on_devices(const se_request *q, se_node **leaf)
{
    se_xla_counts c;
    se_status s = se_xla_eval(q, leaf);
    se_xla_count(&c);
    se_stats_plan(c.nodes, 0, c.plan_seconds, c.run_seconds);
    return s;
}

static se_status run(const se_request *q, se_node **leaf)
{
    if (se_xla_devices())
        return run_on_devices(q, leaf);
    se_plan plan;
    double start = se_seconds();
    se_status s = se_plan_make(&plan, q);
    if (s)
        return s;
    double planned = se_seconds();
    s = se_cpu_run(&plan);
    se_stats_plan(plan.n_steps, plan.arena_bytes, planned - start, se_seconds() - planned);
    if (!s)
        se_plan_commit(&plan, leaf);
    se_plan_free(&plan);
    return s;
}

/* Freeing may set messages of its own: the one that matters stays. */
static void drop_pending_quietly(se_status status)
{
    char message[4096];
    snprintf(message, sizeof message, "%s", se_message());
    se_pending_drop();
    se_fail(status, "%s", message);
}

/* What was asked for, and where assigns are carried out what is kept, too. */
static se_status roots_of(int n, se_tensor *const *t, se_ref **roots, int *n_roots)
{
    se_tensor *const *kept;
    int n_kept = n_assigns ? se_awaited(&kept) : 0;
    se_ref *list = se_malloc(sizeof *list * (size_t)(n + n_kept + 1));
    if (!list)
        return SE_ERR_MEMORY;
    *roots = list;
    *n_roots = n + n_kept;
    for (int i = 0; i < n; i++) {
        se_status s = se_handle_alive(t[i]);
        if (s)
            return s;
        list[i] = t[i]->ref;
    }
    for (int i = 0; i < n_kept; i++)
        list[n + i] = kept[i]->ref;
    return SE_OK;
}

/* From the last on: each that goes leaves its place to the last. */
static void kept_become_leaves(void)
{
    se_tensor *const *kept;
    for (int i = se_awaited(&kept) - 1; i >= 0; i--)
        if (se_tensor_ready(kept[i]))
            se_handle_become_leaf(kept[i]);
}

se_status se_eval(int32_t n, se_tensor *const *t)
{
    se_ref *roots = NULL;
    se_node **leaf = NULL;
    int n_roots = 0;
    se_status s = roots_of(n, t, &roots, &n_roots);
    if (!s)
        s = make_leaves(&leaf);
    if (s) {
        free(roots);
        if (s != SE_ERR_MEMORY)
            drop_pending_quietly(s);
        return s;
    }
    se_request q = {.n_roots = n_roots,
                    .n_pending = n_assigns,
                    .n_guards = n_guards,
                    .roots = roots,
                    .pending = assigns,
                    .guards = guards,
                    .label = se_scope_label()};
    s = run(&q, leaf);
    if (s == SE_ERR_MEMORY)
        se_buf_name_largest();
    if (s) {
        for (int i = 0; i < n_assigns; i++)
            se_node_unref(leaf[i]);
        if (s != SE_ERR_MEMORY)
            drop_pending_quietly(s);
    } else {
        finish_assigns(leaf);
        kept_become_leaves();
    }
    free(leaf);
    free(roots);
    return s;
}

se_status se_tensor_data(se_tensor *t, bool varying, const void **data)
{
    *data = NULL;
    se_status s = se_handle_alive(t);
    if (s)
        return s;
    if (t->ref.node->type[t->ref.out].varying && !varying)
        return se_fail(SE_ERR_STATE,
                       "tensor: a varying value cannot be read: it differs between shards; use "
                       "se.shard.sum, mean or gather first");
    if (!se_tensor_ready(t) && (s = se_eval(1, &t)))
        return s;
    t->ref.node->kept_for_waiting = false; /* asked for: it stays while the handle does */
    se_buf *buf = t->ref.node->is_number ? NULL : t->ref.node->buf[t->ref.out];
    if (buf && (s = se_buf_host(buf)))
        return s;
    *data = se_node_data(t->ref);
    return SE_OK;
}

/* --- gradients --- */

static se_status ones_like(se_build *b, se_ref loss, se_ref *out)
{
    const se_type *t = se_ref_type(loss);
    if (t->dtype != SE_F32)
        return se_fail(SE_ERR_ARG, "grad: the loss must be f32: %s came", se_dtype_name(t->dtype));
    se_ref one = se_number(b, 1.0);
    se_attr dims = {.n = t->rank};
    memcpy(dims.list, t->dim, sizeof t->dim);
    *out = t->rank ? OP(b, broadcast_to, &dims, one) : one;
    return b->status;
}

se_status se_grad(se_tensor *loss, int32_t n, se_tensor *const *params, se_tensor **out)
{
    for (int i = 0; i < n; i++)
        out[i] = NULL;
    se_status s = se_handle_alive(loss);
    for (int i = 0; i < n && !s; i++)
        s = se_handle_alive(params[i]);
    if (s)
        return se_fail_prefix(s, "grad: ");
    se_ref *x = se_calloc((size_t)n * 2, sizeof *x), *dx = x + n, seed;
    if (!x)
        return SE_ERR_MEMORY;
    for (int i = 0; i < n; i++)
        x[i] = params[i]->ref;
    se_build b = {.file = loss->ref.node->file, .line = loss->ref.node->line};
    s = ones_like(&b, loss->ref, &seed);
    if (!s) {
        se_grad_walk(&b, 1, &loss->ref, &seed, n, x, dx, false);
        for (int i = 0; i < n && !b.status; i++)
            if (dx[i].node) {
                se_node_ref(dx[i].node);
                if (se_handle_give(dx[i], &out[i]))
                    s = SE_ERR_MEMORY;
            }
    }
    se_status built = se_build_finish(&b);
    free(x);
    return built ? built : s;
}
