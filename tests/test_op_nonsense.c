/* No arguments crash an op: calls that are right but for one to three things, on every op of the
 * table, internal ones too. Wholly random arguments (test_ops.c) are mostly refused by the first
 * check; here each call begins as a case of the op's `.sample`, and so comes far.
 *
 * What is changed: a tensor's dtype, rank, sizes (also one size wherever it stands, so that shapes
 * still fit), its values (NaN, infinities, ids out of range), a tensor left out, one too many, one
 * given twice, a plain number, an empty tensor of huge axes, a huge tensor that is only promised
 * (2^31 and more elements, never computed); attributes at the ends of their kind. What can be built
 * and is small is computed, then its gradients, and then theirs.
 *
 * test_op_nonsense [OP [TRIAL]]: one op, or one trial alone. A crash says which it was. */
#include "ops_sample.h"

#include <signal.h>
#include <unistd.h>

enum { TRIALS = 400, SMALL = 4000, SECONDS = 60 };

static const char *only;
static long only_trial = -1;

static struct {
    const se_op *op;
    long trial;
    int reached[4]; /* of all trials: refused, built, computed, gradients computed */
} now;

/* --- what a crash says --- */

void __sanitizer_set_death_callback(void (*f)(void)) __attribute__((weak));

static void say_where(void)
{
    char text[200];
    int n = snprintf(text, sizeof text, "\ntest_op_nonsense %s %ld: this call crashes\n",
                     now.op ? now.op->name : "?", now.trial);
    if (write(2, text, (size_t)n) != n)
        return;
}

static void die(int signal_number)
{
    say_where();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void watch(void)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_where);
    else
        signal(SIGSEGV, die);
    signal(SIGFPE, die);
    signal(SIGABRT, die);
    signal(SIGALRM, die); /* a call that does not end */
}

/* --- drawing --- */

static int below(int n)
{
    return (int)sample_uniform(0, n - 1e-9);
}

static bool chance(double p)
{
    return sample_uniform(0, 1) < p;
}

#define ONE_OF(list) ((list)[below((int)(sizeof(list) / sizeof *(list)))])

static const int64_t whole[] = {0,
                                1,
                                2,
                                3,
                                5,
                                6,
                                7,
                                -1,
                                -2,
                                -3,
                                -7,
                                100,
                                -100,
                                65535,
                                INT32_MAX,
                                INT32_MIN,
                                (int64_t)INT32_MAX + 1,
                                (int64_t)1 << 40,
                                (int64_t)1 << 48,
                                (int64_t)1 << 62,
                                -((int64_t)1 << 62),
                                INT64_MAX,
                                INT64_MAX - 1,
                                INT64_MIN,
                                INT64_MIN + 1};
static const double real[] = {
    0.0,   -0.0,     1,         -1,  0.5,          1e-45,        1e-30,         1e30,   -1e30,
    1e300, INFINITY, -INFINITY, NAN, 2147483647.0, 2147483648.0, -2147483649.0, 9.3e18, 16777217};

/* Values are rounded to what the dtype has, as tensor_of would do it without saying so. */
static double wild_value(se_dtype dtype)
{
    double v = ONE_OF(real);
    if (dtype == SE_BOOL)
        return below(2);
    if (dtype == SE_I32)
        return chance(0.5) ? below(12) - 4 : (double)(int32_t)(uint32_t)ONE_OF(whole);
    return fabs(v) > 3e38 && isfinite(v) ? 3e38 : v;
}

static void change_attr(se_attr *a, int kind)
{
    if (kind == SE_KIND_AXES || kind == SE_KIND_INTS) {
        if (chance(0.4))
            a->n = below(SE_MAX_RANK + 1);
        for (int i = 0; i < SE_MAX_RANK; i++)
            if (chance(0.4))
                a->list[i] = chance(0.6) ? below(7) - 2 : ONE_OF(whole);
        if (chance(0.03))
            a->n = chance(0.5) ? SE_MAX_RANK + 1 + below(100) : -1 - below(3);
        return;
    }
    a->i = kind == SE_KIND_BOOL && chance(0.7) ? below(2) : ONE_OF(whole);
    a->f = chance(0.6) ? ONE_OF(real) : sample_uniform(-2, 2);
}

