/* Every op of the table, tested from its `.sample`:
 *
 *   shape rule = shape produced; no crash on wrong counts, ranks, dtypes and attributes; expansion
 * = kernel; every instruction set of the machine = portable; 1 thread = 4 threads bit for bit; a
 * row alone = the row among others bit for bit (`rowwise` ops); `test_ops f64`: gradients = central
 *   differences in double, second derivatives too.
 *
 * A sample is one or more cases separated by ';'. A case is words separated by spaces:
 *
 * - x:f32[2x3] is a tensor named as in `args`: dtype f32 bf16 i32 bool; [] is a scalar, [0x3] is
 *   empty. f32 and bf16 are drawn from -2 to 2, i32 from 0 to 2.
 * - x:f32[2x3]@0.5..3 is drawn from 0.5 up to 3; whole numbers with 0.5 <= v < 3 for i32.
 * - starts:i32[4]=0,2,2,5 has these values, row-major; floats too.
 * - w:f32[3]! as before, but no gradient is checked for this input.
 * - An optional tensor that is left out is not mentioned; a variadic one (xs) is repeated, once for
 *   each tensor.
 * - axis=-1 keep=true low=-0.5 dtype=i32 axes={0,2} are attributes, axes from 0; those that are not
 *   mentioned have their default.
 * - ~1e-4 is the tolerance of this case between levels and against the expansion, relative to the
 *   largest value of the output (default 4e-6).
 * - -grad -rows -expand leave out that test for this case.
 *
 * "x:f32[2x3] y:f32[3]; x:f32[300x100] y:f32[]" is a sample with two cases. One case should have
 * more than 40,000 elements, so that the work is split; gradients are then checked at random
 * places. Dims of inputs that are not split by rows should differ from the number of rows of the
 * output. */
#include "ops_sample.h"

#include "kernels/isa.h"

static const char *only; /* name of the one op to test: an argument of the program */
static jmp_buf next_case;
static int failures;

/* Ends the present case; the others go on. */
static _Noreturn void bad(const char *format, ...) SE_PRINTF(1, 2);
static _Noreturn void bad(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprint_error(format, args);
    va_end(args);
    print_error("\n");
    failures++;
    longjmp(next_case, 1);
}

static void ok(se_status s, const se_op *op, const sample_case *c)
{
    if (s)
        bad("%s (%s): status %d: %s", op->name, c->text, (int)s, se_message());
}

/* Outputs of one call, computed and copied. */
typedef struct result {
    int n;
    se_type type[SE_MAX_OUTPUTS];
    void *data[SE_MAX_OUTPUTS];
} result;

static void result_free(result *r)
{
    for (int i = 0; i < r->n; i++)
        free(r->data[i]);
}

static void call(const se_op *op, const sample_case *c, se_tensor *const *in, se_tensor **out)
{
    ok(sample_call(op, c->n_in, in, c->attr, 1, out), op, c);
}

static result compute_outputs(const se_op *op, const sample_case *c, se_tensor *const *in)
{
    se_tensor *out[SE_MAX_OUTPUTS];
    result r = {.n = se_op_outs(op)};
    call(op, c, in, out);
    ok(se_eval(r.n, out), op, c);
    for (int i = 0; i < r.n; i++) {
        const void *data = NULL;
        ok(se_tensor_type(out[i], &r.type[i]), op, c);
        ok(se_tensor_data(out[i], true, &data), op, c);
        size_t bytes = se_type_bytes(&r.type[i]);
        r.data[i] = calloc(bytes + 1, 1);
        memcpy(r.data[i], data, bytes);
    }
    return r;
}

/* Leaves for the case; the caller frees them. */
static void make_inputs(const sample_case *c, se_tensor **in)
{
    for (int i = 0; i < c->n_in; i++)
        in[i] = c->in[i] < 0 ? NULL : tensor_of(&c->t[c->in[i]].type, c->t[c->in[i]].data);
}

static result compute(const se_op *op, const sample_case *c)
{
    int scope = sample_open();
    se_tensor *in[SAMPLE_TENSORS];
    make_inputs(c, in);
    result r = compute_outputs(op, c, in);
    sample_close(scope);
    return r;
}

