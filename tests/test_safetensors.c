/* safetensors: every lie that a header can tell, round trips, cut and damaged files. */
#define _GNU_SOURCE
#include "io/files.h"
#include "io/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/sembed_test_safetensors.XXXXXX";
static char path[128];

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static void message_is(const char *want)
{
    if (!strstr(se_message(), want))
        fail_msg("'%s' is not in: %s", want, se_message());
}

/* A file of that header (its length written as `length`, or the true one where that is 0) and data.
 */
static void put(const char *header, uint64_t length, const void *data, size_t bytes)
{
    size_t n = strlen(header);
    char *all = malloc(8 + n + bytes + 1);
    length = length ? length : n;
    memcpy(all, &length, 8);
    memcpy(all + 8, header, n);
    if (bytes)
        memcpy(all + 8 + n, data, bytes);
    ok(se_file_write(path, all, 8 + n + bytes));
    free(all);
}

static const uint8_t DATA[64];

static void refused(const char *header, size_t data_bytes, const char *message)
{
    se_safetensors *f;
    put(header, 0, DATA, data_bytes);
    if (se_safetensors_open(path, &f) != SE_ERR_FORMAT)
        fail_msg("not refused: %s", header);
    assert_null(f);
    assert_memory_equal(se_message(), path, strlen(path));
    message_is("offset ");
    message_is(message);
}

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_lies(void **state)
{
    (void)state;
    refused("{" ENTRY("a", "F32", "[2]", "[0,8]") "}", 7,
            "offset 9: tensor 'a': data_offsets [0, 8], expected them inside the 7 bytes of data");
    refused("{" ENTRY("a", "F32", "[2]", "[0,8]") "}", 9, "1 bytes belong to no tensor");
    refused("{" ENTRY("a", "F32", "[3]", "[0,8]") "}", 8,
            "data_offsets hold 8 bytes, expected the 12 of its shape and dtype F32");
    refused("{" ENTRY("a", "BF16", "[2]", "[0,8]") "}", 8, "expected the 4 of its shape");
    refused("{" ENTRY("a", "F32", "[2]", "[8,0]") "}", 8, "data_offsets [8, 0]");
    refused("{" ENTRY("a", "F32", "[2]", "[-8,0]") "}", 8, "expected [begin, end]");
    refused("{" ENTRY("a", "F32", "[2]", "[0]") "}", 8, "expected [begin, end]");
    refused("{" ENTRY("a", "F32", "[2]", "[0,8.0]") "}", 8, "expected [begin, end]");
    refused("{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[4,12]") "}", 12,
            "tensor 'b': data_offsets begin at 4, inside 'a': expected 8 or later");
    refused("{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[0,8]") "}", 8,
            "tensor 'b': data_offsets begin at 0, inside 'a'");
    refused("{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[12,20]") "}", 20,
            "tensor 'b': data_offsets begin at 12, expected 8: the bytes between");
    refused("{" ENTRY("a", "F32", "[2]", "[4,12]") "}", 12, "begin at 4, expected 0");
    refused("{" ENTRY("a", "F32", "[4611686018427387904,4]", "[0,8]") "}", 8, "overflow");
    refused("{" ENTRY("a", "F32", "[0,4611686018427387904,4]", "[0,0]") "}", 0, "overflow");
    refused("{" ENTRY("a", "F32", "[99999999999999999999]", "[0,8]") "}", 8, "not a size");
    refused("{" ENTRY("a", "F32", "[-2]", "[0,8]") "}", 8, "axis 0 of the shape is not a size");
    refused("{" ENTRY("a", "F32", "[\"2\"]", "[0,8]") "}", 8, "not a size");
    refused("{" ENTRY("a", "F32", "2", "[0,8]") "}", 8, "expected an array of sizes");
    refused("{" ENTRY("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8,
            "17 axes");
    refused("{" ENTRY("a", "F33", "[2]", "[0,8]") "}", 8, "unknown dtype 'F33', expected F32");
    refused("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no \"dtype\"");
    refused("{\"a\":[0,8]}", 8, "tensor 'a': not an object");
    refused("{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("a", "F32", "[1]", "[4,8]") "}", 8,
            "duplicate");
    refused("{\"__metadata__\":{\"format\":1}}", 0, "'format' is not a text");
    refused("{\"__metadata__\":\"pt\"}", 0, "not an object");
    refused("{\"a\":", 0, "header (offset 8, 5 bytes):1:");
    refused("{} {}", 0, "header (offset 8");
    refused("[1, 2]", 0, "begins with byte 0x5b, expected {");
    refused(" {}", 0, "begins with byte 0x20");
    refused("{\"\xff\":1}", 0, "header (offset 8");
}

