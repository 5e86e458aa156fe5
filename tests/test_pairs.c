/* Lines, and pairs as texts. */
#define _GNU_SOURCE
#include "data/hash.h"
#include "data/lines.h"
#include "data/pairs.h"
#include "data/source.h"
#include "folder_help.h"

#include <zlib.h>
#include <zstd.h>

static void put_gz(const char *name, const char *text, size_t bytes)
{
    gzFile f = gzopen(at(name), "ab");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)bytes), (int)bytes);
    assert_int_equal(gzclose(f), Z_OK);
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

/* The texts of all pairs: columns with '|' between, pairs with '/'. */
static void pairs_are(const char *name, int32_t n_columns, const char *const *columns,
                      const char *want)
{
    char got[1024];
    size_t n = 0, bytes;
    se_pairs *p;
    const char *file = at(name);
    ok(load(1, &file, n_columns, columns, &p));
    for (int64_t i = 0; i < se_pairs_count(p); i++)
        for (int32_t c = 0; c < se_pairs_columns(p); c++) {
            const char *text = se_pairs_text(p, c, i, &bytes);
            assert_true(n + bytes + 2 < sizeof got);
            memcpy(got + n, text, bytes);
            n += bytes;
            got[n++] = c + 1 < se_pairs_columns(p) ? '|' : '/';
        }
    got[n] = 0;
    assert_string_equal(got, want);
    se_pairs_free(p);
}

static void refuses(const char *name, const char *text, int32_t n_columns,
                    const char *const *columns, const char *message)
{
    se_pairs *p;
    const char *file = at(name);
    put_text(name, text);
    assert_int_equal(load(1, &file, n_columns, columns, &p), SE_ERR_FORMAT);
    message_is(message);
}

