/* Pairs of texts (or triplets, ...) from files of JSON lines, tokenised and kept in memory. */
#ifndef SE_DATA_PAIRS_H
#define SE_DATA_PAIRS_H

#include "base.h"
#include "data/pack.h"
#include "tokenizer.h"

/* sembed-cdef-begin */
typedef struct se_pairs se_pairs;

/* Opens the files (jsonl, jsonl.gz; "-" is standard input); nothing is loaded yet. Each line is an
 * object with a text under each column's name, or an array of as many texts. With n_columns = 0 the
 * first line decides: "context" and "response", after them (arrays only) "negative", "negative_2",
 * ... Texts are cut to max_tokens tokens, the special ones included (0: no limit). `tokenizer` is
 * lent until loading is done; NULL loads texts alone. */
SE_API se_status se_pairs_open(int32_t n_files, const char *const *files, int32_t n_columns,
                               const char *const *columns, const se_tokenizer *tokenizer,
                               int32_t max_tokens, se_pairs **out);
SE_API void se_pairs_free(se_pairs *p); /* NULL is allowed */

/* Loads up to max_lines lines more; *done after the last. Blank lines are passed over. Fails with
 * "FILE:LINE: what" for a malformed line, "FILE: no pairs: ..." for a file without any; after that
 * only se_pairs_free is of use, but for SE_ERR_INTERRUPTED, which comes between two lines. */
SE_API se_status se_pairs_step(se_pairs *p, int64_t max_lines, bool *done);

/* The share of the files' bytes that was read, 0 to 1; 0 where sizes are not known. */
SE_API double se_pairs_progress(const se_pairs *p);

SE_API int64_t se_pairs_count(const se_pairs *p);
SE_API int32_t se_pairs_columns(const se_pairs *p); /* 0 before the first line of unnamed ones */
SE_API const char *se_pairs_column_name(const se_pairs *p, int32_t column);
SE_API int32_t se_pairs_column(const se_pairs *p, const char *name); /* -1: none */

typedef struct se_column_stats {
    int64_t tokens, bytes; /* of all its texts */
    int64_t truncated;     /* texts that were cut */
    int64_t cut;           /* tokens cut from them */
    int32_t longest;       /* tokens */
} se_column_stats;
SE_API se_status se_pairs_stats(const se_pairs *p, int32_t column, se_column_stats *out);

/* A text as it stood in the file (lent, not 0-ended); NULL for a pair or column there is not. */
SE_API const char *se_pairs_text(const se_pairs *p, int32_t column, int64_t pair, size_t *bytes);

/* 64-bit hash of the text's bytes (hash.h): what "the same text" means. */
SE_API uint64_t se_pairs_hash(const se_pairs *p, int32_t column, int64_t pair);

/* Packs a column of the pairs which[0 .. n): see se_pack_batch. */
SE_API se_status se_pairs_pack(const se_pairs *p, int32_t column, int64_t n, const int64_t *which,
                               int32_t pad, se_packed *out, int32_t *ids, int32_t *starts,
                               int32_t *positions);

/* A held-out part of about `fraction` of the pairs, or (held = false) all others: writes at most
 * `room` numbers to out, in order, and gives how many there are. A pair's side depends on its first
 * text and the seed alone: pairs with the same first text are never on both sides (a second text
 * may be). */
SE_API int64_t se_pairs_split(const se_pairs *p, double fraction, int64_t seed, bool held,
                              int64_t *out, int64_t room);
/* sembed-cdef-end */

#endif
