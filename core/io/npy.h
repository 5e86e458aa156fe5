/* Arrays in numpy's .npy format, mapped for reading: 6 bytes "\x93NUMPY", version, header, rows. */
#ifndef SE_IO_NPY_H
#define SE_IO_NPY_H

#include "sembed.h"

/* sembed-cdef-begin */
typedef struct se_npy se_npy;

/* Maps a file of rows of numbers: version 1, 2 or 3, two axes, C order, little-endian float16,
 * float32, float64, int8 or uint8. SE_ERR_FORMAT with path and offset for anything else. */
SE_API se_status se_npy_open(const char *path, se_npy **out);
SE_API void se_npy_close(se_npy *f); /* tensors made from it live on */

SE_API int64_t se_npy_rows(const se_npy *f);
SE_API int64_t se_npy_dims(const se_npy *f);
SE_API const char *se_npy_descr(const se_npy *f); /* numpy's name of the type, "f4", "i1", ... */

/* f32[count, dims], rows first.. of the array: the mapped bytes themselves for float32, which stay
 * mapped while the leaf lives; else a copy. */
SE_API se_status se_npy_part(const se_npy *f, int64_t first, int64_t count, se_tensor **out);

/* A whole array of any axes, up to six, in C's or Fortran's order: f32 of float32 (the mapped
 * bytes), float16 and float64, i32 of whole numbers (SE_ERR_FORMAT where one does not fit), bool of
 * bool. turned: it is in Fortran's order, and the tensor has its axes the other way round. */
SE_API se_status se_npy_read(const char *path, bool *turned, se_tensor **out);

/* Writes path.part, synced, then renamed. bf16, which numpy lacks, is refused. */
SE_API se_status se_npy_write(const char *path, se_tensor *t);
/* sembed-cdef-end */

#endif
