/* One line of JSON -> the texts of its columns. */
#ifndef SE_DATA_RECORD_H
#define SE_DATA_RECORD_H

#include "base.h"
#include "io/json.h"

enum { SE_MAX_COLUMNS = 16 };

/* Which texts are wanted. n = 0: the first line decides; an object then has "context" and
 * "response", an array as many columns as it has texts: context, response, negative, negative_2. */
typedef struct se_columns {
    int32_t n;
    char *name[SE_MAX_COLUMNS];
} se_columns;

/* The texts of one line, in the order of the columns; they live until se_record_free. */
typedef struct se_record {
    se_json *root;
    const char *text[SE_MAX_COLUMNS];
    size_t bytes[SE_MAX_COLUMNS];
} se_record;

/* Parses a line: an object (a text under each column's name, other keys are ignored) or an array of
 * texts (column by column). Fails with SE_ERR_FORMAT and "FILE:LINE: what". */
se_status se_record_parse(const char *line, size_t bytes, const char *file, int64_t number,
                          se_columns *columns, se_record *out);
void se_record_free(se_record *r);

/* Parses a line as one JSON value, freed by se_json_free. Fails as se_record_parse does. */
se_status se_record_json(const char *line, size_t bytes, const char *file, int64_t number,
                         se_json **out);

/* Fails with the keys that there are in place of `name`. */
se_status se_record_missing(const se_json *root, const char *name, const char *file,
                            int64_t number);

/* What a value is, in words: "a number". */
const char *se_record_kind(const se_json *v);

se_status se_columns_add(se_columns *c, const char *name);
void se_columns_free(se_columns *c);

#endif
