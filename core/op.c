#include "op.h"

#include "node.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SE_OP(name) SE_OP_EXTERN(name);
#include "op_table.inc"
#undef SE_OP

static const se_op *const table[] = {
#define SE_OP(name) &se_op_##name,
#include "op_table.inc"
#undef SE_OP
};
enum {
    COUNT = sizeof table / sizeof *table,
    LOADED = 512, /* ops from shared objects, at most */
    SLOTS = 2048
};
static se_signature signatures[COUNT];
static bool parsed;
static struct {
    const se_op *op;
    se_signature *signature;
} loaded[LOADED];
static int n_loaded;

/* --- the table --- */

static void parse_all(void)
{
    char why[256];
    for (int i = 0; i < COUNT; i++)
        if (!se_signature_read(table[i]->args, &signatures[i], why, sizeof why)) {
            fprintf(stderr, "op %s: %s\n", table[i]->name, why);
            SE_BUG("an op's args string is wrong");
        }
    parsed = true;
}

int se_op_count(void)
{
    return COUNT + n_loaded;
}

const se_op *se_op_at(int i)
{
    return i < COUNT ? table[i] : loaded[i - COUNT].op;
}

const se_op *se_op_find(const char *name)
{
    for (int i = 0; i < se_op_count(); i++)
        if (strcmp(se_op_at(i)->name, name) == 0)
            return se_op_at(i);
    return NULL;
}

int se_op_outs(const se_op *op)
{
    return op->n_out ? op->n_out : 1;
}

se_status se_ops_add(int n, const se_op *const *op, const se_signature *signature)
{
    if (n > LOADED - n_loaded)
        return se_fail(SE_ERR_ARG, "%d ops are loaded already, %d are the most", n_loaded, LOADED);
    se_signature *own = se_malloc(sizeof *own * (size_t)n);
    if (!own)
        return SE_ERR_MEMORY;
    memcpy(own, signature, sizeof *own * (size_t)n);
    for (int i = 0; i < n; i++, n_loaded++) {
        loaded[n_loaded].op = op[i];
        loaded[n_loaded].signature = own + i;
    }
    return SE_OK;
}

const char *se_op_known_as(const se_op *op)
{
    return op->of ? op->of : op->name;
}

const se_signature *se_op_signature(const se_op *op)
{
    static struct { /* op -> signature, by address: one look-up for each node that is made */
        const se_op *op;
        const se_signature *signature;
    } slot[SLOTS];
    if (!parsed)
        parse_all();
    size_t h = ((uintptr_t)op >> 4) * 2654435761u % SLOTS;
    while (slot[h].op && slot[h].op != op)
        h = (h + 1) % SLOTS;
    for (int i = 0; i < se_op_count() && !slot[h].op; i++)
        if (se_op_at(i) == op) {
            slot[h].op = op;
            slot[h].signature = i < COUNT ? &signatures[i] : loaded[i - COUNT].signature;
        }
    return slot[h].signature; /* NULL where there is none */
}

/* --- calls for shape rules --- */

se_status se_shape_fail(const se_op *op, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return se_fail(SE_ERR_ARG, "%s: %s", se_op_known_as(op), text);
}

se_status se_shape_like_first(const se_shape *s)
{
    s->out[0] = se_type_make(s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    return SE_OK;
}

se_status se_shape_broadcast(const se_shape *s)
{
    s->out[0] = se_type_make(s->in[0].dtype, s->in[0].rank, s->in[0].dim);
    for (int i = 1; i < s->n_in; i++) {
        char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
        if (!se_type_broadcast(&s->out[0], &s->in[i], &s->out[0]))
            return SE_SHAPE_FAIL(
                s, "shapes do not fit: %s and %s; axes must be equal or 1, from the last",
                se_type_print(&s->out[0], a), se_type_print(&s->in[i], c));
    }
    return SE_OK;
}

static const char *word(const char *p, char *out, size_t room)
{
    size_t n = 0;
    while (isalnum((unsigned char)*p) || *p == '_') {
        if (n + 1 < room)
            out[n++] = *p;
        p++;
    }
    out[n] = 0;
    return p;
}

/* The name of tensor i in `args`. */
static const char *tensor_name(const se_op *op, int i, char *out, size_t room)
{
    const char *p = op->args;
    for (int k = 0;; k++) {
        while (*p == ' ')
            p++;
        p = word(p, out, room);
        if (k == i || *p == '*' || !*p)
            return out;
        while (*p && *p != ' ')
            p++;
    }
}

se_status se_shape_want(const se_shape *s, int i, se_dtype dtype, int rank)
{
    char name[32], type[SE_TYPE_TEXT];
    const se_type *t = &s->in[i];
    if (t->dtype == dtype && (rank < 0 || t->rank == rank))
        return SE_OK;
    tensor_name(s->op, i, name, sizeof name);
    if (rank < 0)
        return SE_SHAPE_FAIL(s, "%s has the wrong type: %s came, %s is wanted", name,
                             se_type_print(t, type), se_dtype_name(dtype));
    return SE_SHAPE_FAIL(s, "%s has the wrong type: %s came, %s with %d %s is wanted", name,
                         se_type_print(t, type), se_dtype_name(dtype), rank,
                         rank == 1 ? "axis" : "axes");
}

se_status se_axis(const se_shape *s, int64_t axis, int rank, int *out)
{
    if (axis >= rank || axis < -rank)
        return SE_SHAPE_FAIL(s, "no axis %lld: the tensor has %d %s",
                             axis < 0 ? (long long)axis : (long long)axis + (axis < INT64_MAX),
                             rank, rank == 1 ? "axis" : "axes");
    *out = (int)(axis < 0 ? axis + rank : axis);
    return SE_OK;
}