/* --- changing a case --- */

static void fill(sample_tensor *t, const double *old, int64_t n_old)
{
    int64_t n = se_type_count(&t->type);
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = n_old ? old[i % n_old] : sample_uniform(0, 3);
    free(t->data);
    t->data = x;
}

static void set_type(sample_tensor *t, const se_type *type)
{
    int64_t n = se_type_count(&t->type);
    double *old = t->data;
    for (int64_t i = 0; i < n && type->dtype == SE_I32; i++)
        old[i] = fabs(old[i]) < 2e9 ? old[i] : 0; /* tensor_of takes what an i32 can hold */
    t->type = *type;
    t->data = NULL;
    fill(t, old, n);
    free(old);
}

static void change_rank(sample_tensor *t)
{
    se_type type = t->type;
    if (type.rank && chance(0.5)) {
        type.rank--;
    } else if (type.rank < SE_MAX_RANK) {
        int64_t size = 1 + below(2);
        memmove(type.dim + 1, type.dim, sizeof *type.dim * type.rank);
        type.dim[0] = size;
        type.rank++;
    }
    set_type(t, &type);
}

/* One size becomes another, in one tensor or wherever it stands. */
static void change_size(sample_case *c, sample_tensor *t)
{
    if (!t->type.rank)
        return;
    int64_t from = t->type.dim[below(t->type.rank)], sizes[] = {0, 0, 1, 1, 2, 3, 5, from + 1};
    int64_t to = ONE_OF(sizes);
    bool all = chance(0.7);
    for (int k = 0; k < c->n_tensors; k++) {
        se_type type = c->t[k].type;
        for (int i = 0; i < type.rank && (all || &c->t[k] == t); i++)
            if (type.dim[i] == from)
                type.dim[i] = to;
        set_type(&c->t[k], &type);
    }
}

static void change_tensor(sample_case *c, sample_tensor *t)
{
    se_type type = t->type;
    switch (below(5)) {
    case 0:
        type.dtype = (uint8_t)below(SE_DTYPES);
        set_type(t, &type);
        break;
    case 1:
        change_rank(t);
        break;
    case 2:
    case 3:
        change_size(c, t);
        break;
    default:
        for (int64_t i = 0, n = se_type_count(&type); i < n; i++)
            if (n < 3 || chance(0.4))
                t->data[i] = wild_value((se_dtype)type.dtype);
    }
}

/* --- tensors that no leaf can be --- */

/* A number over huge axes, never to be computed; or an empty tensor among huge axes. */
static se_tensor *huge(se_dtype dtype)
{
    static const int64_t sizes[] = {
        1, 2, (int64_t)1 << 31, ((int64_t)1 << 31) - 1, (int64_t)1 << 33, (int64_t)1 << 46, 3};
    se_tensor *x[1], *y[1];
    se_attr dims = {.n = 1 + below(4)}, type = {.i = dtype};
    for (int i = 0; i < dims.n; i++)
        dims.list[i] = ONE_OF(sizes);
    if (chance(0.5))
        dims.list[below(dims.n)] = 0;
    if (se_tensor_number(1.5, &x[0]))
        return NULL;
    sample_hold(x[0]);
    if (sample_call(se_op_find("broadcast_to"), 1, x, &dims, 1, y))
        return NULL;
    x[0] = y[0];
    return sample_call(se_op_find("cast"), 1, x, &type, 1, y) ? NULL : y[0];
}

static se_tensor *other_tensor(se_dtype dtype, se_tensor *const *in, int n)
{
    se_tensor *t = NULL;
    switch (below(5)) {
    case 0:
        return NULL;
    case 1:
        return n ? in[below(n)] : NULL;
    case 2:
        return se_tensor_number(ONE_OF(real), &t) ? NULL : sample_hold(t);
    default:
        return huge(dtype);
    }
}

