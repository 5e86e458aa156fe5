/* Token files, packing, and the order in which pairs are drawn. */
#define _GNU_SOURCE
#include "data/hash.h"
#include "data/order.h"
#include "data/pack.h"
#include "data/permute.h"
#include "data/shuffle.h"
#include "data/tokenfile.h"
#include "data/tokenlayout.h"
#include "io/disk.h"
#include "io/json.h"
#include "folder_help.h"

#include <math.h>
#include <sys/stat.h>

static se_tokenizer *tokenizer;

/* --- token files --- */

/* Makes the token file of a source in `folder` and opens it. */
static se_status make(const char *source, int32_t max_tokens, se_token_file **out)
{
    se_token_job *job;
    bool done = false, waiting;
    const char *file = at(source);
    *out = NULL;
    se_status s = se_token_job_open(home, 1, &file, 0, NULL, tokenizer, max_tokens, &job);
    while (s == SE_OK && !done)
        s = se_token_job_step(job, &done, &waiting);
    if (s == SE_OK)
        s = se_token_file_open(se_token_job_path(job), out);
    se_token_job_free(job);
    return s;
}

static se_token_file *tokens_of(const char *source)
{
    se_token_file *f;
    ok(make(source, 16, &f));
    return f;
}

static void test_packing(void **state)
{
    (void)state;
    const char text[] = "[\"hello world\", \"hello\"]\n"
                        "[\"hello<pad>world\", \"world world world world\"]\n[\"\", \"x\"]\n";
    put("p.jsonl", text, sizeof text - 1);
    se_token_file *p;
    ok(make("p.jsonl", 5, &p));
    int32_t hello = se_tokenizer_id(tokenizer, "hello"),
            world = se_tokenizer_id(tokenizer, "world");
    const int64_t which[] = {1, 0, 2};
    se_packed size;
    ok(se_token_file_pack(p, 0, 3, which, 1, &size, NULL, NULL, NULL));
    assert_int_equal(size.texts, 3);
    assert_int_equal(size.tokens, 5 + 4 + 2);
    assert_int_equal(size.longest, 5);
    assert_int_equal(size.truncated, 0);
    int32_t ids[11], starts[4], positions[11];
    ok(se_token_file_pack(p, 0, 3, which, 1, &size, ids, starts, positions));
    const int32_t want_ids[] = {0, hello, 1, world, 2, 0, hello, world, 2, 0, 2};
    const int32_t want_starts[] = {0, 5, 9, 11};
    const int32_t want_mpnet[] = {2, 3, 1, 4, 5, 2, 3, 4, 5, 2, 3};
    assert_memory_equal(ids, want_ids, sizeof ids);
    assert_memory_equal(starts, want_starts, sizeof starts);
    assert_memory_equal(positions, want_mpnet, sizeof positions);
    ok(se_token_file_pack(p, 0, 3, which, -1, &size, ids, starts, positions));
    const int32_t want_bert[] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1};
    assert_memory_equal(positions, want_bert, sizeof positions);
    ok(se_token_file_pack(p, 1, 3, which, 1, &size, NULL, NULL, NULL));
    assert_int_equal(size.truncated, 1);
    se_column_stats stats;
    ok(se_token_file_stats(p, 1, &stats));
    assert_int_equal(stats.truncated, 1);
    assert_int_equal(stats.cut, 1);
    assert_int_equal(stats.tokens, 3 + 5 + 3);
    assert_int_equal(stats.longest, 5);
    assert_int_equal(stats.bytes, 5 + 23 + 1);
    const int64_t outside = 3;
    assert_int_equal(se_token_file_pack(p, 0, 1, &outside, 1, &size, NULL, NULL, NULL), SE_ERR_ARG);
    message_is("text 3: expected 0 to 2");
    assert_int_equal(se_token_file_pack(p, 2, 1, which, 1, &size, NULL, NULL, NULL), SE_ERR_ARG);
    se_token_file_free(p);

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
static se_token_file *planted(void)
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
    return tokens_of("planted.jsonl");
}

static void no_text_twice(const se_token_file *p, const int64_t *batch, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            for (int k = 0; k < 4; k++)
                assert_true(se_token_file_hash(p, k & 1, batch[i]) !=
                            se_token_file_hash(p, k >> 1, batch[j]));
}

static se_status new_order(const se_token_file *p, int64_t seed, se_order **out)
{
    se_order_options options = {.seed = seed};
    return se_order_new(1, &p, NULL, &options, out);
}

static se_status next(se_order *o, int64_t batch, int64_t *out)
{
    static int32_t file[PAIRS + 1];
    return se_order_next(o, batch, out, file);
}

