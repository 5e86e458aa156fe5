#include "data/record.h"
#include "tokenizer.h"

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

se_status se_record_choose(se_columns *c, int64_t n)
{
    static const char *const FIRST[] = {"context", "response", "negative"};
    char name[32];
    se_status s = SE_OK;
    bool unnamed = c->n == 0;
    for (int64_t i = 0; s == SE_OK && unnamed && i < n; i++) {
        snprintf(name, sizeof name, "negative_%" PRId64, i - 1);
        s = se_columns_add(c, i < 3 ? FIRST[i] : name);
    }
    return s;
}

/* Adds a quoted name to a list; false where there is no room for more. */
static bool add_name(char *text, size_t room, size_t *at, const char *name)
{
    int n = snprintf(text + *at, room - *at, "%s\"%.60s\"", *at ? ", " : "", name);
    if (n < 0 || *at + (size_t)n + 8 > room) {
        snprintf(text + *at, room - *at, "%s", room - *at > 5 ? ", ..." : "");
        return false;
    }
    *at += (size_t)n;
    return true;
}

void se_record_names(const se_columns *c, char *text, size_t room)
{
    size_t at = 0;
    text[0] = 0;
    for (int32_t i = 0; i < c->n; i++)
        if (!add_name(text, room, &at, c->name[i]))
            return;
}

se_status se_record_check(const char *text, size_t bytes, const char *file, int64_t number,
                          const char *column)
{
    size_t good = se_utf8_valid(text, bytes);
    if (good == bytes)
        return SE_OK;
    return se_fail(SE_ERR_FORMAT,
                   "%s:%" PRId64 ": \"%s\" is not UTF-8: byte 0x%02X at offset %zu of the text",
                   file, number, column, (unsigned char)text[good], good);
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

static se_status not_a_string(const se_json *v, const char *name, const char *file, int64_t number)
{
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": \"%s\" is %s, expected a string", file, number,
                   name, se_record_kind(v));
}

static se_status take(se_record *r, int32_t column, const char *name, const se_json *v,
                      const char *file, int64_t number)
{
    r->text[column] = se_json_string(v, &r->bytes[column]);
    return r->text[column] ? SE_OK : not_a_string(v, name, file, number);
}

se_status se_record_missing(const se_json *root, const char *name, const char *file, int64_t number)
{
    char keys[512] = "";
    size_t at = 0;
    for (void *it = se_json_first(root); it; it = se_json_next(root, it))
        if (!add_name(keys, sizeof keys, &at, se_json_key(it)))
            break;
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": no \"%s\": the keys are %s", file, number, name,
                   keys[0] ? keys : "none");
}

/* --- forms --- */

/* Texts column by column: the array itself, or an object's; NULL where texts are under names. */
static const se_json *list_of(const se_json *root, const se_columns *c, const char **form)
{
    *form = NULL;
    if (se_json_type(root) == SE_JSON_ARRAY)
        return root;
    if (se_json_get(root, c->n ? c->name[0] : "context"))
        return NULL;
    const char *name = se_json_get(root, "texts") ? "texts" : "set";
    const se_json *list = se_json_get(root, name);
    *form = list ? name : NULL;
    return list;
}

static bool is_negative(const char *name)
{
    return strcmp(name, "negative") == 0 || strncmp(name, "negative_", 9) == 0;
}

static int64_t size_of(const se_json *text_or_list)
{
    int32_t kind = se_json_type(text_or_list);
    return kind == SE_JSON_ARRAY ? se_json_size(text_or_list) : text_or_list != NULL;
}

/* Whether a record has texts to draw from. */
static bool has_lists(const se_json *root, const char *form)
{
    return (form && strcmp(form, "set") == 0) ||
           se_json_type(se_json_get(root, "pos")) == SE_JSON_ARRAY ||
           se_json_type(se_json_get(root, "neg")) == SE_JSON_ARRAY;
}

/* Names the columns after the first record where the caller named none, and sees whether there are
 * lists. */
