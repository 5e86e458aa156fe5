/* Attention over packed texts: against a plain double implementation, a text alone against the same
 * text among others, and any number of threads, at every level of the machine. Kernels are called
 * directly. */
#include "kernels/attention.h"
#include "kernels/isa.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

SE_KERNEL_DECLARE(attention);
SE_KERNEL_DECLARE(attention_grad);
SE_KERNEL_DECLARE(dropout_grid);
static const se_kernel forward_kernel = SE_KERNEL(attention);
static const se_kernel backward_kernel = SE_KERNEL(attention_grad);
static const se_kernel grid_kernel = SE_KERNEL(dropout_grid);

/* A packed batch and everything attention reads and writes, in float. */
typedef struct batch {
    int texts, heads, d, longest, tokens; /* tokens: rows of q, some after the last text */
    bool with_bias, matrix, causal;       /* matrix: the bias is [heads, longest, longest] */
    double rate;
    int32_t *starts, *who, key[3];
    float *q, *k, *v, *dy, *bias, *out, *dq, *dk, *dv, *dbias;
} batch;

static uint32_t dice = 1;
static float draw(void)
{
    dice = dice * 1664525u + 1013904223u;
    return (float)(int32_t)(dice >> 8) * 0x1p-23f - 1.0f;
}

static float *draw_row(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = draw();
    return x;
}

static batch batch_new(int texts, const int *length, int rest, int heads, int d, bool with_bias,
                       double rate)
{
    batch b = {.texts = texts, .heads = heads, .d = d, .with_bias = with_bias, .rate = rate};
    b.starts = malloc(((size_t)texts + 1) * sizeof *b.starts);
    b.who = malloc(((size_t)texts + 1) * sizeof *b.who);
    b.key[0] = 7, b.key[1] = 3, b.key[2] = 1;
    b.starts[0] = 0;
    for (int i = 0; i < texts; i++) {
        b.who[i] = 100 + 3 * i;
        b.starts[i + 1] = b.starts[i] + length[i];
        b.longest = length[i] > b.longest ? length[i] : b.longest;
    }
    b.longest += 2;
    b.tokens = b.starts[texts] + rest;
    int64_t n = (int64_t)b.tokens * heads * d;
    b.q = draw_row(n), b.k = draw_row(n), b.v = draw_row(n), b.dy = draw_row(n);
    b.bias = draw_row(b.longest * (b.longest + 1) * heads); /* room for either kind */
    b.out = draw_row(n), b.dq = draw_row(n), b.dk = draw_row(n), b.dv = draw_row(n);
    b.dbias = draw_row(b.longest * (b.longest + 1) * heads);
    for (int64_t i = 0; i < n; i++) { /* so that probabilities are far from uniform */
        b.q[i] *= 2;
        b.k[i] *= 2;
    }
    return b;
}

