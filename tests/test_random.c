/* Random numbers: published vectors of Threefry, the definition of a dropout bit, masks that do not
 * depend on neighbours or chunks, keep rates and moments. Kernels are called directly. */
#define SE_REAL float
#define SE_LEVEL portable
#define SE_LEVEL_portable
#include "kernels/threefry.h"
#include "kernels/isa.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

SE_KERNEL_DECLARE(dropout);
SE_KERNEL_DECLARE(dropout_grid);
SE_KERNEL_DECLARE(random_normal);
SE_KERNEL_DECLARE(random_uniform);
static const se_kernel dropout = SE_KERNEL(dropout), grid = SE_KERNEL(dropout_grid);
static const se_kernel normal = SE_KERNEL(random_normal), uniform = SE_KERNEL(random_uniform);

/* threefry2x32, 20 rounds: kat_vectors of Random123 (counter, key, result). */
static void test_known_answers(void **state)
{
    (void)state;
    const uint32_t kat[3][6] = {
        {0, 0, 0, 0, 0x6b200159u, 0x99ba4efeu},
        {~0u, ~0u, ~0u, ~0u, 0x1cb996fcu, 0xbb002be7u},
        {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xc4923a9cu, 0x483df7a0u}};
    for (int i = 0; i < 3; i++) {
        se_words w = se_threefry((se_words){kat[i][2], kat[i][3]}, kat[i][0], kat[i][1]);
        assert_int_equal(w.a, kat[i][4]);
        assert_int_equal(w.b, kat[i][5]);
    }
}

typedef struct drop {
    int64_t rows, width, texts; /* texts < 0: without who and starts */
    const int32_t *key, *who, *starts;
    double rate;
    int64_t place;
} drop;

static void run_dropout(se_level level, drop d, const float *x, float *y, int64_t lo, int64_t hi)
{
    se_type type = se_type_make(SE_F32, 2, (int64_t[]){d.rows, d.width});
    se_type types[4] = {type, {0}, {0}, se_type_make(SE_I32, 1, (int64_t[]){d.texts + 1})};
    const void *in[] = {x, d.key, d.who, d.starts};
    void *out[] = {y};
    se_attr attr[] = {SE_NUM(d.rate), SE_INT(d.place)};
    se_task t = {.n_in = 4,
                 .n_out = 1,
                 .in_type = types,
                 .out_type = &type,
                 .in = in,
                 .out = out,
                 .attr = attr};
    dropout.level[level](&t, lo, hi);
}

static float *ones(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = 1;
    return x;
}

static void each_level(void (*check)(se_level level))
{
    for (se_level level = SE_LEVEL_PORTABLE; level < SE_LEVELS; level++)
        if (se_isa_has(level) && dropout.level[level])
            check(level);
}

/* The definition, written out: key of the place, key of the row, bits of the feature. */
static float expected(drop d, int32_t text, int64_t position, int64_t feature, uint32_t sub)
{
    se_words k = {(uint32_t)d.key[0], (uint32_t)d.key[1]};
    k = se_threefry(k, (uint32_t)d.key[2], (uint32_t)d.place);
    k = se_threefry(k, (uint32_t)text, (uint32_t)position);
    k = se_threefry(k, (uint32_t)feature / 2, sub);
    double share = (feature % 2 ? k.b : k.a) / 4294967296.0;
    return share >= d.rate ? (float)(1 / (1 - d.rate)) : 0;
}

static void check_definition(se_level level)
{
    const int32_t key[] = {11, 22, 1}, who[] = {5, 900, 17, 3}, starts[] = {0, 3, 3, 4, 9};
    drop d = {11, 301, 4, key, who, starts, 0.25, 6};
    float *x = ones(d.rows * d.width), *y = ones(d.rows * d.width);
    run_dropout(level, d, x, y, 0, d.rows);
    for (int64_t r = 0; r < d.rows; r++) {
        int64_t j = r < 3 ? 0 : r < 4 ? 2 : 3;
        for (int64_t f = 0; f < d.width; f++) {
            float want = r < 9 ? expected(d, who[j], r - starts[j], f, 0) : 0;
            assert_true(y[r * d.width + f] == want);
        }
    }
    drop alone = {11, 301, -1, key, NULL, NULL, 0.25, 6}; /* rows count as texts */
    run_dropout(level, alone, x, y, 0, d.rows);
    for (int64_t i = 0; i < d.rows * d.width; i++)
        assert_true(y[i] == expected(alone, (int32_t)(i / d.width), 0, i % d.width, 0));
    free(x);
    free(y);
}

