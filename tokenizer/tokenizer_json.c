#include "tokenizer_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096

static se_status path_in(char *path, const char *folder, const char *name)
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return n > 0 && n < PATH_BYTES
               ? SE_OK
               : se_fail(SE_ERR_ARG, "tokenizer: the path %.60s... is too long", folder);
}

static bool exists(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    if (path_in(path, folder, name))
        return false;
    FILE *f = fopen(path, "rb");
    if (f)
        fclose(f);
    return f != NULL;
}

/* A whole file with a NUL behind it. */
static se_status read_file(const char *path, char **out, size_t *bytes)
{
    size_t n = 0, capacity = 1 << 16, got;
    FILE *f = fopen(path, "rb");
    char *text = f ? se_malloc(capacity) : NULL;
    if (!f)
        return se_fail(SE_ERR_IO, "%s: %s", path, strerror(errno));
    while (text && (got = fread(text + n, 1, capacity - 1 - n, f)) > 0) {
        n += got;
        if (n + 1 < capacity)
            continue;
        char *more = se_realloc(text, capacity *= 2);
        if (!more)
            free(text);
        text = more;
    }
    int error = ferror(f) ? errno : 0;
    fclose(f);
    if (!text)
        return SE_ERR_MEMORY;
    if (error) {
        free(text);
        return se_fail(SE_ERR_IO, "%s: %s", path, strerror(error));
    }
    text[n] = 0;
    *out = text;
    *bytes = n;
    return SE_OK;
}

static se_status read_json(const char *path, size_t flags, json_t **out)
{
    char *text;
    size_t bytes;
    json_error_t error;
    se_status s = read_file(path, &text, &bytes);
    if (s)
        return s;
    *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | flags, &error);
    free(text);
    if (!*out && !error.text[0]) /* the only failure that jansson does not tell of */
        return se_fail(SE_ERR_MEMORY, "%s: out of memory", path);
    if (!*out)
        return se_fail(SE_ERR_FORMAT, "%s:%d:%d: not JSON: %s", path, error.line, error.column,
                       error.text);
    return SE_OK;
}

/* --- the parts of tokenizer.json --- */

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* "type" of a part, for messages and comparisons. */
static const char *type_of(const json_t *part)
{
    const char *type = string_of(part, "type");
    return type ? type : part && !json_is_null(part) ? "unnamed" : "none";
}

static bool is(const json_t *part, const char *type)
{
    return strcmp(type_of(part), type) == 0;
}

/* Old files leave the model's type out; its members tell it. */
static const char *model_type(const json_t *model)
{
    if (string_of(model, "type"))
        return string_of(model, "type");
    return json_object_get(model, "merges")                      ? "BPE"
           : json_is_array(json_object_get(model, "vocab"))      ? "Unigram"
           : json_object_get(model, "continuing_subword_prefix") ? "WordPiece"
           : json_object_get(model, "max_input_chars_per_word")  ? "WordPiece"
                                                                 : "unknown";
}

