/* Matrix products on packed panels, for the instruction sets that have a kernel of their own here;
 * gemm.c splits them over threads and owns every call.
 *
 * Every element of c is one chain of multiply-adds over k, cut in blocks that depend on k alone: so
 * its bits depend neither on m or n, nor on its place, nor on whether b was packed beforehand. */
#ifndef SE_PANELS_H
#define SE_PANELS_H

#include "base.h"

/* c[m,n] = a[m,k] b[k,n] (+ bias), or c += a b. Strides in elements: rs from row to row, cs from
 * column to column.
 *
 * Of integers (se_panels_int8_*): c[i,j] = (sum over k of a[i,k] b[k,j]) row_scale[i]
 * column_scale[j] + bias[j], where a holds words as se_panels.round_rows makes them, rs_a of them
 * a row, and `start` is what each column's sum begins with; not together with add. */
typedef struct se_product {
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t rs_a, cs_a, rs_b, cs_b, rs_c;
    bool add;
    const void *bias;   /* n elements, or NULL; not together with add */
    const void *panels; /* all of b, packed; or NULL: it is packed on the way (not int8) */
    const float *start, *row_scale, *column_scale;
} se_product;

typedef struct se_panels {
    int64_t rows, columns; /* of a tile; b is packed in panels of so many columns */
    int64_t chunk;         /* most columns of one call of run */
    int64_t per_word;      /* k's in 32 bits of a panel */
    int64_t extra;         /* words for each column behind all panels: 2 for int8 */
    size_t scratch;        /* bytes that run needs, 64-byte aligned */

    /* Packs columns [j0, j1) of b, j0 a multiple of `columns`, to the place they have in the whole:
     * panels holds k / per_word words, rounded up, for each column, their number rounded up to
     * `columns`. */
    void (*pack)(const se_product *p, int64_t j0, int64_t j1, float *panels);

    /* Rows [i0, i1), columns [j0, j1) of c; j0 is a multiple of `columns`. */
    void (*run)(const se_product *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, void *scratch);

    /* Of int8: rows of k floats to words, k / per_word a row, rounded up, and a scale a row. */
    void (*round_rows)(int64_t rows, int64_t k, const float *x, float *to, float *scale);
} se_panels;

extern const se_panels se_panels_avx2, se_panels_avx512;
extern const se_panels se_panels_bf16; /* needs AVX-512 BF16 */
extern const se_panels se_panels_int8_portable, se_panels_int8_avx2;
extern const se_panels se_panels_int8_avx512; /* needs AVX-512 VNNI */

/* The largest |x| of a row or column that counts as zeros in int8. */
#define SE_INT8_SMALLEST 1e-30F

#endif
