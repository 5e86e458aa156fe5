#include "tokenizer_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

static se_status open_for_writing(const char *folder, const char *name, char *path, FILE **out)
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (n < 0 || n >= PATH_BYTES)
        return se_fail(SE_ERR_ARG, "tokenizer: the path %.60s... is too long", folder);
    *out = fopen(path, "wb");
    return *out ? SE_OK : se_fail(SE_ERR_IO, "%s: %s", path, strerror(errno));
}

static se_status close_written(FILE *f, const char *path)
{
    bool broken = ferror(f) != 0;
    int error = errno;
    if (fclose(f) != 0 && !broken) {
        broken = true;
        error = errno;
    }
    return broken ? se_fail(SE_ERR_IO, "%s: cannot write: %s", path, strerror(error)) : SE_OK;
}

/* Takes over `root`; NULL means that making it ran out of memory. */
static se_status write_json(const char *folder, const char *name, json_t *root, size_t flags)
{
    char path[PATH_BYTES];
    FILE *f;
    se_status s = root ? SE_OK : se_fail(SE_ERR_MEMORY, "%s/%s: out of memory", folder, name);
    if (!s)
        s = open_for_writing(folder, name, path, &f);
    if (!s) {
        json_dumpf(root, f, flags);
        fputc('\n', f);
        s = close_written(f, path);
    }
    json_decref(root);
    return s;
}

static const char *name_of(const se_tokenizer *t, int32_t id)
{
    return se_tokenizer_token(t, id);
}

/* --- tokenizer.json --- */

static json_t *added_tokens(const se_tokenizer *t)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < t->n_added; i++) {
        const se_added_token *a = &t->added[i];
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)a->id,
                                        "content", a->text, "single_word", 0, "lstrip",
                                        (int)a->lstrip, "rstrip", (int)a->rstrip, "normalized",
                                        (int)(a->chars != NULL), "special", (int)a->special));
    }
    return list;
}

static json_t *text_piece(const char *text, int type)
{
    return json_pack("{s:{s:s, s:i}}", "Sequence", "id", text, "type_id", type);
}

static json_t *token_piece(const char *token, int type)
{
    return json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", token, "type_id", type);
}

static json_t *post_processor(const se_tokenizer *t)
{
    const char *bos = name_of(t, t->bos), *eos = name_of(t, t->eos);
    if (t->roberta)
        return json_pack("{s:s, s:[s, i], s:[s, i], s:b, s:b}", "type", "RobertaProcessing", "sep",
                         eos, (int)t->eos, "cls", bos, (int)t->bos, "trim_offsets",
                         (int)t->trim_offsets, "add_prefix_space", 0);
    int type = (int)t->pair_type;
    json_t *pair =
        json_pack("[o, o, o]", token_piece(bos, 0), text_piece("A", 0), token_piece(eos, 0));
    if (t->pair_separators == 2)
        json_array_append_new(pair, token_piece(eos, type));
    json_array_append_new(pair, text_piece("B", type));
    json_array_append_new(pair, token_piece(eos, type));
    return json_pack("{s:s, s:[o, o, o], s:o, s:{s:{s:s, s:[i], s:[s]}, s:{s:s, s:[i], s:[s]}}}",
                     "type", "TemplateProcessing", "single", token_piece(bos, 0),
                     text_piece("A", 0), token_piece(eos, 0), "pair", pair, "special_tokens", bos,
                     "id", bos, "ids", (int)t->bos, "tokens", bos, eos, "id", eos, "ids",
                     (int)t->eos, "tokens", eos);
}

static json_t *model(const se_tokenizer *t)
{
    json_t *vocab = json_object();
    for (int32_t i = 0; i < t->n; i++)
        if (t->token[i] && t->in_model[i])
            json_object_set_new(vocab, t->token[i], json_integer(i));
    return json_pack("{s:s, s:s, s:s, s:i, s:o}", "type", "WordPiece", "unk_token",
                     name_of(t, t->unk), "continuing_subword_prefix", "##",
                     "max_input_chars_per_word", (int)t->max_word_chars, "vocab", vocab);
}

