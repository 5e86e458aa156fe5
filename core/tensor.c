/* Handles on nodes, scopes, pending assigns: what sembed.h offers to Lua. */
#define _GNU_SOURCE
#include "tensor.h"

#include "exec/exec.h"
#include "exec/profile.h"
#include "kernels/isa.h"
#include "slab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_SCOPES = 64 };

static struct {
    se_label *label; /* NULL: none */
    se_tensor *first;
} scope[MAX_SCOPES + 1];
static int depth;
static int64_t handles;
static se_stats stats;

const char *se_version(void)
{
    return SEMBED_VERSION;
}

void se_op_info_of(const se_op *op, se_op_info *out)
{
    *out = (se_op_info){
        op,
        op->name,
        op->doc,
        op->args,
        op->outs,
        se_op_outs(op),
        op->internal,
        op->expand != NULL,
        op->sample,
        (op->grad || op->expand) && !op->overwrites[0],
        op->rowwise && !op->alias,
        op->cpu.level[SE_LEVEL_F64] || op->cpu_rows.level[SE_LEVEL_F64] ||
            (!op->cpu.level[SE_LEVEL_PORTABLE] && !op->cpu_rows.level[SE_LEVEL_PORTABLE])};
}

int32_t se_op_list(void)
{
    return se_op_count();
}

void se_op_describe(int32_t i, se_op_info *out)
{
    se_op_info_of(se_op_at(i), out);
}

/* --- labels --- */

/* A scope's name, shared by the handles that its closing released. */
struct se_label {
    int64_t refs;
    char text[];
};

static se_label *label_new(const char *text)
{
    size_t n = strlen(text) + 1;
    se_label *l = se_malloc(sizeof *l + n);
    if (l) {
        l->refs = 1;
        memcpy(l->text, text, n);
    }
    return l;
}

static se_label *label_ref(se_label *l)
{
    if (l)
        l->refs++;
    return l;
}

static void label_unref(se_label *l)
{
    if (l && --l->refs == 0)
        free(l);
}

/* --- handles --- */

static void list_add(se_tensor *t, int at)
{
    t->scope = at;
    if (!at)
        return;
    t->prev = NULL;
    t->next = scope[at].first;
    if (t->next)
        t->next->prev = t;
    scope[at].first = t;
}

static void list_remove(se_tensor *t)
{
    if (!t->scope)
        return;
    if (t->prev)
        t->prev->next = t->next;
    else
        scope[t->scope].first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->scope = 0;
    t->prev = t->next = NULL;
}

/* A handle that takes over the caller's reference; NULL (reference given back) when memory is out.
 */
static se_tensor *handle_of(se_ref r)
{
    se_tensor *t = se_slab_take(sizeof *t);
    if (!t) {
        se_node_unref(r.node);
        return NULL;
    }
    t->ref = r;
    r.node->handles++;
    handles++;
    list_add(t, depth);
    return t;
}

void se_handle_drop(se_tensor *t)
{
    if (!t->ref.node)
        return;
    if (--t->ref.node->handles == 0)
        se_node_only_waited(t->ref.node);
    se_node_unref(t->ref.node);
    t->ref = (se_ref){0};
}

void se_handle_set(se_tensor *t, se_ref r)
{
    t->ref = r;
    r.node->handles++;
}

/* --- kept handles that have no data yet --- */

static se_tensor **awaited;
static int n_awaited, room_awaited;

int se_awaited(se_tensor *const **list)
{
    *list = awaited;
    return n_awaited;
}

static se_status await(se_tensor *t)
{
    if (t->awaited)
        return SE_OK;
    if (n_awaited == room_awaited) {
        int room = room_awaited ? 2 * room_awaited : 64;
        se_tensor **p = se_realloc(awaited, sizeof *p * (size_t)room);
        if (!p)
            return SE_ERR_MEMORY;
        awaited = p;
        room_awaited = room;
    }
    awaited[n_awaited++] = t;
    t->awaited = n_awaited;
    return SE_OK;
}

