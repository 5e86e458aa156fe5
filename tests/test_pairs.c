/* Lines, pairs, packing, and the order in which pairs are drawn. */
#define _GNU_SOURCE
#include "data/hash.h"
#include "data/lines.h"
#include "data/order.h"
#include "data/pack.h"
#include "data/pairs.h"
#include "data/permute.h"
#include "io/files.h"
#include "io/json.h"

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

static se_tokenizer *tokenizer;

static se_status load(int32_t n, const char *const *files, int32_t n_columns,
                      const char *const *columns, int32_t max_tokens, se_pairs **out)
{
    bool done = false;
    se_status s = se_pairs_open(n, files, n_columns, columns, tokenizer, max_tokens, out);
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
    ok(load(1, &file, 0, NULL, 16, &p));
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
    ok(load(2, files, 0, NULL, 16, &p));
    assert_int_equal(se_pairs_count(p), 3);
    assert_int_equal(se_pairs_columns(p), 2);
    assert_int_equal(se_pairs_column(p, "response"), 1);
    assert_int_equal(se_pairs_column(p, "none"), -1);
    assert_true(se_pairs_progress(p) == 1);
    text_is(p, 0, 0, "hello");
    text_is(p, 1, 0, "world \xc3\xa9");
    text_is(p, 0, 1, "a");
    text_is(p, 1, 1, "");
    text_is(p, 0, 2, "c");
    text_is(p, 1, 2, "r");
    assert_true(se_pairs_hash(p, 1, 2) == se_hash_text("r", 1, 0));
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
    ok(load(1, &file, 2, columns, 16, &p));
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
        assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_FORMAT);
        message_is(bad[i].message);
    }
    put("m.jsonl", "[\"a\"]", 5);
    const char *file = at("m.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_FORMAT);
    message_is("m.jsonl:1: an array of 1, expected 2 texts");
    put("m.jsonl", "", 0);
    assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_FORMAT);
    message_is("m.jsonl: no pairs: the file is empty, expected");
    put("m.jsonl", "\n \n", 3);
    assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_FORMAT);
    message_is("m.jsonl: no pairs: blank lines only");
    file = at("missing.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_IO);
    message_is("missing.jsonl: cannot read: No such file or directory");
    const char *const twice[] = {"a", "a"};
    assert_int_equal(load(1, &file, 2, twice, 16, &p), SE_ERR_ARG);
}

static void test_interrupt(void **state)
{
    (void)state;
    put("i.jsonl", "[\"a\", \"b\"]\n[\"c\", \"d\"]\n", 22);
    const char *file = at("i.jsonl");
    se_pairs *p;
    bool done;
    ok(se_pairs_open(1, &file, 0, NULL, tokenizer, 16, &p));
    se_interrupt_set();
    assert_int_equal(se_pairs_step(p, 10, &done), SE_ERR_INTERRUPTED);
    se_interrupt_clear();
    ok(se_pairs_step(p, 10, &done));
    assert_true(done);
    assert_int_equal(se_pairs_count(p), 2);
    se_pairs_free(p);
}

