/* The tokenizer's files: folders that are refused, saving and opening again, added tokens of other
 * folders; and decoding. */
#define _POSIX_C_SOURCE 200809L
#include "tokenizer_help.h"

#include <time.h>

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* --- folders that are refused --- */

static void refuse_folder(se_status status, const char *file, const char *text,
                          const char *const *words)
{
    se_tokenizer *t = mpnet;
    if (file)
        write_file(file, text);
    assert_int_equal(se_tokenizer_open(folder, &t), status);
    assert_null(t);
    for (; *words; words++)
        if (!strstr(se_message(), *words))
            fail_msg("'%s' does not say '%s'", se_message(), *words);
    if (file)
        remove(in_folder(file));
}

#define REFUSE(status, file, text, ...)                                                            \
    refuse_folder(status, file, text, (const char *const[]){__VA_ARGS__, NULL})

#define NORMALIZER                                                                                 \
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":"    \
    "true,\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":"                 \
    "\"BertPreTokenizer\"}"
#define MODEL                                                                                      \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1,\"b\":2}}"
#define ENDS "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"b\",2]}"

static void test_refused_folders(void **state)
{
    (void)state;
    const char *json = "tokenizer.json";
    REFUSE(SE_ERR_IO, NULL, NULL, folder, "tokenizer.json", "vocab.txt");
    REFUSE(SE_ERR_FORMAT, "merges.txt", "", "merges.txt", "BPE", "WordPiece");
    REFUSE(SE_ERR_FORMAT, "sentencepiece.bpe.model", "", "SentencePiece");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"type\":\"BPE\"}}", json, "BPE", "WordPiece");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"vocab\":{},\"merges\":[]}}", json, "BPE");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"vocab\":[[\"a\",-1.5]]}}", json, "Unigram");
    REFUSE(SE_ERR_FORMAT, json, "{\n\"model\": {,}}", "tokenizer.json:2:", "not JSON");
    REFUSE(SE_ERR_FORMAT, json, "{" MODEL, "not JSON");
    REFUSE(SE_ERR_FORMAT, json, "[]", json, "object");
    REFUSE(SE_ERR_FORMAT, json, "{" MODEL "}", "normalizer", "none", "BertNormalizer");
    REFUSE(SE_ERR_FORMAT, json, "{" MODEL ",\"normalizer\":{\"type\":\"Sequence\"}}", "Sequence");
    REFUSE(SE_ERR_FORMAT, json,
           "{" MODEL ",\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
           "\"handle_chinese_chars\":true,\"lowercase\":false}}",
           "lowercase", "cased");
    REFUSE(SE_ERR_FORMAT, json, "{" MODEL "," NORMALIZER "}", "post_processor", "none");
    REFUSE(SE_ERR_FORMAT, json,
           "{" MODEL "," NORMALIZER ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":"
           "[\"a\",1],\"sep\":[\"b\",7]}}",
           "post_processor", "7");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":-1}}}", "'a'");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1,\"b\":1}}}",
           "same id 1");
    REFUSE(SE_ERR_FORMAT, json, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1}}}",
           "unk_token");
    REFUSE(SE_ERR_FORMAT, json,
           "{" MODEL "," NORMALIZER "," ENDS
           ",\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"single_word\":true}]}",
           "single_word", "'x'");
    REFUSE(SE_ERR_FORMAT, json,
           "{" MODEL "," NORMALIZER "," ENDS
           ",\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"normalized\":true,\"lstrip\":true}]}",
           "'x'", "trim_offsets");
    REFUSE(SE_ERR_FORMAT, "vocab.txt", "a\nb\n", "vocab.txt", "MPNet", "BERT");
    REFUSE(SE_ERR_FORMAT, "vocab.txt", "\n", "vocab.txt", "empty");
    REFUSE(SE_ERR_FORMAT, "vocab.txt", "a\n\xFF\n", "vocab.txt", "line 2", "UTF-8");
}

#define GOOD "{" MODEL "," NORMALIZER "," ENDS ",\"added_tokens\":[{\"id\":3,\"content\":\"x\"}]}"

/* Every beginning of a good file is refused; with one byte changed it is refused or opens. */
static void test_damaged_json(void **state)
{
    char text[] = GOOD;
    uint64_t seed = (uint64_t)time(NULL);
    se_tokenizer *t;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char saved = text[n];
        text[n] = 0;
        REFUSE(SE_ERR_FORMAT, "tokenizer.json", text, "tokenizer.json:", "not JSON");
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[n] = (char)(1 + (seed >> 33) % 255);
        write_file("tokenizer.json", text);
        se_status s = se_tokenizer_open(folder, &t);
        assert_true(s == SE_OK ? t != NULL : s == SE_ERR_FORMAT && !t);
        se_tokenizer_free(t);
        text[n] = saved;
    }
    write_file("tokenizer.json", text);
    must(se_tokenizer_open(folder, &t));
    se_tokenizer_free(t);
    remove(in_folder("tokenizer.json"));
}

/* --- saving, decoding --- */

