/* The tokenizer against what the `tokenizers` library gives (tests/data/tokenizer), and its
 * behaviour on bad input. Usage: test_tokenizer [SEED]. */
#define _POSIX_C_SOURCE 200809L
#include "tokenizer_help.h"

#include <time.h>

#define FUZZ_SECONDS 2.0

static uint64_t seed;

/* --- golden texts --- */

static void test_texts(void **state)
{
    (void)state;
    assert_int_equal(compare_texts(mpnet, DATA "mpnet.jsonl.gz"), 1500);
    assert_int_equal(compare_texts(minilm, DATA "minilm.jsonl.gz"), 1500);
    assert_int_equal(compare_texts(mpnet, DATA "random.jsonl.gz"), 1000);
}

static void encode_row_pair(const se_tokenizer *t, const json_t *row, se_tokens *out)
{
    const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
    must(se_tokenizer_encode_pair(t, json_string_value(a), json_string_length(a),
                                  json_string_value(b), json_string_length(b),
                                  (int32_t)json_integer_value(json_object_get(row, "max")), out));
}

static void compare_types(const json_t *types, const se_tokens *got)
{
    for (int64_t i = 0; i < got->n; i++)
        assert_int_equal(json_integer_value(json_array_get(types, (size_t)i)), got->types[i]);
}

static void test_pairs(void **state)
{
    char *all = read_gz(DATA "pairs.jsonl.gz"), *rest = all, *line;
    se_tokens tokens = {0};
    int count = 0;
    (void)state;
    while ((line = next_line(&rest))) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        encode_row_pair(mpnet, row, &tokens);
        compare_row(line, json_object_get(row, "ids"), json_object_get(row, "offsets"), &tokens);
        compare_types(json_object_get(row, "type_ids"), &tokens);
        encode_row_pair(minilm, row, &tokens);
        compare_row(line, json_object_get(row, "minilm_ids"),
                    json_object_get(row, "minilm_offsets"), &tokens);
        compare_types(json_object_get(row, "minilm_type_ids"), &tokens);
        json_decref(row);
        count++;
    }
    assert_int_equal(count, 50);
    free(all);
    all = rest = read_gz(DATA "truncated_pairs.jsonl.gz");
    for (count = 0; (line = next_line(&rest)); count++) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        encode_row_pair(mpnet, row, &tokens);
        compare_row(line, json_object_get(row, "ids"), json_object_get(row, "offsets"), &tokens);
        json_decref(row);
    }
    assert_int_equal(count, 200);
    free(all);
    se_tokens_free(&tokens);
}

/* --- every code point --- */

/* "a" + c + "b"; returns the bytes. */
static size_t between_letters(uint32_t c, uint8_t *text)
{
    text[0] = 'a';
    size_t n = 1 + (size_t)se_utf8_write(c, text + 1);
    text[n] = 'b';
    return n + 1;
}

static int32_t minilm_id(int32_t id)
{
    return id == 0 ? 101 : id == 2 ? 102 : id == 104 ? 100 : id - 4;
}

static void compare_code_point(uint32_t c, const int32_t *ids, int64_t n, se_tokens *tokens)
{
    uint8_t text[8];
    size_t bytes = between_letters(c, text);
    must(se_tokenizer_encode(mpnet, (char *)text, bytes, 0, tokens));
    if (tokens->n != n || memcmp(tokens->ids, ids, (size_t)n * sizeof *ids) != 0)
        fail_msg("U+%04X: other ids with MPNet's vocabulary", (unsigned)c);
    must(se_tokenizer_encode(minilm, (char *)text, bytes, 0, tokens));
    assert_int_equal(tokens->n, n);
    for (int64_t i = 0; i < n; i++)
        if (tokens->ids[i] != minilm_id(ids[i]))
            fail_msg("U+%04X: other ids with MiniLM's vocabulary", (unsigned)c);
}

static void test_code_point_ids(void **state)
{
    char *all = read_gz(DATA "codepoints_mpnet.tsv.gz"), *rest = all, *line;
    se_tokens tokens = {0};
    int64_t points = 0;
    (void)state;
    while ((line = next_line(&rest))) {
        uint32_t first = (uint32_t)strtoul(line, &line, 16);
        uint32_t last = (uint32_t)strtoul(line, &line, 16);
        int32_t ids[8], n = 0;
        while (*line && n < 8)
            ids[n++] = (int32_t)strtol(line, &line, 10);
        for (uint32_t c = first; c <= last; c++) {
            if (c >= 0xD800 && c <= 0xDFFF)
                continue;
            compare_code_point(c, ids, n, &tokens);
            points++;
        }
    }
    assert_int_equal(points, 0x110000 - 1 - 2048);
    free(all);
    se_tokens_free(&tokens);
}

