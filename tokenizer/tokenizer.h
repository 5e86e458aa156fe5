/* WordPiece over lower-cased text, as MPNet, BERT and MiniLM use it: text -> token ids and where
 * each token stands in the text. Usable alone: needs only base.h.
 *
 * An open tokenizer is never written to, so any number of threads may share one; each thread brings
 * its own se_tokens. Results equal those of the `tokenizers` library with the folder's
 * tokenizer.json, for every code point (golden data in tests/data/tokenizer).
 *
 *     se_tokenizer *t;
 *     se_tokens tokens = {0};
 *     if (se_tokenizer_open("all-mpnet-base-v2", &t) == SE_OK &&
 *         se_tokenizer_encode(t, "Hello!", 6, 128, &tokens) == SE_OK)
 *         use(tokens.ids, tokens.n);
 *     se_tokens_free(&tokens);
 *     se_tokenizer_free(t);
 *
 * What stands between the marker lines is also LuaJIT's cdef. */
#ifndef SE_TOKENIZER_H
#define SE_TOKENIZER_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_tokenizer se_tokenizer;

/* The tokens of one text or pair. All zero before the first use; every encode overwrites it and
 * grows it where needed, so a loop allocates only for its longest text. Offsets are [start, end) in
 * code points of the text that the token is from (0, 0 for the special tokens put around it). */
typedef struct se_tokens {
    int64_t n;        /* tokens, special ones included */
    int64_t cut;      /* tokens that truncation left out */
    int32_t *ids;     /* [n] */
    int32_t *offsets; /* [n][2] */
    int32_t *types;   /* [n] 0, or 1 for the second text of a pair where the model wants that */
    int64_t capacity; /* tokens there is room for */
    uint32_t *scratch;
    int64_t scratch_capacity;
} se_tokens;

/* The tokens of many texts, packed. All zero before the first use; reused like se_tokens. */
typedef struct se_token_batch {
    int64_t n;        /* texts */
    int64_t total;    /* tokens of all texts */
    int64_t cut;      /* tokens that truncation left out, all texts together */
    int64_t n_cut;    /* texts that lost tokens */
    int32_t *ids;     /* [total] */
    int32_t *offsets; /* [total][2], or NULL when not asked for */
    int32_t *starts;  /* [n + 1]: text i has the tokens starts[i] .. starts[i + 1] - 1 */
    int32_t *cuts;    /* [n]: tokens cut from text i */
    int64_t id_capacity, offset_capacity, text_capacity;
    void *parts;
} se_token_batch;

/* Opens the tokenizer of a model folder: tokenizer.json, else vocab.txt; tokenizer_config.json is
 * read where there is one, special_tokens_map.json never. The file's truncation and padding are
 * ignored. Fails with SE_ERR_IO (nothing there) or SE_ERR_FORMAT (a broken file, or another kind
 * of tokenizer, which is named: BPE, Unigram, SentencePiece, cased text). */
SE_API se_status se_tokenizer_open(const char *folder, se_tokenizer **out);

/* Opens a vocabulary alone, one token a line. With <s> among its tokens it is MPNet's (<s> A </s>),
 * else BERT's ([CLS] A [SEP]). */
SE_API se_status se_tokenizer_from_vocab(const char *path, se_tokenizer **out);
SE_API void se_tokenizer_free(se_tokenizer *t); /* NULL is allowed */

/* Ids run from 0 to se_tokenizer_vocab_size - 1. A special token that the vocabulary lacks is -1.
 * bos opens a text ([CLS] in BERT), eos closes it ([SEP]). */
SE_API int32_t se_tokenizer_vocab_size(const se_tokenizer *t);
SE_API int32_t se_tokenizer_bos(const se_tokenizer *t);
SE_API int32_t se_tokenizer_eos(const se_tokenizer *t);
SE_API int32_t se_tokenizer_pad(const se_tokenizer *t);
SE_API int32_t se_tokenizer_unk(const se_tokenizer *t);
SE_API int32_t se_tokenizer_mask(const se_tokenizer *t);

/* model_max_length of tokenizer_config.json, 0 when it says none. For information: encoding never
 * looks at it. */
SE_API int32_t se_tokenizer_max_length(const se_tokenizer *t);

/* A token as written in the vocabulary ("hello", "##ing"); NULL for an id that there is not. Lives
 * as long as the tokenizer. And back: -1 for a token that there is not. */
SE_API const char *se_tokenizer_token(const se_tokenizer *t, int32_t id);
SE_API int32_t se_tokenizer_id(const se_tokenizer *t, const char *token);
SE_API bool se_tokenizer_is_special(const se_tokenizer *t, int32_t id);

/* Text (UTF-8, may hold U+0000, under 2 GiB) -> bos, tokens, eos. max_tokens counts both of them; 0
 * is no limit, else at least 2: the first max_tokens - 1 stay and eos comes last. SE_ERR_FORMAT
 * with the byte offset where the text is not UTF-8. */
SE_API se_status se_tokenizer_encode(const se_tokenizer *t, const char *text, size_t bytes,
                                     int32_t max_tokens, se_tokens *out);

/* A pair as the model takes it in one piece: <s> A </s> </s> B </s> or [CLS] A [SEP] B [SEP]. Where
 * it is too long the longer text is cut first, as transformers' longest_first does. */
SE_API se_status se_tokenizer_encode_pair(const se_tokenizer *t, const char *a, size_t a_bytes,
                                          const char *b, size_t b_bytes, int32_t max_tokens,
                                          se_tokens *out);
SE_API void se_tokens_free(se_tokens *tokens);

/* Many texts on se_threads() threads; the result does not depend on how many there are. A text that
 * is not UTF-8 is named by its number (from 0), the first one if there are several. */
SE_API se_status se_tokenizer_encode_batch(const se_tokenizer *t, const char *const *texts,
                                           const size_t *bytes, int64_t n, int32_t max_tokens,
                                           bool with_offsets, se_token_batch *out);
SE_API void se_token_batch_free(se_token_batch *batch);

/* Ids -> readable text: pieces joined, one space between words, none before . ? ! and comma (the
 * rules of the library's WordPiece decoder). Writes at most capacity bytes, a closing NUL included;
 * *bytes becomes the whole length without it, so a call with capacity 0 measures. SE_ERR_ARG for an
 * id outside the vocabulary. */
SE_API se_status se_tokenizer_decode(const se_tokenizer *t, const int32_t *ids, int64_t n,
                                     bool skip_special, char *out, size_t capacity, size_t *bytes);

/* Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and vocab.txt into a folder
 * (made if need be), as transformers and sentence-transformers read them. max_seq_length becomes
 * model_max_length; 0 keeps what was loaded. */
SE_API se_status se_tokenizer_save(const se_tokenizer *t, const char *folder,
                                   int32_t max_seq_length);

/* How many bytes from the first one on are UTF-8: `bytes` where all of them are. */
SE_API size_t se_utf8_valid(const char *text, size_t bytes);
/* sembed-cdef-end */

#endif