static void test_definition(void **state)
{
    (void)state;
    each_level(check_definition);
}

static void check_grid(se_level level)
{
    enum { TEXTS = 2, HEADS = 3, LENGTH = 37, ALL = TEXTS * HEADS * LENGTH * LENGTH };
    const int32_t key[] = {1, 2, 0}, who[] = {40, 8};
    drop d = {.key = key, .rate = 0.4, .place = 2};
    float *x = ones(ALL), *y = ones(ALL);
    se_type type = se_type_make(SE_F32, 4, (int64_t[]){TEXTS, HEADS, LENGTH, LENGTH});
    const void *in[] = {x, key, who};
    void *out[] = {y};
    se_attr attr[] = {SE_NUM(d.rate), SE_INT(d.place)};
    se_task t = {.n_in = 3,
                 .n_out = 1,
                 .in_type = &type,
                 .out_type = &type,
                 .in = in,
                 .out = out,
                 .attr = attr};
    grid.level[level](&t, 0, TEXTS * HEADS * LENGTH);
    for (int i = 0; i < ALL; i++) {
        int feature = i % LENGTH, query = i / LENGTH % LENGTH, head = i / LENGTH / LENGTH % HEADS;
        int text = i / LENGTH / LENGTH / HEADS;
        assert_true(y[i] == expected(d, who[text], query, feature, (uint32_t)head + 1));
    }
    free(x);
    free(y);
}

static void test_grid(void **state)
{
    (void)state;
    each_level(check_grid);
}

/* A text's mask is the same alone, among others, with other chunks of rows, at another place in the
 * batch; another step, stream, place or text gives another mask. */
static void check_independence(se_level level)
{
    enum { WIDTH = 96, ROWS = 40, OWN = 10 };
    const int32_t key[] = {3, 1, 0}, who[] = {70, 71, 72}, starts[] = {0, 12, 22, 37};
    const int32_t one[] = {71}, one_starts[] = {0, OWN};
    drop all = {ROWS, WIDTH, 3, key, who, starts, 0.5, 1};
    drop own = {OWN, WIDTH, 1, key, one, one_starts, 0.5, 1};
    float *x = ones(ROWS * WIDTH), *y = ones(ROWS * WIDTH), *z = ones(ROWS * WIDTH);
    run_dropout(level, all, x, y, 0, ROWS);
    run_dropout(level, own, x, z, 0, OWN);
    assert_memory_equal(y + 12 * WIDTH, z, OWN * WIDTH * sizeof(float));
    for (int64_t r = 0; r < ROWS; r += 7)
        run_dropout(level, all, x, z, r, r + 7 < ROWS ? r + 7 : ROWS);
    assert_memory_equal(y, z, ROWS * WIDTH * sizeof(float));
    const int32_t other[4][3] = {{4, 1, 0}, {3, 2, 0}, {3, 1, 1}, {3, 1, 0}};
    for (int i = 0; i < 4; i++) { /* seed, step, stream, place */
        drop d = own;
        d.key = other[i];
        d.place = i == 3 ? 2 : 1;
        run_dropout(level, d, x, z, 0, OWN);
        int same = 0;
        for (int k = 0; k < OWN * WIDTH; k++)
            same += z[k] == y[12 * WIDTH + k];
        assert_in_range(same, 480 - 78, 480 + 78); /* 960 fair coins, 5 standard deviations */
    }
    free(x);
    free(y);
    free(z);
}

static void test_independence(void **state)
{
    (void)state;
    each_level(check_independence);
}

