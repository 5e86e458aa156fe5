/* How fast this machine multiplies matrices: what training and encoding are held against. */
#include "sembed.h"

#include "kernels/gemm.h"

#include <string.h>

/* One product of x [m,k] and w [n,k]: in int8 with packed weights, as in encoding. */
static void multiply(se_precision as, int64_t m, int64_t n, int64_t k, const void *x, const void *w,
                     void *c, const void *panels, void *room)
{
    if (as == SE_PRECISION_INT8)
        se_gemm_int8(m, n, k, x, w, panels, NULL, c, room);
    else
        se_gemm(as, false, true, m, n, k, x, k, w, k, c, n);
}

double se_gemm_rate(int32_t precision, int64_t m, int64_t n, int64_t k, double seconds)
{
    se_precision as = (se_precision)precision;
    if (m < 1 || n < 1 || k < 1 || (double)m * (double)n * (double)k > 1e15)
        return 0;
    bool int8 = as == SE_PRECISION_INT8;
    size_t packed = int8 ? (size_t)se_gemm_panels_bytes(as, n, k) : 0;
    size_t room = int8 ? (size_t)se_gemm_int8_bytes(m, k) + 64 : 0;
    size_t count = (size_t)(m * k + k * n + m * n), size = se_dtype_size(SE_F32);
    size_t bytes = packed + (room + 63) / 64 * 64 + count * size;
    char *panels = se_counted_alloc(bytes);
    if (!panels)
        return 0;
    memset(panels, 0, bytes); /* numbers do not change the speed; denormals would */
    char *own = panels + packed, *x = own + (room + 63) / 64 * 64;
    char *w = x + (size_t)(m * k) * size, *c = w + (size_t)(k * n) * size;
    double best = 0, start = se_seconds(), now = start;
    do {
        double from = now;
        multiply(as, m, n, k, x, w, c, panels, own);
        now = se_seconds();
        double rate = 2e-9 * (double)m * (double)n * (double)k / (now - from);
        best = rate > best ? rate : best;
    } while (now - start < seconds);
    se_counted_free(panels, bytes);
    return best;
}
