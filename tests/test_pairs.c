/* Lines, and pairs as texts. */
#define _GNU_SOURCE
#include "data/hash.h"
#include "data/lines.h"
#include "data/pairs.h"
#include "io/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char home[] = "/tmp/sembed_test_pairs.XXXXXX";
static char names[4][256];

static const char *at(const char *name)
{
    static int turn;
    char *text = names[turn++ % 4];
    snprintf(text, sizeof names[0], "%s/%s", home, name);
    return text;
}

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static void put(const char *name, const char *text, size_t bytes)
{
    ok(se_file_write(at(name), text, bytes));
}

static void put_gz(const char *name, const char *text, size_t bytes)
{
    gzFile f = gzopen(at(name), "ab");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)bytes), (int)bytes);
    assert_int_equal(gzclose(f), Z_OK);
}

static void message_is(const char *want)
{
    if (!strstr(se_message(), want))
        fail_msg("'%s' is not in: %s", want, se_message());
}

/* --- lines --- */

/* Reads all lines into one text, joined with '|'; the status of the end. */
static se_status join_lines(const char *path, char *out, size_t room)
{
    se_lines *l;
    const char *text;
    size_t bytes, n = 0;
    se_status s = se_lines_open(path, &l);
    out[0] = 0;
    while (s == SE_OK) {
        s = se_lines_next(l, &text, &bytes);
        if (s != SE_OK || !text)
            break;
        assert_true(n + bytes + 2 < room);
        memcpy(out + n, text, bytes);
        n += bytes;
        out[n++] = '|';
        out[n] = 0;
    }
    if (s == SE_OK) {
        assert_int_equal(se_lines_read(l), se_lines_size(l));
        se_lines_close(l);
    } else if (s != SE_ERR_IO) {
        se_lines_close(l);
    }
    return s;
}

static void test_lines(void **state)
{
    (void)state;
    char got[256];
    put("plain", "a\r\n\nbc", 6);
    ok(join_lines(at("plain"), got, sizeof got));
    assert_string_equal(got, "a||bc|");
    put("nothing", "", 0);
    ok(join_lines(at("nothing"), got, sizeof got));
    assert_string_equal(got, "");
    put_gz("two.gz", "a\nb", 3); /* a line runs on from one gzip member into the next */
    put_gz("two.gz", "c\nd\n", 4);
    ok(join_lines(at("two.gz"), got, sizeof got));
    assert_string_equal(got, "a|bc|d|");
    assert_int_equal(join_lines(at("none"), got, sizeof got), SE_ERR_IO);
    assert_int_equal(join_lines(home, got, sizeof got), SE_ERR_IO);
    message_is("Is a directory");
}

static void test_long_line(void **state)
{
    (void)state;
    enum { N = 3000000 };
    char *text = malloc(N + 2), *got = malloc(N + 16);
    for (int i = 0; i < N; i++)
        text[i] = (char)('a' + i % 26);
    text[N] = '\n';
    text[N + 1] = 'x';
    put("long", text, N + 2);
    put_gz("long.gz", text, N + 2);
    for (int k = 0; k < 2; k++) {
        ok(join_lines(at(k ? "long.gz" : "long"), got, N + 16));
        assert_int_equal(strlen(got), N + 3);
        assert_memory_equal(got, text, N);
        assert_string_equal(got + N, "|x|");
    }
    free(text);
    free(got);
}

/* A gzip file cut at any byte is an error, but at 0 and 1, where it is no gzip file; damaged ones
 * too, wherever a check sum or a length covers the byte. */