static void run_order(const se_token_file *p, se_order *o, int64_t steps, int64_t *out)
{
    for (int64_t s = 0; s < steps; s++) {
        ok(next(o, BATCH, out + s * BATCH));
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
    const se_json *queue = se_json_get(se_json_at(se_json_get(v, "sets"), 0), "queue");
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
    se_token_file *p = planted();
    se_order *o;
    int64_t batch[BATCH], taken[PAIRS] = {0}, epoch, index, queued, pairs, carried = 0, emptied = 0;
    ok(new_order(p, 1, &o));
    for (int64_t s = 0; s < STEPS; s++) {
        ok(next(o, BATCH, batch));
        no_text_twice(p, batch, BATCH);
        se_order_done(o);
        for (int i = 0; i < BATCH; i++)
            taken[batch[i]]++;
        se_order_where(o, 0, &epoch, &index, &queued, &pairs);
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
    se_token_file_free(p);
}

static void test_seeds_and_epochs_differ(void **state)
{
    (void)state;
    se_token_file *p = planted();
    int64_t a[STEPS * BATCH], b[STEPS * BATCH];
    for (int64_t seed = 1; seed <= 2; seed++) {
        se_order *o;
        ok(new_order(p, seed, &o));
        run_order(p, o, STEPS, seed == 1 ? a : b);
        se_order_free(o);
    }
    int same = 0, again = 0;
    for (int i = 0; i < PAIRS - 2 * BATCH; i++) {
        same += a[i] == b[i];
        again += a[i] == a[i + PAIRS];
    }
    assert_true(same < 10 && again < 10);
    se_token_file_free(p);
}

/* From every step: the state saved there goes on with the batches of the undisturbed run. A batch
 * whose step was not completed is drawn again. */
static void test_resume(void **state)
{
    (void)state;
    se_token_file *p = planted();
    se_order *o, *again;
    int64_t whole[STEPS * BATCH], rest[STEPS * BATCH];
    char *text;
    ok(new_order(p, 5, &o));
    run_order(p, o, STEPS, whole);
    se_order_free(o);
    for (int64_t stop = 0; stop <= STEPS - 3; stop++) {
        ok(new_order(p, 5, &o));
        run_order(p, o, stop, rest);
        if (stop % 2)
            ok(next(o, BATCH, rest)); /* begun, not completed */
        ok(se_order_state(o, &text));
        ok(new_order(p, 99, &again));
        ok(se_order_restore(again, text, strlen(text)));
        se_io_free(text);
        run_order(p, again, STEPS - stop, rest);
        assert_memory_equal(rest, whole + stop * BATCH,
                            (size_t)((STEPS - stop) * BATCH) * sizeof *rest);
        se_order_free(o);
        se_order_free(again);
    }
    se_token_file_free(p);
}

static void test_bad_states(void **state)
{
    (void)state;
    se_token_file *p = planted();
    se_order *o, *other;
    char *text, changed[2048];
    int64_t batch[BATCH];
    ok(new_order(p, 5, &o));
    ok(next(o, BATCH, batch));
    se_order_done(o);
    ok(se_order_state(o, &text));
    put("fewer.jsonl", "[\"a\", \"b\"]\n", 11);
    se_token_file *fewer = tokens_of("fewer.jsonl");
    ok(new_order(fewer, 5, &other));
    assert_int_equal(se_order_restore(other, text, strlen(text)), SE_ERR_FORMAT);
    message_is("belongs to other data: 500 pairs");
    se_order_free(other);
    se_token_file_free(fewer);
    se_order_options part = {.seed = 5, .high = 2048};
    ok(se_order_new(1, (const se_token_file *const *)&p, NULL, &part, &other));
    assert_int_equal(se_order_restore(other, text, strlen(text)), SE_ERR_FORMAT);
    message_is("belongs to another part of the data: buckets 0 to 4096");
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
    assert_int_equal(next(o, PAIRS + 1, batch), SE_ERR_ARG);
    assert_int_equal(next(o, 0, batch), SE_ERR_ARG);
    se_order_free(o);
    se_order_options none = {.seed = 5, .low = 7, .high = 7};
    assert_int_equal(se_order_new(1, (const se_token_file *const *)&p, NULL, &none, &o),
                     SE_ERR_ARG);
    message_is("order: no pairs to draw from");
    se_token_file_free(p);
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
    se_token_file *p = tokens_of("same.jsonl");
    se_order *o;
    ok(new_order(p, 1, &o));
    assert_int_equal(next(o, 3, batch), SE_ERR_ARG);
    message_is("a batch of 3 pairs without equal texts is not to be had: 2 of the 9 pairs fit");
    se_order_where(o, 0, &epoch, &index, &queued, &pairs);
    assert_true(epoch == 0 && index == 0 && queued == 0 && pairs == 9);
    ok(next(o, 2, batch));
    se_order_free(o);
    se_token_file_free(p);
}

/* --- parts --- */

/* Parts share no first text; an order over a part draws it alone, each pair once an epoch. */
static void test_parts(void **state)
{
    (void)state;
    se_token_file *p = planted();
    enum { EDGE = 800 };
    int64_t held[PAIRS], rest[PAIRS], batch[8];
    int32_t file[8];
    int64_t n = se_token_file_pairs(p, 0, EDGE, held, PAIRS);
    int64_t m = se_token_file_pairs(p, EDGE, SE_TOKEN_BUCKETS, rest, PAIRS);
    assert_int_equal(n, se_token_file_part(p, 0, EDGE));
    assert_int_equal(m, se_token_file_part(p, EDGE, SE_TOKEN_BUCKETS));
    assert_int_equal(n + m, PAIRS);
    assert_true(n > 60 && n < 140);
    assert_int_equal(se_token_file_pairs(p, 0, EDGE, rest, 7), 7);
    m = se_token_file_pairs(p, EDGE, SE_TOKEN_BUCKETS, rest, PAIRS);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++)
            assert_true(se_token_file_hash(p, 0, held[i]) != se_token_file_hash(p, 0, rest[j]));
    se_order_options options = {.seed = 3, .low = 0, .high = EDGE, .repeats = true};
    se_order *o;
    ok(se_order_new(1, (const se_token_file *const *)&p, NULL, &options, &o));
    int64_t times[PAIRS] = {0}, steps = 10 * n / 8;
    for (int64_t s = 0; s < steps; s++) {
        ok(se_order_next(o, 8, batch, file));
        for (int i = 0; i < 8; i++)
            times[batch[i]]++;
    }
    for (int64_t i = 0; i < n; i++)
        assert_true(times[held[i]] == 9 || times[held[i]] == 10);
    for (int64_t i = 0; i < m; i++)
        assert_int_equal(times[rest[i]], 0);
    se_order_free(o);
    se_token_file_free(p);
}

/* --- several data sets --- */

/* 10,000 batches of three data sets: each share lies within four standard errors of its weight; the
 * seed is fixed, so this never fails by chance. */
static void check_shares(bool mixed)
{
    enum { SETS = 3, BATCHES = 10000, ROWS = 4 };
    static const double weight[SETS] = {1, 5, 2.5};
    const se_token_file *p[SETS];
    for (int k = 0; k < SETS; k++)
        p[k] = planted();
    se_order_options options = {.seed = 11, .mixed = mixed};
    se_order *o;
    ok(se_order_new(SETS, p, weight, &options, &o));
    double count[SETS] = {0}, draws = mixed ? BATCHES * ROWS : BATCHES;
    for (int s = 0; s < BATCHES; s++) {
        int64_t batch[ROWS];
        int32_t file[ROWS];
        ok(se_order_next(o, ROWS, batch, file));
        for (int i = 0; i < (mixed ? ROWS : 1); i++)
            count[file[i]]++;
        for (int i = 1; i < ROWS && !mixed; i++)
            assert_int_equal(file[i], file[0]);
    }
    for (int k = 0; k < SETS; k++) {
        double share = weight[k] / 8.5, error = sqrt(share * (1 - share) / draws);
        if (fabs(count[k] / draws - share) > 4 * error)
            fail_msg("set %d: share %g, expected %g", k, count[k] / draws, share);
    }
    se_order_free(o);
    for (int k = 0; k < SETS; k++)
        se_token_file_free((se_token_file *)p[k]);
}

static void test_mixture(void **state)
{
    (void)state;
    check_shares(false);
    check_shares(true);
    se_token_file *p = planted();
    const se_token_file *two[] = {p, p};
    const double weight[] = {1, 0};
    se_order_options options = {0};
    se_order *o;
    assert_int_equal(se_order_new(2, two, weight, &options, &o), SE_ERR_ARG);
    message_is("data set 2 has weight 0, above 0 is wanted");
    put("three.jsonl", "[\"a\", \"b\", \"c\"]\n", 16);
    se_token_file *three = tokens_of("three.jsonl");
    two[1] = three;
    assert_int_equal(se_order_new(2, two, NULL, &options, &o), SE_ERR_ARG);
    message_is("data set 2 has 3 columns, the first one 2");
    se_token_file_free(three);
    se_token_file_free(p);
}

/* Equal texts have equal numbers, in whatever column; others differ. */
static void test_same(void **state)
{
    (void)state;
    se_token_file *p = planted();
    se_order_options options = {.seed = 1, .repeats = true};
    se_order *o;
    int64_t batch[BATCH];
    int32_t file[BATCH], number[2 * BATCH];
    ok(se_order_new(1, (const se_token_file *const *)&p, NULL, &options, &o));
    int equal = 0;
    for (int s = 0; s < 20; s++) {
        ok(se_order_next(o, BATCH, batch, file));
        ok(se_order_same(o, BATCH, batch, file, number));
        for (int i = 0; i < 2 * BATCH; i++)
            for (int j = 0; j < i; j++) {
                bool same = se_token_file_hash(p, i / BATCH, batch[i % BATCH]) ==
                            se_token_file_hash(p, j / BATCH, batch[j % BATCH]);
                assert_int_equal(number[i] == number[j], same);
                equal += same;
            }
    }
    assert_true(equal > 10);
    se_order_free(o);
    se_token_file_free(p);
}

/* --- the shuffle --- */

static void count_pairs(const void *data, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++)
        ((char *)data)[i]++;
}

