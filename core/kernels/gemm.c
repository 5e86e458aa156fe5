#define _POSIX_C_SOURCE 200809L /* blis.h wants pthread_barrier_t */

#include "kernels/gemm.h"

#include "kernels/isa.h"
#include "kernels/panels.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <blis.h>

static size_t element(void)
{
    return se_real_is_f64() ? sizeof(double) : sizeof(float);
}

/* --- one thread --- */

/* BLIS, one thread, without the small-matrix paths, whose bits depend on the number of rows. */
static void blis(const se_product *p)
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
    static void small_##T(const se_product *p)                                                     \
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

static void one_thread(const se_product *p, bool small)
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

static se_product piece_of(const se_product *p, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    se_product q = *p;
    int64_t size = (int64_t)element();
    q.m = m1 - m0;
    q.n = n1 - n0;
    q.a = (const char *)p->a + m0 * p->rs_a * size;
    q.b = (const char *)p->b + n0 * p->cs_b * size;
    q.c = (char *)p->c + (m0 * p->rs_c + n0) * size;
    return q;
}

/* Rows are set to what the product is added to. */
static void start_rows(const se_product *p)
{
    size_t bytes = (size_t)p->n * element();
#pragma omp parallel for schedule(static) if (p->m * p->n > 65536 && !omp_in_parallel())
    for (int64_t i = 0; i < p->m; i++) {
        char *row = (char *)p->c + (size_t)(i * p->rs_c) * element();
        if (p->bias)
            memcpy(row, p->bias, bytes);
        else
            memset(row, 0, bytes);
    }
}

static void run_blis(const se_product *p, int threads)
{
    bool small = is_small(p->n, p->k);
    if (threads == 1) {
        one_thread(p, small);
        return;
    }
    tile unit = micro_tile();
    int rows = small ? threads : row_pieces(p->m, p->n, threads, unit), columns = threads / rows;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < threads; i++) {
        int r = i / columns, s = i % columns;
        se_product q = piece_of(p, cut(p->m, unit.m, r, rows), cut(p->m, unit.m, r + 1, rows),
                                cut(p->n, unit.n, s, columns), cut(p->n, unit.n, s + 1, columns));
        if (q.m > 0 && q.n > 0)
            one_thread(&q, small);
    }
}

/* --- products on panels --- */

/* The kernel of our own for the level in use; NULL: BLIS's, of f32. */
static const se_panels *own_kernel(se_precision as)
{
#ifdef SE_X86
    if (as == SE_PRECISION_INT8 && se_isa_vnni())
        return &se_panels_int8_avx512;
    if (as == SE_PRECISION_INT8 && se_isa_level() >= SE_LEVEL_AVX2)
        return &se_panels_int8_avx2;
    if (as == SE_PRECISION_BF16)
        return se_isa_bf16() ? &se_panels_bf16 : NULL;
    if (se_isa_level() == SE_LEVEL_AVX2)
        return &se_panels_avx2;
    if (se_isa_level() == SE_LEVEL_AVX512)
        return &se_panels_avx512;
#endif
    return as == SE_PRECISION_INT8 ? &se_panels_int8_portable : NULL;
}

static pthread_key_t scratch_key;
static void make_scratch_key(void)
{
    pthread_key_create(&scratch_key, free);
}

/* This thread's scratch memory, kept for its life. */
static void *scratch(size_t bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    enum { PAGE = 2 << 20 }; /* all of it in one large page; of all kernels the same */
    pthread_once(&once, make_scratch_key);
    void *p = pthread_getspecific(scratch_key);
    if (!p) {
        p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
        if (!p)
            SE_BUG("no memory for the scratch of a matrix product");
        pthread_setspecific(scratch_key, p);
    }
    return p;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pieces(int64_t size, int64_t each)
{
    return (size + each - 1) / each;
}

/* Tasks of equal size, some for each thread so that one that is held up holds up little; columns
 * are cut first, because rows that are cut have b packed again. */
static void run_panels(const se_product *p, const se_panels *u, int threads)
{
    int64_t panels = pieces(p->n, u->columns), wanted = threads == 1 ? 1 : 2 * threads;
    int64_t wide = smaller(pieces(panels, wanted) * u->columns, u->chunk);
    int64_t columns = pieces(p->n, wide), rows = columns >= wanted ? 1 : pieces(wanted, columns);
    int64_t tall = pieces(pieces(p->m, rows), 4 * u->rows) * 4 * u->rows;
    rows = pieces(p->m, tall);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < rows * columns; i++) {
        int64_t i0 = i / columns * tall, j0 = i % columns * wide;
        u->run(p, i0, smaller(i0 + tall, p->m), j0, smaller(j0 + wide, p->n), scratch(u->scratch));
    }
}