/* --- one trial --- */

static bool is_small(se_tensor *const *t, int n)
{
    double elements = 0;
    for (int i = 0; i < n; i++) {
        se_type type;
        double count = 1;
        if (se_tensor_type(t[i], &type))
            return false;
        for (int k = 0; k < type.rank; k++)
            count *= (double)type.dim[k];
        elements += count;
    }
    return elements <= 50 * SMALL;
}

static void answered(se_status s)
{
    if (s && !*se_message())
        fail_msg("%s %ld: refused without a message", now.op->name, now.trial);
}

/* The sum of all f32 elements of n tensors; NULL when there are none. */
static se_tensor *total_of(se_tensor *const *t, int n)
{
    se_tensor *total = NULL;
    for (int i = 0; i < n; i++) {
        se_type type;
        se_tensor *sum[1];
        if (!t[i] || se_tensor_type(t[i], &type) || type.dtype != SE_F32)
            continue;
        if (sample_call(se_op_find("sum"), 1, &t[i], NULL, 2, sum))
            continue;
        se_tensor *both[] = {total, sum[0]};
        if (total)
            answered(sample_call(se_op_find("add"), 2, both, NULL, 3, sum));
        total = sum[0];
    }
    return total;
}

/* Gradients of t's sum with respect to inputs, computed; then of their sum, and so on. */
static void try_gradients(se_tensor *const *t, int n, se_tensor *const *in, int n_in, int deep)
{
    se_tensor *total = total_of(t, n), *g[SAMPLE_TENSORS] = {NULL};
    int n_g = 0;
    for (int i = 0; i < n_in && total; i++) {
        se_tensor *x = in[i], *out = NULL;
        se_type type;
        if (!x || se_tensor_type(x, &type) || type.dtype != SE_F32)
            continue;
        answered(se_grad(total, 1, &x, &out));
        if (sample_hold(out) && is_small(&out, 1))
            g[n_g++] = out;
    }
    if (!n_g)
        return;
    se_status s = se_eval(n_g, g);
    answered(s);
    now.reached[3] += !s;
    if (deep > 1)
        try_gradients(g, n_g, in, n_in, deep - 1);
}

static int draw_inputs(const sample_case *c, se_tensor **in)
{
    bool varying = chance(0.1);
    for (int i = 0; i < c->n_in; i++) {
        in[i] = c->in[i] < 0 ? NULL : tensor_of(&c->t[c->in[i]].type, c->t[c->in[i]].data);
        if (in[i] && varying && chance(0.7))
            answered(se_tensor_vary(in[i], ONE_OF(whole)));
    }
    return c->n_in;
}

static void change_inputs(se_tensor **in, int *n)
{
    if (*n && chance(0.2)) {
        int i = below(*n);
        se_type type = {.dtype = SE_F32};
        if (in[i])
            se_tensor_type(in[i], &type);
        in[i] = other_tensor((se_dtype)type.dtype, in, *n);
    }
    if (*n && chance(0.03))
        (*n)--;
    if (*n < SAMPLE_TENSORS - 1 && chance(0.03)) {
        in[*n] = other_tensor(SE_F32, in, *n);
        (*n)++;
    }
}

static void call(sample_case *c)
{
    const se_signature *s = se_op_signature(now.op);
    se_tensor *in[SAMPLE_TENSORS], *out[SE_MAX_OUTPUTS];
    for (int k = 1 + below(3); k > 0; k--) {
        int i = below(c->n_tensors + s->n_attrs + !(c->n_tensors + s->n_attrs));
        if (i < c->n_tensors)
            change_tensor(c, &c->t[i]);
        else if (i - c->n_tensors < s->n_attrs)
            change_attr(&c->attr[i - c->n_tensors], s->attr[i - c->n_tensors].kind);
    }
    int n = draw_inputs(c, in), outs = se_op_outs(now.op);
    change_inputs(in, &n);
    se_status status = sample_call(now.op, n, in, c->attr, 1, out);
    answered(status);
    now.reached[status ? 0 : 1]++;
    if (status || !is_small(out, outs))
        return;
    status = se_eval(outs, out);
    answered(status);
    now.reached[2] += !status;
    if (!status || chance(0.2))
        try_gradients(out, outs, in, n, 2);
}

