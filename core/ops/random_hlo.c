/* Threefry in StableHLO: the bits are those of kernels/threefry.h, computed with integers. What the
 * kernels compute in double is f64 here. */
#include "ops/random_hlo.h"

#include <string.h>

typedef struct words {
    se_hval a, b;
} words;

/* --- threefry --- */

static se_hval rotated(se_hlo *h, se_hval x, int by)
{
    se_hval left = se_hlo_with(h, "shift_left", x, by);
    se_hval right = se_hlo_with(h, "shift_right_logical", x, 32 - by);
    return se_hlo_binary(h, "or", left, right);
}

static words rounds(se_hlo *h, words w, const int *by)
{
    for (int i = 0; i < 4; i++) {
        w.a = se_hlo_binary(h, "add", w.a, w.b);
        w.b = se_hlo_binary(h, "xor", rotated(h, w.b, by[i]), w.a);
    }
    return w;
}

/* a and b have the same dims; the key is stretched to them. */
static words threefry(se_hlo *h, words key, se_hval a, se_hval b)
{
    static const int by[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    se_hval k[3] = {key.a, key.b};
    k[2] = se_hlo_with(h, "xor", se_hlo_binary(h, "xor", k[0], k[1]), 0x1BD11BDA);
    for (int i = 0; i < 3; i++)
        k[i] = se_hlo_stretch(h, k[i], a.rank, a.dim);
    words w;
    w.a = se_hlo_binary(h, "add", a, k[0]);
    w.b = se_hlo_binary(h, "add", b, k[1]);
    for (int i = 0; i < 5; i++) {
        w = rounds(h, w, by[i % 2]);
        w.a = se_hlo_binary(h, "add", w.a, k[(i + 1) % 3]);
        w.b = se_hlo_binary(h, "add", w.b, se_hlo_with(h, "add", k[(i + 2) % 3], i + 1));
    }
    return w;
}

static se_hval number(se_hlo *h, int64_t v)
{
    return se_hlo_int(h, SE_H_U32, (int64_t)(uint32_t)v);
}

static se_hval unsigned_of(se_hlo *h, se_hval x)
{
    return se_hlo_bits(h, x, SE_H_U32);
}

/* key i32[3] and a place in the model -> the key of that place. */
static words place_key(se_hlo *h, se_hval key, int64_t place)
{
    se_hval part[3];
    for (int i = 0; i < 3; i++)
        part[i] = unsigned_of(h, se_hlo_reshape(h, se_hlo_slice(h, key, 0, i, i + 1, 1), 0, NULL));
    return threefry(h, (words){part[0], part[1]}, part[2], number(h, place));
}

/* The keys of rows 0 to rows - 1, [rows, 1]. */
static words row_keys(se_hlo *h, words key, int64_t rows)
{
    int64_t dim[] = {rows, 1};
    se_hval row = se_hlo_iota(h, SE_H_U32, 2, dim, 0);
    return threefry(h, key, row, se_hlo_like(h, row, 0));
}

/* Words of features: pairs of them, of which f / 2 is the counter, [.., n]; `row` has [.., 1]. */
static se_hval pair_bits(se_hlo *h, words row, se_hval sub, int rank, const int64_t *dim)
{
    int64_t half[SE_H_RANK], each[SE_H_RANK], both[SE_H_RANK];
    memcpy(half, dim, sizeof *dim * (size_t)rank);
    half[rank - 1] = (dim[rank - 1] + 1) / 2;
    memcpy(each, half, sizeof *dim * (size_t)rank);
    memcpy(both, half, sizeof *dim * (size_t)rank);
    each[rank] = 1;
    both[rank - 1] = 2 * half[rank - 1];
    se_hval count = se_hlo_iota(h, SE_H_U32, rank, half, rank - 1);
    words w = threefry(h, row, count, se_hlo_stretch(h, sub, rank, half));
    se_hval pair[2] = {se_hlo_reshape(h, w.a, rank + 1, each)};
    pair[1] = se_hlo_reshape(h, w.b, rank + 1, each);
    se_hval bits = se_hlo_reshape(h, se_hlo_concat(h, 2, pair, rank), rank, both);
    return both[rank - 1] == dim[rank - 1] ? bits
                                           : se_hlo_slice(h, bits, rank - 1, 0, dim[rank - 1], 1);
}

/* The output as rows: [rows, last axis]. */
static void rows_of(const se_type *t, int64_t dim[2])
{
    dim[1] = t->rank ? t->dim[t->rank - 1] : 1;
    dim[0] = 1;
    for (int i = 0; i + 1 < t->rank; i++)
        dim[0] *= t->dim[i];
}

static void give(se_hlo *h, const se_hlo_rule *r, se_hval y)
{
    r->y[0] = se_hlo_reshape(h, y, r->type[0].rank, r->type[0].dim);
}

/* --- dropout --- */

/* x * (kept ? 1 / (1 - rate) : 0) */
static se_hval dropped(se_hlo *h, se_hval x, se_hval bits, double rate)
{
    se_hval least = se_hlo_like(h, bits, (double)(uint32_t)(rate * 4294967296.0));
    se_hval kept = se_hlo_compare(h, "GE", bits, least), scale = se_hlo_like(h, x, 1 / (1 - rate));
    se_hval factor = se_hlo_select(h, kept, scale, se_hlo_like(h, x, 0));
    return se_hlo_binary(h, "multiply", x, factor);
}

/* x key who? starts? */
void se_dropout_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2], column = 0;
    rows_of(&r->type[0], dim);
    se_hval x = se_hlo_reshape(h, r->x[0], 2, dim), starts = r->x[3], text;
    words key = place_key(h, r->x[1], r->attr[1].i), row;
    if (starts.id < 0) {
        row = row_keys(h, key, dim[0]);
    } else {
        text = se_hlo_text_of_row(h, starts, dim[0]);
        se_hval who = se_hlo_take(h, r->x[2], text), first = se_hlo_take(h, starts, text);
        se_hval place = se_hlo_binary(h, "subtract", se_hlo_iota(h, SE_I32, 1, dim, 0), first);
        who = unsigned_of(h, who);
        row = threefry(h, key, who, unsigned_of(h, place));
        row.a = se_hlo_reshape(h, row.a, 2, (int64_t[]){dim[0], 1});
        row.b = se_hlo_reshape(h, row.b, 2, (int64_t[]){dim[0], 1});
    }
    se_hval bits = pair_bits(h, row, number(h, 0), 2, dim);
    se_hval y = dropped(h, x, bits, r->attr[0].f);
    if (starts.id >= 0) {
        se_hval inside = se_hlo_compare_with(h, "LT", text, (double)(starts.dim[0] - 1));
        inside = se_hlo_spread(h, inside, 2, dim, &column);
        y = se_hlo_select(h, inside, y, se_hlo_like(h, y, 0));
    }
    give(h, r, y);
}

