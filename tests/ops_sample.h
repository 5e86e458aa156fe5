/* Reads an op's `.sample` (grammar: test_ops.c) and draws tensors for it. */
#ifndef OPS_SAMPLE_H
#define OPS_SAMPLE_H
#define _POSIX_C_SOURCE 200809L /* strtok_r */

#include "node.h"
#include "sembed.h"

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLE_TENSORS = 12, SAMPLE_VALUES = 64 };

typedef struct sample_tensor {
    char name[24];
    se_type type;
    double low, high, value[SAMPLE_VALUES];
    int n_values;
    bool no_grad;
    double *data; /* what was drawn */
} sample_tensor;

typedef struct sample_case {
    char text[512];
    int n_in; /* tensors of the call; in[i] is -1 (left out) or an index into t */
    int in[SAMPLE_TENSORS];
    int n_tensors;
    sample_tensor t[SAMPLE_TENSORS];
    se_attr attr[SE_MAX_ATTRS];
    double tolerance;
    bool grad, rows, expand;
} sample_case;

static uint64_t sample_dice;

static inline double sample_uniform(double low, double high)
{
    sample_dice = sample_dice * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(sample_dice >> 40) / 16777216.0;
}

static inline void sample_read_tensor(sample_tensor *t, const char *word)
{
    char dtype[8] = {0};
    int used = 0;
    if (sscanf(word, "%23[a-z_A-Z0-9]:%7[a-z0-9]%n", t->name, dtype, &used) != 2 ||
        word[used] != '[')
        fail_msg("sample: cannot read '%s'", word);
    t->type = (se_type){.dtype = (uint8_t)se_dtype_of(dtype)};
    const char *p = word + used + 1;
    while (*p != ']') {
        char *end;
        t->type.dim[t->type.rank++] = strtoll(p, &end, 10);
        if (end == p)
            fail_msg("sample: cannot read the sizes of '%s'", word);
        p = *end == 'x' ? end + 1 : end;
    }
    bool whole = t->type.dtype == SE_I32;
    t->low = whole ? 0 : -2;
    t->high = whole ? 3 : 2;
    for (p++; *p;) {
        char *end;
        if (*p == '!') {
            t->no_grad = true;
            p++;
        } else if (*p == '@') {
            const char *dots = strstr(p, ".."); /* strtod would take one of them into "1." */
            char low[32];
            if (!dots || dots - p > (int)sizeof low)
                fail_msg("sample: '%s' has no range LOW..HIGH", word);
            snprintf(low, sizeof low, "%.*s", (int)(dots - p - 1), p + 1);
            t->low = strtod(low, &end);
            t->high = strtod(dots + 2, &end);
            p = end;
        } else if (*p == '=' || *p == ',') {
            t->value[t->n_values++] = strtod(p + 1, &end);
            p = end;
        } else {
            fail_msg("sample: cannot read the end of '%s'", word);
        }
    }
}

static inline void sample_read_attr(const se_op *op, sample_case *c, const char *word)
{
    const se_signature *s = se_op_signature(op);
    const char *value = strchr(word, '=') + 1;
    for (int i = 0; i < s->n_attrs; i++) {
        size_t n = strlen(s->attr[i].name);
        if (strncmp(word, s->attr[i].name, n) != 0 || word[n] != '=')
            continue;
        se_attr *a = &c->attr[i];
        *a = (se_attr){0};
        if (s->attr[i].kind == SE_KIND_DTYPE) {
            a->i = se_dtype_of(value);
        } else if (s->attr[i].kind == SE_KIND_BOOL) {
            a->i = strcmp(value, "true") == 0;
        } else if (*value == '{') {
            for (const char *p = value + 1; *p && *p != '}'; p += *p == ',') {
                char *end;
                a->list[a->n++] = strtoll(p, &end, 10);
                p = end;
            }
        } else {
            a->f = strtod(value, NULL);
            a->i = fabs(a->f) < 9e18 ? (int64_t)a->f : 0;
        }
        return;
    }
    fail_msg("%s: sample: no attribute '%s'", op->name, word);
}

/* Tensors in the order of `args`. */
static inline void sample_order(const se_op *op, sample_case *c)
{
    const se_signature *s = se_op_signature(op);
    const char *p = op->args;
    bool used[SAMPLE_TENSORS] = {false};
    for (int i = 0; i < s->n_tensors; i++) {
        char name[24] = {0};
        int n = 0;
        sscanf(p, " %23[a-z_A-Z0-9]%n", name, &n);
        p += n;
        bool all = *p == '*', found = false;
        p += *p == '?' || *p == '*';
        for (int k = 0; k < c->n_tensors && (all || !found); k++)
            if (!used[k] && strcmp(c->t[k].name, name) == 0) {
                used[k] = found = true;
                c->in[c->n_in++] = k;
            }
        if (!found)
            c->in[c->n_in++] = -1;
    }
    for (int k = 0; k < c->n_tensors; k++)
        if (!used[k])
            fail_msg("%s: sample: no tensor '%s'", op->name, c->t[k].name);
}

