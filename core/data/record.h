/* A record of pairs -> the texts of its columns: one line of JSON here, a line of a table in
 * table.h.
 */
#ifndef SE_DATA_RECORD_H
#define SE_DATA_RECORD_H

#include "base.h"
#include "data/columns.h"
#include "io/json.h"

enum { SE_MAX_COLUMNS = 16 };

/* Which texts are wanted. n = 0: the first record decides. An array has as many columns as texts:
 * context, response, negative, negative_2, ...; so has {"texts": [...]}; {"set": [...]} has the
 * first two; {"query", "pos", "neg"} has query, positive and, with texts in "neg", negative; any
 * other object "context" and "response". */
typedef struct se_columns {
    int32_t n;
    bool asked;   /* named by the caller, not by the first record */
    bool decided; /* the first record was seen */
    bool lists;   /* it had a set, or a list as "pos" or "neg": records have texts to draw from */
    char *name[SE_MAX_COLUMNS];
} se_columns;

/* The texts of one record, in the order of the columns; they live until se_record_free, and as long
 * as the text that they were parsed from. */
typedef struct se_record {
    se_json *root;
    se_columns_of_line cells;
    const char
        *text[SE_MAX_COLUMNS]; /* of a list: the first, the next of a column that shares it */
    size_t bytes[SE_MAX_COLUMNS];
    const se_json *list[SE_MAX_COLUMNS]; /* what the column's text is one of; NULL: only that */
    bool shares[SE_MAX_COLUMNS];         /* another one of the list of the column before */
} se_record;

/* How many texts a record has for a column: 0 where it shares a list; and text k of them. */
int64_t se_record_count(const se_record *r, int32_t column);
const char *se_record_text(const se_record *r, int32_t column, int64_t k, size_t *bytes);

/* Parses a line: an object (a text under each column's name, other keys are ignored; "positive" may
 * be in "pos", "negative", "negative_2", ... in "neg": a text, or a list, of which columns side by
 * side have different ones; a column "a+b+c" that is no key
 * has the texts under a, b and c with a space between, those that there are, of which a must be) or
 * texts column by column: an array, or an object without the first column's name that has one as
 * "texts" or "set". Fails with SE_ERR_FORMAT and "FILE:LINE: what". */
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

/* Names the columns context, response, negative, negative_2, ... if they have no names yet. */
se_status se_record_choose(se_columns *c, int64_t n);

/* The columns' quoted names with commas between, as far as there is room. */
void se_record_names(const se_columns *c, char *text, size_t room);

/* Fails where a text is not UTF-8; `column` is its name. */
se_status se_record_check(const char *text, size_t bytes, const char *file, int64_t number,
                          const char *column);

se_status se_columns_add(se_columns *c, const char *name);
void se_columns_free(se_columns *c);

#endif