/* Every element once, whatever the sizes; each window's elements are those of its blocks. */
static void test_shuffle(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 90; n++)
        for (int64_t block = 1; block < 9; block += 2)
            for (int64_t window = 1; window < 6; window++) {
                char seen[90] = {0}, here[90];
                int64_t w, last = -1;
                se_shuffle s = se_shuffle_make((uint64_t)(n * 7 + window), n, block, window);
                for (int64_t i = 0; i < n; i++) {
                    int64_t j = se_shuffle_at(&s, i, &w);
                    assert_true(j >= 0 && j < n && !seen[j]);
                    seen[j] = 1;
                    if (w != last) {
                        memset(here, 0, sizeof here);
                        se_shuffle_window(&s, w, count_pairs, here);
                        assert_int_equal(w, last + 1);
                        last = w;
                    }
                    assert_int_equal(here[j], 1);
                }
            }
}

/* --- making token files --- */

enum { MANY = 3 * 4096 + 100 };

static void put_many(const char *name, int different)
{
    char *text = malloc(MANY * 64);
    size_t n = 0;
    for (int i = 0; i < MANY; i++)
        n += (size_t)sprintf(text + n, "%s[\"context %d\", \"response %d\"]\n",
                             i % 1000 == 7 ? "\n" : "", i, i == 5000 ? different : i);
    put(name, text, n);
    free(text);
}

