/* Tensors beyond 2^31 elements (of one byte) and beyond 2^31 bytes (of four), for each family of
 * kernels: a place or a size held in 32 bits shows here. Something stands only where an index above
 * 2^31, or a byte offset above it, reaches. Skipped (77) where less than 8 GB of memory are free.
 */
#include "ops_sample.h"

enum {
    ROWS = 32769,     /* of bools: ROWS * COLUMNS is 2^31 + 2^16 */
    REAL_ROWS = 8200, /* of floats: a little more than 2^31 bytes */
    COLUMNS = 65536,
    AT = 5 /* the column in the last row where something stands */
};
static const int64_t BOOLS = (int64_t)ROWS * COLUMNS, LAST = (int64_t)(ROWS - 1) * COLUMNS + AT;
static const int64_t REALS = (int64_t)REAL_ROWS * COLUMNS;
static const int64_t REAL_LAST = (int64_t)(REAL_ROWS - 1) * COLUMNS + AT;
static const double WANTED = 8e9; /* bytes: the largest test has 6.5e9 */

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static se_tensor *zeros(se_dtype dtype, int64_t rows, int64_t columns)
{
    se_tensor *t = NULL;
    ok(se_tensor_make(dtype, columns ? 2 : 1, (int64_t[]){rows, columns}, NULL, &t));
    return sample_hold(t);
}

static void *data(se_tensor *t)
{
    const void *p = NULL;
    ok(se_tensor_data(t, true, &p));
    return (void *)p; /* of leaves, to be filled */
}

static se_tensor *call(const char *name, int n, se_tensor *const *in, const se_attr *attr)
{
    se_tensor *out[SE_MAX_OUTPUTS];
    ok(sample_call(se_op_find(name), n, in, attr, 1, out));
    return out[0];
}

#define CALL1(name, x, ...) call(name, 1, (se_tensor *[]){x}, ATTRS(__VA_ARGS__))
#define CALL2(name, x, y, ...) call(name, 2, (se_tensor *[]){x, y}, ATTRS(__VA_ARGS__))
#define NONE ((se_attr){0})
#define LIST(...)                                                                                  \
    ((se_attr){.n = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .list = {__VA_ARGS__}})

static se_tensor *ids_of(int64_t n, int32_t first, int32_t rest, int32_t last)
{
    se_tensor *t = zeros(SE_I32, n, 0);
    int32_t *id = data(t);
    for (int64_t i = 0; i < n; i++)
        id[i] = i == 0 ? first : rest;
    id[n - 1] = last;
    return t;
}

/* The one byte that is not zero stands at `at`. */
static void expect_one(se_tensor *t, int64_t at)
{
    se_type type;
    const char *p = data(t);
    ok(se_tensor_type(t, &type));
    int64_t n = (int64_t)se_type_bytes(&type);
    const char *found = memchr(p, 1, (size_t)n);
    assert_non_null(found);
    assert_int_equal(found - p, at);
    assert_null(memchr(found + 1, 1, (size_t)(n - at - 1)));
}

static se_tensor *one_bool(void)
{
    se_tensor *x = zeros(SE_BOOL, ROWS, COLUMNS);
    ((uint8_t *)data(x))[LAST] = 1;
    return x;
}

static se_tensor *one_real(void)
{
    se_tensor *x = zeros(SE_F32, REAL_ROWS, COLUMNS);
    ((float *)data(x))[REAL_LAST] = 2;
    return x;
}

/* Everything that was made since, and the arena. */
static void drop(int mark)
{
    sample_close(mark);
    se_arena_trim();
}

static void expect_real(se_tensor *t, int64_t at, double value)
{
    double x = (double)((const float *)data(t))[at];
    /* a lane of a kernel adds a tenth of COLUMNS equal terms, which round alike */
    if (!(fabs(x - value) <= COLUMNS / 10 * 0x1p-24 * fabs(value)))
        fail_msg("element %lld is %.9g, %.9g is wanted", (long long)at, x, value);
}

/* --- more than 2^31 elements --- */

