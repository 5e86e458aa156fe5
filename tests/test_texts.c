/* Texts out of lines, JSON lines, tsv and csv; zstd; going on in the middle. */
#define _GNU_SOURCE
#include "data/lines.h"
#include "data/texts.h"
#include "folder_help.h"

#include <zstd.h>

/* The text as zstd frames of `frame` bytes each; *bytes becomes the packed size. */
static char *packed(const char *text, size_t n, size_t frame, size_t *bytes)
{
    size_t room = 0, used = 0;
    for (size_t i = 0; i < n; i += frame)
        room += ZSTD_compressBound(frame) + 64;
    char *data = malloc(room + 1);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_true(data && zstd);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    for (size_t i = 0; i < n; i += frame) {
        size_t left = n - i < frame ? n - i : frame;
        used += ZSTD_compress2(zstd, data + used, room - used, text + i, left);
    }
    ZSTD_freeCCtx(zstd);
    *bytes = used;
    return data;
}

static void put_zst(const char *name, const char *text, size_t frame)
{
    size_t bytes;
    char *data = packed(text, strlen(text), frame, &bytes);
    ok(se_file_write(at(name), data, bytes));
    free(data);
}

/* All texts as "line:text|"; the status of the end. */
static se_status join(const char *path, const char *format, const char *field, bool header,
                      char *out, size_t room)
{
    se_texts *t;
    const char *text;
    size_t bytes, used = 0;
    out[0] = 0;
    se_status s = se_texts_open(1, &path, format, field, header, &t);
    if (s != SE_OK)
        return s;
    while ((s = se_texts_next(t, &text, &bytes)) == SE_OK && text)
        used += (size_t)snprintf(out + used, room - used, "%d:%.*s|", (int)se_texts_line(t),
                                 (int)bytes, text);
    if (s == SE_OK)
        assert_int_equal(se_texts_read(t), se_texts_size(t));
    se_texts_close(t);
    return s;
}

static void gives(const char *name, const char *text, const char *field, const char *want)
{
    char got[4096];
    put_text(name, text);
    ok(join(at(name), "", field, false, got, sizeof got));
    assert_string_equal(got, want);
}

static void refuses(const char *name, const char *text, const char *field, const char *want)
{
    char got[4096];
    put_text(name, text);
    assert_int_equal(join(at(name), "", field, false, got, sizeof got), SE_ERR_FORMAT);
    message_is(want);
}

static void test_lines(void **state)
{
    (void)state;
    gives("a.txt", "one\n\nthree", "text", "1:one|2:|3:three|");
    gives("b.txt", "", "text", "");
    gives("c.txt", "\xEF\xBB\xBF{\"a\"\r\nb\n", "text", "1:{\"a\"|2:b|");
    gives("plain", "[1]\n", "text", "1:[1]|");                        /* by its first byte */
    gives("object", "{\"text\": \"x\"}\n", "text", "1:x|");           /* the same */
    gives("mark", "\xEF\xBB\xBF{\"text\": \"x\"}\n", "text", "1:x|"); /* behind a mark, too */
    refuses("d.txt", "fine\nba\xC0\xAF\n", "", "d.txt:2: not UTF-8: byte 0xC0 at offset 2");
    refuses("e.txt", "12345678\xED\xA0\x80\n", "", "e.txt:1: not UTF-8: byte 0xED at offset 8");
    refuses("f.txt", "cut \xE2\x82", "", "f.txt:1: not UTF-8: byte 0xE2 at offset 4");
    gives("g.txt", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF", "",
          "1:\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF|");
}

