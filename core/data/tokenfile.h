/* Token files: the pairs (or triplets, ...) of some text files as token ids, on disk, mapped into
 * memory. They are made once and read by training whatever their size: reading a pair is O(1). */
#ifndef SE_DATA_TOKENFILE_H
#define SE_DATA_TOKENFILE_H

#include "base.h"
#include "data/pack.h"
#include "data/pairs.h"
#include "tokenizer.h"

/* sembed-cdef-begin */
typedef struct se_token_job se_token_job;
typedef struct se_token_file se_token_file;

/* Makes the token file of some text files (see se_pairs_open) in `folder`, or finds that it is
 * there: its facts are the sources' paths, sizes and times, the columns asked for, the tokenizer
 * and the length that texts are cut to (max_tokens, the special ones included; 0: no limit). A job
 * that was stopped goes on where it was. `tokenizer` is lent to the job. Nothing is read yet but
 * the sources' first bytes. */
SE_API se_status se_token_job_open(const char *folder, int32_t n_files, const char *const *files,
                                   int32_t n_columns, const char *const *columns,
                                   const se_tokenizer *tokenizer, int32_t max_tokens,
                                   se_token_job **out);
SE_API void se_token_job_free(se_token_job *j); /* NULL is allowed; what was written stays */

/* Some thousand pairs more, on all threads. *done: the file is there. *waiting: another process is
 * making it, and this call waited a little. Fails as se_pairs_step does; SE_ERR_INTERRUPTED comes
 * between two such pieces. */
SE_API se_status se_token_job_step(se_token_job *j, bool *done, bool *waiting);

/* The file's path; pairs done, of them those that were there when the job was opened; the share of
 * the sources that was read, 0 to 1. */
SE_API const char *se_token_job_path(const se_token_job *j);
SE_API int64_t se_token_job_pairs(const se_token_job *j);
SE_API int64_t se_token_job_resumed(const se_token_job *j);
SE_API double se_token_job_progress(const se_token_job *j);
/* Which process is at the same file, while *waiting; 0 where the system does not tell. */
SE_API int64_t se_token_job_other(const se_token_job *j);
/* The folder's file system has no locks: what another process makes at the same time is not seen.
 */
SE_API bool se_token_job_unlocked(const se_token_job *j);

/* Opens a token file. SE_ERR_FORMAT with path and offset for one that is damaged or of another
 * version. */
SE_API se_status se_token_file_open(const char *path, se_token_file **out);
SE_API void se_token_file_free(se_token_file *f); /* NULL is allowed */

SE_API int64_t se_token_file_count(const se_token_file *f); /* pairs */
SE_API int32_t se_token_file_columns(const se_token_file *f);
SE_API const char *se_token_file_column_name(const se_token_file *f, int32_t column);

/* Of all texts of a column; columns that share lists have the same. */
typedef struct se_column_stats {
    int64_t texts, tokens, bytes;
    int64_t truncated; /* texts that were cut */
    int64_t cut;       /* tokens cut from them */
    int64_t longest;   /* tokens */
} se_column_stats;
SE_API se_status se_token_file_stats(const se_token_file *f, int32_t column, se_column_stats *out);

/* 64-bit hash of the text's bytes (hash.h): what "the same text" means. Here and in packing a
 * number of a pair may be a drawn one (se_order_next). */
SE_API uint64_t se_token_file_hash(const se_token_file *f, int32_t column, int64_t pair);

/* Packs a column of the pairs which[0 .. n): see se_pack_batch. */
SE_API se_status se_token_file_pack(const se_token_file *f, int32_t column, int64_t n,
                                    const int64_t *which, int32_t pad, se_packed *out, int32_t *ids,
                                    int32_t *starts, int32_t *positions);

/* The texts of the pairs which[0 .. n), in ascending order, as they stand in the sources, which are
 * read again: at once where they are plain files, else once from their beginning. SE_ERR_FORMAT
 * where a source has changed. */
SE_API se_status se_token_file_texts(const se_token_file *f, int64_t n, const int64_t *which,
                                     se_pairs **out);

/* Parts that hold no first text in common: a pair is in one of SE_TOKEN_BUCKETS buckets, by the
 * hash of its first text. How many pairs the buckets from `low` on and below `high` hold; and the
 * numbers of the first `room` of them, in order (the result: how many were written). */
enum { SE_TOKEN_BUCKETS = 4096 };
SE_API int64_t se_token_file_part(const se_token_file *f, int32_t low, int32_t high);
SE_API int64_t se_token_file_pairs(const se_token_file *f, int32_t low, int32_t high, int64_t *out,
                                   int64_t room);

/* Compares every block with its check sum; SE_ERR_FORMAT names the first that differs. */
SE_API se_status se_token_file_verify(const se_token_file *f);
/* sembed-cdef-end */

/* Whether pairs have texts to draw from. Pair number draw * count + i then is pair i with texts
 * that are a function of draw (1, 2, ...) and i; pair i itself has the first ones. */
bool se_token_file_lists(const se_token_file *f);

/* A text; without tokens where the file is damaged, which se_token_file_sound tells of a pair. */
se_pack_text se_token_file_text(const se_token_file *f, int32_t column, int64_t pair);
se_status se_token_file_sound(const se_token_file *f, int64_t pair);

/* Tells these pairs from others. */
uint64_t se_token_file_identity(const se_token_file *f);

/* Says that the pairs first .. first + n - 1 are wanted soon. */
void se_token_file_ahead(const se_token_file *f, int64_t first, int64_t n);
int32_t se_token_file_block(const se_token_file *f); /* pairs in a block */

#endif
