/* The C API: model folders opened through libsembed.so, by one thread and by many. */
#define _GNU_SOURCE
#include "sembed.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER SE_TEST_DATA "/tiny-mpnet"
enum { DIMS = 64, TEXTS = 150 };

static char texts_memory[TEXTS][128];
static const char *texts[TEXTS];
static float wanted[TEXTS][DIMS]; /* each text alone, on one thread */
static se_model *model;

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

#define refused(status, call, part) refused_at(status, call, part, __LINE__)
static void refused_at(se_status status, se_status came, const char *part, int line)
{
    if (came != status)
        fail_msg("line %d: status %d came, %d is wanted: %s", line, (int)came, (int)status,
                 se_message());
    if (!strstr(se_message(), part))
        fail_msg("line %d: the message lacks \"%s\": %s", line, part, se_message());
}

static int setup(void **state)
{
    (void)state;
    static const char *const words[] = {"river", "the", "stone", "over", "a", "quick", "answer"};
    for (int i = 0; i < TEXTS; i++) {
        char *at = texts_memory[i];
        for (int w = 0; w <= i % 11; w++)
            at += sprintf(at, "%s ", words[(i * 5 + w * w) % 7]);
        sprintf(at, "%d", i);
        texts[i] = texts_memory[i];
    }
    ok(se_model_open(FOLDER, &model));
    for (int i = 0; i < TEXTS; i++)
        ok(se_model_encode(model, 1, &texts[i], NULL, NULL, wanted[i], NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    se_model_close(model);
    return 0;
}

static void facts(void **state)
{
    (void)state;
    assert_int_equal(se_model_dims(model), DIMS);
    assert_true(se_model_tokens(model) > 0);
    assert_int_equal(se_model_dims(NULL), 0);
    assert_int_equal(se_model_tokens(NULL), 0);
    se_model_close(NULL);
}

/* The vectors that PyTorch gave for this folder (tests/data/tiny-mpnet/README.md). */
static void reference(void **state)
{
    (void)state;
    char *line = NULL, text[1024];
    size_t room = 0;
    FILE *file = fopen(FOLDER "/vectors.jsonl", "r");
    assert_non_null(file);
    int n = 0;
    while (getline(&line, &room, file) > 0) {
        int end = 0;
        if (sscanf(line, "{\"text\": \"%1000[^\"\\]\", \"tokens\"%n", text, &end) != 1 || !end)
            continue; /* escapes in it: the Lua tests read those */
        const char *one = text;
        char *at = strstr(line, "\"vector\": [") + strlen("\"vector\": [");
        float out[DIMS];
        ok(se_model_encode(model, 1, &one, NULL, NULL, out, NULL));
        for (int i = 0; i < DIMS; i++, at++) {
            double value = strtod(at, &at);
            if (!(out[i] - value <= 5e-6 && value - out[i] <= 5e-6))
                fail_msg("\"%s\", number %d: %.9g came, %.9g is wanted", text, i, out[i], value);
        }
        n++;
    }
    free(line);
    fclose(file);
    assert_true(n >= 5);
}

/* A text's vector does not depend on its neighbours, nor on the batch. */
static void same_bits_in_a_batch(void **state)
{
    (void)state;
    static float out[TEXTS][DIMS];
    static const int64_t batches[] = {0, 7, 1000};
    for (int i = 0; i < 3; i++) {
        se_encode_options options = {.size = sizeof options, .batch = batches[i]};
        int64_t cut = -1;
        memset(out, 0, sizeof out);
        ok(se_model_encode(model, TEXTS, texts, NULL, &options, out[0], &cut));
        assert_int_equal(cut, 0);
        assert_memory_equal(out, wanted, sizeof out);
    }
}

static void sizes_and_zero_bytes(void **state)
{
    (void)state;
    float a[DIMS], b[DIMS];
    const char *one = "river stone";
    size_t bytes = 5;
    ok(se_model_encode(model, 1, &one, &bytes, NULL, a, NULL));
    const char *other = "river";
    ok(se_model_encode(model, 1, &other, NULL, NULL, b, NULL));
    assert_memory_equal(a, b, sizeof a);
    const char *with_zero = "river\0 stone"; /* the tokenizer drops U+0000 */
    bytes = 12;
    ok(se_model_encode(model, 1, &with_zero, &bytes, NULL, a, NULL));
    ok(se_model_encode(model, 1, &one, NULL, NULL, b, NULL));
    assert_memory_equal(a, b, sizeof a);
    ok(se_model_encode(model, 0, NULL, NULL, NULL, NULL, NULL));
}

static void encode_one(const char *text, const se_encode_options *options, float *out)
{
    ok(se_model_encode(model, 1, &text, NULL, options, out, NULL));
}

static double length_of(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* A field that is set changes what it says and nothing else. */
static void options(void **state)
{
    (void)state;
    float plain[DIMS], out[DIMS];
    const char *text = texts[9];
    encode_one(text, &(se_encode_options){.size = sizeof(se_encode_options)}, out);
    assert_memory_equal(out, wanted[9], sizeof out);
    encode_one(text, &(se_encode_options){.size = sizeof(se_encode_options), .normalize = -1},
               plain);
    encode_one(text, &(se_encode_options){.size = sizeof(se_encode_options), .normalize = 1}, out);
    double length = length_of(plain, DIMS);
    assert_true(length < 0.9 || length > 1.1); /* or this test would show nothing */
    for (int i = 0; i < DIMS; i++)
        assert_true(fabs(plain[i] / length - out[i]) < 1e-6);

    se_encode_options low = {.size = sizeof low, .precision = SE_PRECISION_BF16};
    if (se_precision_check(SE_PRECISION_BF16) == SE_OK) {
        encode_one(text, &low, plain);
        assert_memory_not_equal(plain, wanted[9], sizeof plain);
        for (int i = 0; i < DIMS; i++)
            assert_true(fabsf(plain[i] - wanted[9][i]) < 0.02F);
    } else {
        refused(SE_ERR_ARG, se_model_encode(model, 1, &text, NULL, &low, out, NULL), "BF16");
    }
    low.precision = SE_PRECISION_INT8;
    encode_one(text, &low, plain);
    assert_memory_not_equal(plain, wanted[9], sizeof plain);
    for (int i = 0; i < DIMS; i++)
        assert_true(fabsf(plain[i] - wanted[9][i]) < 0.05F);
    encode_one(text, NULL, out);
    assert_memory_equal(out, wanted[9], sizeof out);

    const char *long_text = "a b c d e f g"; /* a token each, and the two special ones */
    int64_t cut = 0;
    se_encode_options five = {.size = sizeof five, .tokens = 5};
    ok(se_model_encode(model, 1, &long_text, NULL, &five, out, &cut));
    assert_int_equal(cut, 1);
    encode_one("a b c", NULL, plain);
    assert_memory_equal(out, plain, sizeof out);
}

static void prompts_and_dims(void **state)
{
    (void)state;
    enum { FEW = 16 };
    float plain[DIMS], out[DIMS];
    se_encode_options o = {.size = sizeof o, .normalize = -1};
    encode_one(texts[9], &o, plain);
    o.dims = FEW;
    out[FEW] = 7;
    const char *text = texts[9];
    ok(se_model_encode(model, 1, &text, NULL, &o, out, NULL));
    assert_memory_equal(out, plain, FEW * sizeof *out);
    assert_true(out[FEW] == 7);
    o.normalize = 1;
    encode_one(texts[9], &o, out);
    double length = length_of(plain, FEW);
    for (int i = 0; i < FEW; i++)
        assert_true(fabs(plain[i] / length - out[i]) < 1e-6);

    o = (se_encode_options){.size = sizeof o, .prompt = "the quick "};
    encode_one("river", &o, out);
    encode_one("the quick river", NULL, plain);
    assert_memory_equal(out, plain, sizeof out);
    o = (se_encode_options){.size = sizeof o, .prompt_name = "nonesuch"};
    refused(SE_ERR_ARG, se_model_encode(model, 1, &text, NULL, &o, out, NULL), "nonesuch");
}

/* A program compiled for another version of the header. */
static void other_versions(void **state)
{
    (void)state;
    float out[DIMS];
    struct {
        se_encode_options known;
        int64_t later;
    } newer = {.known = {.size = sizeof newer}};
    se_encode_options older = {.size = offsetof(se_encode_options, tokens), .tokens = 2};
    encode_one(texts[5], &newer.known, out);
    assert_memory_equal(out, wanted[5], sizeof out);
    encode_one(texts[5], &older, out); /* what lies behind its end is not looked at */
    assert_memory_equal(out, wanted[5], sizeof out);
    newer.later = 1;
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &newer.known, out, NULL),
            "does not know");
    older.size = 0;
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &older, out, NULL), "options.size");
    se_encode_options wrong = {.size = sizeof wrong, .normalize = 2};
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &wrong, out, NULL), "normalize");
    wrong = (se_encode_options){.size = sizeof wrong, .dims = DIMS + 1};
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &wrong, out, NULL), "dims=65");
    wrong = (se_encode_options){.size = sizeof wrong, .precision = SE_PRECISIONS};
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &wrong, out, NULL), "precision");
    wrong = (se_encode_options){.size = sizeof wrong, .batch = -1};
    refused(SE_ERR_ARG, se_model_encode(model, 1, texts, NULL, &wrong, out, NULL), "-1 came");
}

