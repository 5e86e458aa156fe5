/* The plugins' protocol: messages, checks before a call, failures at every call without a leak,
 * with a plugin of our own; and, where SEMBED_PJRT_PLUGIN names a real one, small programs on it.
 */
#define _GNU_SOURCE
#include "exec/pjrt.h"
#include "pjrt_mock.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOATS(n) se_type_make(SE_F32, 1, (int64_t[]){n})

static pjrt_mock_state *mock;

static void whole_mock(void)
{
    *mock = (pjrt_mock_state){.major = 0, .minor = 100, .takes_option = true, .function = -1};
}

static int set_up(void **state)
{
    (void)state;
    void *file = dlopen(SE_PJRT_MOCK, RTLD_NOW | RTLD_LOCAL);
    mock = file ? dlsym(file, "pjrt_mock") : NULL;
    if (mock)
        whole_mock();
    return mock ? 0 : -1;
}

static void wants(se_status status, se_status wanted, const char *part)
{
    if (status != wanted || !strstr(se_message(), part))
        fail_msg("status %d, \"%s\": %d with \"%s\" is wanted", status, se_message(), wanted, part);
}

static void refused(const char *path, int devices, se_status wanted, const char *part)
{
    se_pjrt *p;
    wants(se_pjrt_open(path, devices, &p), wanted, part);
    assert_null(p);
    assert_int_equal(mock->alive, 0);
}

static void test_open(void **state)
{
    (void)state;
    refused("/no/such/plugin.so", 1, SE_ERR_IO, "/no/such/plugin.so: not a PJRT plugin");
    refused(SE_TEST_DATA "/ops/cases.json", 1, SE_ERR_IO, "not a PJRT plugin");
    refused("libm.so.6", 1, SE_ERR_IO, "has no GetPjrtApi");
    refused(SE_PJRT_MOCK, 0, SE_ERR_ARG, "0 devices: 1 to 4096");
    refused(SE_PJRT_MOCK, -1, SE_ERR_ARG, "-1 devices: 1 to 4096");
    mock->major = 1;
    refused(SE_PJRT_MOCK, 1, SE_ERR_IO, "PJRT 1.100 came, 0.58 or a later 0.x is wanted");
    whole_mock();
    mock->minor = 57;
    refused(SE_PJRT_MOCK, 1, SE_ERR_IO, "PJRT 0.57 came");
    whole_mock();
    mock->table_size = 200;
    refused(SE_PJRT_MOCK, 1, SE_ERR_IO, "lacks function");
    whole_mock();
    mock->refuses_client = "no CUDA-capable device is detected";
    refused(SE_PJRT_MOCK, 1, SE_ERR_IO, "no client: " SE_PJRT_MOCK ": no CUDA-capable device");
    whole_mock();
    mock->takes_option = false;
    mock->devices = 1;
    refused(SE_PJRT_MOCK, 8, SE_ERR_IO, "8 devices are asked for, and mock has 1");
    se_pjrt *p;
    assert_int_equal(se_pjrt_open(SE_PJRT_MOCK, 1, &p), SE_OK);
    assert_int_equal(se_pjrt_devices(p), 1);
    assert_string_equal(se_pjrt_platform(p), "mock");
    assert_non_null(strstr(se_pjrt_about(p), "PJRT 0.100"));
    se_pjrt_close(p);
    assert_int_equal(mock->alive, 0);
    whole_mock();
}

static void test_find(void **state)
{
    (void)state;
    const char *before = getenv("SEMBED_PJRT_PLUGIN");
    char *kept = before ? strdup(before) : NULL, *path, home[] = "/tmp/pjrt_find_XXXXXX";
    setenv("SEMBED_PJRT_PLUGIN", "/a/plugin.so", 1);
    assert_int_equal(se_pjrt_find(&path), SE_OK);
    assert_string_equal(path, "/a/plugin.so");
    free(path);
    unsetenv("SEMBED_PJRT_PLUGIN");
    assert_non_null(mkdtemp(home));
    char folder[200], file[300], command[700];
    snprintf(folder, sizeof folder, "%s/lib/python3.9/site-packages/some_plugin", home);
    snprintf(file, sizeof file, "%s/pjrt_c_api_cpu_plugin.so", folder);
    snprintf(command, sizeof command, "mkdir -p %s && : >%s", folder, file);
    assert_int_equal(system(command), 0);
    setenv("VIRTUAL_ENV", home, 1);
    if (access("/dev/nvidiactl", F_OK) && access("/dev/accel0", F_OK)) {
        assert_int_equal(se_pjrt_find(&path), SE_OK);
        assert_string_equal(path, file);
        free(path);
    }
    unsetenv("VIRTUAL_ENV");
    snprintf(command, sizeof command, "rm -r %s", home);
    assert_int_equal(system(command), 0);
    if (kept)
        setenv("SEMBED_PJRT_PLUGIN", kept, 1);
    free(kept);
}

