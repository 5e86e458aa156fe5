/* Values of elementwise, reduce, shape and gather ops next to plain loops over random shapes: what
 * a result should be, where test_ops asks only whether levels, threads and gradients agree. */
#include "ops_sample.h"

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

typedef struct array {
    se_type type;
    double *x;
} array;

static array array_new(se_dtype dtype, int rank, const int64_t *dim, double low, double high)
{
    array a = {se_type_make(dtype, rank, dim), NULL};
    int64_t n = se_type_count(&a.type);
    a.x = calloc((size_t)n + 1, sizeof *a.x);
    for (int64_t i = 0; i < n; i++) {
        double v = sample_uniform(low, high);
        a.x[i] = dtype == SE_F32 ? (double)(float)v : floor(v);
    }
    return a;
}

static array random_array(se_dtype dtype, int rank)
{
    int64_t dim[SE_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dim[i] = 1 + (int64_t)sample_uniform(0, 5.99);
    return array_new(dtype, rank, dim, dtype == SE_BOOL ? 0 : -4, dtype == SE_BOOL ? 2 : 4);
}

/* Element at index (of a's own axes). */
static double at(const array *a, const int64_t *index)
{
    int64_t i = 0;
    for (int k = 0; k < a->type.rank; k++)
        i = i * a->type.dim[k] + index[k];
    return a->x[i];
}

static void index_of(const se_type *t, int64_t i, int64_t *index)
{
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = i % t->dim[k];
        i /= t->dim[k];
    }
}

/* Calls the op and gives its first output. */
static array run(const char *name, int n, const array *in, const se_attr *attr)
{
    se_tensor *x[4], *out[SE_MAX_OUTPUTS];
    array y;
    const void *data = NULL;
    int scope = sample_open();
    for (int i = 0; i < n; i++)
        x[i] = tensor_of(&in[i].type, in[i].x);
    ok(sample_call(se_op_find(name), n, x, attr, 1, out));
    ok(se_tensor_type(out[0], &y.type));
    ok(se_tensor_data(out[0], true, &data));
    int64_t count = se_type_count(&y.type);
    y.x = calloc((size_t)count + 1, sizeof *y.x);
    for (int64_t i = 0; i < count; i++)
        y.x[i] = element_of(&y.type, data, i);
    sample_close(scope);
    return y;
}

static void near(const char *name, double got, double want, double scale)
{
    if (!(fabs(got - want) <= 3e-7 * scale) && !(isnan(got) && isnan(want)))
        fail_msg("%s: %.9g, wanted %.9g", name, got, want);
}

/* --- broadcasting --- */

static double apply(const char *name, double a, double b, bool whole)
{
    if (strcmp(name, "add") == 0)
        return a + b;
    if (strcmp(name, "sub") == 0)
        return a - b;
    if (strcmp(name, "mul") == 0)
        return a * b;
    if (strcmp(name, "maximum") == 0)
        return fmax(a, b);
    if (strcmp(name, "minimum") == 0)
        return fmin(a, b);
    if (strcmp(name, "less") == 0)
        return a < b;
    if (strcmp(name, "greater_equal") == 0)
        return a >= b;
    if (strcmp(name, "equal") == 0)
        return a == b;
    if (strcmp(name, "logical_and") == 0)
        return a != 0 && b != 0;
    return whole ? floor(a / b) : a / b;
}

/* An operand for `out`: some axes of size 1, some missing in front. */
static array operand_for(const se_type *out, se_dtype dtype)
{
    int64_t dim[SE_MAX_RANK];
    int drop = sample_uniform(0, 1) < 0.3 ? (int)sample_uniform(0, out->rank + 0.99) : 0, rank = 0;
    for (int i = drop; i < out->rank; i++)
        dim[rank++] = sample_uniform(0, 1) < 0.35 ? 1 : out->dim[i];
    return array_new(dtype, rank, dim, -3, 4);
}

