/* Programs for XLA: what goes in and out, which numbers are arguments, donation; for every op the
 * program of all its samples, with their gradients, as text; and `test_hlo xla [OP]`, where a
 * plugin is found (SEMBED_PJRT_PLUGIN): run, and compared with the CPU. */
#include "ops_sample.h"

#include "exec/pjrt.h"
#include "exec/program.h"
#include "tensor.h"

#include <float.h>

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

/* The text of one collective of x [4, 2] on so many replicas. */
static se_hlo_program collective_of(const char *name, bool varying, int replicas)
{
    static const double zeros[8];
    se_type type = se_type_make(SE_F32, 2, (int64_t[]){4, 2});
    type.varying = varying;
    type.rows = varying ? 4 : 0;
    se_ref roots[] = {call_1(name, tensor_of(&type, zeros))->ref};
    se_request q = {.n_roots = 1, .roots = roots};
    return program_of(&q, &(se_hlo_options){.replicas = replicas});
}

/* What is the same on every replica, or stands on one only, is not sent. */
static void test_collectives(void **state)
{
    (void)state;
    static const char *const word[][2] = {
        {"shard_sum", "\"stablehlo.all_reduce\""},
        {"shard_mean", "stablehlo.divide"},
        {"shard_broadcast", "stablehlo.replica_id"},
    };
    for (int i = 0; i < 3; i++) {
        se_hlo_program p = collective_of(word[i][0], true, 3);
        assert_non_null(strstr(p.text, word[i][1]));
        assert_non_null(strstr(p.text, "replica_groups = dense<[[0, 1, 2]]> : tensor<1x3xi64>"));
        se_hlo_program_free(&p);
        for (int replicas = 1; replicas <= 3; replicas += 2) {
            p = collective_of(word[i][0], replicas == 1, replicas);
            assert_null(strstr(p.text, "replica_groups"));
            assert_null(strstr(p.text, "divide"));
            se_hlo_program_free(&p);
        }
        sample_close(0);
    }
}

/* --- every op --- */

enum { ROOTS = 1024 };

/* The outputs of all samples of an op, and the gradients of a weighted sum of each sample's. */
typedef struct values {
    int n;
    se_tensor *t[ROOTS];
    double tolerance[ROOTS];
    char text[ROOTS][160]; /* which sample, and which value of it */
} values;
static values all;

static void add_value(se_tensor *t, const sample_case *c, const char *what, double tolerance)
{
    if (all.n == ROOTS)
        fail_msg("more than %d values of one op", ROOTS);
    all.t[all.n] = t;
    all.tolerance[all.n] = tolerance;
    snprintf(all.text[all.n++], sizeof all.text[0], "%s of %.100s", what, c->text);
}

static se_tensor *weighted_sum(int n, se_tensor *const *out)
{
    se_tensor *total = NULL;
    for (int i = 0; i < n; i++) {
        se_type type;
        se_tensor_type(out[i], &type);
        if (type.dtype != SE_F32)
            continue;
        int64_t count = se_type_count(&type);
        double *w = calloc((size_t)count + 1, sizeof *w);
        sample_dice = 77 + (uint64_t)i;
        for (int64_t k = 0; k < count; k++)
            w[k] = sample_uniform(-1, 1);
        se_tensor *part = call_1("sum", call_2("mul", out[i], tensor_of(&type, w)));
        free(w);
        total = total ? call_2("add", total, part) : part;
    }
    return total;
}

/* Gradients take formulas in which more is cancelled than in the fused kernels (1 - tanh^2 of
 * gelu): 3e-5 of the largest value is what one rounding costs there. */
static void add_sample(const se_op *op, const sample_case *c)
{
    se_tensor *in[SAMPLE_TENSORS], *out[SE_MAX_OUTPUTS];
    for (int i = 0; i < c->n_in; i++)
        in[i] = c->in[i] < 0 ? NULL : tensor_of(&c->t[c->in[i]].type, c->t[c->in[i]].data);
    if (sample_call(op, c->n_in, in, c->attr, 1, out))
        fail_msg("%s (%s): %s", op->name, c->text, se_message());
    for (int i = 0; i < se_op_outs(op); i++)
        add_value(out[i], c, "output", c->tolerance);
    se_tensor *loss = c->grad ? weighted_sum(se_op_outs(op), out) : NULL;
    for (int i = 0; loss && i < c->n_in; i++) {
        se_tensor *d[1] = {NULL};
        bool wanted = in[i] && c->t[c->in[i]].type.dtype == SE_F32 && !c->t[c->in[i]].no_grad;
        if (wanted && (op->grad || op->expand) && !se_grad(loss, 1, &in[i], d) && d[0])
            add_value(sample_hold(d[0]), c, "gradient", 3e-5);
    }
}