/* A set of 2 to 5 texts a record; every text "N K" tells its record and its place. */
static void put_sets(const char *name, int records)
{
    char *text = malloc((size_t)records * 96);
    size_t n = 0;
    for (int i = 0; i < records; i++) {
        n += (size_t)sprintf(text + n, "{\"set\": [");
        for (int k = 0; k < 2 + i % 4; k++)
            n += (size_t)sprintf(text + n, "%s\"%d %d\"", k ? ", " : "", i, k);
        n += (size_t)sprintf(text + n, "]}\n");
    }
    put(name, text, n);
    free(text);
}

static se_status open_job(const char *name, se_token_job **job)
{
    const char *file = at(name);
    return se_token_job_open(home, 1, &file, 0, NULL, tokenizer, 16, job);
}

static void read_file(const char *path, char **data, size_t *bytes)
{
    ok(se_file_read(path, data, bytes));
}

/* The job stopped after each step and opened anew gives the same bytes as the one that was not, on
 * one thread and on three; a second time nothing is made. */
static void check_job(const char *name)
{
    se_token_job *job;
    bool done = false, waiting;
    char *whole, *again, path[512];
    size_t bytes, more;
    se_threads_set(1);
    se_token_file *f = tokens_of(name);
    assert_int_equal(se_token_file_count(f), MANY);
    ok(se_token_file_verify(f));
    se_token_file_free(f);
    ok(open_job(name, &job));
    snprintf(path, sizeof path, "%s", se_token_job_path(job));
    assert_int_equal(se_token_job_resumed(job), MANY);
    ok(se_token_job_step(job, &done, &waiting));
    assert_true(done);
    se_token_job_free(job);
    read_file(path, &whole, &bytes);
    ok(se_file_remove(path));
    se_threads_set(3);
    done = false;
    for (int64_t left = MANY; !done;) {
        ok(open_job(name, &job));
        ok(se_token_job_step(job, &done, &waiting)); /* takes up what is there */
        assert_int_equal(se_token_job_resumed(job), MANY - left);
        ok(se_token_job_step(job, &done, &waiting));
        left = MANY - se_token_job_pairs(job);
        se_token_job_free(job);
    }
    se_threads_set(0);
    read_file(path, &again, &more);
    assert_int_equal(more, bytes);
    assert_memory_equal(again, whole, bytes);
    se_io_free(again);
    se_io_free(whole);
}

static void test_job(void **state)
{
    (void)state;
    put_many("many.jsonl", 1);
    check_job("many.jsonl");
    put_sets("sets_many.jsonl", MANY);
    check_job("sets_many.jsonl");
}

/* Files of all forms hold the tokens that JSON lines give, wherever the job was stopped, and lead
 * back to their texts. */