static void compare_tokenizers(const se_tokenizer *a, const se_tokenizer *b)
{
    assert_int_equal(a->n, b->n);
    for (int32_t i = 0; i < a->n; i++) {
        assert_string_equal(se_tokenizer_token(a, i), se_tokenizer_token(b, i));
        assert_int_equal(se_tokenizer_id(b, se_tokenizer_token(a, i)), i);
        assert_int_equal(se_tokenizer_is_special(a, i), se_tokenizer_is_special(b, i));
    }
    assert_int_equal(se_tokenizer_bos(a), se_tokenizer_bos(b));
    assert_int_equal(se_tokenizer_eos(a), se_tokenizer_eos(b));
    assert_int_equal(se_tokenizer_pad(a), se_tokenizer_pad(b));
    assert_int_equal(se_tokenizer_unk(a), se_tokenizer_unk(b));
    assert_int_equal(se_tokenizer_mask(a), se_tokenizer_mask(b));
}

static void save_and_reopen(const se_tokenizer *t, const char *golden)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "special_tokens_map.json", "vocab.txt"};
    char path[300];
    se_tokenizer *again;
    must(se_tokenizer_save(t, folder, 77));
    for (int pass = 0; pass < 2; pass++) { /* from tokenizer.json, then from vocab.txt */
        must(se_tokenizer_open(folder, &again));
        compare_tokenizers(t, again);
        assert_int_equal(se_tokenizer_max_length(again), 77);
        assert_int_equal(compare_texts(again, golden), 1500);
        se_tokenizer_free(again);
        remove(in_folder("tokenizer.json"));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(in_folder(names[i]));
    snprintf(path, sizeof path, "%s/no/folder", folder);
    assert_int_equal(se_tokenizer_save(t, path, 0), SE_ERR_IO);
    assert_non_null(strstr(se_message(), path));
}

static void test_save(void **state)
{
    (void)state;
    save_and_reopen(mpnet, DATA "mpnet.jsonl.gz");
    save_and_reopen(minilm, DATA "minilm.jsonl.gz");
}

static void decode(const char *text, bool skip, const char *wanted)
{
    char out[200];
    size_t n;
    se_tokens tokens = {0};
    must(se_tokenizer_encode(mpnet, text, strlen(text), 0, &tokens));
    must(se_tokenizer_decode(mpnet, tokens.ids, tokens.n, skip, out, sizeof out, &n));
    assert_string_equal(out, wanted);
    assert_int_equal(n, strlen(wanted));
    must(se_tokenizer_decode(mpnet, tokens.ids, tokens.n, skip, NULL, 0, &n));
    assert_int_equal(n, strlen(wanted));
    must(se_tokenizer_decode(mpnet, tokens.ids, tokens.n, skip, out, 4, &n));
    assert_memory_equal(out, wanted, 3);
    assert_int_equal(out[3], 0);
    se_tokens_free(&tokens);
}

static void test_decode(void **state)
{
    int32_t beyond = 30527;
    size_t n;
    (void)state;
    decode("Hello, unaffable World!", true, "hello, unaffable world!");
    decode("Hello  <mask>.", false, "<s> hello <mask>. </s>");
    decode("don't  (really)", true, "don ' t ( really )");
    assert_int_equal(se_tokenizer_decode(mpnet, &beyond, 1, true, NULL, 0, &n), SE_ERR_ARG);
    assert_non_null(strstr(se_message(), "30527"));
}

/* Added tokens of other folders: with letters, in the normalised text, with white space kept in
 * their offsets. Wanted values are the library's. */
static void test_added_tokens(void **state)
{
    se_tokenizer *t;
    se_tokens tokens = {0};
    const char *text = "xCovid-19Covid COVID-19 \xC2\xA0<m>\t b<n>  a";
    static const int32_t ids[] = {1, 0, 3, 0, 3, 4, 2, 5, 1, 2};
    static const int32_t offsets[] = {0,  0,  0,  1,  1,  9,  9,  14, 15, 23,
                                      23, 28, 30, 31, 31, 36, 36, 37, 0,  0};
    (void)state;
    write_file("tokenizer.json",
               "{" MODEL "," NORMALIZER "," ENDS
               ",\"added_tokens\":[{\"id\":3,\"content\":\"covid-19\",\"normalized\":true},"
               "{\"id\":4,\"content\":\"<m>\",\"lstrip\":true},"
               "{\"id\":5,\"content\":\"<n>\",\"rstrip\":true}]}");
    must(se_tokenizer_open(folder, &t));
    must(se_tokenizer_encode(t, text, strlen(text), 0, &tokens));
    assert_int_equal(tokens.n, sizeof ids / sizeof *ids);
    assert_memory_equal(tokens.ids, ids, sizeof ids);
    assert_memory_equal(tokens.offsets, offsets, sizeof offsets);
    se_tokens_free(&tokens);
    se_tokenizer_free(t);
    remove(in_folder("tokenizer.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_folders),
        cmocka_unit_test(test_damaged_json),
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_added_tokens),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