static void test_json(void **state)
{
    (void)state;
    gives("a.jsonl", "{\"text\": \"x\", \"n\": 1}\n\n {\"text\": \"\\u00e9\\n\"}\n", "text",
          "1:x|3:\xC3\xA9\n|");
    gives("b.JSONL", "{\"a\": {\"b\": [\"x\", \"y\"]}}\n", "a.b.1", "1:y|");
    gives("c.ndjson", "{\"a.b\": \"x\", \"a\": {\"b\": \"y\"}}\n", "a.b", "1:x|");
    gives("d.jsonl", "[\"x\", \"y\"]\n", "0", "1:x|");
    gives("e.jsonl", "\"x\"\n", "", "1:x|");
    refuses("f.jsonl", "{\"body\": \"x\"}\n", "text",
            "f.jsonl:1: no \"text\": the keys are \"body\"");
    refuses("g.jsonl", "{\"text\": \"x\"}\n{\"text\": null}\n", "text",
            "g.jsonl:2: \"text\" is null, expected a string");
    refuses("h.jsonl", "{\"text\": \"\\ud800\"}\n", "text", "h.jsonl:1: not JSON");
    refuses("i.jsonl", "{\"text\": \"\xFF\"}\n", "text", "i.jsonl:1: not UTF-8");
    refuses("j.jsonl", "{\"text\": \"x\"\n", "text", "j.jsonl:1: not JSON");
    refuses("k.jsonl", "{\"a\": [\"x\"]}\n", "a.1", "k.jsonl:1: no \"a.1\" in an array");
    refuses("l.jsonl", "{\"a\": {\"c\": 1}}\n", "a.b", "no \"b\": the keys are \"c\"");
    refuses("m.jsonl", "3\n", "a", "no \"a\" in a number");
}

static void test_columns(void **state)
{
    char got[256];
    (void)state;
    gives("a.tsv", "x\t\"y\nz\tw\"\n", "2", "1:\"y|2:w\"|");
    gives("b.tsv", "id\ttext\n1\tx\n\n2\t\n", "text", "2:x|4:|");
    gives("a.csv", "id,text\r\n1,\"x, \"\"y\"\"\r\nz\"\r\n2,w\r\n", "text", "2:x, \"y\"\r\nz|4:w|");
    gives("b.csv", "a,5\"x,\"q\"z\n", "2", "1:5\"x|");
    gives("c.csv", "a,5\"x,\"q\"z\n", "3", "1:qz|");
    gives("d.csv", "\xEF\xBB\xBF\"te\nxt\",b\n1,2\n", "te\nxt", "3:1|");
    put_text("e.csv", "a,b\nc,d\n");
    ok(join(at("e.csv"), "", "1", true, got, sizeof got));
    assert_string_equal(got, "2:c|");
    refuses("f.csv", "a,b\n", "3", "f.csv:1: no column 3: the line has 2");
    refuses("g.csv", "a,b\n1\n", "b", "g.csv:2: no column 2: the line has 1");
    refuses("h.csv", "a,b\n", "0", "columns count from 1");
    refuses("i.csv", "id,body\n1,x\n", "text", "i.csv:1: no column \"text\" in the header line");
    refuses("j.csv", "a\n1\n\"2\n3\n", "a", "j.csv:3: a quote is never closed");
}

static void test_zstd(void **state)
{
    char got[4096], want[4096] = "";
    size_t bytes;
    (void)state;
    char text[1024] = "", part[64];
    for (int i = 1; i <= 40; i++) {
        snprintf(part, sizeof part, "line %d\n", i);
        strcat(text, part);
        snprintf(part, sizeof part, "%d:line %d|", i, i);
        strcat(want, part);
    }
    put_zst("a.txt.zst", text, 1 << 20);
    ok(join(at("a.txt.zst"), "", "", false, got, sizeof got));
    assert_string_equal(got, want);
    put_zst("b.txt.zst", text, 7); /* many frames */
    ok(join(at("b.txt.zst"), "", "", false, got, sizeof got));
    assert_string_equal(got, want);

    char *data = packed(text, strlen(text), 100, &bytes);
    for (size_t n = 4; n < bytes; n++) { /* cut anywhere: an error, or the end of a frame */
        ok(se_file_write(at("cut.zst"), data, n));
        se_status s = join(at("cut.zst"), "lines", "", false, got, sizeof got);
        if (s == SE_OK)
            assert_true(strlen(got) < strlen(want));
        else
            message_is("cut.zst: offset ");
    }
    ok(se_file_write(at("cut.zst"), data, bytes - 1));
    assert_int_equal(join(at("cut.zst"), "lines", "", false, got, sizeof got), SE_ERR_FORMAT);
    message_is("the zstd data ends early");
    memset(data + bytes - 8, 0xFF, 8);
    ok(se_file_write(at("bad.zst"), data, bytes));
    assert_int_equal(join(at("bad.zst"), "lines", "", false, got, sizeof got), SE_ERR_FORMAT);
    message_is("the zstd data is damaged");
    free(data);
}