/* What the file's notation for the normalised text of c stands for; returns the length. */
static int64_t shown_text(const char *shown, uint32_t c, uint32_t *out)
{
    int64_t n = 0;
    if (*shown == '-')
        return 0;
    if (*shown == '=')
        out[n++] = c;
    else if (*shown == 'c') {
        out[n++] = ' ';
        out[n++] = c;
        out[n++] = ' ';
    } else
        for (char *end; n < 3; shown = end) {
            uint32_t value = (uint32_t)strtoul(shown, &end, 16);
            if (end == shown)
                break;
            out[n++] = value;
        }
    return n;
}

static void compare_normalized(uint32_t c, const char *shown, char split)
{
    uint32_t wanted[5] = {'a'}, chars[8], sources[8], spare[8];
    uint8_t text[8];
    size_t bytes = between_letters(c, text), bad;
    int32_t length;
    int64_t n = 1 + shown_text(shown, c, wanted + 1);
    wanted[n++] = 'b';
    assert_int_equal(se_normalize(text, bytes, chars, sources, spare, &length, &bad), n);
    assert_int_equal(length, 3);
    assert_memory_equal(chars, wanted, (size_t)n * sizeof *wanted);
    n = se_normalize(text + 1, bytes - 2, chars, sources, spare, &length, &bad);
    assert_memory_equal(chars, wanted + 1, (size_t)n * sizeof *wanted);
    se_char_class class = se_char_class_of(c); /* asked only about what normalising leaves */
    if ((*shown == '=' || *shown == 'c') && class != (split == 'w'   ? SE_CHAR_WORD
                                                      : split == 'p' ? SE_CHAR_PUNCTUATION
                                                                     : SE_CHAR_SPACE))
        fail_msg("U+%04X is split otherwise", (unsigned)c);
}

static void test_code_point_normalizer(void **state)
{
    char *all = read_gz(DATA "codepoints_normalizer.tsv.gz"), *rest = all, *line;
    int64_t points = 0;
    (void)state;
    while ((line = next_line(&rest))) {
        uint32_t first = (uint32_t)strtoul(line, &line, 16);
        uint32_t last = (uint32_t)strtoul(line, &line, 16);
        for (uint32_t c = first; c <= last; c++) {
            if (c >= 0xD800 && c <= 0xDFFF)
                continue;
            compare_normalized(c, line + 1, line[strlen(line) - 1]);
            points++;
        }
    }
    assert_int_equal(points, 0x110000 - 1 - 2048);
    free(all);
}

/* --- truncation, batches --- */

static void test_truncation(void **state)
{
    const char *text = "the cat sat, and unaffable dogs; running xyzzyq\xE2\x80\x94 caf\xC3\xA9!";
    se_tokens all = {0}, cut = {0};
    (void)state;
    must(se_tokenizer_encode(mpnet, text, strlen(text), 0, &all));
    assert_true(all.n > 15);
    for (int32_t max = 2; max < all.n + 3; max++) {
        must(se_tokenizer_encode(mpnet, text, strlen(text), max, &cut));
        int64_t kept = max < all.n ? max : all.n;
        assert_int_equal(cut.n, kept);
        assert_int_equal(cut.cut, all.n - kept);
        assert_memory_equal(cut.ids, all.ids, (size_t)(kept - 1) * sizeof *all.ids);
        assert_memory_equal(cut.offsets, all.offsets, (size_t)(kept - 1) * 2 * sizeof *all.ids);
        assert_int_equal(cut.ids[kept - 1], se_tokenizer_eos(mpnet));
        assert_int_equal(cut.offsets[2 * kept - 1], 0);
    }
    assert_int_equal(se_tokenizer_encode(mpnet, text, 3, 1, &cut), SE_ERR_ARG);
    assert_int_equal(se_tokenizer_encode_pair(mpnet, text, 3, text, 3, 3, &cut), SE_ERR_ARG);
    assert_int_equal(se_tokenizer_encode_pair(mpnet, text, 3, text, 3, 4, &cut), SE_OK);
    assert_int_equal(cut.n, 4);
    assert_int_equal(cut.cut, 2);
    se_tokens_free(&all);
    se_tokens_free(&cut);
}

