/* Which nodes an eval runs, in which order, and where every value lies. */
#include "exec.h"

#include "kernels/isa.h"

#include <stdlib.h>
#include <string.h>

/* --- 1. the nodes --- */

static bool add(se_plan *p, se_node *n)
{
    if (n->stamp == p->stamp)
        return true;
    if (p->n_steps == p->room) {
        int room = p->room ? 2 * p->room : 256;
        se_step *more = se_realloc(p->step, sizeof *more * (size_t)room);
        if (!more)
            return false;
        p->step = more;
        p->room = room;
    }
    n->stamp = p->stamp;
    n->slot = p->n_steps;
    p->step[p->n_steps++] = (se_step){.node = n, .scratch = -1};
    return true;
}

static se_status lost_leaf(const se_node *n, const se_node *user)
{
    const char *what = user && user->op ? se_op_known_as(user->op) : "eval";
    return se_fail(
        SE_ERR_STATE,
        "%s: needs a value that the assign at %s:%d has overwritten; compute it before that "
        "assign, or se.keep a copy%s%s",
        what, n->overwritten_file ? n->overwritten_file : "-", n->overwritten_line,
        user && user->file ? ", used at " : "", user && user->file ? user->file : "");
}

/* Lists the node of r, and what has to run for it. */
static se_status visit(se_plan *p, se_ref root)
{
    if (!add(p, root.node))
        return SE_ERR_MEMORY;
    int32_t next = p->n_steps - 1;
    if (!se_node_ready(root))
        p->step[root.node->slot].wanted = true;
    if (root.node->slot < next)
        next = root.node->slot;
    for (; next < p->n_steps; next++) {
        se_node *n = p->step[next].node;
        if (!p->step[next].wanted || p->step[next].run)
            continue;
        if (!n->op)
            return lost_leaf(n, NULL);
        p->step[next].run = true;
        int32_t back = next;
        for (int i = 0; i < n->n_in; i++) {
            se_ref in = n->in[i];
            if (!in.node)
                continue;
            if (!add(p, in.node))
                return SE_ERR_MEMORY;
            if (se_node_ready(in))
                continue;
            if (!in.node->op)
                return lost_leaf(in.node, n);
            p->step[in.node->slot].wanted = true;
            if (in.node->slot <= back) /* it was listed as a source; now it has to run */
                back = in.node->slot - 1;
        }
        if (back < next)
            next = back;
    }
    return SE_OK;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const se_step *)a)->node->id, y = ((const se_step *)b)->node->id;
    return x < y ? -1 : x > y;
}

static se_status collect(se_plan *p)
{
    const se_request *q = p->request;
    se_status s = SE_OK;
    p->stamp = se_node_stamp();
    for (int i = 0; i < q->n_roots && !s; i++)
        s = visit(p, q->roots[i]);
    for (int i = 0; i < q->n_pending && !s; i++)
        s = visit(p, q->pending[i].value);
    for (int i = 0; i < q->n_guards && !s; i++)
        s = visit(p, q->guards[i]);
    return s;
}

/* --- 2. the commit nodes: optimizer steps that write over what is assigned --- */

static bool is_pending_value(const se_request *q, const se_node *n)
{
    for (int i = 0; i < q->n_pending; i++)
        if (q->pending[i].value.node == n)
            return true;
    return false;
}

/* Orders by creation, then moves the commit nodes to the end; a commit node has no consumer in the
 * plan. */
static se_status order(se_plan *p)
{
    if (p->n_steps == 0)
        return SE_OK;
    qsort(p->step, (size_t)p->n_steps, sizeof *p->step, by_id);
    bool *used = se_calloc((size_t)p->n_steps, 1);
    se_step *sorted = se_malloc(sizeof *sorted * (size_t)p->n_steps);
    if (!used || !sorted) {
        free(used);
        free(sorted);
        return SE_ERR_MEMORY;
    }
    for (int i = 0; i < p->n_steps; i++)
        p->step[i].node->slot = i;
    for (int i = 0; i < p->n_steps; i++)
        for (int k = 0; p->step[i].run && k < p->step[i].node->n_in; k++)
            if (p->step[i].node->in[k].node)
                used[p->step[i].node->in[k].node->slot] = true;
    int n = 0;
    for (int i = 0; i < p->n_steps; i++) {
        se_step *s = &p->step[i];
        s->commit = s->run && s->node->op->overwrites[0] && !used[i] &&
                    is_pending_value(p->request, s->node);
        if (!s->commit)
            sorted[n++] = *s;
    }
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].commit)
            sorted[n++] = p->step[i];
    free(used);
    free(p->step);
    p->step = sorted;
    for (int i = 0; i < p->n_steps; i++)
        p->step[i].node->slot = i;
    return SE_OK;
}

