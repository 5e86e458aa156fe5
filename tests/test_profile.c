/* The arithmetic that profiles count: against loops over what is multiplied. */
#include "op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TYPE(...)                                                                                  \
    se_type_make(SE_F32, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                \
                 (int64_t[]){__VA_ARGS__})

static double work_of(const char *name, int n_in, const se_type *in, const void *const *data,
                      const se_attr *attr, se_type out)
{
    const se_op *op = se_op_find(name);
    if (!op || !op->work)
        fail_msg("%s has no count", name);
    se_task t = {.n_in = n_in, .in_type = in, .out_type = &out, .in = data, .attr = attr};
    return op->work(&t);
}

static double matmul(se_type a, se_type b, bool ta, bool tb, se_type out)
{
    return work_of("matmul", 2, (se_type[]){a, b}, NULL,
                   (se_attr[]){SE_INT(ta), SE_INT(tb), SE_INT(0)}, out);
}

static void test_products(void **state)
{
    (void)state;
    double one = 2.0 * 3 * 5 * 7;
    assert_true(matmul(TYPE(3, 5), TYPE(5, 7), false, false, TYPE(3, 7)) == one);
    assert_true(matmul(TYPE(5, 3), TYPE(7, 5), true, true, TYPE(3, 7)) == one);
    assert_true(matmul(TYPE(2, 4, 3, 5), TYPE(4, 5, 7), false, false, TYPE(2, 4, 3, 7)) == 8 * one);
    assert_true(matmul(TYPE(5), TYPE(5, 7), true, false, TYPE(7)) == 2.0 * 5 * 7);
    assert_true(matmul(TYPE(5), TYPE(5), false, true, se_type_scalar(SE_F32)) == 2.0 * 5);
    assert_true(matmul(TYPE(0, 5), TYPE(5, 7), false, false, TYPE(0, 7)) == 0);
    se_type in[] = {TYPE(2, 3, 5), TYPE(7, 5), TYPE(7)};
    assert_true(work_of("linear", 3, in, NULL, NULL, TYPE(2, 3, 7)) == 2 * one);
    se_type rows[] = {TYPE(3, 5), TYPE(100, 5), TYPE(3, 2), TYPE(3, 2)};
    se_attr part[] = {SE_INT(20), SE_INT(7), SE_INT(0), SE_INT(0)};
    assert_true(work_of("nearest", 4, rows, NULL, part, TYPE(3, 2)) == one);
}

/* Texts of 2, 0 and 5 tokens, 3 heads of 4 numbers: a product is 2 * 12 for each pair. */
static void test_attention(void **state)
{
    (void)state;
    static const int32_t starts[] = {0, 2, 2, 7};
    se_type x = TYPE(9, 12), at = se_type_make(SE_I32, 1, (int64_t[]){4});
    for (int causal = 0; causal < 2; causal++) {
        double pairs = 0;
        for (int i = 0; i < 3; i++)
            for (int q = starts[i]; q < starts[i + 1]; q++)
                for (int k = starts[i]; k < starts[i + 1]; k++)
                    pairs += !causal || k <= q;
        se_attr attr[] = {SE_INT(3), SE_INT(5), SE_NUM(0), SE_INT(0), SE_INT(causal)};
        se_type in[] = {x, x, x, at}, back[] = {x, x, x, x, at};
        const void *data[] = {NULL, NULL, NULL, starts}, *more[] = {NULL, NULL, NULL, NULL, starts};
        assert_true(work_of("attention", 4, in, data, attr, x) == 2 * 24 * pairs);
        assert_true(work_of("attention_grad", 5, back, more, attr, x) == 5 * 24 * pairs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