static void await_no_more(se_tensor *t)
{
    if (!t->awaited)
        return;
    se_tensor *last = awaited[--n_awaited];
    awaited[t->awaited - 1] = last;
    last->awaited = t->awaited;
    t->awaited = 0;
}

void se_tensor_free(se_tensor *t)
{
    if (!t)
        return;
    await_no_more(t);
    se_pending_forget(t);
    se_handle_drop(t);
    list_remove(t);
    handles--;
    label_unref(t->label);
    se_slab_give(t, sizeof *t);
}

se_status se_handle_alive(const se_tensor *t)
{
    if (!t)
        return se_fail(SE_ERR_ARG, "tensor: none came where one is wanted");
    if (t->ref.node)
        return SE_OK;
    return se_fail(SE_ERR_STATE,
                   "tensor: this one was released when %s ended; use se.keep to keep it",
                   t->label ? t->label->text : "its scope");
}

se_status se_handle_give(se_ref r, se_tensor **out)
{
    *out = r.node ? handle_of(r) : NULL;
    return *out ? SE_OK : SE_ERR_MEMORY;
}

se_status se_tensor_share(se_tensor *t, se_tensor **out)
{
    se_status s = se_handle_alive(t);
    if (s)
        return s;
    se_node_ref(t->ref.node);
    return se_handle_give(t->ref, out);
}

se_status se_tensor_type(const se_tensor *t, se_type *out)
{
    se_status s = se_handle_alive(t);
    if (!s)
        *out = t->ref.node->type[t->ref.out];
    return s;
}

bool se_tensor_released(const se_tensor *t)
{
    return !t || !t->ref.node;
}

bool se_tensor_ready(const se_tensor *t)
{
    return t && se_node_ready(t->ref);
}

/* --- making --- */

static se_status check_shape(int32_t dtype, int32_t rank, const int64_t *dim)
{
    if (dtype < 0 || dtype >= SE_DTYPES)
        return se_fail(SE_ERR_ARG, "tensor: no such dtype: number %d", dtype);
    if (rank < 0 || rank > SE_MAX_RANK)
        return se_fail(SE_ERR_ARG, "tensor: %d axes came, at most %d are possible", rank,
                       SE_MAX_RANK);
    for (int i = 0; i < rank; i++)
        if (dim[i] < 0)
            return se_fail(SE_ERR_ARG, "tensor: a size is negative: axis %d is %lld", i + 1,
                           (long long)dim[i]);
    char text[SE_TYPE_TEXT];
    se_type t = se_type_make((se_dtype)dtype, rank, dim);
    if (se_type_span(&t) > SE_MAX_SPAN)
        return se_fail(SE_ERR_ARG, "tensor: the sizes multiply to %.3g: %s", se_type_span(&t),
                       se_type_print(&t, text));
    return SE_OK;
}

/* Large ones are given back to the system, which lends zeros when they are touched: what is put in
 * the place of zeros first (a run that goes on, in its optimizer) costs nothing. */
static void zero(char *data, size_t bytes)
{
    enum { LARGE = 2 << 20 }; /* a huge page, which se_counted_alloc aligns to */
    size_t lent = bytes / LARGE * LARGE;
    if (lent > 0 && madvise(data, lent, MADV_DONTNEED) != 0)
        lent = 0;
    memset(data + lent, 0, bytes - lent);
}

static void fill(se_buf *buf, const se_type *type, const void *data)
{
    if (!data) {
        zero(buf->data, buf->bytes);
    } else if (type->dtype == SE_F32 && se_real_is_f64()) {
        int64_t n = se_type_count(type) * buf->shards;
        for (int64_t i = 0; i < n; i++)
            ((double *)buf->data)[i] = ((const float *)data)[i];
    } else {
        memcpy(buf->data, data, buf->bytes);
    }
}

