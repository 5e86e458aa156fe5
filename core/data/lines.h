/* Lines of text from a plain, gzip or zstd file or from standard input, of any length. */
#ifndef SE_DATA_LINES_H
#define SE_DATA_LINES_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_lines se_lines;

/* Opens a file; "-" is standard input. Compression is seen by the first bytes, not by the name. */
SE_API se_status se_lines_open(const char *path, se_lines **out);
SE_API void se_lines_close(se_lines *l); /* NULL is allowed */

/* The next line without its newline (and without a carriage return before it), not 0-ended, valid
 * until the next call. *text is NULL behind the last. Fails with "path: offset N: ..." where
 * packed data is damaged or ends early; with SE_ERR_INTERRUPTED while it waits for input. */
SE_API se_status se_lines_next(se_lines *l, const char **text, size_t *bytes);

/* The number of the last line given, from 1. Bytes read of the file as it lies on disk, and its
 * size (0 where that is not known). */
SE_API int64_t se_lines_number(const se_lines *l);
SE_API int64_t se_lines_read(const se_lines *l);
SE_API int64_t se_lines_size(const se_lines *l);
/* sembed-cdef-end */

/* The last line given and the one behind it as one text with its line break in between: for
 * records that span lines. *text is NULL, and the last line stays as it was, where there is none.
 */
se_status se_lines_extend(se_lines *l, const char **text, size_t *bytes);

/* Some of what was not given out yet; *bytes is 0 at the end. */
se_status se_lines_peek(se_lines *l, const char **text, size_t *bytes);

/* Bytes given out so far, line breaks included: where the next line begins in the unpacked text. */
int64_t se_lines_offset(const se_lines *l);

/* Goes on behind line `number`, which ends at `offset` of the text: at once in a plain file, line
 * by line elsewhere. Fails where there are not so many. */
se_status se_lines_skip(se_lines *l, int64_t number, int64_t offset);

#endif
