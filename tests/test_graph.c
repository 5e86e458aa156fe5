/* The engine itself: evaluation, gradients, assigns and their commit, guards, scopes, memory. */
#include "op.h"
#include "sembed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const se_op *op(const char *name)
{
    const se_op *o = se_op_find(name);
    if (!o)
        fail_msg("no op %s", name);
    return o;
}

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

/* Handles are freed when the test is over, as Lua's finalisers would. */
static se_tensor *held[4096];
static int n_held;

static se_tensor *hold(se_tensor *t)
{
    return t ? held[n_held++] = t : NULL;
}

static int free_held(void **state)
{
    (void)state;
    while (n_held)
        se_tensor_free(held[--n_held]);
    return 0;
}

static se_tensor *vec(int n, const float *x)
{
    se_tensor *t;
    ok(se_tensor_make(SE_F32, 1, (int64_t[]){n}, x, &t));
    return hold(t);
}

static se_tensor *number(double x)
{
    se_tensor *t;
    ok(se_tensor_number(x, &t));
    return hold(t);
}

static se_tensor *call(const char *name, int n, se_tensor **in, const se_attr *attr, int line)
{
    se_tensor *out[SE_MAX_OUTPUTS];
    ok(se_call(op(name), n, in, attr, "recipe.lua", line, out));
    for (int i = 1; i < se_op_outs(op(name)); i++)
        hold(out[i]);
    return hold(out[0]);
}

static se_tensor *op2(const char *name, se_tensor *a, se_tensor *b, int line)
{
    return call(name, 2, (se_tensor *[]){a, b}, NULL, line);
}

static se_tensor *total(se_tensor *x)
{
    return call("sum", 1, &x, ATTRS({.n = 0}, {.i = 0}), 90);
}

static const float *data(se_tensor *t)
{
    const void *p;
    ok(se_tensor_data(t, true, &p));
    return p;
}

static void test_eval(void **state)
{
    (void)state;
    int32_t d = se_scope_open("test");
    se_tensor *x = vec(3, (float[]){1, 2, 3}), *y = op2("mul", x, x, 1);
    se_tensor *z = op2("add", y, number(1), 2);
    assert_false(se_tensor_ready(z));
    const float *v = data(z);
    assert_true(v[0] == 2 && v[1] == 5 && v[2] == 10);
    assert_true(se_tensor_ready(z));
    assert_false(se_tensor_ready(y)); /* nobody asked for it */
    assert_true(data(y)[2] == 9);
    se_scope_close(d);
}

/* An op's result may take the memory of an input, but not of one that is read later under another
 * name. */
static void test_given_twice(void **state)
{
    (void)state;
    int32_t d = se_scope_open("test");
    se_tensor *leaf = vec(3, (float[]){3, 1, 2}), *w = vec(3, (float[]){1, 2, 1}), *wanted, *got;
    wanted = call("layer_norm", 3, (se_tensor *[]){leaf, w, leaf}, ATTRS(SE_NUM(0.5)), 1);
    se_tensor *x = op2("mul", leaf, number(1), 2);
    got = call("layer_norm", 3, (se_tensor *[]){x, w, x}, ATTRS(SE_NUM(0.5)), 3);
    got = op2("mul", got, number(1), 4); /* what is read from outside has memory of its own */
    assert_memory_equal(data(got), data(wanted), 3 * sizeof(float));
    se_scope_close(d);
}

static void test_second_derivative(void **state)
{
    (void)state;
    int32_t d = se_scope_open("test");
    se_tensor *x = vec(2, (float[]){2, 3}), *cube = op2("mul", op2("mul", x, x, 1), x, 1);
    se_tensor *loss = total(cube), *g, *h;
    ok(se_grad(loss, 1, &x, &g));
    ok(se_grad(total(hold(g)), 1, &x, &h));
    hold(h);
    assert_true(data(g)[1] == 27 && data(h)[1] == 18);
    se_tensor *other = vec(1, (float[]){1}), *none;
    ok(se_grad(loss, 1, &other, &none));
    assert_null(none); /* absent, not zero */
    se_scope_close(d);
}