static se_status make(int32_t dtype, int32_t rank, const int64_t *dim, int parts, const void *data,
                      se_tensor **out)
{
    *out = NULL;
    se_status s = check_shape(dtype, rank, dim);
    if (s)
        return s;
    se_type type = se_type_make((se_dtype)dtype, rank, dim);
    se_buf *buf = se_buf_new_parts(&type, parts);
    if (!buf) {
        se_buf_name_largest();
        return SE_ERR_MEMORY;
    }
    fill(buf, &type, data);
    return se_handle_give((se_ref){se_node_leaf(&type, buf), 0}, out);
}

se_status se_tensor_make(int32_t dtype, int32_t rank, const int64_t *dim, const void *data,
                         se_tensor **out)
{
    return make(dtype, rank, dim, 1, data, out);
}

se_status se_tensor_make_parts(int32_t dtype, int32_t rank, const int64_t *dim, int32_t parts,
                               const void *data, se_tensor **out)
{
    *out = NULL;
    if (parts < 1)
        return se_fail(SE_ERR_ARG, "tensor: %d parts", parts);
    se_status s = make(dtype, rank, dim, parts, data, out);
    return s ? s : se_tensor_vary(*out, 0);
}

se_status se_tensor_of_buf(se_type type, se_buf *buf, se_tensor **out)
{
    return se_handle_give((se_ref){se_node_leaf(&type, buf), 0}, out);
}

se_status se_tensor_number(double value, se_tensor **out)
{
    return se_handle_give((se_ref){se_node_number(value, SE_F32), 0}, out);
}

void se_tensor_place(se_tensor *t, const char *file, int32_t line)
{
    se_node *n = t ? t->ref.node : NULL;
    if (!n || n->op)
        return;
    n->file = se_intern(file);
    n->line = line;
    if (n->buf[0]) {
        n->buf[0]->file = n->file;
        n->buf[0]->line = line;
    }
}

se_status se_tensor_vary(se_tensor *t, int64_t rows)
{
    se_status s = se_handle_alive(t);
    if (s)
        return s;
    if (t->ref.node->op)
        return se_fail(SE_ERR_ARG, "tensor: only a leaf can be marked as varying");
    if (rows < 0 || rows > (int64_t)1 << 48)
        return se_fail(SE_ERR_ARG, "tensor: it cannot be a part of %lld rows", (long long)rows);
    t->ref.node->type[0].varying = true;
    t->ref.node->type[0].rows = rows;
    return SE_OK;
}

/* What shape rules take for granted about attributes, each by its kind. */
static se_status check_attrs(const se_op *op, const se_attr *attr)
{
    const se_signature *s = se_op_signature(op);
    for (int i = 0; i < s->n_attrs && attr; i++) {
        int kind = s->attr[i].kind;
        if (kind == SE_KIND_BOOL && (uint64_t)attr[i].i > 1)
            return se_shape_fail(op, "%s: %lld came, 0 or 1 is wanted", s->attr[i].name,
                                 (long long)attr[i].i);
        if ((kind == SE_KIND_AXES || kind == SE_KIND_INTS) && (uint32_t)attr[i].n > SE_MAX_RANK)
            return se_shape_fail(op, "%s: %d numbers came, at most %d are possible",
                                 s->attr[i].name, attr[i].n, SE_MAX_RANK);
    }
    return SE_OK;
}

se_status se_call(const se_op *op, int32_t n_in, se_tensor *const *in, const se_attr *attr,
                  const char *file, int32_t line, se_tensor **out)
{
    se_ref x[SE_MAX_INPUTS], y[SE_MAX_OUTPUTS];
    int n_out = se_op_outs(op);
    for (int i = 0; i < n_out; i++)
        out[i] = NULL;
    if (n_in > SE_MAX_INPUTS)
        return se_shape_fail(op, "too many tensors: %d came, at most %d are possible", n_in,
                             SE_MAX_INPUTS);
    for (int i = 0; i < n_in; i++) {
        x[i] = (se_ref){0};
        if (!in[i])
            continue;
        se_status s = se_handle_alive(in[i]);
        if (s)
            return se_fail_prefix(s, "%s: ", op->name);
        x[i] = in[i]->ref;
    }
    se_status s = check_attrs(op, attr);
    if (!s)
        s = se_node_apply(op, n_in, x, attr, se_intern(file), line, y);
    if (s)
        return s;
    for (int i = 0; i < n_out; i++)
        if (se_handle_give(y[i], &out[i]))
            s = SE_ERR_MEMORY;
    return s;
}