/* --- 3. how long each value is needed --- */

int32_t se_plan_value(const se_plan *p, se_ref r)
{
    return p->step[r.node->slot].value + r.out;
}

static int alias_input(const se_node *n, int out)
{
    return n->n_out == 1 ? 0 : out;
}

static se_status lifetimes(se_plan *p)
{
    const se_request *q = p->request;
    for (int i = 0; i < p->n_steps; i++) {
        p->step[i].value = p->n_values;
        p->n_values += p->step[i].node->n_out;
    }
    p->value = se_malloc(sizeof *p->value * (size_t)(p->n_values + 1));
    if (!p->value)
        return SE_ERR_MEMORY;
    for (int i = 0; i < p->n_values; i++)
        p->value[i] = (se_value){.place = -1, .last = -1};
    for (int i = 0; i < p->n_steps; i++) {
        const se_node *n = p->step[i].node;
        for (int k = 0; p->step[i].run && k < n->n_in; k++)
            if (n->in[k].node) {
                p->value[se_plan_value(p, n->in[k])].last = i;
                p->step[n->in[k].node->slot].inside += !n->ran;
            }
    }
    for (int i = 0; i < q->n_roots; i++)
        p->value[se_plan_value(p, q->roots[i])].kept = true;
    for (int i = 0; i < q->n_pending; i++)
        p->value[se_plan_value(p, q->pending[i].value)].kept = true;
    for (int i = 0; i < q->n_guards; i++)
        p->value[se_plan_value(p, q->guards[i])].last = INT32_MAX;
    for (int i = p->n_steps; i-- > 0;) {
        se_step *s = &p->step[i];
        const se_node *n = s->node;
        if (s->run && n->waiting > s->inside && !s->commit)
            for (int k = 0; k < n->n_out; k++)
                p->value[s->value + k].kept = true;
        for (int k = 0; s->run && se_node_is_alias(n) && !q->devices && k < n->n_out;
             k++) /* kept: then not in the arena */
            if (p->value[s->value + k].kept)
                p->value[se_plan_value(p, n->in[alias_input(n, k)])].kept = true;
    }
    return SE_OK;
}

/* --- 4. places --- */

static int32_t new_place(se_plan *p, se_place place)
{
    p->place[p->n_places] = place;
    return p->n_places++;
}

static se_buf *make_buf(se_plan *p, const se_node *n, int out)
{
    int devices = p->request->devices, shards = n->type[out].varying ? devices : 1;
    se_buf *b = devices ? se_buf_new_far(&n->type[out], shards) : se_buf_new(&n->type[out]);
    if (!b)
        return NULL;
    b->what = n->op ? se_op_known_as(n->op) : NULL;
    b->file = n->file;
    b->line = n->line;
    return p->made[p->n_made++] = b;
}

static se_status place_sources(se_plan *p, const se_step *s)
{
    se_node *n = s->node;
    for (int k = 0; k < n->n_out; k++) {
        se_place place = {.bytes = (int64_t)se_type_bytes(&n->type[k]), .live = 1};
        if (n->is_number)
            place.number = &n->number;
        else if (n->buf[k])
            place.buf = n->buf[k];
        else
            continue;
        if (place.buf && n->type[k].dtype == SE_F32 &&
            place.buf->bytes != (size_t)place.bytes * (size_t)place.buf->shards)
            return se_fail(SE_ERR_STATE,
                           "eval: a tensor of floats meets doubles, in which gradients are "
                           "checked: make it where it is used (%s:%d)",
                           n->file ? n->file : "-", n->line);
        p->value[s->value + k].place = new_place(p, place);
    }
    return SE_OK;
}

/* The input of a commit node that output `out` may be written over: the assigned handle was the
 * only one on it. */