static se_status load_model(se_tokenizer *t, const json_t *model)
{
    const char *type = model_type(model), *key;
    json_t *vocab = json_object_get(model, "vocab"), *value;
    if (strcmp(type, "WordPiece") != 0)
        return se_fail(SE_ERR_FORMAT,
                       "the model's type is %s; wanted WordPiece (MPNet, BERT, MiniLM)", type);
    if (!json_is_object(vocab) || json_object_size(vocab) == 0)
        return se_fail(SE_ERR_FORMAT, "model.vocab: wanted an object of token: id");
    const char *prefix = string_of(model, "continuing_subword_prefix");
    if (prefix && strcmp(prefix, "##") != 0)
        return se_fail(SE_ERR_FORMAT, "model.continuing_subword_prefix is '%s'; wanted '##'",
                       prefix);
    const char *unk = string_of(model, "unk_token");
    json_object_foreach(vocab, key, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > INT32_MAX)
            return se_fail(SE_ERR_FORMAT, "model.vocab: token '%s': wanted an id from 0 up", key);
        se_status s = se_tokenizer_put(t, (int32_t)json_integer_value(value), key, true);
        if (s)
            return se_fail_prefix(s, "model.vocab: ");
        if (unk && strcmp(key, unk) == 0)
            t->unk = (int32_t)json_integer_value(value);
    }
    if (t->unk < 0)
        return se_fail(SE_ERR_FORMAT, "model.unk_token: wanted a token of the vocabulary");
    const json_t *most = json_object_get(model, "max_input_chars_per_word");
    if (most && (json_integer_value(most) < 1 || json_integer_value(most) > SE_MAX_WORD_CHARS))
        return se_fail(SE_ERR_FORMAT, "model.max_input_chars_per_word: wanted 1 to %d",
                       SE_MAX_WORD_CHARS);
    if (most)
        t->max_word_chars = (int32_t)json_integer_value(most);
    return SE_OK;
}

/* Only what BertNormalizer does to uncased text is here. */
static se_status check_splitting(const json_t *root)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *splitter = json_object_get(root, "pre_tokenizer");
    static const char *const wanted[] = {"clean_text", "handle_chinese_chars", "lowercase"};
    if (!is(normalizer, "BertNormalizer"))
        return se_fail(SE_ERR_FORMAT, "the normalizer's type is %s; wanted BertNormalizer",
                       type_of(normalizer));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!json_is_true(json_object_get(normalizer, wanted[i])))
            return se_fail(SE_ERR_FORMAT,
                           "normalizer.%s is not true; cased tokenizers and variants of BERT's "
                           "normalizer are not supported",
                           wanted[i]);
    if (json_is_false(json_object_get(normalizer, "strip_accents")))
        return se_fail(SE_ERR_FORMAT, "normalizer.strip_accents is false; that is not supported");
    if (!is(splitter, "BertPreTokenizer"))
        return se_fail(SE_ERR_FORMAT, "the pre_tokenizer's type is %s; wanted BertPreTokenizer",
                       type_of(splitter));
    return SE_OK;
}

