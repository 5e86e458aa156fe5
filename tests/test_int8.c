/* Products of int8: sums equal to integer loops, bit for bit, at every instruction set; extreme
 * values; a row's bits for every number of rows and threads. */
#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/panels.h"
#include "sembed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t dice = 9;

static float *draw(int64_t n)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        dice = dice * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)(dice >> 8) * 0x1p-23f - 1.0f;
    }
    return x;
}

static void *room_of(int64_t bytes)
{
    return aligned_alloc(64, (size_t)(bytes + 64) / 64 * 64);
}

static void multiply(int64_t m, int64_t n, int64_t k, const float *x, const float *w, bool packed,
                     const float *bias, float *y)
{
    void *room = room_of(se_gemm_int8_bytes(m, k)), *panels = NULL;
    if (packed && n > 0 && k > 0) {
        panels = room_of(se_gemm_panels_bytes(SE_PRECISION_INT8, n, k));
        se_gemm_pack(SE_PRECISION_INT8, n, k, w, panels);
    }
    se_gemm_int8(m, n, k, x, w, panels, bias, y, room);
    free(panels);
    free(room);
}

/* The rows' numbers and scales, as gemm.h defines them. */
static void round_rows(int64_t rows, int64_t k, const float *x, int32_t *to, float *scale)
{
    for (int64_t i = 0; i < rows; i++) {
        float most = 0;
        for (int64_t l = 0; l < k; l++)
            most = fmaxf(most, fabsf(x[i * k + l]));
        float by = most > 0 ? 127.0f / most : 0;
        for (int64_t l = 0; l < k; l++)
            to[i * k + l] = (int32_t)lrintf(x[i * k + l] * by);
        scale[i] = most / 127.0f;
    }
}

static void check(int64_t m, int64_t n, int64_t k, const float *x, const float *w,
                  const float *bias)
{
    int32_t *a = malloc((size_t)(m * k + 1) * sizeof *a), *b = malloc((size_t)(n * k + 1) * 4);
    float *row = malloc((size_t)m * 4 + 4), *column = malloc((size_t)n * 4 + 4);
    float *y = draw(m * n), *z = draw(m * n);
    round_rows(m, k, x, a, row);
    round_rows(n, k, w, b, column);
    multiply(m, n, k, x, w, false, bias, y);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            int64_t sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += (int64_t)a[i * k + l] * b[j * k + l];
            float want = (float)sum * (row[i] * column[j]);
            if (bias)
                want += bias[j];
            if (y[i * n + j] != want)
                fail_msg("%ld x %ld x %ld at %ld, %ld: %.9g, wanted %.9g", (long)m, (long)n,
                         (long)k, (long)i, (long)j, (double)y[i * n + j], (double)want);
        }
    multiply(m, n, k, x, w, true, bias, z);
    assert_memory_equal(y, z, (size_t)(m * n) * sizeof *y);
    for (int64_t i = 0; i < m; i += 3) {
        multiply(1, n, k, x + i * k, w, true, bias, z);
        assert_memory_equal(y + i * n, z, (size_t)n * sizeof *y);
    }
    free(a);
    free(b);
    free(row);
    free(column);
    free(y);
    free(z);
}

static void test_values(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},      {3, 4, 5},     {7, 16, 16},  {7, 17, 18},
                                       {65, 33, 71},   {100, 3, 2},   {0, 3, 2},    {3, 0, 2},
                                       {3, 4, 0},      {1, 100, 90},  {90, 1, 303}, {130, 97, 600},
                                       {29, 65, 1601}, {5, 33, 3073}, {2, 70, 769}, {200, 40, 96}};
    for (int i = 0; i < 16; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        float *x = draw(m * k), *w = draw(n * k), *bias = draw(n);
        check(m, n, k, x, w, bias);
        check(m, n, k, x, w, NULL);
        free(x);
        free(w);
        free(bias);
    }
}

/* Every number at the end of its range, sums up to the longest that is allowed: the largest is
 * -127 x 127 x 131072, 1.6 % from where 32 bits end. */
static void test_extremes(void **state)
{
    (void)state;
    static const int64_t longs[] = {1, 3, 4, 1536, 1537, 66400, SE_GEMM_INT8_K};
    for (int i = 0; i < 7; i++)
        for (int signs = 0; signs < 4; signs++) {
            enum { M = 3, N = 2 };
            int64_t k = longs[i];
            float *x = malloc((size_t)(M * k) * 4), *w = malloc((size_t)(N * k) * 4);
            for (int64_t l = 0; l < M * k; l++)
                x[l] = signs & 1 ? -127 : 127;
            for (int64_t l = 0; l < N * k; l++)
                w[l] = signs & 2 ? -127 : 127;
            for (int64_t l = 0; l < k; l++) { /* the last row and column alternate */
                x[(M - 1) * k + l] = l % 2 ? 127 : -127;
                w[(N - 1) * k + l] = l % 2 ? 127 : -127;
            }
            check(M, N, k, x, w, NULL);
            free(x);
            free(w);
        }
}

