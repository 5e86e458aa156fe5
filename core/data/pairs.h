/* Pairs of texts (or triplets, ...) from files, as texts in memory: for evaluation, and to look at.
 * Training reads token files (tokenfile.h). */
#ifndef SE_DATA_PAIRS_H
#define SE_DATA_PAIRS_H

#include "base.h"
#include "data/record.h"

/* sembed-cdef-begin */
typedef struct se_pairs se_pairs;

/* Opens the files; nothing is loaded yet. Each is, plain, gzip or zstd:
 *   JSON lines      {"context", "response"} or other keys as columns are named; [a, b, ...] and
 *                   {"texts": [a, b, ...]}, as many texts on each line; {"set": [a, b, ...]}, of
 *                   which two are taken; {"query", "pos", "neg"}, texts or lists, of which one is
 *                   taken (of "neg" as many as there are columns "negative", "negative_2", ... side
 *                   by side). The first record tells whether there are sets or lists at all. Here
 *                   the first ones are taken; token files have them all.
 *                   "-" is standard input.
 *   NAME.tsv, .csv  with named columns, or "context" and "response" in the first line, that is a
 *                   header; else the texts are the first two columns of every line. A record of csv
 *                   may span lines. Every record has as many columns.
 *   NAME.txt        each line is a text: one column, "text" unless it is named
 *   LEFT+RIGHT      two files of plain text: their lines are the two columns.
 * With n_columns = 0 the first record decides on the columns' names: "query", "positive" and,
 * where there are texts in "neg", "negative" for an object with "query" and "pos"; else "context",
 * "response", and after them (arrays only) "negative", "negative_2", ... A column "a+b" that an
 * object lacks has the texts under "a" and, where it is there, "b" with a space between. */
SE_API se_status se_pairs_open(int32_t n_files, const char *const *files, int32_t n_columns,
                               const char *const *columns, se_pairs **out);
SE_API void se_pairs_free(se_pairs *p); /* NULL is allowed */

/* Loads up to max_lines records more; *done after the last. Blank lines are passed over. Fails with
 * "FILE:LINE: what" for a malformed line, "FILE: no pairs: ..." for a file without any; after that
 * only se_pairs_free is of use, but for SE_ERR_INTERRUPTED, which comes between two lines. */
SE_API se_status se_pairs_step(se_pairs *p, int64_t max_lines, bool *done);

/* The share of the files' bytes that was read, 0 to 1; 0 where sizes are not known. */
SE_API double se_pairs_progress(const se_pairs *p);

SE_API int64_t se_pairs_count(const se_pairs *p);
SE_API int32_t se_pairs_columns(const se_pairs *p); /* 0 before the first line of unnamed ones */
SE_API const char *se_pairs_column_name(const se_pairs *p, int32_t column);

/* A text as it stood in the file (lent, not 0-ended); NULL for a pair or column there is not. */
SE_API const char *se_pairs_text(const se_pairs *p, int32_t column, int64_t pair, size_t *bytes);
/* sembed-cdef-end */

/* Pairs that come from elsewhere than files of their own: none at first. */
se_status se_pairs_new(int32_t n_columns, const char *const *columns, se_pairs **out);
se_status se_pairs_add(se_pairs *p, const se_record *r);

#endif
