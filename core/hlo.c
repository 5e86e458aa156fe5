#include "hlo.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line that was written: where its text after "=" begins, and the value it defines. */
typedef struct line {
    size_t at, length;
    uint64_t hash;
    int32_t id;
} line;

struct se_hlo {
    se_hlo_options options;
    char *text, *message;
    size_t length, room;
    int32_t next;
    se_status status;
    size_t begin; /* of the line that is being written */
    line *line;   /* a hash table; id -1: free */
    size_t n_lines, lines_room;
};

/* --- the writer --- */

se_hlo *se_hlo_new(const se_hlo_options *o)
{
    se_hlo *h = se_calloc(1, sizeof *h);
    if (h)
        h->options = *o;
    return h;
}

void se_hlo_free(se_hlo *h)
{
    if (!h)
        return;
    free(h->text);
    free(h->line);
    free(h->message);
    free(h);
}

const se_hlo_options *se_hlo_options_of(const se_hlo *h)
{
    return &h->options;
}

se_status se_hlo_status(const se_hlo *h)
{
    if (h->status && h->message)
        se_fail(h->status, "%s", h->message);
    return h->status;
}

char *se_hlo_text(se_hlo *h, size_t *length)
{
    char *text = h->text;
    *length = h->length;
    h->text = NULL;
    h->length = h->room = 0;
    return text;
}

static void fail(se_hlo *h, se_status status)
{
    if (h->status)
        return;
    h->status = status;
    h->message = se_strdup(se_message());
}

void se_hlo_fail(se_hlo *h, const se_op *op, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!h->status)
        fail(h, se_shape_fail(op, "%s", text));
}

static void put(se_hlo *h, const char *s, size_t n)
{
    if (h->status)
        return;
    if (h->length + n + 1 > h->room) {
        size_t room = 2 * (h->room + n) + 4096;
        char *more = se_realloc(h->text, room);
        if (!more) {
            fail(h, SE_ERR_MEMORY);
            return;
        }
        h->text = more;
        h->room = room;
    }
    memcpy(h->text + h->length, s, n);
    h->length += n;
    h->text[h->length] = 0;
}

static void put_int(se_hlo *h, int64_t v)
{
    char text[24];
    put(h, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v));
}

static void put_list(se_hlo *h, int n, const int64_t *v)
{
    for (int i = 0; i < n; i++) {
        if (i)
            put(h, ", ", 2);
        put_int(h, v[i]);
    }
}

static const char *const element[SE_H_DTYPES] = {"f32",  "bf16", "i32", "i1",
                                                 "ui32", "ui64", "i64", "f64"};

static void put_type(se_hlo *h, const se_hval *v)
{
    put(h, "tensor<", 7);
    for (int i = 0; i < v->rank; i++) {
        put_int(h, v->dim[i]);
        put(h, "x", 1);
    }
    put(h, element[v->dtype], strlen(element[v->dtype]));
    put(h, ">", 1);
}

void se_hlo_write(se_hlo *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *p = format; *p;) {
        size_t plain = strcspn(p, "%");
        put(h, p, plain);
        p += plain;
        if (!*p)
            break;
        char kind = p[1];
        p += 2;
        if (kind == 's') {
            const char *s = va_arg(args, const char *);
            put(h, s, strlen(s));
        } else if (kind == 'i') {
            put_int(h, va_arg(args, int64_t));
        } else if (kind == 'l') {
            int n = va_arg(args, int);
            put_list(h, n, va_arg(args, const int64_t *));
        } else if (kind == 't') {
            put_type(h, va_arg(args, const se_hval *));
        } else if (kind == 'e') {
            const char *s = element[va_arg(args, const se_hval *)->dtype];
            put(h, s, strlen(s));
        } else if (kind == '%') {
            put(h, "%", 1);
        } else { /* v */
            put(h, "%", 1);
            put_int(h, va_arg(args, const se_hval *)->id);
        }
    }
    va_end(args);
}

se_hval se_hlo_value(se_hlo *h, int dtype, int rank, const int64_t *dim)
{
    if (rank > SE_H_RANK)
        SE_BUG("a value of more axes than SE_H_RANK");
    h->begin = h->length;
    se_hval v = {.id = h->next++, .dtype = (uint8_t)dtype, .rank = (uint8_t)rank};
    for (int i = 0; i < rank; i++)
        v.dim[i] = dim[i];
    return v;
}

se_hval se_hlo_value_like(se_hlo *h, int dtype, se_hval x)
{
    return se_hlo_value(h, dtype, x.rank, x.dim);
}

se_hval se_hlo_value_of(se_hlo *h, const se_type *t)
{
    return se_hlo_value(h, t->dtype, t->rank, t->dim);
}

