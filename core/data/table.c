#include "data/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool ends(const char *name, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n > m && strncasecmp(name + n - m, ending, m) == 0;
}

/* The bytes of a name without the endings that tell how a file is packed. */
static size_t unpacked(const char *path)
{
    static const char *const PACKED[] = {".gz", ".gzip", ".zst", ".zstd"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof PACKED / sizeof *PACKED; i++)
        if (ends(path, n, PACKED[i]))
            return n - strlen(PACKED[i]);
    return n;
}

bool se_name_is_plain(const char *path)
{
    return ends(path, unpacked(path), ".txt");
}

se_table se_table_of_name(const char *path)
{
    size_t n = unpacked(path);
    if (ends(path, n, ".csv"))
        return (se_table){.separator = ',', .quotes = true};
    if (ends(path, n, ".tsv") || ends(path, n, ".tab"))
        return (se_table){.separator = '\t'};
    return (se_table){0};
}

static se_status cut(const se_table *t, se_columns_of_line *c, const char *line, size_t bytes)
{
    se_columns_begin(c);
    se_status s = se_columns_feed(c, t->separator, t->quotes, line, bytes);
    return s == SE_OK ? se_columns_end(c) : s;
}

/* The place of a name in the header, -1: none; *times: how often it is there. */
static int64_t find(const se_columns_of_line *c, const char *name, int *times)
{
    int64_t at = -1;
    size_t bytes;
    *times = 0;
    for (int64_t i = se_columns_count(c) - 1; i >= 0; i--) {
        const char *text = se_columns_at(c, i, &bytes);
        if (bytes == strlen(name) && memcmp(text, name, bytes) == 0) {
            at = i;
            ++*times;
        }
    }
    return at;
}

static void list_header(const se_columns_of_line *c, char *out, size_t room)
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t i = 0; i < se_columns_count(c); i++) {
        size_t bytes;
        const char *text = se_columns_at(c, i, &bytes);
        int n = snprintf(out + used, room - used, "%s\"%.*s\"", i ? ", " : "",
                         (int)(bytes < 60 ? bytes : 60), text);
        if (n < 0 || used + (size_t)n + 8 > room) {
            snprintf(out + used, room - used, "%s", room - used > 5 ? ", ..." : "");
            return;
        }
        used += (size_t)n;
    }
}

static se_status read_names(se_table *t, const se_columns_of_line *c, const char *file,
                            int64_t number, const se_columns *columns)
{
    char names[512];
    int times;
    for (int32_t i = 0; i < columns->n; i++) {
        t->at[i] = find(c, columns->name[i], &times);
        list_header(c, names, sizeof names);
        if (times == 0)
            return se_fail(SE_ERR_FORMAT,
                           "%s:%" PRId64
                           ": no column \"%s\" in the header line: its columns are %s",
                           file, number, columns->name[i], names);
        if (times > 1)
            return se_fail(SE_ERR_FORMAT,
                           "%s:%" PRId64 ": %d columns \"%s\" in the header line: %s", file, number,
                           times, columns->name[i], names);
    }
    return SE_OK;
}

static se_status see_two(se_table *t, const se_columns_of_line *c, const char *file, int64_t number,
                         bool *header)
{
    int times;
    t->at[0] = find(c, "context", &times);
    t->at[1] = find(c, "response", &times);
    *header = t->at[0] >= 0 && t->at[1] >= 0;
    if (!*header) {
        t->at[0] = 0;
        t->at[1] = 1;
    }
    if (t->width >= 2)
        return SE_OK;
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": one column, expected two with a %s between them",
                   file, number, t->quotes ? "comma" : "tab");
}

se_status se_table_begin(se_table *t, const char *line, size_t bytes, const char *file,
                         int64_t number, const se_columns *columns, bool *header)
{
    se_columns_of_line c = {0};
    se_status s = cut(t, &c, line, bytes);
    t->width = se_columns_count(&c);
    *header = true;
    if (s == SE_OK)
        s = columns->asked ? read_names(t, &c, file, number, columns)
                           : see_two(t, &c, file, number, header);
    se_columns_of_line_free(&c);
    return s;
}

se_status se_table_parse(const se_table *t, const char *line, size_t bytes, const char *file,
                         int64_t number, se_columns *columns, se_record *out)
{
    char names[512];
    memset(out, 0, sizeof *out);
    se_status s = cut(t, &out->cells, line, bytes);
    int64_t n = se_columns_count(&out->cells);
    if (s == SE_OK && n != t->width)
        s = se_fail(SE_ERR_FORMAT,
                    "%s:%" PRId64 ": %" PRId64 " column%s, expected %" PRId64
                    " as in the file's first line",
                    file, number, n, n == 1 ? "" : "s", t->width);
    if (s == SE_OK)
        s = se_record_choose(columns, 2);
    if (s == SE_OK && !columns->asked && columns->n != 2) {
        se_record_names(columns, names, sizeof names);
        s = se_fail(SE_ERR_FORMAT,
                    "%s:%" PRId64 ": two texts, expected %d (%s): with columns = {...} the header "
                    "line says which",
                    file, number, columns->n, names);
    }
    for (int32_t i = 0; s == SE_OK && i < columns->n; i++) {
        out->text[i] = se_columns_at(&out->cells, t->at[i], &out->bytes[i]);
        s = se_record_check(out->text[i], out->bytes[i], file, number, columns->name[i]);
    }
    if (s != SE_OK)
        se_record_free(out);
    return s;
}