static void test_assign_and_failure(void **state)
{
    (void)state;
    se_tensor *p = vec(2, (float[]){1, 2});
    int32_t d = se_scope_open("step 1");
    se_tensor *old = op2("mul", p, number(10), 3);
    ok(se_assign(p, op2("add", p, number(1), 4), "recipe.lua", 4));
    se_tensor *later = op2("mul", p, number(10), 5);
    assert_true(data(old)[0] == 10); /* built before the assign */
    assert_true(data(later)[0] == 20 && data(p)[1] == 3);
    se_scope_close(d);
    d = se_scope_open("step 2"); /* a guard that fails drops the assign */
    se_tensor *bad = op2("div", op2("sub", p, p, 6), op2("sub", p, p, 7), 7);
    ok(se_assign(p, op2("add", p, bad, 8), "recipe.lua", 8));
    ok(se_guard(total(bad)));
    assert_int_equal(se_eval(0, NULL), SE_ERR_NONFINITE);
    assert_non_null(strstr(se_message(), "step 2: div (recipe.lua:7)"));
    assert_true(data(p)[0] == 2 && data(p)[1] == 3);
    se_scope_close(d);
    assert_int_equal(se_tensor_data(bad, true, &(const void *){0}), SE_ERR_STATE);
    assert_non_null(strstr(se_message(), "step 2"));
}

/* A scope that is left releases nothing: its handles belong to the one around it. */
static void test_leave(void **state)
{
    (void)state;
    int32_t outer = se_scope_open("outer"), d = se_scope_open("step 1");
    se_tensor *x = vec(2, (float[]){2, 3}), *y = op2("mul", x, x, 1), *z;
    se_scope_open("within");
    z = op2("mul", y, x, 2);
    se_scope_leave(d);
    assert_true(data(z)[1] == 27 && data(y)[0] == 4);
    se_scope_close(outer);
    assert_int_equal(se_tensor_data(z, true, &(const void *){0}), SE_ERR_STATE);
    assert_non_null(strstr(se_message(), "outer"));
    d = se_scope_open("step 2");
    x = vec(2, (float[]){2, 3});
    se_scope_leave(d); /* to no scope at all */
    se_scope_close(d);
    assert_true(data(x)[1] == 3);
}

static void test_adamw_in_place(void **state)
{
    (void)state;
    float zero[1000] = {0}, one[1000];
    for (int i = 0; i < 1000; i++)
        one[i] = 1;
    se_tensor *p = vec(1000, one), *m = vec(1000, zero), *v = vec(1000, zero);
    const float *before = NULL;
    for (int step = 1; step <= 3; step++) {
        int32_t d = se_scope_open("step");
        se_tensor *g, *out[SE_MAX_OUTPUTS];
        ok(se_grad(total(op2("mul", p, p, 1)), 1, &p, &g));
        hold(g);
        se_tensor *in[] = {p, m, v, g, number(0.1), number(step), NULL, NULL};
        const se_signature *s = se_op_signature(op("adamw"));
        se_attr attr[SE_MAX_ATTRS];
        for (int i = 0; i < s->n_attrs; i++)
            attr[i] = s->attr[i].value;
        se_tensor *loss = total(p);
        ok(se_call(op("adamw"), 8, in, attr, "recipe.lua", 20, out));
        for (int i = 0; i < 3; i++)
            hold(out[i]);
        ok(se_assign(p, out[0], "recipe.lua", 20));
        ok(se_assign(m, out[1], "recipe.lua", 20));
        ok(se_assign(v, out[2], "recipe.lua", 20));
        ok(se_eval(1, &loss));
        if (step == 2)
            assert_ptr_equal(data(p), before); /* the memory is written over, not copied */
        if (step == 3) { /* what was built before and not computed is gone, and says who took it */
            assert_int_equal(se_tensor_data(g, true, &(const void *){0}), SE_ERR_STATE);
            assert_non_null(strstr(se_message(), "recipe.lua:20"));
        }
        before = data(p);
        se_scope_close(d);
    }
    assert_true(data(p)[0] < 0.75f && data(p)[0] > 0.65f);
}