static void batch_free(batch *b)
{
    float *all[] = {b->q, b->k, b->v, b->dy, b->bias, b->out, b->dq, b->dk, b->dv, b->dbias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(b->starts);
    free(b->who);
}

/* Runs a kernel with the scratch memory that core/ops/attention.c asks for. */
static void run(const se_kernel *k, se_level level, se_task *t, int64_t tiles, int64_t shared)
{
    int64_t threads = se_threads(), bytes = (tiles + shared / threads + 64) * 4;
    t->scratch_bytes = (bytes + 63) / 64 * 64;
    t->scratch = aligned_alloc(64, (size_t)(t->scratch_bytes * threads));
    memset(t->scratch, 0xff, (size_t)(t->scratch_bytes * threads)); /* nans */
    k->level[level](t, 0, 0);
    free(t->scratch);
}

static se_type bias_type(const batch *b)
{
    return b->matrix ? se_type_make(SE_F32, 3, (int64_t[]){b->heads, b->longest, b->longest})
                     : se_type_make(SE_F32, 2, (int64_t[]){2 * b->longest - 1, b->heads});
}

static int64_t bias_count(const batch *b)
{
    se_type t = bias_type(b);
    return se_type_count(&t);
}

/* Where the bias of a head from query i to key j stands. */
static int64_t bias_at(const batch *b, int head, int64_t i, int64_t j)
{
    return b->matrix ? (head * (int64_t)b->longest + i) * b->longest + j
                     : (j - i + b->longest - 1) * b->heads + head;
}

static void run_forward(batch *b, se_level level)
{
    se_type x = se_type_make(SE_F32, 2, (int64_t[]){b->tokens, b->heads * b->d});
    se_type starts = se_type_make(SE_I32, 1, (int64_t[]){b->texts + 1});
    se_type types[7] = {x, x, x, starts, bias_type(b)};
    bool drop = b->rate > 0;
    const void *in[] = {b->q,
                        b->k,
                        b->v,
                        b->starts,
                        b->with_bias ? b->bias : NULL,
                        drop ? b->key : NULL,
                        drop ? b->who : NULL};
    void *out[] = {b->out};
    se_attr attr[] = {SE_INT(b->heads), SE_INT(b->longest), SE_NUM(b->rate), SE_INT(5),
                      SE_INT(b->causal)};
    se_task t = {.n_in = 7,
                 .n_out = 1,
                 .in_type = types,
                 .out_type = &x,
                 .in = in,
                 .out = out,
                 .attr = attr};
    run(&forward_kernel, level, &t, se_attention_tiles(b->longest, b->d, false), 0);
}

static void run_backward(batch *b, se_level level)
{
    se_type x = se_type_make(SE_F32, 2, (int64_t[]){b->tokens, b->heads * b->d});
    se_type starts = se_type_make(SE_I32, 1, (int64_t[]){b->texts + 1});
    se_type bias = bias_type(b), types[8] = {x, x, x, x, starts, bias}, outs[] = {x, x, x, bias};
    bool drop = b->rate > 0;
    const void *in[] = {b->q,
                        b->k,
                        b->v,
                        b->dy,
                        b->starts,
                        b->with_bias ? b->bias : NULL,
                        drop ? b->key : NULL,
                        drop ? b->who : NULL};
    void *out[] = {b->dq, b->dk, b->dv, b->dbias};
    se_attr attr[] = {SE_INT(b->heads), SE_INT(b->longest), SE_NUM(b->rate), SE_INT(5),
                      SE_INT(b->causal)};
    se_task t = {.n_in = 8,
                 .n_out = 4,
                 .in_type = types,
                 .out_type = outs,
                 .in = in,
                 .out = out,
                 .attr = attr};
    run(&backward_kernel, level, &t, se_attention_tiles(b->longest, b->d, true),
        se_attention_partials(b->longest, b->heads, b->with_bias && b->matrix));
}

/* Dropout factors of one text and head from dropout_grid, [L, L]: its bits are tested by
 * test_random.c. */
static void factors_of(const batch *b, int text, int head, int n, float *factor)
{
    int64_t all = (int64_t)(head + 1) * n * n;
    float *ones = malloc((size_t)all * 2 * sizeof *ones), *grid = ones + all;
    for (int64_t i = 0; i < all; i++)
        ones[i] = 1;
    se_type type = se_type_make(SE_F32, 4, (int64_t[]){1, head + 1, n, n});
    const void *in[] = {ones, b->key, b->who + text};
    void *out[] = {grid};
    se_attr attr[] = {SE_NUM(b->rate), SE_INT(5)};
    se_task t = {.n_in = 3,
                 .n_out = 1,
                 .in_type = &type,
                 .out_type = &type,
                 .in = in,
                 .out = out,
                 .attr = attr};
    grid_kernel.level[SE_LEVEL_PORTABLE](&t, 0, (int64_t)(head + 1) * n);
    memcpy(factor, grid + (int64_t)head * n * n, (size_t)n * n * sizeof *factor);
    free(ones);
}

/* The reference: one text and head, written as the formulas are. All in double. */
typedef struct truth {
    double *out, *dq, *dk, *dv, *dbias;
} truth;

static double dot(const float *x, const float *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

static void reference_pair(const batch *b, int text, int head, truth g)
{
    int n = b->starts[text + 1] - b->starts[text], d = b->d, stride = b->heads * d;
    int64_t at = (int64_t)b->starts[text] * stride + head * d;
    float *factor = malloc(((size_t)n * n + 1) * sizeof *factor);
    double *p = malloc(((size_t)n + 1) * 2 * sizeof *p), *ds = p + n;
    if (b->rate > 0 && n > 0)
        factors_of(b, text, head, n, factor);
    for (int i = 0; i < n; i++) {
        const float *q = b->q + at + i * stride, *dy = b->dy + at + i * stride;
        double total = 0, mean = 0;
        for (int j = 0; j < n; j++) {
            double bias = b->with_bias ? b->bias[bias_at(b, head, i, j)] : 0;
            p[j] = b->causal && j > i ? 0 : exp(dot(q, b->k + at + j * stride, d) / sqrt(d) + bias);
            total += p[j];
        }
        for (int j = 0; j < n; j++) {
            p[j] /= total;
            double f = b->rate > 0 ? factor[i * n + j] : 1;
            ds[j] = dot(dy, b->v + at + j * stride, d) * f;
            mean += p[j] * ds[j];
            for (int c = 0; c < d; c++) {
                g.out[at + i * stride + c] += p[j] * f * b->v[at + j * stride + c];
                g.dv[at + j * stride + c] += p[j] * f * dy[c];
            }
        }
        for (int j = 0; j < n; j++) {
            double s = p[j] * (ds[j] - mean);
            g.dbias[bias_at(b, head, i, j)] += b->with_bias ? s : 0;
            for (int c = 0; c < d; c++) {
                g.dq[at + i * stride + c] += s * b->k[at + j * stride + c] / sqrt(d);
                g.dk[at + j * stride + c] += s * q[c] / sqrt(d);
            }
        }
    }
    free(factor);
    free(p);
}

/* Largest difference, as a share of the largest value. */
static void assert_near(const char *what, const float *x, const double *y, int64_t n)
{
    double most = 1e-3, worst = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fabs(y[i]) > most ? fabs(y[i]) : most;
        worst = fabs(x[i] - y[i]) > worst || isnan(x[i]) ? fabs(x[i] - y[i]) : worst;
    }
    /* Scores reach 40, whose rounding (2e-6) is the relative error of a probability; a gradient
     * adds up to 600 rounded products. */
    if (!(worst <= 6e-6 * most))
        fail_msg("%s: error %g of %g", what, worst, most);
}

static void check_batch(batch *b, se_level level)
{
    int64_t n = (int64_t)b->tokens * b->heads * b->d, m = bias_count(b);
    double *all = calloc((size_t)(4 * n + m), sizeof *all);
    truth g = {all, all + n, all + 2 * n, all + 3 * n, all + 4 * n};
    for (int i = 0; i < b->texts; i++)
        for (int h = 0; h < b->heads; h++)
            reference_pair(b, i, h, g);
    run_forward(b, level);
    run_backward(b, level);
    assert_near("out", b->out, g.out, n);
    assert_near("dq", b->dq, g.dq, n);
    assert_near("dk", b->dk, g.dk, n);
    assert_near("dv", b->dv, g.dv, n);
    assert_near("dbias", b->dbias, g.dbias, m);
    int64_t used = (int64_t)b->starts[b->texts] * b->heads * b->d;
    for (int64_t i = used; i < n; i++) /* rows of no text */
        assert_true(b->out[i] == 0 && b->dq[i] == 0 && b->dk[i] == 0 && b->dv[i] == 0);
    free(all);
}

static const int mixed[] = {3, 1, 16, 17, 0, 8, 33, 2, 40, 5, 64, 7, 9, 31, 32, 11, 15, 24, 6, 100};
enum { MIXED = sizeof mixed / sizeof *mixed };

static void each_level(void (*check)(se_level level))
{
    for (se_level level = SE_LEVEL_PORTABLE; level < SE_LEVELS; level++)
        if (se_isa_has(level) && forward_kernel.level[level])
            check(level);
}

static void check_reference(se_level level)
{
    const int d[] = {64, 32, 5, 48};
    for (int i = 0; i < 16; i++) {
        batch b = batch_new(MIXED, mixed, i % 3, 1 + i % 4, d[i / 4], i & 1, i & 2 ? 0.3 : 0);
        for (int kind = 0; kind < 4; kind++) {
            b.matrix = b.with_bias && (kind & 1);
            b.causal = kind & 2;
            check_batch(&b, level);
        }
        batch_free(&b);
    }
    batch b = batch_new(2, (int[]){512, 301}, 3, 2, 64, true, 0.1);
    check_batch(&b, level);
    b.matrix = b.causal = true; /* so large that dbias is summed in one group */
    check_batch(&b, level);
    batch_free(&b);
}

static void test_reference(void **state)
{
    (void)state;
    each_level(check_reference);
}

/* Each text again, alone in a batch with its own number: the same bits. */
static void check_alone_of(se_level level, bool matrix, bool causal)
{
    batch b = batch_new(MIXED, mixed, 2, 3, 32, true, 0.2);
    b.matrix = matrix;
    b.causal = causal;
    run_forward(&b, level);
    run_backward(&b, level);
    int stride = b.heads * b.d;
    for (int i = 0; i < MIXED; i++) {
        batch one = batch_new(1, mixed + i, 0, b.heads, b.d, true, b.rate);
        size_t bytes = (size_t)(mixed[i] * stride) * sizeof(float);
        int64_t at = (int64_t)b.starts[i] * stride;
        one.who[0] = b.who[i];
        memcpy(one.q, b.q + at, bytes);
        memcpy(one.k, b.k + at, bytes);
        memcpy(one.v, b.v + at, bytes);
        memcpy(one.dy, b.dy + at, bytes);
        one.matrix = matrix;
        one.causal = causal;
        for (int h = 0; h < b.heads; h++)
            for (int64_t q = 0; q < one.longest; q++)
                for (int64_t k = 0; k < one.longest; k++)
                    one.bias[bias_at(&one, h, q, k)] = b.bias[bias_at(&b, h, q, k)];
        run_forward(&one, level);
        run_backward(&one, level);
        assert_memory_equal(one.out, b.out + at, bytes);
        assert_memory_equal(one.dq, b.dq + at, bytes);
        assert_memory_equal(one.dk, b.dk + at, bytes);
        assert_memory_equal(one.dv, b.dv + at, bytes);
        batch_free(&one);
    }
    batch_free(&b);
}

static void check_alone(se_level level)
{
    for (int kind = 0; kind < 4; kind++)
        check_alone_of(level, kind & 1, kind & 2);
}

static void test_alone(void **state)
{
    (void)state;
    each_level(check_alone);
}

/* 1, 2, 3, 7 threads: the same bits, dbias included. */
static void check_threads_of(se_level level, bool matrix)
{
    batch b = batch_new(MIXED, mixed, 2, 3, 64, true, 0.1);
    b.matrix = b.causal = matrix;
    int64_t n = (int64_t)b.tokens * b.heads * b.d, m = bias_count(&b);
    float *first = malloc((size_t)(4 * n + m) * sizeof *first);
    const int counts[] = {1, 2, 3, 7};
    for (int i = 0; i < 4; i++) {
        se_threads_set(counts[i]);
        run_forward(&b, level);
        run_backward(&b, level);
        float *part[] = {b.out, b.dq, b.dk, b.dv, b.dbias};
        for (int o = 0; o < 5; o++) {
            size_t bytes = (size_t)(o < 4 ? n : m) * sizeof(float);
            if (i == 0)
                memcpy(first + o * n, part[o], bytes);
            else
                assert_memory_equal(first + o * n, part[o], bytes);
        }
    }
    se_threads_set(0);
    free(first);
    batch_free(&b);
}

static void check_threads(se_level level)
{
    check_threads_of(level, false);
    check_threads_of(level, true);
}

static void test_threads(void **state)
{
    (void)state;
    each_level(check_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
