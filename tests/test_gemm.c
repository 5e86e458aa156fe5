/* Products against double loops; a row's bits for every number of rows and threads. */
#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "sembed.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t dice = 9;
static se_precision as; /* what the tests below multiply in */

/* From -1 to 1; where products are rounded to bf16, numbers that this leaves as they are. */
static float *draw(int64_t n)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        dice = dice * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)(dice >> (as == SE_PRECISION_F32 ? 8 : 25)) *
                   (as == SE_PRECISION_F32 ? 0x1p-23f : 0x1p-6f) -
               1.0f;
    }
    return x;
}

/* The transposed copy of x [rows, columns]. */
static float *turned(const float *x, int64_t rows, int64_t columns)
{
    float *y = malloc((size_t)(rows * columns + 1) * sizeof *y);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[j * rows + i] = x[i * columns + j];
    return y;
}

static void check(int64_t m, int64_t n, int64_t k, bool ta, bool tb, bool add)
{
    float *a = draw(m * k), *b = draw(k * n), *at = turned(a, m, k), *bt = turned(b, k, n);
    float *c = draw(m * n), *start = malloc((size_t)(m * n + 1) * sizeof *start);
    memcpy(start, c, (size_t)(m * n) * sizeof *c);
    (add ? se_gemm_add : se_gemm)(as, ta, tb, m, n, k, ta ? at : a, ta ? m : k, tb ? bt : b,
                                  tb ? k : n, c, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = add ? (double)start[i * n + j] : 0.0;
            for (int64_t l = 0; l < k; l++)
                want += (double)a[i * k + l] * (double)b[l * n + j];
            /* k roundings of terms below 1 */
            if (!(fabs((double)c[i * n + j] - want) <= 1e-7 * (double)(k + 1)))
                fail_msg("%ld x %ld x %ld %d%d: %g, wanted %g", (long)m, (long)n, (long)k, ta, tb,
                         (double)c[i * n + j], want);
        }
    free(a);
    free(b);
    free(at);
    free(bt);
    free(c);
    free(start);
}

static void test_values(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},    {3, 4, 5},    {7, 16, 16},  {7, 17, 16},
                                       {65, 33, 70}, {100, 3, 2},  {0, 3, 2},    {3, 0, 2},
                                       {3, 4, 0},    {1, 100, 90}, {90, 1, 300}, {130, 97, 600}};
    for (int i = 0; i < 12; i++)
        for (int flags = 0; flags < 8; flags++)
            check(sizes[i][0], sizes[i][1], sizes[i][2], flags & 1, flags & 2, flags & 4);
}

/* Row r of the product of the first m rows, for every m, against the product of all rows. */
static void check_rows(int64_t n, int64_t k, bool ta, bool tb, bool add)
{
    enum { ALL = 2048, MOST = 600 };
    float *a = draw(ALL * k), *b = draw(k * n), *all = draw(ALL * n), *some = draw(MOST * n);
    memset(all, 0, (size_t)(ALL * n) * sizeof *all);
    float *at = turned(a, ALL, k);
    (add ? se_gemm_add : se_gemm)(as, ta, tb, ALL, n, k, ta ? at : a, ta ? ALL : k, b, tb ? k : n,
                                  all, n);
    for (int64_t m = 1; m <= MOST; m += m < 40 ? 1 : 7) {
        memset(some, 0, (size_t)(m * n) * sizeof *some);
        (add ? se_gemm_add : se_gemm)(as, ta, tb, m, n, k, ta ? at : a, ta ? ALL : k, b, tb ? k : n,
                                      some, n);
        if (memcmp(some, all, (size_t)(m * n) * sizeof *some) != 0)
            fail_msg("n %ld k %ld %d%d: rows differ at m = %ld", (long)n, (long)k, ta, tb, (long)m);
        /* the same rows elsewhere: the last m of ALL */
        int64_t first = ALL - m;
        memset(some, 0, (size_t)(m * n) * sizeof *some);
        (add ? se_gemm_add : se_gemm)(as, ta, tb, m, n, k, ta ? at + first : a + first * k,
                                      ta ? ALL : k, b, tb ? k : n, some, n);
        if (memcmp(some, all + first * n, (size_t)(m * n) * sizeof *some) != 0)
            fail_msg("n %ld k %ld %d%d: last rows differ at m = %ld", (long)n, (long)k, ta, tb,
                     (long)m);
    }
    free(a);
    free(b);
    free(at);
    free(all);
    free(some);
}