static json_t *tokenizer_json(const se_tokenizer *t)
{
    return json_pack(
        "{s:s, s:n, s:n, s:o, s:{s:s, s:b, s:b, s:n, s:b}, s:{s:s}, s:o, s:{s:s, s:s, s:b}, s:o}",
        "version", "1.0", "truncation", "padding", "added_tokens", added_tokens(t), "normalizer",
        "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", 1, "strip_accents",
        "lowercase", 1, "pre_tokenizer", "type", "BertPreTokenizer", "post_processor",
        post_processor(t), "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1, "model",
        model(t));
}

/* --- the small files --- */

static void set_name(const se_tokenizer *t, json_t *object, const char *key, int32_t id)
{
    if (id >= 0)
        json_object_set_new(object, key, json_string(name_of(t, id)));
}

static bool is_mpnet(const se_tokenizer *t)
{
    return strcmp(name_of(t, t->bos), "<s>") == 0;
}

static json_t *special_tokens_map(const se_tokenizer *t)
{
    json_t *map = json_object();
    if (is_mpnet(t)) {
        set_name(t, map, "bos_token", t->bos);
        set_name(t, map, "eos_token", t->eos);
    }
    set_name(t, map, "unk_token", t->unk);
    set_name(t, map, "sep_token", t->eos);
    set_name(t, map, "pad_token", t->pad);
    set_name(t, map, "cls_token", t->bos);
    set_name(t, map, "mask_token", t->mask);
    for (int32_t i = 0; i < t->n_added; i++) {
        const se_added_token *a = &t->added[i];
        if (a->id == t->mask && a->lstrip)
            json_object_set_new(map, "mask_token",
                                json_pack("{s:s, s:b, s:b, s:b, s:b}", "content", a->text, "lstrip",
                                          1, "normalized", (int)(a->chars != NULL), "rstrip",
                                          (int)a->rstrip, "single_word", 0));
    }
    return map;
}

static json_t *tokenizer_config(const se_tokenizer *t, int32_t max_length)
{
    json_t *config = json_pack("{s:b, s:b, s:n, s:s}", "do_lower_case", 1, "tokenize_chinese_chars",
                               1, "strip_accents", "tokenizer_class",
                               is_mpnet(t) ? "MPNetTokenizer" : "BertTokenizer");
    if (is_mpnet(t)) {
        set_name(t, config, "bos_token", t->bos);
        set_name(t, config, "eos_token", t->eos);
    }
    set_name(t, config, "unk_token", t->unk);
    set_name(t, config, "sep_token", t->eos);
    set_name(t, config, "pad_token", t->pad);
    set_name(t, config, "cls_token", t->bos);
    set_name(t, config, "mask_token", t->mask);
    if (max_length > 0)
        json_object_set_new(config, "model_max_length", json_integer(max_length));
    return config;
}

static se_status write_vocab(const se_tokenizer *t, const char *folder)
{
    char path[PATH_BYTES];
    FILE *f;
    int32_t n = t->n;
    se_status s = open_for_writing(folder, "vocab.txt", path, &f);
    if (s)
        return s;
    while (n && !(t->token[n - 1] && t->in_model[n - 1]))
        n--; /* added tokens behind the vocabulary are in tokenizer.json alone */
    for (int32_t i = 0; i < n; i++)
        fprintf(f, "%s\n", t->token[i] ? t->token[i] : "");
    return close_written(f, path);
}

se_status se_tokenizer_save(const se_tokenizer *t, const char *folder, int32_t max_seq_length)
{
    int32_t max_length = max_seq_length > 0 ? max_seq_length : t->max_length;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return se_fail(SE_ERR_IO, "%s: cannot make the folder: %s", folder, strerror(errno));
    se_status s = write_json(folder, "tokenizer.json", tokenizer_json(t), JSON_INDENT(2));
    if (!s)
        s = write_json(folder, "tokenizer_config.json", tokenizer_config(t, max_length),
                       JSON_INDENT(2));
    if (!s)
        s = write_json(folder, "special_tokens_map.json", special_tokens_map(t), JSON_INDENT(2));
    if (!s)
        s = write_vocab(t, folder);
    return s;
}
