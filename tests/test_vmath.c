/* The functions of kernels/vmath.h in float against libm in double: largest errors in units in the
 * last place, special values, and the same bits in a vector loop as alone. */
#define SE_REAL float
#define SE_LEVEL portable
#define SE_LEVEL_portable
#include "kernels/vmath.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LOOP(f)                                                                                    \
    static void loop_##f(const float *x, float *y, int n)                                          \
    {                                                                                              \
        for (int i = 0; i < n; i++) {                                                              \
            y[i] = se_##f(x[i]);                                                                   \
        }                                                                                          \
    }                                                                                              \
    static float one_##f(float x)                                                                  \
    {                                                                                              \
        return se_##f(x);                                                                          \
    }
LOOP(exp)
LOOP(log)
LOOP(log1p)
LOOP(expm1)
LOOP(tanh)
LOOP(erf)
LOOP(sigmoid)
LOOP(sin)
LOOP(cos)

static double true_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

typedef struct range {
    const char *name;
    void (*loop)(const float *, float *, int);
    float (*one)(float);
    double (*truth)(double);
    float lo, hi;
    double ulp; /* largest error allowed */
} range;

static const range ranges[] = {
    {"exp", loop_exp, one_exp, exp, -87, 88.7f, 1.1},
    {"exp", loop_exp, one_exp, exp, -103, -87, 1.1},
    {"exp", loop_exp, one_exp, exp, -1, 1, 1.1},
    {"log", loop_log, one_log, log, 1e-40f, 1e-36f, 1},
    {"log", loop_log, one_log, log, 0.4f, 2.5f, 1},
    {"log", loop_log, one_log, log, 1e-5f, 1e30f, 1},
    {"log1p", loop_log1p, one_log1p, log1p, -0.99f, -0.2f, 2.5},
    {"log1p", loop_log1p, one_log1p, log1p, -0.2f, 1, 2.5},
    {"log1p", loop_log1p, one_log1p, log1p, -1e-6f, 1e-6f, 2.5},
    {"log1p", loop_log1p, one_log1p, log1p, 1, 1e30f, 2.5},
    {"expm1", loop_expm1, one_expm1, expm1, -1, 1, 1.6},
    {"expm1", loop_expm1, one_expm1, expm1, -1e-5f, 1e-5f, 1.6},
    {"expm1", loop_expm1, one_expm1, expm1, -70, 88.7f, 1.6},
    {"tanh", loop_tanh, one_tanh, tanh, -10, 10, 1.5},
    {"tanh", loop_tanh, one_tanh, tanh, -1, 1, 1.5},
    {"erf", loop_erf, one_erf, erf, -5, 5, 1.3},
    {"sigmoid", loop_sigmoid, one_sigmoid, true_sigmoid, -80, 20, 2.5},
    {"sin", loop_sin, one_sin, sin, -3, 3, 1.6},
    {"cos", loop_cos, one_cos, cos, -1.5f, 1.5f, 1.6},
};

static void test_errors(void **state)
{
    (void)state;
    enum { N = 400001 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        const range *r = &ranges[k];
        double worst = 0;
        for (int i = 0; i < N; i++)
            x[i] = r->lo + (r->hi - r->lo) * (((float)i + 0.3f) / N);
        r->loop(x, y, N);
        for (int i = 0; i < N; i++) {
            double want = r->truth(x[i]);
            float size = fabsf((float)want), alone = r->one(x[i]);
            double error = fabs(y[i] - want) / (nextafterf(size, INFINITY) - size);
            worst = error > worst ? error : worst;
            assert_memory_equal(&alone, &y[i], sizeof alone);
        }
        if (worst > r->ulp)
            fail_msg("%s on %g..%g: %.2f units in the last place", r->name, r->lo, r->hi, worst);
    }
    free(x);
    free(y);
}

/* All floats next to zeros of sin and cos, where the reduction loses what it has. */
static void test_zeros(void **state)
{
    (void)state;
    for (int k = 1; k < 636619; k++) {
        float x = (float)(k * 1.57079632679489661923);
        bool odd = k % 2 != 0;
        float got = odd ? se_cos(x) : se_sin(x);
        double want = odd ? cos(x) : sin(x), size = fabs(want);
        double ulp = nextafterf((float)size, INFINITY) - (float)size;
        if (!(fabs(got - want) <= 1.6 * ulp))
            fail_msg("%s(%.9g) is %.9g: %.9g is wanted", odd ? "cos" : "sin", x, got, want);
    }
}

/* sin and cos far out: absolute. */
static void test_far(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        float x = -1e6f + 10.0f * (float)i + 0.37f;
        assert_true(fabs(se_sin(x) - sin(x)) < 1.2e-7);
        assert_true(fabs(se_cos(x) - cos(x)) < 1.2e-7);
    }
}

static void test_specials(void **state)
{
    (void)state;
    const float inf = INFINITY;
    assert_true(se_exp(inf) == inf && se_exp(-inf) == 0 && se_exp(0) == 1 && se_exp(200) == inf);
    assert_true(se_exp(-200) == 0 && se_exp(88.7f) < inf && isnan(se_exp(NAN)));
    assert_true(se_log(inf) == inf && se_log(0) == -inf && se_log(1) == 0 && isnan(se_log(-1)));
    assert_true(isnan(se_log(-inf)) && isnan(se_log(NAN)));
    assert_true(se_tanh(inf) == 1 && se_tanh(-inf) == -1 && se_tanh(0) == 0 && isnan(se_tanh(NAN)));
    assert_true(se_erf(inf) == 1 && se_erf(-inf) == -1 && se_erf(0) == 0 && isnan(se_erf(NAN)));
    assert_true(se_sigmoid(inf) == 1 && se_sigmoid(-inf) == 0 && se_sigmoid(0) == 0.5f);
    assert_true(isnan(se_sigmoid(NAN)) && isnan(se_sin(inf)) && isnan(se_sin(NAN)));
    assert_true(se_sin(0) == 0 && se_cos(0) == 1);
    assert_true(se_log1p(inf) == inf && se_log1p(-1) == -inf && isnan(se_log1p(-1.5f)));
    assert_true(isnan(se_log1p(NAN)) && se_log1p(0) == 0 && signbit(se_log1p(-0.0f)));
    assert_true(se_expm1(inf) == inf && se_expm1(-inf) == -1 && isnan(se_expm1(NAN)));
    assert_true(se_expm1(0) == 0 && signbit(se_expm1(-0.0f)) && se_expm1(88.8f) == inf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_specials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