static void expect_types(const se_op *op, const sample_case *c, const result *a, const result *b)
{
    char x[SE_TYPE_TEXT], y[SE_TYPE_TEXT];
    for (int i = 0; i < a->n; i++)
        if (!se_type_same(&a->type[i], &b->type[i]))
            bad("%s (%s): output %d: %s and %s", op->name, c->text, i,
                se_type_print(&a->type[i], x), se_type_print(&b->type[i], y));
}

static void expect_same_bits(const se_op *op, const sample_case *c, const result *a,
                             const result *b, const char *what)
{
    expect_types(op, c, a, b);
    for (int i = 0; i < a->n; i++)
        if (memcmp(a->data[i], b->data[i], se_type_bytes(&a->type[i])) != 0)
            bad("%s (%s): output %d: %s change the bits", op->name, c->text, i, what);
}

/* Floats within the tolerance of the largest value; bf16 within its last place; others equal. */
static void expect_close(const se_op *op, const sample_case *c, const result *a, const result *b,
                         const char *what)
{
    expect_types(op, c, a, b);
    for (int i = 0; i < a->n; i++) {
        int64_t n = se_type_count(&a->type[i]);
        int dtype = a->type[i].dtype;
        double most = 0, worst = 0;
        for (int64_t k = 0; k < n; k++) {
            double x = element_of(&a->type[i], a->data[i], k);
            double y = element_of(&b->type[i], b->data[i], k);
            if (isfinite(x) && fabs(x) > most)
                most = fabs(x);
            double off = x == y || (isnan(x) && isnan(y)) ? 0 : fabs(x - y);
            if (!(off <= worst))
                worst = off;
        }
        double allowed = dtype == SE_F32 ? c->tolerance * most : dtype == SE_BF16 ? most / 128 : 0;
        if (!(worst <= allowed))
            bad("%s (%s): output %d: %s: off by %g, allowed %g", op->name, c->text, i, what, worst,
                allowed);
    }
}

/* Runs `test` for each case of each op. */
static void for_each(void (*test)(const se_op *op, sample_case *c))
{
    static sample_case c;
    failures = 0;
    for (volatile int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        const char *volatile p = op->sample ? op->sample : "";
        if (only && strcmp(only, op->name) != 0)
            continue;
        for (volatile int k = 0;; k++) {
            const char *at = p;
            if (!sample_next(op, &at, &c))
                break;
            p = at;
            sample_draw(&c, (uint64_t)(1000 * i + k));
            if (!setjmp(next_case))
                test(op, &c);
            se_prefer_expansion(false);
            sample_close(0);
            sample_free(&c);
        }
    }
    assert_int_equal(failures, 0);
}

/* --- text --- */

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        if (!op->doc || !*op->doc || strchr(op->doc, '\n'))
            fail_msg("%s: doc must be one line", op->name);
        if (!op->args || !op->shape)
            fail_msg("%s: args or shape is missing", op->name);
        if (!op->sample && !op->internal)
            fail_msg("%s: no sample", op->name);
        if (se_op_outs(op) > 1 && !op->outs)
            fail_msg("%s: several outputs without names", op->name);
        if (op->internal && strcmp(op->name, "tuple") != 0 && (!op->of || !se_op_find(op->of)))
            fail_msg("%s: which op callers know it by (.of) is missing", op->name);
        assert_ptr_equal(se_op_find(op->name), op);
        assert_non_null(se_op_signature(op));
    }
}

/* --- values --- */

static void level_case(const se_op *op, sample_case *c)
{
    assert_int_equal(se_isa_force(SE_LEVEL_PORTABLE), SE_OK);
    result base = compute(op, c);
    for (int level = SE_LEVEL_PORTABLE + 1; level < SE_LEVELS; level++) {
        if (!se_isa_has((se_level)level))
            continue;
        assert_int_equal(se_isa_force((se_level)level), SE_OK);
        result other = compute(op, c);
        expect_close(op, c, &base, &other, se_isa_name((se_level)level));
        result_free(&other);
    }
    result_free(&base);
}

static void test_levels(void **state)
{
    (void)state;
    se_level before = se_isa_level();
    for_each(level_case);
    se_isa_force(before);
}

static void expansion_case(const se_op *op, sample_case *c)
{
    if (!op->expand || !c->expand)
        return;
    result a = compute(op, c);
    se_prefer_expansion(true);
    result b = compute(op, c);
    se_prefer_expansion(false);
    expect_close(op, c, &a, &b, "expansion");
    result_free(&a);
    result_free(&b);
}

