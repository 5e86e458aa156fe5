/* adamw, sgd and global_norm: 30 steps against a double reference of each form, outputs written
 * over inputs, refused steps, threads. Kernels are called directly. */
#include "kernels/isa.h"
#include "kernels/optim.h"
#include "op.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

SE_KERNEL_DECLARE(adamw);
SE_KERNEL_DECLARE(sgd);
SE_KERNEL_DECLARE(global_norm);
static const se_kernel adamw = SE_KERNEL(adamw), sgd = SE_KERNEL(sgd);
static const se_kernel global_norm = SE_KERNEL(global_norm);

enum { N = 1013, STEPS = 30 };

static uint32_t dice = 1;
static float draw(void)
{
    dice = dice * 1664525u + 1013904223u;
    return (float)(int32_t)(dice >> 8) * 0x1p-23f - 1.0f;
}

static void each_level(void (*check)(se_level level))
{
    for (se_level level = SE_LEVEL_PORTABLE; level < SE_LEVELS; level++)
        if (se_isa_has(level) && adamw.level[level])
            check(level);
}

typedef struct form {
    double eps, decay;
    bool torch;
} form;

typedef struct state {
    float p[N], m[N], v[N];
} state;

static void step_kernel(se_level level, form f, const state *from, state *to, const float *g,
                        float rate, float time, const float *scale, const bool *ok)
{
    se_type type = se_type_make(SE_F32, 1, (int64_t[]){N}), types[8] = {type, type, type, type};
    se_type outs[] = {type, type, type};
    const void *in[] = {from->p, from->m, from->v, g, &rate, &time, scale, ok};
    void *out[] = {to->p, to->m, to->v};
    se_attr attr[] = {SE_NUM(0.9), SE_NUM(0.999), SE_NUM(f.eps), SE_NUM(f.decay), SE_INT(f.torch)};
    se_task t = {.n_in = 8,
                 .n_out = 3,
                 .in_type = types,
                 .out_type = outs,
                 .in = in,
                 .out = out,
                 .attr = attr};
    adamw.level[level](&t, 0, 300);
    adamw.level[level](&t, 300, N);
}

/* As mpnet.md section 1 and golden/tiny-mpnet/README.md write them. */
static void step_reference(form f, double *p, double *m, double *v, const float *g, double rate,
                           int time, double scale)
{
    for (int i = 0; i < N; i++) {
        double grad = scale * g[i], c1 = 1 - pow(0.9, time), c2 = 1 - pow(0.999, time);
        m[i] = 0.9 * m[i] + 0.1 * grad;
        v[i] = 0.999 * v[i] + 0.001 * grad * grad;
        if (f.torch) {
            p[i] *= 1 - rate * f.decay;
            p[i] -= rate * (m[i] / c1) / (sqrt(v[i] / c2) + f.eps);
        } else {
            p[i] -= rate * sqrt(c2) / c1 * m[i] / (sqrt(v[i]) + f.eps);
            p[i] -= rate * f.decay * p[i];
        }
    }
}

/* 30 steps with the golden runs' rate; parameters move by up to 1e-2 and stay within 2e-7: about a
 * rounding of p (6e-8) that does not grow. */
static void check_steps(se_level level)
{
    const form forms[] = {{1e-6, 0, false}, {1e-6, 0.01, false}, {1e-8, 0.01, true}};
    for (int k = 0; k < 3; k++) {
        static state s;
        static double p[N], m[N], v[N];
        float slope[N], g[N];
        for (int i = 0; i < N; i++) {
            p[i] = s.p[i] = draw();
            m[i] = v[i] = s.m[i] = s.v[i] = 0;
            slope[i] = draw() * powf(10, (float)(i % 7) - 5);
        }
        double first = p[0];
        for (int time = 1; time <= STEPS; time++) {
            float scale = time % 3 ? 1.0f : 0.25f;
            float rate = 1e-3f * (time < 6 ? (float)(time - 1) / 5 : (float)(31 - time) / 25);
            for (int i = 0; i < N; i++)
                g[i] = slope[i] * (1 + draw());
            step_kernel(level, forms[k], &s, &s, g, rate, (float)time, &scale, NULL);
            step_reference(forms[k], p, m, v, g, rate, time, scale);
            if (time == 1) /* the rate is 0 */
                assert_true(s.p[0] == (float)first);
        }
        double worst = 0;
        for (int i = 0; i < N; i++) {
            worst = fabs(s.p[i] - p[i]) > worst ? fabs(s.p[i] - p[i]) : worst;
            assert_true(fabs(s.m[i] - m[i]) <= 1e-6 * fabs(slope[i]));
            assert_true(fabs(s.v[i] - v[i]) <= 1e-6 * v[i] + 1e-20);
        }
        if (worst > 6e-7)
            fail_msg("form %d: error %g", k, worst);
        assert_true(fabs(p[0] - first) > 1e-3);
    }
}

