#include "data/source.h"
#include "data/lines.h"
#include "data/table.h"
#include "io/files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_RECORD = 64 << 20
}; /* bytes of a csv record with line breaks in it: else one quote
    * that is never closed takes the whole file */

typedef struct source_file {
    char *name;         /* as it was given */
    char *left, *right; /* paths; right is NULL but for LEFT+RIGHT */
    bool plain;         /* a text on each line */
    se_table table;
} source_file;

struct se_source {
    source_file *file;
    int32_t n_files, now; /* file[now] is being read */
    int32_t of;           /* the last record's file */
    se_lines *lines, *right;
    bool header;  /* file[now] has a header line */
    bool waiting; /* the record in text was read to look for a header, and is to be given */
    const char *text;
    size_t bytes;
    se_blob both;              /* a line of each side */
    bool half;                 /* it holds the left one */
    bool uneven;               /* one side has ended before the other */
    se_columns_of_line quotes; /* of a csv record that is read */
    size_t fed;                /* bytes of it that they have seen */
    int64_t line;              /* of the last record */
    int64_t in_file;           /* records of file[now] so far */
    int64_t bytes_before, bytes_all;
    se_columns columns;
    const char *what, *wanted; /* for messages */
};

static bool is_standard(const char *file)
{
    return strcmp(file, "-") == 0;
}

/* --- opening --- */

static bool is_file(const char *path)
{
    se_file_info info;
    se_file_look(path, &info);
    return info.exists;
}

/* Takes the first + that two files stand around, else the first that one does. */
se_status se_source_split(const char *path, char **left, char **right)
{
    char *l = NULL, *r = NULL;
    int best = 0;
    *right = NULL;
    *left = se_strdup(path);
    if (!*left)
        return SE_ERR_MEMORY;
    bool whole = is_standard(path) || !strchr(path, '+') || is_file(path);
    for (size_t i = 1; !whole && best < 2 && path[0] && path[i]; i++) {
        if (path[i] != '+' || !path[i + 1])
            continue;
        l = se_strdup(path);
        r = se_strdup(path + i + 1);
        if (!l || !r) {
            free(l);
            free(r);
            return SE_ERR_MEMORY;
        }
        l[i] = 0;
        int there = is_file(l) + is_file(r);
        if (there > best) {
            best = there;
            free(*left);
            free(*right);
            *left = l;
            *right = r;
        } else {
            free(l);
            free(r);
        }
    }
    return SE_OK;
}

static se_status size_of(const char *file, int64_t *bytes)
{
    se_lines *l;
    if (!file || is_standard(file))
        return SE_OK;
    se_status s = se_lines_open(file, &l);
    if (s != SE_OK)
        return s;
    *bytes += se_lines_size(l);
    se_lines_close(l);
    return SE_OK;
}

static se_status size_of_both(const source_file *f, int64_t *bytes)
{
    se_status s = size_of(f->left, bytes);
    return s == SE_OK ? size_of(f->right, bytes) : s;
}

static se_status see(source_file *f, const char *name)
{
    f->name = se_strdup(name);
    if (!f->name)
        return SE_ERR_MEMORY;
    se_status s = se_source_split(name, &f->left, &f->right);
    if (s == SE_OK && !f->right) {
        f->table = se_table_of_name(name);
        f->plain = se_name_is_plain(name);
    }
    return s;
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
    p->columns.asked = n_columns > 0;
    for (int32_t i = 0; s == SE_OK && i < n_columns; i++)
        s = se_columns_add(&p->columns, columns[i]);
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        p->n_files = i + 1;
        s = see(&p->file[i], files[i]);
        if (s == SE_OK)
            s = size_of_both(&p->file[i], &p->bytes_all);
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
    se_lines_close(s->right);
    for (int32_t i = 0; i < s->n_files; i++) {
        free(s->file[i].name);
        free(s->file[i].left);
        free(s->file[i].right);
    }
    se_blob_free(&s->both);
    se_columns_of_line_free(&s->quotes);
    free(s->file);
    se_columns_free(&s->columns);
    free(s);
}

