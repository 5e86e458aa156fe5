#include "tokenizer_private.h"

#include <stdlib.h>
#include <string.h>

/* One text on its way. Text is taken in chunks, which end at ASCII white space and at added tokens.
 * A chunk starts on the quick path, which knows ASCII only; at the first byte that it does not know
 * it takes back what it said about this chunk, and the chunk goes through se_normalize. Nothing in
 * the normaliser or splitter reaches across the end of a chunk. */
typedef struct encoder {
    const se_tokenizer *t;
    se_tokens *tokens;
    const uint8_t *text;
    size_t bytes, at; /* at: the next byte */
    int32_t place;    /* the same in code points */
    int32_t *ids, *offsets;
    int64_t n, cut, limit; /* tokens stay below `limit`, the others are counted in `cut` */
    struct {
        size_t at;
        int32_t place;
        int64_t n, cut;
    } chunk; /* where the chunk began */
} encoder;

/* --- room --- */

static se_status grow(se_tokens *out, int64_t capacity)
{
    int32_t *ids = se_realloc(out->ids, (size_t)capacity * sizeof *ids);
    if (!ids)
        return SE_ERR_MEMORY;
    out->ids = ids;
    int32_t *offsets = se_realloc(out->offsets, (size_t)capacity * 2 * sizeof *offsets);
    if (!offsets)
        return SE_ERR_MEMORY;
    out->offsets = offsets;
    int32_t *types = se_realloc(out->types, (size_t)capacity * sizeof *types);
    if (!types)
        return SE_ERR_MEMORY;
    out->types = types;
    out->capacity = capacity;
    return SE_OK;
}

static se_status reserve(se_tokens *out, int64_t more)
{
    int64_t wanted = out->n + more;
    if (wanted <= out->capacity)
        return SE_OK;
    return grow(out, wanted > 2 * out->capacity ? wanted : 2 * out->capacity);
}

static se_status reserve_scratch(se_tokens *out, size_t entries)
{
    if ((int64_t)entries <= out->scratch_capacity)
        return SE_OK;
    size_t capacity = entries + entries / 2 + 256;
    uint32_t *scratch = se_realloc(out->scratch, capacity * sizeof *scratch);
    if (!scratch)
        return SE_ERR_MEMORY;
    out->scratch = scratch;
    out->scratch_capacity = (int64_t)capacity;
    return SE_OK;
}

void se_tokens_free(se_tokens *tokens)
{
    free(tokens->ids);
    free(tokens->offsets);
    free(tokens->types);
    free(tokens->scratch);
    *tokens = (se_tokens){0};
}

/* --- words --- */

static inline void emit(encoder *e, int32_t id, int32_t start, int32_t end)
{
    if (e->n >= e->limit) {
        e->cut++;
        return;
    }
    e->ids[e->n] = id;
    e->offsets[2 * e->n] = start;
    e->offsets[2 * e->n + 1] = end;
    e->n++;
}

/* Greedy longest match from the left; the word is one [UNK] when a stretch matches nothing. Byte i
 * of the word is from code point sources[i], or from place + i where sources is NULL. */
static inline void emit_word(encoder *e, const uint8_t *word, int32_t bytes, const int32_t *sources,
                             int32_t place)
{
    const se_trie_node *nodes = e->t->trie.node;
    int64_t n = e->n, cut = e->cut;
    for (int32_t from = 0, to = 0; from < bytes; from = to) {
        int32_t node = from ? e->t->inside : 0, id = -1;
        for (int32_t i = from; i < bytes && node >= 0; i++) {
            int32_t next = nodes[node].base ^ word[i];
            if (nodes[next].parent != node)
                break;
            node = next;
            if (nodes[node].id >= 0) {
                id = nodes[node].id;
                to = i + 1;
            }
        }
        if (id < 0) {
            e->n = n;
            e->cut = cut;
            emit(e, e->t->unk, sources ? sources[0] : place,
                 sources ? sources[bytes - 1] + 1 : place + bytes);
            return;
        }
        emit(e, id, sources ? sources[from] : place + from,
             sources ? sources[to - 1] + 1 : place + to);
    }
}

static void begin_chunk(encoder *e)
{
    e->chunk.at = e->at;
    e->chunk.place = e->place;
    e->chunk.n = e->n;
    e->chunk.cut = e->cut;
}