static double stretched(const array *a, const se_type *out, const int64_t *index)
{
    int64_t own[SE_MAX_RANK];
    int drop = out->rank - a->type.rank;
    for (int k = 0; k < a->type.rank; k++)
        own[k] = a->type.dim[k] == 1 ? 0 : index[k + drop];
    return at(a, own);
}

static void test_broadcast(void **state)
{
    (void)state;
    static const char *const names[] = {"add",  "sub",           "mul",   "maximum",     "minimum",
                                        "less", "greater_equal", "equal", "logical_and", "div"};
    for (int round = 0; round < 600; round++) {
        const char *name = names[round % 10];
        se_dtype dtype = round % 10 != 9 && round % 3 == 0 ? SE_I32 : SE_F32;
        array shape = random_array(SE_F32, round % 7);
        array in[] = {operand_for(&shape.type, dtype), operand_for(&shape.type, dtype)};
        array y = run(name, 2, in, NULL);
        for (int64_t i = 0; i < se_type_count(&y.type); i++) {
            int64_t index[SE_MAX_RANK];
            index_of(&y.type, i, index);
            double a = stretched(&in[0], &y.type, index), b = stretched(&in[1], &y.type, index);
            near(name, y.x[i], apply(name, a, b, false), fabs(y.x[i]));
        }
        free(shape.x);
        free(in[0].x);
        free(in[1].x);
        free(y.x);
    }
}

static void test_where(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        array shape = random_array(SE_F32, round % 5);
        array in[] = {operand_for(&shape.type, SE_BOOL), operand_for(&shape.type, SE_F32),
                      operand_for(&shape.type, SE_F32)};
        for (int64_t i = 0; i < se_type_count(&in[0].type); i++)
            in[0].x[i] = in[0].x[i] > 0;
        array y = run("where", 3, in, NULL);
        for (int64_t i = 0; i < se_type_count(&y.type); i++) {
            int64_t index[SE_MAX_RANK];
            index_of(&y.type, i, index);
            bool c = stretched(&in[0], &y.type, index) != 0;
            near("where", y.x[i], stretched(&in[c ? 1 : 2], &y.type, index), 0);
        }
        for (int k = 0; k < 3; k++)
            free(in[k].x);
        free(shape.x);
        free(y.x);
    }
}

/* --- reductions --- */

typedef struct folded {
    double sum, max, min, magnitude;
} folded;

static folded fold(const array *x, uint32_t mask, const int64_t *kept)
{
    folded f = {0, -INFINITY, INFINITY, 0};
    for (int64_t i = 0; i < se_type_count(&x->type); i++) {
        int64_t index[SE_MAX_RANK];
        bool mine = true;
        index_of(&x->type, i, index);
        for (int k = 0; k < x->type.rank; k++)
            mine &= (mask >> k & 1) || index[k] == kept[k];
        if (!mine)
            continue;
        f.sum += x->x[i];
        f.magnitude += fabs(x->x[i]);
        f.max = fmax(f.max, x->x[i]);
        f.min = fmin(f.min, x->x[i]);
    }
    return f;
}

static void compare_fold(const char *name, const array *x, const array *y, uint32_t mask)
{
    bool is_mean = strcmp(name, "mean") == 0;
    double group = (double)se_type_count(&x->type) / (double)se_type_count(&y->type);
    for (int64_t i = 0; i < se_type_count(&y->type); i++) {
        int64_t kept[SE_MAX_RANK];
        index_of(&y->type, i, kept); /* keep = true: the same axes as x */
        folded f = fold(x, mask, kept);
        if (is_mean || strcmp(name, "sum") == 0)
            near(name, y->x[i], is_mean ? f.sum / group : f.sum,
                 is_mean ? f.magnitude / group : f.magnitude);
        else
            near(name, y->x[i], strcmp(name, "max") == 0 ? f.max : f.min, 0);
    }
}