static void test_broken_gz(void **state)
{
    (void)state;
    char *data, got[4096];
    size_t bytes;
    const char text[] = "{\"context\": \"one\"}\n{\"context\": \"two, two, two\"}\n";
    put_gz("whole.gz", text, sizeof text - 1);
    ok(se_file_read(at("whole.gz"), &data, &bytes));
    for (size_t n = 2; n < bytes; n++) {
        put("cut.gz", data, n);
        assert_int_equal(join_lines(at("cut.gz"), got, sizeof got), SE_ERR_FORMAT);
        char want[64];
        snprintf(want, sizeof want, "cut.gz: offset %zu: the gzip data ends early", n);
        message_is(want);
    }
    for (size_t n = 10; n < bytes; n++) { /* behind the header, whose time and flags are free */
        data[n] ^= 0x10;
        put("bad.gz", data, bytes);
        assert_int_equal(join_lines(at("bad.gz"), got, sizeof got), SE_ERR_FORMAT);
        data[n] ^= 0x10;
    }
    put_gz("tail.gz", text, sizeof text - 1);
    ok(se_file_append(at("tail.gz"), "rubbish", 7, false));
    assert_int_equal(join_lines(at("tail.gz"), got, sizeof got), SE_ERR_FORMAT);
    message_is("incorrect header check");
    se_io_free(data);
}

static void test_hash(void **state)
{
    (void)state;
    /* vectors of the xxHash specification's reference program */
    assert_true(se_hash_text("", 0, 0) == 0xef46db3751d8e999u);
    assert_true(se_hash_text("a", 1, 0) == 0xd24ec4f1a98c6e5bu);
    assert_true(se_hash_text("abc", 3, 0) == 0x44bc2cf5ad770999u);
    const char *long_one = "Nobody inspects the spammish repetition";
    assert_true(se_hash_text(long_one, strlen(long_one), 0) == 0xfbcea83c8a378bf1u);
}

/* --- pairs --- */

static se_status load(int32_t n, const char *const *files, int32_t n_columns,
                      const char *const *columns, se_pairs **out)
{
    bool done = false;
    se_status s = se_pairs_open(n, files, n_columns, columns, out);
    while (s == SE_OK && !done)
        s = se_pairs_step(*out, 3, &done);
    if (s != SE_OK) {
        se_pairs_free(*out);
        *out = NULL;
    }
    return s;
}

static se_pairs *loaded(const char *name)
{
    se_pairs *p;
    const char *file = at(name);
    ok(load(1, &file, 0, NULL, &p));
    return p;
}

static void text_is(const se_pairs *p, int32_t column, int64_t pair, const char *want)
{
    size_t bytes;
    const char *text = se_pairs_text(p, column, pair, &bytes);
    assert_non_null(text);
    assert_int_equal(bytes, strlen(want));
    assert_memory_equal(text, want, bytes);
}

