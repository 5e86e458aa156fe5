/* Lines of tsv and csv files as pairs: which column of the file is which text. */
#ifndef SE_DATA_TABLE_H
#define SE_DATA_TABLE_H

#include "data/record.h"

/* All zero: no table. */
typedef struct se_table {
    char separator;
    bool quotes;                /* as csv has them */
    int64_t width;              /* columns of each line */
    int64_t at[SE_MAX_COLUMNS]; /* of text i, from 0 */
} se_table;

/* A table by its name, .gz, .zst and the like taken off first: .tsv and .tab, .csv; else all zero.
 */
se_table se_table_of_name(const char *path);

/* Whether a name, without .gz and the like, says that each line is a text: .txt. */
bool se_name_is_plain(const char *path);

/* Looks at the first line. With columns that were asked for, it must hold their names; else it is a
 * header where it holds "context" and "response", and where it does not the texts are in the first
 * two columns, from this line on. */
se_status se_table_begin(se_table *t, const char *line, size_t bytes, const char *file,
                         int64_t number, const se_columns *columns, bool *header);

/* Parses a line, which must have as many columns as the first one. Fails as se_record_parse does.
 */
se_status se_table_parse(const se_table *t, const char *line, size_t bytes, const char *file,
                         int64_t number, se_columns *columns, se_record *out);

#endif