static void test_header_length(void **state)
{
    (void)state;
    se_safetensors *f;
    const uint64_t lies[] = {1, 3, 100, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        put("{}", lies[i], NULL, 0);
        assert_int_equal(se_safetensors_open(path, &f), SE_ERR_FORMAT);
        message_is("offset 0: header length");
    }
    ok(se_file_write(path, "", 0));
    assert_int_equal(se_safetensors_open(path, &f), SE_ERR_FORMAT);
    message_is("the file has 0 bytes, expected at least 8");
    assert_int_equal(se_safetensors_open("/nowhere/at/all/x", &f), SE_ERR_IO);
    assert_string_equal(se_message(), "/nowhere/at/all/x: cannot read: No such file or directory");
    assert_int_equal(se_safetensors_open(home, &f), SE_ERR_IO);
    put("{}      ", 0, NULL, 0);
    ok(se_safetensors_open(path, &f));
    assert_int_equal(se_safetensors_count(f), 0);
    se_safetensors_close(f);
}

/* The i-th tensor of the open file must have this type and these bytes. */
static void tensor_is(const se_safetensors *f, const char *name, se_dtype dtype, int64_t count,
                      const void *want, size_t bytes)
{
    se_tensor *t;
    se_type type;
    const void *data;
    int64_t i = se_safetensors_find(f, name);
    assert_true(i >= 0);
    ok(se_safetensors_tensor(f, i, &t));
    ok(se_tensor_type(t, &type));
    ok(se_tensor_data(t, true, &data));
    assert_int_equal(type.dtype, dtype);
    assert_int_equal(se_type_count(&type), count);
    if (bytes)
        assert_memory_equal(data, want, bytes);
    se_tensor_free(t);
}

static void test_conversions(void **state)
{
    (void)state;
    se_safetensors *f;
    se_tensor *t;
    struct {
        double f64[2];
        int64_t i64[2];
        uint16_t f16[6];
        uint8_t yes[2];
        uint8_t u8[2];
    } data = {.f64 = {0.1, -2},
              .i64 = {-7, 2147483647},
              .f16 = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x03ff},
              .yes = {0, 1}};
    put("{" ENTRY("f64", "F64", "[2]", "[0,16]") "," ENTRY(
            "i64", "I64", "[1,2]",
            "[16,32]") "," ENTRY("f16", "F16", "[6]",
                                 "[32,44]") "," ENTRY("yes", "BOOL", "[2]",
                                                      "[44,46]") "," ENTRY("u8", "U8", "[2]",
                                                                           "[46,48]") "}",
        0, &data, 48);
    ok(se_safetensors_open(path, &f));
    tensor_is(f, "f64", SE_F32, 2, (float[]){0.1f, -2}, 8);
    tensor_is(f, "i64", SE_I32, 2, (int32_t[]){-7, 2147483647}, 8);
    tensor_is(f, "f16", SE_F32, 6,
              (float[]){1, -2, 0x1p-24f, 65504, (float)INFINITY, 1023 * 0x1p-24f}, 24);
    tensor_is(f, "yes", SE_BOOL, 2, data.yes, 2);
    assert_int_equal(se_safetensors_tensor(f, se_safetensors_find(f, "u8"), &t), SE_ERR_FORMAT);
    assert_null(t);
    message_is("tensor 'u8': dtype U8 cannot be used, expected F32");
    assert_int_equal(se_safetensors_tensor(f, 5, &t), SE_ERR_ARG);
    assert_int_equal(se_safetensors_find(f, "none"), -1);
    assert_null(se_safetensors_name(f, -1));
    se_safetensors_close(f);

    const int64_t large = 2147483648;
    put("{" ENTRY("n", "I64", "[1]", "[0,8]") "}", 0, &large, 8);
    ok(se_safetensors_open(path, &f));
    assert_int_equal(se_safetensors_tensor(f, 0, &t), SE_ERR_FORMAT);
    message_is("tensor 'n': 2147483648, expected a number of 32 bits");
    se_safetensors_close(f);
    put("{" ENTRY("n", "BOOL", "[3]", "[0,3]") "}", 0, "\0\1\7", 3);
    ok(se_safetensors_open(path, &f));
    assert_int_equal(se_safetensors_tensor(f, 0, &t), SE_ERR_FORMAT);
    message_is("byte 0x07, expected 0 or 1");
    se_safetensors_close(f);
    put("{" ENTRY("n", "F32", "[1,1,1,1,1,1,2]", "[0,8]") "}", 0, DATA, 8);
    ok(se_safetensors_open(path, &f));
    assert_int_equal(se_safetensors_tensor(f, 0, &t), SE_ERR_FORMAT);
    message_is("7 axes, expected at most 6");
    se_safetensors_close(f);
}

