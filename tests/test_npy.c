/* .npy files: parts of every type, every version, and every lie that a header can tell. */
#define _GNU_SOURCE
#include "io/npy.h"
#include "io/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/sembed_test_npy.XXXXXX";
static char path[128];

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

/* Writes a file of that version and header; returns where its rows begin. */
static size_t put(int version, const char *header, const void *rows, size_t bytes)
{
    size_t n = strlen(header), from = version == 1 ? 10 : 12;
    char *all = calloc(1, from + n + bytes + 1);
    memcpy(all, "\x93NUMPY", 6);
    all[6] = (char)version;
    all[8] = (char)(n & 255);
    all[9] = (char)(n >> 8);
    memcpy(all + from, header, n);
    if (bytes)
        memcpy(all + from + n, rows, bytes);
    ok(se_file_write(path, all, from + n + bytes));
    free(all);
    return from + n;
}

static void refused(const char *header, size_t bytes, const char *message)
{
    static const char ROWS[64];
    se_npy *f;
    put(1, header, ROWS, bytes);
    if (se_npy_open(path, &f) != SE_ERR_FORMAT)
        fail_msg("not refused: %s", header);
    assert_null(f);
    assert_memory_equal(se_message(), path, strlen(path));
    if (!strstr(se_message(), "offset ") || !strstr(se_message(), message))
        fail_msg("'%s' is not in: %s", message, se_message());
}

#define HEAD(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static void test_lies(void **state)
{
    (void)state;
    refused(HEAD("'<f4'", "False", "(2, 3)"), 23, "23 bytes of rows, expected those of (2, 3)");
    refused(HEAD("'<f4'", "False", "(2, 3)"), 25, "25 bytes of rows");
    refused(HEAD("'>f4'", "False", "(2, 3)"), 24, "type '>f4', expected <f4");
    refused(HEAD("'<i8'", "False", "(2, 1)"), 16, "type '<i8'");
    refused(HEAD("''", "False", "(2, 1)"), 16, "type ''");
    refused(HEAD("'<f4______'", "False", "(2, 3)"), 24, "expected a plain type");
    refused(HEAD("[('a', '<f4')]", "False", "(2, 3)"), 24, "expected a plain type");
    refused(HEAD("'<f4'", "True", "(2, 3)"), 24, "Fortran");
    refused(HEAD("'<f4'", "False", "(6,)"), 24, "expected a size of the shape");
    refused(HEAD("'<f4'", "False", "(1, 2, 3)"), 24, "a shape of two axes");
    refused(HEAD("'<f4'", "False", "(-2, 3)"), 24, "expected a size");
    refused(HEAD("'<f4'", "False", "(99999999999999999999, 3)"), 24, "too large");
    refused(HEAD("'<f4'", "False", "(4611686018427387904, 8)"), 0, "expected those of");
    refused(HEAD("'<f4'", "False", "(0, 9223372036854775807)") "x", 0, "nothing more");
    refused("{'descr': '<f4', 'shape': (2, 3)}", 24, "lacks");
    refused("{'descr': '<f4', 'descr': '<f4'}", 24, "twice");
    refused("{'desk': '<f4'}", 24, "an unknown key");
    refused("{'a key of more than sixteen': 1}", 24, "expected a key");
    refused("{'descr': '<f4", 0, "expected a plain type");
    refused("{'descr' '<f4'}", 0, "expected ':'");
    refused("{'descr': '<f4' 'shape': (2, 3)}", 24, "expected ',' or '}'");
    refused("", 24, "expected '{'");
}

static void test_start(void **state)
{
    static const char *const STARTS[] = {"", "\x93NUMP", "\x93NUMPY\x01", "PK\3\4 a zip file",
                                         "\x93NUMPY\x04\0\0\0\0\0"};
    se_npy *f;
    (void)state;
    for (size_t i = 0; i < sizeof STARTS / sizeof *STARTS; i++) {
        ok(se_file_write(path, STARTS[i], strlen(STARTS[i])));
        assert_int_equal(se_npy_open(path, &f), SE_ERR_FORMAT);
    }
    ok(se_file_write(path, "\x93NUMPY\1\0\377\377{}", 12));
    assert_int_equal(se_npy_open(path, &f), SE_ERR_FORMAT);
    assert_non_null(strstr(se_message(), "longer than the file"));
    ok(se_file_write(path, "\x93NUMPY\2\0\377\377\377\377{}", 14));
    assert_int_equal(se_npy_open(path, &f), SE_ERR_FORMAT);
    assert_int_equal(se_npy_open(home, &f), SE_ERR_IO);
    assert_int_equal(se_npy_open("/nowhere/at/all/x.npy", &f), SE_ERR_IO);
}

/* Every file that is cut, or has one byte changed, opens or is refused. */
static void test_damage(void **state)
{
    static const float ROWS[6] = {1, 2, 3, 4, 5, 6};
    size_t size = put(1, HEAD("'<f4'", "False", "(2, 3)") "   \n", ROWS, sizeof ROWS) + 24;
    char *text = NULL, *copy = malloc(size);
    size_t bytes = 0;
    int opened = 0, closed = 0;
    (void)state;
    ok(se_file_read(path, &text, &bytes));
    assert_int_equal(bytes, size);
    for (size_t i = 0; i < 3 * size; i++) {
        se_npy *f;
        memcpy(copy, text, size);
        copy[i % size] ^= i < size ? 0 : i < 2 * size ? 1 : (char)0x80;
        ok(se_file_write(path, copy, i < size ? i : size));
        if (se_npy_open(path, &f)) {
            closed++;
            continue;
        }
        opened++;
        se_npy_close(f);
    }
    assert_true(opened > 24 && closed > 100);
    se_io_free(text);
    free(copy);
}