static void test_elementwise(void **state)
{
    (void)state;
    se_tensor *x = one_bool();
    int mark = sample_open();
    se_tensor *y = CALL1("logical_not", x, NONE);
    uint8_t *p = data(y);
    assert_true(p[LAST] == 0 && p[LAST - 1] == 1 && p[BOOLS - 1] == 1 && p[0] == 1);
    drop(mark);
    se_tensor *row = zeros(SE_BOOL, COLUMNS, 0);
    ((uint8_t *)data(row))[AT] = 1;
    expect_one(CALL2("logical_and", x, row, NONE), LAST);
    drop(mark);
    se_tensor *column = zeros(SE_BOOL, ROWS, 1);
    ((uint8_t *)data(column))[ROWS - 1] = 1;
    mark = sample_open();
    expect_one(CALL2("logical_and", x, column, NONE), LAST);
    drop(mark);
    y = CALL1("broadcast_to", column, LIST(ROWS, COLUMNS));
    p = data(y);
    assert_true(p[LAST] == 1 && p[LAST - AT - 1] == 0);
    drop(0);
}

static void test_folding(void **state)
{
    (void)state;
    se_tensor *x = one_bool();
    expect_one(CALL1("any", x, LIST(1), SE_INT(0)), ROWS - 1);
    expect_one(CALL1("any", x, LIST(0), SE_INT(0)), AT);
    expect_one(CALL1("any", x, NONE, SE_INT(0)), 0);
    se_tensor *sum = CALL1("sum", x, LIST(1), SE_INT(0));
    assert_true(((int32_t *)data(sum))[ROWS - 1] == 1 && ((int32_t *)data(sum))[ROWS - 2] == 0);
    drop(0);
}

static void test_moving(void **state)
{
    (void)state;
    se_tensor *x = one_bool(), *flat = CALL1("reshape", x, LIST(-1));
    int mark = sample_open();
    se_attr last = SE_INT(-1), all = SE_INT(INT64_MIN);
    expect_one(CALL1("slice", flat, SE_INT(0), SE_INT(LAST - 3), SE_INT(LAST + 2), SE_INT(1)), 3);
    expect_one(CALL1("slice", flat, SE_INT(0), SE_INT(LAST), SE_INT(0), SE_INT(-2000000000)), 0);
    expect_one(CALL1("slice", x, SE_INT(1), last, all, last), LAST + COLUMNS - 1 - 2 * AT);
    drop(mark);
    expect_one(CALL1("slice", x, SE_INT(0), last, all, last), AT);
    drop(mark);
    expect_one(CALL1("transpose", x, NONE), (int64_t)AT * ROWS + ROWS - 1);
    drop(mark);
    se_tensor *cube = CALL1("reshape", x, LIST(ROWS, 256, 256));
    expect_one(CALL1("permute", cube, LIST(2, 0, 1)), ((int64_t)AT * ROWS + ROWS - 1) * 256);
    drop(0);
    se_tensor *half = zeros(SE_BOOL, ROWS / 2, COLUMNS),
              *rest = zeros(SE_BOOL, ROWS / 2 + 1, COLUMNS);
    ((uint8_t *)data(rest))[(int64_t)(ROWS / 2) * COLUMNS + AT] = 1;
    expect_one(CALL2("concat", half, rest, SE_INT(0)), LAST);
    drop(0);
}

static void test_picking(void **state)
{
    (void)state;
    se_tensor *x = one_bool();
    expect_one(CALL2("take", x, ids_of(2, 0, 0, ROWS - 1), NONE), COLUMNS + AT);
    expect_one(CALL2("index_select", x, ids_of(2, 0, 0, AT), SE_INT(1)), 2 * ROWS - 1);
    se_tensor *each = CALL1("reshape", ids_of(ROWS, AT, AT, AT), LIST(ROWS, 1));
    expect_one(CALL2("gather", x, each, SE_INT(1)), ROWS - 1);
    drop(0);
    se_tensor *few = zeros(SE_BOOL, 2, COLUMNS);
    ((uint8_t *)data(few))[COLUMNS + AT] = 1;
    int mark = sample_open();
    expect_one(CALL2("take", few, ids_of(ROWS, 0, 0, 1), NONE), LAST);
    drop(mark);
    expect_one(
        CALL2("index_select", CALL1("transpose", few, NONE), ids_of(ROWS, 0, 0, 1), SE_INT(1)),
        (int64_t)AT * ROWS + ROWS - 1);
    drop(0);
}

