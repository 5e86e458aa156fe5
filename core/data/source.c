#include "data/source.h"
#include "data/lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct se_source {
    char **file;
    int32_t n_files, now; /* file[now] is being read */
    int32_t of;           /* the last record's file */
    se_lines *lines;
    int64_t line;    /* of the last record */
    int64_t in_file; /* records of file[now] so far */
    int64_t bytes_before, bytes_all;
    se_columns columns;
    const char *what, *wanted; /* for messages */
};

static bool is_standard(const char *file)
{
    return strcmp(file, "-") == 0;
}

static se_status size_of(const char *file, int64_t *bytes)
{
    se_lines *l;
    *bytes = 0;
    if (is_standard(file))
        return SE_OK;
    se_status s = se_lines_open(file, &l);
    if (s != SE_OK)
        return s;
    *bytes = se_lines_size(l);
    se_lines_close(l);
    return SE_OK;
}

se_status se_source_open(int32_t n_files, const char *const *files, int32_t n_columns,
                         const char *const *columns, se_source **out)
{
    *out = NULL;
    if (n_files < 1)
        return se_fail(SE_ERR_ARG, "pairs: no files: expected at least one");
    se_source *p = se_calloc(1, sizeof *p);
    if (!p)
        return SE_ERR_MEMORY;
    se_source_wants(p, "pairs", "a JSON object or array of texts");
    p->file = se_calloc((size_t)n_files, sizeof *p->file);
    se_status s = p->file ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n_columns; i++)
        s = se_columns_add(&p->columns, columns[i]);
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        int64_t bytes = 0;
        p->file[i] = se_strdup(files[i]);
        p->n_files = i + 1;
        s = p->file[i] ? size_of(files[i], &bytes) : SE_ERR_MEMORY;
        p->bytes_all += bytes;
    }
    if (s != SE_OK)
        se_source_free(p);
    else
        *out = p;
    return s;
}

void se_source_free(se_source *s)
{
    if (!s)
        return;
    se_lines_close(s->lines);
    for (int32_t i = 0; i < s->n_files; i++)
        free(s->file[i]);
    free(s->file);
    se_columns_free(&s->columns);
    free(s);
}

void se_source_wants(se_source *s, const char *what, const char *line)
{
    s->what = what;
    s->wanted = line;
}

static bool blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* Closes the file that is read; it must have held pairs. */
static se_status end_of_file(se_source *s)
{
    if (s->in_file == 0)
        return se_fail(
            SE_ERR_FORMAT, "%s: no %s: %s, expected %s on each line", s->file[s->now], s->what,
            se_lines_number(s->lines) ? "blank lines only" : "the file is empty", s->wanted);
    s->bytes_before += se_lines_size(s->lines);
    se_lines_close(s->lines);
    s->lines = NULL;
    s->in_file = 0;
    s->now++;
    return SE_OK;
}

se_status se_source_next(se_source *s, const char **text, size_t *bytes)
{
    *text = NULL;
    while (s->now < s->n_files) {
        se_status bad = s->lines ? SE_OK : se_lines_open(s->file[s->now], &s->lines);
        if (bad == SE_OK)
            bad = se_lines_next(s->lines, text, bytes);
        if (bad == SE_OK && !*text)
            bad = end_of_file(s);
        if (bad != SE_OK)
            return bad;
        if (!*text || blank(*text, *bytes))
            continue;
        s->in_file++;
        s->of = s->now;
        s->line = se_lines_number(s->lines);
        return SE_OK;
    }
    *text = NULL;
    return SE_OK;
}

int32_t se_source_file(const se_source *s)
{
    return s->of;
}

int64_t se_source_line(const se_source *s)
{
    return s->line;
}

const char *se_source_name(const se_source *s, int32_t file)
{
    return s->file[file];
}

se_columns *se_source_columns(se_source *s)
{
    return &s->columns;
}

se_status se_source_parse(se_source *s, const char *text, size_t bytes, int32_t file, int64_t line,
                          se_record *out)
{
    return se_record_parse(text, bytes, s->file[file], line, &s->columns, out);
}

void se_source_tell(const se_source *s, se_source_place *out)
{
    out->file = s->now;
    out->line = s->lines ? se_lines_number(s->lines) : 0;
    out->offset = s->lines ? se_lines_offset(s->lines) : 0;
    out->pairs = s->in_file;
}

se_status se_source_go(se_source *s, const se_source_place *to)
{
    if (s->lines || s->now || to->file < 0 || to->file > s->n_files)
        return se_fail(SE_ERR_ARG, "pairs: cannot go to file %" PRId64, to->file);
    for (; s->now < to->file; s->now++) {
        int64_t bytes;
        se_status bad = size_of(s->file[s->now], &bytes);
        if (bad != SE_OK)
            return bad;
        s->bytes_before += bytes;
    }
    if (s->now == s->n_files || to->line == 0)
        return SE_OK;
    s->in_file = to->pairs;
    se_status bad = se_lines_open(s->file[s->now], &s->lines);
    return bad == SE_OK ? se_lines_skip(s->lines, to->line, to->offset) : bad;
}

double se_source_progress(const se_source *s)
{
    if (s->now == s->n_files)
        return 1;
    int64_t at = s->bytes_before + (s->lines ? se_lines_read(s->lines) : 0);
    return s->bytes_all > 0 ? (double)at / (double)s->bytes_all : 0;
}
