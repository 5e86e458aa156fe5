/* The records of some files of pairs, one after another: where they are, and going on from a place.
 * A file is JSON lines (record.h), a table (tsv or csv by its name, table.h), plain text (by the
 * name .txt: a text on each line), or LEFT+RIGHT: two files of plain text whose lines belong
 * together. All of them plain, gzip or zstd. */
#ifndef SE_DATA_SOURCE_H
#define SE_DATA_SOURCE_H

#include "base.h"
#include "data/record.h"

typedef struct se_source se_source;

/* LEFT+RIGHT -> the two paths; *right is NULL, and *left the path itself, where that is a file or
 * neither part is one. Both are freed by free(). */
se_status se_source_split(const char *path, char **left, char **right);

/* Opens every file once, so that a missing one is known before a long job ("-" is standard input).
 * With n_columns = 0 the first record that is parsed decides about the columns. */
se_status se_source_open(int32_t n_files, const char *const *files, int32_t n_columns,
                         const char *const *columns, se_source **out);
void se_source_free(se_source *s); /* NULL is allowed */

/* What a file without records should have held, for the message: "pairs", "a JSON object or array
 * of texts" (these without a call). */
void se_source_wants(se_source *s, const char *what, const char *line);

/* The next record as it stands in its file (of LEFT+RIGHT: a line of each, with a line break in
 * between), not 0-ended, valid until the next call; blank lines (not of LEFT+RIGHT), header lines
 * and byte order marks are passed over; *text is NULL behind the last. Fails with
 * "FILE: no pairs: ..." for a file without any, for a quote that is not closed, for LEFT+RIGHT of
 * unequal lengths, and as lines.h and se_table_begin say. */
se_status se_source_next(se_source *s, const char **text, size_t *bytes);

/* The last record's file (its number, from 0) and first line (from 1). */
int32_t se_source_file(const se_source *s);
int64_t se_source_line(const se_source *s);
const char *se_source_name(const se_source *s, int32_t file);

/* Parses a record of a file that was read: see se_record_parse. Any number of threads, once the
 * columns are known. */
se_status se_source_parse(se_source *s, const char *text, size_t bytes, int32_t file, int64_t line,
                          se_record *out);
se_columns *se_source_columns(se_source *s);

/* The place behind the last record, and going on from there: at once in a plain file, else by
 * reading over what stands before it. Before the first record, or from a record in front of the
 * place, which costs no more than what lies in between. */
typedef struct se_source_place {
    int64_t file, line, offset; /* lines of that file that are done, bytes of its unpacked text */
    int64_t pairs;              /* records of that file */
    int64_t right;              /* bytes of the right-hand file's unpacked text */
} se_source_place;
void se_source_tell(const se_source *s, se_source_place *out);
se_status se_source_go(se_source *s, const se_source_place *to);

/* The share of the files' bytes that was read, 0 to 1; 0 where sizes are not known. */
double se_source_progress(const se_source *s);

#endif