/* p [n, heads, queries, keys] key who */
void se_dropout_grid_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const int64_t *dim = r->type[0].dim;
    int64_t grid[] = {dim[0], dim[2]}, row_dim[] = {dim[0], 1, dim[2], 1}, first = 0;
    words key = place_key(h, r->x[1], r->attr[1].i);
    se_hval who = se_hlo_spread(h, unsigned_of(h, r->x[2]), 2, grid, &first);
    words row = threefry(h, key, who, se_hlo_iota(h, SE_H_U32, 2, grid, 1));
    row.a = se_hlo_reshape(h, row.a, 4, row_dim);
    row.b = se_hlo_reshape(h, row.b, 4, row_dim);
    int64_t heads[] = {1, dim[1], 1, 1};
    se_hval sub = se_hlo_with(h, "add", se_hlo_iota(h, SE_H_U32, 4, heads, 1), 1);
    se_hval bits = pair_bits(h, row, sub, 4, dim);
    r->y[0] = dropped(h, r->x[0], bits, r->attr[0].f);
}

/* --- uniform, normal --- */

static se_hval draw_pairs(se_hlo *h, const se_hlo_rule *r, words *both, int64_t dim[2])
{
    rows_of(&r->type[0], dim);
    words row = row_keys(h, place_key(h, r->x[0], r->attr[1].i), dim[0]);
    if (!both)
        return pair_bits(h, row, number(h, 0), 2, dim);
    int64_t half[] = {dim[0], (dim[1] + 1) / 2};
    se_hval count = se_hlo_iota(h, SE_H_U32, 2, half, 1);
    *both = threefry(h, row, count, se_hlo_like(h, count, 0));
    return both->a;
}

void se_uniform_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2];
    se_hval bits = draw_pairs(h, r, NULL, dim);
    bits = se_hlo_with(h, "shift_right_logical", bits, 8);
    give(h, r, se_hlo_with(h, "multiply", se_hlo_convert(h, bits, SE_F32), 0x1p-24));
}