void se_source_wants(se_source *s, const char *what, const char *line)
{
    s->what = what;
    s->wanted = line;
}

/* --- records --- */

static bool blank(const char *text, size_t bytes, char separator)
{
    for (size_t i = 0; i < bytes; i++)
        if ((text[i] != ' ' && text[i] != '\t' && text[i] != '\r') || text[i] == separator)
            return false;
    return true;
}

static size_t mark_bytes(const char *text, size_t bytes) /* of a byte order mark */
{
    return bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* The next line; a byte order mark at the file's start is no part of it. */
static se_status next_line(se_lines *l, const char **text, size_t *bytes)
{
    se_status s = se_lines_next(l, text, bytes);
    if (s == SE_OK && *text && se_lines_number(l) == 1) {
        size_t mark = mark_bytes(*text, *bytes);
        *text += mark;
        *bytes -= mark;
    }
    return s;
}

/* Takes in the lines behind a line of csv while a quote is open. After an interruption it goes on.
 */
static se_status to_last_quote(se_source *s, const char **text, size_t *bytes)
{
    const source_file *f = &s->file[s->now];
    while (se_columns_open(&s->quotes)) {
        const char *whole = *text;
        size_t all = 0;
        se_status bad = s->fed > MAX_RECORD ? SE_OK : se_lines_extend(s->lines, &whole, &all);
        if (bad != SE_OK)
            return bad;
        if (s->fed > MAX_RECORD || !whole)
            return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": %s", f->name, s->line,
                           whole ? "a quote is open for more than 64 MiB"
                                 : "a quote is never closed");
        size_t mark = s->line == 1 ? mark_bytes(whole, all) : 0;
        *text = whole + mark;
        *bytes = all - mark;
        bad =
            se_columns_feed(&s->quotes, f->table.separator, true, *text + s->fed, *bytes - s->fed);
        if (bad != SE_OK)
            return bad;
        s->fed = *bytes;
    }
    return SE_OK;
}

/* The sides must end together: counts the rest of the longer one for the message. */
static se_status unequal(se_source *s)
{
    const char *text = "";
    size_t bytes;
    se_lines *side[] = {s->lines, s->right};
    for (int i = 0; i < 2; i++)
        for (text = ""; text;) {
            if (se_interrupt_now())
                return se_fail(SE_ERR_INTERRUPTED, "%s: interrupted", s->file[s->now].name);
            se_status bad = se_lines_next(side[i], &text, &bytes);
            if (bad != SE_OK)
                return bad;
        }
    return se_fail(SE_ERR_FORMAT,
                   "%s has %" PRId64 " lines and %s %" PRId64
                   ": as many are wanted, a line of one for each line of the other",
                   s->file[s->now].left, se_lines_number(s->lines), s->file[s->now].right,
                   se_lines_number(s->right));
}

/* A line of each side; it goes on after an interruption between the two. */
static se_status next_of_both(se_source *s, const char **text, size_t *bytes)
{
    const char *right;
    size_t more;
    se_status bad = SE_OK;
    if (!s->half) {
        bad = next_line(s->lines, text, bytes);
        s->both.bytes = 0;
        if (bad == SE_OK && *text)
            bad = se_blob_add(&s->both, *text, *bytes);
        if (bad == SE_OK && *text)
            bad = se_blob_add(&s->both, "\n", 1);
        if (bad != SE_OK)
            return bad;
        s->half = true;
    }
    bad = s->uneven ? SE_OK : next_line(s->right, &right, &more);
    if (bad != SE_OK)
        return bad;
    s->uneven = s->uneven || (s->both.bytes > 0) != (right != NULL);
    if (s->uneven)
        return unequal(s);
    s->half = false;
    *text = NULL;
    if (!right)
        return SE_OK;
    bad = se_blob_add(&s->both, right, more);
    *text = s->both.data;
    *bytes = s->both.bytes;
    s->line = se_lines_number(s->lines);
    return bad;
}

