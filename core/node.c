#include "node.h"
#include "shard/shard.h"
#include "slab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_id = 1, next_stamp = 1;
static int64_t alive;
static bool prefer_expansion;

void se_prefer_expansion(bool on)
{
    prefer_expansion = on;
}

int64_t se_nodes_alive(void)
{
    return alive;
}

uint64_t se_node_stamp(void)
{
    return next_stamp++;
}

/* --- interned file names --- */

const char *se_intern(const char *text)
{
    static char **names;
    static int count, last;
    if (!text)
        return NULL;
    if (count && strcmp(names[last], text) == 0)
        return names[last];
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0) {
            last = i;
            return names[i];
        }
    char **more = se_realloc(names, sizeof *names * (size_t)(count + 1));
    if (!more)
        return NULL;
    names = more;
    if (!(names[count] = se_strdup(text)))
        return NULL;
    last = count;
    return names[count++];
}

/* --- making --- */

static size_t align8(size_t n)
{
    return (n + 7) / 8 * 8;
}

/* One block holds the node and its arrays. */
static se_node *node_new(const se_op *op, int n_in, int n_out, int n_attrs)
{
    size_t head = align8(sizeof(se_node)), ins = align8(sizeof(se_ref) * (size_t)n_in);
    size_t types = align8(sizeof(se_type) * (size_t)n_out);
    size_t bufs = sizeof(se_buf *) * (size_t)n_out;
    size_t all = head + ins + types + bufs + sizeof(se_attr) * (size_t)n_attrs;
    char *p = se_slab_take(all);
    if (!p)
        return NULL;
    se_node *n = (se_node *)p;
    n->op = op;
    n->refs = 1;
    n->bytes = (int32_t)all;
    n->n_in = (int16_t)n_in;
    n->n_out = (int16_t)n_out;
    n->id = next_id++;
    n->in = (se_ref *)(p + head);
    n->type = (se_type *)(p + head + ins);
    n->buf = (se_buf **)(p + head + ins + types);
    n->attr = (se_attr *)(p + head + ins + types + bufs);
    alive++;
    return n;
}

se_node *se_node_leaf(const se_type *type, se_buf *buf)
{
    se_node *n = node_new(NULL, 0, 1, 0);
    if (!n) {
        se_buf_unref(buf);
        return NULL;
    }
    n->type[0] = *type;
    n->buf[0] = buf;
    n->ran = true;
    return n;
}

/* As cast does it: cut towards 0, 0 for NaN, the nearest i32 for what is too large. */
static int32_t whole_of(double v)
{
    return isnan(v) ? 0 : v <= INT32_MIN ? INT32_MIN : v >= INT32_MAX ? INT32_MAX : (int32_t)v;
}

se_node *se_node_number(double value, se_dtype dtype)
{
    se_node *n = node_new(NULL, 0, 1, 0);
    if (!n)
        return NULL;
    n->type[0] = se_type_scalar(dtype);
    n->is_number = n->ran = true;
    if (dtype == SE_I32)
        n->number.i = whole_of(value);
    else if (se_real_is_f64())
        n->number.d = value;
    else
        n->number.f = (float)value;
    return n;
}

se_node *se_node_ref(se_node *n)
{
    if (n)
        n->refs++;
    return n;
}

void se_node_set_ran(se_node *n)
{
    if (n->ran)
        return;
    n->ran = true;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i].node)
            n->in[i].node->waiting--;
}

void se_node_let_go(se_node *n)
{
    if (!n->kept_for_waiting || n->waiting > 0)
        return;
    for (int i = 0; i < n->n_out; i++) {
        se_buf_unref(n->buf[i]);
        n->buf[i] = NULL;
    }
    n->kept_for_waiting = false;
}

void se_node_only_waited(se_node *n)
{
    n->kept_for_waiting = n->op && n->ran;
    se_node_let_go(n);
}

void se_node_unref(se_node *n)
{
    se_node *list = NULL;
    if (n && --n->refs == 0)
        list = n;
    while (list) {
        se_node *x = list;
        list = x->chain;
        for (int i = 0; i < x->n_in; i++) {
            se_node *in = x->in[i].node;
            if (!in)
                continue;
            if (!x->ran)
                in->waiting--;
            if (--in->refs == 0) {
                in->chain = list;
                list = in;
            } else {
                se_node_let_go(in);
            }
        }
        for (int i = 0; i < x->n_out; i++)
            se_buf_unref(x->buf[i]);
        se_slab_give(x, (size_t)x->bytes);
        alive--;
    }
}