int64_t se_gemm_panels_bytes(se_precision as, int64_t n, int64_t k)
{
    const se_panels *u = own_kernel(as);
    if (!u || n <= 0 || k <= 0 || (as != SE_PRECISION_INT8 && is_small(n, k)))
        return 0;
    int64_t words = pieces(k, u->per_word) + u->extra;
    return pieces(n, u->columns) * u->columns * words * (int64_t)sizeof(float);
}

void se_gemm_pack(se_precision as, int64_t n, int64_t k, const void *w, void *panels)
{
    const se_panels *u = own_kernel(as);
    se_product p = {.n = n, .k = k, .b = w, .rs_b = 1, .cs_b = k};
#pragma omp parallel for schedule(dynamic, 1) if (!omp_in_parallel())
    for (int64_t j = 0; j < n; j += u->columns)
        u->pack(&p, j, smaller(j + u->columns, n), panels);
}

/* --- all products --- */

static void run_as(se_precision as, const se_product *p)
{
    const se_panels *u = is_small(p->n, p->k) ? NULL : own_kernel(as);
    bool alone = omp_in_parallel() || (double)p->m * (double)p->n * (double)p->k < 65536;
    int threads = alone ? 1 : se_threads();
    if (p->k > 0 && u) {
        run_panels(p, u, threads);
        return;
    }
    se_product q = *p;
    if (p->bias || (p->k <= 0 && !p->add)) {
        start_rows(p);
        q.add = true;
    }
    if (p->k > 0)
        run_blis(&q, threads);
}

/* x rounded to the nearest bf16, of two the even one, as the instructions do it: denormal numbers
 * to zero. */
static float round_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7f800000) == 0)
        bits &= 0x80000000;
    else if ((bits & 0x7fffffff) > 0x7f800000)
        bits |= 0x400000; /* a nan stays one */
    else
        bits += 0x7fff + (bits >> 16 & 1);
    bits &= 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A copy of `rows` rows of `columns` elements, rounded; the caller frees it. */
static float *rounded(const float *x, int64_t rows, int64_t columns, int64_t step)
{
    float *y = malloc((size_t)(rows * columns) * sizeof *y);
    if (!y)
        SE_BUG("no memory for the copies of a matrix product");
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[i * columns + j] = round_bf16(x[i * step + j]);
    return y;
}

/* Where there is no kernel for bf16: the product of rounded copies. */
static void run_rounded(const se_product *p)
{
    bool ta = p->cs_a != 1, tb = p->cs_b != 1;
    se_product q = *p;
    float *a = rounded(p->a, ta ? p->k : p->m, ta ? p->m : p->k, ta ? p->cs_a : p->rs_a);
    float *b = rounded(p->b, tb ? p->n : p->k, tb ? p->k : p->n, tb ? p->cs_b : p->rs_b);
    q.a = a;
    q.b = b;
    *(ta ? &q.cs_a : &q.rs_a) = ta ? p->m : p->k;
    *(tb ? &q.cs_b : &q.rs_b) = tb ? p->k : p->n;
    run_as(SE_PRECISION_F32, &q);
    free(a);
    free(b);
}

static void run(se_precision as, const se_product *p)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    bool low = as == SE_PRECISION_BF16 && p->k > 0 && !se_real_is_f64();
    if (low && (is_small(p->n, p->k) || !own_kernel(as)))
        run_rounded(p);
    else
        run_as(low ? as : SE_PRECISION_F32, p);
}