static void test_packing(void **state)
{
    (void)state;
    const char text[] = "[\"hello world\", \"hello\"]\n"
                        "[\"hello<pad>world\", \"world world world world\"]\n[\"\", \"x\"]\n";
    put("p.jsonl", text, sizeof text - 1);
    const char *file = at("p.jsonl");
    se_pairs *p;
    ok(load(1, &file, 0, NULL, 5, &p));
    int32_t hello = se_tokenizer_id(tokenizer, "hello"),
            world = se_tokenizer_id(tokenizer, "world");
    const int64_t which[] = {1, 0, 2};
    se_packed size;
    ok(se_pairs_pack(p, 0, 3, which, 1, &size, NULL, NULL, NULL));
    assert_int_equal(size.texts, 3);
    assert_int_equal(size.tokens, 5 + 4 + 2);
    assert_int_equal(size.longest, 5);
    assert_int_equal(size.truncated, 0);
    int32_t ids[11], starts[4], positions[11];
    ok(se_pairs_pack(p, 0, 3, which, 1, &size, ids, starts, positions));
    const int32_t want_ids[] = {0, hello, 1, world, 2, 0, hello, world, 2, 0, 2};
    const int32_t want_starts[] = {0, 5, 9, 11};
    const int32_t want_mpnet[] = {2, 3, 1, 4, 5, 2, 3, 4, 5, 2, 3};
    assert_memory_equal(ids, want_ids, sizeof ids);
    assert_memory_equal(starts, want_starts, sizeof starts);
    assert_memory_equal(positions, want_mpnet, sizeof positions);
    ok(se_pairs_pack(p, 0, 3, which, -1, &size, ids, starts, positions));
    const int32_t want_bert[] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1};
    assert_memory_equal(positions, want_bert, sizeof positions);
    ok(se_pairs_pack(p, 1, 3, which, 1, &size, NULL, NULL, NULL));
    assert_int_equal(size.truncated, 1);
    se_column_stats stats;
    ok(se_pairs_stats(p, 1, &stats));
    assert_int_equal(stats.truncated, 1);
    assert_int_equal(stats.cut, 1);
    assert_int_equal(stats.tokens, 3 + 5 + 3);
    assert_int_equal(stats.longest, 5);
    assert_int_equal(stats.bytes, 5 + 23 + 1);
    const int64_t outside = 3;
    assert_int_equal(se_pairs_pack(p, 0, 1, &outside, 1, &size, NULL, NULL, NULL), SE_ERR_ARG);
    message_is("text 3: expected 0 to 2");
    assert_int_equal(se_pairs_pack(p, 2, 1, which, 1, &size, NULL, NULL, NULL), SE_ERR_ARG);
    se_pairs_free(p);

    /* texts that were tokenised on the fly pack the same way */
    se_token_batch batch = {0};
    const char *const texts[] = {"hello world", "hello<pad>world", ""};
    const size_t bytes[] = {11, 15, 0};
    ok(se_tokenizer_encode_batch(tokenizer, texts, bytes, 3, 5, false, &batch));
    ok(se_pack_batch(&batch, 3, which, 1, &size, ids, starts, positions));
    assert_memory_equal(ids, want_ids, sizeof ids);
    assert_memory_equal(starts, want_starts, sizeof starts);
    assert_memory_equal(positions, want_mpnet, sizeof positions);
    se_token_batch_free(&batch);
}

/* --- order --- */

static void test_permute(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 5, 16, 17, 1000, 65537};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k], fixed = 0;
        for (uint64_t key = 0; key < 3; key++) {
            char *seen = calloc((size_t)n, 1);
            for (int64_t i = 0; i < n; i++) {
                int64_t j = se_permute(key, n, i);
                assert_true(j >= 0 && j < n && !seen[j]);
                seen[j] = 1;
                fixed += i == j;
            }
            free(seen);
        }
        if (n >= 1000) /* a random permutation has one fixed point on average */
            assert_true(fixed < 20);
    }
}

/* Where each element of a small set goes is about even over keys: chi-squared with 15 degrees of
 * freedom, 99.99 % below 44.3; the keys are fixed, so this never fails by chance. */
static void test_permute_is_even(void **state)
{
    (void)state;
    enum { N = 16, KEYS = 16000 };
    for (int64_t i = 0; i < N; i++) {
        double count[N] = {0}, chi = 0;
        for (uint64_t key = 0; key < KEYS; key++)
            count[se_permute(se_hash_mix(key), N, i)]++;
        for (int j = 0; j < N; j++)
            chi += (count[j] - KEYS / N) * (count[j] - KEYS / N) / (KEYS / N);
        if (chi >= 44.3)
            fail_msg("element %d: chi-squared %.1f", (int)i, chi);
    }
}