bool se_node_ready(se_ref r)
{
    if (!r.node || r.node->is_number)
        return r.node != NULL;
    const se_buf *b = r.node->buf[r.out];
    return b && (b->data || b->far);
}

bool se_node_is_alias(const se_node *n)
{
    if (!n->op->alias || !n->op->run || se_shard_count() == 1)
        return n->op->alias;
    return !n->in[0].node->type[n->in[0].out].varying;
}

const void *se_node_data(se_ref r)
{
    if (!r.node)
        return NULL;
    if (r.node->is_number)
        return &r.node->number;
    return r.node->buf[r.out] ? r.node->buf[r.out]->data : NULL;
}

/* --- applying an op --- */

/* The common dtype of an op that promotes: bool < i32 < bf16 < f32. A plain number takes the
 * others' dtype, unless it has a fraction and they are integers. */
static se_dtype common_dtype(int n, const se_ref *in)
{
    static const int rank[SE_DTYPES] = {[SE_BOOL] = 0, [SE_I32] = 1, [SE_BF16] = 2, [SE_F32] = 3};
    int best = -1;
    bool fraction = false;
    se_dtype found = SE_F32;
    for (int i = 0; i < n; i++) {
        const se_node *x = in[i].node;
        if (!x)
            continue;
        se_dtype d = x->type[in[i].out].dtype;
        if (x->is_number && d == SE_F32) {
            double v = se_real_is_f64() ? x->number.d : x->number.f;
            fraction |= v != (double)whole_of(v); /* NaN and what is no i32, too */
            continue;
        }
        if (rank[d] > best) {
            best = rank[d];
            found = d;
        }
    }
    if (best < 0 || (fraction && best <= 1))
        return SE_F32;
    bool number_and_bool = false;
    for (int i = 0; i < n; i++)
        number_and_bool |= found == SE_BOOL && in[i].node && in[i].node->is_number;
    return number_and_bool ? SE_I32 : found;
}

SE_OP_EXTERN(cast);
SE_OP_EXTERN(tuple);

/* A new reference to r as dtype; r itself (with one more reference) when it is that already. */
static se_status as_dtype(se_ref r, se_dtype dtype, const char *file, int line, se_ref *out)
{
    se_dtype now = r.node->type[r.out].dtype;
    if (now == dtype) {
        se_node_ref(r.node);
        *out = r;
        return SE_OK;
    }
    if (r.node->is_number && (dtype == SE_I32 || dtype == SE_F32)) {
        double v = now == SE_I32      ? r.node->number.i
                   : se_real_is_f64() ? r.node->number.d
                                      : (double)r.node->number.f;
        *out = (se_ref){se_node_number(v, dtype), 0};
        if (!out->node)
            return SE_ERR_MEMORY;
        out->node->fixed = r.node->fixed;
        return SE_OK;
    }
    return se_node_apply(&se_op_cast, 1, &r, ATTRS(SE_INT(dtype)), file, line, out);
}

/* A node whose output i is input i: it lets the expansion of an op with several outputs stand for
 * one node. */
static se_status make_tuple(int n, const se_ref *y, const char *file, int line, se_ref *out)
{
    se_node *t = node_new(&se_op_tuple, n, n, 0);
    if (!t)
        return SE_ERR_MEMORY;
    t->file = file;
    t->line = line;
    t->refs = n;
    for (int i = 0; i < n; i++) {
        t->in[i] = y[i];
        t->type[i] = y[i].node->type[y[i].out];
        se_node_ref(y[i].node);
        y[i].node->waiting++;
        out[i] = (se_ref){t, i};
    }
    return SE_OK;
}

/* An op from outside may break its promises: that is a message, too. */
static se_status check_expansion(const se_op *op, const se_ref *y, const se_type *wanted)
{
    char a[SE_TYPE_TEXT], b[SE_TYPE_TEXT];
    for (int i = 0; i < se_op_outs(op); i++) {
        if (!y[i].node)
            return se_shape_fail(op, ".expand left output %d empty", i + 1);
        if (!se_shape_same_dims(se_ref_type(y[i]), &wanted[i]))
            return se_shape_fail(op, ".expand gives %s for output %d, .shape said %s",
                                 se_type_print(se_ref_type(y[i]), a), i + 1,
                                 se_type_print(&wanted[i], b));
    }
    return SE_OK;
}