static void check_form(const char *const *columns, const char *file, uint64_t *hash, bool *first)
{
    se_token_job *job;
    bool done = false, waiting;
    char path[512];
    while (!done) {
        ok(se_token_job_open(home, 1, &file, columns ? 2 : 0, columns, tokenizer, 16, &job));
        ok(se_token_job_step(job, &done, &waiting));
        if (!done)
            ok(se_token_job_step(job, &done, &waiting));
        snprintf(path, sizeof path, "%s", se_token_job_path(job));
        se_token_job_free(job);
    }
    se_token_file *f;
    ok(se_token_file_open(path, &f));
    assert_int_equal(se_token_file_count(f), MANY);
    for (int64_t i = 0; i < MANY; i++)
        for (int32_t c = 0; c < 2; c++) {
            if (*first)
                hash[2 * i + c] = se_token_file_hash(f, c, i);
            assert_true(hash[2 * i + c] == se_token_file_hash(f, c, i));
        }
    *first = false;
    const int64_t which[] = {0, 5000, 12000, MANY - 1};
    se_pairs *texts;
    size_t n;
    ok(se_token_file_texts(f, 4, which, &texts));
    for (int i = 0; i < 4; i++)
        for (int32_t c = 0; c < 2; c++) {
            const char *text = se_pairs_text(texts, c, i, &n);
            assert_true(se_hash_text(text, n, 0) == hash[2 * which[i] + c]);
        }
    se_pairs_free(texts);
    se_token_file_free(f);
}

static void test_forms(void **state)
{
    (void)state;
    enum { FILES = 6 };
    static const struct {
        const char *name, *open, *between, *close;
        int first, last; /* 0: context, 1: response */
    } form[FILES] = {{"form.jsonl", "[\"", "\", \"", "\"]", 0, 1},
                     {"set.jsonl", "{\"set\": [\"", "\", \"", "\"]}", 0, 1},
                     {"form.tsv", "", "\t", "", 0, 1},
                     {"form.csv", "\"", "\",", "", 1, 0},
                     {"left.txt", "", "", "", 0, 0},
                     {"right.txt", "", "", "", 1, 1}};
    static const char *const columns[] = {"to", "from"};
    char *data = malloc(MANY * 64), text[2][32], sides[512];
    uint64_t *hash = malloc(MANY * 2 * sizeof *hash);
    bool first = true;
    for (int k = 0; k < FILES; k++) {
        size_t n = k == 3 ? (size_t)sprintf(data, "from,to\n") : 0;
        for (int i = 0; i < MANY; i++) {
            snprintf(text[0], sizeof text[0], "context %d", i);
            snprintf(text[1], sizeof text[1], "response, %d", i);
            bool one = form[k].first == form[k].last;
            n += (size_t)sprintf(data + n, "%s%s%s%s%s\n", form[k].open, text[form[k].first],
                                 form[k].between, one ? "" : text[form[k].last], form[k].close);
        }
        put(form[k].name, data, n);
    }
    for (int k = 0; k < 4; k++)
        check_form(k == 3 ? columns : NULL, at(form[k].name), hash, &first);
    snprintf(sides, sizeof sides, "%s+%s", at("left.txt"), at("right.txt"));
    check_form(NULL, sides, hash, &first);
    free(data);
    free(hash);
}

/* A half-made file with a damaged block is gone on with before the damage; one of other facts is
 * made anew; while another has it, one waits. */
static void test_half_made(void **state)
{
    (void)state;
    se_token_job *job, *second;
    bool done = false, waiting;
    char part[520], path[512], *data;
    size_t bytes;
    put_many("half.jsonl", 1);
    ok(open_job("half.jsonl", &job));
    snprintf(path, sizeof path, "%s", se_token_job_path(job));
    snprintf(part, sizeof part, "%s.part", path);
    for (int i = 0; i < 3; i++)
        ok(se_token_job_step(job, &done, &waiting));
    assert_int_equal(se_token_job_pairs(job), 2 * 4096);
    ok(open_job("half.jsonl", &second));
    ok(se_token_job_step(second, &done, &waiting));
    assert_true(waiting && !done);
    se_token_job_free(job);
    read_file(part, &data, &bytes);
    data[bytes - 1000] ^= 1;
    FILE *file = fopen(part, "wb"); /* in place: `second` waits for this one */
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    se_io_free(data);
    ok(se_token_job_step(second, &done, &waiting));
    assert_false(waiting);
    assert_int_equal(se_token_job_resumed(second), 4096);
    while (!done)
        ok(se_token_job_step(second, &done, &waiting));
    se_token_job_free(second);

    put_many("half.jsonl", 22); /* another size */
    ok(open_job("half.jsonl", &job));
    assert_string_equal(se_token_job_path(job), path);
    assert_int_equal(se_token_job_resumed(job), 0);
    done = false;
    while (!done)
        ok(se_token_job_step(job, &done, &waiting));
    assert_int_equal(se_token_job_resumed(job), 0);
    se_token_job_free(job);
    se_token_file *f;
    ok(se_token_file_open(path, &f));
    const int64_t which[] = {0, 5000, MANY - 1};
    se_pairs *texts;
    size_t n;
    ok(se_token_file_texts(f, 3, which, &texts));
    assert_memory_equal(se_pairs_text(texts, 1, 1, &n), "response 22", 11);
    assert_memory_equal(se_pairs_text(texts, 0, 2, &n), "context 12387", 13);
    assert_int_equal(n, 13);
    se_pairs_free(texts);
    put_many("half.jsonl", 333);
    assert_int_equal(se_token_file_texts(f, 3, which, &texts), SE_ERR_FORMAT);
    message_is("half.jsonl: has changed since it was tokenised");
    se_token_file_free(f);
}

