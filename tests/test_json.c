/* JSON for Lua: what is refused and where, order, numbers that read back equal. */
#include "io/files.h"
#include "io/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static se_json *parsed(const char *text)
{
    se_json *v;
    if (se_json_parse(text, strlen(text), "t.json", &v) != SE_OK)
        fail_msg("%s", se_message());
    return v;
}

static void refused(const char *text, size_t bytes, const char *message)
{
    se_json *v;
    assert_int_equal(se_json_parse(text, bytes, "t.json", &v), SE_ERR_FORMAT);
    assert_null(v);
    if (!strstr(se_message(), message))
        fail_msg("'%s' is not in: %s", message, se_message());
}

static void dumps(const se_json *v, int indent, bool sort, const char *want)
{
    char *text;
    size_t bytes;
    assert_int_equal(se_json_dump(v, indent, sort, &text, &bytes), SE_OK);
    assert_string_equal(text, want);
    assert_int_equal(bytes, strlen(want));
    se_io_free(text);
}

static void test_refusals(void **state)
{
    (void)state;
    refused("", 0, "t.json:1:1: ");
    refused("{\n \"a\": 1,\n \"b\": }\n", 20, "t.json:3:7: ");
    refused("{\"a\": 1, \"a\": 2}", 16, "duplicate");
    refused("\"caf\xe9\"", 6, "t.json:1:");
    refused("[1, 2", 5, "t.json:1:5: ");
    refused("[1] x", 5, "t.json:1:5: ");
    refused("nan", 3, "t.json:1:");
    refused("[1e999]", 7, "t.json:1:");
    refused("\"\\ud800\"", 8, "t.json:1:");
    char deep[5000];
    memset(deep, '[', sizeof deep);
    refused(deep, sizeof deep, "t.json:1:");
    se_json *v;
    assert_int_equal(se_json_load("/nowhere/at/all.json", &v), SE_ERR_IO);
    assert_string_equal(se_message(),
                        "/nowhere/at/all.json: cannot read: No such file or directory");
}

static void test_order_and_kinds(void **state)
{
    (void)state;
    se_json *v = parsed("{\"z\": 1, \"a\": [true, null, 2.5, \"x\\u0000y\"], \"m\": {}}");
    const char *const keys[] = {"z", "a", "m"};
    int i = 0;
    for (void *it = se_json_first(v); it; it = se_json_next(v, it))
        assert_string_equal(se_json_key(it), keys[i++]);
    assert_int_equal(i, 3);
    const se_json *a = se_json_get(v, "a");
    size_t bytes;
    assert_int_equal(se_json_size(a), 4);
    assert_int_equal(se_json_type(se_json_at(a, 0)), SE_JSON_BOOL);
    assert_true(se_json_bool(se_json_at(a, 0)));
    assert_int_equal(se_json_type(se_json_at(a, 1)), SE_JSON_NULL);
    assert_true(se_json_number(se_json_at(a, 2)) == 2.5);
    assert_memory_equal(se_json_string(se_json_at(a, 3), &bytes), "x\0y", 3);
    assert_int_equal(bytes, 3);
    assert_null(se_json_at(a, 4));
    assert_null(se_json_at(a, -1));
    assert_null(se_json_get(v, "none"));
    dumps(v, 0, false, "{\"z\":1,\"a\":[true,null,2.5,\"x\\u0000y\"],\"m\":{}}");
    dumps(v, 2, true,
          "{\n  \"a\": [\n    true,\n    null,\n    2.5,\n    \"x\\u0000y\"\n  ],\n"
          "  \"m\": {},\n  \"z\": 1\n}");
    se_json_free(v);
}

static void test_large_integers(void **state)
{
    (void)state;
    se_json *v = parsed("{\"max\": 1000000000000000019884624838656, \"n\": [7, -3], \"x\": 2.5}");
    assert_int_equal(se_json_type(se_json_get(v, "max")), SE_JSON_REAL);
    assert_true(se_json_number(se_json_get(v, "max")) == 1e30);
    assert_int_equal(se_json_type(se_json_at(se_json_get(v, "n"), 0)), SE_JSON_INTEGER);
    assert_int_equal(se_json_integer(se_json_at(se_json_get(v, "n"), 1)), -3);
    se_json_free(v);
    v = parsed("[9223372036854775807, -9223372036854775808]");
    dumps(v, 0, false, "[9223372036854775807,-9223372036854775808]");
    se_json_free(v);
}

static void test_numbers_read_back(void **state)
{
    (void)state;
    const double x[] = {0.1,    1.0 / 3,
                        2e-5,   1e300,
                        5e-324, 1.7976931348623157e308,
                        -0.0,   123456789.125,
                        1e16,   9007199254740993.0,
                        3.0};
    char text[32];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        se_json *v = parsed(se_json_print_real(x[i], text));
        assert_int_equal(se_json_type(v), SE_JSON_REAL);
        double y = se_json_number(v);
        assert_memory_equal(&y, &x[i], sizeof y);
        se_json_free(v);
    }
    assert_string_equal(se_json_print_real(0.1, text), "0.1");
    assert_string_equal(se_json_print_real(3, text), "3.0");
    se_json *v = se_json_of_number(3);
    dumps(v, 0, false, "3");
    se_json_free(v);
    v = se_json_of_number(2e-5);
    dumps(v, 0, false, "2e-05");
    se_json_free(v);
    assert_null(se_json_of_number((double)NAN));
    assert_non_null(strstr(se_message(), "NaN"));
    assert_null(se_json_of_real((double)INFINITY));
}

static void test_building(void **state)
{
    (void)state;
    se_json *o = se_json_new_object(), *a = se_json_new_array();
    assert_int_equal(se_json_append(a, se_json_of_integer(1)), SE_OK);
    assert_int_equal(se_json_append(a, se_json_of_string("\"\\\n\x01\xc3\xa9", 6)), SE_OK);
    assert_int_equal(se_json_append(a, se_json_of_bool(false)), SE_OK);
    assert_int_equal(se_json_append(a, se_json_new_null()), SE_OK);
    assert_int_equal(se_json_set(o, "a", a), SE_OK);
    assert_int_equal(se_json_set(o, "b", se_json_of_number(1)), SE_OK);
    assert_int_equal(se_json_set(o, "b", se_json_of_number(2)), SE_OK);
    dumps(o, 0, false, "{\"a\":[1,\"\\\"\\\\\\n\\u0001\xc3\xa9\",false,null],\"b\":2}");
    assert_int_equal(se_json_set(o, "bad", se_json_of_string("\xff", 1)), SE_ERR_ARG);
    assert_non_null(strstr(se_message(), "not UTF-8"));
    assert_int_equal(se_json_set(o, "\xff", se_json_new_null()), SE_ERR_ARG);
    assert_int_equal(se_json_append(o, se_json_new_null()), SE_ERR_ARG);
    se_json_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_order_and_kinds),
        cmocka_unit_test(test_large_integers), cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_building),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