/* The next record of the file that is open, header lines among them; *text is NULL behind the last.
 */
static se_status next_record(se_source *s, const char **text, size_t *bytes)
{
    const se_table *t = &s->file[s->now].table;
    if (s->right)
        return next_of_both(s, text, bytes);
    if (se_columns_open(&s->quotes))
        return to_last_quote(s, text, bytes);
    do {
        se_status bad = next_line(s->lines, text, bytes);
        if (bad != SE_OK || !*text)
            return bad;
    } while (blank(*text, *bytes, t->separator));
    s->line = se_lines_number(s->lines);
    if (!t->quotes || !memchr(*text, '"', *bytes))
        return SE_OK;
    se_columns_begin(&s->quotes);
    s->fed = *bytes;
    se_status bad = se_columns_feed(&s->quotes, t->separator, true, *text, *bytes);
    return bad == SE_OK ? to_last_quote(s, text, bytes) : bad;
}

static se_status open_file(se_source *s)
{
    source_file *f = &s->file[s->now];
    s->header = s->waiting = false;
    se_status bad = se_lines_open(f->left, &s->lines);
    if (bad == SE_OK && f->right)
        bad = se_lines_open(f->right, &s->right);
    if (bad != SE_OK || !f->table.separator)
        return bad;
    bad = next_record(s, &s->text, &s->bytes);
    if (bad != SE_OK || !s->text)
        return bad;
    bad = se_table_begin(&f->table, s->text, s->bytes, f->name, s->line, &s->columns, &s->header);
    s->waiting = bad == SE_OK && !s->header;
    return bad;
}

static void close_file(se_source *s)
{
    se_lines_close(s->lines);
    se_lines_close(s->right);
    s->lines = s->right = NULL;
}

/* Closes the file that is read; it must have held pairs. */
static se_status end_of_file(se_source *s)
{
    const source_file *f = &s->file[s->now];
    bool json = !f->right && !f->plain && !f->table.separator;
    if (s->in_file == 0)
        return se_fail(SE_ERR_FORMAT, "%s: no %s: %s, expected %s on each line", f->name, s->what,
                       s->header                   ? "a header line only"
                       : se_lines_number(s->lines) ? "blank lines only"
                                                   : "the file is empty",
                       json       ? s->wanted
                       : f->plain ? "a text"
                                  : "texts");
    s->bytes_before += se_lines_size(s->lines) + (s->right ? se_lines_size(s->right) : 0);
    close_file(s);
    s->in_file = 0;
    s->now++;
    return SE_OK;
}

se_status se_source_next(se_source *s, const char **text, size_t *bytes)
{
    *text = NULL;
    while (s->now < s->n_files) {
        se_status bad = s->lines ? SE_OK : open_file(s);
        if (bad == SE_OK && s->waiting) {
            *text = s->text;
            *bytes = s->bytes;
            s->waiting = false;
        } else if (bad == SE_OK) {
            bad = next_record(s, text, bytes);
        }
        if (bad == SE_OK && !*text)
            bad = end_of_file(s);
        if (bad != SE_OK)
            return bad;
        if (!*text)
            continue;
        s->in_file++;
        s->of = s->now;
        return SE_OK;
    }
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
    return s->file[file].name;
}

se_columns *se_source_columns(se_source *s)
{
    return &s->columns;
}

/* The one text of a line, in a column "text" where it has no other name. */
static se_status parse_plain(const source_file *f, const char *text, size_t bytes, int64_t line,
                             se_columns *columns, se_record *out)
{
    char names[512];
    memset(out, 0, sizeof *out);
    se_status s = columns->n == 0 ? se_columns_add(columns, "text") : SE_OK;
    if (s == SE_OK && columns->n != 1) {
        se_record_names(columns, names, sizeof names);
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": a line of plain text is one, expected %d (%s)",
                    f->name, line, columns->n, names);
    }
    if (s != SE_OK)
        return s;
    out->text[0] = text;
    out->bytes[0] = bytes;
    return se_record_check(text, bytes, f->name, line, columns->name[0]);
}