static void test_reduce(void **state)
{
    (void)state;
    static const char *const names[] = {"sum", "max", "min", "mean"};
    for (int round = 0; round < 400; round++) {
        array x = random_array(round % 5 == 4 ? SE_I32 : SE_F32, round % 6);
        uint32_t mask = 0;
        se_attr axes = {0};
        for (int k = 0; k < x.type.rank; k++)
            if (sample_uniform(0, 1) < 0.5) {
                mask |= 1u << k;
                axes.list[axes.n++] = sample_uniform(0, 1) < 0.5 ? k : k - x.type.rank;
            }
        mask = axes.n ? mask : (1u << x.type.rank) - 1;
        array y = run(names[round % 4], 1, &x, ATTRS(axes, SE_INT(1)));
        compare_fold(names[round % 4], &x, &y, mask);
        free(x.x);
        free(y.x);
    }
}

/* Long sums stay near 1e-7 of the sum of magnitudes; here all have one sign, so of the sum. */
static void test_long_sums(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{30000, 256}, {7, 100003}, {1, 2000001}, {1025, 1030}};
    for (int s = 0; s < 4; s++)
        for (int axis = 0; axis < 2; axis++) {
            array x = array_new(SE_F32, 2, shapes[s], 0.5, 1.5);
            array y = run("sum", 1, &x, ATTRS({.n = 1, .list = {axis}}, SE_INT(0)));
            for (int64_t i = 0; i < se_type_count(&y.type); i += 1 + se_type_count(&y.type) / 97) {
                double total = 0;
                for (int64_t k = 0; k < shapes[s][axis]; k++)
                    total += axis ? x.x[i * shapes[s][1] + k] : x.x[k * shapes[s][1] + i];
                near("long sum", y.x[i], total, fabs(total));
            }
            free(x.x);
            free(y.x);
        }
}

static void test_arg(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        bool largest = round % 2;
        array x = random_array(round % 3 ? SE_I32 : SE_F32, 1 + round % 4);
        int axis = (int)sample_uniform(0, x.type.rank - 0.01);
        array y = run(largest ? "argmax" : "argmin", 1, &x, ATTRS(SE_INT(axis)));
        for (int64_t i = 0; i < se_type_count(&x.type); i++) { /* no element beats the chosen one */
            int64_t index[SE_MAX_RANK] = {0}, short_index[SE_MAX_RANK] = {0}, here, r = 0;
            index_of(&x.type, i, index);
            here = index[axis];
            for (int k = 0; k < x.type.rank; k++)
                if (k != axis)
                    short_index[r++] = index[k];
            int64_t chosen = (int64_t)at(&y, short_index);
            index[axis] = chosen;
            double best = at(&x, index), v = x.x[i];
            if (largest ? v > best : v < best)
                fail_msg("argmax: %g is beaten by %g", best, v);
            if (v == best && here < chosen)
                fail_msg("argmax: not the first of equals");
        }
        free(x.x);
        free(y.x);
    }
}

/* --- moving --- */

static void test_permute(void **state)
{
    (void)state;
    static const se_dtype dtypes[] = {SE_F32, SE_I32, SE_BOOL};
    for (int round = 0; round < 300; round++) {
        array x = random_array(dtypes[round % 3], round % 7);
        se_attr axes = {.n = x.type.rank};
        for (int k = 0; k < axes.n; k++)
            axes.list[k] = k;
        for (int k = axes.n - 1; k > 0; k--) {
            int j = (int)sample_uniform(0, k + 0.99);
            int64_t swap = axes.list[k];
            axes.list[k] = axes.list[j];
            axes.list[j] = swap;
        }
        array y = run("permute", 1, &x, ATTRS(axes));
        for (int64_t i = 0; i < se_type_count(&y.type); i++) {
            int64_t index[SE_MAX_RANK], from[SE_MAX_RANK];
            index_of(&y.type, i, index);
            for (int k = 0; k < axes.n; k++)
                from[axes.list[k]] = index[k];
            near("permute", y.x[i], at(&x, from), 0);
        }
        free(x.x);
        free(y.x);
    }
}

