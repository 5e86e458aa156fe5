/* The bytes of a file or of standard input, unpacked: plain, gzip or zstd. */
#ifndef SE_DATA_STREAM_H
#define SE_DATA_STREAM_H

#include "base.h"
#include "data/blob.h"

typedef struct se_stream se_stream;

/* Opens a file; "-" is standard input. Compression is seen by the first bytes, not by the name. */
se_status se_stream_open(const char *path, se_stream **out);
void se_stream_close(se_stream *s); /* NULL is allowed */

/* Appends some bytes to `text` (none while unpacking has nothing to give yet), or sets *done.
 * Several gzip members or zstd frames may follow each other. Fails with "path: offset N: ..." where
 * packed data is damaged or ends early; with SE_ERR_INTERRUPTED while it waits for input. */
se_status se_stream_fill(se_stream *s, se_blob *text, bool *done);

/* Goes to an offset of a plain file, so that the next fill begins there. *went is false, and
 * nothing happened, where that cannot be: packed data, a pipe. */
se_status se_stream_seek(se_stream *s, int64_t offset, bool *went);

const char *se_stream_path(const se_stream *s); /* as messages name it */
int64_t se_stream_read(const se_stream *s);     /* bytes used of the file as it lies on disk */
int64_t se_stream_size(const se_stream *s);     /* its size; 0 where that is not known */

#endif