static void test_expansions(void **state)
{
    (void)state;
    for_each(expansion_case);
}

static void thread_case(const se_op *op, sample_case *c)
{
    int before = se_threads();
    se_threads_set(1);
    result one = compute(op, c);
    for (int n = 2; n <= 5; n += 3) {
        se_threads_set(n);
        result many = compute(op, c);
        expect_same_bits(op, c, &one, &many, "threads");
        result_free(&many);
    }
    se_threads_set(before);
    result_free(&one);
}

static void test_threads(void **state)
{
    (void)state;
    for_each(thread_case);
}

/* --- a row alone --- */

/* The tensor's row r as a tensor of one row. */
static se_tensor *row_of(const sample_tensor *t, int64_t r)
{
    se_type one = t->type;
    int64_t width = se_type_count(&t->type) / t->type.dim[0];
    one.dim[0] = 1;
    return tensor_of(&one, t->data + r * width);
}

static void compare_row(const se_op *op, const sample_case *c, const result *all, int64_t rows,
                        int64_t r)
{
    se_tensor *in[SAMPLE_TENSORS];
    for (int i = 0; i < c->n_in; i++) {
        const sample_tensor *t = c->in[i] < 0 ? NULL : &c->t[c->in[i]];
        if (!t)
            in[i] = NULL;
        else if (t->type.rank && t->type.dim[0] == rows)
            in[i] = row_of(t, r);
        else
            in[i] = tensor_of(&t->type, t->data);
    }
    result one = compute_outputs(op, c, in);
    for (int i = 0; i < all->n; i++) {
        if (!all->type[i].rank || all->type[i].dim[0] != rows)
            continue;
        size_t bytes = se_type_bytes(&all->type[i]) / (size_t)rows;
        if (se_type_bytes(&one.type[i]) != bytes)
            bad("%s (%s): output %d: a row alone has another shape", op->name, c->text, i);
        if (memcmp(one.data[i], (char *)all->data[i] + (size_t)r * bytes, bytes) != 0)
            bad("%s (%s): output %d: row %lld alone differs", op->name, c->text, i, (long long)r);
    }
    result_free(&one);
}

static void row_case(const se_op *op, sample_case *c)
{
    if (!op->rowwise || op->alias || !c->rows || !c->n_in || c->in[0] < 0)
        return;
    result all = compute(op, c);
    int64_t rows = all.type[0].rank ? all.type[0].dim[0] : 0, split = 0;
    for (int i = 0; i < c->n_tensors; i++)
        split += c->t[i].type.rank && c->t[i].type.dim[0] == rows;
    for (int k = 0; k < 3 && rows > 1 && split; k++)
        compare_row(op, c, &all, rows, k * (rows - 1) / 2);
    result_free(&all);
}

static void test_rows(void **state)
{
    (void)state;
    for_each(row_case);
}

/* --- gradients, in double --- */

enum { PLACES = 12 };
static int checked_places, checked_second;

/* sum over the f32 outputs of output . weight; NULL when there is none. */
static se_tensor *loss_of(const se_op *op, const sample_case *c, se_tensor *const *in)
{
    se_tensor *out[SE_MAX_OUTPUTS], *total = NULL;
    call(op, c, in, out);
    for (int i = 0; i < se_op_outs(op); i++) {
        se_type type;
        ok(se_tensor_type(out[i], &type), op, c);
        if (type.dtype != SE_F32)
            continue;
        int64_t n = se_type_count(&type);
        double *w = calloc((size_t)n + 1, sizeof *w);
        sample_dice = 77 + (uint64_t)i;
        for (int64_t k = 0; k < n; k++)
            w[k] = sample_uniform(-1, 1);
        se_tensor *pair[] = {out[i], tensor_of(&type, w)}, *part[1], *sum[1];
        free(w);
        ok(sample_call(se_op_find("mul"), 2, pair, NULL, 2, part), op, c);
        ok(sample_call(se_op_find("sum"), 1, part, NULL, 3, sum), op, c);
        se_tensor *both[] = {total, sum[0]};
        if (total)
            ok(sample_call(se_op_find("add"), 2, both, NULL, 4, sum), op, c);
        total = sum[0];
    }
    return total;
}

static double number_of(const se_op *op, const sample_case *c, se_tensor *t)
{
    const void *p = NULL;
    ok(se_tensor_data(t, true, &p), op, c);
    return *(const double *)p;
}