/* --- scopes --- */

int32_t se_scope_open(const char *label)
{
    if (depth == MAX_SCOPES)
        se_scope_close(depth); /* a loop that never closes: the innermost ends */
    scope[++depth].first = NULL;
    scope[depth].label = label ? label_new(label) : NULL;
    return depth;
}

void se_scope_close(int32_t to)
{
    for (; depth >= to && depth > 0; depth--) {
        while (scope[depth].first) {
            se_tensor *t = scope[depth].first;
            se_pending_forget(t);
            await_no_more(t);
            t->label = label_ref(scope[depth].label);
            list_remove(t);
            se_handle_drop(t);
        }
        label_unref(scope[depth].label);
    }
}

void se_scope_leave(int32_t to)
{
    for (; depth >= to && depth > 0; depth--) {
        while (scope[depth].first) {
            se_tensor *t = scope[depth].first;
            list_remove(t);
            list_add(t, depth - 1);
        }
        label_unref(scope[depth].label);
    }
}

void se_handle_become_leaf(se_tensor *t)
{
    se_node *n = t->ref.node;
    se_buf *buf = n->op && !n->is_number ? n->buf[t->ref.out] : NULL;
    await_no_more(t);
    if (!buf)
        return;
    se_node *leaf = se_node_leaf(&n->type[t->ref.out], se_buf_ref(buf));
    if (!leaf)
        return; /* it only holds more memory than it needs */
    se_handle_drop(t);
    se_handle_set(t, (se_ref){leaf, 0});
}

se_status se_keep(se_tensor *t)
{
    se_status s = se_handle_alive(t);
    if (s)
        return s;
    int outer = t->scope ? t->scope - 1 : 0;
    if (!se_tensor_ready(t)) {
        s = await(t);
        if (s)
            return s;
    }
    list_remove(t);
    list_add(t, outer);
    if (se_tensor_ready(t))
        se_handle_become_leaf(t);
    return SE_OK;
}

/* --- looking --- */

const char *se_scope_label(void)
{
    return depth && scope[depth].label ? scope[depth].label->text : NULL;
}

void se_stats_plan(int64_t nodes, int64_t arena, double plan_seconds, double run_seconds)
{
    stats.plan_nodes = nodes;
    stats.plan_arena_bytes = arena;
    stats.plan_seconds = plan_seconds;
    stats.run_seconds = run_seconds;
}

void se_stats_read(se_stats *out)
{
    stats.nodes_alive = se_nodes_alive();
    stats.handles_alive = handles;
    stats.arena_bytes = se_cpu_arena_bytes();
    *out = stats;
}

void se_profile_start(void)
{
    se_profile_begin();
}

char *se_profile_table(void)
{
    return se_profile_print();
}

void se_arena_trim(void)
{
    se_cpu_arena_trim();
}

const char *se_isa_used(void)
{
    return se_isa_name(se_isa_level());
}

se_status se_isa_use(const char *name)
{
    for (int i = SE_LEVEL_PORTABLE; i < SE_LEVELS; i++)
        if (strcmp(se_isa_name((se_level)i), name) == 0)
            return se_isa_force((se_level)i);
    return se_fail(SE_ERR_ARG,
                   "isa: no such instruction set: %s came, portable, avx2 or avx512 is wanted",
                   name);
}

se_status se_precision_check(int32_t precision)
{
    return se_isa_computes((se_precision)precision);
}

se_ref se_tensor_ref(const se_tensor *t)
{
    return t->ref;
}