/* Ids and places are i32: an axis that they cannot name is refused, and nothing is computed. */
static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        se_attr attr[3];
    } ops[] = {{"argmax", {{.i = 0}}},
               {"argmin", {{.i = 0}}},
               {"sort", {{.i = 0}}},
               {"argsort", {{.i = 0}}},
               {"topk", {{.i = 1}, {.i = 0}}}};
    se_tensor *one = NULL, *out[SE_MAX_OUTPUTS];
    ok(se_tensor_number(1, &one));
    se_tensor *x = CALL1("broadcast_to", sample_hold(one), LIST(((int64_t)1 << 31) + 1));
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (sample_call(se_op_find(ops[i].name), 1, &x, ops[i].attr, 1, out) != SE_ERR_ARG)
            fail_msg("%s of 2^31 + 1 elements is not refused", ops[i].name);
    drop(0);
}

/* --- more than 2^31 bytes --- */

static void test_real_elementwise(void **state)
{
    (void)state;
    se_tensor *x = one_real();
    int mark = sample_open();
    expect_real(CALL2("add", x, x, NONE), REAL_LAST, 4);
    drop(mark);
    se_tensor *y = CALL1("exp", x, NONE);
    expect_real(y, REAL_LAST, 7.38905609893065);
    expect_real(y, REAL_LAST - 1, 1);
    drop(mark);
    expect_one(CALL1("cast", x, SE_INT(SE_BOOL)), REAL_LAST);
    drop(0);
}

static void test_real_folding(void **state)
{
    (void)state;
    se_tensor *x = one_real();
    expect_real(CALL1("sum", x, LIST(1), SE_INT(0)), REAL_ROWS - 1, 2);
    expect_real(CALL1("sum", x, LIST(0), SE_INT(0)), AT, 2);
    expect_real(CALL1("max", x, NONE, SE_INT(0)), 0, 2);
    se_tensor *at = CALL1("argmax", x, SE_INT(0));
    assert_int_equal(((int32_t *)data(at))[AT], REAL_ROWS - 1);
    at = CALL1("argmax", CALL1("reshape", x, LIST(-1)), SE_INT(0));
    assert_int_equal(((int32_t *)data(at))[0], REAL_LAST);
    expect_real(CALL1("topk", x, SE_INT(2), SE_INT(-1)), 2 * REAL_ROWS - 2, 2);
    drop(0);
}

static void test_rows(void **state)
{
    (void)state;
    se_tensor *x = one_real();
    int mark = sample_open();
    double e = 7.38905609893065, total = e + COLUMNS - 1;
    expect_real(CALL1("logsumexp", x, SE_INT(-1), SE_INT(0)), REAL_ROWS - 1, log(total));
    se_tensor *y = CALL1("softmax", x, SE_INT(-1));
    expect_real(y, REAL_LAST, e / total);
    expect_real(y, REALS - 1, 1 / total);
    drop(mark);
    y = CALL1("softmax", x, SE_INT(0));
    expect_real(y, REAL_LAST, e / (e + REAL_ROWS - 1));
    drop(mark);
    y = CALL1("cumsum", x, SE_INT(0), SE_INT(0));
    expect_real(y, REAL_LAST, 2);
    expect_real(y, REAL_LAST - COLUMNS, 0);
    drop(mark);
    y = CALL1("cumsum", CALL1("reshape", x, LIST(-1)), SE_INT(0), SE_INT(0));
    expect_real(y, REALS - 1, 2);
    expect_real(y, REAL_LAST - 1, 0);
    drop(0);
}