static void columns_are(const char *name, const char *want)
{
    char got[256] = "";
    se_pairs *p = loaded(name);
    for (int32_t c = 0; c < se_pairs_columns(p); c++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s ", se_pairs_column_name(p, c));
    assert_string_equal(got, want);
    se_pairs_free(p);
}

static void test_forms_of_objects(void **state)
{
    (void)state;
    static const char *const asked[] = {"positive", "query"}, *const two[] = {"a", "b"};
    put_text("f.jsonl", "{\"texts\": [\"a\", \"b\", \"n\"]}\n[\"c\", \"d\", \"o\"]\n");
    pairs_are("f.jsonl", 0, NULL, "a|b|n/c|d|o/");
    columns_are("f.jsonl", "context response negative ");
    put_text("f.jsonl", "\xEF\xBB\xBF{\"set\": [\"a\", \"b\"]}\r\n{\"set\": [\"c\", \"\"]}\r\n");
    pairs_are("f.jsonl", 0, NULL, "a|b/c|/");
    columns_are("f.jsonl", "context response ");
    pairs_are("f.jsonl", 2, two, "a|b/c|/");
    put_text("f.jsonl", "{\"query\": \"q\", \"pos\": [\"p\"], \"neg\": [\"n\"]}\n"
                        "{\"neg\": \"o\", \"pos\": \"r\", \"query\": \"s\"}\n"
                        "{\"query\": \"t\", \"positive\": \"u\", \"negative\": \"v\"}\n");
    pairs_are("f.jsonl", 0, NULL, "q|p|n/s|r|o/t|u|v/");
    columns_are("f.jsonl", "query positive negative ");
    pairs_are("f.jsonl", 2, asked, "p|q/r|s/u|t/");
    static const char *const joined[] = {"c+c/0+c/1", "r"};
    put_text("f.jsonl", "{\"c\": \"1\", \"r\": \"2\"}\n"
                        "{\"c/1\": \"5\", \"c/0\": \"4\", \"c\": \"3\", \"r\": \"\"}\n");
    pairs_are("f.jsonl", 2, joined, "1|2/3 4 5|/");
    refuses("f.jsonl", "{\"c/0\": \"1\", \"r\": \"2\"}\n", 2, joined, "f.jsonl:1: no \"c\"");
    refuses("f.jsonl", "{\"c\": \"1\", \"c/1\": 2, \"r\": \"2\"}\n", 2, joined,
            "f.jsonl:1: \"c/1\" is a number, expected a string");
    put_text("f.jsonl", "{\"query\": \"q\", \"pos\": \"p\", \"neg\": []}\n"
                        "{\"query\": \"r\", \"pos\": \"s\"}\n");
    pairs_are("f.jsonl", 0, NULL, "q|p/r|s/");
    put_text("f.jsonl", "{\"query\": \"q\", \"pos\": \"p\", \"neg\": [\"1\", \"2\"]}\n");
    pairs_are("f.jsonl", 0, NULL, "q|p|1/");
    columns_are("f.jsonl", "query positive negative ");
    static const char *const four[] = {"query", "positive", "negative", "negative_2"};
    pairs_are("f.jsonl", 4, four, "q|p|1|2/");
    put_text("f.jsonl", "{\"set\": [\"a\", \"b\", \"c\"]}\n[\"d\", \"e\"]\n");
    pairs_are("f.jsonl", 0, NULL, "a|b/d|e/");
}

static void test_malformed_forms(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *message;
    } bad[] = {
        {"{\"texts\": [\"a\", \"b\"]}", "{\"texts\": [\"a\", \"b\", \"c\"]}",
         "m.jsonl:2: \"texts\" is an array of 3, expected 2 texts (\"context\", \"response\")"},
        {"{\"texts\": [\"a\"]}", "", "m.jsonl:1: \"texts\" is an array of 1, expected 2 texts"},
        {"{\"texts\": \"a\"}", "", "m.jsonl:1: \"texts\" is a string, expected an array of texts"},
        {"{\"texts\": [\"a\", 1]}", "", "m.jsonl:1: \"response\" is a number, expected a string"},
        {"{\"set\": [\"a\"]}", "", "m.jsonl:1: \"set\" is an array of 1, expected 2 texts"},
        {"{\"set\": [\"a\", \"b\"]}", "{\"set\": [\"a\"]}",
         "m.jsonl:2: \"set\" is an array of 1, expected 2 texts or more (\"context\", "
         "\"response\")"},
        {"[\"a\", \"b\"]", "{\"set\": [\"a\", \"b\", \"c\"]}",
         "m.jsonl:2: \"set\" is an array of 3, expected 2 texts (\"context\", \"response\")"},
        {"{\"set\": [\"a\", \"b\", null]}", "",
         "m.jsonl:1: \"context\" is null, expected a string"},
        {"{\"set\": {\"a\": 1}}", "", "m.jsonl:1: \"set\" is an object, expected an array"},
        {"{\"query\": \"q\", \"pos\": \"p\"}", "{\"query\": \"q\", \"pos\": [\"a\", \"b\"]}",
         "m.jsonl:2: \"pos\" has 2 texts, expected 1, as the first record has no lists"},
        {"{\"query\": \"q\", \"pos\": []}", "",
         "m.jsonl:1: \"pos\" has 0 texts, expected 1 or more"},
        {"{\"query\": \"q\", \"pos\": [7]}", "",
         "m.jsonl:1: \"positive\" is a number, expected a string"},
        {"{\"query\": \"q\", \"pos\": \"p\", \"neg\": [\"n\"]}",
         "{\"query\": \"q\", \"pos\": \"p\", \"neg\": []}",
         "m.jsonl:2: \"neg\" has 0 texts, expected 1 or more"},
        {"{\"query\": \"q\", \"pos\": \"p\", \"neg\": [\"n\"]}",
         "{\"query\": \"q\", \"pos\": \"p\"}",
         "m.jsonl:2: no \"negative\": the keys are \"query\""},
        {"{\"query\": \"q\", \"pos\": \"p\"}", "{\"query\": \"q\", \"pos\": \"p\", \"neg\": \"n\"}",
         "m.jsonl:2: \"neg\" has 1 text, the first record has none"},
        {"{\"query\": \"q\", \"pos\": \"p\"}", "{\"context\": \"q\", \"response\": \"p\"}",
         "m.jsonl:2: no \"query\": the keys are \"context\", \"response\""},
        {"{\"query\": \"q\"}", "", "m.jsonl:1: no \"context\": the keys are \"query\""},
    };
    char text[512];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s\n%s\n", bad[i].first, bad[i].second);
        refuses("m.jsonl", text, 0, NULL, bad[i].message);
    }
}