/* The next case of *p; false when there is none left. */
static inline bool sample_next(const se_op *op, const char **p, sample_case *c)
{
    const se_signature *s = se_op_signature(op);
    *c = (sample_case){.tolerance = 4e-6, .grad = true, .rows = true, .expand = true};
    while (**p == ' ' || **p == ';')
        (*p)++;
    if (!**p)
        return false;
    size_t length = strcspn(*p, ";");
    if (length >= sizeof c->text)
        fail_msg("%s: sample: a case is too long", op->name);
    memcpy(c->text, *p, length);
    *p += length;
    for (int i = 0; i < s->n_attrs; i++)
        c->attr[i] = s->attr[i].value;
    char copy[sizeof c->text], *rest = NULL;
    strcpy(copy, c->text);
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        if (*w == '~')
            c->tolerance = atof(w + 1);
        else if (strcmp(w, "-grad") == 0)
            c->grad = false;
        else if (strcmp(w, "-rows") == 0)
            c->rows = false;
        else if (strcmp(w, "-expand") == 0)
            c->expand = false;
        else if (strchr(w, '[') && strchr(w, ':'))
            sample_read_tensor(&c->t[c->n_tensors++], w);
        else if (strchr(w, '='))
            sample_read_attr(op, c, w);
        else
            fail_msg("%s: sample: cannot read '%s'", op->name, w);
    }
    sample_order(op, c);
    return true;
}

/* Draws the data of every tensor; f32 values are floats. */
static inline void sample_draw(sample_case *c, uint64_t seed)
{
    sample_dice = seed * 7919 + 12345;
    for (int k = 0; k < c->n_tensors; k++) {
        sample_tensor *t = &c->t[k];
        int64_t n = se_type_count(&t->type);
        free(t->data);
        t->data = calloc((size_t)n + 1, sizeof *t->data);
        for (int64_t i = 0; i < n; i++) {
            double v = sample_uniform(t->low, t->high);
            if (t->n_values)
                v = t->value[i % t->n_values];
            else if (t->type.dtype == SE_BOOL)
                v = v > 0;
            else if (t->type.dtype == SE_I32)
                v = floor(v);
            t->data[i] = t->type.dtype == SE_F32 ? (double)(float)v : v;
        }
    }
}

static inline void sample_free(sample_case *c)
{
    for (int k = 0; k < c->n_tensors; k++)
        free(c->t[k].data);
}

/* --- handles: freed by sample_close, back to where sample_open stood --- */

static se_tensor **sample_held;
static int sample_count, sample_room;

static inline int sample_open(void)
{
    return sample_count;
}

static inline void sample_close(int mark)
{
    while (sample_count > mark)
        se_tensor_free(sample_held[--sample_count]);
    if (!mark) {
        free(sample_held);
        sample_held = NULL;
        sample_room = 0;
    }
}

static inline se_tensor *sample_hold(se_tensor *t)
{
    if (sample_count == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 64;
        sample_held = realloc(sample_held, sizeof *sample_held * (size_t)sample_room);
    }
    if (t)
        sample_held[sample_count++] = t;
    return t;
}

static inline se_status sample_call(const se_op *op, int n, se_tensor *const *in,
                                    const se_attr *attr, int line, se_tensor **out)
{
    se_status s = se_call(op, n, in, attr, "recipe.lua", line, out);
    for (int i = 0; i < se_op_outs(op); i++)
        sample_hold(out[i]);
    return s;
}

/* A leaf with these values (bf16: cut off). */
static inline se_tensor *tensor_of(const se_type *type, const double *x)
{
    se_buf *buf = se_buf_new(type);
    if (!buf)
        fail_msg("%s", se_message());
    for (int64_t i = 0; i < se_type_count(type); i++) {
        float f = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        if (type->dtype == SE_I32)
            ((int32_t *)buf->data)[i] = (int32_t)x[i];
        else if (type->dtype == SE_BOOL)
            ((uint8_t *)buf->data)[i] = x[i] != 0;
        else if (type->dtype == SE_BF16)
            ((uint16_t *)buf->data)[i] = (uint16_t)(bits >> 16);
        else if (se_real_is_f64())
            ((double *)buf->data)[i] = x[i];
        else
            ((float *)buf->data)[i] = f;
    }
    se_tensor *t = NULL;
    if (se_tensor_of_buf(*type, buf, &t))
        fail_msg("%s", se_message());
    return sample_hold(t);
}

/* Element i of data as a double. */
static inline double element_of(const se_type *type, const void *data, int64_t i)
{
    switch (type->dtype) {
    case SE_I32:
        return ((const int32_t *)data)[i];
    case SE_BOOL:
        return ((const uint8_t *)data)[i];
    case SE_BF16: {
        uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
        float f;
        memcpy(&f, &bits, sizeof f);
        return (double)f;
    }
    default:
        return se_real_is_f64() ? ((const double *)data)[i] : (double)((const float *)data)[i];
    }
}

#endif