/* Box and Muller's pair of normal numbers of a pair of words, in the dtype. */
static words normal_pair(se_hlo *h, words w, int dtype)
{
    se_hval high = se_hlo_with(h, "shift_right_logical", w.a, 1);
    se_hval u = se_hlo_with(h, "add", se_hlo_convert(h, high, dtype), 0.5);
    u = se_hlo_with(h, "multiply", u, 0x1p-31);
    se_hval turn = se_hlo_with(h, "shift_right_logical", w.b, 8);
    turn = se_hlo_convert(h, turn, dtype);
    se_hval angle = se_hlo_with(h, "multiply", turn, 0x1p-24 * 6.283185307179586477);
    se_hval square = se_hlo_with(h, "multiply", se_hlo_unary(h, "log", u), -2);
    se_hval radius = se_hlo_unary(h, "sqrt", square);
    words y;
    y.a = se_hlo_binary(h, "multiply", radius, se_hlo_unary(h, "cosine", angle));
    y.b = se_hlo_binary(h, "multiply", radius, se_hlo_unary(h, "sine", angle));
    return y;
}

void se_normal_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2];
    words w;
    draw_pairs(h, r, &w, dim);
    words y = normal_pair(h, w, SE_F32);
    int64_t half = (dim[1] + 1) / 2, each[] = {dim[0], half, 1}, all[] = {dim[0], 2 * half};
    se_hval pair[2] = {se_hlo_reshape(h, y.a, 3, each)};
    pair[1] = se_hlo_reshape(h, y.b, 3, each);
    se_hval both = se_hlo_reshape(h, se_hlo_concat(h, 2, pair, 2), 2, all);
    give(h, r, se_hlo_slice(h, both, 1, 0, dim[1], 1));
}

/* --- draws of 64 bits --- */

/* Words (i, 0) of each element. */
static words draw_each(se_hlo *h, se_hval key, int64_t place, const int64_t dim[2])
{
    words row = row_keys(h, place_key(h, key, place), dim[0]);
    se_hval count = se_hlo_iota(h, SE_H_U32, 2, dim, 1);
    return threefry(h, row, count, se_hlo_like(h, count, 0));
}

/* Whole numbers below n <= 2^32, u64: as in the kernel. */
static se_hval below(se_hlo *h, words w, se_hval n)
{
    se_hval a = se_hlo_binary(h, "multiply", se_hlo_convert(h, w.a, SE_H_U64), n);
    se_hval b = se_hlo_binary(h, "multiply", se_hlo_convert(h, w.b, SE_H_U64), n);
    b = se_hlo_with(h, "shift_right_logical", b, 32);
    return se_hlo_with(h, "shift_right_logical", se_hlo_binary(h, "add", a, b), 32);
}

/* bits < p * 2^64: the upper 32 bits of p * 2^64 and the lower ones, both exact in f32. */
void se_bernoulli_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2];
    rows_of(&r->type[0], dim);
    words w = draw_each(h, r->x[0], r->attr[1].i, dim);
    se_hval p =
        r->x[1].rank ? se_hlo_reshape(h, r->x[1], 2, dim) : se_hlo_stretch(h, r->x[1], 2, dim);
    se_hval sure = se_hlo_compare_with(h, "GE", p, 1),
            share = se_hlo_with(h, "multiply", p, 0x1p32);
    se_hval upper = se_hlo_unary(h, "floor", se_hlo_select(h, sure, se_hlo_like(h, p, 0), share));
    se_hval lower = se_hlo_with(h, "multiply", se_hlo_binary(h, "subtract", share, upper), 0x1p32);
    lower = se_hlo_select(h, sure, se_hlo_like(h, p, 0), lower);
    upper = se_hlo_convert(h, upper, SE_H_U32);
    lower = se_hlo_convert(h, lower, SE_H_U32);
    se_hval same = se_hlo_compare(h, "EQ", w.a, upper), less = se_hlo_compare(h, "LT", w.b, lower);
    less = se_hlo_binary(h, "and", same, less);
    less = se_hlo_binary(h, "or", se_hlo_compare(h, "LT", w.a, upper), less);
    give(h, r, se_hlo_binary(h, "or", less, sure));
}