static se_status expand_instead(const se_op *op, int n_in, const se_ref *in, const se_attr *attr,
                                const se_type *wanted, const char *file, int line, se_ref *out)
{
    se_build b = {.file = file, .line = line};
    int outs = se_op_outs(op);
    se_ref y[SE_MAX_OUTPUTS] = {{0}};
    se_op_expanded(&b, op, attr, n_in, in, y);
    if (b.status == SE_OK)
        b.status = check_expansion(op, y, wanted);
    if (b.status == SE_OK && outs > 1) {
        b.status = make_tuple(outs, y, file, line, out);
    } else if (b.status == SE_OK) {
        se_node_ref(y[0].node);
        out[0] = y[0];
    }
    return se_build_finish(&b);
}

static void set_varying(const se_op *op, int n_in, const se_type *in, int n_out, se_type *out)
{
    bool varying = op->varies;
    int64_t rows = 0, local = -1;
    for (int i = 0; i < n_in && !op->replicates; i++)
        if (in[i].dtype != SE_NONE && in[i].varying) {
            varying = true;
            if (!rows && in[i].rows && in[i].rank) {
                rows = in[i].rows;
                local = in[i].dim[0];
            }
        }
    for (int i = 0; i < n_out; i++) {
        out[i].varying = varying;
        if (op->varies || (op->sets_rows && varying))
            continue;
        if (op->rowwise && out[i].rank && out[i].dim[0] == local)
            out[i].rows = rows;
        if (!varying)
            out[i].rows = 0;
    }
    if (varying && op->texts)
        out[0].rows = in[op->texts - 1].rows;
}

/* Sizes that only an op could make: broadcasting a few numbers over huge axes, or an empty tensor
 * of huge axes. After this the product of any of the sizes is an int64_t. */
static se_status check_sizes(const se_op *op, int n_out, const se_type *out)
{
    char text[SE_TYPE_TEXT];
    for (int i = 0; i < n_out; i++) {
        bool fine = out[i].dtype < SE_DTYPES && out[i].rank <= SE_MAX_RANK;
        for (int k = 0; fine && k < out[i].rank; k++)
            fine = out[i].dim[k] >= 0;
        if (!fine)
            return se_shape_fail(op, ".shape gave output %d no type", i + 1);
        if (se_type_span(&out[i]) > SE_MAX_SPAN)
            return se_shape_fail(op, "the sizes of the result multiply to %.3g: %s",
                                 se_type_span(&out[i]), se_type_print(&out[i], text));
    }
    return SE_OK;
}

static bool has_kernel(const se_op *op)
{
    return op->cpu_rows.level[SE_LEVEL_PORTABLE] || op->cpu.level[SE_LEVEL_PORTABLE] || op->run ||
           op->alias;
}

static se_status check_count(const se_op *op, const se_signature *s, int n_in, const se_ref *in)
{
    bool ok = s->variadic ? n_in >= s->n_tensors && n_in <= SE_MAX_INPUTS : n_in == s->n_tensors;
    if (!ok)
        return se_shape_fail(op, "wrong number of tensors: %d came, %d %s wanted", n_in,
                             s->n_tensors, s->variadic ? "or more are" : "are");
    for (int i = 0; i < n_in; i++)
        if (!in[i].node && (i < s->n_required || s->variadic))
            return se_shape_fail(op, "tensor %d is missing", i + 1);
    return SE_OK;
}

/* Brings inputs to the dtypes the op works on. back: outputs are to be converted to bf16 again. */
static se_status convert_inputs(const se_op *op, int n_in, const se_ref *in, const char *file,
                                int line, se_ref *use, bool *back)
{
    bool any_bf16 = false, any_f32 = false;
    for (int i = 0; i < n_in; i++)
        if (in[i].node && !in[i].node->is_number) {
            any_bf16 |= in[i].node->type[in[i].out].dtype == SE_BF16;
            any_f32 |= in[i].node->type[in[i].out].dtype == SE_F32;
        }
    bool convert = any_bf16 && !op->bf16;
    *back = convert && !any_f32;
    se_dtype common = op->promote ? common_dtype(n_in, in) : SE_NONE;
    if ((convert && common == SE_BF16) || (op->floats && (common == SE_I32 || common == SE_BOOL)))
        common = SE_F32;
    for (int i = 0; i < n_in; i++) {
        if (!in[i].node)
            continue;
        se_dtype want = in[i].node->type[in[i].out].dtype;
        if (op->promote)
            want = common;
        else if ((convert && want == SE_BF16) ||
                 (op->floats && (want == SE_I32 || want == SE_BOOL)))
            want = SE_F32;
        se_status s = as_dtype(in[i], want, file, line, &use[i]);
        if (s)
            return s;
    }
    return SE_OK;
}

