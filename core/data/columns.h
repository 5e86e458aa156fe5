/* A line of tsv or csv -> its columns. csv as RFC 4180 and Python's csv module have it: a column
 * that begins with a quote goes on to the closing one, over separators and line breaks; "" in it is
 * a quote. tsv has no quoting. */
#ifndef SE_DATA_COLUMNS_H
#define SE_DATA_COLUMNS_H

#include "base.h"
#include "data/blob.h"

typedef struct se_columns_of_line {
    se_blob text; /* the columns, one after another */
    se_blob ends; /* size_t: where each column ends in text */
    int32_t state;
} se_columns_of_line;

/* Begins a new line; then takes pieces of it. */
void se_columns_begin(se_columns_of_line *c);
se_status se_columns_feed(se_columns_of_line *c, char separator, bool quotes, const char *text,
                          size_t bytes);

/* Whether a quote is open: the line goes on behind its line break. */
bool se_columns_open(const se_columns_of_line *c);

/* Ends the last column. */
se_status se_columns_end(se_columns_of_line *c);

int64_t se_columns_count(const se_columns_of_line *c);
const char *se_columns_at(const se_columns_of_line *c, int64_t i, size_t *bytes); /* from 0 */
void se_columns_of_line_free(se_columns_of_line *c);

#endif