/* A line of each side. */
static se_status parse_both(const source_file *f, const char *text, size_t bytes, int64_t line,
                            se_columns *columns, se_record *out)
{
    char names[512];
    memset(out, 0, sizeof *out);
    se_status s = se_record_choose(columns, 2);
    if (s == SE_OK && columns->n != 2) {
        se_record_names(columns, names, sizeof names);
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": two texts, expected %d (%s)", f->name, line,
                    columns->n, names);
    }
    if (s != SE_OK)
        return s;
    out->text[0] = text;
    out->bytes[0] = (size_t)((const char *)memchr(text, '\n', bytes) - text);
    out->text[1] = text + out->bytes[0] + 1;
    out->bytes[1] = bytes - out->bytes[0] - 1;
    s = se_record_check(out->text[0], out->bytes[0], f->left, line, columns->name[0]);
    return s == SE_OK
               ? se_record_check(out->text[1], out->bytes[1], f->right, line, columns->name[1])
               : s;
}

se_status se_source_parse(se_source *s, const char *text, size_t bytes, int32_t file, int64_t line,
                          se_record *out)
{
    const source_file *f = &s->file[file];
    se_columns *c = &s->columns;
    se_status bad = f->right   ? parse_both(f, text, bytes, line, c, out)
                    : f->plain ? parse_plain(f, text, bytes, line, c, out)
                    : f->table.separator
                        ? se_table_parse(&f->table, text, bytes, f->name, line, c, out)
                        : se_record_parse(text, bytes, f->name, line, c, out);
    if (!c->decided)
        c->decided = bad == SE_OK;
    return bad;
}

/* --- places --- */

void se_source_tell(const se_source *s, se_source_place *out)
{
    out->file = s->now;
    out->line = s->lines ? se_lines_number(s->lines) : 0;
    out->offset = s->lines ? se_lines_offset(s->lines) : 0;
    out->right = s->right ? se_lines_offset(s->right) : 0;
    out->pairs = s->in_file;
}

/* Makes the place's file the open one, before its first record or where it stands. */
static se_status go_to_file(se_source *s, const se_source_place *to)
{
    if (to->file < s->now ||
        (to->file == s->now && s->lines && se_lines_number(s->lines) > to->line))
        return se_fail(SE_ERR_ARG, "pairs: cannot go back to line %" PRId64 " of file %" PRId64,
                       to->line, to->file);
    if (to->file > s->n_files)
        return se_fail(SE_ERR_ARG, "pairs: cannot go to file %" PRId64, to->file);
    if (to->file > s->now)
        close_file(s);
    for (; s->now < to->file; s->now++) {
        se_status bad = size_of_both(&s->file[s->now], &s->bytes_before);
        if (bad != SE_OK)
            return bad;
    }
    return s->now == s->n_files || to->line == 0 || s->lines ? SE_OK : open_file(s);
}

se_status se_source_go(se_source *s, const se_source_place *to)
{
    se_status bad = go_to_file(s, to);
    s->in_file = to->pairs;
    if (bad != SE_OK || s->now == s->n_files || to->line == 0)
        return bad;
    s->waiting = false; /* it stands before the place */
    bad = se_lines_skip(s->lines, to->line, to->offset);
    return bad == SE_OK && s->right ? se_lines_skip(s->right, to->line, to->right) : bad;
}

double se_source_progress(const se_source *s)
{
    if (s->now == s->n_files)
        return 1;
    int64_t at = s->bytes_before + (s->lines ? se_lines_read(s->lines) : 0) +
                 (s->right ? se_lines_read(s->right) : 0);
    return s->bytes_all > 0 ? (double)at / (double)s->bytes_all : 0;
}
