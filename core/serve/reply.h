/* The text of a reply, written piece by piece: JSON from numbers and strings, without a copy on its
 * way to the socket. */
#ifndef SE_SERVE_REPLY_H
#define SE_SERVE_REPLY_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_reply se_reply;

/* NULL, with the message set, when memory is short. Every later shortage is kept: sending the reply
 * then gives status 500. */
SE_API se_reply *se_reply_new(void);
SE_API void se_reply_free(se_reply *r); /* NULL is allowed */
SE_API int64_t se_reply_size(const se_reply *r);

/* Adds text as it is; text as a JSON string with its quotes (bytes that are not UTF-8 become
 * U+FFFD). */
SE_API void se_reply_add(se_reply *r, const char *text, size_t bytes);
SE_API void se_reply_string(se_reply *r, const char *text, size_t bytes);

/* Adds n numbers as a JSON list "[0.25,-1.5e-07]", each with few digits that read back as the
 * same float, whether the reader goes by way of double or not. Where a number is not finite,
 * JSON has no form for it: false, and nothing was added. */
SE_API bool se_reply_floats(se_reply *r, const float *x, int64_t n);

/* Adds the numbers' bytes, little-endian, in base64 with quotes. */
SE_API void se_reply_base64(se_reply *r, const float *x, int64_t n);

/* The first `dims` of x, in `out`, with length 1 again if `unit` (a vector of zeros stays). Sums in
 * double. */
SE_API void se_reply_cut(const float *x, int64_t dims, bool unit, float *out);

/* The cosine of two vectors, in double; 0 where one is all zeros. */
SE_API double se_reply_cosine(const float *a, const float *b, int64_t n);
/* sembed-cdef-end */

/* Takes the text out; freed by free(). NULL when a piece found no memory. */
char *se_reply_take(se_reply *r, size_t *bytes);

/* x as a short decimal that reads back equal; returns how many characters, at most 16 (and
 * `out` has room for a 0 more). */
int se_print_float(float x, char *out);

#endif