static const se_panels *kernel_of(se_level level)
{
#ifdef SE_X86
    if (level == SE_LEVEL_AVX512 && se_isa_vnni())
        return &se_panels_int8_avx512;
    if (level >= SE_LEVEL_AVX2)
        return &se_panels_int8_avx2;
#endif
    (void)level;
    return &se_panels_int8_portable;
}

/* The kernel with words of -128 and 127, which rounding never makes. */
static void test_raw_words(void **state)
{
    (void)state;
    enum { M = 29, K = 4098, MOST = 64 };
    const se_panels *u = kernel_of(se_isa_level());
    int64_t words = (K + u->per_word - 1) / u->per_word, n = u->columns - 1;
    int offset = u->per_word == 4 ? 128 : 0;
    char *a = room_of(M * words * 4), *b = room_of(u->columns * words * 4);
    int32_t start[MOST] = {0};
    float scale[MOST], c[M * MOST];
    void *room = room_of((int64_t)u->scratch);
    for (int i = 0; i < MOST; i++)
        scale[i] = 1;
    for (int ends = 0; ends < 4; ends++) {
        int x = ends & 1 ? 127 : -128, y = ends & 2 ? 127 : -128;
        memset(a, 0, (size_t)(M * words * 4));
        memset(b, 0, (size_t)(u->columns * words * 4));
        for (int64_t i = 0; i < M; i++)
            for (int64_t l = 0; l < words * u->per_word; l++) {
                int v = l < K ? x : 0;
                if (u->per_word == 4)
                    ((uint8_t *)a)[i * words * 4 + l] = (uint8_t)(v + 128);
                else
                    ((int16_t *)(void *)a)[i * words * 2 + l] = (int16_t)v;
            }
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < K; l++) {
                int64_t at = (l / u->per_word * u->columns + j) * u->per_word + l % u->per_word;
                if (u->per_word == 4)
                    ((int8_t *)b)[at] = (int8_t)y;
                else
                    ((int16_t *)(void *)b)[at] = (int16_t)y;
            }
        for (int64_t j = 0; j < n; j++)
            start[j] = -offset * y * K;
        float begin[MOST];
        memcpy(begin, start, sizeof begin);
        se_product p = {.m = M, .n = n, .k = K, .a = a, .rs_a = words, .c = c, .rs_c = n};
        p.panels = b;
        p.start = begin;
        p.row_scale = p.column_scale = scale;
        u->run(&p, 0, M, 0, n, room);
        for (int64_t i = 0; i < M * n; i++)
            assert_true(c[i] == (float)(x * y * K));
    }
    free(a);
    free(b);
    free(room);
}

static void test_threads(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {
        {500, 768, 300}, {10, 700, 768}, {700, 10, 769}, {97, 101, 103}, {1, 3000, 300}};
    int before = se_threads();
    for (int i = 0; i < 5; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        float *x = draw(m * k), *w = draw(n * k), *bias = draw(n), *one = draw(m * n);
        float *many = draw(m * n);
        se_threads_set(1);
        multiply(m, n, k, x, w, true, bias, one);
        for (int threads = 2; threads <= 7; threads++) {
            se_threads_set(threads);
            multiply(m, n, k, x, w, threads % 2, bias, many);
            if (memcmp(one, many, (size_t)(m * n) * sizeof *one) != 0)
                fail_msg("%ld x %ld x %ld: %d threads change the bits", (long)m, (long)n, (long)k,
                         threads);
        }
        free(x);
        free(w);
        free(bias);
        free(one);
        free(many);
    }
    se_threads_set(before);
}

/* A row of zeros, of numbers too small for a scale, with a nan, with an infinity: the others do not
 * notice. */
static void test_odd_rows(void **state)
{
    (void)state;
    enum { M = 6, N = 37, K = 50 };
    float *x = draw(M * K), *w = draw(N * K), *bias = draw(N), y[M * N], all[M * N];
    multiply(M, N, K, x, w, true, bias, all);
    for (int l = 0; l < K; l++) {
        x[1 * K + l] = 0;
        x[2 * K + l] = 1e-38f;
    }
    x[3 * K + 7] = NAN;
    x[4 * K + 7] = -INFINITY;
    multiply(M, N, K, x, w, true, bias, y);
    assert_memory_equal(y, all, N * sizeof *y);
    assert_memory_equal(y + 5 * N, all + 5 * N, N * sizeof *y);
    for (int j = 0; j < N; j++) {
        assert_true(y[1 * N + j] == bias[j] && y[2 * N + j] == bias[j]);
        assert_true(isnan(y[3 * N + j]) && !isfinite(y[4 * N + j]));
    }
    free(x);
    free(w);
    free(bias);
}

/* Runs every test on every instruction set of the machine. */
int main(void)
{
    static const char *const levels[] = {"portable", "avx2", "avx512"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_raw_words), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_odd_rows),
    };
    int failed = 0;
    for (int i = 0; i < 3; i++)
        if (se_isa_use(levels[i]) == SE_OK) {
            printf("%s%s\n", levels[i], se_isa_vnni() ? " with VNNI" : "");
            failed += cmocka_run_group_tests(tests, NULL, NULL);
        }
    return failed;
}