static void test_tables(void **state)
{
    (void)state;
    static const char *const asked[] = {"b", "a"};
    put_text("t.tsv", "a\tb\r\n\r\n\"c\"\t\r\n\t\n");
    pairs_are("t.tsv", 0, NULL, "a|b/\"c\"|/|/");
    pairs_are("t.tsv", 2, asked, "|\"c\"/|/");
    put_text("t.tsv", "\xEF\xBB\xBFid\tresponse\tcontext\n1\tr\tc\n2\ts\td");
    pairs_are("t.tsv", 0, NULL, "c|r/d|s/");
    columns_are("t.tsv", "context response ");
    put_text("t.tab", "a\tb\t7\n");
    pairs_are("t.tab", 0, NULL, "a|b/");
    put_text("t.csv", "\xEF\xBB\xBF\"a\r\nx\",\"b,\"\"\"\r\n \nc,d\"\n,\"\"\r\n");
    pairs_are("t.csv", 0, NULL, "a\r\nx|b,\"/c|d\"/|/");
    put_text("t.CSV", "x,\"b\",a\n1,\"2\n\n3\",4\n");
    pairs_are("t.CSV", 2, asked, "2\n\n3|4/");
    put_gz("t.csv.gz", "a,b\n\"c\n\",d\n", 11);
    pairs_are("t.csv.gz", 0, NULL, "a|b/c\n|d/");
    char packed[256];
    put("t.tsv.zst", packed, ZSTD_compress(packed, sizeof packed, "a\tb\n\"\td\n", 8, 1));
    pairs_are("t.tsv.zst", 0, NULL, "a|b/\"|d/");
    /* one after another, a header in the second: the columns are those of JSON's first line */
    put_text("q.jsonl", "{\"query\": \"q\", \"pos\": \"p\"}");
    const char *const files[] = {at("q.jsonl"), at("t.tab")};
    se_pairs *p;
    ok(load(2, files, 0, NULL, &p));
    text_is(p, 1, 1, "b");
    se_pairs_free(p);
}

static void test_malformed_tables(void **state)
{
    (void)state;
    static const char *const asked[] = {"a", "d"};
    refuses("m.tsv", "", 0, NULL, "m.tsv: no pairs: the file is empty, expected texts");
    refuses("m.tsv", "\n \n", 0, NULL, "m.tsv: no pairs: blank lines only");
    refuses("m.csv", "context,response\n\n", 0, NULL, "m.csv: no pairs: a header line only");
    refuses("m.tsv", "\na\n", 0, NULL, "m.tsv:2: one column, expected two with a tab between");
    refuses("m.csv", "a\tb\n", 0, NULL, "m.csv:1: one column, expected two with a comma");
    refuses("m.tsv", "a\tb\n\na\tb\tc\n", 0, NULL,
            "m.tsv:3: 3 columns, expected 2 as in the file's first line");
    refuses("m.csv", "a,b\n\"x\ny\",b\na\n", 0, NULL, "m.csv:4: 1 column, expected 2");
    refuses("m.csv", "a,b\n\"x\ny,b\na,c\n", 0, NULL, "m.csv:2: a quote is never closed");
    refuses("m.tsv", "a\tb\nc\td\n", 2, asked,
            "m.tsv:1: no column \"d\" in the header line: its columns are \"a\", \"b\"");
    refuses("m.tsv", "a\td\ta\n", 2, asked,
            "m.tsv:1: 2 columns \"a\" in the header line: \"a\", \"d\", \"a\"");
    refuses("m.csv", "a,b\nc,\xC3\xA9\nc,\"d\xE9\"\n", 0, NULL,
            "m.csv:3: \"response\" is not UTF-8: byte 0xE9 at offset 1 of the text");
    put_text("3.jsonl", "[\"a\", \"b\", \"c\"]\n");
    put_text("m.tsv", "a\tb\n");
    const char *const files[] = {at("3.jsonl"), at("m.tsv")};
    se_pairs *p;
    assert_int_equal(load(2, files, 0, NULL, &p), SE_ERR_FORMAT);
    message_is("m.tsv:1: two texts, expected 3 (\"context\", \"response\", \"negative\")");
}