static se_status choose(se_columns *c, const se_json *root)
{
    const char *form;
    const se_json *list = list_of(root, c, &form);
    if (!c->decided)
        c->lists = has_lists(root, form);
    if (c->n)
        return SE_OK;
    if (list && se_json_size(list) < 2)
        return SE_OK; /* refused below, with two columns in mind */
    if (list)
        return se_record_choose(c, form && strcmp(form, "set") == 0 ? 2 : se_json_size(list));
    if (se_json_get(root, "context") || !se_json_get(root, "query") || !se_json_get(root, "pos"))
        return se_record_choose(c, 2);
    se_status s = se_columns_add(c, "query");
    if (s == SE_OK)
        s = se_columns_add(c, "positive");
    if (s == SE_OK && size_of(se_json_get(root, "neg")) > 0)
        s = se_columns_add(c, "negative");
    return s;
}

/* A list must have a text for each column. */
static se_status check_list(const se_json *list, const char *form, const se_columns *c,
                            const char *file, int64_t number)
{
    char names[512] = "\"context\", \"response\"", what[64] = "an array of";
    int64_t n = se_json_size(list), wanted = c->n ? c->n : 2;
    if (form && se_json_type(list) != SE_JSON_ARRAY)
        return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": \"%s\" is %s, expected an array of texts",
                       file, number, form, se_record_kind(list));
    bool more = c->lists && form && strcmp(form, "set") == 0; /* may be there */
    if (n == wanted || (more && n > wanted))
        return SE_OK;
    if (form)
        snprintf(what, sizeof what, "\"%s\" is an array of", form);
    if (c->n)
        se_record_names(c, names, sizeof names);
    return se_fail(SE_ERR_FORMAT,
                   "%s:%" PRId64 ": %s %" PRId64 ", expected %" PRId64 " texts%s (%s)", file,
                   number, what, n, wanted, more ? " or more" : "", names);
}

/* Gives the object a key "a+b+c" that it lacks: the texts under a, b and c. */
static se_status join(se_json *root, const char *name, const char *file, int64_t number)
{
    se_blob text = {0};
    char *keys = se_strdup(name);
    se_status s = keys ? SE_OK : SE_ERR_MEMORY;
    for (char *key = keys, *rest; s == SE_OK && key; key = rest) {
        size_t bytes;
        rest = strchr(key, '+');
        if (rest)
            *rest++ = 0;
        const se_json *v = se_json_get(root, key);
        const char *part = v ? se_json_string(v, &bytes) : NULL;
        if (v && !part)
            s = not_a_string(v, key, file, number);
        else if (!v && key == keys)
            s = se_record_missing(root, key, file, number);
        if (s == SE_OK && part && key != keys)
            s = se_blob_add(&text, " ", 1);
        if (s == SE_OK && part)
            s = se_blob_add(&text, part, bytes);
    }
    if (s == SE_OK)
        s = se_json_set(root, name, se_json_of_string(text.data ? text.data : "", text.bytes));
    se_blob_free(&text);
    free(keys);
    return s;
}

/* Negatives are not dropped unseen: the first record had none, this one has. */
static se_status check_rest(const se_json *root, const se_columns *c, const char *file,
                            int64_t number)
{
    int64_t n = size_of(se_json_get(root, "neg"));
    bool none = c->n == 2 && strcmp(c->name[0], "query") == 0;
    if (c->asked || n == 0 || !none)
        return SE_OK;
    return se_fail(SE_ERR_FORMAT,
                   "%s:%" PRId64 ": \"neg\" has %" PRId64 " text%s, the first record has none; "
                   "columns = {'query', 'positive'} leaves them out",
                   file, number, n, n == 1 ? "" : "s");
}