static void take_ascii_word(encoder *e)
{
    uint8_t word[SE_MAX_WORD_CHARS];
    const uint8_t *text = e->text + e->at;
    size_t left = e->bytes - e->at, n = 0;
    size_t most = left < (size_t)e->t->max_word_chars ? left : (size_t)e->t->max_word_chars;
    while (n < most && e->t->byte_class[text[n]] == SE_BYTE_WORD) {
        word[n] = e->t->lower[text[n]];
        n++;
    }
    if (n == most && n < left && e->t->byte_class[text[n]] == SE_BYTE_WORD) {
        while (n < left && e->t->byte_class[text[n]] == SE_BYTE_WORD)
            n++;
        emit(e, e->t->unk, e->place, e->place + (int32_t)n);
    } else {
        emit_word(e, word, (int32_t)n, NULL, e->place);
    }
    e->at += n;
    e->place += (int32_t)n;
}

/* --- added tokens --- */

/* The longest added token that stands at text[at] in the raw text, or NULL. */
static const se_added_token *raw_token_at(const encoder *e, size_t at)
{
    const se_added_token *best = NULL;
    for (int32_t i = 0; i < e->t->n_added; i++) {
        const se_added_token *a = &e->t->added[i];
        if (!a->chars && a->bytes && a->bytes <= e->bytes - at &&
            (!best || a->bytes > best->bytes) && memcmp(e->text + at, a->text, a->bytes) == 0)
            best = a;
    }
    return best;
}

