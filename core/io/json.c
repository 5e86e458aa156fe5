#include "io/json.h"
#include "io/files.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 2000 }; /* less than jansson's own, so that what parses can be printed */
static const double MAX_EXACT = 9007199254740992.0; /* 2^53 */

static json_t *in(const se_json *v)
{
    return (json_t *)v;
}

/* JSON_DECODE_INT_AS_REAL made every integer a real: brings those back that fit. */
static void restore_integers(json_t *v)
{
    const char *key;
    json_t *x;
    size_t i;
    if (json_is_object(v)) {
        json_object_foreach(v, key, x)
        {
            double r = json_real_value(x);
            if (json_is_real(x) && fabs(r) <= MAX_EXACT && r == floor(r))
                json_object_set_new(v, key, json_integer((json_int_t)r));
            else
                restore_integers(x);
        }
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, x)
        {
            double r = json_real_value(x);
            if (json_is_real(x) && fabs(r) <= MAX_EXACT && r == floor(r))
                json_array_set_new(v, i, json_integer((json_int_t)r));
            else
                restore_integers(x);
        }
    }
}

se_status se_json_parse(const char *text, size_t bytes, const char *source, se_json **out)
{
    json_error_t e;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *v = json_loadb(text, bytes, flags, &e);
    /* "model_max_length": 1000000000000000019884624838656 is common in tokenizer_config.json. */
    if (!v && json_error_code(&e) == json_error_numeric_overflow) {
        v = json_loadb(text, bytes, flags | JSON_DECODE_INT_AS_REAL, &e);
        restore_integers(v);
    }
    *out = (se_json *)v;
    if (v)
        return SE_OK;
    if (json_error_code(&e) == json_error_out_of_memory)
        return se_fail(SE_ERR_MEMORY, "%s: out of memory while reading JSON", source);
    return se_fail(SE_ERR_FORMAT, "%s:%d:%d: %s", source, e.line > 0 ? e.line : 1,
                   e.column > 0 ? e.column : 1, bytes ? e.text : "the text is empty");
}

se_status se_json_load(const char *path, se_json **out)
{
    char *text;
    size_t bytes;
    *out = NULL;
    se_status s = se_file_read(path, &text, &bytes);
    if (s == SE_OK)
        s = se_json_parse(text, bytes, path, out);
    se_io_free(text);
    return s;
}

void se_json_free(se_json *v)
{
    json_decref(in(v));
}

int32_t se_json_type(const se_json *v)
{
    if (!v)
        return SE_JSON_NULL;
    switch (json_typeof(in(v))) {
    case JSON_OBJECT:
        return SE_JSON_OBJECT;
    case JSON_ARRAY:
        return SE_JSON_ARRAY;
    case JSON_STRING:
        return SE_JSON_STRING;
    case JSON_INTEGER:
        return SE_JSON_INTEGER;
    case JSON_REAL:
        return SE_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return SE_JSON_BOOL;
    default:
        return SE_JSON_NULL;
    }
}

bool se_json_bool(const se_json *v)
{
    return json_is_true(in(v));
}

int64_t se_json_integer(const se_json *v)
{
    return json_integer_value(in(v));
}

double se_json_number(const se_json *v)
{
    return json_number_value(in(v));
}

const char *se_json_string(const se_json *v, size_t *bytes)
{
    if (bytes)
        *bytes = json_string_length(in(v));
    return json_string_value(in(v));
}

int64_t se_json_size(const se_json *v)
{
    return (int64_t)(json_is_array(in(v)) ? json_array_size(in(v)) : json_object_size(in(v)));
}

se_json *se_json_at(const se_json *array, int64_t i)
{
    return i < 0 ? NULL : (se_json *)json_array_get(in(array), (size_t)i);
}

se_json *se_json_get(const se_json *object, const char *key)
{
    return (se_json *)json_object_get(in(object), key);
}

void *se_json_first(const se_json *object)
{
    return json_object_iter(in(object));
}

void *se_json_next(const se_json *object, void *it)
{
    return json_object_iter_next(in(object), it);
}

const char *se_json_key(void *it)
{
    return json_object_iter_key(it);
}

se_json *se_json_value(void *it)
{
    return (se_json *)json_object_iter_value(it);
}

static se_json *made(json_t *v)
{
    if (!v)
        se_fail(SE_ERR_MEMORY, "json: out of memory");
    return (se_json *)v;
}

se_json *se_json_new_object(void)
{
    return made(json_object());
}

se_json *se_json_new_array(void)
{
    return made(json_array());
}

se_json *se_json_new_null(void)
{
    return made(json_null());
}

se_json *se_json_of_bool(bool x)
{
    return made(json_boolean(x));
}

se_json *se_json_of_integer(int64_t x)
{
    return made(json_integer(x));
}

se_json *se_json_of_real(double x)
{
    if (isfinite(x))
        return made(json_real(x));
    se_fail(SE_ERR_ARG, "json: a number is %s: JSON has finite numbers only",
            isnan(x) ? "NaN" : "infinite");
    return NULL;
}

se_json *se_json_of_number(double x)
{
    bool integer = fabs(x) <= MAX_EXACT && x == floor(x) && !(x == 0 && signbit(x));
    return integer ? se_json_of_integer((int64_t)x) : se_json_of_real(x);
}