void se_integers_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2], low = r->attr[1].i;
    rows_of(&r->type[0], dim);
    words w = draw_each(h, r->x[0], r->attr[3].i, dim);
    se_hval range = se_hlo_fill(h, SE_H_U64, (double)(r->attr[2].i - low), 2, dim);
    se_hval y = se_hlo_convert(h, below(h, w, range), SE_H_I64);
    y = se_hlo_with(h, "add", y, (double)low);
    give(h, r, se_hlo_convert(h, y, SE_I32));
}

/* 53 bits choose a place in the running sums of exp(logit - largest): the number of sums, but the
 * last, that are not above the target. */
void se_draws_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2], c = r->x[1].dim[r->x[1].rank - 1], first[] = {0, 1}, ends[] = {0, 2};
    rows_of(&r->type[0], dim);
    int64_t rows[] = {dim[0], c}, all[] = {dim[0], dim[1], c};
    se_hval x = se_hlo_convert(h, se_hlo_reshape(h, r->x[1], 2, rows), SE_H_F64);
    se_hval most = se_hlo_reduce(h, "maximum", x, 2, se_hlo_lowest(h, SE_H_F64));
    x = se_hlo_binary(h, "subtract", x, se_hlo_spread(h, most, 2, rows, first));
    se_hval sums = se_hlo_unary(h, "exponential", x);
    for (int64_t by = 1; by < c; by *= 2) {
        se_hval part = se_hlo_pad(h, se_hlo_slice(h, sums, 1, 0, c - by, 1), 1, by, 0, 0, 0);
        sums = se_hlo_binary(h, "add", sums, part);
    }
    words w = draw_each(h, r->x[0], r->attr[1].i, dim);
    se_hval a = se_hlo_with(h, "shift_left", se_hlo_convert(h, w.a, SE_H_U64), 32);
    se_hval bits = se_hlo_binary(h, "or", a, se_hlo_convert(h, w.b, SE_H_U64));
    bits = se_hlo_with(h, "shift_right_logical", bits, 11);
    se_hval share = se_hlo_with(h, "multiply", se_hlo_convert(h, bits, SE_H_F64), 0x1p-53);
    se_hval total = se_hlo_stretch(h, se_hlo_slice(h, sums, 1, c - 1, c, 1), 2, dim);
    se_hval target = se_hlo_spread(h, se_hlo_binary(h, "multiply", share, total), 3, all, first);
    se_hval sum = se_hlo_spread(h, sums, 3, all, ends);
    se_hval passed = se_hlo_slice(h, se_hlo_compare(h, "LE", sum, target), 2, 0, c - 1, 1);
    give(h, r, se_hlo_sum(h, se_hlo_convert(h, passed, SE_I32), 4));
}

/* --- loops --- */

/* "%x, %y = while(%a, %b)" with n values of the types of `from`; in: what the regions call them. */
static void begin_while(se_hlo *h, int n, const se_hval *from, se_hval *in, se_hval *out)
{
    for (int i = 0; i < n; i++) {
        in[i] = se_hlo_value_like(h, from[i].dtype, from[i]);
        out[i] = se_hlo_value_like(h, from[i].dtype, from[i]);
    }
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v" : "    %v", &out[i]);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v" : " = \"stablehlo.while\"(%v", &from[i]);
    se_hlo_write(h, ") (");
}

static void begin_region(se_hlo *h, int n, const se_hval *in)
{
    se_hlo_write(h, "{\n");
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v: %t" : "      ^bb0(%v: %t", &in[i], &in[i]);
    se_hlo_write(h, "):\n");
}

static void end_region(se_hlo *h, int n, const se_hval *result)
{
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v" : "    \"stablehlo.return\"(%v", &result[i]);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %t" : ") : (%t", &result[i]);
    se_hlo_write(h, ") -> ()\n    }");
    se_hlo_forget(h);
}

static void end_while(se_hlo *h, int n, const se_hval *from)
{
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < n; i++)
            se_hlo_write(h, i ? ", %t" : part ? ") -> (%t" : ") : (%t", &from[i]);
    se_hlo_write(h, ")\n");
}

static se_hval within(se_hlo *h, se_hval x, double low, double high)
{
    se_hval above = se_hlo_compare_with(h, "GE", x, low);
    return se_hlo_binary(h, "and", above, se_hlo_compare_with(h, "LE", x, high));
}