/* A program of one replica over floats, each of two elements. */
static se_status compile(se_pjrt *p, const char *text, int replicas, int n_in, int n_out,
                         const int *donates, se_pjrt_program **out)
{
    se_type type[8];
    for (int i = 0; i < 8; i++)
        type[i] = FLOATS(2);
    se_pjrt_schema c = {replicas, n_in, n_out, type, type, donates};
    return se_pjrt_compile(p, text, strlen(text), &c, out);
}

static se_pjrt_buf *floats(se_pjrt *p, int device, float a, float b)
{
    se_type t = FLOATS(2);
    se_pjrt_buf *buf;
    assert_int_equal(se_pjrt_put(p, device, &t, (float[]){a, b}, &buf), SE_OK);
    return buf;
}

static void equals(se_pjrt_buf *b, float x, float y)
{
    float data[2];
    assert_int_equal(se_pjrt_get(b, data, sizeof data), SE_OK);
    assert_true(data[0] == x && data[1] == y);
}

static void test_run(void **state)
{
    (void)state;
    se_pjrt *p;
    se_pjrt_program *g;
    assert_int_equal(se_pjrt_open(SE_PJRT_MOCK, 2, &p), SE_OK);
    assert_int_equal(compile(p, "mock 0+1! all1", 2, 2, 2, (int[]){0, -1}, &g), SE_OK);
    se_pjrt_buf *in[4] = {floats(p, 0, 1, 2), floats(p, 0, 10, 20), floats(p, 1, 3, 4),
                          floats(p, 1, 30, 40)};
    se_pjrt_buf *out[4];
    assert_int_equal(se_pjrt_run(g, in, out), SE_OK);
    equals(out[0], 11, 22);
    equals(out[1], 40, 60);
    equals(out[2], 33, 44);
    equals(out[3], 40, 60);
    assert_false(se_pjrt_buf_there(in[0]));
    assert_true(se_pjrt_buf_there(in[1]));
    float data[2];
    wants(se_pjrt_get(in[0], data, sizeof data), SE_ERR_STATE, "belongs to a program");
    wants(se_pjrt_get(out[1], data, 4), SE_ERR_ARG, "4 bytes for a tensor of 8");
    for (int i = 0; i < 4; i++) {
        se_pjrt_buf_free(in[i]);
        se_pjrt_buf_free(out[i]);
    }
    se_pjrt_program_free(g);
    se_pjrt_close(p);
    assert_int_equal(mock->alive, 0);
}

