/* Every matrix product of the engine goes through here: on AVX2 and AVX-512 to the kernels of
 * panels.h, elsewhere (and in double) to BLIS, with its small-matrix ("sup") paths off and one
 * thread per call, inside our own OpenMP split. A row's bits depend neither on the number of rows
 * nor on threads (design: "Same bits"). */
#ifndef SE_GEMM_H
#define SE_GEMM_H

#include "op.h"

/* What the operands are rounded to: SE_PRECISION_BF16 rounds both to bf16 first (in double: not at
 * all) and adds up in f32; where se_isa_computes says no, f32 products of rounded copies. */

/* c[m,n] = op(a) op(b) for row-major matrices; ta/tb: a is stored [k,m], b is stored [n,k]. Leading
 * dimensions in elements. Elements are float, or double while se_real_is_f64(). Splits over threads
 * unless called inside a parallel region. */
void se_gemm(se_precision as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
             int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc);

/* c += op(a) op(b). */
void se_gemm_add(se_precision as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
                 int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc);

/* c[m,n] = a[m,k] w^T for w [n,k], plus bias [n] where it is not NULL; all contiguous. panels: w as
 * se_gemm_pack made it, or NULL; both give the same bits. */
void se_gemm_linear(se_precision as, int64_t m, int64_t n, int64_t k, const void *a, const void *w,
                    const void *panels, const void *bias, void *c);

/* Bytes of w [n,k] packed for se_gemm_linear or se_gemm_int8 at the level in use, 64-byte aligned;
 * 0 where packing is of no use. Packing ahead pays for few rows, where packing on the way costs as
 * much as the product. */
int64_t se_gemm_panels_bytes(se_precision as, int64_t n, int64_t k);
void se_gemm_pack(se_precision as, int64_t n, int64_t k, const void *w, void *panels);

/* c[m,n] = a[m,k] w^T + bias as se_gemm_linear, rounded to int8: each row of a and of w by a scale
 * of its own, its largest |x| / 127; sums are exact integers, k at most SE_GEMM_INT8_K. room:
 * se_gemm_int8_bytes, 64-byte aligned. Always floats. panels NULL: w is packed first. */
#define SE_GEMM_INT8_K 131072
int64_t se_gemm_int8_bytes(int64_t m, int64_t k);
void se_gemm_int8(int64_t m, int64_t n, int64_t k, const float *a, const float *w,
                  const void *panels, const float *bias, float *c, void *room);

/* `batch` products of equal shape, strides in elements; threads split the batch (and the rows when
 * the batch is small). */
void se_gemm_batch(se_precision as, int64_t batch, bool ta, bool tb, int64_t m, int64_t n,
                   int64_t k, const void *a, int64_t lda, int64_t stride_a, const void *b,
                   int64_t ldb, int64_t stride_b, void *c, int64_t ldc, int64_t stride_c);

#endif