static void test_broadcast_to_and_slice(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        array shape = random_array(SE_F32, 1 + round % 5), x = operand_for(&shape.type, SE_F32);
        se_attr dims = {.n = shape.type.rank};
        memcpy(dims.list, shape.type.dim, sizeof dims.list);
        array y = run("broadcast_to", 1, &x, ATTRS(dims));
        int axis = (int)sample_uniform(0, dims.n - 0.01);
        int64_t size = dims.list[axis], start = (int64_t)sample_uniform(0, (double)size - 0.01);
        int64_t stop = start + (int64_t)sample_uniform(0, (double)(size - start) + 0.99);
        array z = run("slice", 1, &y, ATTRS(SE_INT(axis), SE_INT(start), SE_INT(stop), SE_INT(1)));
        array p =
            run("pad_slice", 1, &z, ATTRS(SE_INT(axis), SE_INT(start), SE_INT(size), SE_INT(1)));
        for (int64_t i = 0; i < se_type_count(&y.type); i++) {
            int64_t index[SE_MAX_RANK];
            index_of(&y.type, i, index);
            near("broadcast_to", y.x[i], stretched(&x, &y.type, index), 0);
            bool inside = index[axis] >= start && index[axis] < stop;
            near("pad_slice", p.x[i], inside ? y.x[i] : 0, 0);
            index[axis] -= start;
            if (inside)
                near("slice", at(&z, index), y.x[i], 0);
        }
        free(shape.x);
        free(x.x);
        free(y.x);
        free(z.x);
        free(p.x);
    }
}

static void test_concat(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        array x = random_array(round % 2 ? SE_F32 : SE_I32, 1 + round % 4);
        int axis = (int)sample_uniform(0, x.type.rank - 0.01);
        int64_t cut = (int64_t)sample_uniform(0, (double)x.type.dim[axis]);
        array part[2];
        for (int k = 0; k < 2; k++)
            part[k] = run("slice", 1, &x,
                          ATTRS(SE_INT(axis), SE_INT(k ? cut : 0),
                                SE_INT(k ? x.type.dim[axis] : cut), SE_INT(1)));
        array y = run("concat", 2, part, ATTRS(SE_INT(axis)));
        assert_true(se_type_same(&x.type, &y.type));
        for (int64_t i = 0; i < se_type_count(&x.type); i++)
            near("concat", y.x[i], x.x[i], 0);
        free(x.x);
        free(y.x);
        free(part[0].x);
        free(part[1].x);
    }
}

static void test_rows_by_id(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        int64_t rows = 1 + round, width = 1 + round % 9, n = 3 * round;
        array x = array_new(SE_F32, 2, (int64_t[]){rows, width}, -1, 1);
        array ids = array_new(SE_I32, 1, &n, 0, (double)rows);
        array y = run("take", 2, (array[]){x, ids}, NULL);
        array back = run("scatter_add", 2, (array[]){y, ids}, ATTRS(SE_INT(rows), SE_INT(1)));
        for (int64_t i = 0; i < n * width; i++)
            near("take", y.x[i], x.x[(int64_t)ids.x[i / width] * width + i % width], 0);
        for (int64_t r = 0; r < rows; r++) {
            double count = 0;
            for (int64_t i = 0; i < n; i++)
                count += ids.x[i] == (double)r && r != 1;
            for (int64_t j = 0; j < width; j++)
                near("scatter_add", back.x[r * width + j], count * x.x[r * width + j],
                     count * fabs(x.x[r * width + j]));
        }
        free(x.x);
        free(ids.x);
        free(y.x);
        free(back.x);
    }
}

static void test_ids_out_of_range(void **state)
{
    (void)state;
    se_tensor *in[2], *out[1];
    int scope = sample_open();
    in[0] = tensor_of(&(se_type){.dtype = SE_F32, .rank = 2, .dim = {4, 2}}, (double[8]){0});
    in[1] = tensor_of(&(se_type){.dtype = SE_I32, .rank = 1, .dim = {3}}, (double[]){0, 4, 1});
    ok(sample_call(se_op_find("take"), 2, in, NULL, 12, out));
    assert_int_equal(se_eval(1, out), SE_ERR_ARG);
    assert_string_equal(se_message(),
                        "take: id 4 at place 1 is out of range: 0 to 3 there are (recipe.lua:12)");
    sample_close(scope);
}

