#define _POSIX_C_SOURCE 200809L /* blis.h wants pthread_barrier_t */

#include "kernels/gemm.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <blis.h>

/* One product; strides in elements (rs: from row to row). */
typedef struct product {
    int64_t m, n, k;
    const char *a, *b;
    char *c;
    inc_t rs_a, cs_a, rs_b, cs_b, rs_c;
    bool add; /* c += instead of c = */
} product;

static size_t element(void)
{
    return se_real_is_f64() ? sizeof(double) : sizeof(float);
}

/* --- one thread --- */

/* BLIS, one thread, without the small-matrix paths, whose bits depend on the number of rows. */
static void blis(const product *p)
{
    rntm_t r;
    bli_rntm_init(&r);
    bli_rntm_set_num_threads(1, &r);
    bli_rntm_disable_l3_sup(&r);
    if (element() == sizeof(double)) {
        double one = 1, beta = p->add;
        bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, p->m, p->n, p->k, &one,
                     (double *)(void *)p->a, p->rs_a, p->cs_a, (double *)(void *)p->b, p->rs_b,
                     p->cs_b, &beta, (double *)(void *)p->c, p->rs_c, 1, NULL, &r);
    } else {
        float one = 1, beta = p->add;
        bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, p->m, p->n, p->k, &one,
                     (float *)(void *)p->a, p->rs_a, p->cs_a, (float *)(void *)p->b, p->rs_b,
                     p->cs_b, &beta, (float *)(void *)p->c, p->rs_c, 1, NULL, &r);
    }
}

/* Products so small that packing costs more than multiplying. Whether a product is one depends on n
 * and k alone, so a row's bits do not depend on the number of rows. */
#define SMALL(T)                                                                                   \
    static void small_##T(const product *p)                                                        \
    {                                                                                              \
        const T *a = (const void *)p->a, *b = (const void *)p->b;                                  \
        T *c = (void *)p->c;                                                                       \
        for (int64_t i = 0; i < p->m; i++)                                                         \
            for (int64_t j = 0; j < p->n; j++) {                                                   \
                T sum = 0;                                                                         \
                for (int64_t l = 0; l < p->k; l++)                                                 \
                    sum += a[i * p->rs_a + l * p->cs_a] * b[l * p->rs_b + j * p->cs_b];            \
                c[i * p->rs_c + j] = p->add ? c[i * p->rs_c + j] + sum : sum;                      \
            }                                                                                      \
    }
SMALL(float)
SMALL(double)

enum { SMALL_PRODUCT = 256 };

static bool is_small(int64_t n, int64_t k)
{
    return n * k <= SMALL_PRODUCT;
}

static void one_thread(const product *p, bool small)
{
    if (!small)
        blis(p);
    else if (element() == sizeof(double))
        small_double(p);
    else
        small_float(p);
}

/* --- the split --- */

typedef struct tile {
    int64_t m, n; /* of BLIS's micro-kernel: pieces are multiples, so that none is half empty */
} tile;

static tile micro_tile(void)
{
    num_t type = element() == sizeof(double) ? BLIS_DOUBLE : BLIS_FLOAT;
    const cntx_t *cntx = bli_gks_query_cntx();
    return (tile){bli_cntx_get_blksz_def_dt(type, BLIS_MR, (cntx_t *)(uintptr_t)cntx),
                  bli_cntx_get_blksz_def_dt(type, BLIS_NR, (cntx_t *)(uintptr_t)cntx)};
}

/* Into how many pieces the rows are cut (the columns into threads / that): every thread packs its
 * rows of a and its columns of b, so the sum of both is to be smallest. */
static int row_pieces(int64_t m, int64_t n, int threads, tile unit)
{
    int best = 1;
    double least = 0;
    for (int rows = 1; rows <= threads; rows++) {
        if (threads % rows)
            continue;
        int64_t columns = threads / rows;
        int64_t tiles_m = (m + unit.m - 1) / unit.m, tiles_n = (n + unit.n - 1) / unit.n;
        double own_m = (double)((tiles_m + rows - 1) / rows * unit.m);
        double own_n = (double)((tiles_n + columns - 1) / columns * unit.n);
        double cost = own_m * own_n * 4096 + own_m + own_n; /* the largest piece first */
        if (rows == 1 || cost < least) {
            best = rows;
            least = cost;
        }
    }
    return best;
}

/* Piece i of `pieces` of `size` items, at multiples of unit. */
static int64_t cut(int64_t size, int64_t unit, int i, int pieces)
{
    int64_t tiles = (size + unit - 1) / unit, at = tiles * i / pieces * unit;
    return at < size ? at : size;
}

static product piece_of(const product *p, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    product q = *p;
    int64_t size = (int64_t)element();
    q.m = m1 - m0;
    q.n = n1 - n0;
    q.a += m0 * p->rs_a * size;
    q.b += n0 * p->cs_b * size;
    q.c += (m0 * p->rs_c + n0) * size;
    return q;
}

static void clear(const product *p)
{
    for (int64_t i = 0; i < p->m && !p->add; i++)
        memset(p->c + (size_t)(i * p->rs_c) * element(), 0, (size_t)p->n * element());
}

static void run(const product *p)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0) {
        clear(p);
        return;
    }
    bool small = is_small(p->n, p->k);
    int threads = omp_in_parallel() ? 1 : se_threads();
    if (threads == 1 || (double)p->m * (double)p->n * (double)p->k < 65536) {
        one_thread(p, small);
        return;
    }
    tile unit = micro_tile();
    int rows = small ? threads : row_pieces(p->m, p->n, threads, unit), columns = threads / rows;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < threads; i++) {
        int r = i / columns, s = i % columns;
        product q = piece_of(p, cut(p->m, unit.m, r, rows), cut(p->m, unit.m, r + 1, rows),
                             cut(p->n, unit.n, s, columns), cut(p->n, unit.n, s + 1, columns));
        if (q.m > 0 && q.n > 0)
            one_thread(&q, small);
    }
}

static product product_of(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
                          int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc)
{
    return (product){.m = m,
                     .n = n,
                     .k = k,
                     .a = a,
                     .b = b,
                     .c = c,
                     .rs_a = ta ? 1 : lda,
                     .cs_a = ta ? lda : 1,
                     .rs_b = tb ? 1 : ldb,
                     .cs_b = tb ? ldb : 1,
                     .rs_c = ldc};
}

void se_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
             const void *b, int64_t ldb, void *c, int64_t ldc)
{
    product p = product_of(ta, tb, m, n, k, a, lda, b, ldb, c, ldc);
    run(&p);
}

void se_gemm_add(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                 const void *b, int64_t ldb, void *c, int64_t ldc)
{
    product p = product_of(ta, tb, m, n, k, a, lda, b, ldb, c, ldc);
    p.add = true;
    run(&p);
}

void se_gemm_batch(int64_t batch, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
                   int64_t lda, int64_t stride_a, const void *b, int64_t ldb, int64_t stride_b,
                   void *c, int64_t ldc, int64_t stride_c)
{
    int64_t size = (int64_t)element(), threads = omp_in_parallel() ? 1 : se_threads();
    bool share = threads > 1 && batch >= threads &&
                 (double)batch * (double)m * (double)n * (double)k >= 65536;
#pragma omp parallel for schedule(dynamic, 1) if (share)
    for (int64_t i = 0; i < batch; i++) {
        product p = product_of(ta, tb, m, n, k, (const char *)a + i * stride_a * size, lda,
                               (const char *)b + i * stride_b * size, ldb,
                               (char *)c + i * stride_c * size, ldc);
        run(&p);
    }
}

/* --- the machine's rate --- */
