/* Checks of packed texts, for ops that take `starts`. */
#ifndef SE_TEXTS_H
#define SE_TEXTS_H

#include "op.h"

/* starts i32[n + 1] begins with 0, does not fall, ends at or before `rows`; no text is longer than
 * `longest`. */
static inline se_status se_check_starts(const se_type *type, const int32_t *starts, int64_t rows,
                                        int64_t longest)
{
    int64_t n = type->dim[0] - 1;
    if (starts[0] != 0)
        return se_fail(SE_ERR_ARG, "starts must begin with 0: %d came", starts[0]);
    for (int64_t i = 0; i < n; i++) {
        int64_t length = (int64_t)starts[i + 1] - starts[i];
        if (length < 0) {
            return se_fail(SE_ERR_ARG, "starts must not fall: %d after %d at place %lld",
                           starts[i + 1], starts[i], (long long)i + 1);
        }
        if (length > longest) {
            return se_fail(SE_ERR_ARG, "text %lld has %lld tokens, at most %lld are possible",
                           (long long)i, (long long)length, (long long)longest);
        }
    }
    if (starts[n] > rows) {
        return se_fail(SE_ERR_ARG, "starts end at row %d: there are %lld rows", starts[n],
                       (long long)rows);
    }
    return SE_OK;
}

/* Input i is `starts`: i32[n + 1]. */
static inline se_status se_want_starts(const se_shape *s, int i)
{
    se_status status = se_shape_want(s, i, SE_I32, 1);
    if (!status && s->in[i].dim[0] < 1)
        return SE_SHAPE_FAIL(s, "starts is empty: number of texts + 1 values are wanted");
    return status;
}

/* Input i is `key`: i32[3], seed, step, stream. */
static inline se_status se_want_key(const se_shape *s, int i)
{
    se_status status = se_shape_want(s, i, SE_I32, 1);
    if (!status && s->in[i].dim[0] != 3) {
        return SE_SHAPE_FAIL(s, "key has %lld values: 3 are wanted (seed, step, stream)",
                             (long long)s->in[i].dim[0]);
    }
    return status;
}

/* Input i is `who`: i32[n], a number for each of n texts. */
static inline se_status se_want_who(const se_shape *s, int i, int64_t n)
{
    se_status status = se_shape_want(s, i, SE_I32, 1);
    if (!status && s->in[i].dim[0] != n) {
        return SE_SHAPE_FAIL(s, "who has %lld values for %lld texts", (long long)s->in[i].dim[0],
                             (long long)n);
    }
    return status;
}

static inline se_status se_want_rate(const se_shape *s, double rate)
{
    if (!(rate >= 0 && rate < 1))
        return SE_SHAPE_FAIL(s, "rate is %g: 0 <= rate < 1 is wanted", rate);
    return SE_OK;
}

#endif