enum { PAIRS = 500, BATCH = 32, EPOCHS = 4, STEPS = PAIRS * EPOCHS / BATCH };

/* 500 pairs: every 50th context is "common", every 9th pair has one text of twenty as response,
 * every 50th has two equal texts. */
static se_pairs *planted(void)
{
    char *text = malloc(PAIRS * 80);
    size_t n = 0;
    for (int i = 0; i < PAIRS; i++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "context %d", i);
        snprintf(b, sizeof b, "response %d", i);
        if (i % 50 == 3)
            snprintf(a, sizeof a, "common");
        if (i % 9 == 4)
            snprintf(b, sizeof b, "context %d", (i * 7) % 20);
        if (i % 50 == 0)
            memcpy(b, a, sizeof b);
        n += (size_t)sprintf(text + n, "[\"%s\", \"%s\"]\n", a, b);
    }
    put("planted.jsonl", text, n);
    free(text);
    return loaded("planted.jsonl");
}

static void no_text_twice(const se_pairs *p, const int64_t *batch, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            for (int k = 0; k < 4; k++)
                assert_true(se_pairs_hash(p, k & 1, batch[i]) !=
                            se_pairs_hash(p, k >> 1, batch[j]));
}

static void run_order(const se_pairs *p, se_order *o, int64_t steps, int64_t *out)
{
    for (int64_t s = 0; s < steps; s++) {
        ok(se_order_next(o, BATCH, out + s * BATCH));
        no_text_twice(p, out + s * BATCH, BATCH);
        se_order_done(o);
    }
}

/* How often each pair is in the order's queue. */
static int64_t count_queue(const se_order *o, int64_t *times)
{
    char *text;
    se_json *v;
    ok(se_order_state(o, &text));
    ok(se_json_parse(text, strlen(text), "state", &v));
    const se_json *queue = se_json_get(v, "queue");
    int64_t n = se_json_size(queue);
    for (int64_t i = 0; i < n; i++)
        times[se_json_integer(se_json_at(queue, i))]++;
    se_json_free(v);
    se_io_free(text);
    return n;
}

/* Each pair is drawn exactly once an epoch: after any batch, those taken and those in the queue
 * together hold each pair once for every whole epoch, and `index` of them once more. */
static void test_every_pair_once(void **state)
{
    (void)state;
    se_pairs *p = planted();
    se_order *o;
    int64_t batch[BATCH], taken[PAIRS] = {0}, epoch, index, queued, pairs, carried = 0, emptied = 0;
    ok(se_order_new(p, 1, NULL, 0, &o));
    for (int64_t s = 0; s < STEPS; s++) {
        ok(se_order_next(o, BATCH, batch));
        no_text_twice(p, batch, BATCH);
        se_order_done(o);
        for (int i = 0; i < BATCH; i++)
            taken[batch[i]]++;
        se_order_where(o, &epoch, &index, &queued, &pairs);
        assert_int_equal(pairs, PAIRS);
        int64_t all[PAIRS], more = 0;
        memcpy(all, taken, sizeof all);
        assert_int_equal(count_queue(o, all), queued);
        for (int i = 0; i < PAIRS; i++) {
            assert_true(all[i] == epoch || all[i] == epoch + 1);
            more += all[i] == epoch + 1;
        }
        assert_int_equal(more, index);
        carried += queued;
        emptied += queued == 0;
    }
    assert_true(carried > 20);
    assert_true(emptied > 2);
    se_order_free(o);
    se_pairs_free(p);
}

static void test_seeds_and_epochs_differ(void **state)
{
    (void)state;
    se_pairs *p = planted();
    int64_t a[STEPS * BATCH], b[STEPS * BATCH];
    for (int64_t seed = 1; seed <= 2; seed++) {
        se_order *o;
        ok(se_order_new(p, seed, NULL, 0, &o));
        run_order(p, o, STEPS, seed == 1 ? a : b);
        se_order_free(o);
    }
    int same = 0, again = 0;
    for (int i = 0; i < PAIRS - 2 * BATCH; i++) {
        same += a[i] == b[i];
        again += a[i] == a[i + PAIRS];
    }
    assert_true(same < 10 && again < 10);
    se_pairs_free(p);
}

