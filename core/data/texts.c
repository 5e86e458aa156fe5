#include "data/texts.h"
#include "data/columns.h"
#include "data/lines.h"
#include "data/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_RECORD = 64 << 20
}; /* bytes of a csv line with breaks in it: else one quote that is
    * never closed takes the whole file */

typedef enum text_format { UNKNOWN, LINES, JSONL, TSV, CSV } text_format;

struct se_texts {
    char **file;
    int64_t n_files, now; /* file[now] is being read or opened next */
    text_format asked, format;
    char *field, *key; /* key: room for a part of field */
    int64_t column;    /* of tsv and csv from 0; -1 until the header line names it */
    bool numbered, header;
    se_lines *lines;
    int64_t line;
    const char *place; /* the file of the last text */
    se_json *root;
    se_columns_of_line columns;
    int64_t bytes_before, bytes_all;
};

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

static const char *shown(const char *path)
{
    return is_standard(path) ? "standard input" : path;
}

/* --- formats --- */

static se_status format_of_name(const char *name, text_format *out)
{
    static const char *const NAME[] = {"", "lines", "jsonl", "tsv", "csv"};
    for (int i = UNKNOWN; i <= CSV; i++)
        if (strcmp(name, NAME[i]) == 0) {
            *out = (text_format)i;
            return SE_OK;
        }
    return se_fail(SE_ERR_ARG, "texts: no format \"%s\": lines, jsonl, tsv and csv are there",
                   name);
}

static bool ends(const char *name, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n > m && strncasecmp(name + n - m, ending, m) == 0;
}

static text_format format_of_path(const char *path)
{
    static const struct {
        const char *ending;
        text_format format;
    } KNOWN[] = {{".jsonl", JSONL}, {".ndjson", JSONL}, {".json", JSONL}, {".tsv", TSV},
                 {".tab", TSV},     {".csv", CSV},      {".txt", LINES}};
    static const char *const PACKED[] = {".gz", ".gzip", ".zst", ".zstd"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof PACKED / sizeof *PACKED; i++)
        if (ends(path, n, PACKED[i])) {
            n -= strlen(PACKED[i]);
            break;
        }
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (ends(path, n, KNOWN[i].ending))
            return KNOWN[i].format;
    return UNKNOWN;
}

static size_t mark_bytes(const char *text, size_t bytes) /* of a byte order mark */
{
    return bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static se_status see_format(se_texts *t)
{
    const char *text;
    size_t bytes;
    t->format = t->asked ? t->asked : format_of_path(t->file[t->now]);
    if (t->format)
        return SE_OK;
    se_status s = se_lines_peek(t->lines, &text, &bytes);
    if (s != SE_OK)
        return s;
    size_t mark = mark_bytes(text, bytes);
    t->format = bytes > mark && text[mark] == '{' ? JSONL : LINES;
    return SE_OK;
}

/* --- opening --- */

static se_status look_at_files(se_texts *t)
{
    for (int64_t i = 0; i < t->n_files; i++) {
        se_lines *l;
        if (is_standard(t->file[i]))
            continue;
        se_status s = se_lines_open(t->file[i], &l);
        if (s != SE_OK)
            return s;
        t->bytes_all += se_lines_size(l);
        se_lines_close(l);
    }
    return SE_OK;
}

static se_status set_field(se_texts *t, const char *field)
{
    size_t n = strlen(field), digits = strspn(field, "0123456789");
    t->field = se_strdup(field);
    t->key = se_malloc(n + 1);
    if (!t->field || !t->key)
        return SE_ERR_MEMORY;
    t->numbered = n > 0 && digits == n && n < 10;
    t->column = t->numbered ? strtol(field, NULL, 10) - 1 : -1;
    return SE_OK;
}

se_status se_texts_open(int32_t n_files, const char *const *files, const char *format,
                        const char *field, bool header, se_texts **out)
{
    *out = NULL;
    if (n_files < 1)
        return se_fail(SE_ERR_ARG, "texts: no files: expected at least one");
    se_texts *t = se_calloc(1, sizeof *t);
    if (!t)
        return SE_ERR_MEMORY;
    t->header = header;
    t->file = se_calloc((size_t)n_files, sizeof *t->file);
    se_status s = t->file ? format_of_name(format, &t->asked) : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        t->file[i] = se_strdup(files[i]);
        s = t->file[i] ? SE_OK : SE_ERR_MEMORY;
        t->n_files = i + 1;
    }
    if (s == SE_OK)
        s = set_field(t, field);
    if (s == SE_OK)
        s = look_at_files(t);
    if (s != SE_OK)
        se_texts_close(t);
    else
        *out = t;
    return s;
}