/* A line longer than every buffer, packed or not. */
static void test_long_line(void **state)
{
    enum { N = 3 << 20 };
    const char *path, *text;
    size_t bytes;
    se_lines *l;
    (void)state;
    char *line = malloc(N + 3);
    assert_non_null(line);
    for (size_t i = 0; i < N; i++)
        line[i] = (char)('a' + (i * 7919) % 26);
    memcpy(line + N, "\nz", 3);
    put_zst("long.zst", line, 1 << 19);
    put_text("long", line);
    for (int k = 0; k < 2; k++) {
        path = at(k ? "long.zst" : "long");
        ok(se_lines_open(path, &l));
        ok(se_lines_next(l, &text, &bytes));
        assert_int_equal(bytes, N);
        assert_memory_equal(text, line, N);
        ok(se_lines_next(l, &text, &bytes));
        assert_int_equal(bytes, 1);
        ok(se_lines_next(l, &text, &bytes));
        assert_null(text);
        se_lines_close(l);
    }
    free(line);
}

/* From every place of two files on, the rest is as if all had been read. */
static void test_places(void **state)
{
    const char *text;
    size_t bytes;
    (void)state;
    put_text("one.csv", "\xEF\xBB\xBF"
                        "id,text\n1,\"a\nb\"\n2,c\n3,d\n");
    put_zst("two.csv.zst", "text,id\nx,1\n\ny,2\n", 5);
    put_text("three.csv", "n,text\n1,z\n");
    char a[256], b[256], c[256];
    snprintf(a, sizeof a, "%s", at("one.csv"));
    snprintf(b, sizeof b, "%s", at("two.csv.zst"));
    snprintf(c, sizeof c, "%s", at("three.csv"));
    const char *files[] = {a, b, c}, *want[] = {"a\nb", "c", "d", "x", "y", "z"};
    for (int skip = 0; skip <= 6; skip++) {
        se_texts *t;
        se_texts_place place;
        ok(se_texts_open(3, files, "", "text", false, &t));
        for (int i = 0; i < skip; i++)
            ok(se_texts_next(t, &text, &bytes));
        se_texts_tell(t, &place);
        se_texts_close(t);
        ok(se_texts_open(3, files, "", "text", false, &t));
        ok(se_texts_go(t, &place));
        for (int i = skip; i < 6; i++) {
            ok(se_texts_next(t, &text, &bytes));
            assert_non_null(text);
            assert_int_equal(bytes, strlen(want[i]));
            assert_memory_equal(text, want[i], bytes);
        }
        ok(se_texts_next(t, &text, &bytes));
        assert_null(text);
        assert_int_equal(se_texts_read(t), se_texts_size(t));
        se_texts_close(t);
    }
    se_texts *t;
    se_texts_place beyond = {1, 9, 99};
    ok(se_texts_open(3, files, "", "text", false, &t));
    assert_int_equal(se_texts_go(t, &beyond), SE_ERR_FORMAT);
    message_is("two.csv.zst: cannot go on behind line 9: it has 4");
    se_texts_close(t);
}

static void test_open(void **state)
{
    char got[64];
    se_texts *t;
    (void)state;
    put_text("there", "x\n");
    char there[256];
    snprintf(there, sizeof there, "%s", at("there"));
    const char *files[] = {there, at("absent")};
    assert_int_equal(se_texts_open(2, files, "", "", false, &t), SE_ERR_IO); /* at once */
    message_is("absent: cannot read: No such file");
    assert_int_equal(join(home, "", "", false, got, sizeof got), SE_ERR_IO);
    message_is("Is a directory");
    assert_int_equal(join(there, "xml", "", false, got, sizeof got), SE_ERR_ARG);
    message_is("no format \"xml\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_json),
        cmocka_unit_test(test_columns),   cmocka_unit_test(test_zstd),
        cmocka_unit_test(test_long_line), cmocka_unit_test(test_places),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