static void test_memory(void **state)
{
    (void)state;
    se_arena_trim();
    int64_t live = se_memory_live();
    se_memory_limit(live + (13 << 20)); /* the leaf, the chain, the value that is kept */
    int32_t d = se_scope_open("big");
    se_tensor *x;
    ok(se_tensor_make(SE_F32, 1, (int64_t[]){1 << 20}, NULL, &x));
    hold(x);
    se_tensor *y = x;
    for (int i = 0; i < 40; i++) /* a chain: in place, one buffer */
        y = op2("add", y, number(1), i);
    assert_true(data(y)[77] == 40);
    se_tensor *big;
    assert_int_equal(se_tensor_make(SE_F32, 1, (int64_t[]){2 << 20}, NULL, &big), SE_ERR_MEMORY);
    assert_non_null(strstr(se_message(), "largest: f32[1048576]"));
    se_scope_close(d);
    se_memory_limit(0);
    se_arena_trim();
    assert_int_equal(se_memory_live(), live);
    free_held(NULL);
    se_stats s;
    se_stats_read(&s);
    assert_int_equal(s.nodes_alive, 0);
}

static void test_varying(void **state)
{
    (void)state;
    int32_t d = se_scope_open("test");
    se_tensor *x = vec(4, (float[]){1, 2, 3, 4}), *p = vec(4, (float[]){0, 0, 0, 0});
    ok(se_tensor_vary(x, 4));
    se_tensor *y = op2("mul", x, number(2), 1);
    const void *q;
    assert_int_equal(se_tensor_data(y, false, &q), SE_ERR_STATE);
    assert_int_equal(se_assign(p, y, "recipe.lua", 2), SE_ERR_ARG);
    se_tensor *all = call("shard_gather", 1, &y, NULL, 3);
    ok(se_tensor_data(all, false, &q));
    assert_true(((const float *)q)[3] == 8);
    se_scope_close(d);
}

static void test_keep(void **state)
{
    (void)state;
    int32_t d = se_scope_open("test");
    se_tensor *x = vec(2, (float[]){1, 2}), *y = op2("add", x, x, 1);
    ok(se_keep(y));
    ok(se_eval(1, &y));
    se_scope_close(d);
    assert_true(data(y)[1] == 4);
    assert_true(se_tensor_released(x));
    free_held(NULL);
    se_stats s;
    se_stats_read(&s);
    assert_int_equal(s.nodes_alive, 0);
}

/* What is kept is computed before what it is made from is written over. */
static void test_keep_before_assign(void **state)
{
    (void)state;
    se_tensor *p = vec(2, (float[]){1, 2});
    int32_t d = se_scope_open("test");
    se_tensor *y = op2("mul", p, p, 1), *unused = op2("add", p, p, 2), *other = total(p);
    ok(se_keep(y));
    ok(se_keep(unused));
    se_tensor_free(unused);
    n_held -= 2; /* unused and other */
    hold(other);
    ok(se_assign(p, op2("add", p, number(1), 3), "recipe.lua", 3));
    ok(se_eval(1, &other));
    se_scope_close(d);
    assert_true(data(y)[1] == 4);
    assert_true(data(p)[1] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_eval, free_held),
        cmocka_unit_test_teardown(test_second_derivative, free_held),
        cmocka_unit_test_teardown(test_given_twice, free_held),
        cmocka_unit_test_teardown(test_assign_and_failure, free_held),
        cmocka_unit_test_teardown(test_leave, free_held),
        cmocka_unit_test_teardown(test_adamw_in_place, free_held),
        cmocka_unit_test_teardown(test_memory, free_held),
        cmocka_unit_test_teardown(test_varying, free_held),
        cmocka_unit_test_teardown(test_keep, free_held),
        cmocka_unit_test_teardown(test_keep_before_assign, free_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