/* Whatever system call fails, the error is told, nothing half-made has the file's name, and the
 * next job finishes. */
static void test_broken_disk(void **state)
{
    (void)state;
    put_many("disk.jsonl", 1);
    bool through = false;
    long n = 0;
    while (!through) {
        se_token_job *job;
        bool done = false, waiting;
        ok(open_job("disk.jsonl", &job));
        se_disk_break(++n, false);
        se_status s = SE_OK;
        while (s == SE_OK && !done)
            s = se_token_job_step(job, &done, &waiting);
        through = se_disk_calls() < n;
        se_disk_break(0, false);
        assert_int_equal(s, through ? SE_OK : SE_ERR_IO);
        /* Only the folder's own sync comes after the renaming. */
        if (access(se_token_job_path(job), F_OK) == 0)
            se_token_file_free(tokens_of("disk.jsonl"));
        se_token_job_free(job);
        ok(open_job("disk.jsonl", &job));
        for (done = false; !done;)
            ok(se_token_job_step(job, &done, &waiting));
        assert_int_equal(se_token_job_pairs(job), MANY);
        ok(se_file_remove(se_token_job_path(job)));
        se_token_job_free(job);
    }
    assert_true(n > 12);
}

/* --- lists --- */

/* The place of a drawn text in its record's set; it must be there. */
static int place_in_set(const se_token_file *f, int64_t pair, int32_t column)
{
    char text[32];
    int64_t record = pair % se_token_file_count(f);
    for (int k = 0; k < 2 + record % 4; k++) {
        int n = snprintf(text, sizeof text, "%d %d", (int)record, k);
        if (se_token_file_hash(f, column, pair) == se_hash_text(text, (size_t)n, 0))
            return k;
    }
    fail_msg("a text of record %d is of another one", (int)record);
    return -1;
}

static void run_sets(se_order *o, int64_t rows, int64_t steps, int64_t *out)
{
    for (int64_t s = 0; s < steps; s++) {
        ok(next(o, rows, out + s * rows));
        se_order_done(o);
    }
}

/* Two different texts of each set, every ordered two of them in some epoch; the same again for the
 * same seed from any step on, and others for another. */
static void test_sets(void **state)
{
    (void)state;
    enum { SETS = 40, ROWS = 8, DRAWN = 2000, ALL = DRAWN * ROWS };
    put_sets("sets.jsonl", SETS);
    se_token_file *f = tokens_of("sets.jsonl");
    assert_int_equal(se_token_file_count(f), SETS);
    ok(se_token_file_verify(f));
    se_order *o, *again, *other;
    int64_t *pair = malloc(ALL * sizeof *pair), *rest = malloc(ALL * sizeof *rest);
    char seen[SETS][5][5] = {{{0}}}, *text = NULL;
    int64_t times[SETS] = {0};
    ok(new_order(f, 1, &o));
    for (int s = 0; s < DRAWN; s++) {
        ok(next(o, ROWS, pair + s * ROWS));
        no_text_twice(f, pair + s * ROWS, ROWS);
        se_order_done(o);
        if (s == 7)
            ok(se_order_state(o, &text));
    }
    for (int i = 0; i < ALL; i++) {
        int a = place_in_set(f, pair[i], 0), b = place_in_set(f, pair[i], 1);
        assert_int_not_equal(a, b);
        assert_true(se_token_file_text(f, 0, pair[i]).tokens > 0);
        seen[pair[i] % SETS][a][b] = 1;
        times[pair[i] % SETS]++;
    }
    for (int r = 0; r < SETS; r++) {
        assert_int_equal(times[r], ALL / SETS);
        for (int a = 0; a < 2 + r % 4; a++)
            for (int b = 0; b < 2 + r % 4; b++) /* 400 epochs, 20 twos: none is missed */
                assert_true(a == b || seen[r][a][b]);
    }
    ok(new_order(f, 9, &again));
    ok(se_order_restore(again, text, strlen(text)));
    se_io_free(text);
    run_sets(again, ROWS, DRAWN - 8, rest);
    assert_memory_equal(rest, pair + 8 * ROWS, (ALL - 8 * ROWS) * sizeof *rest);
    ok(new_order(f, 2, &other));
    run_sets(other, ROWS, DRAWN, rest);
    for (int i = 0; i < SETS; i++)
        for (int k = 0; k < SETS; k++) /* the number says which texts: none is the same */
            assert_true(pair[i] != rest[k]);
    se_order_free(o);
    se_order_free(again);
    se_order_free(other);
    se_token_file_free(f);
    free(pair);
    free(rest);
}

