/* What the tokenizer's tests share: two vocabularies, a temporary folder, golden texts. The
 * including file defines _POSIX_C_SOURCE 200809L before its first include. */
#ifndef TOKENIZER_HELP_H
#define TOKENIZER_HELP_H

#include "tokenizer_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DATA SE_TEST_DATA "/tokenizer/"
#define VOCAB SE_SOURCE_DIR "/recipes/data/vocab.txt"

static se_tokenizer *mpnet, *minilm;
static char folder[] = "/tmp/sembed_tokenizer_XXXXXX";

static inline void must(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static inline char *read_gz(const char *path)
{
    gzFile f = gzopen(path, "rb");
    size_t n = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    int got;
    if (!f)
        fail_msg("%s is missing", path);
    while ((got = gzread(f, text + n, (unsigned)(capacity - 1 - n))) > 0)
        if ((n += (size_t)got) + 1 == capacity)
            text = realloc(text, capacity *= 2);
    assert_int_equal(got, 0);
    gzclose(f);
    text[n] = 0;
    return text;
}

/* Cuts off the next line; NULL at the end. */
static inline char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (!*line)
        return NULL;
    *rest = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    return line;
}

static inline const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void compare_row(const char *place, const json_t *ids, const json_t *offsets,
                               const se_tokens *got)
{
    int64_t n = (int64_t)json_array_size(ids);
    if (n != got->n)
        fail_msg("%s: %lld tokens, wanted %lld", place, (long long)got->n, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(offsets, (size_t)i);
        if (got->ids[i] != json_integer_value(json_array_get(ids, (size_t)i)) ||
            got->offsets[2 * i] != json_integer_value(json_array_get(o, 0)) ||
            got->offsets[2 * i + 1] != json_integer_value(json_array_get(o, 1)))
            fail_msg("%s: token %lld is %d [%d, %d]", place, (long long)i, (int)got->ids[i],
                     (int)got->offsets[2 * i], (int)got->offsets[2 * i + 1]);
    }
}

static inline int compare_texts(const se_tokenizer *t, const char *path)
{
    char *all = read_gz(path), *rest = all, *line, place[300];
    se_tokens tokens = {0};
    int count = 0;
    while ((line = next_line(&rest))) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *text = json_object_get(row, "text");
        assert_non_null(text);
        snprintf(place, sizeof place, "%s:%d", path, ++count);
        must(se_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &tokens));
        compare_row(place, json_object_get(row, "ids"), json_object_get(row, "offsets"), &tokens);
        json_decref(row);
    }
    free(all);
    se_tokens_free(&tokens);
    return count;
}

/* MiniLM's vocabulary is a part of MPNet's: lines 5 to 30,526. */
static inline void make_minilm(void)
{
    char *all = read_gz(VOCAB), *rest = all, *line;
    FILE *f = fopen(in_folder("minilm.txt"), "wb");
    assert_non_null(f);
    for (int number = 1; (line = next_line(&rest)); number++)
        if (number >= 5 && number <= 30526)
            fprintf(f, "%s\n", line);
    fclose(f);
    free(all);
    must(se_tokenizer_from_vocab(in_folder("minilm.txt"), &minilm));
    remove(in_folder("minilm.txt"));
}

static inline int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    must(se_tokenizer_from_vocab(VOCAB, &mpnet));
    make_minilm();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    se_tokenizer_free(mpnet);
    se_tokenizer_free(minilm);
    return rmdir(folder); /* fails when a test left something behind */
}

#endif
