/* Programs for XLA as text: what goes in and out, which numbers are arguments, donation. */
#include "ops_sample.h"

#include "exec/program.h"
#include "tensor.h"

/* --- one graph with all that a program has --- */

static se_tensor *call_2(const char *name, se_tensor *x, se_tensor *y)
{
    se_tensor *in[] = {x, y}, *out[SE_MAX_OUTPUTS];
    assert_int_equal(sample_call(se_op_find(name), 2, in, NULL, 1, out), SE_OK);
    return out[0];
}

static se_tensor *call_1(const char *name, se_tensor *x)
{
    se_tensor *out[SE_MAX_OUTPUTS];
    assert_int_equal(sample_call(se_op_find(name), 1, &x, NULL, 1, out), SE_OK);
    return out[0];
}

static se_tensor *number(double v)
{
    se_tensor *t = NULL;
    assert_int_equal(se_tensor_number(v, &t), SE_OK);
    return sample_hold(t);
}

static se_tensor *leaf(int rank, const int64_t *dim)
{
    static const double zeros[64];
    se_type type = se_type_make(SE_F32, rank, dim);
    return tensor_of(&type, zeros);
}

static se_hlo_program program_of(const se_request *q, const se_hlo_options *o)
{
    se_plan plan;
    se_hlo_program p;
    assert_int_equal(se_plan_make(&plan, q), SE_OK);
    if (se_hlo_program_make(&plan, o, &p))
        fail_msg("%s", se_message());
    se_plan_free(&plan);
    return p;
}

/* w - rate * tanh(w x), assigned to w, and the sum of the tanh, which is asked for. */
static se_hlo_program step_of(double rate, const se_hlo_options *o)
{
    se_tensor *w = leaf(2, (int64_t[]){2, 3}), *x = leaf(2, (int64_t[]){3, 3});
    se_ref old = w->ref;
    se_tensor *y = call_1("tanh", call_2("matmul", w, x));
    se_tensor *next = call_2("sub", w, call_2("mul", number(rate), call_1("square", y)));
    se_ref roots[] = {call_1("sum", y)->ref};
    se_pending pending = {.value = next->ref, .target_old = old};
    old.node->handles--; /* as se_assign leaves it */
    se_request q = {.n_roots = 1, .n_pending = 1, .roots = roots, .pending = &pending};
    se_hlo_program p = program_of(&q, o);
    old.node->handles++;
    return p;
}

static const char step_text[] =
    "module @sembed attributes {mhlo.num_replicas = 1 : i32, mhlo.num_partitions = 1 : i32} {\n"
    "  func.func public @main(%0: tensor<2x3xf32> {tf.aliasing_output = 1 : i32}, "
    "%1: tensor<3x3xf32>, %2: tensor<f32>) -> (tensor<f32>, tensor<2x3xf32>) {\n"
    "    %3 = \"stablehlo.dot_general\"(%0, %1) {dot_dimension_numbers = "
    "#stablehlo.dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], "
    "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>, precision_config = "
    "[#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<2x3xf32>, "
    "tensor<3x3xf32>) -> tensor<2x3xf32>\n"
    "    %4 = stablehlo.tanh %3 : tensor<2x3xf32>\n"
    "    %5 = stablehlo.multiply %4, %4 : tensor<2x3xf32>\n"
    "    %6 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<2x3xf32>\n"
    "    %7 = stablehlo.multiply %6, %5 : tensor<2x3xf32>\n"
    "    %8 = stablehlo.subtract %0, %7 : tensor<2x3xf32>\n"
    "    %9 = stablehlo.constant dense<0x00000000> : tensor<f32>\n"
    "    %10 = stablehlo.reduce(%4 init: %9) applies stablehlo.add across dimensions = [0, 1] : "
    "(tensor<2x3xf32>, tensor<f32>) -> tensor<f32>\n"
    "    return %10, %8 : tensor<f32>, tensor<2x3xf32>\n"
    "  }\n"
    "}\n";

static void test_step(void **state)
{
    (void)state;
    se_hlo_options one = {.replicas = 1};
    se_hlo_program p = step_of(0.1, &one);
    assert_string_equal(p.text, step_text);
    assert_int_equal(p.length, strlen(step_text));
    assert_int_equal(p.n_in, 3);
    assert_int_equal(p.n_out, 2);
    assert_int_equal(p.donates[0], -1);
    assert_int_equal(p.donates[1], 0);
    assert_true(p.in[2].node->is_number && p.in[2].node->number.f == 0.1f);
    se_hlo_program again = step_of(0.2, &one); /* another rate is no other program */
    assert_string_equal(again.text, step_text);
    se_hlo_program_free(&p);
    se_hlo_program_free(&again);
    sample_close(0);
}

static void test_bf16(void **state)
{
    (void)state;
    se_hlo_program p = step_of(0.1, &(se_hlo_options){.replicas = 1, .bf16 = true});
    assert_non_null(strstr(p.text, "(tensor<2x3xbf16>, tensor<3x3xbf16>) -> tensor<2x3xf32>"));
    assert_null(strstr(p.text, "HIGHEST"));
    se_hlo_program_free(&p);
    sample_close(0);
}

/* A handle on the old value, or another consumer of it, keeps its memory. */
static void test_donation(void **state)
{
    (void)state;
    for (int kept = 0; kept < 3; kept++) {
        se_tensor *w = leaf(1, (int64_t[]){4});
        se_ref old = w->ref;
        se_tensor *next = call_2("mul", w, number(0.5));
        if (kept == 2)
            call_1("exp", w); /* waits for the old value */
        se_pending pending = {.value = next->ref, .target_old = old};
        if (kept != 1)
            old.node->handles--;
        se_request q = {.n_pending = 1, .pending = &pending};
        se_hlo_program p = program_of(&q, &(se_hlo_options){.replicas = 1});
        assert_int_equal(p.n_out, 1);
        assert_int_equal(p.donates[0], kept ? -1 : 0);
        assert_int_equal(strstr(p.text, "aliasing") == NULL, kept != 0);
        if (kept != 1)
            old.node->handles++;
        se_hlo_program_free(&p);
        sample_close(0);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    se_ref roots[] = {leaf(1, (int64_t[]){4})->ref};
    se_request q = {.n_roots = 1, .roots = roots};
    se_hlo_program p = program_of(&q, &(se_hlo_options){.replicas = 1});
    assert_int_equal(p.n_out, 0);
    assert_null(p.text);
    se_hlo_program_free(&p);
    sample_close(0);
}

static void test_collectives(void **state)
{
    (void)state;
    static const char *const word[][2] = {
        {"shard_sum", "\"stablehlo.all_reduce\""},
        {"shard_mean", "stablehlo.divide"},
    };
    for (int i = 0; i < 2; i++) {
        se_ref roots[] = {call_1(word[i][0], leaf(2, (int64_t[]){4, 2}))->ref};
        se_request q = {.n_roots = 1, .roots = roots};
        se_hlo_program p = program_of(&q, &(se_hlo_options){.replicas = 3});
        assert_non_null(strstr(p.text, word[i][1]));
        assert_non_null(strstr(p.text, "replica_groups = dense<[[0, 1, 2]]> : tensor<1x3xi64>"));
        se_hlo_program_free(&p);
        p = program_of(&q, &(se_hlo_options){.replicas = 1});
        assert_null(strstr(p.text, "replica_groups"));
        se_hlo_program_free(&p);
        sample_close(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step),        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_donation),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_collectives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