static void rows_are(const char *header, int version, const void *rows, size_t bytes,
                     const float *want)
{
    se_npy *f;
    se_tensor *t;
    const void *data;
    put(version, header, rows, bytes);
    ok(se_npy_open(path, &f));
    assert_int_equal(se_npy_rows(f), 3);
    assert_int_equal(se_npy_dims(f), 2);
    assert_int_equal(se_npy_part(f, 2, 2, &t), SE_ERR_ARG);
    assert_int_equal(se_npy_part(f, -1, 2, &t), SE_ERR_ARG);
    assert_int_equal(se_npy_part(f, INT64_MAX, 1, &t), SE_ERR_ARG);
    ok(se_npy_part(f, 1, 2, &t));
    se_npy_close(f);
    ok(se_tensor_data(t, false, &data));
    assert_memory_equal(data, want, 16);
    se_tensor_free(t);
}

static void test_types(void **state)
{
    static const float F4[6] = {0, 0, 1, -2, 3.5f, 100};
    static const double F8[6] = {0, 0, 1, -2, 3.5, 100};
    static const uint16_t F2[6] = {0, 0, 0x3c00, 0xc000, 0x4300, 0x5640};
    static const int8_t I1[6] = {0, 0, 1, -2, 127, -128};
    static const float SIGNED[4] = {1, -2, 127, -128}, UNSIGNED[4] = {1, 254, 127, 128};
    (void)state;
    /* The second header makes the rows begin at an odd place: they are copied. */
    rows_are(HEAD("'<f4'", "False", "(3, 2)"), 1, F4, sizeof F4, F4 + 2);
    rows_are(HEAD("'<f4'", "False", "(3, 2)") " ", 2, F4, sizeof F4, F4 + 2);
    rows_are(HEAD("\"<f4\"", "False", "(3, 2)") "  \n", 3, F4, sizeof F4, F4 + 2);
    rows_are(HEAD("'<f8'", "False", "(3, 2)"), 1, F8, sizeof F8, F4 + 2);
    rows_are(HEAD("'<f2'", "False", "(3, 2)"), 1, F2, sizeof F2, F4 + 2);
    rows_are("{'shape': (3,2), 'fortran_order':False, 'descr':'|i1'}", 1, I1, 6, SIGNED);
    rows_are(HEAD("'|u1'", "False", "(3, 2)"), 1, I1, 6, UNSIGNED);
}

static void read_refused(const char *header, size_t bytes, const char *message)
{
    static const char ROWS[64] = {7};
    bool turned;
    se_tensor *t;
    put(1, header, ROWS, bytes);
    if (se_npy_read(path, &turned, &t) != SE_ERR_FORMAT)
        fail_msg("not refused: %s", header);
    assert_null(t);
    assert_memory_equal(se_message(), path, strlen(path));
    if (!strstr(se_message(), "offset ") || !strstr(se_message(), message))
        fail_msg("'%s' is not in: %s", message, se_message());
}

static void test_read_lies(void **state)
{
    (void)state;
    read_refused(HEAD("'<f4'", "False", "(2, 3)"), 23, "23 bytes of elements");
    read_refused(HEAD("'<f4'", "False", "()"), 8, "8 bytes of elements");
    read_refused(HEAD("'<c8'", "False", "(2,)"), 16, "type '<c8'");
    read_refused(HEAD("'>f4'", "False", "(2,)"), 8, "type '>f4'");
    read_refused(HEAD("'<f4'", "Maybe", "(2,)"), 8, "expected True or False");
    read_refused(HEAD("'<f4'", "False", "2"), 8, "expected the shape");
    read_refused(HEAD("'<f4'", "False", "(1 2)"), 8, "expected ',' or ')'");
    read_refused(HEAD("'<f4'", "False", "(1,1,1,1,1,1,1)"), 4, "at most 6 axes");
    read_refused(HEAD("'<f4'", "False", "(4611686018427387904, 8)"), 0, "more than");
    read_refused(HEAD("'<f4'", "False", "(4611686018427387904, 8, 0)"), 0, "more than");
    read_refused(HEAD("'|b1'", "False", "(2,)"), 2, "7, expected 0 or 1");
}

/* Every file that is cut, or has one byte changed, is read or refused. */
static void test_read_damage(void **state)
{
    static const int32_t ROWS[6] = {1, 2, 3, 4, 5, 6};
    char *text = NULL;
    size_t bytes = 0;
    int opened = 0, closed = 0;
    (void)state;
    put(1, HEAD("'<i4'", "True", "(1, 2, 3)") "  \n", ROWS, sizeof ROWS);
    ok(se_file_read(path, &text, &bytes));
    char *copy = malloc(bytes);
    for (size_t i = 0; i < 3 * bytes; i++) {
        bool turned;
        se_tensor *t;
        memcpy(copy, text, bytes);
        copy[i % bytes] ^= i < bytes ? 0 : i < 2 * bytes ? 1 : (char)0x80;
        ok(se_file_write(path, copy, i < bytes ? i : bytes));
        if (se_npy_read(path, &turned, &t))
            closed++;
        else
            opened++;
        se_tensor_free(t);
    }
    assert_true(opened > 24 && closed > 100);
    se_io_free(text);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),      cmocka_unit_test(test_start),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_types),
        cmocka_unit_test(test_read_lies), cmocka_unit_test(test_read_damage)};
    if (!mkdtemp(home))
        return 1;
    snprintf(path, sizeof path, "%s/rows.npy", home);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(home);
    return failed;
}
