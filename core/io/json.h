/* JSON values as handles, over jansson: parse, look, build, print. */
#ifndef SE_IO_JSON_H
#define SE_IO_JSON_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_json se_json;

enum {
    SE_JSON_NULL,
    SE_JSON_BOOL,
    SE_JSON_INTEGER,
    SE_JSON_REAL,
    SE_JSON_STRING,
    SE_JSON_ARRAY,
    SE_JSON_OBJECT
};

/* Parses one value of any kind. Fails with SE_ERR_FORMAT and "SOURCE:LINE:COLUMN: what" (columns
 * count characters): also for duplicate keys and text that is not UTF-8. Integers beyond 64 bits
 * become reals. *out is freed by se_json_free, and with it all that was read from it. */
SE_API se_status se_json_parse(const char *text, size_t bytes, const char *source, se_json **out);
SE_API se_status se_json_load(const char *path, se_json **out); /* the same of a whole file */
SE_API void se_json_free(se_json *v);                           /* NULL is allowed */

/* Looking. A value of another kind than asked for reads as false, 0, NULL or size 0. Handles and
 * texts given here are lent: they live as long as the root. */
SE_API int32_t se_json_type(const se_json *v); /* SE_JSON_NULL for NULL */
SE_API bool se_json_bool(const se_json *v);
SE_API int64_t se_json_integer(const se_json *v);
SE_API double se_json_number(const se_json *v); /* of an integer or a real */
SE_API const char *se_json_string(const se_json *v, size_t *bytes);
SE_API int64_t se_json_size(const se_json *v);                       /* of an array or object */
SE_API se_json *se_json_at(const se_json *array, int64_t i);         /* from 0 */
SE_API se_json *se_json_get(const se_json *object, const char *key); /* NULL: no such key */

/* An object's members in the order of the file: for (it = first(o); it; it = next(o, it)). */
SE_API void *se_json_first(const se_json *object);
SE_API void *se_json_next(const se_json *object, void *it);
SE_API const char *se_json_key(void *it);
SE_API se_json *se_json_value(void *it);

/* Building. NULL with a message when it fails: text that is not UTF-8, a number that is not finite.
 * se_json_of_number gives an integer where x is one and |x| <= 2^53, else a real. */
SE_API se_json *se_json_new_object(void);
SE_API se_json *se_json_new_array(void);
SE_API se_json *se_json_new_null(void);
SE_API se_json *se_json_of_bool(bool x);
SE_API se_json *se_json_of_integer(int64_t x);
SE_API se_json *se_json_of_real(double x);
SE_API se_json *se_json_of_number(double x);
SE_API se_json *se_json_of_string(const char *text, size_t bytes);

/* Puts value into an object (replacing what the key had) or at an array's end. The value is taken
 * over, also when this fails; a NULL value fails with the message that it left. */
SE_API se_status se_json_set(se_json *object, const char *key, se_json *value);
SE_API se_status se_json_append(se_json *array, se_json *value);

/* The value as text, freed by se_io_free. indent: spaces a level, 0 for one line without spaces.
 * sort: keys in byte order, else as they were put in. Numbers read back equal. */
SE_API se_status se_json_dump(const se_json *v, int32_t indent, bool sort, char **out,
                              size_t *bytes);
/* sembed-cdef-end */

/* Writes x so that it reads back equal, with a '.' or an exponent; returns `text`. */
const char *se_json_print_real(double x, char text[32]);

#endif