static void test_rows(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{256, 256}, {100, 64}, {37, 300}, {16, 16}, {1, 700}};
    for (int i = 0; i < 5; i++)
        for (int flags = 0; flags < 8; flags++)
            check_rows(sizes[i][0], sizes[i][1], flags & 1, flags & 2, flags & 4);
}

static const char *const levels[] = {"portable", "avx2", "avx512"};

/* y = x w^T + bias next to double sums; with w packed ahead, packed on the way, and row by row: the
 * same bits. */
static void check_linear(int64_t m, int64_t n, int64_t k, bool biased)
{
    float *x = draw(m * k), *w = draw(n * k), *bias = draw(n), *y = draw(m * n), *z = draw(m * n);
    int64_t bytes = se_gemm_panels_bytes(as, n, k);
    float *panels = bytes ? aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64) : NULL;
    se_gemm_linear(as, m, n, k, x, w, NULL, biased ? bias : NULL, y);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = biased ? (double)bias[j] : 0.0;
            for (int64_t l = 0; l < k; l++)
                want += (double)x[i * k + l] * (double)w[j * k + l];
            if (!(fabs((double)y[i * n + j] - want) <= 1e-7 * (double)(k + 1)))
                fail_msg("%ld x %ld x %ld: %g, wanted %g", (long)m, (long)n, (long)k,
                         (double)y[i * n + j], want);
        }
    if (panels) {
        se_gemm_pack(as, n, k, w, panels);
        se_gemm_linear(as, m, n, k, x, w, panels, biased ? bias : NULL, z);
        if (memcmp(y, z, (size_t)(m * n) * sizeof *y) != 0)
            fail_msg("%ld x %ld x %ld: packing ahead changes the bits", (long)m, (long)n, (long)k);
    }
    for (int64_t i = 0; i < m; i++)
        se_gemm_linear(as, 1, n, k, x + i * k, w, panels, biased ? bias : NULL, z + i * n);
    if (memcmp(y, z, (size_t)(m * n) * sizeof *y) != 0)
        fail_msg("%ld x %ld x %ld: rows alone differ", (long)m, (long)n, (long)k);
    free(x);
    free(w);
    free(bias);
    free(y);
    free(z);
    free(panels);
}

static void test_linear(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{32, 384}, {33, 385}, {17, 50},  {1, 300},
                                       {97, 769}, {64, 5},   {300, 16}, {15, 1200}};
    for (int i = 0; i < 8; i++)
        for (int64_t m = 1; m <= 70; m += m < 30 ? 1 : 13)
            check_linear(m, sizes[i][0], sizes[i][1], m % 2);
    check_linear(5, 4, 0, true);
    check_linear(700, 80, 90, true);
}

static void test_threads(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{500, 768, 300}, {10, 700, 768}, {700, 10, 768},
                                       {97, 101, 103},  {3000, 7, 20},  {1, 3000, 300}};
    int before = se_threads();
    for (int i = 0; i < 6; i++)
        for (int flags = 0; flags < 4; flags++) {
            int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            bool ta = flags & 1, tb = flags & 2;
            float *a = draw(m * k), *b = draw(k * n), *one = draw(m * n), *many = draw(m * n);
            se_threads_set(1);
            se_gemm(as, ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, one, n);
            for (int threads = 2; threads <= 7; threads++) {
                se_threads_set(threads);
                se_gemm(as, ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, many, n);
                if (memcmp(one, many, (size_t)(m * n) * sizeof *one) != 0)
                    fail_msg("%ld x %ld x %ld %d%d: %d threads change the bits", (long)m, (long)n,
                             (long)k, ta, tb, threads);
            }
            free(a);
            free(b);
            free(one);
            free(many);
        }
    se_threads_set(before);
}