static void compare_batch(const se_token_batch *batch, const char *const *texts,
                          const size_t *bytes, int64_t n, int32_t max)
{
    se_tokens tokens = {0};
    int64_t at = 0, cut = 0, n_cut = 0;
    assert_int_equal(batch->n, n);
    for (int64_t i = 0; i < n; i++, at += tokens.n) {
        must(se_tokenizer_encode(mpnet, texts[i], bytes[i], max, &tokens));
        assert_int_equal(batch->starts[i], at);
        assert_int_equal(batch->cuts[i], tokens.cut);
        assert_memory_equal(batch->ids + at, tokens.ids, (size_t)tokens.n * sizeof *tokens.ids);
        if (batch->offsets)
            assert_memory_equal(batch->offsets + 2 * at, tokens.offsets,
                                (size_t)tokens.n * 2 * sizeof *tokens.ids);
        cut += tokens.cut;
        n_cut += tokens.cut > 0;
    }
    assert_int_equal(batch->total, at);
    assert_int_equal(batch->starts[n], at);
    assert_int_equal(batch->cut, cut);
    assert_int_equal(batch->n_cut, n_cut);
    se_tokens_free(&tokens);
}

static void test_batch(void **state)
{
    char *all = read_gz(DATA "mpnet.jsonl.gz"), *rest = all, *line;
    const char *texts[1500];
    size_t bytes[1500];
    int64_t n = 0;
    se_token_batch batch = {0};
    (void)state;
    while ((line = next_line(&rest))) { /* the JSON lines themselves are good long texts */
        texts[n] = line;
        bytes[n++] = strlen(line);
    }
    for (int threads = 1; threads <= 5; threads++) {
        se_threads_set(threads);
        must(se_tokenizer_encode_batch(mpnet, texts, bytes, n, 64, threads & 1, &batch));
        assert_int_equal(batch.offsets != NULL, threads & 1);
        compare_batch(&batch, texts, bytes, n, 64);
        bytes[700] = bytes[701] = 2;
        const char *good[2] = {texts[700], texts[701]};
        texts[700] = texts[701] = "a\xFF";
        assert_int_equal(se_tokenizer_encode_batch(mpnet, texts, bytes, n, 0, false, &batch),
                         SE_ERR_FORMAT);
        assert_string_equal(se_message(), "text 700 of the batch: tokenizer: the text is not UTF-8:"
                                          " byte 0xFF at offset 1");
        for (int i = 0; i < 2; i++)
            bytes[700 + i] = strlen(texts[700 + i] = good[i]);
    }
    se_threads_set(0);
    must(se_tokenizer_encode_batch(mpnet, texts, bytes, 0, 64, true, &batch));
    compare_batch(&batch, texts, bytes, 0, 64);
    se_token_batch_free(&batch);
    free(all);
}

/* --- bad text --- */

static void refuse_text(const char *text, size_t bytes, size_t offset)
{
    char wanted[160];
    se_tokens tokens = {0};
    snprintf(wanted, sizeof wanted, "tokenizer: the text is not UTF-8: byte 0x%02X at offset %zu",
             (unsigned)(uint8_t)text[offset], offset);
    assert_int_equal(se_tokenizer_encode(mpnet, text, bytes, 4, &tokens), SE_ERR_FORMAT);
    assert_string_equal(se_message(), wanted);
    se_tokens_free(&tokens);
}

static void test_not_utf8(void **state)
{
    (void)state;
    refuse_text("one two three four five \x80", 25, 24);
    refuse_text("caf\xC3", 4, 3);
    refuse_text("x \xC0\x80", 4, 2);             /* overlong */
    refuse_text("x\xED\xA0\x80", 4, 1);          /* a surrogate */
    refuse_text("\xF4\x90\x80\x80", 4, 0);       /* past 10FFFF */
    refuse_text("\xE2\x82<s>", 5, 0);            /* cut off by an added token */
    refuse_text("\xF0\x9D\x85\xA5 a\xE3", 7, 6); /* behind a mark that stays */
    refuse_text("\xF0\x9D\x85\xA5\xE3z", 6, 4);
}

