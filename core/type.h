/* The type of a tensor: element type, shape, and whether its value differs between shards; and the
 * value of an attribute. */
#ifndef SE_TYPE_H
#define SE_TYPE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sembed-cdef-begin */
enum { SE_MAX_RANK = 6 };

typedef enum se_dtype { SE_F32, SE_BF16, SE_I32, SE_BOOL, SE_DTYPES, SE_NONE = 255 } se_dtype;

/* What the operands of a matrix product are rounded to; everything else stays f32. */
typedef enum se_precision {
    SE_PRECISION_F32,
    SE_PRECISION_BF16,
    SE_PRECISION_INT8, /* weights by column, rows by their largest value */
    SE_PRECISIONS
} se_precision;

typedef struct se_type {
    uint8_t dtype; /* se_dtype; SE_NONE stands for an optional argument that was left out */
    uint8_t rank;
    bool varying; /* differs between shards; else replicated: the same on every one */
    int64_t dim[SE_MAX_RANK];
    int64_t rows; /* of a varying tensor: rows over all shards; 0 where that is not known */
} se_type;

/* What op.h defines, and the value of an op's named attribute. The op's `args` tell which field
 * holds it: int, axis, bool, dtype -> i; num -> f; ints, axes -> list, n. */
typedef struct se_op se_op;
typedef struct se_attr {
    int64_t i;
    double f;
    int32_t n;
    int64_t list[SE_MAX_RANK];
} se_attr;
/* sembed-cdef-end */

/* Makes a replicated type. `dim` holds `rank` sizes. */
SE_API se_type se_type_make(se_dtype dtype, int rank, const int64_t *dim);
SE_API se_type se_type_scalar(se_dtype dtype);

/* "f32", "bf16", "i32", "bool"; the dtype of a name, or SE_NONE. */
SE_API const char *se_dtype_name(se_dtype dtype);
SE_API se_dtype se_dtype_of(const char *name);

/* Bytes of one element. f32 takes 8 while se_real_is_f64() (checks of gradients only). */
SE_API size_t se_dtype_size(se_dtype dtype);

/* Number of elements (1 for a scalar) and bytes of the whole tensor. */
SE_API int64_t se_type_count(const se_type *t);
SE_API size_t se_type_bytes(const se_type *t);

/* The product of the sizes with 0 counted as 1, and the most it may be: no machine holds more, and
 * no count or distance within a tensor comes near 2^63. */
#define SE_MAX_SPAN 1e15
double se_type_span(const se_type *t);

/* Elements of one row, where a row is the last axis (1 for a scalar), and the number of such rows.
 */
SE_API int64_t se_type_last(const se_type *t);
SE_API int64_t se_type_rows(const se_type *t);

/* Same dtype and dims; same dims. */
SE_API bool se_type_same(const se_type *a, const se_type *b);
SE_API bool se_shape_same_dims(const se_type *a, const se_type *b);

/* numpy's broadcasting of the dims of a and b into out (dtype of a). False when they do not fit. */
SE_API bool se_type_broadcast(const se_type *a, const se_type *b, se_type *out);

/* Writes "f32[8,768]" (scalars: "f32[]"); returns `text`. */
enum { SE_TYPE_TEXT = 160 };
SE_API const char *se_type_print(const se_type *t, char text[SE_TYPE_TEXT]);

/* Checks of gradients compute every f32 tensor in double. A tensor made in float is refused there
 * and the other way round: each must have been freed before the setting changes. */
/* sembed-cdef-begin */
SE_API void se_real_set_f64(bool on);
/* sembed-cdef-end */
SE_API bool se_real_is_f64(void);

#ifdef __cplusplus
}
#endif

#endif