/* The share kept over two million draws is 1 - rate within 4 standard deviations, in every column
 * within 5. */
static void test_keep_rate(void **state)
{
    (void)state;
    enum { ROWS = 20000, WIDTH = 100 };
    const int32_t key[] = {1, 1, 0};
    const double rates[] = {0, 0.1, 0.5, 0.9};
    float *x = ones((int64_t)ROWS * WIDTH), *y = ones((int64_t)ROWS * WIDTH);
    for (int i = 0; i < 4; i++) {
        double rate = rates[i], total = 0, column[WIDTH] = {0};
        drop d = {ROWS, WIDTH, -1, key, NULL, NULL, rate, 0};
        run_dropout(SE_LEVEL_PORTABLE, d, x, y, 0, ROWS);
        for (int64_t k = 0; k < (int64_t)ROWS * WIDTH; k++) {
            total += y[k] != 0;
            column[k % WIDTH] += y[k] != 0;
        }
        double n = (double)ROWS * WIDTH;
        assert_true(fabs(total / n - (1 - rate)) <= 4 * sqrt(rate * (1 - rate) / n));
        for (int c = 0; c < WIDTH; c++) {
            double share = column[c] / ROWS;
            assert_true(fabs(share - (1 - rate)) <= 5 * sqrt(rate * (1 - rate) / ROWS));
        }
    }
    free(x);
    free(y);
}

static void draw(const se_kernel *k, se_level level, int64_t rows, int64_t width, float *y)
{
    const int32_t key[] = {9, 8, 7};
    se_type types[] = {se_type_make(SE_I32, 1, (int64_t[]){3})};
    se_type type = se_type_make(SE_F32, 2, (int64_t[]){rows, width});
    const void *in[] = {key};
    void *out[] = {y};
    se_attr attr[] = {{.n = 2, .list = {rows, width}}, SE_INT(3)};
    se_task t = {.n_in = 1,
                 .n_out = 1,
                 .in_type = types,
                 .out_type = &type,
                 .in = in,
                 .out = out,
                 .attr = attr};
    k->level[level](&t, 0, rows);
}

/* Mean, variance, third and fourth moments of a million normal numbers, correlation of neighbours;
 * mean, variance and range of uniform ones. Bounds are 5 standard deviations of each estimate. */
static void check_moments(se_level level)
{
    enum { ROWS = 1001, WIDTH = 999, N = ROWS * WIDTH };
    float *x = ones(N);
    double root = sqrt(N), m[5] = {0}, near = 0;
    draw(&normal, level, ROWS, WIDTH, x);
    for (int i = 0; i < N; i++) {
        assert_true(isfinite(x[i]));
        m[1] += x[i], m[2] += pow(x[i], 2), m[3] += pow(x[i], 3), m[4] += pow(x[i], 4);
        near += i ? (double)x[i] * x[i - 1] : 0;
    }
    assert_true(fabs(m[1] / N) < 5 / root);
    assert_true(fabs(m[2] / N - 1) < 5 * sqrt(2) / root);
    assert_true(fabs(m[3] / N) < 5 * sqrt(15) / root);
    assert_true(fabs(m[4] / N - 3) < 5 * sqrt(96) / root);
    assert_true(fabs(near / N) < 5 / root);
    draw(&uniform, level, ROWS, WIDTH, x);
    double mean = 0, square = 0;
    for (int i = 0; i < N; i++) {
        assert_true(x[i] >= 0 && x[i] < 1);
        mean += x[i], square += (double)x[i] * x[i];
    }
    assert_true(fabs(mean / N - 0.5) < 5 * sqrt(1.0 / 12) / root);
    assert_true(fabs(square / N - 1.0 / 3) < 5 * sqrt(4.0 / 45) / root);
    free(x);
}

static void test_moments(void **state)
{
    (void)state;
    each_level(check_moments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_definition),
        cmocka_unit_test(test_grid),          cmocka_unit_test(test_independence),
        cmocka_unit_test(test_keep_rate),     cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