/* The tensor whose derivative is taken: the loss itself, or (second) sum of its gradients .
 * weights. NULL when there is none. */
static se_tensor *target_of(const se_op *op, const sample_case *c, se_tensor *const *in,
                            bool second)
{
    se_tensor *loss = loss_of(op, c, in), *total = NULL;
    if (!second || !loss)
        return loss;
    for (int i = 0; i < c->n_in; i++) {
        if (!in[i] || c->t[c->in[i]].no_grad || c->t[c->in[i]].type.dtype != SE_F32)
            continue;
        se_tensor *g[1] = {NULL}, *x = in[i], *sum[1], *part[1];
        if (se_grad(loss, 1, &x, g) || !sample_hold(g[0]))
            continue;
        se_tensor *square[] = {g[0], g[0]};
        ok(sample_call(se_op_find("mul"), 2, square, NULL, 5, part), op, c);
        ok(sample_call(se_op_find("sum"), 1, part, NULL, 6, sum), op, c);
        se_tensor *both[] = {total, sum[0]};
        if (total)
            ok(sample_call(se_op_find("add"), 2, both, NULL, 7, sum), op, c);
        total = sum[0];
    }
    return total;
}

static double value_at(const se_op *op, sample_case *c, bool second)
{
    int scope = sample_open();
    se_tensor *in[SAMPLE_TENSORS];
    make_inputs(c, in);
    se_tensor *target = target_of(op, c, in, second);
    double v = target ? number_of(op, c, target) : 0;
    sample_close(scope);
    return v;
}

static void check_place(const se_op *op, sample_case *c, int input, const double *grad, int64_t at,
                        bool second)
{
    const double h = 1e-5;
    double *x = &c->t[c->in[input]].data[at], before = *x;
    *x = before + h;
    double up = value_at(op, c, second);
    *x = before - h;
    double down = value_at(op, c, second);
    *x = before;
    double expected = (up - down) / (2 * h), got = grad ? grad[at] : 0;
    /* h^2 of the third derivative, and the rounding of a sum divided by h */
    double allowed = 2e-6 * fmax(fabs(expected), 1) + 4e-10 * fmax(fabs(up), fabs(down));
    if (!(fabs(got - expected) <= allowed))
        bad("%s (%s): %s of input %d at %lld: %.9g, by differences %.9g", op->name, c->text,
            second ? "second derivative" : "gradient", input, (long long)at, got, expected);
    checked_places++;
    checked_second += second;
}

static void check_input(const se_op *op, sample_case *c, se_tensor *target, se_tensor *x, int input,
                        bool second)
{
    const sample_tensor *t = &c->t[c->in[input]];
    se_tensor *g = NULL;
    const void *grad = NULL;
    se_status s = se_grad(target, 1, &x, &g);
    sample_hold(g);
    if (s && second)
        return; /* a fused gradient without a gradient of its own */
    ok(s, op, c);
    if (g)
        ok(se_tensor_data(g, true, &grad), op, c);
    int64_t n = se_type_count(&t->type);
    for (int k = 0; k < PLACES && k < n; k++)
        check_place(op, c, input, grad, n <= PLACES ? k : (k * 7919 + 13) % n, second);
}

static void grad_case_of(const se_op *op, sample_case *c, bool second)
{
    if ((!op->grad && !op->expand) || !c->grad || op->overwrites[0])
        return;
    int64_t elements = 0;
    for (int k = 0; k < c->n_tensors; k++)
        elements += se_type_count(&c->t[k].type);
    if (second && elements > 100)
        return;
    int scope = sample_open();
    se_tensor *in[SAMPLE_TENSORS], *target;
    make_inputs(c, in);
    target = target_of(op, c, in, second);
    for (int i = 0; i < c->n_in && target; i++)
        if (in[i] && c->t[c->in[i]].type.dtype == SE_F32 && !c->t[c->in[i]].no_grad)
            check_input(op, c, target, in[i], i, second);
    sample_close(scope);
}

static void grad_case(const se_op *op, sample_case *c)
{
    grad_case_of(op, c, false);
}

static void second_case(const se_op *op, sample_case *c)
{
    grad_case_of(op, c, true);
}

static void test_gradients(void **state)
{
    (void)state;
    for_each(grad_case);
    print_message("%d places\n", checked_places);
    assert_true(only || checked_places > 1000);
}

