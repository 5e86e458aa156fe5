/* Files mapped into memory for reading, and f32 leaves over their bytes. */
#ifndef SE_IO_MAP_H
#define SE_IO_MAP_H

#include "sembed.h"
#include <stdatomic.h>

/* The open file and each leaf over it hold a reference. */
typedef struct se_map {
    const char *data; /* NULL where bytes is 0 */
    size_t bytes;
    atomic_int refs;
} se_map;

/* SE_ERR_IO for what is not a file or cannot be read. One reference. */
se_status se_map_open(const char *path, se_map **out);
void se_map_release(void *map); /* NULL is allowed */

/* What weights are stored as. se_real_bytes gives the size of an element. */
typedef enum se_real_kind { SE_REAL_F32, SE_REAL_F16, SE_REAL_BF16, SE_REAL_F64 } se_real_kind;
size_t se_real_bytes(se_real_kind kind);

/* The kind of a dtype by its name in safetensors files, "F32", ...; false for other dtypes. */
bool se_real_kind_of(const char *dtype, se_real_kind *out);

/* Element i of unaligned data as a double, which is exact for every kind. */
double se_real_at(se_real_kind kind, const char *data, int64_t i);

/* A leaf f32[dim] over the elements at `data` inside the map: the mapped bytes themselves where
 * they are row-major f32 and aligned, else a copy (f64 is rounded to the nearest). stride counts
 * elements and is not negative; NULL stands for row-major. That all elements lie in the map has
 * been checked.
 */
se_status se_map_leaf(se_map *map, const char *data, se_real_kind kind, int rank,
                      const int64_t *dim, const int64_t *stride, se_tensor **out);

#endif