/* --- dtypes --- */

static void test_cast(void **state)
{
    (void)state;
    int64_t n = 8;
    array x = {se_type_make(SE_F32, 1, &n),
               (double[]){1.5, -1.5, 3e9, -3e9, NAN, 0x1.01p0, 0x1.03p0, 1e30}};
    array whole = run("cast", 1, &x, ATTRS(SE_INT(SE_I32)));
    array half = run("cast", 1, &x, ATTRS(SE_INT(SE_BF16)));
    const double to_i32[] = {1, -1, INT32_MAX, INT32_MIN, 0, 1, 1, INT32_MAX};
    for (int i = 0; i < 7; i++)
        near("cast", whole.x[i], to_i32[i], 0);
    near("bf16", half.x[0], 1.5, 0);
    near("bf16", half.x[4], NAN, 0);
    near("bf16 tie to even", half.x[5], 1.0, 0);
    near("bf16 tie to even", half.x[6], 0x1.04p0, 0);
    free(whole.x);
    free(half.x);
}

/* --- special values --- */

#define INF INFINITY

/* One call a line: the dtype and values of the operands, and what comes out (of the dtype of x, if
 * `to` does not say otherwise). n is the number of values of each operand. */
typedef struct special {
    const char *name;
    int n, n_in;
    se_dtype dtype[3], to;
    double in[3][6], want[6];
} special;