/* The tensor as a weight: f32, whatever the file holds. */
static void weight_is(const se_safetensors *f, const char *name, int64_t count, const float *want)
{
    se_tensor *t;
    se_type type;
    const void *data;
    ok(se_safetensors_weight(f, se_safetensors_find(f, name), &t));
    ok(se_tensor_type(t, &type));
    ok(se_tensor_data(t, true, &data));
    assert_int_equal(type.dtype, SE_F32);
    assert_int_equal(se_type_count(&type), count);
    for (int64_t i = 0; i < count; i++) {
        float got = ((const float *)data)[i];
        if (isnan(want[i]) ? !isnan(got) : memcmp(&got, &want[i], sizeof got) != 0)
            fail_msg("%s[%lld]: %a came, %a is wanted", name, (long long)i, (double)got,
                     (double)want[i]);
    }
    se_tensor_free(t);
}

/* Every f16 and every bf16 number there is, by the definition of the formats. */
static void test_weights(void **state)
{
    (void)state;
    enum { ALL = 65536 };
    static uint16_t bits[2 * ALL];
    static float half[ALL], brain[ALL];
    const double f64[2] = {0.1, -1e300};
    static char data[4 * ALL + 32];
    se_safetensors *f;
    se_tensor *t;
    for (int i = 0; i < ALL; i++) {
        int exponent = i >> 10 & 31, fraction = i & 1023;
        double x = exponent == 31  ? (fraction ? NAN : INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(fraction + 1024, exponent - 25);
        bits[i] = bits[ALL + i] = (uint16_t)i;
        half[i] = (float)(i >> 15 ? -x : x);
        exponent = i >> 7 & 255;
        fraction = i & 127;
        x = exponent == 255 ? (fraction ? NAN : INFINITY)
            : exponent == 0 ? ldexp(fraction, -133)
                            : ldexp(fraction + 128, exponent - 134);
        brain[i] = (float)(i >> 15 ? -x : x);
    }
    memcpy(data, f64, 16);
    memset(data + 16, 1, 8);
    memcpy(data + 24, bits, sizeof bits);
    put("{" ENTRY("f64", "F64", "[2]", "[0,16]") "," ENTRY(
            "ids", "I64", "[1]",
            "[16,24]") "," ENTRY("f16", "F16", "[65536]",
                                 "[24,131096]") "," ENTRY("bf16", "BF16", "[65536]",
                                                          "[131096,262168]") "}",
        0, data, 4 * ALL + 24);
    ok(se_safetensors_open(path, &f));
    weight_is(f, "f16", ALL, half);
    weight_is(f, "bf16", ALL, brain);
    weight_is(f, "f64", 2, (float[]){0.1f, -(float)INFINITY});
    assert_int_equal(se_safetensors_weight(f, se_safetensors_find(f, "ids"), &t), SE_ERR_FORMAT);
    assert_null(t);
    message_is("tensor 'ids': dtype I64, weights are F32, F16, BF16 or F64");
    assert_int_equal(se_safetensors_weight(f, 4, &t), SE_ERR_ARG);
    se_safetensors_close(f);
}

/* Headers of every length from `{...}` to eight spaces more: data at any alignment. */
static void test_alignment(void **state)
{
    (void)state;
    const float x[2] = {1.5f, -3};
    for (int spaces = 0; spaces < 8; spaces++) {
        char header[128];
        se_safetensors *f;
        snprintf(header, sizeof header, "{" ENTRY("x", "F32", "[2]", "[0,8]") "}%*s", spaces, "");
        put(header, 0, x, sizeof x);
        ok(se_safetensors_open(path, &f));
        int64_t live = se_memory_live();
        se_tensor *t;
        ok(se_safetensors_tensor(f, 0, &t));
        assert_int_equal(se_memory_live() - live, strlen(header) % 4 ? 8 : 0);
        tensor_is(f, "x", SE_F32, 2, x, sizeof x);
        se_tensor_free(t);
        se_safetensors_close(f);
    }
}

static const float X[6] = {1, -2.5f, 3e-9f, 0, -0.0f, 7};
static const int32_t N[3] = {-1, 0, 2147483647};
static const uint16_t H[2] = {0x3f80, 0xc000};
static const uint8_t B[1] = {1};

static void write_four(void)
{
    se_tensor *t[4];
    const char *const names[] = {"yes", "a \"name\"", "n", "half"};
    const int64_t two_three[] = {2, 3}, three = 3, two = 2;
    ok(se_tensor_make(SE_BOOL, 0, NULL, B, &t[0]));
    ok(se_tensor_make(SE_F32, 2, two_three, X, &t[1]));
    ok(se_tensor_make(SE_I32, 1, &three, N, &t[2]));
    ok(se_tensor_make(SE_BF16, 1, &two, H, &t[3]));
    const char *const keys[] = {"step"}, *const values[] = {"12"};
    ok(se_safetensors_write(path, 4, names, t, 1, keys, values));
    for (int i = 0; i < 4; i++)
        se_tensor_free(t[i]);
}

static void test_round_trip(void **state)
{
    (void)state;
    se_safetensors *f;
    char *text;
    size_t bytes;
    uint64_t header;
    write_four();
    ok(se_file_read(path, &text, &bytes));
    memcpy(&header, text, 8);
    assert_int_equal(header % 8, 0);
    assert_int_equal(bytes, 8 + header + 24 + 12 + 4 + 1);
    assert_memory_equal(text + 8,
                        "{\"__metadata__\":{\"format\":\"pt\",\"step\":\"12\"},\"a \\\"name\\\"\":"
                        "{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},",
                        105);
    se_io_free(text);
    ok(se_safetensors_open(path, &f));
    assert_int_equal(se_safetensors_count(f), 4);
    assert_string_equal(se_safetensors_name(f, 0), "a \"name\"");
    assert_string_equal(se_safetensors_dtype(f, 0), "F32");
    assert_int_equal(se_safetensors_rank(f, 0), 2);
    assert_int_equal(se_safetensors_dim(f, 0, 0), 2);
    assert_int_equal(se_safetensors_dim(f, 0, 1), 3);
    assert_int_equal(se_safetensors_dim(f, 0, 2), 0);
    assert_string_equal(se_safetensors_metadata(f, "step"), "12");
    assert_string_equal(se_safetensors_metadata(f, "format"), "pt");
    assert_null(se_safetensors_metadata(f, "none"));
    tensor_is(f, "a \"name\"", SE_F32, 6, X, sizeof X);
    tensor_is(f, "n", SE_I32, 3, N, sizeof N);
    tensor_is(f, "half", SE_BF16, 2, H, sizeof H);
    tensor_is(f, "yes", SE_BOOL, 1, B, sizeof B);
    /* a tensor outlives the open file, the file's name, and writing anew under that name */
    se_tensor *t;
    const void *data;
    ok(se_safetensors_tensor(f, 0, &t));
    se_safetensors_close(f);
    ok(se_safetensors_write(path, 1, (const char *const[]){"again"}, &t, 0, NULL, NULL));
    assert_int_equal(unlink(path), 0);
    ok(se_tensor_data(t, true, &data));
    assert_memory_equal(data, X, sizeof X);
    const char *const twice[] = {"x", "x"};
    se_tensor *both[] = {t, t};
    assert_int_equal(se_safetensors_write(path, 2, twice, both, 0, NULL, NULL), SE_ERR_ARG);
    message_is("two tensors are called 'x'");
    assert_int_equal(se_safetensors_write("/nowhere/at/x", 1, twice, &t, 0, NULL, NULL), SE_ERR_IO);
    message_is("/nowhere/at/x.part: cannot write: No such file");
    const char *const bad[] = {"\xff"};
    assert_int_equal(se_safetensors_write(path, 1, bad, &t, 0, NULL, NULL), SE_ERR_ARG);
    se_tensor_free(t);
}

/* Opens the file and reads all tensors: whatever it holds, that must end in a status. */
static se_status read_all(void)
{
    se_safetensors *f;
    se_status s = se_safetensors_open(path, &f);
    if (s != SE_OK)
        return s;
    for (int64_t i = 0; i < se_safetensors_count(f); i++) {
        se_tensor *t;
        const void *data;
        se_type type;
        se_status one = se_safetensors_tensor(f, i, &t);
        if (one == SE_OK) {
            volatile uint8_t sum = 0;
            ok(se_tensor_type(t, &type));
            ok(se_tensor_data(t, true, &data));
            for (size_t k = 0; k < se_type_bytes(&type); k++)
                sum = (uint8_t)(sum + ((const uint8_t *)data)[k]);
            se_tensor_free(t);
        }
        if (se_safetensors_weight(f, i, &t) == SE_OK) {
            ok(se_tensor_data(t, true, &data));
            se_tensor_free(t);
        }
        s = s == SE_OK ? one : s;
    }
    se_safetensors_close(f);
    return s;
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    write_four();
    ok(se_file_read(path, &text, &bytes));
    for (size_t n = 0; n < bytes; n++) {
        ok(se_file_write(path, text, n));
        assert_int_equal(read_all(), SE_ERR_FORMAT);
    }
    se_io_free(text);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    enum { TRIES = 3000 };
    char *text;
    size_t bytes;
    write_four();
    ok(se_file_read(path, &text, &bytes));
    const char *given = getenv("SE_SEED");
    unsigned seed = given ? (unsigned)atoi(given) : 1;
    srand(seed);
    int refusals = 0;
    FILE *f = fopen(path, "r+"); /* written in place: 3,000 syncs would take minutes on a disk */
    assert_non_null(f);
    for (int i = 0; i < TRIES; i++) {
        size_t at[3];
        int bit[3], n = 1 + rand() % 3;
        for (int k = 0; k < n; k++) {
            at[k] = (size_t)rand() % bytes;
            bit[k] = 1 << rand() % 8;
            text[at[k]] = (char)(text[at[k]] ^ bit[k]);
        }
        rewind(f);
        assert_int_equal(fwrite(text, 1, bytes, f), bytes);
        assert_int_equal(fflush(f), 0);
        se_status s = read_all();
        assert_true(s == SE_OK || s == SE_ERR_FORMAT);
        refusals += s != SE_OK;
        for (int k = n - 1; k >= 0; k--)
            text[at[k]] = (char)(text[at[k]] ^ bit[k]);
    }
    fclose(f);
    assert_true(refusals > TRIES / 2);
    se_io_free(text);
}

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(home))
        return -1;
    snprintf(path, sizeof path, "%s/x.safetensors", home);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),         cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_conversions),  cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