static void test_lists_of_names(void **state)
{
    (void)state;
    static const char text[] =
        "{\"query\": \"1\", \"pos\": [\"2\", \"3\"], \"neg\": [\"4\", \"5\", \"6\"]}\n"
        "{\"query\": \"7\", \"pos\": \"8\", \"neg\": [\"9\", \"0\"]}\n";
    static const char *const columns[] = {"query", "positive", "negative", "negative_2"};
    put("lists.jsonl", text, sizeof text - 1);
    const char *file = at("lists.jsonl");
    se_token_job *job;
    bool done = false, waiting;
    ok(se_token_job_open(home, 1, &file, 4, columns, tokenizer, 16, &job));
    while (!done)
        ok(se_token_job_step(job, &done, &waiting));
    se_token_file *f;
    ok(se_token_file_open(se_token_job_path(job), &f));
    se_token_job_free(job);
    se_column_stats stats;
    ok(se_token_file_stats(f, 3, &stats)); /* shares the list of the column before */
    assert_int_equal(stats.texts, 5);
    char hits[2][4][10] = {{{0}}};
    for (int64_t pair = 0; pair < 200; pair++)
        for (int32_t c = 0; c < 4; c++)
            for (int d = 0; d < 10; d++)
                if (se_token_file_hash(f, c, pair) == se_hash_text(&"0123456789"[d], 1, 0))
                    hits[pair % 2][c][d] = 1;
    static const char *const want[2][4] = {{"1", "23", "456", "456"}, {"7", "8", "90", "90"}};
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 4; c++)
            for (int d = 0; d < 10; d++)
                assert_int_equal(hits[r][c][d], strchr(want[r][c], '0' + d) != NULL);
    for (int64_t pair = 0; pair < 200; pair++)
        assert_true(se_token_file_hash(f, 2, pair) != se_token_file_hash(f, 3, pair));
    const int64_t which[] = {0, 1};
    se_pairs *texts;
    size_t n;
    ok(se_token_file_texts(f, 2, which, &texts)); /* the first of each list, the next */
    assert_memory_equal(se_pairs_text(texts, 3, 0, &n), "5", 1);
    assert_memory_equal(se_pairs_text(texts, 1, 1, &n), "8", 1);
    se_pairs_free(texts);
    se_token_file_free(f);
}

/* Every byte that is changed, and every length that is cut, is an error or changes no more than
 * tokens, hashes and unused bytes: nothing outside the file is read. */
static void check_damaged(const char *text)
{
    put("d.jsonl", text, strlen(text));
    se_token_file *f = tokens_of("d.jsonl");
    se_token_job *job;
    ok(open_job("d.jsonl", &job));
    char path[512], *data;
    size_t bytes;
    snprintf(path, sizeof path, "%s", se_token_job_path(job));
    se_token_job_free(job);
    se_token_file_free(f);
    read_file(path, &data, &bytes);
    int refused = 0, differs = 0;
    for (size_t i = 0; i < bytes; i += i < 2600 || i + 200 > bytes ? 1 : 37) {
        data[i] ^= 0x55;
        put("d.tokens", data, bytes);
        data[i] ^= 0x55;
        if (se_token_file_open(at("d.tokens"), &f) != SE_OK) {
            refused++;
            continue;
        }
        differs += se_token_file_verify(f) != SE_OK;
        for (int64_t pair = 0; pair < (se_token_file_lists(f) ? 12 : 2); pair++)
            for (int32_t c = 0; c < se_token_file_columns(f); c++)
                (void)se_token_file_text(f, c, pair);
        int32_t ids[64], starts[3], positions[64];
        se_packed size;
        for (int32_t c = 0; c < se_token_file_columns(f); c++)
            if (se_token_file_pack(f, c, 2, NULL, 1, &size, NULL, NULL, NULL) == SE_OK &&
                size.tokens < 64)
                ok(se_token_file_pack(f, c, 2, NULL, 1, &size, ids, starts, positions));
        se_token_file_free(f);
    }
    assert_true(refused > 200 && differs > 100);
    for (size_t n = 0; n < bytes; n += 61) {
        put("d.tokens", data, n);
        assert_int_equal(se_token_file_open(at("d.tokens"), &f), SE_ERR_FORMAT);
        message_is("not a whole token file");
    }
    se_io_free(data);
}