static void test_products(void **state)
{
    (void)state;
    se_tensor *x = one_real(), *two = zeros(SE_F32, COLUMNS, 2),
              *tall = zeros(SE_F32, REAL_ROWS, 1);
    int mark = sample_open();
    ((float *)data(two))[2 * AT + 1] = 3;
    ((float *)data(tall))[REAL_ROWS - 1] = 3;
    expect_real(CALL2("matmul", x, two, SE_INT(0), SE_INT(0), SE_INT(0)), 2 * REAL_ROWS - 1, 6);
    expect_real(CALL2("matmul", x, tall, SE_INT(1), SE_INT(0), SE_INT(0)), AT, 6);
    drop(mark);
    se_tensor *line = CALL1("reshape", x, LIST(1, -1)); /* an axis of 2^29 to sum over */
    expect_real(CALL2("matmul", line, line, SE_INT(0), SE_INT(1), SE_INT(0)), 0, 4);
    drop(mark);
    expect_real(CALL2("outer", zeros(SE_F32, REAL_ROWS, 0), zeros(SE_F32, COLUMNS, 0), NONE),
                REAL_LAST, 0);
    drop(0);
}

static void test_gradients(void **state)
{
    (void)state;
    se_tensor *x = one_real(), *dx = NULL;
    int mark = sample_open();
    se_tensor *flat = CALL1("reshape", x, LIST(-1));
    se_tensor *end =
        CALL1("slice", flat, SE_INT(0), SE_INT(REAL_LAST), SE_INT(REAL_LAST + 1), SE_INT(1));
    ok(se_grad(end, 1, &x, &dx));
    sample_hold(dx);
    expect_real(dx, REAL_LAST, 1);
    expect_real(dx, REAL_LAST - 1, 0);
    drop(mark);
    ok(se_grad(CALL2("take", x, ids_of(2, 0, 0, REAL_ROWS - 1), NONE), 1, &x, &dx));
    sample_hold(dx);
    expect_real(dx, REAL_LAST, 1);
    expect_real(dx, REAL_LAST - COLUMNS, 0);
    drop(0);
    se_tensor *hot = CALL1("one_hot", ids_of(REAL_ROWS, 0, 0, AT), SE_INT(COLUMNS));
    expect_real(hot, REAL_LAST, 1);
    expect_real(hot, REAL_LAST - COLUMNS, 0);
    drop(0);
}

static void test_sort(void **state)
{
    (void)state;
    se_tensor *x =
        CALL1("reshape", one_real(), LIST(-1, 2)); /* AT is odd: the second of its pair */
    se_tensor *y = CALL1("sort", x, SE_INT(1), SE_INT(1));
    expect_real(y, REAL_LAST - 1, 2);
    expect_real(y, REAL_LAST, 0);
    drop(0);
}

/* --- memory --- */

static double number_in(const char *path, const char *label)
{
    char line[200];
    double v = INFINITY;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, label, strlen(label)) == 0 && (*label || isdigit((unsigned char)*line)))
            v = atof(line + strlen(label));
    if (f)
        fclose(f);
    return v;
}

/* Bytes that may be taken: of the machine, and of the group of processes that this one is in. */
static double memory_free(void)
{
    double machine = 1024 * number_in("/proc/meminfo", "MemAvailable:");
    double most = number_in("/sys/fs/cgroup/memory.max", "");
    double used = isfinite(most) ? number_in("/sys/fs/cgroup/memory.current", "") : 0;
    return most - used < machine ? most - used : machine;
}

/* test_large [TEST] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),  cmocka_unit_test(test_folding),
        cmocka_unit_test(test_moving),       cmocka_unit_test(test_picking),
        cmocka_unit_test(test_places),       cmocka_unit_test(test_real_elementwise),
        cmocka_unit_test(test_real_folding), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_products),     cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_sort),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    double there = memory_free();
    if (!(there >= WANTED)) {
        printf("skipped: %.1f GB of memory are free, %.0f are wanted\n", there / 1e9, WANTED / 1e9);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