se_json *se_json_of_string(const char *text, size_t bytes)
{
    json_t *v = json_stringn(text, bytes);
    if (!v)
        se_fail(SE_ERR_ARG, "json: a string of %zu bytes is not UTF-8", bytes);
    return (se_json *)v;
}

se_status se_json_set(se_json *object, const char *key, se_json *value)
{
    if (!value)
        return SE_ERR_ARG;
    if (json_object_set_new(in(object), key, in(value)) == 0)
        return SE_OK;
    return se_fail(SE_ERR_ARG, "json: cannot set a key: %s",
                   json_is_object(in(object)) ? "the key is not UTF-8" : "this is no object");
}

se_status se_json_append(se_json *array, se_json *value)
{
    if (!value)
        return SE_ERR_ARG;
    if (json_array_append_new(in(array), in(value)) == 0)
        return SE_OK;
    return se_fail(SE_ERR_ARG, "json: cannot append: this is no array");
}

/* --- printing --- */

typedef struct printer {
    char *text;
    size_t bytes, room;
    int32_t indent;
    bool sort;
    se_status status;
} printer;

static void put(printer *p, const char *text, size_t n)
{
    if (p->status != SE_OK)
        return;
    if (p->bytes + n + 1 > p->room) {
        size_t room = 2 * p->room + n + 256;
        char *larger = se_realloc(p->text, room);
        if (!larger) {
            p->status = SE_ERR_MEMORY;
            return;
        }
        p->text = larger;
        p->room = room;
    }
    memcpy(p->text + p->bytes, text, n);
    p->bytes += n;
    p->text[p->bytes] = 0;
}

static void put_text(printer *p, const char *text)
{
    put(p, text, strlen(text));
}

static void put_string(printer *p, const char *s, size_t n)
{
    static const char *const SHORT[32] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    char code[8];
    size_t from = 0;
    put(p, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 32 && c != '"' && c != '\\')
            continue;
        put(p, s + from, i - from);
        from = i + 1;
        if (c < 32 && !SHORT[c])
            snprintf(code, sizeof code, "\\u%04x", c);
        put_text(p, c == '"' ? "\\\"" : c == '\\' ? "\\\\" : SHORT[c] ? SHORT[c] : code);
    }
    put(p, s + from, n - from);
    put(p, "\"", 1);
}

const char *se_json_print_real(double x, char text[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    char *comma = strchr(text, ','); /* a locale's decimal sign */
    if (comma)
        *comma = '.';
    if (!strpbrk(text, ".eE"))
        strcat(text, ".0");
    return text;
}

static void put_break(printer *p, int depth)
{
    if (p->indent <= 0)
        return;
    put(p, "\n", 1);
    for (int i = 0; i < depth * p->indent; i++)
        put(p, " ", 1);
}

static void put_value(printer *p, const json_t *v, int depth);

static int by_key(const void *a, const void *b)
{
    return strcmp(json_object_iter_key(*(void *const *)a), json_object_iter_key(*(void *const *)b));
}

static void put_object(printer *p, json_t *v, int depth)
{
    size_t n = json_object_size(v), i = 0;
    if (n == 0) {
        put_text(p, "{}");
        return;
    }
    void **it = se_malloc(n * sizeof *it);
    if (!it) {
        p->status = SE_ERR_MEMORY;
        return;
    }
    for (void *x = json_object_iter(v); x; x = json_object_iter_next(v, x))
        it[i++] = x;
    if (p->sort)
        qsort(it, n, sizeof *it, by_key);
    for (i = 0; i < n; i++) {
        const char *key = json_object_iter_key(it[i]);
        put(p, i ? "," : "{", 1);
        put_break(p, depth + 1);
        put_string(p, key, strlen(key));
        put(p, ": ", p->indent > 0 ? 2 : 1);
        put_value(p, json_object_iter_value(it[i]), depth + 1);
    }
    put_break(p, depth);
    put(p, "}", 1);
    free(it);
}

static void put_value(printer *p, const json_t *v, int depth)
{
    char number[32];
    if (depth > MAX_DEPTH && p->status == SE_OK)
        p->status = se_fail(SE_ERR_ARG, "json: nested more than %d deep", MAX_DEPTH);
    if (p->status != SE_OK)
        return;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        put_object(p, (json_t *)v, depth);
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(v); i++) {
            put(p, i ? "," : "[", 1);
            put_break(p, depth + 1);
            put_value(p, json_array_get(v, i), depth + 1);
        }
        if (json_array_size(v) == 0)
            put(p, "[", 1);
        else
            put_break(p, depth);
        put(p, "]", 1);
        break;
    case JSON_STRING:
        put_string(p, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        put_text(p, number);
        break;
    case JSON_REAL:
        put_text(p, se_json_print_real(json_real_value(v), number));
        break;
    case JSON_TRUE:
        put_text(p, "true");
        break;
    case JSON_FALSE:
        put_text(p, "false");
        break;
    case JSON_NULL:
        put_text(p, "null");
        break;
    }
}

se_status se_json_dump(const se_json *v, int32_t indent, bool sort, char **out, size_t *bytes)
{
    printer p = {.indent = indent, .sort = sort};
    *out = NULL;
    *bytes = 0;
    if (!v)
        return se_fail(SE_ERR_ARG, "json: no value to print");
    put_value(&p, in(v), 0);
    if (p.status != SE_OK) {
        free(p.text);
        return p.status;
    }
    *out = p.text;
    *bytes = p.bytes;
    return SE_OK;
}