/* --- lines that were written --- */

static uint64_t hash_of(const char *s, size_t n) /* FNV-1a */
{
    uint64_t x = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        x = (x ^ (unsigned char)s[i]) * 1099511628211u;
    return x;
}

static line *slot_of(const se_hlo *h, const char *text, size_t length, uint64_t hash)
{
    size_t at = hash % h->lines_room;
    for (;; at = (at + 1) % h->lines_room) {
        line *l = &h->line[at];
        if (l->id < 0 ||
            (l->hash == hash && l->length == length && memcmp(h->text + l->at, text, length) == 0))
            return l;
    }
}

void se_hlo_forget(se_hlo *h)
{
    for (size_t i = 0; i < h->lines_room; i++)
        h->line[i].id = -1;
    h->n_lines = 0;
}

static bool more_lines(se_hlo *h)
{
    if (2 * (h->n_lines + 1) <= h->lines_room)
        return true;
    line *old = h->line;
    size_t n = h->lines_room, room = n ? 2 * n : 1024;
    line *more = se_malloc(sizeof *more * room);
    if (!more) {
        fail(h, SE_ERR_MEMORY);
        return false;
    }
    h->line = more;
    h->lines_room = room;
    se_hlo_forget(h);
    for (size_t i = 0; i < n; i++)
        if (old[i].id >= 0) {
            *slot_of(h, h->text + old[i].at, old[i].length, old[i].hash) = old[i];
            h->n_lines++;
        }
    free(old);
    return true;
}

se_hval se_hlo_done(se_hlo *h, se_hval v)
{
    if (h->status || !more_lines(h))
        return v;
    const char *text = strchr(h->text + h->begin, '=');
    size_t length = (size_t)(h->text + h->length - text);
    uint64_t hash = hash_of(text, length);
    line *l = slot_of(h, text, length, hash);
    if (l->id >= 0) {
        v.id = l->id;
        h->length = h->begin;
        h->text[h->length] = 0;
        h->next--;
        return v;
    }
    *l = (line){(size_t)(text - h->text), length, hash, v.id};
    h->n_lines++;
    return v;
}

/* --- constants --- */

static se_hval constant(se_hlo *h, int dtype, const char *text)
{
    se_hval v = se_hlo_value(h, dtype, 0, NULL);
    se_hlo_write(h, "    %v = stablehlo.constant dense<%s> : %t\n", &v, text, &v);
    return se_hlo_done(h, v);
}

static bool is_whole(int dtype)
{
    return dtype == SE_I32 || (dtype >= SE_H_U32 && dtype <= SE_H_I64);
}

se_hval se_hlo_int(se_hlo *h, int dtype, int64_t v)
{
    char text[24];
    if (!is_whole(dtype))
        return se_hlo_number(h, dtype, (double)v);
    snprintf(text, sizeof text, "%lld", (long long)v);
    return constant(h, dtype, text);
}

/* Floats by their bits: no digit is lost, and infinities have no other form. */
se_hval se_hlo_number(se_hlo *h, int dtype, double v)
{
    char text[24];
    float f = (float)v;
    uint32_t single;
    uint64_t bits;
    memcpy(&single, &f, sizeof single);
    memcpy(&bits, &v, sizeof bits);
    if (is_whole(dtype))
        return se_hlo_int(h, dtype, (int64_t)v);
    if (dtype == SE_BOOL)
        return constant(h, dtype, v != 0 ? "true" : "false");
    if (dtype == SE_H_F64) {
        snprintf(text, sizeof text, "0x%016llX", (unsigned long long)bits);
    } else if (dtype == SE_BF16) { /* to nearest even */
        bits = isnan(f) ? 0x7FC0 : (single + 0x7FFF + (single >> 16 & 1)) >> 16;
        snprintf(text, sizeof text, "0x%04X", (unsigned)bits);
    } else {
        snprintf(text, sizeof text, "0x%08X", (unsigned)single);
    }
    return constant(h, dtype, text);
}

se_hval se_hlo_fill(se_hlo *h, int dtype, double v, int rank, const int64_t *dim)
{
    return se_hlo_stretch(h, se_hlo_number(h, dtype, v), rank, dim);
}

se_hval se_hlo_like(se_hlo *h, se_hval x, double v)
{
    return se_hlo_fill(h, x.dtype, v, x.rank, x.dim);
}

se_hval se_hlo_lowest(se_hlo *h, int dtype)
{
    return dtype == SE_I32 ? se_hlo_int(h, dtype, INT32_MIN)
                           : se_hlo_number(h, dtype, dtype == SE_BOOL ? 0 : -(double)INFINITY);
}

