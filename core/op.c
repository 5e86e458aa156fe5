#include "op.h"

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
enum { COUNT = sizeof table / sizeof *table };
static se_signature signatures[COUNT];
static bool parsed;

/* --- signatures --- */

static _Noreturn void bad_args(const se_op *op, const char *at)
{
    fprintf(stderr, "op %s: args cannot be read at \"%s\"\n", op->name, at);
    SE_BUG("an op's args string is wrong");
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

static int kind_of(const char *name)
{
    static const char *const kinds[] = {"int", "num", "bool", "dtype", "axis", "axes", "ints"};
    for (int i = 0; i < 7; i++)
        if (strcmp(name, kinds[i]) == 0)
            return i;
    return -1;
}

/* Reads a default: a number, true, false, a dtype, or {1,2}. */
static const char *read_default(const se_op *op, const char *p, int kind, se_attr *value)
{
    char text[32];
    if (*p == '{') {
        for (p++; *p != '}';) {
            char *end;
            if (value->n == SE_MAX_RANK)
                bad_args(op, p);
            value->list[value->n++] = strtoll(p, &end, 10);
            if (end == p)
                bad_args(op, p);
            p = *end == ',' ? end + 1 : end;
        }
        return p + 1;
    }
    if (kind == SE_KIND_BOOL || kind == SE_KIND_DTYPE) {
        p = word(p, text, sizeof text);
        value->i = kind == SE_KIND_BOOL ? strcmp(text, "true") == 0 : (int64_t)se_dtype_of(text);
        return p;
    }
    char *end;
    value->f = strtod(p, &end);
    value->i = (int64_t)value->f;
    if (end == p)
        bad_args(op, p);
    return end;
}

static void parse(const se_op *op, se_signature *s)
{
    const char *p = op->args;
    char name[24], kind[16];
    s->n_required = -1;
    while (*p) {
        while (*p == ' ')
            p++;
        if (!*p)
            break;
        const char *start = p;
        p = word(p, name, sizeof name);
        if (*p == ':') {
            if (s->n_attrs == SE_MAX_ATTRS)
                bad_args(op, start);
            p = word(p + 1, kind, sizeof kind);
            int i = s->n_attrs++, k = kind_of(kind);
            if (k < 0)
                bad_args(op, start);
            memcpy(s->attr[i].name, name, sizeof name);
            s->attr[i].kind = (uint8_t)k;
            if (*p == '=') {
                s->attr[i].has_default = true;
                p = read_default(op, p + 1, k, &s->attr[i].value);
            }
        } else {
            s->n_tensors++;
            if (*p == '?') {
                if (s->n_required < 0)
                    s->n_required = s->n_tensors - 1;
                p++;
            } else if (*p == '*') {
                s->variadic = true;
                p++;
            }
        }
        if (*p && *p != ' ')
            bad_args(op, start);
    }
    if (s->n_required < 0)
        s->n_required = s->n_tensors;
}

static void parse_all(void)
{
    for (int i = 0; i < COUNT; i++)
        parse(table[i], &signatures[i]);
    parsed = true;
}

/* --- the table --- */

int se_op_count(void)
{
    return COUNT;
}

const se_op *se_op_at(int i)
{
    return table[i];
}

const se_op *se_op_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

int se_op_outs(const se_op *op)
{
    return op->n_out ? op->n_out : 1;
}

const se_signature *se_op_signature(const se_op *op)
{
    enum { SLOTS = 1024 }; /* op -> signature, by address: one look-up for each node that is made */
    static struct {
        const se_op *op;
        const se_signature *signature;
    } slot[SLOTS];
    if (!parsed)
        parse_all();
    size_t h = ((uintptr_t)op >> 4) * 2654435761u % SLOTS;
    while (slot[h].op && slot[h].op != op)
        h = (h + 1) % SLOTS;
    if (slot[h].op)
        return slot[h].signature;
    for (int i = 0; i < COUNT; i++)
        if (table[i] == op) {
            slot[h].op = op;
            slot[h].signature = &signatures[i];
            return slot[h].signature;
        }
    SE_BUG("an op that is not in all.def");
}

/* --- calls for shape rules --- */

se_status se_shape_fail(const se_op *op, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return se_fail(SE_ERR_ARG, "%s: %s", op->name, text);
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
