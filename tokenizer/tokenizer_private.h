/* What the tokenizer's own files share: the opened tokenizer, the normaliser, the trie. */
#ifndef SE_TOKENIZER_PRIVATE_H
#define SE_TOKENIZER_PRIVATE_H

#include "tokenizer.h"

#define SE_MAX_WORD_CHARS 1000 /* the most that max_input_chars_per_word may ask for */
#define SE_MAX_TOKEN_BYTES 1000

/* --- normalize.c: one code point at a time, and whole stretches of text --- */

/* What a normalised code point is to the splitter. */
typedef enum se_char_class { SE_CHAR_WORD, SE_CHAR_PUNCTUATION, SE_CHAR_SPACE } se_char_class;

se_char_class se_char_class_of(uint32_t c);

/* Strict UTF-8: reads one code point at text[0] and returns its bytes, 0 where there is none. */
int se_utf8_read(const uint8_t *text, size_t bytes, uint32_t *c);
int se_utf8_write(uint32_t c, uint8_t *out); /* returns the bytes, at most 4 */

/* Normalises a stretch of text: clean, spaces round ideographs, NFD, no marks, lower case. chars
 * and sources take up to `bytes` entries, spare as many for its own use; sources[i] is the place of
 * chars[i] in code points of the stretch. Returns the number of entries, or -1 with *bad the offset
 * of the first byte that is not UTF-8. *code_points is the length of the stretch. */
int64_t se_normalize(const uint8_t *text, size_t bytes, uint32_t *chars, uint32_t *sources,
                     uint32_t *spare, int32_t *code_points, size_t *bad);

/* --- trie.c: the vocabulary as a double array over bytes --- */

/* Node k's child by byte b is node[k].base ^ b, if that node's parent is k. */
typedef struct se_trie_node {
    int32_t base, parent;
    int32_t id; /* the token that ends here, -1 = none */
} se_trie_node;

typedef struct se_trie {
    se_trie_node *node; /* node 0 is the root */
    int32_t n;          /* a multiple of 256 */
} se_trie;

typedef struct se_trie_key {
    const char *text; /* not empty */
    int32_t id;
    uint64_t head; /* of trie.c: how the text begins */
} se_trie_key;

/* Sorts the keys; of equal texts the highest id counts. */
se_status se_trie_build(se_trie_key *keys, int32_t n, se_trie *out);
void se_trie_free(se_trie *trie);

static inline int32_t se_trie_step(const se_trie *trie, int32_t node, uint8_t byte)
{
    int32_t next = trie->node[node].base ^ byte;
    return trie->node[next].parent == node ? next : -1;
}

/* The node that `text` leads to, -1 = none. */
int32_t se_trie_walk(const se_trie *trie, const char *text);

/* --- tokenizer.c: the opened tokenizer --- */

/* A token that is looked for in the text itself, before it is split into words. */
typedef struct se_added_token {
    int32_t id;
    const char *text; /* the vocabulary's */
    size_t bytes;
    uint32_t *chars; /* normalised text, when it is matched after normalisation; else NULL */
    int32_t n_chars;
    bool lstrip, rstrip, special; /* takes the white space before it, after it */
} se_added_token;

enum { /* se_tokenizer.byte_class: a class, and what may begin at this byte */
       SE_BYTE_WORD,
       SE_BYTE_PUNCTUATION,
       SE_BYTE_SPACE,
       SE_BYTE_SLOW, /* not ASCII, or a control character: se_normalize decides */
       SE_BYTE_KIND = 7,
       SE_BYTE_RAW = 8,        /* an added token that is matched in the raw text */
       SE_BYTE_NORMALIZED = 16 /* one that is matched after normalisation */
};

struct se_tokenizer {
    int32_t n; /* ids 0 .. n - 1 */
    int32_t room;
    char **token;   /* [room] */
    bool *in_model; /* [room]: in the WordPiece vocabulary (and not only an added token) */
    se_trie trie;
    int32_t inside; /* the node of "##", -1 = no such tokens */
    se_added_token *added;
    int32_t n_added;
    bool *special; /* [n] */
    int32_t bos, eos, pad, unk, mask;
    int32_t max_word_chars, max_length;
    bool roberta;      /* the post-processor is RobertaProcessing */
    bool trim_offsets; /* offsets leave out the white space that an added token takes */
    int32_t pair_separators, pair_type;
    uint8_t byte_class[256];
    uint8_t lower[128];
    int32_t single[128]; /* the id of an ASCII character that stands alone */
};

/* A tokenizer under construction: no ids yet, everything else as BERT has it. */
se_tokenizer *se_tokenizer_new(void);

/* Sets token `id` (copied; valid UTF-8, not too long, not yet set to another text). */
se_status se_tokenizer_put(se_tokenizer *t, int32_t id, const char *text, bool in_model);

/* Adds an added token whose id is set already. */
se_status se_tokenizer_add(se_tokenizer *t, int32_t id, bool normalized, bool lstrip, bool rstrip,
                           bool special);

/* Builds what encoding needs, once all tokens are there. */
se_status se_tokenizer_finish(se_tokenizer *t);

/* --- wordpiece.c --- */

/* se_tokenizer_encode, behind the tokens that `out` holds already. types are not filled. */
se_status se_tokenizer_append(const se_tokenizer *t, const char *text, size_t bytes,
                              int32_t max_tokens, se_tokens *out);

#endif
