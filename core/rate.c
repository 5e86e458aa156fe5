/* How fast this machine multiplies matrices: what training and encoding are held against. */
#include "sembed.h"

#include "kernels/gemm.h"

#include <string.h>

double se_gemm_rate(int32_t precision, int64_t m, int64_t n, int64_t k, double seconds)
{
    if (m < 1 || n < 1 || k < 1 || (double)m * (double)n * (double)k > 1e15)
        return 0;
    size_t count = (size_t)(m * k + k * n + m * n), size = se_dtype_size(SE_F32);
    char *x = se_counted_alloc(count * size);
    if (!x)
        return 0;
    memset(x, 0, count * size); /* numbers do not change the speed; denormals would */
    char *b = x + (size_t)(m * k) * size, *c = b + (size_t)(k * n) * size;
    double best = 0, start = se_seconds(), now = start;
    do {
        double from = now;
        se_gemm((se_precision)precision, false, true, m, n, k, x, k, b, k, c, n);
        now = se_seconds();
        double rate = 2e-9 * (double)m * (double)n * (double)k / (now - from);
        best = rate > best ? rate : best;
    } while (now - start < seconds);
    se_counted_free(x, count * size);
    return best;
}