/* The cases of the op that are small enough to be tried often. */
static int small_cases(const se_op *op, const char **at, int room)
{
    static sample_case c;
    const char *p = op->sample ? op->sample : "";
    int n = 0;
    for (const char *start = p; n < room && sample_next(op, &p, &c); start = p) {
        int64_t elements = 0;
        for (int k = 0; k < c.n_tensors; k++)
            elements += se_type_count(&c.t[k].type);
        if (elements <= SMALL)
            at[n++] = start;
    }
    return n;
}

static void try_op(const se_op *op)
{
    static sample_case c;
    const char *at[64];
    int n = small_cases(op, at, 64);
    uint64_t hash = 7;
    for (const char *p = op->name; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    now.op = op;
    for (now.trial = only_trial < 0 ? 0 : only_trial; n && now.trial < TRIALS; now.trial++) {
        int scope = sample_open();
        sample_dice = hash * 1000003 + (uint64_t)now.trial;
        for (int k = 0; k < 4; k++)
            sample_uniform(0, 1);
        const char *p = at[below(n)];
        uint64_t seed = sample_dice;
        sample_next(op, &p, &c);
        sample_draw(&c, seed);
        alarm(SECONDS);
        call(&c);
        alarm(0);
        sample_free(&c);
        sample_close(scope);
        if (only_trial >= 0)
            break;
    }
    assert_true(n || op->internal);
}

static void test_calls(void **state)
{
    (void)state;
    int64_t limit = se_memory_limit_now();
    se_memory_limit(32 << 20);
    for (int i = 0; i < se_op_count(); i++)
        if (!only || strcmp(only, se_op_at(i)->name) == 0)
            try_op(se_op_at(i));
    se_memory_limit(limit);
    print_message("%d refused; %d built, %d computed, %d with gradients\n", now.reached[0],
                  now.reached[1], now.reached[2], now.reached[3]);
    if (!only) { /* changes that leave nothing standing test nothing */
        assert_true(now.reached[2] > now.reached[0] / 2);
        assert_true(now.reached[3] > 1000);
    }
}

/* From none to more tensors than any op takes, with all attributes left out. */
static void test_counts(void **state)
{
    static const int counts[] = {-1,
                                 0,
                                 1,
                                 2,
                                 3,
                                 9,
                                 SE_MAX_INPUTS - 1,
                                 SE_MAX_INPUTS,
                                 SE_MAX_INPUTS + 1,
                                 100 * SE_MAX_INPUTS};
    static se_tensor *in[100 * SE_MAX_INPUTS];
    (void)state;
    se_type type = se_type_make(SE_F32, 1, (int64_t[]){2});
    for (int i = 0; i < se_op_count(); i++)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            se_tensor *out[SE_MAX_OUTPUTS];
            int scope = sample_open();
            now.op = se_op_at(i);
            now.trial = counts[k];
            in[0] = tensor_of(&type, (double[]){1, 2});
            for (int n = 1; n < counts[k]; n++)
                in[n] = in[0];
            se_status s = sample_call(now.op, counts[k], in, NULL, 1, out);
            answered(s ? s : se_eval(se_op_outs(now.op), out));
            sample_close(scope);
        }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls), cmocka_unit_test(test_counts)};
    only = argc > 1 ? argv[1] : NULL;
    only_trial = argc > 2 ? strtol(argv[2], NULL, 10) : -1;
    watch();
    se_threads_set(1); /* tensors this small are seldom split */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
