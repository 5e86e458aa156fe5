#include "tokenizer_private.h"

#include <stdlib.h>
#include <string.h>

se_tokenizer *se_tokenizer_new(void)
{
    se_tokenizer *t = se_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->bos = t->eos = t->pad = t->unk = t->mask = t->inside = -1;
    t->max_word_chars = 100;
    t->pair_separators = 1;
    t->pair_type = 1;
    return t;
}

void se_tokenizer_free(se_tokenizer *t)
{
    if (!t)
        return;
    for (int32_t i = 0; i < t->n; i++)
        free(t->token[i]);
    for (int32_t i = 0; i < t->n_added; i++)
        free(t->added[i].chars);
    free(t->token);
    free(t->in_model);
    free(t->special);
    free(t->added);
    se_trie_free(&t->trie);
    free(t);
}

static se_status grow_to(se_tokenizer *t, int32_t n)
{
    if (n <= t->n)
        return SE_OK;
    if (n > t->room) {
        int32_t room = n < 2 * t->room ? 2 * t->room : n;
        char **token = se_realloc(t->token, (size_t)room * sizeof *token);
        if (!token)
            return SE_ERR_MEMORY;
        t->token = token;
        bool *in_model = se_realloc(t->in_model, (size_t)room);
        if (!in_model)
            return SE_ERR_MEMORY;
        t->in_model = in_model;
        t->room = room;
    }
    for (int32_t i = t->n; i < n; i++) {
        t->token[i] = NULL;
        t->in_model[i] = false;
    }
    t->n = n;
    return SE_OK;
}

se_status se_tokenizer_put(se_tokenizer *t, int32_t id, const char *text, bool in_model)
{
    size_t bytes = strlen(text), at = 0;
    uint32_t c;
    if (id < 0 || id >= 1 << 24)
        return se_fail(SE_ERR_FORMAT, "token '%.100s' has the id %d; wanted 0 to %d", text, (int)id,
                       (1 << 24) - 1);
    if (bytes > SE_MAX_TOKEN_BYTES)
        return se_fail(SE_ERR_FORMAT, "token %d has %zu bytes; wanted at most %d", (int)id, bytes,
                       SE_MAX_TOKEN_BYTES);
    for (int n; at < bytes; at += (size_t)n)
        if ((n = se_utf8_read((const uint8_t *)text + at, bytes - at, &c)) == 0)
            return se_fail(SE_ERR_FORMAT, "token %d is not UTF-8: byte 0x%02X at offset %zu",
                           (int)id, (unsigned)(uint8_t)text[at], at);
    if (id < t->n && t->token[id]) {
        if (strcmp(t->token[id], text) == 0)
            return SE_OK;
        return se_fail(SE_ERR_FORMAT, "the tokens '%s' and '%s' have the same id %d", t->token[id],
                       text, (int)id);
    }
    se_status s = grow_to(t, id + 1);
    if (s)
        return s;
    t->token[id] = se_strdup(text);
    t->in_model[id] = in_model;
    return t->token[id] ? SE_OK : SE_ERR_MEMORY;
}

se_status se_tokenizer_add(se_tokenizer *t, int32_t id, bool normalized, bool lstrip, bool rstrip,
                           bool special)
{
    size_t bytes = strlen(t->token[id]);
    se_added_token *added = se_realloc(t->added, (size_t)(t->n_added + 1) * sizeof *added);
    if (!added)
        return SE_ERR_MEMORY;
    t->added = added;
    se_added_token *a = &added[t->n_added++];
    *a = (se_added_token){.id = id,
                          .text = t->token[id],
                          .bytes = bytes,
                          .lstrip = lstrip,
                          .rstrip = rstrip,
                          .special = special};
    if (!normalized)
        return SE_OK;
    size_t bad;
    int32_t code_points;
    a->chars = se_malloc((3 * bytes + 1) * sizeof *a->chars);
    if (!a->chars)
        return SE_ERR_MEMORY;
    a->n_chars = (int32_t)se_normalize((const uint8_t *)a->text, bytes, a->chars, a->chars + bytes,
                                       a->chars + 2 * bytes, &code_points, &bad);
    if (a->n_chars < 0)
        SE_BUG("an added token that was checked is not UTF-8");
    for (int32_t i = 0; i < a->n_chars; i++)
        if (se_char_class_of(a->chars[i]) == SE_CHAR_SPACE)
            return se_fail(SE_ERR_FORMAT,
                           "added token '%s': one with a space inside that is matched after "
                           "normalisation is not supported",
                           a->text);
    return SE_OK;
}

/* --- what encoding needs --- */

static se_status build_trie(se_tokenizer *t)
{
    int32_t n = 0;
    se_trie_key *keys = se_malloc((size_t)t->n * sizeof *keys);
    if (!keys)
        return SE_ERR_MEMORY;
    for (int32_t i = 0; i < t->n; i++)
        if (t->token[i] && t->in_model[i] && t->token[i][0])
            keys[n++] = (se_trie_key){.text = t->token[i], .id = i};
    se_status s = se_trie_build(keys, n, &t->trie);
    free(keys);
    if (!s)
        t->inside = se_trie_walk(&t->trie, "##");
    return s;
}

/* Marks the byte at which an added token may begin. In front of a letter or a byte of a longer
 * character the quick path gives way, for it looks for added tokens at punctuation only. */