static void test_questions(void **state)
{
    (void)state;
    assert_int_equal(se_tokenizer_vocab_size(mpnet), 30527);
    assert_int_equal(se_tokenizer_bos(mpnet), 0);
    assert_int_equal(se_tokenizer_pad(mpnet), 1);
    assert_int_equal(se_tokenizer_eos(mpnet), 2);
    assert_int_equal(se_tokenizer_unk(mpnet), 104);
    assert_int_equal(se_tokenizer_mask(mpnet), 30526);
    assert_int_equal(se_tokenizer_vocab_size(minilm), 30522);
    assert_int_equal(se_tokenizer_bos(minilm), 101);
    assert_int_equal(se_tokenizer_pad(minilm), 0);
    assert_null(se_tokenizer_token(mpnet, -1));
    assert_null(se_tokenizer_token(mpnet, 30527));
    assert_int_equal(se_tokenizer_id(mpnet, "no such token"), -1);
    assert_false(se_tokenizer_is_special(mpnet, 2000));
}

/* --- random texts --- */

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

static size_t random_text(char *text, size_t capacity)
{
    static const char *const pieces[] = {"the ",
                                         "unaffable",
                                         "<mask>",
                                         "<unk>",
                                         "<UNK>",
                                         "</s>",
                                         "[UNK]",
                                         " ",
                                         "\n",
                                         "'",
                                         "don't",
                                         "\xC3\xA9",
                                         "e\xCC\x81",
                                         "\xED\x95\x9C",
                                         "\xE4\xB8\xAD",
                                         "\xE2\x80\x8B",
                                         "\xF0\x9F\x98\x80",
                                         "\xF0\x9D\x85\x9F",
                                         "\xE3\x80\xAE",
                                         "\xE1\xAD\x84",
                                         "\xC2\xA0",
                                         "\xFF",
                                         "<",
                                         "K",
                                         "##ing"};
    size_t n = 0, wanted = draw(200);
    bool bytes = draw(8) == 0;
    while (n < wanted) {
        if (bytes || draw(50) == 0) {
            text[n++] = (char)draw(256);
        } else if (draw(3) == 0) {
            uint32_t c = draw(draw(2) ? 128 : 0x110000);
            n += (size_t)se_utf8_write(c >= 0xD800 && c <= 0xDFFF ? 'x' : c, (uint8_t *)text + n);
        } else {
            const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
    }
    assert_true(n < capacity);
    return n;
}

static void check_against_slow(const se_tokenizer *slow, const char *text, size_t bytes,
                               se_tokens *a, se_tokens *b)
{
    uint32_t c;
    size_t valid = 0;
    int32_t length = 0;
    for (int n; (n = se_utf8_read((const uint8_t *)text + valid, bytes - valid, &c)); length++)
        valid += (size_t)n;
    se_status s = se_tokenizer_encode(mpnet, text, bytes, 0, a);
    assert_int_equal(s, valid == bytes ? SE_OK : SE_ERR_FORMAT);
    if (s) {
        refuse_text(text, bytes, valid);
        return;
    }
    must(se_tokenizer_encode(slow, text, bytes, 0, b));
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->ids, b->ids, (size_t)a->n * sizeof *a->ids);
    assert_memory_equal(a->offsets, b->offsets, (size_t)a->n * 2 * sizeof *a->ids);
    for (int64_t i = 1; i + 1 < a->n; i++) {
        assert_in_range(a->ids[i], 0, 30526);
        assert_true(a->offsets[2 * i] < a->offsets[2 * i + 1] && a->offsets[2 * i + 1] <= length);
        assert_true(i == 1 || a->offsets[2 * i] >= a->offsets[2 * i - 2]);
    }
}

/* The quick path must agree with sending everything through se_normalize, whole texts at a time. */
static void test_random(void **state)
{
    char text[400];
    se_tokens a = {0}, b = {0};
    se_tokenizer slow = *mpnet;
    int64_t count = 0;
    (void)state;
    for (int i = 0; i < 256; i++)
        slow.byte_class[i] = (uint8_t)((slow.byte_class[i] & ~SE_BYTE_KIND) | SE_BYTE_SLOW);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (double end = se_seconds() + FUZZ_SECONDS; se_seconds() < end; count++) {
        size_t n = random_text(text, sizeof text);
        char *copy = malloc(n ? n : 1); /* of its exact size, so that a sanitizer sees the end */
        memcpy(copy, text, n);
        check_against_slow(&slow, copy, n, &a, &b);
        free(copy);
    }
    print_message("%lld random texts\n", (long long)count);
    se_tokens_free(&a);
    se_tokens_free(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),          cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_code_point_ids), cmocka_unit_test(test_code_point_normalizer),
        cmocka_unit_test(test_truncation),     cmocka_unit_test(test_batch),
        cmocka_unit_test(test_not_utf8),       cmocka_unit_test(test_questions),
        cmocka_unit_test(test_random),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