/* From every step: the state saved there goes on with the batches of the undisturbed run. A batch
 * whose step was not completed is drawn again. */
static void test_resume(void **state)
{
    (void)state;
    se_pairs *p = planted();
    se_order *o, *again;
    int64_t whole[STEPS * BATCH], rest[STEPS * BATCH];
    char *text;
    ok(se_order_new(p, 5, NULL, 0, &o));
    run_order(p, o, STEPS, whole);
    se_order_free(o);
    for (int64_t stop = 0; stop <= STEPS - 3; stop++) {
        ok(se_order_new(p, 5, NULL, 0, &o));
        run_order(p, o, stop, rest);
        if (stop % 2)
            ok(se_order_next(o, BATCH, rest)); /* begun, not completed */
        ok(se_order_state(o, &text));
        ok(se_order_new(p, 99, NULL, 0, &again));
        ok(se_order_restore(again, text, strlen(text)));
        se_io_free(text);
        run_order(p, again, STEPS - stop, rest);
        assert_memory_equal(rest, whole + stop * BATCH,
                            (size_t)((STEPS - stop) * BATCH) * sizeof *rest);
        se_order_free(o);
        se_order_free(again);
    }
    se_pairs_free(p);
}

static void test_bad_states(void **state)
{
    (void)state;
    se_pairs *p = planted();
    se_order *o, *other;
    char *text, changed[2048];
    int64_t batch[BATCH], subset[PAIRS - 1];
    ok(se_order_new(p, 5, NULL, 0, &o));
    ok(se_order_next(o, BATCH, batch));
    se_order_done(o);
    ok(se_order_state(o, &text));
    for (int i = 0; i < PAIRS - 1; i++)
        subset[i] = i;
    ok(se_order_new(p, 5, subset, PAIRS - 1, &other));
    assert_int_equal(se_order_restore(other, text, strlen(text)), SE_ERR_FORMAT);
    message_is("belongs to other data: 500 pairs");
    se_order_free(other);
    static const char *const bad[][2] = {{"\"epoch\":0", "\"epoch\":-1"},
                                         {"\"index\":", "\"index\":9"},
                                         {"\"queue\":[", "\"queue\":[500,"},
                                         {"\"seed\":5", "\"seed\":\"5\""},
                                         {"\"pairs\":500", "\"pears\":500"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *place = strstr(text, bad[i][0]);
        assert_non_null(place);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - text), text, bad[i][1],
                 place + strlen(bad[i][0]));
        if (strstr(changed, ",]"))
            *strstr(changed, ",]") = ' ';
        assert_int_equal(se_order_restore(o, changed, strlen(changed)), SE_ERR_FORMAT);
        message_is("order: the saved ");
    }
    assert_int_equal(se_order_restore(o, text, strlen(text) - 1), SE_ERR_FORMAT);
    ok(se_order_restore(o, text, strlen(text)));
    se_io_free(text);
    assert_int_equal(se_order_next(o, PAIRS + 1, batch), SE_ERR_ARG);
    assert_int_equal(se_order_next(o, 0, batch), SE_ERR_ARG);
    se_order_free(o);
    subset[0] = PAIRS;
    assert_int_equal(se_order_new(p, 5, subset, 1, &o), SE_ERR_ARG);
    assert_int_equal(se_order_new(p, 5, subset, 0, &o), SE_ERR_ARG);
    se_pairs_free(p);
}