static void test_batch(void **state)
{
    (void)state;
    enum { BATCH = 9, M = 30, N = 40, K = 25 };
    float *a = draw(BATCH * M * K), *b = draw(BATCH * K * N), *c = draw(BATCH * M * N);
    float *d = draw(M * N);
    se_gemm_batch(as, BATCH, false, false, M, N, K, a, K, M * K, b, N, K * N, c, N, M * N);
    for (int i = 0; i < BATCH; i++) {
        se_gemm(as, false, false, M, N, K, a + i * M * K, K, b + i * K * N, N, d, N);
        assert_memory_equal(d, c + i * M * N, sizeof *d * M * N);
    }
#pragma omp parallel for
    for (int i = 0; i < BATCH; i++) /* inside a parallel region */
        se_gemm(as, false, false, M, N, K, a + i * M * K, K, b + i * K * N, N, c + i * M * N, N);
    assert_memory_equal(d, c + (BATCH - 1) * M * N, sizeof *d * M * N);
    free(a);
    free(b);
    free(c);
    free(d);
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 x's rounding for numbers and their neighbours: x times one, at every place of a word. */
static void test_bf16_rounding(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {
        {0x3f800000, 0x3f800000}, {0x3f808000, 0x3f800000}, /* halfway: to even */
        {0x3f818000, 0x3f820000}, {0x3f808001, 0x3f810000}, {0x3f807fff, 0x3f800000},
        {0xbf818000, 0xbf820000}, {0x7f7f0000, 0x7f7f0000}, {0x7f7fffff, 0x7f800000},
        {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000}, {0x00800000, 0x00800000},
        {0x00ffffff, 0x01000000}, {0x007fffff, 0x00000000}, {0x00000001, 0x00000000},
        {0x00000000, 0x00000000}, {0x40490fdb, 0x40490000}};
    enum { CASES = sizeof cases / sizeof *cases, N = 40 };
    for (int k = 1; k <= N; k += 13)
        for (int turned = 0; turned < 2; turned++) {
            float a[CASES * N] = {0}, w[N * N] = {0}, y[CASES * N];
            for (int i = 0; i < CASES; i++)
                for (int l = 0; l < k; l++) /* infinity times zero would be a nan */
                    a[turned ? l * CASES + i : i * k + l] =
                        l == i % k ? float_of(cases[i][0]) : 0.0f;
            for (int i = 0; i < N * k; i++)
                w[i] = 1;
            se_gemm(SE_PRECISION_BF16, turned, !turned, CASES, N, k, a, turned ? CASES : k, w,
                    turned ? N : k, y, N);
            for (int i = 0; i < CASES * N; i++)
                if (y[i] != float_of(cases[i / N][1]))
                    fail_msg("k %d: %08x becomes %.9g, wanted %.9g", k, cases[i / N][0],
                             (double)y[i], (double)float_of(cases[i / N][1]));
            a[0] = NAN;
            se_gemm(SE_PRECISION_BF16, turned, !turned, CASES, N, k, a, turned ? CASES : k, w,
                    turned ? N : k, y, N);
            assert_true(isnan(y[0]) && isnan(y[N - 1]));
        }
}

/* Runs every test on every instruction set of the machine, in f32 and in bf16. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_linear), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_batch),  cmocka_unit_test(test_bf16_rounding),
    };
    int failed = 0;
    for (int i = 0; i < 3; i++)
        for (as = SE_PRECISION_F32; as <= SE_PRECISION_BF16; as++)
            if (se_isa_use(levels[i]) == SE_OK) {
                printf("%s %s%s\n", levels[i], as ? "bf16" : "f32",
                       se_isa_computes(as) == SE_OK ? "" : ", emulated");
                failed += cmocka_run_group_tests(tests, NULL, NULL);
            }
    return failed;
}
