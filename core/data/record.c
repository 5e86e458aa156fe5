#include "data/record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *se_record_kind(const se_json *v)
{
    static const char *const NAME[] = {"null",     "true or false", "a number", "a number",
                                       "a string", "an array",      "an object"};
    return NAME[se_json_type(v)];
}

se_status se_columns_add(se_columns *c, const char *name)
{
    if (c->n == SE_MAX_COLUMNS)
        return se_fail(SE_ERR_ARG, "pairs: more than %d columns", SE_MAX_COLUMNS);
    for (int32_t i = 0; i < c->n; i++)
        if (strcmp(c->name[i], name) == 0)
            return se_fail(SE_ERR_ARG, "pairs: column \"%s\" is named twice", name);
    c->name[c->n] = se_strdup(name);
    if (!c->name[c->n])
        return SE_ERR_MEMORY;
    c->n++;
    return SE_OK;
}

void se_columns_free(se_columns *c)
{
    for (int32_t i = 0; i < c->n; i++)
        free(c->name[i]);
    memset(c, 0, sizeof *c);
}

/* Names the columns after the first line where the caller named none. */
static se_status choose(se_columns *c, const se_json *root)
{
    char name[32];
    int64_t n = se_json_type(root) == SE_JSON_ARRAY ? se_json_size(root) : 2;
    if (n < 2)
        return SE_OK; /* the line is refused below, with two columns in mind */
    for (int64_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "negative_%" PRId64, i - 1);
        se_status s = se_columns_add(c, i == 0   ? "context"
                                        : i == 1 ? "response"
                                        : i == 2 ? "negative"
                                                 : name);
        if (s != SE_OK)
            return s;
    }
    return SE_OK;
}

/* The quoted names of the columns or of an object's keys, as far as there is room. */
static void list_names(const se_columns *c, const se_json *object, char *text, size_t room)
{
    size_t at = 0;
    text[0] = 0;
    void *it = se_json_first(object);
    for (int32_t i = 0; c ? i < c->n : it != NULL; i++) {
        const char *name = c ? c->name[i] : se_json_key(it);
        int n = snprintf(text + at, room - at, "%s\"%.60s\"", i ? ", " : "", name);
        if (n < 0 || at + (size_t)n + 8 > room) {
            snprintf(text + at, room - at, "%s", room - at > 5 ? ", ..." : "");
            return;
        }
        at += (size_t)n;
        it = c ? NULL : se_json_next(object, it);
    }
}

se_status se_record_json(const char *line, size_t bytes, const char *file, int64_t number,
                         se_json **out)
{
    json_error_t e;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
                   JSON_DECODE_INT_AS_REAL; /* ids beyond 64 bits are none of our business */
    *out = (se_json *)json_loadb(line, bytes, flags, &e);
    if (*out)
        return SE_OK;
    switch (json_error_code(&e)) {
    case json_error_out_of_memory:
        return se_fail(SE_ERR_MEMORY, "%s:%" PRId64 ": out of memory", file, number);
    case json_error_invalid_utf8:
        return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": not UTF-8: column %d: %s", file, number,
                       e.column, e.text);
    default:
        return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": not JSON: column %d: %s", file, number,
                       e.column, e.text);
    }
}

static se_status take(se_record *r, int32_t column, const char *name, const se_json *v,
                      const char *file, int64_t number)
{
    r->text[column] = se_json_string(v, &r->bytes[column]);
    if (r->text[column])
        return SE_OK;
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": \"%s\" is %s, expected a string", file, number,
                   name, se_record_kind(v));
}

se_status se_record_missing(const se_json *root, const char *name, const char *file, int64_t number)
{
    char keys[512];
    list_names(NULL, root, keys, sizeof keys);
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": no \"%s\": the keys are %s", file, number, name,
                   keys[0] ? keys : "none");
}

se_status se_record_parse(const char *line, size_t bytes, const char *file, int64_t number,
                          se_columns *columns, se_record *out)
{
    char names[512];
    memset(out, 0, sizeof *out);
    se_status s = se_record_json(line, bytes, file, number, &out->root);
    if (s != SE_OK)
        return s;
    int32_t kind = se_json_type(out->root);
    if (kind != SE_JSON_OBJECT && kind != SE_JSON_ARRAY)
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": %s, expected an object or an array of texts",
                    file, number, se_record_kind(out->root));
    if (s == SE_OK && columns->n == 0)
        s = choose(columns, out->root);
    if (s == SE_OK && kind == SE_JSON_ARRAY &&
        (columns->n == 0 || se_json_size(out->root) != columns->n)) {
        list_names(columns, NULL, names, sizeof names);
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": an array of %lld, expected %d texts (%s)", file,
                    number, (long long)se_json_size(out->root), columns->n ? columns->n : 2,
                    columns->n ? names : "\"context\", \"response\"");
    }
    for (int32_t i = 0; s == SE_OK && i < columns->n; i++) {
        const se_json *v = kind == SE_JSON_ARRAY ? se_json_at(out->root, i)
                                                 : se_json_get(out->root, columns->name[i]);
        s = v ? take(out, i, columns->name[i], v, file, number)
              : se_record_missing(out->root, columns->name[i], file, number);
    }
    if (s != SE_OK)
        se_record_free(out);
    return s;
}

void se_record_free(se_record *r)
{
    se_json_free(r->root);
    memset(r, 0, sizeof *r);
}