static se_product product_of(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
                             int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc)
{
    return (se_product){.m = m,
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

void se_gemm(se_precision as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
             int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc)
{
    se_product p = product_of(ta, tb, m, n, k, a, lda, b, ldb, c, ldc);
    run(as, &p);
}

void se_gemm_add(se_precision as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a,
                 int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc)
{
    se_product p = product_of(ta, tb, m, n, k, a, lda, b, ldb, c, ldc);
    p.add = true;
    run(as, &p);
}

void se_gemm_linear(se_precision as, int64_t m, int64_t n, int64_t k, const void *a, const void *w,
                    const void *panels, const void *bias, void *c)
{
    se_product p = product_of(false, true, m, n, k, a, k, w, k, c, n);
    p.panels = panels;
    p.bias = bias;
    run(as, &p);
}

/* --- int8 --- */

int64_t se_gemm_int8_bytes(int64_t m, int64_t k)
{
    const se_panels *u = own_kernel(SE_PRECISION_INT8);
    return m * (pieces(k, u->per_word) + 1) * (int64_t)sizeof(float);
}

/* Rows of a as words, with their scales behind them. */
static void round_rows(const se_panels *u, int64_t m, int64_t k, const float *a, float *to)
{
    enum { AT_ONCE = 8 };
    int64_t words = pieces(k, u->per_word);
#pragma omp parallel for schedule(static) if (m * k > 65536 && !omp_in_parallel())
    for (int64_t i = 0; i < m; i += AT_ONCE)
        u->round_rows(smaller(AT_ONCE, m - i), k, a + i * k, to + i * words, to + m * words + i);
}

void se_gemm_int8(int64_t m, int64_t n, int64_t k, const float *a, const float *w,
                  const void *panels, const float *bias, float *c, void *room)
{
    if (m <= 0 || n <= 0)
        return;
    const se_panels *u = own_kernel(SE_PRECISION_INT8);
    int64_t words = pieces(k, u->per_word), all = pieces(n, u->columns) * u->columns;
    se_product p = product_of(false, true, m, n, k, room, words, w, k, c, n);
    p.bias = bias;
    for (int64_t i = 0; k <= 0 && i < m * n; i++)
        c[i] = bias ? bias[i % n] : 0;
    if (k <= 0)
        return;
    void *own = NULL;
    if (!panels) {
        int64_t bytes = se_gemm_panels_bytes(SE_PRECISION_INT8, n, k);
        if (!(own = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64)))
            SE_BUG("no memory for the weights of a matrix product");
        se_gemm_pack(SE_PRECISION_INT8, n, k, w, own);
        panels = own;
    }
    round_rows(u, m, k, a, room);
    p.panels = panels;
    p.row_scale = (const float *)room + m * words;
    p.start = (const float *)panels + all * words;
    p.column_scale = p.start + all;
    bool alone = omp_in_parallel() || (double)m * (double)n * (double)k < 65536;
    run_panels(&p, u, alone ? 1 : se_threads());
    free(own);
}

void se_gemm_batch(se_precision as, int64_t batch, bool ta, bool tb, int64_t m, int64_t n,
                   int64_t k, const void *a, int64_t lda, int64_t stride_a, const void *b,
                   int64_t ldb, int64_t stride_b, void *c, int64_t ldc, int64_t stride_c)
{
    int64_t size = (int64_t)element(), threads = omp_in_parallel() ? 1 : se_threads();
    bool share = threads > 1 && batch >= threads &&
                 (double)batch * (double)m * (double)n * (double)k >= 65536;
#pragma omp parallel for schedule(dynamic, 1) if (share)
    for (int64_t i = 0; i < batch; i++) {
        se_product p = product_of(ta, tb, m, n, k, (const char *)a + i * stride_a * size, lda,
                                  (const char *)b + i * stride_b * size, ldb,
                                  (char *)c + i * stride_c * size, ldc);
        run(as, &p);
    }
}