static void mark_byte(se_tokenizer *t, uint8_t byte, uint8_t flag)
{
    uint8_t kind = t->byte_class[byte] & SE_BYTE_KIND;
    if (kind == SE_BYTE_WORD)
        kind = SE_BYTE_SLOW;
    t->byte_class[byte] = (uint8_t)((t->byte_class[byte] & ~SE_BYTE_KIND) | kind | flag);
}

static void build_byte_classes(se_tokenizer *t)
{
    for (int i = 0; i < 256; i++) {
        bool slow = i >= 127 || (i < 32 && i != '\t' && i != '\n' && i != '\r');
        se_char_class class = slow ? SE_CHAR_WORD : se_char_class_of((uint32_t)i);
        t->byte_class[i] = slow                           ? SE_BYTE_SLOW
                           : class == SE_CHAR_SPACE       ? SE_BYTE_SPACE
                           : class == SE_CHAR_PUNCTUATION ? SE_BYTE_PUNCTUATION
                                                          : SE_BYTE_WORD;
    }
    for (int i = 0; i < 128; i++)
        t->lower[i] = (uint8_t)(i >= 'A' && i <= 'Z' ? i + 32 : i);
    for (int32_t i = 0; i < t->n_added; i++) {
        const se_added_token *a = &t->added[i];
        if (!a->chars && a->bytes)
            mark_byte(t, (uint8_t)a->text[0], SE_BYTE_RAW);
        if (a->n_chars && a->chars[0] < 128) {
            uint8_t byte = (uint8_t)a->chars[0];
            mark_byte(t, byte, SE_BYTE_NORMALIZED);
            if (byte >= 'a' && byte <= 'z')
                mark_byte(t, (uint8_t)(byte - 32), SE_BYTE_NORMALIZED);
        }
    }
}

se_status se_tokenizer_finish(se_tokenizer *t)
{
    se_status s = build_trie(t);
    if (s)
        return s;
    t->special = se_calloc((size_t)t->n, sizeof *t->special);
    if (!t->special)
        return SE_ERR_MEMORY;
    for (int32_t i = 0; i < t->n_added; i++)
        t->special[t->added[i].id] = t->added[i].special;
    for (int i = 1; i < 128; i++) {
        const char text[2] = {(char)i, 0};
        int32_t node = se_trie_walk(&t->trie, text);
        t->single[i] = node >= 0 && t->trie.node[node].id >= 0 ? t->trie.node[node].id : t->unk;
    }
    build_byte_classes(t);
    return SE_OK;
}

/* --- questions --- */

int32_t se_tokenizer_vocab_size(const se_tokenizer *t)
{
    return t->n;
}

int32_t se_tokenizer_bos(const se_tokenizer *t)
{
    return t->bos;
}

int32_t se_tokenizer_eos(const se_tokenizer *t)
{
    return t->eos;
}

int32_t se_tokenizer_pad(const se_tokenizer *t)
{
    return t->pad;
}

int32_t se_tokenizer_unk(const se_tokenizer *t)
{
    return t->unk;
}

int32_t se_tokenizer_mask(const se_tokenizer *t)
{
    return t->mask;
}

int32_t se_tokenizer_max_length(const se_tokenizer *t)
{
    return t->max_length;
}

const char *se_tokenizer_token(const se_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n ? t->token[id] : NULL;
}

int32_t se_tokenizer_id(const se_tokenizer *t, const char *token)
{
    int32_t node = t->trie.node ? se_trie_walk(&t->trie, token) : -1;
    if (node >= 0 && t->trie.node[node].id >= 0)
        return t->trie.node[node].id;
    for (int32_t i = 0; i < t->n_added; i++)
        if (strcmp(t->added[i].text, token) == 0)
            return t->added[i].id;
    return -1;
}

bool se_tokenizer_is_special(const se_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n && t->special[id];
}

/* --- ids -> text --- */

/* The library's clean-up, which it applies to each token with the space before it. */
static bool stands_close(const char *token)
{
    static const char *const close[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < sizeof close / sizeof *close; i++)
        if (strncmp(token, close[i], strlen(close[i])) == 0)
            return true;
    return false;
}

se_status se_tokenizer_decode(const se_tokenizer *t, const int32_t *ids, int64_t n,
                              bool skip_special, char *out, size_t capacity, size_t *bytes)
{
    size_t length = 0;
    bool first = true;
    for (int64_t i = 0; i < n; i++) {
        const char *token = se_tokenizer_token(t, ids[i]);
        if (!token)
            return se_fail(SE_ERR_ARG, "decode: id %d at place %lld is not in the vocabulary of %d",
                           (int)ids[i], (long long)i, (int)t->n);
        if (skip_special && t->special[ids[i]])
            continue;
        bool inside = !first && strncmp(token, "##", 2) == 0;
        if (inside)
            token += 2;
        else if (!first && !stands_close(token)) {
            if (length + 1 < capacity)
                out[length] = ' ';
            length++;
        }
        for (; *token; token++, length++)
            if (length + 1 < capacity)
                out[length] = *token;
        first = false;
    }
    if (capacity)
        out[length < capacity ? length : capacity - 1] = 0;
    *bytes = length;
    return SE_OK;
}