static void test_steps(void **unused)
{
    (void)unused;
    each_level(check_steps);
}

/* In place and apart: the same bits. Refused: everything as it was, even with a nan for gradient.
 */
static void check_places(se_level level)
{
    static state from, apart, here;
    float g[N], scale = 0.5f;
    for (int i = 0; i < N; i++)
        from.p[i] = draw(), from.m[i] = draw(), from.v[i] = fabsf(draw()), g[i] = draw();
    form f = {1e-6, 0.01, false};
    bool yes = true, no = false;
    here = from;
    step_kernel(level, f, &from, &apart, g, 1e-2f, 4, &scale, &yes);
    step_kernel(level, f, &here, &here, g, 1e-2f, 4, &scale, &yes);
    assert_memory_equal(&apart, &here, sizeof here);
    assert_true(here.p[0] != from.p[0] && here.m[0] != from.m[0] && here.v[0] != from.v[0]);
    g[5] = NAN;
    here = from;
    step_kernel(level, f, &from, &apart, g, 1e-2f, 4, &scale, &no);
    step_kernel(level, f, &here, &here, g, 1e-2f, 4, &scale, &no);
    assert_memory_equal(&apart, &from, sizeof here);
    assert_memory_equal(&here, &from, sizeof here);
}

static void test_places(void **unused)
{
    (void)unused;
    each_level(check_places);
}

static void check_sgd(se_level level)
{
    float p[N], g[N], y[N], rate = 0.1f, scale = 0.5f;
    bool no = false;
    for (int i = 0; i < N; i++)
        p[i] = draw(), g[i] = draw();
    se_type type = se_type_make(SE_F32, 1, (int64_t[]){N}), types[5] = {type, type};
    const void *in[] = {p, g, &rate, &scale, NULL};
    void *out[] = {y};
    se_attr attr[] = {SE_NUM(0.01)};
    se_task t = {.n_in = 5,
                 .n_out = 1,
                 .in_type = types,
                 .out_type = &type,
                 .in = in,
                 .out = out,
                 .attr = attr};
    sgd.level[level](&t, 0, N);
    for (int i = 0; i < N; i++) { /* a rounding or two of numbers up to 1 */
        double want = p[i] - (double)rate * (0.5 * g[i] + 0.01 * p[i]);
        assert_true(fabs(y[i] - want) < 1.2e-7);
    }
    in[4] = &no;
    sgd.level[level](&t, 0, N);
    assert_memory_equal(y, p, sizeof p);
}

static void test_sgd(void **unused)
{
    (void)unused;
    each_level(check_sgd);
}

/* Tensors of many sizes; values from 1e-30 to 1e25, whose squares leave float's range. */
static void check_norm(se_level level)
{
    const int64_t count[] = {0, 1, 7, 32768, 32769, 150001};
    const float size[] = {1e-30f, 1, 1e25f};
    se_type types[6];
    const void *in[6];
    float *x[6], y;
    for (int s = 0; s < 3; s++) {
        double want = 0;
        int64_t blocks = 0;
        for (int k = 0; k < 6; k++) {
            types[k] = se_type_make(SE_F32, 1, &count[k]);
            blocks += se_norm_blocks_of(&types[k]);
            in[k] = x[k] = malloc((size_t)(count[k] + 1) * sizeof(float));
            for (int64_t i = 0; i < count[k]; i++) {
                x[k][i] = draw() * size[s];
                want += (double)x[k][i] * x[k][i];
            }
        }
        void *out[] = {&y}, *scratch = malloc((size_t)blocks * sizeof(double));
        se_task t = {.n_in = 6, .n_out = 1, .in_type = types, .in = in, .out = out};
        t.scratch = scratch;
        float first = 0;
        for (int threads = 1; threads <= 4; threads++) {
            se_threads_set(threads);
            global_norm.level[level](&t, 0, 1);
            first = threads == 1 ? y : first;
            assert_true(y == first);
        }
        assert_true(fabs(y / sqrt(want) - 1) < 6e-8); /* one rounding to float */
        for (int k = 0; k < 6; k++)
            free(x[k]);
        free(scratch);
    }
    se_threads_set(0);
}

static void test_norm(void **unused)
{
    (void)unused;
    each_level(check_norm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