/* Remembers which views .simplify has put their inputs for: gradients may be asked of one. Two
 * transposes, one of the other, are the input itself. */
static void note_taken(se_node *n, const se_ref *in)
{
    for (int i = 0; i < n->n_in && i < 2; i++) {
        if (!in[i].node || in[i].node == n->in[i].node)
            continue;
        n->taken[i].id = in[i].node->id;
        for (const se_node *v = in[i].node; v != n->in[i].node; v = v->in[0].node)
            n->taken[i].turned = !n->taken[i].turned;
    }
}

static se_status make_node(const se_op *op, int n_in, const se_ref *in, const se_attr *attr,
                           const char *file, int line, se_ref *out)
{
    const se_signature *sig = se_op_signature(op);
    int n_out = se_op_outs(op);
    se_attr own[SE_MAX_ATTRS];
    if (sig->n_attrs)
        memcpy(own, attr, sizeof *own * (size_t)sig->n_attrs);
    se_ref rewritten[SE_MAX_INPUTS];
    memcpy(rewritten, in, sizeof *in * (size_t)n_in);
    if (op->simplify)
        op->simplify(rewritten, own);
    se_type in_type[SE_MAX_INPUTS], out_type[SE_MAX_OUTPUTS] = {{0}};
    for (int i = 0; i < n_in; i++)
        in_type[i] = rewritten[i].node ? rewritten[i].node->type[rewritten[i].out]
                                       : (se_type){.dtype = SE_NONE};
    se_status s = op->shape(&(se_shape){op, n_in, in_type, own, out_type});
    if (!s)
        s = check_sizes(op, n_out, out_type);
    if (s)
        return s;
    set_varying(op, n_in, in_type, n_out, out_type);
    if (op->expand && (!has_kernel(op) || prefer_expansion))
        return expand_instead(op, n_in, rewritten, own, out_type, file, line, out);
    se_node *n = node_new(op, n_in, n_out, sig->n_attrs);
    if (!n)
        return SE_ERR_MEMORY;
    n->file = file;
    n->line = line;
    for (int i = 0; i < n_in; i++) {
        n->in[i] = rewritten[i];
        if (rewritten[i].node) {
            se_node_ref(rewritten[i].node);
            rewritten[i].node->waiting++;
        }
    }
    note_taken(n, in);
    memcpy(n->type, out_type, sizeof *out_type * (size_t)n_out);
    if (sig->n_attrs)
        memcpy(n->attr, own, sizeof *own * (size_t)sig->n_attrs);
    n->refs = n_out;
    for (int i = 0; i < n_out; i++)
        out[i] = (se_ref){n, i};
    return SE_OK;
}

static se_status back_to_bf16(int n, const char *file, int line, se_ref *out)
{
    for (int i = 0; i < n; i++) {
        if (out[i].node->type[out[i].out].dtype != SE_F32)
            continue;
        se_ref r;
        se_status s = as_dtype(out[i], SE_BF16, file, line, &r);
        if (s)
            return s;
        se_node_unref(out[i].node);
        out[i] = r;
    }
    return SE_OK;
}

se_status se_node_apply(const se_op *op, int n_in, const se_ref *in, const se_attr *attr,
                        const char *file, int line, se_ref *out)
{
    const se_signature *sig = se_op_signature(op);
    se_status s = check_count(op, sig, n_in, in);
    if (s)
        return s;
    se_attr defaults[SE_MAX_ATTRS];
    if (!attr) {
        for (int i = 0; i < sig->n_attrs; i++)
            defaults[i] = sig->attr[i].value;
        attr = defaults;
    }
    se_ref use[SE_MAX_INPUTS];
    memset(use, 0, sizeof *use * (size_t)n_in);
    bool back = false;
    s = convert_inputs(op, n_in, in, file, line, use, &back);
    if (!s)
        s = make_node(op, n_in, use, attr, file, line, out);
    for (int i = 0; i < n_in; i++)
        se_node_unref(use[i].node);
    if (!s && back)
        s = back_to_bf16(se_op_outs(op), file, line, out);
    return s;
}