static se_status load_added(se_tokenizer *t, const json_t *list)
{
    size_t i;
    json_t *entry;
    if (list && !json_is_array(list))
        return se_fail(SE_ERR_FORMAT, "added_tokens: wanted a list");
    json_array_foreach(list, i, entry)
    {
        const char *content = string_of(entry, "content");
        const json_t *id = json_object_get(entry, "id");
        if (!content || !content[0] || !json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return se_fail(SE_ERR_FORMAT, "added_tokens[%zu]: wanted content and id", i);
        if (json_is_true(json_object_get(entry, "single_word")))
            return se_fail(SE_ERR_FORMAT, "added_tokens: '%s': single_word is not supported",
                           content);
        se_status s = se_tokenizer_put(t, (int32_t)json_integer_value(id), content, false);
        if (!s)
            s = se_tokenizer_add(t, (int32_t)json_integer_value(id),
                                 json_is_true(json_object_get(entry, "normalized")),
                                 json_is_true(json_object_get(entry, "lstrip")),
                                 json_is_true(json_object_get(entry, "rstrip")),
                                 json_is_true(json_object_get(entry, "special")));
        if (s)
            return se_fail_prefix(s, "added_tokens: ");
    }
    return SE_OK;
}

/* RobertaProcessing and BertProcessing name the tokens: "cls": ["<s>", 0]. */
static se_status load_named_ends(se_tokenizer *t, const json_t *post)
{
    const json_t *cls = json_array_get(json_object_get(post, "cls"), 1);
    const json_t *sep = json_array_get(json_object_get(post, "sep"), 1);
    if (!json_is_integer(cls) || !json_is_integer(sep))
        return se_fail(SE_ERR_FORMAT, "post_processor: wanted cls and sep as [token, id]");
    t->bos = (int32_t)json_integer_value(cls);
    t->eos = (int32_t)json_integer_value(sep);
    t->roberta = is(post, "RobertaProcessing");
    t->trim_offsets = t->roberta && !json_is_false(json_object_get(post, "trim_offsets"));
    t->pair_separators = t->roberta ? 2 : 1;
    t->pair_type = t->roberta ? 0 : 1;
    return SE_OK;
}

/* One piece of a template: a special token's id, or -1 for a text (whose type goes to *type), or -2
 * for what is neither. */
static int32_t template_piece(const json_t *post, const json_t *piece, int32_t *type)
{
    const json_t *special = json_object_get(piece, "SpecialToken");
    const json_t *text = json_object_get(piece, "Sequence");
    if (text) {
        *type = (int32_t)json_integer_value(json_object_get(text, "type_id"));
        return -1;
    }
    const char *name = string_of(special, "id");
    const json_t *known = json_object_get(post, "special_tokens");
    const json_t *ids = name ? json_object_get(json_object_get(known, name), "ids") : NULL;
    return json_array_size(ids) == 1 && json_is_integer(json_array_get(ids, 0))
               ? (int32_t)json_integer_value(json_array_get(ids, 0))
               : -2;
}

/* TemplateProcessing: open A close, and open A close (close) B close for a pair. */
static se_status load_template(se_tokenizer *t, const json_t *post)
{
    const json_t *single = json_object_get(post, "single"), *pair = json_object_get(post, "pair");
    int32_t type = 0, id[6] = {0};
    size_t n = json_array_size(pair);
    bool good = json_array_size(single) == 3 && (n == 5 || n == 6);
    for (size_t i = 0; i < 3 && good; i++)
        id[i] = template_piece(post, json_array_get(single, i), &type);
    t->bos = id[0];
    t->eos = id[2];
    good = good && id[0] >= 0 && id[1] == -1 && id[2] >= 0;
    for (size_t i = 0; i < n && good; i++) {
        int32_t piece = template_piece(post, json_array_get(pair, i), &type);
        int32_t wanted = i == 0 ? t->bos : i == 1 || i == n - 2 ? -1 : t->eos;
        good = piece == wanted;
    }
    if (!good)
        return se_fail(SE_ERR_FORMAT, "post_processor: wanted the templates 'open A close' and "
                                      "'open A close B close'");
    t->pair_separators = (int32_t)n - 4;
    t->pair_type = type;
    return SE_OK;
}

static se_status load_ends(se_tokenizer *t, const json_t *post)
{
    se_status s;
    if (is(post, "RobertaProcessing") || is(post, "BertProcessing"))
        s = load_named_ends(t, post);
    else if (is(post, "TemplateProcessing"))
        s = load_template(t, post);
    else
        return se_fail(SE_ERR_FORMAT,
                       "the post_processor's type is %s; wanted RobertaProcessing, "
                       "BertProcessing or TemplateProcessing",
                       type_of(post));
    if (!s && (!se_tokenizer_token(t, t->bos) || !se_tokenizer_token(t, t->eos)))
        return se_fail(SE_ERR_FORMAT,
                       "post_processor: its tokens %d and %d are not in the "
                       "vocabulary",
                       (int)t->bos, (int)t->eos);
    return s;
}

/* Their offsets would have to include white space that normalising may have changed. */
static se_status check_stripping(const se_tokenizer *t)
{
    for (int32_t i = 0; i < t->n_added && !t->trim_offsets; i++)
        if (t->added[i].chars && (t->added[i].lstrip || t->added[i].rstrip))
            return se_fail(SE_ERR_FORMAT,
                           "added_tokens: '%s': lstrip or rstrip together with normalized is not "
                           "supported without trim_offsets",
                           t->added[i].text);
    return SE_OK;
}

static se_status load_tokenizer_json(se_tokenizer *t, const json_t *root)
{
    if (!json_is_object(root))
        return se_fail(SE_ERR_FORMAT, "wanted an object");
    se_status s = load_model(t, json_object_get(root, "model"));
    if (!s)
        s = check_splitting(root);
    if (!s)
        s = load_added(t, json_object_get(root, "added_tokens"));
    if (!s)
        s = load_ends(t, json_object_get(root, "post_processor"));
    if (!s)
        s = check_stripping(t);
    return s;
}

/* --- vocab.txt --- */

static se_status load_vocab_lines(se_tokenizer *t, char *text, size_t bytes)
{
    int32_t id = 0;
    while (bytes && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        text[--bytes] = 0;
    for (char *line = text, *end = text + bytes; line < end; id++) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        char *stop = next ? next : end;
        if (memchr(line, 0, (size_t)(stop - line)))
            return se_fail(SE_ERR_FORMAT, "line %d: a NUL byte in a token", (int)id + 1);
        *stop = 0;
        if (stop > line && stop[-1] == '\r')
            stop[-1] = 0;
        se_status s = se_tokenizer_put(t, id, line, true);
        if (s)
            return se_fail_prefix(s, "line %d: ", (int)id + 1);
        line = stop + 1;
    }
    return id ? SE_OK : se_fail(SE_ERR_FORMAT, "empty; wanted one token a line");
}

static int32_t find_token(const se_tokenizer *t, const char *text)
{
    for (int32_t i = t->n - 1; i >= 0; i--)
        if (t->token[i] && strcmp(t->token[i], text) == 0)
            return i;
    return -1;
}

/* The special tokens that belong to a bare vocabulary. */
static se_status set_layout(se_tokenizer *t)
{
    bool mpnet = find_token(t, "<s>") >= 0;
    static const char *const mpnet_names[] = {"<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"};
    static const char *const bert_names[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    const char *const *names = mpnet ? mpnet_names : bert_names;
    t->bos = find_token(t, mpnet ? "<s>" : "[CLS]");
    t->eos = find_token(t, mpnet ? "</s>" : "[SEP]");
    t->unk = find_token(t, "[UNK]");
    if (t->unk < 0 && mpnet)
        t->unk = find_token(t, "<unk>");
    if (t->bos < 0 || t->eos < 0 || t->unk < 0)
        return se_fail(SE_ERR_FORMAT,
                       "neither MPNet's vocabulary (<s>, </s>, [UNK]) nor BERT's ([CLS], [SEP], "
                       "[UNK])");
    t->roberta = t->trim_offsets = mpnet;
    t->pair_separators = mpnet ? 2 : 1;
    t->pair_type = mpnet ? 0 : 1;
    for (int i = 0; i < (mpnet ? 6 : 5); i++) {
        int32_t id = find_token(t, names[i]);
        if (id < 0)
            continue;
        se_status s = se_tokenizer_add(t, id, strcmp(names[i], "<unk>") == 0,
                                       strcmp(names[i], "<mask>") == 0, false, true);
        if (s)
            return s;
    }
    return SE_OK;
}

static se_status load_vocab(se_tokenizer *t, const char *path)
{
    char *text;
    size_t bytes;
    se_status s = read_file(path, &text, &bytes);
    if (s)
        return s;
    s = load_vocab_lines(t, text, bytes);
    free(text);
    if (!s)
        s = set_layout(t);
    return s ? se_fail_prefix(s, "%s: ", path) : SE_OK;
}

/* --- the small files beside --- */

/* A special token's name in tokenizer_config.json: a string, or an object with its content. */
static int32_t named_token(const se_tokenizer *t, const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    const char *name =
        json_is_object(value) ? string_of(value, "content") : json_string_value(value);
    return name ? find_token(t, name) : -1;
}

static void set_pad_and_mask(se_tokenizer *t, const json_t *config)
{
    bool mpnet = strcmp(t->token[t->bos], "<s>") == 0;
    t->pad = named_token(t, config, "pad_token");
    t->mask = named_token(t, config, "mask_token");
    if (t->pad < 0)
        t->pad = find_token(t, mpnet ? "<pad>" : "[PAD]");
    if (t->mask < 0)
        t->mask = find_token(t, mpnet ? "<mask>" : "[MASK]");
}

/* tokenizer_config.json; what it says about splitting counts only beside a bare vocab.txt. */
static se_status load_config(se_tokenizer *t, const char *folder, bool bare)
{
    char path[PATH_BYTES];
    json_t *config = NULL;
    se_status s = SE_OK;
    if (exists(folder, "tokenizer_config.json")) {
        s = path_in(path, folder, "tokenizer_config.json");
        if (!s) /* "no limit" is written as 1e30 in integer digits */
            s = read_json(path, JSON_DECODE_INT_AS_REAL, &config);
        if (s)
            return s;
    }
    double length = json_number_value(json_object_get(config, "model_max_length"));
    t->max_length = length >= 1 && length <= INT32_MAX ? (int32_t)length : 0;
    static const char *const wanted[] = {"do_lower_case", "tokenize_chinese_chars",
                                         "strip_accents"};
    for (size_t i = 0; bare && i < sizeof wanted / sizeof *wanted; i++)
        if (json_is_false(json_object_get(config, wanted[i])))
            s = se_fail(SE_ERR_FORMAT, "%s: %s is false; that is not supported", path, wanted[i]);
    if (!s)
        set_pad_and_mask(t, config);
    json_decref(config);
    return s;
}

/* --- opening --- */

/* Names the kind of a folder that has neither tokenizer.json nor vocab.txt. */
static se_status refuse_folder(const char *folder)
{
    static const struct {
        const char *file, *kind;
    } others[] = {{"merges.txt", "BPE"},
                  {"sentencepiece.bpe.model", "SentencePiece"},
                  {"spiece.model", "SentencePiece"},
                  {"tokenizer.model", "SentencePiece"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (exists(folder, others[i].file))
            return se_fail(SE_ERR_FORMAT,
                           "%s/%s: a %s tokenizer; wanted WordPiece (MPNet, BERT, MiniLM)", folder,
                           others[i].file, others[i].kind);
    return se_fail(SE_ERR_IO, "%s: neither tokenizer.json nor vocab.txt can be read there", folder);
}

static se_status finish(se_status s, se_tokenizer *t, se_tokenizer **out)
{
    if (!s)
        s = se_tokenizer_finish(t);
    if (s) {
        se_tokenizer_free(t);
        t = NULL;
    }
    *out = t;
    return s;
}

se_status se_tokenizer_open(const char *folder, se_tokenizer **out)
{
    char path[PATH_BYTES];
    json_t *root = NULL;
    *out = NULL;
    bool json = exists(folder, "tokenizer.json");
    if (!json && !exists(folder, "vocab.txt"))
        return refuse_folder(folder);
    se_status s = path_in(path, folder, json ? "tokenizer.json" : "vocab.txt");
    if (!s && json)
        s = read_json(path, 0, &root);
    if (s)
        return s;
    se_tokenizer *t = se_tokenizer_new();
    if (!t)
        s = SE_ERR_MEMORY;
    else if (!json)
        s = load_vocab(t, path);
    else if ((s = load_tokenizer_json(t, root)))
        se_fail_prefix(s, "%s: ", path);
    json_decref(root);
    if (!s)
        s = load_config(t, folder, !json);
    return finish(s, t, out);
}

se_status se_tokenizer_from_vocab(const char *path, se_tokenizer **out)
{
    se_tokenizer *t = se_tokenizer_new();
    *out = NULL;
    if (!t)
        return SE_ERR_MEMORY;
    se_status s = load_vocab(t, path);
    if (!s)
        set_pad_and_mask(t, NULL);
    return finish(s, t, out);
}