static const special specials[] = {
    {"mod",
     6,
     2,
     {SE_F32, SE_F32},
     SE_F32,
     {{5.5, -5.5, 1, -1, INF, 1}, {3, 3, INF, INF, 3, 0}},
     {2.5, 0.5, 1, INF, NAN, NAN}},
    {"mod", 4, 2, {SE_I32, SE_I32}, SE_I32, {{7, -7, 7, INT32_MIN}, {3, 3, -3, -1}}, {1, 2, -2, 0}},
    {"mod", 2, 2, {SE_BF16, SE_BF16}, SE_BF16, {{7, -7}, {3, 3}}, {1, 2}},
    {"floor",
     6,
     1,
     {SE_F32},
     SE_F32,
     {{-0.5, 2.7, NAN, INF, -INF, 1e30f}},
     {-1, 2, NAN, INF, -INF, 1e30f}},
    {"ceil", 4, 1, {SE_F32}, SE_F32, {{-2.7, 2.1, NAN, -INF}}, {-2, 3, NAN, -INF}},
    {"round", 6, 1, {SE_F32}, SE_F32, {{0.5, 1.5, 2.5, -2.5, -3.5, NAN}}, {0, 2, 2, -2, -4, NAN}},
    {"floor", 3, 1, {SE_I32}, SE_I32, {{16777217, -3, INT32_MIN}}, {16777217, -3, INT32_MIN}},
    {"ceil", 2, 1, {SE_I32}, SE_I32, {{16777217, INT32_MAX}}, {16777217, INT32_MAX}},
    {"round", 2, 1, {SE_I32}, SE_I32, {{-16777217, 5}}, {-16777217, 5}},
    {"floor", 2, 1, {SE_BF16}, SE_BF16, {{1.5, -1.5}}, {1, -2}},
    {"sin", 3, 1, {SE_F32}, SE_F32, {{1e30f, INF, NAN}}, {-0.79116343852198367, NAN, NAN}},
    {"log1p", 5, 1, {SE_F32}, SE_F32, {{-1, INF, -2, NAN, 1e-30f}}, {-INF, INF, NAN, NAN, 1e-30f}},
    {"log1p", 2, 1, {SE_BOOL}, SE_F32, {{0, 1}}, {0, 0.69314718055994531}},
    {"expm1", 5, 1, {SE_F32}, SE_F32, {{-INF, INF, 89, NAN, 1e-30f}}, {-1, INF, INF, NAN, 1e-30f}},
    {"softplus",
     5,
     1,
     {SE_F32},
     SE_F32,
     {{-INF, INF, NAN, 100, 0}},
     {0, INF, NAN, 100, 0.69314718055994531}},
    {"logaddexp",
     5,
     2,
     {SE_F32, SE_F32},
     SE_F32,
     {{-INF, INF, NAN, -INF, 1000}, {-INF, INF, 1, 2, 1000}},
     {-INF, INF, NAN, 2, 1000.69314718055994531}},
    {"silu", 4, 1, {SE_F32}, SE_F32, {{INF, NAN, -200, 0}}, {INF, NAN, 0, 0}},
    {"is_nan", 3, 1, {SE_F32}, SE_BOOL, {{NAN, INF, 0}}, {1, 0, 0}},
    {"is_nan", 2, 1, {SE_BF16}, SE_BOOL, {{NAN, 1}}, {1, 0}},
    {"is_nan", 2, 1, {SE_I32}, SE_BOOL, {{0, INT32_MIN}}, {0, 0}},
    {"is_finite", 3, 1, {SE_F32}, SE_BOOL, {{NAN, -INF, 3e38f}}, {0, 0, 1}},
    {"is_finite", 2, 1, {SE_I32}, SE_BOOL, {{0, INT32_MIN}}, {1, 1}},
    {"is_finite", 2, 1, {SE_BOOL}, SE_BOOL, {{0, 1}}, {1, 1}},
    {"masked_fill",
     3,
     3,
     {SE_F32, SE_BOOL, SE_F32},
     SE_F32,
     {{NAN, 2, INF}, {1, 0, 1}, {0, 0, -INF}},
     {0, 2, -INF}},
    {"masked_fill",
     2,
     3,
     {SE_I32, SE_BOOL, SE_I32},
     SE_I32,
     {{16777217, 2}, {0, 1}, {0, 16777219}},
     {16777217, 16777219}},
    {"kl_div",
     4,
     2,
     {SE_F32, SE_F32},
     SE_F32,
     {{-INF, 0, -INF, NAN}, {0, 1, 0.5, 0}},
     {0, 0, INF, 0}},
    {"mse", 3, 2, {SE_F32, SE_I32}, SE_F32, {{1.5, INF, NAN}, {3, 0, 0}}, {2.25, INF, NAN}},
    {"huber",
     4,
     2,
     {SE_F32, SE_F32},
     SE_F32,
     {{0.5, -3, INF, NAN}, {0, 0, 0, 0}},
     {0.125, 2.5, INF, NAN}},
};

static void test_specials(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof specials / sizeof *specials; k++) {
        const special *s = &specials[k];
        array in[3];
        int64_t n = s->n;
        for (int i = 0; i < s->n_in; i++)
            in[i] = (array){se_type_make(s->dtype[i], 1, &n), (double *)s->in[i]};
        array y = run(s->name, s->n_in, in, ATTRS(SE_NUM(1)));
        if (y.type.dtype != s->to || se_type_count(&y.type) != n)
            fail_msg("%s, case %d: another type", s->name, (int)k);
        for (int i = 0; i < s->n; i++)
            if (y.x[i] != s->want[i])
                near(s->name, y.x[i], s->want[i], fabs(s->want[i]));
        free(y.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast),  cmocka_unit_test(test_where),
        cmocka_unit_test(test_reduce),     cmocka_unit_test(test_long_sums),
        cmocka_unit_test(test_arg),        cmocka_unit_test(test_permute),
        cmocka_unit_test(test_concat),     cmocka_unit_test(test_broadcast_to_and_slice),
        cmocka_unit_test(test_rows_by_id), cmocka_unit_test(test_ids_out_of_range),
        cmocka_unit_test(test_cast),       cmocka_unit_test(test_specials),
    };
    sample_dice = 5;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