/* Eight pairs with one context: no batch of three is to be had, and the order is as it was. */
static void test_impossible_batch(void **state)
{
    (void)state;
    char text[512];
    size_t n = 0;
    int64_t batch[4], epoch, index, queued, pairs;
    for (int i = 0; i < 9; i++)
        n += (size_t)sprintf(text + n, "[\"%s\", \"r%d\"]\n", i ? "same" : "other", i);
    put("same.jsonl", text, n);
    se_pairs *p = loaded("same.jsonl");
    se_order *o;
    ok(se_order_new(p, 1, NULL, 0, &o));
    assert_int_equal(se_order_next(o, 3, batch), SE_ERR_ARG);
    message_is("a batch of 3 pairs without equal texts is not to be had: 2 of the 9 pairs fit");
    se_order_where(o, &epoch, &index, &queued, &pairs);
    assert_true(epoch == 0 && index == 0 && queued == 0 && pairs == 9);
    ok(se_order_next(o, 2, batch));
    se_order_free(o);
    se_pairs_free(p);
}

static void test_split(void **state)
{
    (void)state;
    se_pairs *p = planted();
    int64_t held[PAIRS], rest[PAIRS], other[PAIRS];
    int64_t n = se_pairs_split(p, 0.2, 1, true, held, PAIRS);
    int64_t m = se_pairs_split(p, 0.2, 1, false, rest, PAIRS);
    assert_int_equal(n + m, PAIRS);
    assert_true(n > 60 && n < 140);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++)
            assert_true(se_pairs_hash(p, 0, held[i]) != se_pairs_hash(p, 0, rest[j]));
    assert_int_equal(se_pairs_split(p, 0.2, 1, true, NULL, 0), n);
    int64_t k = se_pairs_split(p, 0.2, 2, true, other, PAIRS), same = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            same += held[i] == other[j];
    assert_true(same < n / 2);
    assert_int_equal(se_pairs_split(p, 0, 1, true, NULL, 0), 0);
    assert_int_equal(se_pairs_split(p, 1, 1, true, NULL, 0), PAIRS);
    /* an order over a part draws that part alone, each pair once an epoch */
    se_order *o;
    int64_t batch[8], times[PAIRS] = {0}, part[40];
    for (int i = 0; i < 40; i++)
        part[i] = 2 * i + 1;
    ok(se_order_new(p, 1, part, 40, &o));
    for (int s = 0; s < 10; s++) {
        ok(se_order_next(o, 8, batch));
        for (int i = 0; i < 8; i++)
            times[batch[i]]++;
    }
    for (int i = 0; i < PAIRS; i++)
        assert_true(i < 80 && i % 2 ? times[i] >= 1 && times[i] <= 3 : times[i] == 0);
    se_order_free(o);
    se_pairs_free(p);
}

static void test_memory_limit(void **state)
{
    (void)state;
    se_pairs *p = planted();
    se_pairs_free(p);
    assert_int_equal(se_memory_live(), 0);
    se_memory_limit(64 << 10);
    const char *file = at("planted.jsonl");
    assert_int_equal(load(1, &file, 0, NULL, 16, &p), SE_ERR_MEMORY);
    message_is("out of memory");
    se_memory_limit(0);
    assert_int_equal(se_memory_live(), 0);
}

static int start(void **state)
{
    (void)state;
    static const char vocab[] = "<s>\n<pad>\n</s>\n<unk>\n[UNK]\nhello\nworld\ncontext\nresponse\n"
                                "common\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n##0\n##1\n##2\n##3\n##4\n##5"
                                "\n##6\n##7\n##8\n##9\n<mask>\n";
    if (!mkdtemp(home))
        return -1;
    put("vocab.txt", vocab, sizeof vocab - 1);
    ok(se_tokenizer_from_vocab(at("vocab.txt"), &tokenizer));
    return 0;
}

static int finish(void **state)
{
    (void)state;
    char command[64];
    se_tokenizer_free(tokenizer);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
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
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_permute),
        cmocka_unit_test(test_permute_is_even),
        cmocka_unit_test(test_every_pair_once),
        cmocka_unit_test(test_seeds_and_epochs_differ),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_impossible_batch),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