static se_buf *overwritable(const se_plan *p, const se_step *s, int out)
{
    const se_node *n = s->node;
    int which = n->op->overwrites[out] - 1;
    if (which < 0)
        return NULL;
    se_ref old = n->in[which];
    se_buf *b = old.node->buf[old.out];
    if (old.node->op || old.node->is_number || old.node->handles > 0 || !b || !b->writable ||
        atomic_load(&b->refs) != 1)
        return NULL;
    bool assigned = false;
    for (int i = 0; i < p->request->n_pending; i++) {
        const se_pending *q = &p->request->pending[i];
        if (q->value.node == n && q->value.out == out && q->target_old.node == old.node)
            assigned = true;
    }
    for (int i = p->n_steps; i-- > 0 && p->step[i].commit;) /* another optimizer step may read it */
        for (int k = 0; k < p->step[i].node->n_in; k++)
            if (p->step[i].node->in[k].node == old.node && (p->step[i].node != n || k != which))
                return NULL;
    return assigned ? b : NULL;
}

/* Whether a value is also an input that the kernel reads after it began to write: layer_norm's bias
 * may be its x. */
static bool read_later(const se_plan *p, const se_node *n, int32_t value)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i].node && se_plan_value(p, n->in[i]) == value &&
            (i >= 8 || !(n->op->inplace >> i & 1)))
            return true;
    return false;
}

/* An input whose memory output 0 may take: needed by nobody after this node. */
static int32_t inplace_place(const se_plan *p, int index)
{
    const se_node *n = p->step[index].node;
    for (int i = 0; i < n->n_in && i < 8; i++) {
        if (!(n->op->inplace >> i & 1) || !n->in[i].node)
            continue;
        int32_t value = se_plan_value(p, n->in[i]);
        const se_value *v = &p->value[value];
        const se_place *place = &p->place[v->place];
        if (read_later(p, n, value))
            continue;
        if (n->in[i].node->type[n->in[i].out].dtype != n->type[0].dtype)
            continue; /* elements of another size: one could be written before it is read */
        if (place->arena && place->live == 1 && v->last == index && !v->kept &&
            place->bytes == (int64_t)se_type_bytes(&n->type[0]))
            return v->place;
    }
    return -1;
}

static bool place_output(se_plan *p, se_arena_plan *arena, int index, int k)
{
    se_step *s = &p->step[index];
    const se_node *n = s->node;
    se_value *v = &p->value[s->value + k];
    int64_t bytes = (int64_t)se_type_bytes(&n->type[k]);
    if (se_node_is_alias(n) &&
        !p->request->devices) { /* of a plain number: copied, see se_cpu_run */
        int32_t same = p->value[se_plan_value(p, n->in[alias_input(n, k)])].place;
        if (!p->place[same].number) {
            v->place = same;
            p->place[same].live++;
            return true;
        }
    }
    if (s->commit) {
        se_buf *b = p->request->devices ? NULL : overwritable(p, s, k);
        if (!b && !(b = make_buf(p, n, k)))
            return false;
        v->place = new_place(p, (se_place){.buf = b, .bytes = bytes, .live = 1});
        return true;
    }
    if (v->kept) {
        se_buf *b = make_buf(p, n, k);
        if (!b)
            return false;
        v->place = new_place(p, (se_place){.buf = b, .bytes = bytes, .live = 1});
        return true;
    }
    int32_t reuse = k == 0 ? inplace_place(p, index) : -1;
    if (reuse >= 0) {
        v->place = reuse;
        p->place[reuse].live++;
        return true;
    }
    int64_t offset = se_arena_take(arena, bytes);
    v->place = new_place(p, (se_place){.offset = offset, .bytes = bytes, .live = 1, .arena = true});
    return true;
}

static se_status release(se_plan *p, se_arena_plan *arena, int32_t value, int index)
{
    se_value *v = &p->value[value];
    if (v->place < 0 || v->kept || v->last > index)
        return SE_OK;
    se_place *place = &p->place[v->place];
    if (!place->arena || --place->live > 0)
        return SE_OK;
    return se_arena_give(arena, place->offset, place->bytes);
}

/* Inputs that are read for the last time here, and outputs that nobody reads. */
static se_status release_after(se_plan *p, se_arena_plan *arena, int index)
{
    const se_step *s = &p->step[index];
    const se_node *n = s->node;
    se_status status = SE_OK;
    for (int i = 0; i < n->n_in && !status; i++) {
        bool again = false; /* the same input twice is given back once */
        for (int j = 0; j < i; j++)
            again |= n->in[j].node == n->in[i].node && n->in[j].out == n->in[i].out;
        if (n->in[i].node && !again && p->value[se_plan_value(p, n->in[i])].last == index)
            status = release(p, arena, se_plan_value(p, n->in[i]), index);
    }
    for (int k = 0; k < n->n_out && !status; k++)
        if (p->value[s->value + k].last < 0)
            status = release(p, arena, s->value + k, index);
    return status;
}

