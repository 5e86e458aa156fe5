/* Reads an op's `args` (declared in node.h). */
#include "node.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"int", "num", "bool", "dtype", "axis", "axes", "ints"};
enum { KINDS = sizeof kinds / sizeof *kinds, WORD = 24 };

typedef struct reader {
    const char *p;
    se_signature *s;
    char (*tensor)[WORD]; /* the names so far, n_tensors of them */
    char *why;
    size_t room;
} reader;

static bool bad(reader *r, const char *format, ...) SE_PRINTF(2, 3);
static bool bad(reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, r->room, format, args);
    va_end(args);
    return false;
}

static bool unreadable(reader *r, const char *at)
{
    return bad(r,
               "args cannot be read at \"%.40s\": tensors first (\"x bias? xs*\"), then attributes "
               "(\"axis:axis=-1\")",
               at);
}

/* Copies letters, digits and _ to out; false where there are none, or more than fit. */
static bool read_word(reader *r, char out[WORD])
{
    const char *start = r->p;
    while (isalnum((unsigned char)*r->p) || *r->p == '_')
        r->p++;
    size_t n = (size_t)(r->p - start);
    if (n == 0)
        return unreadable(r, start);
    if (n >= WORD)
        return bad(r, "args: \"%.*s\" is longer than %d letters", (int)n, start, WORD - 1);
    memcpy(out, start, n);
    out[n] = 0;
    return true;
}

/* {1,2} */
static bool read_list(reader *r, se_attr *value)
{
    const char *start = r->p++;
    while (*r->p != '}') {
        if (value->n == SE_MAX_RANK)
            return bad(r, "args: more than %d numbers in \"%.40s\"", SE_MAX_RANK, start);
        char *end;
        value->list[value->n++] = strtoll(r->p, &end, 10);
        if (end == r->p)
            return unreadable(r, start);
        r->p = *end == ',' ? end + 1 : end;
    }
    r->p++;
    return true;
}

static bool read_number(reader *r, bool whole, se_attr *value)
{
    char *end;
    value->f = strtod(r->p, &end);
    if (end == r->p || (whole && !(fabs(value->f) < 9e18 && floor(value->f) == value->f)))
        return unreadable(r, r->p);
    if (whole)
        value->i = (int64_t)value->f;
    r->p = end;
    return true;
}

/* A default: a number, true, false, a dtype, or a list. */
static bool read_default(reader *r, int kind, se_attr *value)
{
    const char *start = r->p;
    char word[WORD];
    if (kind == SE_KIND_AXES || kind == SE_KIND_INTS)
        return *r->p == '{' ? read_list(r, value) : unreadable(r, start);
    if (kind != SE_KIND_BOOL && kind != SE_KIND_DTYPE)
        return read_number(r, kind != SE_KIND_NUM, value);
    if (!read_word(r, word))
        return false;
    bool yes = strcmp(word, "true") == 0;
    value->i = kind == SE_KIND_BOOL ? yes : (int64_t)se_dtype_of(word);
    bool known = kind == SE_KIND_BOOL ? yes || strcmp(word, "false") == 0 : value->i < SE_DTYPES;
    return known || unreadable(r, start);
}

static bool is_new(reader *r, const char *name)
{
    const se_signature *s = r->s;
    bool known = false;
    for (int i = 0; i < s->n_tensors; i++)
        known |= strcmp(r->tensor[i], name) == 0;
    for (int i = 0; i < s->n_attrs; i++)
        known |= strcmp(s->attr[i].name, name) == 0;
    return !known || bad(r, "args: \"%s\" comes twice", name);
}

static bool read_attribute(reader *r, const char *name)
{
    se_signature *s = r->s;
    char kind[WORD];
    if (s->n_attrs == SE_MAX_ATTRS)
        return bad(r, "args: more than %d attributes", SE_MAX_ATTRS);
    r->p++;
    if (!read_word(r, kind))
        return false;
    int k = 0;
    while (k < KINDS && strcmp(kinds[k], kind) != 0)
        k++;
    if (k == KINDS)
        return bad(r, "args: %s: unknown kind \"%s\": int, num, bool, dtype, axis, axes, ints are",
                   name, kind);
    int i = s->n_attrs++;
    strcpy(s->attr[i].name, name);
    s->attr[i].kind = (uint8_t)k;
    if (*r->p != '=')
        return true;
    s->attr[i].has_default = true;
    r->p++;
    return read_default(r, k, &s->attr[i].value);
}

static bool read_tensor(reader *r, const char *name)
{
    se_signature *s = r->s;
    if (s->n_attrs)
        return bad(r, "args: tensors come first, then attributes: \"%s\" came", name);
    if (s->variadic)
        return bad(r, "args: the tensor with a * must be the last: \"%s\" came", name);
    if (s->n_tensors == SE_MAX_NAMED)
        return bad(r, "args: more than %d tensors", SE_MAX_NAMED);
    strcpy(r->tensor[s->n_tensors++], name);
    bool optional = *r->p == '?';
    s->variadic = *r->p == '*';
    r->p += optional || s->variadic;
    if (optional && s->n_required < 0)
        s->n_required = s->n_tensors - 1;
    if (!optional && !s->variadic && s->n_required >= 0)
        return bad(r, "args: %s comes after a tensor that may be left out", name);
    return true;
}

bool se_signature_read(const char *args, se_signature *s, char *why, size_t room)
{
    char tensor[SE_MAX_NAMED][WORD], name[WORD];
    reader r = {args, s, tensor, why, room};
    memset(s, 0, sizeof *s);
    s->n_required = -1;
    for (r.p += strspn(r.p, " "); *r.p; r.p += strspn(r.p, " ")) {
        const char *start = r.p;
        if (!read_word(&r, name) || !is_new(&r, name))
            return false;
        if (!(*r.p == ':' ? read_attribute(&r, name) : read_tensor(&r, name)))
            return false;
        if (*r.p && *r.p != ' ')
            return unreadable(&r, start);
    }
    if (s->n_required < 0)
        s->n_required = s->n_tensors;
    return true;
}