/* The number of texts, which no check sum holds: every other one is found out. */
static void test_number_of_texts(void **state)
{
    (void)state;
    enum { SETS = 9 };
    char path[512], *data;
    size_t bytes, at_block = 0;
    const uint64_t magic = SE_TOKEN_BLOCK_MAGIC;
    put_sets("n.jsonl", SETS);
    se_token_file_free(tokens_of("n.jsonl"));
    se_token_job *job;
    ok(open_job("n.jsonl", &job));
    snprintf(path, sizeof path, "%s", se_token_job_path(job));
    se_token_job_free(job);
    read_file(path, &data, &bytes);
    while (memcmp(data + at_block, &magic, sizeof magic) != 0)
        at_block += SE_TOKEN_ALIGN;
    int64_t *texts = &((se_token_block *)(void *)(data + at_block))->texts, right = *texts;
    const int64_t wrong[] = {0, -1, 1, right - 1, right + 1, right + 8, 1 << 20, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        se_token_file *f;
        *texts = wrong[i];
        put("n.tokens", data, bytes);
        ok(se_token_file_open(at("n.tokens"), &f));
        assert_int_equal(se_token_file_verify(f), SE_ERR_FORMAT);
        assert_int_equal(se_token_file_sound(f, 0), SE_ERR_FORMAT);
        assert_true(se_token_file_hash(f, 0, 0) == 0);
        se_token_file_free(f);
    }
    se_io_free(data);
}

static void test_damaged(void **state)
{
    (void)state;
    check_damaged("[\"hello world\", \"hello\"]\n[\"world\", \"1\"]\n");
    check_damaged("{\"set\": [\"hello world\", \"hello\", \"1\"]}\n[\"world\", \"1\"]\n");
}

static void test_bad_sources(void **state)
{
    (void)state;
    se_token_file *f;
    char *text = malloc(5000 * 16);
    size_t n = 0;
    for (int i = 0; i < 5000; i++)
        n += (size_t)sprintf(text + n, i == 4500 || i == 4700 ? "[\"a\"]\n" : "[\"a\", \"b\"]\n");
    put("bad.jsonl", text, n);
    free(text);
    assert_int_equal(make("bad.jsonl", 16, &f), SE_ERR_FORMAT);
    message_is("bad.jsonl:4501: an array of 1, expected 2 texts");
    put("bad.jsonl", "[\"a\"]\n", 6);
    assert_int_equal(make("bad.jsonl", 16, &f), SE_ERR_FORMAT);
    message_is("bad.jsonl:1: an array of 1");
    put("bad.jsonl", "\n", 1);
    assert_int_equal(make("bad.jsonl", 16, &f), SE_ERR_FORMAT);
    message_is("bad.jsonl: no pairs: blank lines only");
    assert_int_equal(make("missing.jsonl", 16, &f), SE_ERR_IO);
    message_is("missing.jsonl: cannot read");
    put("bad.jsonl", "[\"a\", \"b\"]\n", 11);
    se_token_job *job;
    bool done, waiting;
    ok(open_job("bad.jsonl", &job));
    se_interrupt_set();
    assert_int_equal(se_token_job_step(job, &done, &waiting), SE_ERR_INTERRUPTED);
    se_interrupt_clear();
    se_token_job_free(job);
}

static int start(void **state)
{
    static const char vocab[] = "<s>\n<pad>\n</s>\n<unk>\n[UNK]\nhello\nworld\ncontext\nresponse\n"
                                "common\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n##0\n##1\n##2\n##3\n##4\n##5"
                                "\n##6\n##7\n##8\n##9\n<mask>\n";
    if (make_home(state) != 0)
        return -1;
    se_disk_sync_set(false); /* thousands of small files */
    put("vocab.txt", vocab, sizeof vocab - 1);
    ok(se_tokenizer_from_vocab(at("vocab.txt"), &tokenizer));
    return 0;
}

static int finish(void **state)
{
    se_tokenizer_free(tokenizer);
    return remove_home(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_permute),
        cmocka_unit_test(test_permute_is_even),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_every_pair_once),
        cmocka_unit_test(test_seeds_and_epochs_differ),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_impossible_batch),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_lists_of_names),
        cmocka_unit_test(test_half_made),
        cmocka_unit_test(test_broken_disk),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_number_of_texts),
        cmocka_unit_test(test_bad_sources),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