static void test_formats(void **state)
{
    (void)state;
    const char objects[] = "{\"context\": \"hello\", \"id\": 99999999999999999999, \"response\": "
                           "\"world \\u00e9\"}\n \n[\"a\", \"\"]\n";
    put("o.jsonl", objects, sizeof objects - 1);
    put_gz("o.jsonl.gz", "{\"response\":\"r\",\"context\":\"c\"}", 30);
    const char *const files[] = {at("o.jsonl"), at("o.jsonl.gz")};
    se_pairs *p;
    ok(load(2, files, 0, NULL, &p));
    assert_int_equal(se_pairs_count(p), 3);
    assert_int_equal(se_pairs_columns(p), 2);
    assert_true(se_pairs_progress(p) == 1);
    text_is(p, 0, 0, "hello");
    text_is(p, 1, 0, "world \xc3\xa9");
    text_is(p, 0, 1, "a");
    text_is(p, 1, 1, "");
    text_is(p, 0, 2, "c");
    text_is(p, 1, 2, "r");
    size_t bytes;
    assert_null(se_pairs_text(p, 2, 0, &bytes));
    assert_null(se_pairs_text(p, 0, 3, &bytes));
    se_pairs_free(p);

    const char arrays[] = "[\"a\", \"b\", \"c\", \"d\"]\n[\"e\", \"f\", \"g\", \"h\"]\n";
    put("a.jsonl", arrays, sizeof arrays - 1);
    p = loaded("a.jsonl");
    assert_int_equal(se_pairs_columns(p), 4);
    assert_string_equal(se_pairs_column_name(p, 0), "context");
    assert_string_equal(se_pairs_column_name(p, 2), "negative");
    assert_string_equal(se_pairs_column_name(p, 3), "negative_2");
    text_is(p, 3, 1, "h");
    se_pairs_free(p);

    put("n.jsonl", "{\"q\": \"x\", \"a\": \"y\"}\n", 21);
    const char *const columns[] = {"a", "q"}, *file = at("n.jsonl");
    ok(load(1, &file, 2, columns, &p));
    text_is(p, 0, 0, "y");
    se_pairs_free(p);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } bad[] = {
        {"{\"context\": \"a\" \"response\"}", "m.jsonl:3: not JSON: column 26: "},
        {"\"text\"", "m.jsonl:3: a string, expected an object or an array of texts"},
        {"{\"context\": \"a\", \"reply\": \"b\"}",
         "m.jsonl:3: no \"response\": the keys are \"context\", \"reply\""},
        {"{}", "m.jsonl:3: no \"context\": the keys are none"},
        {"{\"context\": 7, \"response\": \"b\"}",
         "m.jsonl:3: \"context\" is a number, expected a string"},
        {"[\"a\", null]", "m.jsonl:3: \"response\" is null, expected a string"},
        {"[\"a\"]", "m.jsonl:3: an array of 1, expected 2 texts (\"context\", \"response\")"},
        {"[\"a\", \"caf\xe9\"]", "m.jsonl:3: not UTF-8: column "},
        {"{\"context\": \"a\", \"context\": \"b\"}", "m.jsonl:3: not JSON: column "},
        {"[\"a\", \"b\"", "m.jsonl:3: not JSON: column "},
    };
    char text[512];
    se_pairs *p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int n = snprintf(text, sizeof text, "[\"x\", \"y\"]\n\n%s\n[\"x\", \"y\"]\n", bad[i].line);
        put("m.jsonl", text, (size_t)n);
        const char *file = at("m.jsonl");
        assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_FORMAT);
        message_is(bad[i].message);
    }
    put("m.jsonl", "[\"a\"]", 5);
    const char *file = at("m.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_FORMAT);
    message_is("m.jsonl:1: an array of 1, expected 2 texts");
    put("m.jsonl", "", 0);
    assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_FORMAT);
    message_is("m.jsonl: no pairs: the file is empty, expected");
    put("m.jsonl", "\n \n", 3);
    assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_FORMAT);
    message_is("m.jsonl: no pairs: blank lines only");
    file = at("missing.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_IO);
    message_is("missing.jsonl: cannot read: No such file or directory");
    const char *const twice[] = {"a", "a"};
    assert_int_equal(load(1, &file, 2, twice, &p), SE_ERR_ARG);
}

static void test_interrupt(void **state)
{
    (void)state;
    put("i.jsonl", "[\"a\", \"b\"]\n[\"c\", \"d\"]\n", 22);
    const char *file = at("i.jsonl");
    se_pairs *p;
    bool done;
    ok(se_pairs_open(1, &file, 0, NULL, &p));
    se_interrupt_set();
    assert_int_equal(se_pairs_step(p, 10, &done), SE_ERR_INTERRUPTED);
    se_interrupt_clear();
    ok(se_pairs_step(p, 10, &done));
    assert_true(done);
    assert_int_equal(se_pairs_count(p), 2);
    se_pairs_free(p);
}

static void test_memory_limit(void **state)
{
    (void)state;
    se_pairs *p;
    char *text = malloc(20000);
    size_t n = 0;
    for (int i = 0; i < 500; i++)
        n += (size_t)sprintf(text + n, "[\"context %d\", \"response %d\"]\n", i, i);
    put("many.jsonl", text, n);
    free(text);
    se_pairs_free(loaded("many.jsonl"));
    assert_int_equal(se_memory_live(), 0);
    se_memory_limit(8 << 10);
    const char *file = at("many.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, &p), SE_ERR_MEMORY);
    message_is("out of memory");
    se_memory_limit(0);
    assert_int_equal(se_memory_live(), 0);
}

static int start(void **state)
{
    (void)state;
    return mkdtemp(home) ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_broken_gz), cmocka_unit_test(test_hash),
        cmocka_unit_test(test_formats),   cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_interrupt), cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