/* Try k of all elements at once, until each has a number within the bounds. */
void se_truncated_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t dim[2];
    double low = r->attr[1].f, high = r->attr[2].f;
    rows_of(&r->type[0], dim);
    words row = row_keys(h, place_key(h, r->x[0], r->attr[3].i), dim[0]);
    se_hval count = se_hlo_iota(h, SE_H_U32, 2, dim, 1), in[3], out[3];
    se_hval from[3] = {number(h, 0)};
    from[1] = se_hlo_fill(h, SE_H_F64, 0, 2, dim);
    from[2] = se_hlo_fill(h, SE_BOOL, 0, 2, dim);
    begin_while(h, 3, from, in, out);
    begin_region(h, 3, in);
    se_hval all = se_hlo_reduce(h, "and", in[2], 3, se_hlo_number(h, SE_BOOL, 1));
    se_hval more = se_hlo_unary(h, "not", all);
    end_region(h, 1, &more);
    se_hlo_write(h, ", ");
    begin_region(h, 3, in);
    words w = threefry(h, row, count, se_hlo_stretch(h, in[0], 2, dim));
    words y = normal_pair(h, w, SE_H_F64);
    se_hval first = within(h, y.a, low, high), second = within(h, y.b, low, high), next[3];
    se_hval found = se_hlo_select(h, first, y.a, y.b);
    next[0] = se_hlo_with(h, "add", in[0], 1);
    next[1] = se_hlo_select(h, in[2], in[1], found);
    next[2] = se_hlo_binary(h, "or", in[2], se_hlo_binary(h, "or", first, second));
    end_region(h, 3, next);
    end_while(h, 3, from);
    se_hval least = se_hlo_fill(h, SE_F32, low, 2, dim);
    se_hval v = se_hlo_binary(h, "maximum", se_hlo_convert(h, out[1], SE_F32), least);
    give(h, r, se_hlo_binary(h, "minimum", v, se_hlo_fill(h, SE_F32, high, 2, dim)));
}

/* One element of list[n] at i32[] `at`; the list with x there. */
static se_hval read_at(se_hlo *h, se_hval list, se_hval at)
{
    int64_t one = 1;
    se_hval v = se_hlo_value(h, list.dtype, 1, &one);
    se_hlo_write(h, "    %v = stablehlo.dynamic_slice %v, %v, sizes = [1] : (%t, %t) -> %t\n", &v,
                 &list, &at, &list, &at, &v);
    return se_hlo_done(h, v);
}

static se_hval write_at(se_hlo *h, se_hval list, se_hval at, se_hval x)
{
    se_hval v = se_hlo_value_like(h, list.dtype, list);
    se_hlo_write(h, "    %v = stablehlo.dynamic_update_slice %v, %v, %v : (%t, %t, %t) -> %t\n", &v,
                 &list, &x, &at, &list, &x, &at, &v);
    return se_hlo_done(h, v);
}

/* Fisher and Yates, one number after the other. */
void se_permutation_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t n = r->attr[0].i, dim[] = {1, n};
    if (n == 0) {
        r->y[0] = se_hlo_fill(h, SE_I32, 0, 1, &n);
        return;
    }
    words w = draw_each(h, r->x[0], r->attr[1].i, dim);
    se_hval range = se_hlo_with(h, "add", se_hlo_iota(h, SE_H_U64, 2, dim, 1), 1);
    se_hval place = se_hlo_convert(h, below(h, w, range), SE_I32), from[2], in[2], out[2], next[2];
    place = se_hlo_reshape(h, place, 1, &n);
    from[0] = se_hlo_int(h, SE_I32, 0);
    from[1] = se_hlo_fill(h, SE_I32, 0, 1, &n);
    begin_while(h, 2, from, in, out);
    begin_region(h, 2, in);
    se_hval more = se_hlo_compare_with(h, "LT", in[0], (double)n);
    end_region(h, 1, &more);
    se_hlo_write(h, ", ");
    begin_region(h, 2, in);
    int64_t one = 1;
    se_hval at = se_hlo_reshape(h, read_at(h, place, in[0]), 0, NULL);
    se_hval list = write_at(h, in[1], in[0], read_at(h, in[1], at));
    next[0] = se_hlo_with(h, "add", in[0], 1);
    next[1] = write_at(h, list, at, se_hlo_reshape(h, in[0], 1, &one));
    end_region(h, 2, next);
    end_while(h, 2, from);
    r->y[0] = out[1];
}
