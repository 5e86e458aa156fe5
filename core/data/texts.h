/* One text after another out of files that people have: plain lines, a field of JSON lines, a
 * column of tsv or csv; plain, gzip or zstd; from disk or from standard input. */
#ifndef SE_DATA_TEXTS_H
#define SE_DATA_TEXTS_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_texts se_texts;

/* "-" among the files is standard input.
 * format: "lines", "jsonl", "tsv", "csv", or "" for what a file's name says, .gz, .zst and the like
 * taken off first: .jsonl .ndjson .json, .tsv .tab, .csv, .txt; for any other name, and for
 * standard input, it is JSON lines when the first byte is '{', else lines.
 * field: of JSON lines the key, or keys and array indices from 0 with dots between ("a.texts.0"; a
 * key that is written so itself comes first), "" for lines that are strings themselves. Of tsv and
 * csv the column's name in the header line, or its number from 1; then there is no header line
 * unless `header` says so. Of plain lines nothing.
 * Every file is opened once, so that a missing one is known before a long job. */
SE_API se_status se_texts_open(int32_t n_files, const char *const *files, const char *format,
                               const char *field, bool header, se_texts **out);
SE_API void se_texts_close(se_texts *t); /* NULL is allowed */

/* The next text, not 0-ended, valid until the next call; *text is NULL behind the last. Blank lines
 * are texts of plain lines, and nothing elsewhere. Fails with "FILE:LINE: what", also for text that
 * is not UTF-8; as lines.h says for damaged files. */
SE_API se_status se_texts_next(se_texts *t, const char **text, size_t *bytes);

/* Where the last text begins: its file's name, its line from 1. */
SE_API const char *se_texts_file(const se_texts *t);
SE_API int64_t se_texts_line(const se_texts *t);

/* Bytes read of all files as they lie on disk, and their size (0 where that is not known). */
SE_API int64_t se_texts_read(const se_texts *t);
SE_API int64_t se_texts_size(const se_texts *t);

/* The place behind the last text, and going on from there: directly in a plain file, else by
 * reading over what stands before it. Only before the first text. */
typedef struct se_texts_place {
    int64_t file;   /* from 0 */
    int64_t line;   /* lines of that file that are done */
    int64_t offset; /* bytes of its unpacked text that are done */
} se_texts_place;
SE_API void se_texts_tell(const se_texts *t, se_texts_place *out);
SE_API se_status se_texts_go(se_texts *t, const se_texts_place *to);
/* sembed-cdef-end */

#endif