static void what_is_refused(void **state)
{
    (void)state;
    float out[DIMS];
    const char *one = "a", *none = NULL;
    se_model *other = model;
    refused(SE_ERR_ARG, se_model_open(NULL, &other), "a folder is wanted");
    assert_null(other);
    refused(SE_ERR_ARG, se_model_open(FOLDER, NULL), "NULL");
    refused(SE_ERR_IO, se_model_open("/nonexistent/folder", &other), "/nonexistent/folder");
    refused(SE_ERR_FORMAT, se_model_open(FOLDER "/vocab.txt", &other), "vocab.txt");
    assert_null(other);
    refused(SE_ERR_ARG, se_model_encode(NULL, 1, &one, NULL, NULL, out, NULL), "model");
    refused(SE_ERR_ARG, se_model_encode(model, -1, &one, NULL, NULL, out, NULL), "-1 texts");
    refused(SE_ERR_ARG, se_model_encode(model, 1, NULL, NULL, NULL, out, NULL), "texts");
    refused(SE_ERR_ARG, se_model_encode(model, 1, &one, NULL, NULL, NULL, NULL), "room");
    refused(SE_ERR_ARG, se_model_encode(model, 1, &none, NULL, NULL, out, NULL),
            "texts[0] of 1 is NULL");
    const char *three[] = {"a", "b\xff", "c"};
    refused(SE_ERR_ARG, se_model_encode(model, 3, three, NULL, NULL, out, NULL),
            "texts[1] of 3 is not UTF-8: byte 0xFF at offset 1");
}