static void add_samples(const se_op *op, int number)
{
    static sample_case c;
    const char *at = op->sample ? op->sample : "";
    all.n = 0;
    for (int k = 0; sample_next(op, &at, &c); k++) {
        sample_draw(&c, (uint64_t)(1000 * number + k));
        add_sample(op, &c);
        sample_free(&c);
    }
}

static se_hlo_program program_of_values(void)
{
    static se_ref roots[ROOTS];
    for (int i = 0; i < all.n; i++)
        roots[i] = all.t[i]->ref;
    se_request q = {.n_roots = all.n, .roots = roots};
    return program_of(&q, &(se_hlo_options){.replicas = 1});
}

/* An op with neither .hlo nor .expand fails here. */
static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        add_samples(op, i);
        if (all.n) {
            se_hlo_program p = program_of_values(), again = program_of_values();
            if (!p.text)
                fail_msg("%s: no text", op->name);
            assert_string_equal(p.text, again.text);
            se_hlo_program_free(&p);
            se_hlo_program_free(&again);
        }
        sample_close(0);
    }
}

/* --- with a plugin --- */

static const char *only; /* name of the one op to test */
static se_pjrt *plugin;
static int failures;

static int open_plugin(void **state)
{
    char *path = NULL;
    (void)state;
    if (se_pjrt_find(&path) || se_pjrt_open(path, 1, &plugin)) {
        print_message("skipped: %s\n", se_message());
        exit(77);
    }
    free(path);
    return 0;
}

static int close_plugin(void **state)
{
    (void)state;
    se_pjrt_close(plugin);
    return 0;
}

static void must(se_status s, const char *op)
{
    if (s)
        fail_msg("%s: %s", op, se_message());
}

/* Runs the program; the outputs as bytes. */
static void run_program(const se_op *op, const se_hlo_program *p, void **out)
{
    se_type *type = calloc((size_t)(p->n_in + p->n_out), sizeof *type);
    se_pjrt_buf **buf = calloc((size_t)(p->n_in + p->n_out), sizeof *buf);
    se_pjrt_schema schema = {1, p->n_in, p->n_out, type, type + p->n_in, p->donates};
    for (int i = 0; i < p->n_in; i++)
        type[i] = p->in[i].node->type[p->in[i].out];
    for (int k = 0; k < p->n_out; k++)
        type[p->n_in + k] = p->out[k].node->type[p->out[k].out];
    se_pjrt_program *g = NULL;
    must(se_pjrt_compile(plugin, p->text, p->length, &schema, &g), op->name);
    for (int i = 0; i < p->n_in; i++)
        must(se_pjrt_put(plugin, 0, &type[i], se_node_data(p->in[i]), &buf[i]), op->name);
    must(se_pjrt_run(g, buf, buf + p->n_in), op->name);
    for (int k = 0; k < p->n_out; k++) {
        size_t bytes = se_type_bytes(&schema.out[k]);
        out[k] = calloc(bytes + 1, 1);
        must(se_pjrt_get(buf[p->n_in + k], out[k], bytes), op->name);
    }
    for (int i = 0; i < p->n_in + p->n_out; i++)
        se_pjrt_buf_free(buf[i]);
    se_pjrt_program_free(g);
    free(buf);
    free(type);
}

typedef void comparison(const se_op *op, const se_type *type, const void *want, const void *have,
                        int i);

/* Floats within the tolerance of the largest value, bf16 within its last place, others equal. */
static void compare_value(const se_op *op, const se_type *type, const void *want, const void *have,
                          int i)
{
    double most = 0, worst = 0;
    for (int64_t k = 0; k < se_type_count(type); k++) {
        double x = element_of(type, want, k), y = element_of(type, have, k);
        if (isfinite(x) && fabs(x) > most)
            most = fabs(x);
        double off = x == y || (isnan(x) && isnan(y)) ? 0 : fabs(x - y);
        if (!(off <= worst))
            worst = off;
    }
    double allowed = type->dtype == SE_F32    ? all.tolerance[i] * most
                     : type->dtype == SE_BF16 ? most / 128
                                              : 0;
    if (worst <= allowed)
        return;
    failures++;
    print_error("%s: %s: off by %g, allowed %g\n", op->name, all.text[i], worst, allowed);
}

/* Runs the program of all values on the plugin, then evaluates them on the CPU. */
static void compare_values(const se_op *op, comparison *compare)
{
    se_hlo_program p = program_of_values();
    void *out[ROOTS] = {0};
    int at[ROOTS];
    if (p.text)
        run_program(op, &p, out);
    for (int i = 0; i < all.n; i++) {
        at[i] = -1;
        for (int k = 0; k < p.n_out; k++)
            if (p.out[k].node == all.t[i]->ref.node && p.out[k].out == all.t[i]->ref.out)
                at[i] = k;
    }
    must(se_eval(all.n, all.t), op->name);
    for (int i = 0; i < all.n; i++) {
        se_type type;
        const void *want = NULL;
        must(se_tensor_type(all.t[i], &type), op->name);
        must(se_tensor_data(all.t[i], true, &want), op->name);
        if (at[i] >= 0)
            compare(op, &type, want, out[at[i]], i);
    }
    for (int k = 0; k < p.n_out; k++)
        free(out[k]);
    se_hlo_program_free(&p);
}