static void put_sides(const char *left, const char *right)
{
    put_text("left.txt", left);
    put_text("right.txt", right);
}

static se_status load_sides(se_pairs **out)
{
    char both[512];
    const char *file = both;
    snprintf(both, sizeof both, "%s+%s", at("left.txt"), at("right.txt"));
    return load(1, &file, 0, NULL, out);
}

static void test_sides(void **state)
{
    (void)state;
    se_pairs *p;
    put_sides("\xEF\xBB\xBF[\"a\"\r\n\nc", "\xEF\xBB\xBF x\ny\tz\n\n");
    ok(load_sides(&p));
    assert_int_equal(se_pairs_count(p), 3);
    assert_true(se_pairs_progress(p) == 1);
    static const char *const want[] = {"[\"a\"", " x", "", "y\tz", "c", ""};
    for (int i = 0; i < 6; i++)
        text_is(p, i % 2, i / 2, want[i]);
    se_pairs_free(p);
    put_sides("a\nb\nc\n", "x\n");
    assert_int_equal(load_sides(&p), SE_ERR_FORMAT);
    message_is("left.txt has 3 lines and ");
    message_is("right.txt 1: as many are wanted");
    put_sides("a\n", "x\ny");
    assert_int_equal(load_sides(&p), SE_ERR_FORMAT);
    message_is("left.txt has 1 lines and ");
    message_is("right.txt 2: as many are wanted");
    put_sides("", "");
    assert_int_equal(load_sides(&p), SE_ERR_FORMAT);
    message_is("right.txt: no pairs: the file is empty");
    put_sides("a\nb\n", "c\n\x80\n");
    assert_int_equal(load_sides(&p), SE_ERR_FORMAT);
    message_is("right.txt:2: \"response\" is not UTF-8: byte 0x80 at offset 0");
    ok(se_file_remove(at("right.txt")));
    assert_int_equal(load_sides(&p), SE_ERR_IO);
    message_is("right.txt: cannot read: No such file");
    put_text("a+b.jsonl", "[\"a\", \"b\"]"); /* a + in a name is no more than that */
    pairs_are("a+b.jsonl", 0, NULL, "a|b/");
    const char *gone = at("c+d.jsonl");
    assert_int_equal(load(1, &gone, 0, NULL, &p), SE_ERR_IO);
    message_is("c+d.jsonl: cannot read: No such file");
}

/* A text on each line, by the name .txt. */
static void test_plain(void **state)
{
    (void)state;
    static const char *const named[] = {"question"}, *const two[] = {"a", "b"};
    put_text("t.txt", "\xEF\xBB\xBF[\"a\", \"b\"]\r\n\n x\ty, z\n \t\nlast");
    pairs_are("t.txt", 0, NULL, "[\"a\", \"b\"]/ x\ty, z/last/");
    pairs_are("t.txt", 1, named, "[\"a\", \"b\"]/ x\ty, z/last/");
    columns_are("t.txt", "text ");
    put_gz("t.TXT.gz", "a\nb", 3);
    pairs_are("t.TXT.gz", 0, NULL, "a/b/");
    refuses("t.txt", "a\n", 2, two,
            "t.txt:1: a line of plain text is one, expected 2 (\"a\", \"b\")");
    refuses("t.txt", "", 0, NULL,
            "t.txt: no pairs: the file is empty, expected a text on each line");
    refuses("t.txt", "a\n\n\x80\n", 0, NULL,
            "t.txt:3: \"text\" is not UTF-8: byte 0x80 at offset 0");
}

