#define _GNU_SOURCE
#include "io/map.h"
#include "buf.h"
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files of tensors are mapped: a little-endian machine is needed"
#endif

se_status se_map_open(const char *path, se_map **out)
{
    struct stat st;
    *out = NULL;
    /* Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return se_fail(SE_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return se_fail(SE_ERR_IO, "%s: cannot read: not a file", path);
    }
    se_map *m = se_calloc(1, sizeof *m);
    se_status s = m ? SE_OK : SE_ERR_MEMORY;
    if (m && st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            s = se_fail(SE_ERR_IO, "%s: cannot map %lld bytes: %s", path, (long long)st.st_size,
                        strerror(errno));
            free(m);
            m = NULL;
        } else {
            m->data = data;
            m->bytes = (size_t)st.st_size;
        }
    }
    if (m)
        atomic_init(&m->refs, 1);
    close(fd);
    *out = m;
    return s;
}

void se_map_release(void *map)
{
    se_map *m = map;
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    if (m->bytes)
        munmap((void *)m->data, m->bytes);
    free(m);
}

/* --- elements --- */

size_t se_real_bytes(se_real_kind kind)
{
    return kind == SE_REAL_F64 ? 8 : kind == SE_REAL_F32 ? 4 : 2;
}

bool se_real_kind_of(const char *dtype, se_real_kind *out)
{
    static const char *const NAMES[] = {[SE_REAL_F32] = "F32",
                                        [SE_REAL_F16] = "F16",
                                        [SE_REAL_BF16] = "BF16",
                                        [SE_REAL_F64] = "F64"};
    for (int i = 0; i < (int)(sizeof NAMES / sizeof *NAMES); i++)
        if (strcmp(dtype, NAMES[i]) == 0) {
            *out = (se_real_kind)i;
            return true;
        }
    return false;
}

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest < 0x400) { /* subnormal: a multiple of 2^-24 */
        float x = (float)rest * 0x1p-24f;
        return sign ? -x : x;
    }
    uint32_t exponent = rest >= 0x7c00 ? (uint32_t)(255 - 31) << 23 : (uint32_t)(127 - 15) << 23;
    return float_of_bits(sign | ((rest << 13) + exponent));
}

double se_real_at(se_real_kind kind, const char *data, int64_t i)
{
    uint16_t half;
    float single;
    double whole;
    switch (kind) {
    case SE_REAL_F16:
        memcpy(&half, data + 2 * i, sizeof half);
        return (double)half_to_float(half);
    case SE_REAL_BF16:
        memcpy(&half, data + 2 * i, sizeof half);
        return (double)float_of_bits((uint32_t)half << 16);
    case SE_REAL_F32:
        memcpy(&single, data + 4 * i, sizeof single);
        return (double)single;
    default:
        memcpy(&whole, data + 8 * i, sizeof whole);
        return whole;
    }
}

/* n elements, `step` apart, to where element `at` of the buffer stands. */
static void copy_run(se_real_kind kind, const char *data, int64_t step, int64_t n, void *to,
                     int64_t at)
{
    if (se_real_is_f64()) {
        double *y = (double *)to + at;
        for (int64_t i = 0; i < n; i++)
            y[i] = se_real_at(kind, data, i * step);
        return;
    }
    float *y = (float *)to + at;
    if (kind == SE_REAL_F32 && step == 1) {
        memcpy(y, data, (size_t)n * sizeof *y);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)se_real_at(kind, data, i * step);
}

/* Walks over all axes but the last, which copy_run takes. */
static void copy_strided(se_real_kind kind, const char *data, const se_type *type,
                         const int64_t *stride, void *to)
{
    int last = type->rank - 1;
    int64_t index[SE_MAX_RANK] = {0}, from = 0, at = 0, n = type->dim[last];
    int64_t size = (int64_t)se_real_bytes(kind), count = se_type_count(type);
    while (at < count) {
        copy_run(kind, data + from * size, stride[last], n, to, at);
        at += n;
        for (int a = last - 1; a >= 0; a--) {
            from += stride[a];
            if (++index[a] < type->dim[a])
                break;
            from -= index[a] * stride[a];
            index[a] = 0;
        }
    }
}

/* Row-major? The stride of an axis with one element, or of a tensor with none, means nothing. */
static bool is_dense(const se_type *type, const int64_t *stride)
{
    int64_t step = 1;
    for (int a = type->rank - 1; stride && a >= 0; a--) {
        if (type->dim[a] > 1 && stride[a] != step)
            return false;
        step *= type->dim[a];
    }
    return true;
}

/* Drops the whole pages within the bytes from memory. They are those of a file that nobody writes
 * to, so the next look at them reads the same. */
static void drop_pages(const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (end > first)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

se_status se_map_leaf(se_map *map, const char *data, se_real_kind kind, int rank,
                      const int64_t *dim, const int64_t *stride, se_tensor **out)
{
    se_type type = se_type_make(SE_F32, rank, dim);
    int64_t count = se_type_count(&type);
    bool dense = count == 0 || is_dense(&type, stride);
    bool foreign = dense && count > 0 && kind == SE_REAL_F32 && !se_real_is_f64() &&
                   (uintptr_t)data % sizeof(float) == 0;
    se_buf *buf = foreign ? se_buf_foreign(data, (size_t)count * sizeof(float), se_map_release, map)
                          : se_buf_new(&type);
    *out = NULL;
    if (!buf)
        return SE_ERR_MEMORY;
    if (foreign) {
        atomic_fetch_add(&map->refs, 1);
        buf->idle = drop_pages;
    } else if (dense && count > 0) {
        copy_run(kind, data, 1, count, buf->data, 0);
    } else if (count > 0) {
        copy_strided(kind, data, &type, stride, buf->data);
    }
    return se_tensor_of_buf(type, buf, out);
}
