/* 1.2 million pairs with planted duplicates, in two windows of blocks: each epoch every pair once,
 * no text twice in a batch; an order that is restored goes on as it was. */
#define _GNU_SOURCE
#include "data/order.h"
#include "data/tokenfile.h"
#include "folder_help.h"

enum { PAIRS = 1200000, BATCH = 1024 };

static se_tokenizer *tokenizer;
static se_token_file *tokens;

/* Every 2,000th context is "common"; every 500th response is the context of another pair; every
 * 5,000th pair has two equal texts; every 10,000th pair is there twice. */
static void write_pairs(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < PAIRS; i++) {
        int k = i % 10000 == 9 ? i - 1 : i;
        char a[32], b[32];
        snprintf(a, sizeof a, k % 2000 == 3 ? "common" : "%d", k);
        snprintf(b, sizeof b, "r %d", k);
        if (k % 500 == 4)
            snprintf(b, sizeof b, "%d", (int)((int64_t)k * 7 % 1000));
        if (k % 5000 == 0)
            memcpy(b, a, sizeof b);
        fprintf(f, "[\"%s\", \"%s\"]\n", a, b);
    }
    assert_int_equal(fclose(f), 0);
}

static int start(void **state)
{
    static const char vocab[] =
        "<s>\n<pad>\n</s>\n<unk>\n[UNK]\ncommon\nr\n0\n1\n2\n3\n4\n5\n6\n7\n8"
        "\n9\n##0\n##1\n##2\n##3\n##4\n##5\n##6\n##7\n##8\n##9\n<mask>\n";
    if (make_home(state) != 0)
        return -1;
    put("vocab.txt", vocab, sizeof vocab - 1);
    ok(se_tokenizer_from_vocab(at("vocab.txt"), &tokenizer));
    const char *source = at("pairs.jsonl");
    write_pairs(source);
    se_token_job *job;
    bool done = false, waiting;
    ok(se_token_job_open(home, 1, &source, 0, NULL, tokenizer, 16, &job));
    while (!done)
        ok(se_token_job_step(job, &done, &waiting));
    ok(se_token_file_open(se_token_job_path(job), &tokens));
    se_token_job_free(job);
    return 0;
}

static int finish(void **state)
{
    se_token_file_free(tokens);
    se_tokenizer_free(tokenizer);
    return remove_home(state);
}

static se_order *order(int64_t seed)
{
    se_order_options options = {.seed = seed};
    se_order *o;
    ok(se_order_new(1, (const se_token_file *const *)&tokens, NULL, &options, &o));
    return o;
}

/* No two pairs of the batch share a text: all numbers that se_order_same gives differ, but for the
 * two texts of one pair. */
static void check_batch(se_order *o, const int64_t *pair, const int32_t *file)
{
    static int32_t number[2 * BATCH], seen[2 * BATCH];
    ok(se_order_same(o, BATCH, pair, file, number));
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(seen[number[i]], 0);
        seen[number[i]] = i + 1;
    }
    for (int i = 0; i < BATCH; i++) {
        int32_t *at = &seen[number[BATCH + i]];
        assert_true(*at == 0 || *at == i + 1);
        *at = i + 1;
    }
}

/* Those taken and those in the queue are each pair once an epoch. */
static void test_every_pair_once(void **state)
{
    (void)state;
    se_order *o = order(1);
    static uint8_t taken[PAIRS];
    static int64_t pair[BATCH];
    static int32_t file[BATCH];
    int64_t epoch = 0, index, queued, pairs, most = 0;
    memset(taken, 0, sizeof taken);
    for (int64_t batch = 0; epoch < 2; batch++) {
        ok(se_order_next(o, BATCH, pair, file));
        se_order_done(o);
        check_batch(o, pair, file);
        for (int i = 0; i < BATCH; i++)
            taken[pair[i]]++;
        se_order_where(o, 0, &epoch, &index, &queued, &pairs);
        most = queued > most ? queued : most;
    }
    int64_t missing = 0, extra = 0;
    for (int i = 0; i < PAIRS; i++) {
        assert_true(taken[i] >= 1 && taken[i] <= 3);
        missing += taken[i] == 1;
        extra += taken[i] == 3;
    }
    /* `index` pairs of the third epoch were passed; those in the queue are not taken yet. */
    assert_int_equal(missing - extra, queued - index);
    assert_true(missing <= queued && most > 0);
    se_order_free(o);
}

static void test_going_on(void **state)
{
    (void)state;
    static int64_t a[BATCH], b[BATCH];
    static int32_t file[BATCH];
    char *text;
    se_order *o = order(2), *again = order(3);
    for (int i = 0; i < 300; i++)
        ok(se_order_next(o, BATCH, a, file));
    se_order_done(o);
    ok(se_order_state(o, &text));
    ok(se_order_restore(again, text, strlen(text)));
    se_io_free(text);
    for (int i = 0; i < 10; i++) {
        ok(se_order_next(o, BATCH, a, file));
        ok(se_order_next(again, BATCH, b, file));
        assert_memory_equal(a, b, sizeof a);
    }
    se_order_free(o);
    se_order_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_once),
        cmocka_unit_test(test_going_on),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