static void memory_gives_out(void **state)
{
    (void)state;
    float out[DIMS];
    se_model *other;
    se_memory_limit(1000);
    refused(SE_ERR_MEMORY, se_model_encode(model, 1, texts, NULL, NULL, out, NULL), "memory");
    se_memory_limit(0);
    ok(se_model_encode(model, 1, texts, NULL, NULL, out, NULL));
    assert_memory_equal(out, wanted[0], sizeof out);
    ok(se_model_open(FOLDER, &other));
    se_model_close(other);
}

static void interrupted(void **state)
{
    (void)state;
    float out[DIMS];
    se_interrupt_set();
    refused(SE_ERR_INTERRUPTED, se_model_encode(model, 1, texts, NULL, NULL, out, NULL),
            "interrupted");
    se_interrupt_clear();
    ok(se_model_encode(model, 1, texts, NULL, NULL, out, NULL));
    assert_memory_equal(out, wanted[0], sizeof out);
}

/* How many threads compute changes no bit; set by a thread that is not the engine's. */
static void threads_set(void **state)
{
    (void)state;
    static float out[TEXTS][DIMS];
    for (int n = 1; n <= 3; n++) {
        se_threads_set(n);
        ok(se_model_encode(model, TEXTS, texts, NULL, NULL, out[0], NULL));
        assert_memory_equal(out, wanted, sizeof out);
    }
    se_threads_set(0);
}

/* --- many callers --- */

typedef struct worker {
    pthread_t id;
    se_model *model;
    int from;
    const char *problem;
} worker;

/* Batches, single texts and mistakes in turn; the message must be this thread's own. */
static void *encode_all(void *data)
{
    worker *w = data;
    static const char *const missing[] = {"/nonexistent/0", "/nonexistent/1", "/nonexistent/2",
                                          "/nonexistent/3"};
    for (int round = 0; round < 3 && !w->problem; round++) {
        float out[40][DIMS];
        int at = (w->from + round * 31) % (TEXTS - 40);
        se_model *none;
        if (se_model_encode(w->model, 40, texts + at, NULL, NULL, out[0], NULL))
            w->problem = "a batch failed";
        else if (memcmp(out, wanted[at], sizeof out) != 0)
            w->problem = "a batch has other bits";
        else if (se_model_open(missing[w->from % 4], &none) != SE_ERR_IO)
            w->problem = "a missing folder was opened";
        for (int i = 0; i < 5 && !w->problem; i++)
            if (se_model_encode(w->model, 1, texts + at + i, NULL, NULL, out[0], NULL) ||
                memcmp(out[0], wanted[at + i], sizeof out[0]) != 0)
                w->problem = "a text alone has other bits";
        if (!strstr(se_message(), missing[w->from % 4]))
            w->problem = "the message is another thread's";
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    worker w[4];
    se_model *second;
    ok(se_model_open(FOLDER, &second));
    for (int i = 0; i < 4; i++) {
        w[i] = (worker){.model = i % 2 ? second : model, .from = i};
        assert_int_equal(pthread_create(&w[i].id, NULL, encode_all, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(w[i].id, NULL);
    se_model_close(second);
    for (int i = 0; i < 4; i++)
        if (w[i].problem)
            fail_msg("thread %d: %s", i, w[i].problem);
}

/* Opened before the fork, used by both afterwards. How the child's thread rounds must not matter.
 */
static void fork_after_use(void **state)
{
    (void)state;
    float out[3][DIMS];
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fesetround(FE_UPWARD);
    if (se_model_encode(model, 3, texts, NULL, NULL, out[0], NULL))
        memset(out, 0, sizeof out);
    bool same = memcmp(out, wanted, sizeof out) == 0;
    if (child == 0)
        _exit(same ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),
        cmocka_unit_test(reference),
        cmocka_unit_test(same_bits_in_a_batch),
        cmocka_unit_test(sizes_and_zero_bytes),
        cmocka_unit_test(options),
        cmocka_unit_test(prompts_and_dims),
        cmocka_unit_test(other_versions),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(memory_gives_out),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(threads_set),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(fork_after_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