/* A list that columns base, base + 1, ... draw from, or the one text in its place. */
static se_status take_of_list(se_record *r, int32_t base, int32_t column, const char *name,
                              const se_json *v, const char *file, int64_t number)
{
    int64_t n = se_json_type(v) == SE_JSON_ARRAY ? se_json_size(v) : 0;
    for (int64_t k = 0; k < n && column == base; k++)
        if (se_json_type(se_json_at(v, k)) != SE_JSON_STRING)
            return not_a_string(se_json_at(v, k), name, file, number);
    r->shares[column] = n > 0 && column > base;
    r->list[column] = n > 1 && column == base ? v : NULL;
    return take(r, column, name, n > 0 ? se_json_at(v, column - base) : v, file, number);
}

/* A column of an object: under its name, or of the list "pos" or "neg". */
static se_status take_named(se_record *r, const se_columns *c, int32_t column, const char *file,
                            int64_t number)
{
    const char *name = c->name[column];
    bool negative = is_negative(name);
    const char *key = negative ? "neg" : strcmp(name, "positive") == 0 ? "pos" : NULL;
    int32_t base = column, end = column + 1;
    const se_json *v = se_json_get(r->root, name);
    if (v)
        return take(r, column, name, v, file, number);
    v = key ? se_json_get(r->root, key) : NULL;
    if (!v)
        return se_record_missing(r->root, name, file, number);
    while (negative && base > 0 && is_negative(c->name[base - 1]))
        base--;
    while (negative && end < c->n && is_negative(c->name[end]))
        end++;
    int64_t n = size_of(v), wanted = end - base;
    if (n != wanted && (n < wanted || !c->lists))
        return se_fail(SE_ERR_FORMAT,
                       "%s:%" PRId64 ": \"%s\" has %" PRId64 " text%s, expected %" PRId64 "%s",
                       file, number, key, n, n == 1 ? "" : "s", wanted,
                       c->lists ? " or more" : ", as the first record has no lists");
    return take_of_list(r, base, column, name, v, file, number);
}

static se_status take_texts(se_record *r, const se_columns *c, const se_json *list,
                            const char *form, const char *file, int64_t number)
{
    se_status s = SE_OK;
    bool set = c->lists && form && strcmp(form, "set") == 0;
    for (int32_t i = 0; s == SE_OK && i < c->n; i++) {
        const char *name = c->name[i];
        if (set)
            s = take_of_list(r, 0, i, name, list, file, number);
        else if (list)
            s = take(r, i, name, se_json_at(list, i), file, number);
        else if (strchr(name, '+') && !se_json_get(r->root, name))
            s = join(r->root, name, file, number);
        if (s == SE_OK && !list)
            s = take_named(r, c, i, file, number);
    }
    return s;
}

se_status se_record_parse(const char *line, size_t bytes, const char *file, int64_t number,
                          se_columns *columns, se_record *out)
{
    const char *form = NULL;
    memset(out, 0, sizeof *out);
    se_status s = se_record_json(line, bytes, file, number, &out->root);
    if (s != SE_OK)
        return s;
    int32_t kind = se_json_type(out->root);
    if (kind != SE_JSON_OBJECT && kind != SE_JSON_ARRAY)
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": %s, expected an object or an array of texts",
                    file, number, se_record_kind(out->root));
    const se_json *list = s == SE_OK ? list_of(out->root, columns, &form) : NULL;
    if (s == SE_OK)
        s = choose(columns, out->root);
    if (s == SE_OK)
        s = list ? check_list(list, form, columns, file, number)
                 : check_rest(out->root, columns, file, number);
    if (s == SE_OK)
        s = take_texts(out, columns, list, form, file, number);
    if (s != SE_OK)
        se_record_free(out);
    return s;
}

int64_t se_record_count(const se_record *r, int32_t column)
{
    return r->shares[column] ? 0 : r->list[column] ? se_json_size(r->list[column]) : 1;
}

const char *se_record_text(const se_record *r, int32_t column, int64_t k, size_t *bytes)
{
    if (r->list[column])
        return se_json_string(se_json_at(r->list[column], k), bytes);
    *bytes = r->bytes[column];
    return r->text[column];
}

void se_record_free(se_record *r)
{
    se_json_free(r->root);
    se_columns_of_line_free(&r->cells);
    memset(r, 0, sizeof *r);
}
