/* Weights in PyTorch's own format (pytorch_model.bin): a zip archive of stored members,
 * NAME/data.pkl, a pickle that describes the tensors, and NAME/data/KEY, the bytes of their
 * storages. Nothing in such a file is executed (pickle.h). */
#ifndef SE_IO_TORCH_BIN_H
#define SE_IO_TORCH_BIN_H

#include "sembed.h"

/* sembed-cdef-begin */
typedef struct se_torch_bin se_torch_bin;

/* Maps a file that torch.save wrote of a dict of tensors (a state_dict) and checks archive, pickle
 * and the place of every tensor: SE_ERR_FORMAT with path and offset for anything else. */
SE_API se_status se_torch_bin_open(const char *path, se_torch_bin **out);
SE_API void se_torch_bin_close(se_torch_bin *f); /* tensors made from it live on */

/* Tensors in the order of the dict. 0 <= i < count. */
SE_API int64_t se_torch_bin_count(const se_torch_bin *f);
SE_API int64_t se_torch_bin_find(const se_torch_bin *f, const char *name); /* -1: none */
SE_API const char *se_torch_bin_name(const se_torch_bin *f, int64_t i);
SE_API const char *se_torch_bin_dtype(const se_torch_bin *f, int64_t i); /* "F32", "I64", ... */

/* A leaf f32: over the mapped file where its numbers are f32, row-major and aligned, else a copy
 * (transposed and strided views, F16, BF16, F64). Other dtypes are refused by name. */
SE_API se_status se_torch_bin_weight(const se_torch_bin *f, int64_t i, se_tensor **out);
/* sembed-cdef-end */

#endif