static int64_t scratch_bytes(const se_step *s)
{
    const se_node *n = s->node;
    if (!n->op->scratch)
        return 0;
    se_type in[SE_MAX_INPUTS];
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i].node ? n->in[i].node->type[n->in[i].out] : (se_type){.dtype = SE_NONE};
    int64_t bytes = n->op->scratch(&(se_task){
        .n_in = n->n_in, .n_out = n->n_out, .in_type = in, .out_type = n->type, .attr = n->attr});
    return (bytes + 63) / 64 * 64;
}

static se_status places(se_plan *p)
{
    se_arena_plan arena = {0};
    se_status status = SE_OK;
    p->place = se_malloc(sizeof *p->place * (size_t)(p->n_values + 1));
    p->made = se_malloc(sizeof *p->made * (size_t)(p->n_values + 1));
    if (!p->place || !p->made)
        return SE_ERR_MEMORY;
    /* Sources first: a commit node may come before what it overwrites. */
    for (int i = 0; i < p->n_steps && !status; i++)
        if (!p->step[i].run)
            status = place_sources(p, &p->step[i]);
    for (int i = 0; i < p->n_steps && !status; i++) {
        se_step *s = &p->step[i];
        if (!s->run)
            continue;
        for (int k = 0; k < s->node->n_out && !status; k++)
            if (!place_output(p, &arena, i, k))
                status = SE_ERR_MEMORY;
        if (!status && (s->scratch_each = scratch_bytes(s)) > 0) {
            s->scratch = se_arena_take(&arena, s->scratch_each * se_threads());
            status = se_arena_give(&arena, s->scratch, s->scratch_each * se_threads());
        }
        if (!status)
            status = release_after(p, &arena, i);
    }
    p->arena_bytes = arena.top;
    se_arena_plan_free(&arena);
    return status;
}

se_status se_plan_make(se_plan *p, const se_request *request)
{
    *p = (se_plan){.request = request};
    se_status s = collect(p);
    if (!s)
        s = order(p);
    if (!s)
        s = lifetimes(p);
    if (!s)
        s = places(p);
    if (s)
        se_plan_free(p);
    return s;
}

void se_plan_free(se_plan *p)
{
    for (int i = 0; i < p->n_made; i++)
        se_buf_unref(p->made[i]);
    free(p->made);
    free(p->place);
    free(p->value);
    free(p->step);
    *p = (se_plan){0};
}

/* --- 5. afterwards --- */

/* The buffer that holds a kept value, with a new reference. */
static se_buf *buf_of(const se_plan *p, int32_t value)
{
    return se_buf_ref(p->place[p->value[value].place].buf);
}

static void hand_over(se_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        se_step *s = &p->step[i];
        if (!s->run)
            continue;
        bool waits = s->node->waiting > s->inside, asked = false;
        for (int k = 0; k < s->node->n_out; k++)
            if (p->value[s->value + k].kept && !s->commit) {
                se_buf_unref(s->node->buf[k]);
                s->node->buf[k] = buf_of(p, s->value + k);
            }
        for (int k = 0; k < p->request->n_roots; k++)
            asked |= p->request->roots[k].node == s->node;
        s->node->kept_for_waiting = waits && !asked;
        se_node_set_ran(s->node);
    }
}

static void release_waited(se_plan *p)
{
    for (int i = 0; i < p->n_steps; i++)
        se_node_let_go(p->step[i].node);
}

void se_plan_commit(se_plan *p, se_node **leaf)
{
    const se_request *q = p->request;
    hand_over(p);
    for (int i = 0; i < q->n_pending; i++) {
        const se_pending *a = &q->pending[i];
        int32_t v = se_plan_value(p, a->value);
        se_buf *buf = p->place[p->value[v].place].buf;
        se_node *old = a->target_old.node, *value = a->value.node;
        bool over = p->step[value->slot].commit && !old->op && old->buf[0] == buf;
        if (over) {
            se_buf_rewritten(buf);
            leaf[i]->buf[0] = buf; /* the old leaf's reference moves */
            old->buf[0] = NULL;
            old->overwritten_file = a->file;
            old->overwritten_line = a->line;
        } else {
            leaf[i]->buf[0] = se_buf_ref(buf);
        }
        if (p->step[value->slot].commit && !value->buf[a->value.out])
            value->buf[a->value.out] = se_buf_ref(buf);
    }
    release_waited(p);
}