se_hval se_hlo_highest(se_hlo *h, int dtype)
{
    return dtype == SE_I32 ? se_hlo_int(h, dtype, INT32_MAX)
                           : se_hlo_number(h, dtype, dtype == SE_BOOL ? 1 : (double)INFINITY);
}

se_hval se_hlo_iota(se_hlo *h, int dtype, int rank, const int64_t *dim, int axis)
{
    se_hval v = se_hlo_value(h, dtype, rank, dim);
    se_hlo_write(h, "    %v = stablehlo.iota dim = %i : %t\n", &v, (int64_t)axis, &v);
    return se_hlo_done(h, v);
}

/* --- elements --- */

se_hval se_hlo_unary(se_hlo *h, const char *name, se_hval x)
{
    se_hval v = se_hlo_value_like(h, x.dtype, x);
    if (strchr(name, '.'))
        se_hlo_write(h, "    %v = %s %v : %t -> %t\n", &v, name, &x, &x, &v);
    else
        se_hlo_write(h, "    %v = stablehlo.%s %v : %t\n", &v, name, &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_binary(se_hlo *h, const char *name, se_hval x, se_hval y)
{
    se_hval v = se_hlo_value_like(h, x.dtype, x);
    se_hlo_write(h, "    %v = stablehlo.%s %v, %v : %t\n", &v, name, &x, &y, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_with(se_hlo *h, const char *name, se_hval x, double v)
{
    return se_hlo_binary(h, name, x, se_hlo_like(h, x, v));
}

se_hval se_hlo_compare(se_hlo *h, const char *way, se_hval x, se_hval y)
{
    se_hval v = se_hlo_value_like(h, SE_BOOL, x);
    bool counts = x.dtype == SE_BOOL || x.dtype == SE_H_U32 || x.dtype == SE_H_U64;
    const char *kind = counts ? "UNSIGNED" : is_whole(x.dtype) ? "SIGNED" : "FLOAT";
    se_hlo_write(h, "    %v = stablehlo.compare %s, %v, %v, %s : (%t, %t) -> %t\n", &v, way, &x, &y,
                 kind, &x, &y, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_compare_with(se_hlo *h, const char *way, se_hval x, double v)
{
    return se_hlo_compare(h, way, x, se_hlo_like(h, x, v));
}

static se_hval chosen(se_hlo *h, const char *way, const char *name, se_hval x, se_hval y)
{
    if (x.dtype != SE_F32)
        return se_hlo_binary(h, name, x, y);
    se_hval better = se_hlo_compare(h, way, x, y), nan = se_hlo_compare(h, "NE", x, x);
    return se_hlo_select(h, se_hlo_binary(h, "or", better, nan), x, y);
}

se_hval se_hlo_larger(se_hlo *h, se_hval x, se_hval y)
{
    return chosen(h, "GT", "maximum", x, y);
}

se_hval se_hlo_smaller(se_hlo *h, se_hval x, se_hval y)
{
    return chosen(h, "LT", "minimum", x, y);
}

se_hval se_hlo_select(se_hlo *h, se_hval cond, se_hval x, se_hval y)
{
    se_hval v = se_hlo_value_like(h, x.dtype, x);
    se_hlo_write(h, "    %v = stablehlo.select %v, %v, %v : %t, %t\n", &v, &cond, &x, &y, &cond,
                 &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_convert(se_hlo *h, se_hval x, int dtype)
{
    if (x.dtype == dtype)
        return x;
    se_hval v = se_hlo_value_like(h, dtype, x);
    se_hlo_write(h, "    %v = stablehlo.convert %v : (%t) -> %t\n", &v, &x, &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_bits(se_hlo *h, se_hval x, int dtype)
{
    se_hval v = se_hlo_value_like(h, dtype, x);
    se_hlo_write(h, "    %v = stablehlo.bitcast_convert %v : (%t) -> %t\n", &v, &x, &x, &v);
    return se_hlo_done(h, v);
}

void se_hlo_named(se_hlo *h, const se_hlo_rule *r)
{
    const se_type *t = &r->type[0];
    se_hval x[2];
    for (int i = 0; i < r->n_in; i++)
        x[i] = se_hlo_stretch(h, r->x[i], t->rank, t->dim);
    r->y[0] = r->n_in == 1 ? se_hlo_unary(h, r->op->hlo_name, x[0])
                           : se_hlo_binary(h, r->op->hlo_name, x[0], x[1]);
}

/* --- shapes --- */

static bool same_dims(const se_hval *x, int rank, const int64_t *dim)
{
    bool same = x->rank == rank;
    for (int i = 0; i < rank && same; i++)
        same = x->dim[i] == dim[i];
    return same;
}

se_hval se_hlo_reshape(se_hlo *h, se_hval x, int rank, const int64_t *dim)
{
    if (same_dims(&x, rank, dim))
        return x;
    se_hval v = se_hlo_value(h, x.dtype, rank, dim);
    se_hlo_write(h, "    %v = stablehlo.reshape %v : (%t) -> %t\n", &v, &x, &x, &v);
    return se_hlo_done(h, v);
}

static int64_t count_of(const se_hval *x)
{
    int64_t n = 1;
    for (int i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

se_hval se_hlo_flat(se_hlo *h, se_hval x)
{
    int64_t n = count_of(&x);
    return se_hlo_reshape(h, x, 1, &n);
}

se_hval se_hlo_spread(se_hlo *h, se_hval x, int rank, const int64_t *dim, const int64_t *at)
{
    se_hval v = se_hlo_value(h, x.dtype, rank, dim);
    se_hlo_write(h, "    %v = stablehlo.broadcast_in_dim %v, dims = [%l] : (%t) -> %t\n", &v, &x,
                 (int)x.rank, at, &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_stretch(se_hlo *h, se_hval x, int rank, const int64_t *dim)
{
    int64_t at[SE_H_RANK];
    if (same_dims(&x, rank, dim))
        return x;
    for (int i = 0; i < x.rank; i++)
        at[i] = rank - x.rank + i;
    return se_hlo_spread(h, x, rank, dim, at);
}

void se_hlo_same(se_hlo *h, const se_hlo_rule *r)
{
    int n = se_op_outs(r->op) > 1 ? r->n_in : 1;
    for (int i = 0; i < n; i++)
        r->y[i] = se_hlo_reshape(h, r->x[i], r->type[i].rank, r->type[i].dim);
}

se_hval se_hlo_permute(se_hlo *h, se_hval x, const int64_t *axes)
{
    int64_t dim[SE_H_RANK];
    for (int i = 0; i < x.rank; i++)
        dim[i] = x.dim[axes[i]];
    se_hval v = se_hlo_value(h, x.dtype, x.rank, dim);
    se_hlo_write(h, "    %v = stablehlo.transpose %v, dims = [%l] : (%t) -> %t\n", &v, &x,
                 (int)x.rank, axes, &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_slice(se_hlo *h, se_hval x, int axis, int64_t start, int64_t stop, int64_t step)
{
    se_hval v = se_hlo_value_like(h, x.dtype, x);
    v.dim[axis] = stop > start ? (stop - start + step - 1) / step : 0;
    se_hlo_write(h, "    %v = stablehlo.slice %v [", &v, &x);
    for (int i = 0; i < x.rank; i++)
        se_hlo_write(h, "%s%i:%i:%i", i ? ", " : "", i == axis ? start : (int64_t)0,
                     i == axis ? (stop > start ? stop : start) : x.dim[i],
                     i == axis ? step : (int64_t)1);
    se_hlo_write(h, "] : (%t) -> %t\n", &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_pad(se_hlo *h, se_hval x, int axis, int64_t before, int64_t after, int64_t between,
                   double v)
{
    int64_t low[SE_H_RANK] = {0}, high[SE_H_RANK] = {0}, inside[SE_H_RANK] = {0}, n = x.dim[axis];
    se_hval fill = se_hlo_number(h, x.dtype, v), y = se_hlo_value_like(h, x.dtype, x);
    y.dim[axis] = before + after + n + (n > 1 ? (n - 1) * between : 0);
    low[axis] = before;
    high[axis] = after;
    inside[axis] = between;
    se_hlo_write(h, "    %v = stablehlo.pad %v, %v, low = [%l], high = [%l], interior = [%l]", &y,
                 &x, &fill, (int)x.rank, low, (int)x.rank, high, (int)x.rank, inside);
    se_hlo_write(h, " : (%t, %t) -> %t\n", &x, &fill, &y);
    return se_hlo_done(h, y);
}

se_hval se_hlo_reverse(se_hlo *h, se_hval x, int axis)
{
    se_hval v = se_hlo_value_like(h, x.dtype, x);
    se_hlo_write(h, "    %v = stablehlo.reverse %v, dims = [%i] : %t\n", &v, &x, (int64_t)axis, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_concat(se_hlo *h, int n, const se_hval *x, int axis)
{
    se_hval v = se_hlo_value_like(h, x[0].dtype, x[0]);
    for (int i = 1; i < n; i++)
        v.dim[axis] += x[i].dim[axis];
    se_hlo_write(h, "    %v = stablehlo.concatenate ", &v);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, "%s%v", i ? ", " : "", &x[i]);
    se_hlo_write(h, ", dim = %i : (", (int64_t)axis);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, "%s%t", i ? ", " : "", &x[i]);
    se_hlo_write(h, ") -> %t\n", &v);
    return se_hlo_done(h, v);
}