static void test_values(void **state)
{
    (void)state;
    failures = 0;
    for (int i = 0; i < se_op_count(); i++) {
        if (only && strcmp(only, se_op_at(i)->name) != 0)
            continue;
        add_samples(se_op_at(i), i);
        if (all.n)
            compare_values(se_op_at(i), compare_value);
        sample_close(0);
    }
    assert_int_equal(failures, 0);
}

/* Numbers at which programs go wrong: nan, infinities, -0, the ends of f32 and i32. (Numbers next
 * to 0 that have fewer digits are left out: devices may take them as 0, and a quotient as the
 * product with such an inverse.) */
static const double special[] = {
    0,         -0.0, 1,    -1,    0.5,   -0.5, 1.5,          2.5,           -2.5,         INFINITY,
    -INFINITY, NAN,  1e30, -1e30, 1e-30, 5e37, 2147483648.0, -2147483648.0, 2147483520.0, 87,
    89,        -105,
};
static const double whole[] = {0, 1, -1, 2, -2, 7, INT32_MAX, INT32_MIN, 65536};

static const char *const special_ops[] = {
    "add",    "sub",   "mul",      "div",         "maximum",   "minimum",       "pow",
    "neg",    "exp",   "log",      "sqrt",        "rsqrt",     "tanh",          "erf",
    "abs",    "sign",  "relu",     "sigmoid",     "clip",      "sin",           "cos",
    "log1p",  "expm1", "floor",    "ceil",        "round",     "trunc",         "cast",
    "equal",  "less",  "where",    "is_finite",   "max",       "min",           "argmax",
    "argmin", "sort",  "topk",     "atan2",       "hypot",     "softplus",      "max_pool",
    "log2",   "exp2",  "asinh",    "acosh",       "atanh",     "sinh",          "asin",
    "acos",   "atan",  "softsign", "logical_and", "not_equal", "greater_equal",
};

static void draw_special(sample_case *c)
{
    for (int k = 0; k < c->n_tensors; k++) {
        sample_tensor *t = &c->t[k];
        bool i32 = t->type.dtype == SE_I32;
        int n = i32 ? sizeof whole / sizeof *whole : sizeof special / sizeof *special;
        for (int64_t i = 0; i < se_type_count(&t->type) && !t->n_values; i++)
            if (i32 || t->type.dtype == SE_F32)
                t->data[i] = (i32 ? whole : special)[(int)sample_uniform(0, n)];
    }
}

/* Each element for itself: the same nan or infinity, or within the tolerance of its own value. What
 * has fewer digits than a float should may be 0. */
static void compare_special(const se_op *op, const se_type *type, const void *want,
                            const void *have, int i)
{
    for (int64_t k = 0; k < se_type_count(type); k++) {
        double x = element_of(type, want, k), y = element_of(type, have, k);
        bool same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 4e-6 * fabs(x) ||
                    fabs(x - y) < FLT_MIN;
        if (type->dtype == SE_BF16)
            same |= fabs(x - y) <= fabs(x) / 128;
        if (same)
            continue;
        failures++;
        print_error("%s: %s: element %lld is %.9g, on the CPU %.9g\n", op->name, all.text[i],
                    (long long)k, y, x);
        return;
    }
}

static void special_op(const se_op *op)
{
    static sample_case c;
    const char *at = op->sample;
    all.n = 0;
    while (sample_next(op, &at, &c)) {
        sample_draw(&c, 1);
        draw_special(&c);
        c.grad = false;
        add_sample(op, &c);
        sample_free(&c);
    }
    compare_values(op, compare_special);
}

static void test_special(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < sizeof special_ops / sizeof *special_ops; i++) {
        if (only && strcmp(only, special_ops[i]) != 0)
            continue;
        special_op(se_op_find(special_ops[i]));
        sample_close(0);
    }
    assert_int_equal(failures, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest texts[] = {
        cmocka_unit_test(test_step),        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_donation),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_collectives), cmocka_unit_test(test_texts),
    };
    const struct CMUnitTest runs[] = {cmocka_unit_test(test_special),
                                      cmocka_unit_test(test_values)};
    only = argc > 2 ? argv[2] : NULL;
    return argc > 1 ? cmocka_run_group_tests(runs, open_plugin, close_plugin)
                    : cmocka_run_group_tests(texts, NULL, NULL);
}