/* What would end the process, or be taken in silence, does not reach the plugin. */
static void test_refused(void **state)
{
    (void)state;
    se_pjrt *p;
    se_pjrt_program *g, *none;
    se_pjrt_buf *b, *out[2];
    whole_mock();
    assert_int_equal(se_pjrt_open(SE_PJRT_MOCK, 2, &p), SE_OK);
    wants(compile(p, "not mlir", 1, 0, 0, NULL, &none), SE_ERR_FORMAT, "-:1:1: error");
    wants(compile(p, "mock 0", 3, 1, 1, (int[]){-1}, &none), SE_ERR_ARG, "3 replicas on 2");
    wants(compile(p, "mock 0", 0, 1, 1, (int[]){-1}, &none), SE_ERR_ARG, "0 replicas on 2");
    wants(compile(p, "mock 0 1", 1, 2, 1, (int[]){-1}, &none), SE_ERR_FORMAT, "2 outputs, 1");
    wants(compile(p, "mock 0 1", 1, 2, 2, (int[]){0, 0}, &none), SE_ERR_ARG, "both take over");
    wants(compile(p, "mock 0", 1, 1, 1, (int[]){1}, &none), SE_ERR_ARG, "argument 1 of 1");
    char *deep = malloc(20001);
    memset(deep, '(', 20000);
    deep[20000] = 0;
    int compiled = mock->calls[PJ_CLIENT_COMPILE];
    wants(compile(p, deep, 1, 0, 0, NULL, &none), SE_ERR_FORMAT, "brackets within each other");
    assert_int_equal(mock->calls[PJ_CLIENT_COMPILE], compiled);
    free(deep);
    se_type odd = FLOATS(2), ints = se_type_make(SE_I32, 1, (int64_t[]){2});
    odd.dtype = SE_NONE;
    wants(se_pjrt_put(p, 0, &odd, "", &b), SE_ERR_ARG, "no tensor for a device");
    odd = FLOATS(-2);
    wants(se_pjrt_put(p, 0, &odd, "", &b), SE_ERR_ARG, "no tensor for a device");
    wants(se_pjrt_put(p, 2, &ints, "", &b), SE_ERR_ARG, "device 2 of 2");

    assert_int_equal(compile(p, "mock 0+1!", 1, 2, 1, (int[]){0}, &g), SE_OK);
    se_pjrt_buf *x = floats(p, 0, 1, 2), *y = floats(p, 1, 1, 2), *i32, *short_one;
    odd = FLOATS(1);
    assert_int_equal(se_pjrt_put(p, 0, &ints, (int32_t[]){1, 2}, &i32), SE_OK);
    assert_int_equal(se_pjrt_put(p, 0, &odd, (float[]){1}, &short_one), SE_OK);
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, NULL}, out), SE_ERR_STATE, "argument 1 of replica 0");
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, i32}, out), SE_ERR_ARG, "i32[2] came, f32[2]");
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, short_one}, out), SE_ERR_ARG, "f32[1] came");
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, y}, out), SE_ERR_STATE, "is on device 1");
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, x}, out), SE_ERR_STATE, "given twice");
    assert_int_equal(mock->calls[PJ_PROGRAM_RUN], 0);
    se_pjrt_buf *z = floats(p, 0, 5, 6);
    assert_int_equal(se_pjrt_run(g, (se_pjrt_buf *[]){x, z}, out), SE_OK);
    se_pjrt_buf_free(out[0]);
    wants(se_pjrt_run(g, (se_pjrt_buf *[]){x, z}, out), SE_ERR_STATE, "taken over");
    se_pjrt_buf *all[] = {x, y, z, i32, short_one};
    for (int i = 0; i < 5; i++)
        se_pjrt_buf_free(all[i]);
    se_pjrt_program_free(g);
    se_pjrt_close(p);
    assert_int_equal(mock->alive, 0);
}

/* Opens, compiles, saves, loads, puts, runs and gets; stops at the first failure. */
static se_status story(void)
{
    se_pjrt *p = NULL;
    se_pjrt_program *g = NULL, *again = NULL;
    se_pjrt_buf *in[2] = {0}, *out[2] = {0};
    char *bytes = NULL;
    size_t size = 0;
    float data[2];
    se_type type[2] = {FLOATS(2), FLOATS(2)};
    int donates[1] = {0};
    se_pjrt_schema c = {2, 1, 1, type, type, donates};
    se_status s = se_pjrt_open(SE_PJRT_MOCK, 2, &p);
    if (!s)
        s = se_pjrt_compile(p, "mock 0!", 7, &c, &g);
    if (!s)
        s = se_pjrt_save(g, &bytes, &size);
    if (!s)
        s = se_pjrt_load(p, bytes, size, &c, &again);
    for (int i = 0; i < 2 && !s; i++)
        s = se_pjrt_put(p, i, type, (float[]){3, 4}, &in[i]);
    if (!s)
        s = se_pjrt_run(again, in, out);
    if (!s)
        s = se_pjrt_get(out[1], data, sizeof data);
    if (!s)
        assert_true(data[0] == 3 && data[1] == 4);
    for (int i = 0; i < 2; i++) {
        se_pjrt_buf_free(in[i]);
        se_pjrt_buf_free(out[i]);
    }
    free(bytes);
    se_pjrt_program_free(g);
    se_pjrt_program_free(again);
    if (p)
        se_pjrt_close(p);
    return s;
}