void se_texts_close(se_texts *t)
{
    if (!t)
        return;
    se_json_free(t->root);
    se_lines_close(t->lines);
    se_columns_of_line_free(&t->columns);
    for (int64_t i = 0; i < t->n_files; i++)
        free(t->file[i]);
    free(t->file);
    free(t->field);
    free(t->key);
    free(t);
}

/* --- a line's text --- */

/* The next line, and its number; a byte order mark at the file's start is no part of it. */
static se_status next_line(se_texts *t, const char **text, size_t *bytes)
{
    se_status s = se_lines_next(t->lines, text, bytes);
    t->line = se_lines_number(t->lines);
    if (s == SE_OK && *text && t->line == 1) {
        size_t mark = mark_bytes(*text, *bytes);
        *text += mark;
        *bytes -= mark;
    }
    return s;
}

static se_status bad_line(se_texts *t, const char *what, const char *name)
{
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": %s%s%s%s", shown(t->file[t->now]), t->line, what,
                   name ? " \"" : "", name ? name : "", name ? "\"" : "");
}

/* Bytes of the code point at s (RFC 3629: nothing overlong, no surrogates), 0 where there is none.
 */
static size_t utf8_bytes(const unsigned char *s, size_t left)
{
    size_t n = *s < 0x80 ? 1 : *s < 0xC2 ? 0 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : *s < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool bad = (*s == 0xE0 && s[1] < 0xA0) || (*s == 0xED && s[1] > 0x9F) ||
               (*s == 0xF0 && s[1] < 0x90) || (*s == 0xF4 && s[1] > 0x8F);
    return bad ? 0 : n;
}

static se_status check_utf8(se_texts *t, const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (at < bytes) {
        uint64_t eight;
        if (at + 8 <= bytes && (memcpy(&eight, s + at, 8), !(eight & 0x8080808080808080u))) {
            at += 8;
            continue;
        }
        size_t n = utf8_bytes(s + at, bytes - at);
        if (n == 0)
            return se_fail(SE_ERR_FORMAT,
                           "%s:%" PRId64 ": not UTF-8: byte 0x%02X at offset %zu of the text",
                           shown(t->file[t->now]), t->line, s[at], at);
        at += n;
    }
    return SE_OK;
}

/* One key or index of a value; NULL where there is none. */
static se_json *step_into(const se_json *v, const char *key)
{
    if (se_json_type(v) == SE_JSON_OBJECT)
        return se_json_get(v, key);
    size_t n = strlen(key);
    if (se_json_type(v) != SE_JSON_ARRAY || n == 0 || n > 9 || strspn(key, "0123456789") != n)
        return NULL;
    return se_json_at(v, strtol(key, NULL, 10));
}

/* The value at `field`, "a.b.0"; where it ends, *last is the value that lacks the key in t->key. */
static const se_json *walk(se_texts *t, const se_json *v, const se_json **last)
{
    const char *rest = t->field;
    while (v && *rest) {
        const se_json *whole = step_into(v, rest);
        size_t n = whole ? strlen(rest) : strcspn(rest, ".");
        memcpy(t->key, rest, n);
        t->key[n] = 0;
        *last = v;
        v = whole ? whole : step_into(v, t->key);
        rest += n + (rest[n] == '.');
    }
    return v;
}

static se_status of_json(se_texts *t, const char **text, size_t *bytes)
{
    const char *file = shown(t->file[t->now]);
    const se_json *last = NULL;
    se_json_free(t->root);
    t->root = NULL;
    se_status s = se_record_json(*text, *bytes, file, t->line, &t->root);
    if (s != SE_OK)
        return s;
    const se_json *v = walk(t, t->root, &last);
    *text = v ? se_json_string(v, bytes) : NULL;
    if (*text)
        return SE_OK;
    if (v)
        return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": \"%s\" is %s, expected a string", file,
                       t->line, t->field[0] ? t->field : "the line", se_record_kind(v));
    if (se_json_type(last) == SE_JSON_OBJECT)
        return se_record_missing(last, t->key, file, t->line);
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": no \"%s\" in %s", file, t->line, t->field,
                   se_record_kind(last));
}

/* Splits the line, taking in those behind it while a quote is open. */
static se_status split(se_texts *t, const char *text, size_t bytes)
{
    se_columns_of_line *c = &t->columns;
    bool csv = t->format == CSV;
    size_t mark = t->line == 1 ? (size_t)3 : 0, fed = bytes;
    const char *whole;
    se_columns_begin(c);
    se_status s = se_columns_feed(c, csv ? ',' : '\t', csv, text, bytes);
    while (s == SE_OK && se_columns_open(c)) {
        s = fed > MAX_RECORD ? SE_OK : se_lines_extend(t->lines, &whole, &bytes);
        if (s == SE_OK && (fed > MAX_RECORD || !whole))
            return bad_line(t,
                            fed > MAX_RECORD ? "a quote is open for more than 64 MiB"
                                             : "a quote is never closed",
                            NULL);
        /* The whole line begins with the mark that `text` lacks. */
        size_t skip = s == SE_OK ? fed + (mark ? mark_bytes(whole, bytes) : 0) : 0;
        if (s == SE_OK)
            s = se_columns_feed(c, ',', true, whole + skip, bytes - skip);
        fed += s == SE_OK ? bytes - skip : 0;
    }
    return s == SE_OK ? se_columns_end(c) : s;
}

