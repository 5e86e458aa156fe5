/* Many records of a source at once, so that one thread reads while others work on what was read. */
#ifndef SE_DATA_READING_H
#define SE_DATA_READING_H

#include "data/blob.h"
#include "data/source.h"

/* A record as it was read. */
typedef struct se_reading_line {
    size_t begin, bytes; /* in the reading's text */
    int64_t number;      /* of the line in its file, from 1 */
    int32_t file;
} se_reading_line;

/* All zero before the first use. */
typedef struct se_reading {
    se_blob text, lines;
    int64_t n;
    se_source_place after; /* the place behind the records */
    bool last;             /* nothing comes behind them */
    se_status status;      /* what went wrong behind them, told by se_reading_tell */
    char *message;
} se_reading;

/* Reads up to `most` records in place of those that were there. */
void se_reading_fill(se_reading *r, se_source *source, int64_t most);

/* Fails as the reading did, on the thread that asks. */
se_status se_reading_tell(const se_reading *r);

/* Record i: its line, and its text (not 0-ended). */
const se_reading_line *se_reading_line_at(const se_reading *r, int64_t i, const char **text);
void se_reading_free(se_reading *r);

#endif