static void test_failures(void **state)
{
    (void)state;
    static const int functions[] = {PJ_PLUGIN_INITIALIZE, PJ_CLIENT_CREATE, PJ_CLIENT_ADDRESSABLE,
                                    PJ_CLIENT_ASSIGNMENT, PJ_DEVICE_ABOUT,  PJ_ABOUT_ID,
                                    PJ_CLIENT_COMPILE,    PJ_PROGRAM_CODE,  PJ_CODE_OUTPUTS,
                                    PJ_CODE_SAVE,         PJ_PROGRAM_LOAD,  PJ_BUFFER_PUT,
                                    PJ_PROGRAM_RUN,       PJ_BUFFER_DTYPE,  PJ_BUFFER_DIMS,
                                    PJ_BUFFER_GET,        PJ_EVENT_AWAIT};
    whole_mock();
    assert_int_equal(story(), SE_OK);
    int failed = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        for (int after = 0; after < 4; after++)
            for (int kind = 0; kind < 3; kind++) {
                whole_mock();
                mock->function = functions[i];
                mock->after = after;
                mock->code = kind == 1 ? PJ_RESOURCE_EXHAUSTED : PJ_INTERNAL;
                mock->event = kind == 2;
                se_status s = story();
                bool asked_again = functions[i] == PJ_CLIENT_CREATE && kind == 0;
                if (mock->calls[functions[i]] > after && kind != 2 && !asked_again) {
                    assert_int_not_equal(s, SE_OK);
                    assert_int_equal(s == SE_ERR_MEMORY, kind == 1);
                    assert_non_null(strstr(se_message(), "ordered by the test"));
                }
                failed += s != SE_OK;
                assert_int_equal(mock->alive, 0);
            }
    assert_in_range(failed, 40, 200);
    whole_mock();
}

/* --- a real plugin --- */

static const char ADD[] =
    "module @add {\n"
    "  func.func public @main(%x: tensor<2xf32> {tf.aliasing_output = 0 : i32}, "
    "%y: tensor<2xf32>) -> tensor<2xf32> {\n"
    "    %s = \"stablehlo.all_reduce\"(%y) ({\n"
    "    ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n"
    "      %c = stablehlo.add %a, %b : tensor<f32>\n"
    "      stablehlo.return %c : tensor<f32>\n"
    "    }) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<2xf32>) -> "
    "tensor<2xf32>\n"
    "    %z = stablehlo.add %x, %s : tensor<2xf32>\n"
    "    return %z : tensor<2xf32>\n"
    "  }\n"
    "}\n";

static void test_real(void **state)
{
    (void)state;
    const char *path = getenv("SEMBED_PJRT_PLUGIN");
    if (!path || !*path) {
        print_message("skipped: SEMBED_PJRT_PLUGIN names no plugin\n");
        skip();
    }
    se_pjrt *p;
    se_pjrt_program *g, *again;
    if (se_pjrt_open(path, 2, &p))
        fail_msg("%s", se_message());
    print_message("%s\n", se_pjrt_about(p));
    if (compile(p, ADD, 2, 2, 1, (int[]){0}, &g))
        fail_msg("%s", se_message());
    char *bytes;
    size_t size;
    se_type type[2] = {FLOATS(2), FLOATS(2)};
    se_pjrt_schema c = {2, 2, 1, type, type, (int[]){0}};
    assert_int_equal(se_pjrt_save(g, &bytes, &size), SE_OK);
    assert_int_equal(se_pjrt_load(p, bytes, size, &c, &again), SE_OK);
    wants(se_pjrt_load(p, "nonsense", 8, &c, &again), SE_ERR_FORMAT, "load a program");
    assert_int_equal(se_pjrt_load(p, bytes, size, &c, &again), SE_OK);
    free(bytes);
    for (int i = 0; i < 2; i++) {
        se_pjrt_buf *in[4] = {floats(p, 0, 1, 2), floats(p, 0, 10, 20), floats(p, 1, 3, 4),
                              floats(p, 1, 30, 40)};
        se_pjrt_buf *out[2];
        if (se_pjrt_run(i ? again : g, in, out))
            fail_msg("%s", se_message());
        equals(out[0], 41, 62);
        equals(out[1], 43, 64);
        assert_false(se_pjrt_buf_there(in[0]));
        for (int k = 0; k < 4; k++)
            se_pjrt_buf_free(in[k]);
        for (int k = 0; k < 2; k++)
            se_pjrt_buf_free(out[k]);
    }
    se_pjrt_program *none;
    wants(compile(p, "module @m { nonsense }", 1, 0, 0, NULL, &none), SE_ERR_FORMAT, "error");
    se_pjrt_program_free(g);
    se_pjrt_program_free(again);
    se_pjrt_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),     cmocka_unit_test(test_find),
        cmocka_unit_test(test_run),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