static se_status read_header(se_texts *t)
{
    const char *text, *name;
    size_t bytes;
    if ((t->format != TSV && t->format != CSV) || (t->numbered && !t->header))
        return SE_OK;
    se_status s = next_line(t, &text, &bytes);
    if (s == SE_OK && text)
        s = split(t, text, bytes);
    if (s != SE_OK || !text || t->numbered)
        return s;
    t->column = -1;
    for (int64_t i = 0; i < se_columns_count(&t->columns); i++) {
        name = se_columns_at(&t->columns, i, &bytes);
        if (bytes == strlen(t->field) && memcmp(name, t->field, bytes) == 0)
            t->column = t->column < 0 ? i : t->column;
    }
    if (t->column >= 0)
        return SE_OK;
    name = se_columns_at(&t->columns, 0, &bytes);
    return se_fail(SE_ERR_FORMAT,
                   "%s:%" PRId64 ": no column \"%s\" in the header line: %" PRId64
                   " columns, the first is \"%.*s\"; where there is no header line, name a column "
                   "by its number",
                   shown(t->file[t->now]), t->line, t->field, se_columns_count(&t->columns),
                   (int)(bytes < 60 ? bytes : 60), name);
}

static se_status of_columns(se_texts *t, const char **text, size_t *bytes)
{
    se_status s = split(t, *text, *bytes);
    if (s != SE_OK)
        return s;
    int64_t n = se_columns_count(&t->columns);
    if (t->column < 0 || t->column >= n)
        return se_fail(SE_ERR_FORMAT,
                       "%s:%" PRId64 ": no column %" PRId64 ": the line has %" PRId64
                       ", columns count from 1",
                       shown(t->file[t->now]), t->line, t->column + 1, n);
    *text = se_columns_at(&t->columns, t->column, bytes);
    return check_utf8(t, *text, *bytes);
}

static bool blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* --- one after another --- */

static se_status open_next(se_texts *t)
{
    se_status s = se_lines_open(t->file[t->now], &t->lines);
    if (s == SE_OK)
        s = see_format(t);
    if (s == SE_OK)
        s = read_header(t);
    return s;
}

se_status se_texts_next(se_texts *t, const char **text, size_t *bytes)
{
    for (;;) {
        *text = NULL;
        if (!t->lines && t->now == t->n_files)
            return SE_OK;
        se_status s = t->lines ? SE_OK : open_next(t);
        if (s == SE_OK)
            s = next_line(t, text, bytes);
        if (s != SE_OK)
            return s;
        if (!*text) {
            t->bytes_before += se_lines_size(t->lines);
            se_lines_close(t->lines);
            t->lines = NULL;
            t->now++;
            continue;
        }
        t->place = shown(t->file[t->now]);
        if (t->format == LINES)
            return check_utf8(t, *text, *bytes);
        if (!blank(*text, *bytes))
            return t->format == JSONL ? of_json(t, text, bytes) : of_columns(t, text, bytes);
    }
}

const char *se_texts_file(const se_texts *t)
{
    return t->place ? t->place : shown(t->file[0]);
}

int64_t se_texts_line(const se_texts *t)
{
    return t->line;
}

int64_t se_texts_read(const se_texts *t)
{
    return t->bytes_before + (t->lines ? se_lines_read(t->lines) : 0);
}

int64_t se_texts_size(const se_texts *t)
{
    return t->bytes_all;
}

/* --- places --- */

void se_texts_tell(const se_texts *t, se_texts_place *out)
{
    out->file = t->now;
    out->line = t->lines ? se_lines_number(t->lines) : 0;
    out->offset = t->lines ? se_lines_offset(t->lines) : 0;
}

se_status se_texts_go(se_texts *t, const se_texts_place *to)
{
    if (t->lines || t->now || to->file < 0 || to->file > t->n_files)
        return se_fail(SE_ERR_ARG, "texts: cannot go to file %" PRId64, to->file);
    for (; t->now < to->file; t->now++) {
        se_lines *l;
        if (is_standard(t->file[t->now]))
            continue;
        se_status s = se_lines_open(t->file[t->now], &l);
        if (s != SE_OK)
            return s;
        t->bytes_before += se_lines_size(l);
        se_lines_close(l);
    }
    if (t->now == t->n_files || to->line == 0)
        return SE_OK;
    se_status s = open_next(t);
    return s == SE_OK ? se_lines_skip(t->lines, to->line, to->offset) : s;
}