static void test_second_derivatives(void **state)
{
    (void)state;
    checked_second = 0;
    for_each(second_case);
    print_message("%d places\n", checked_second);
    assert_true(only || checked_second > 300);
}

/* --- nonsense --- */

static int64_t any_of(int n, const int64_t *list)
{
    return list[(int)sample_uniform(0, n - 1e-9)];
}

static se_tensor *nonsense_tensor(void)
{
    se_type type = {.dtype = (uint8_t)sample_uniform(0, 3.99),
                    .rank = (uint8_t)sample_uniform(0, 4.5)};
    for (int i = 0; i < type.rank; i++)
        type.dim[i] = any_of(6, (int64_t[]){0, 1, 2, 3, 3, 7});
    int64_t n = se_type_count(&type);
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = floor(sample_uniform(-2, 6));
    se_tensor *t = tensor_of(&type, x);
    free(x);
    return t;
}

static se_attr nonsense_attr(int kind)
{
    static const int64_t whole[] = {0,  1, 2,   3,    -1,        -2,        -3,
                                    -7, 6, 100, -100, INT64_MAX, INT64_MIN, (int64_t)1 << 40};
    se_attr a = {0};
    a.i = kind == SE_KIND_BOOL ? (int64_t)sample_uniform(0, 1.99) : any_of(14, whole);
    a.f = any_of(2, (int64_t[]){0, 1}) ? (double)a.i : sample_uniform(-1, 1) / 0.0;
    if (kind == SE_KIND_NUM && a.i == 3)
        a.f = NAN;
    if (kind == SE_KIND_AXES || kind == SE_KIND_INTS)
        a.n = (int32_t)sample_uniform(0, SE_MAX_RANK + 0.99);
    for (int i = 0; i < a.n; i++)
        a.list[i] = any_of(sample_uniform(0, 1) < 0.8 ? 7 : 14, whole);
    return a;
}

/* One call with arguments drawn from anything. What it gives is computed: no crash, and a message
 * with every refusal. */
static void nonsense(const se_op *op)
{
    const se_signature *s = se_op_signature(op);
    se_tensor *in[8], *out[SE_MAX_OUTPUTS];
    se_attr attr[SE_MAX_ATTRS];
    int n = s->n_tensors + (int)sample_uniform(0, 1.3) - (int)sample_uniform(0, 1.2);
    n = n < 0 ? 0 : (n > 8 ? 8 : n);
    for (int i = 0; i < n; i++)
        in[i] = i && sample_uniform(0, 1) < 0.4 ? in[i - 1] : nonsense_tensor();
    if (n && sample_uniform(0, 1) < 0.1)
        in[n - 1] = NULL;
    for (int i = 0; i < s->n_attrs; i++)
        attr[i] = sample_uniform(0, 1) < 0.5 && s->attr[i].has_default
                      ? s->attr[i].value
                      : nonsense_attr(s->attr[i].kind);
    se_status status = sample_call(op, n, in, attr, 1, out);
    if (!status)
        status = se_eval(se_op_outs(op), out);
    if (status && !*se_message())
        fail_msg("%s: refused without a message", op->name);
}

static void test_nonsense(void **state)
{
    (void)state;
    int64_t limit = se_memory_limit_now();
    se_memory_limit(200 << 20);
    for (int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        if (op->internal || (only && strcmp(only, op->name) != 0))
            continue;
        sample_dice = (uint64_t)i + 99;
        for (int k = 0; k < 400; k++) {
            int scope = sample_open();
            nonsense(op);
            sample_close(scope);
        }
    }
    se_memory_limit(limit);
}

/* test_ops [f64] [OP] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),      cmocka_unit_test(test_levels),
        cmocka_unit_test(test_threads),    cmocka_unit_test(test_rows),
        cmocka_unit_test(test_expansions), cmocka_unit_test(test_nonsense),
    };
    const struct CMUnitTest f64_tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_second_derivatives),
        cmocka_unit_test(test_expansions),
    };
    bool f64 = argc > 1 && strcmp(argv[1], "f64") == 0;
    only = argc > 1 + f64 ? argv[1 + f64] : NULL;
    se_real_set_f64(f64);
    return f64 ? cmocka_run_group_tests(f64_tests, NULL, NULL)
               : cmocka_run_group_tests(tests, NULL, NULL);
}
