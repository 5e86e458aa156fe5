/* Files of tensors in the safetensors format: 8 bytes n (little-endian), n bytes of JSON, data. */
#ifndef SE_IO_SAFETENSORS_H
#define SE_IO_SAFETENSORS_H

#include "sembed.h"

/* sembed-cdef-begin */
typedef struct se_safetensors se_safetensors;

/* Maps a file and checks its whole header: SE_ERR_FORMAT with path and offset for anything that is
 * not as the format says, unused or doubly used bytes of data included. */
SE_API se_status se_safetensors_open(const char *path, se_safetensors **out);
SE_API void se_safetensors_close(se_safetensors *f); /* tensors made from it live on */

/* Tensors in the order of their data. 0 <= i < count. */
SE_API int64_t se_safetensors_count(const se_safetensors *f);
SE_API int64_t se_safetensors_find(const se_safetensors *f, const char *name); /* -1: none */
SE_API const char *se_safetensors_name(const se_safetensors *f, int64_t i);
SE_API const char *se_safetensors_dtype(const se_safetensors *f, int64_t i); /* "F32", ... */
SE_API int32_t se_safetensors_rank(const se_safetensors *f, int64_t i);
SE_API int64_t se_safetensors_dim(const se_safetensors *f, int64_t i, int32_t axis);

/* A text of "__metadata__"; NULL where there is none. */
SE_API const char *se_safetensors_metadata(const se_safetensors *f, const char *key);

/* A leaf over the mapped file itself (F32, BF16, I32, BOOL), which stays mapped while the leaf
 * lives; F16 and F64 are converted to f32, I64 to i32 (SE_ERR_FORMAT where a value does not fit),
 * and data that is not aligned is copied. Other dtypes are refused by name. */
SE_API se_status se_safetensors_tensor(const se_safetensors *f, int64_t i, se_tensor **out);

/* The same for a weight: always f32. F32 is the mapped file, F16, BF16 and F64 are converted; other
 * dtypes are refused by name. */
SE_API se_status se_safetensors_weight(const se_safetensors *f, int64_t i, se_tensor **out);

/* Writes n tensors (computed first where they are not) and n_meta texts of metadata; "format": "pt"
 * is added where it is not given. Written to path.part, synced, renamed. path NULL: nothing is
 * written, but the tensors are computed in the same order (shards do that together). */
SE_API se_status se_safetensors_write(const char *path, int32_t n, const char *const *names,
                                      se_tensor *const *tensors, int32_t n_meta,
                                      const char *const *keys, const char *const *values);
/* sembed-cdef-end */

#endif
