/* How fast the tokenizer is: one pass over the texts of a jsonl(.gz) file of pairs.
 *
 *     tokenizer_rate VOCAB_OR_FOLDER PAIRS.jsonl.gz [ROUNDS]
 *
 * prints MB/s and tokens of each round, with one thread and with all. With ROUNDS 0 it waits for a
 * line of standard input before each one-thread pass, which lets bench/tokenizer_rate.py take turns
 * with another tokenizer. */
#include "tokenizer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct texts {
    char **text;
    size_t *bytes, total;
    int64_t n, capacity;
} texts;

static void add(texts *t, const json_t *value)
{
    if (!json_is_string(value))
        return;
    if (t->n == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 1024;
        t->text = realloc(t->text, (size_t)t->capacity * sizeof *t->text);
        t->bytes = realloc(t->bytes, (size_t)t->capacity * sizeof *t->bytes);
    }
    size_t n = json_string_length(value);
    t->text[t->n] = malloc(n + 1);
    memcpy(t->text[t->n], json_string_value(value), n + 1);
    t->bytes[t->n++] = n;
    t->total += n;
}

static bool read_texts(const char *path, texts *t)
{
    static char line[1 << 20];
    gzFile f = gzopen(path, "rb");
    while (f && gzgets(f, line, sizeof line)) {
        json_t *row = json_loads(line, 0, NULL);
        add(t, json_object_get(row, "context"));
        add(t, json_object_get(row, "response"));
        json_decref(row);
    }
    if (f)
        gzclose(f);
    return t->n > 0;
}

static void pass(const se_tokenizer *t, const texts *x, int threads, se_token_batch *batch)
{
    se_threads_set(threads);
    double start = se_seconds();
    if (se_tokenizer_encode_batch(t, (const char *const *)x->text, x->bytes, x->n, 0, true,
                                  batch)) {
        fprintf(stderr, "%s\n", se_message());
        exit(1);
    }
    double seconds = se_seconds() - start;
    printf("threads %d MB/s %.2f tokens %lld seconds %.6f\n", se_threads(),
           (double)x->total / 1e6 / seconds, (long long)batch->total, seconds);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    texts x = {0};
    se_tokenizer *t;
    se_token_batch batch = {0};
    char line[64];
    if (argc < 3) {
        fprintf(stderr, "usage: tokenize VOCAB_OR_FOLDER PAIRS.jsonl.gz [ROUNDS]\n");
        return 2;
    }
    const char *dot = strrchr(argv[1], '.');
    if (dot && strcmp(dot, ".txt") == 0 ? se_tokenizer_from_vocab(argv[1], &t)
                                        : se_tokenizer_open(argv[1], &t)) {
        fprintf(stderr, "%s\n", se_message());
        return 1;
    }
    if (!read_texts(argv[2], &x)) {
        fprintf(stderr, "%s: no texts\n", argv[2]);
        return 1;
    }
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    if (rounds == 0)
        while (fgets(line, sizeof line, stdin))
            pass(t, &x, 1, &batch);
    for (int i = 0; i < rounds; i++) {
        pass(t, &x, 1, &batch);
        pass(t, &x, 0, &batch);
    }
    for (int64_t i = 0; i < x.n; i++)
        free(x.text[i]);
    free(x.text);
    free(x.bytes);
    se_token_batch_free(&batch);
    se_tokenizer_free(t);
    return 0;
}