/* Bytes of the white space character (Unicode White_Space) at text[0], 0 = none. */
static size_t white_space(const uint8_t *text, size_t bytes)
{
    uint32_t c;
    int n = se_utf8_read(text, bytes, &c);
    bool white = n && ((c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
                       (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
                       c == 0x205F || c == 0x3000);
    return white ? (size_t)n : 0;
}

static int32_t code_points(const char *text)
{
    int32_t n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

/* How many white space characters end at text[at]; none before text[floor]. */
static int32_t white_space_before(const encoder *e, size_t at, size_t floor)
{
    int32_t count = 0;
    for (;; count++) {
        size_t size = 1;
        while (size <= 3 && size <= at - floor && white_space(e->text + at - size, size) != size)
            size++;
        if (size > 3 || size > at - floor)
            return count;
        at -= size;
    }
}

/* Offsets take the white space in that the token asks for, unless the folder has them trimmed. It
 * gives no tokens of its own either way. `floor`: where the added token before ended. */
static void take_raw_token(encoder *e, const se_added_token *a, size_t *floor)
{
    int32_t start = e->place, end = start + code_points(a->text), after = end;
    if (a->lstrip && !e->t->trim_offsets)
        start -= white_space_before(e, e->at, *floor);
    e->at += a->bytes;
    if (a->rstrip)
        for (size_t n; (n = white_space(e->text + e->at, e->bytes - e->at)); after++)
            e->at += n;
    emit(e, a->id, start, e->t->trim_offsets ? end : after);
    e->place = after;
    *floor = e->at;
    begin_chunk(e);
}

/* The longest added token that stands at chars[0] in normalised text, or NULL. */
static const se_added_token *normalized_token_at(const encoder *e, const uint32_t *chars, int64_t n)
{
    const se_added_token *best = NULL;
    for (int32_t i = 0; i < e->t->n_added; i++) {
        const se_added_token *a = &e->t->added[i];
        if (a->chars && a->n_chars && a->n_chars <= n && (!best || a->n_chars > best->n_chars) &&
            memcmp(chars, a->chars, (size_t)a->n_chars * sizeof *chars) == 0)
            best = a;
    }
    return best;
}

/* --- the slow path --- */

/* The chunk's end: white space, an added token in the raw text, or the end of all. Nothing of the
 * kind stands between the chunk's begin and `at`, nor at `at` itself. */
static size_t chunk_end(const encoder *e)
{
    size_t end = e->at;
    for (end++; end < e->bytes; end++) {
        uint8_t class = e->t->byte_class[e->text[end]];
        if ((class & SE_BYTE_KIND) == SE_BYTE_SPACE ||
            ((class & SE_BYTE_RAW) && raw_token_at(e, end)))
            break;
    }
    return end;
}

/* Takes the word at chars[0]; returns its length in characters. */
static int64_t take_word(encoder *e, const uint32_t *chars, const uint32_t *sources, int64_t n)
{
    uint8_t word[4 * SE_MAX_WORD_CHARS];
    int32_t word_sources[4 * SE_MAX_WORD_CHARS], bytes = 0;
    int64_t length = 0;
    for (; length < n && se_char_class_of(chars[length]) == SE_CHAR_WORD; length++) {
        if (length && e->t->n_added && normalized_token_at(e, chars + length, n - length))
            break;
        if (length >= e->t->max_word_chars)
            continue;
        int size = se_utf8_write(chars[length], word + bytes);
        for (int i = 0; i < size; i++)
            word_sources[bytes++] = e->chunk.place + (int32_t)sources[length];
    }
    if (length > e->t->max_word_chars)
        emit(e, e->t->unk, word_sources[0], e->chunk.place + (int32_t)sources[length - 1] + 1);
    else
        emit_word(e, word, bytes, word_sources, 0);
    return length;
}

static void take_normalized(encoder *e, const uint32_t *chars, const uint32_t *sources, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        const se_added_token *a = normalized_token_at(e, chars + i, n - i);
        int32_t start = e->chunk.place + (int32_t)sources[i];
        if (a) {
            emit(e, a->id, start, e->chunk.place + (int32_t)sources[i + a->n_chars - 1] + 1);
            i += a->n_chars;
            continue;
        }
        switch (se_char_class_of(chars[i])) {
        case SE_CHAR_SPACE:
            i++;
            break;
        case SE_CHAR_PUNCTUATION: {
            uint8_t mark[4];
            int32_t source[4] = {start, start, start, start};
            emit_word(e, mark, se_utf8_write(chars[i], mark), source, 0);
            i++;
            break;
        }
        case SE_CHAR_WORD:
            i += take_word(e, chars + i, sources + i, n - i);
            break;
        }
    }
}

static se_status take_chunk_slowly(encoder *e)
{
    size_t end = chunk_end(e), bytes = end - e->chunk.at, bad;
    int32_t code_points_in_chunk;
    se_status s = reserve_scratch(e->tokens, 3 * bytes);
    if (s)
        return s;
    uint32_t *chars = e->tokens->scratch, *sources = chars + bytes;
    int64_t n = se_normalize(e->text + e->chunk.at, bytes, chars, sources, sources + bytes,
                             &code_points_in_chunk, &bad);
    if (n < 0)
        return se_fail(SE_ERR_FORMAT, "tokenizer: the text is not UTF-8: byte 0x%02X at offset %zu",
                       (unsigned)e->text[e->chunk.at + bad], e->chunk.at + bad);
    e->n = e->chunk.n;
    e->cut = e->chunk.cut;
    take_normalized(e, chars, sources, n);
    e->at = end;
    e->place = e->chunk.place + code_points_in_chunk;
    begin_chunk(e);
    return SE_OK;
}

/* --- texts --- */

/* Appends a text without the special tokens round it, at most `limit` of them. */
static se_status append_bare(const se_tokenizer *t, const char *text, size_t bytes, int64_t limit,
                             se_tokens *out, int64_t *cut)
{
    /* No byte gives more than one token: make_tables.lua checks that. */
    if (bytes > INT32_MAX)
        return se_fail(SE_ERR_ARG, "tokenizer: a text of %zu bytes; wanted under 2 GiB", bytes);
    se_status s = reserve(out, 1 + ((int64_t)bytes < limit ? (int64_t)bytes : limit));
    if (s)
        return s;
    encoder e = {.t = t, .tokens = out, .text = (const uint8_t *)text, .bytes = bytes};
    e.ids = out->ids + out->n;
    e.offsets = out->offsets + 2 * out->n;
    e.limit = limit;
    size_t added_end = 0;
    while (!s && e.at < bytes) {
        uint8_t byte = e.text[e.at], class = t->byte_class[byte];
        const se_added_token *a;
        if ((class & SE_BYTE_RAW) && (a = raw_token_at(&e, e.at))) {
            take_raw_token(&e, a, &added_end);
            continue;
        }
        if (class & SE_BYTE_NORMALIZED)
            class = SE_BYTE_SLOW;
        switch (class & SE_BYTE_KIND) {
        case SE_BYTE_WORD:
            take_ascii_word(&e);
            break;
        case SE_BYTE_PUNCTUATION:
            emit(&e, t->single[byte], e.place, e.place + 1);
            e.at++;
            e.place++;
            break;
        case SE_BYTE_SPACE:
            e.at++;
            e.place++;
            begin_chunk(&e);
            break;
        default:
            s = take_chunk_slowly(&e);
        }
    }
    out->n += e.n;
    *cut = e.cut;
    return s;
}

static void put(se_tokens *out, int64_t at, int32_t id)
{
    out->ids[at] = id;
    out->offsets[2 * at] = out->offsets[2 * at + 1] = 0;
}

static se_status check_max_tokens(int32_t max_tokens, int32_t specials)
{
    if (max_tokens != 0 && max_tokens < specials)
        return se_fail(SE_ERR_ARG,
                       "tokenizer: max_tokens is %d; wanted at least %d for the special tokens, or "
                       "0 for no limit",
                       (int)max_tokens, (int)specials);
    return SE_OK;
}

se_status se_tokenizer_append(const se_tokenizer *t, const char *text, size_t bytes,
                              int32_t max_tokens, se_tokens *out)
{
    int64_t before = out->n;
    se_status s = check_max_tokens(max_tokens, 2);
    if (!s)
        s = reserve(out, 1);
    if (s)
        return s;
    put(out, out->n++, t->bos);
    s = append_bare(t, text, bytes, max_tokens ? max_tokens - 2 : INT64_MAX, out, &out->cut);
    if (!s)
        s = reserve(out, 1);
    if (s) {
        out->n = before;
        return s;
    }
    put(out, out->n++, t->eos);
    return SE_OK;
}

se_status se_tokenizer_encode(const se_tokenizer *t, const char *text, size_t bytes,
                              int32_t max_tokens, se_tokens *out)
{
    out->n = out->cut = 0;
    se_status s = se_tokenizer_append(t, text, bytes, max_tokens, out);
    if (!s)
        memset(out->types, 0, (size_t)out->n * sizeof *out->types);
    return s;
}

/* How many tokens stay of the shorter text and of the longer one (`longest_first`). */
static void fit_pair(int64_t *shorter, int64_t *longer, int64_t room)
{
    if (*shorter + *longer <= room)
        return;
    if (*shorter <= room - *shorter) {
        *longer = room - *shorter;
    } else {
        *shorter = room / 2;
        *longer = room - *shorter;
    }
}

static void move_tokens(se_tokens *out, int64_t to, int64_t from, int64_t n)
{
    memmove(out->ids + to, out->ids + from, (size_t)n * sizeof *out->ids);
    memmove(out->offsets + 2 * to, out->offsets + 2 * from, (size_t)n * 2 * sizeof *out->offsets);
}

se_status se_tokenizer_encode_pair(const se_tokenizer *t, const char *a, size_t a_bytes,
                                   const char *b, size_t b_bytes, int32_t max_tokens,
                                   se_tokens *out)
{
    int32_t separators = t->pair_separators, specials = 2 + separators;
    int64_t cut;
    out->n = out->cut = 0;
    se_status s = check_max_tokens(max_tokens, specials);
    if (!s)
        s = append_bare(t, a, a_bytes, INT64_MAX, out, &cut);
    if (s)
        return s;
    int64_t n_a = out->n;
    s = append_bare(t, b, b_bytes, INT64_MAX, out, &cut);
    if (!s)
        s = reserve(out, specials);
    if (s)
        return s;
    int64_t n_b = out->n - n_a, keep_a = n_a, keep_b = n_b;
    if (max_tokens)
        fit_pair(n_a > n_b ? &keep_b : &keep_a, n_a > n_b ? &keep_a : &keep_b,
                 max_tokens - specials);
    move_tokens(out, 1 + keep_a + separators, n_a, keep_b);
    move_tokens(out, 1, 0, keep_a);
    put(out, 0, t->bos);
    for (int32_t i = 0; i < separators; i++)
        put(out, 1 + keep_a + i, t->eos);
    out->n = keep_a + keep_b + specials;
    out->cut = n_a - keep_a + n_b - keep_b;
    put(out, out->n - 1, t->eos);
    for (int64_t i = 0; i < out->n; i++)
        out->types[i] = i < 2 + keep_a ? 0 : t->pair_type;
    return SE_OK;
}
