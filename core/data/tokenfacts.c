/* What a token file is made of, as text that two files can be told apart by. */
#include "data/hash.h"
#include "data/tokenlayout.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tells tokenizers apart that give other ids: by their vocabulary, the tokens around a text, and
 * what they make of a text with marks, widths, cases, ideographs and controls. */
static se_status fingerprint(const se_tokenizer *t, char out[17])
{
    static const char probe[] =
        "Caf\xc3\xa9 \xef\xbc\xa1\xe4\xbd\xa0\xc4\xb0\xcc\x87 don't<mask> "
        "\xe2\x80\x8b[UNK]<unk> \xc2\xa0\xe2\x80\x94 \xf0\x9f\x99\x82 STRA\xc3\x9f"
        "E\x01x";
    const int32_t special[] = {se_tokenizer_bos(t), se_tokenizer_eos(t), se_tokenizer_pad(t),
                               se_tokenizer_unk(t), se_tokenizer_mask(t)};
    uint64_t h = se_hash_text(special, sizeof special, 0);
    for (int32_t i = 0; i < se_tokenizer_vocab_size(t); i++) {
        const char *word = se_tokenizer_token(t, i);
        h = se_hash_text(word ? word : "", word ? strlen(word) + 1 : 0, h);
    }
    se_tokens tokens = {0};
    se_status s = se_tokenizer_encode(t, probe, sizeof probe - 1, 0, &tokens);
    if (s == SE_OK)
        h = se_hash_text(tokens.ids, (size_t)tokens.n * sizeof *tokens.ids, h);
    se_tokens_free(&tokens);
    snprintf(out, 17, "%016" PRIx64, h);
    return s;
}

/* A file's size and time, under keys with `more` behind them; its absolute path, freed by
 * se_io_free. */
static se_status put_file(se_json *x, const char *file, const char *more, char **path)
{
    char size[16], time[16];
    se_file_info info;
    se_status s = se_file_absolute(file, path);
    if (s != SE_OK)
        return s;
    se_file_look(*path, &info);
    snprintf(size, sizeof size, "size%s", more);
    snprintf(time, sizeof time, "time%s", more);
    s = se_json_set(x, size, se_json_of_integer(info.size));
    return s == SE_OK ? se_json_set(x, time, se_json_of_number(info.mtime)) : s;
}

static se_status put_files(se_json *x, const char *left, const char *right)
{
    char *path[2] = {0}, *start = NULL, *both = NULL;
    se_status s = put_file(x, left, "", &path[0]);
    if (s == SE_OK && right)
        s = put_file(x, right, "_right", &path[1]);
    if (s == SE_OK && right) {
        start = se_path_with(path[0], "+");
        both = start ? se_path_with(start, path[1]) : NULL;
        s = both ? SE_OK : SE_ERR_MEMORY;
    }
    const char *whole = both ? both : path[0];
    if (s == SE_OK)
        s = se_json_set(x, "path", se_json_of_string(whole, strlen(whole)));
    free(start);
    free(both);
    se_io_free(path[0]);
    se_io_free(path[1]);
    return s;
}

se_status se_token_source(const char *file, se_json **out)
{
    char *left = NULL, *right = NULL;
    se_json *x = se_json_new_object();
    se_status s = x ? se_source_split(file, &left, &right) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = strcmp(file, "-") == 0 ? se_json_set(x, "path", se_json_of_string(file, 1))
                                   : put_files(x, left, right);
    free(left);
    free(right);
    if (s != SE_OK) {
        se_json_free(x);
        x = NULL;
    }
    *out = x;
    return s;
}

static se_status add_source(se_json *list, const char *file)
{
    se_json *x;
    se_status s = se_token_source(file, &x);
    return s == SE_OK ? se_json_append(list, x) : s;
}

static se_status list_of(int32_t n, const char *const *names, bool sources, se_json **out)
{
    se_json *list = se_json_new_array();
    se_status s = list ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n; i++)
        s = sources ? add_source(list, names[i])
                    : se_json_append(list, se_json_of_string(names[i], strlen(names[i])));
    if (s != SE_OK) {
        se_json_free(list);
        list = NULL;
    }
    *out = list;
    return s;
}

static se_status put_list(se_json *v, const char *key, int32_t n, const char *const *names,
                          bool sources)
{
    se_json *list;
    se_status s = list_of(n, names, sources, &list);
    return s == SE_OK ? se_json_set(v, key, list) : s;
}

se_status se_token_line(const se_json *v, char **out)
{
    char *text;
    size_t bytes;
    se_status s = se_json_dump(v, 0, false, &text, &bytes);
    if (s != SE_OK)
        return s;
    *out = se_path_with(text, "\n");
    se_io_free(text);
    return *out ? SE_OK : SE_ERR_MEMORY;
}

se_status se_token_facts(const se_token_inputs *in, char **out)
{
    char print[17];
    *out = NULL;
    se_status s = fingerprint(in->tokenizer, print);
    if (s != SE_OK)
        return s;
    se_json *v = se_json_new_object();
    s = v ? put_list(v, "sources", in->n_files, in->files, true) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = put_list(v, "columns", in->n_columns, in->columns, false);
    if (s == SE_OK)
        s = se_json_set(v, "tokenizer", se_json_of_string(print, 16));
    if (s == SE_OK)
        s = se_json_set(v, "length", se_json_of_integer(in->max_tokens));
    if (s == SE_OK)
        s = se_token_line(v, out);
    se_json_free(v);
    return s;
}

/* By the names of a source's file or files, wherever they lie. */
static se_status name_after(const char *file, uint64_t h, char out[128])
{
    char *left, *right;
    se_status s = se_source_split(file, &left, &right);
    if (s == SE_OK)
        snprintf(out, 128, "%.*s%s%.40s-%016" PRIx64 ".tokens", right ? 40 : 80, se_path_name(left),
                 right ? "+" : "", right ? se_path_name(right) : "", h);
    free(left);
    free(right);
    return s;
}

/* The name of the first source, and what does not change when it is written anew; of standard
 * input, which cannot be told from another, this process. */
se_status se_token_name(const se_token_inputs *in, const char *facts, char out[128])
{
    uint64_t h = (uint64_t)in->max_tokens;
    bool standard = false;
    for (int32_t i = 0; i < in->n_files; i++) {
        se_json *x;
        if (strcmp(in->files[i], "-") == 0) {
            standard = true;
            continue;
        }
        se_status s = se_token_source(in->files[i], &x);
        if (s != SE_OK)
            return s;
        const char *path = se_json_string(se_json_get(x, "path"), NULL);
        h = se_hash_text(path, strlen(path) + 1, h);
        se_json_free(x);
    }
    for (int32_t i = 0; i < in->n_columns; i++)
        h = se_hash_text(in->columns[i], strlen(in->columns[i]) + 1, h);
    const char *print = strstr(facts, "\"tokenizer\"");
    h = se_hash_text(print, strlen(print), h);
    if (standard)
        snprintf(out, 128, SE_TOKEN_INPUT "%ld-%016" PRIx64 ".tokens", (long)getpid(), h);
    else
        return name_after(in->files[0], h, out);
    return SE_OK;
}

se_status se_token_names(const se_columns *c, se_json **out)
{
    return list_of(c->n, (const char *const *)c->name, false, out);
}