/* Stopped while it counts the lines of the longer side, it does not take them for equal. */
static void test_interrupted_sides(void **state)
{
    (void)state;
    char both[512];
    const char *file = both, *text;
    size_t bytes;
    se_source *s;
    put_sides("a\n", "x\ny\nz\n");
    snprintf(both, sizeof both, "%s+%s", at("left.txt"), at("right.txt"));
    ok(se_source_open(1, &file, 0, NULL, &s));
    ok(se_source_next(s, &text, &bytes));
    se_interrupt_set();
    assert_int_equal(se_source_next(s, &text, &bytes), SE_ERR_INTERRUPTED);
    se_interrupt_clear();
    assert_int_equal(se_source_next(s, &text, &bytes), SE_ERR_FORMAT);
    message_is("right.txt 3: as many are wanted");
    se_source_free(s);
}

/* From the place behind every record: the rest is what it was, in files of all forms. */
static void test_places(void **state)
{
    (void)state;
    char both[512], name[3][256];
    put_text("p.jsonl", "\n[\"1\", \"2\"]\n \n[\"3\", \"4\"]\n");
    put_text("p.csv", "response,context\n\"5\n\n5\",6\n\n7,\"8\n\"\n");
    put_gz("p.tsv.gz", "9\t10\n\n11\t12\n", 12);
    put_text("p.txt", "\n13\n14\n");
    put_gz("p.txt.gz", "15\n\n16\n", 7);
    snprintf(both, sizeof both, "%s+%s", at("p.txt"), at("p.txt.gz"));
    for (int i = 0; i < 3; i++)
        snprintf(name[i], sizeof name[i], "%s", at(i ? i > 1 ? "p.tsv.gz" : "p.csv" : "p.jsonl"));
    const char *const files[] = {name[0], name[1], name[2], both};
    enum { RECORDS = 9 };
    se_source *s, *again;
    se_source_place place[RECORDS];
    char text[RECORDS][64];
    int64_t line[RECORDS];
    const char *record;
    size_t bytes;
    ok(se_source_open(4, files, 0, NULL, &s));
    for (int i = 0; i < RECORDS; i++) {
        ok(se_source_next(s, &record, &bytes));
        assert_non_null(record);
        snprintf(text[i], sizeof text[i], "%.*s", (int)bytes, record);
        line[i] = se_source_line(s);
        se_source_tell(s, &place[i]);
    }
    ok(se_source_next(s, &record, &bytes));
    assert_null(record);
    se_source_free(s);
    for (int stop = 0; stop < RECORDS; stop++) {
        ok(se_source_open(4, files, 0, NULL, &again));
        ok(se_source_go(again, &place[stop]));
        for (int i = stop + 1; i < RECORDS; i++) {
            se_record r;
            ok(se_source_next(again, &record, &bytes));
            assert_non_null(record);
            assert_int_equal(bytes, strlen(text[i]));
            assert_memory_equal(record, text[i], bytes);
            assert_int_equal(se_source_line(again), line[i]);
            ok(se_source_parse(again, record, bytes, se_source_file(again), line[i], &r));
            se_record_free(&r);
        }
        ok(se_source_next(again, &record, &bytes));
        assert_null(record);
        se_source_free(again);
    }
    /* and from any of them to any later one, but not back */
    for (int from = 0; from < RECORDS - 1; from++)
        for (int to = from; to < RECORDS - 1; to++) {
            ok(se_source_open(4, files, 0, NULL, &again));
            for (int i = 0; i <= from; i++)
                ok(se_source_next(again, &record, &bytes));
            ok(se_source_go(again, &place[to]));
            ok(se_source_next(again, &record, &bytes));
            assert_int_equal(bytes, strlen(text[to + 1]));
            assert_memory_equal(record, text[to + 1], bytes);
            assert_int_equal(se_source_line(again), line[to + 1]);
            assert_int_equal(se_source_go(again, &place[to]), SE_ERR_ARG);
            message_is("cannot go back");
            se_source_free(again);
        }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_broken_gz),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_forms_of_objects),
        cmocka_unit_test(test_malformed_forms),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_malformed_tables),
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_interrupted_sides),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
