/* The micro-kernel and the packing around it (panels.h). Compiled to nothing where BLIS's kernels
 * are used. */
#include "kernels/panels.h"
#include "kernels/lanes.h"

#if defined(SE_LEVEL_avx2) || defined(SE_LEVEL_avx512)

/* A tile of c lives in registers: 6 x 16 of 16 registers, 14 x 32 of 32. A block of b's panel
 * (DEEP x COLUMNS) and the tile's rows of a go through the first-level cache, a task's piece of b
 * (DEEP x CHUNK) and TALL rows of a stay in the second. */
enum {
    COLUMNS = 2 * SE_LANES,
#ifdef SE_LEVEL_avx512
    ROWS = 14,
    CHUNK = 12 * COLUMNS,
#else
    ROWS = 6,
    CHUNK = 12 * COLUMNS,
#endif
    DEEP = 384,
    STEP = DEEP + 16, /* from row to row of packed a: rows of one tile in different cache sets */
    TALL = 12 * ROWS
};

/* --- packing --- */

/* to[c * to_step + r] = from[r * step + c] for 8 rows and columns. */
static inline void turn_8(const float *from, int64_t step, float *to, int64_t to_step)
{
    __m256 x[8], y[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        x[i] = _mm256_loadu_ps(from + i * step);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
        x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
        x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
        x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * to_step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
    }
}

/* to[c * to_step + r] = from[r * step + c]. Eight rows at a time, so that no more than eight
 * streams of memory are read side by side. */
static void turn(const float *from, int64_t step, int64_t rows, int64_t columns, float *to,
                 int64_t to_step)
{
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        int64_t c = 0;
        for (; c + 8 <= columns; c += 8)
            turn_8(from + r * step + c, step, to + c * to_step + r, to_step);
        for (; c < columns; c++)
            for (int64_t i = r; i < r + 8; i++)
                to[c * to_step + i] = from[i * step + c];
    }
    for (; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * to_step + r] = from[r * step + c];
}

/* to[r * to_step + c] = from[r * step + c] */
static void copy(const float *from, int64_t step, int64_t rows, int64_t columns, float *to,
                 int64_t to_step)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + r * to_step, from + r * step, (size_t)columns * sizeof *to);
}

/* Rows [p0, p0 + deep) of columns [j0, j1) of b, zeros up to a whole panel; panels are `apart`
 * elements from each other. */
static void pack_b(const se_product *p, int64_t p0, int64_t deep, int64_t j0, int64_t j1, float *to,
                   int64_t apart)
{
    const float *b = p->b;
    for (int64_t j = j0; j < j1; j += COLUMNS, to += apart) {
        int64_t wide = j1 - j < COLUMNS ? j1 - j : COLUMNS;
        const float *from = b + p0 * p->rs_b + j * p->cs_b;
        if (wide < COLUMNS)
            memset(to, 0, (size_t)(deep * COLUMNS) * sizeof *to);
        if (p->cs_b == 1)
            copy(from, p->rs_b, deep, wide, to, COLUMNS);
        else
            turn(from, p->cs_b, wide, deep, to, COLUMNS);
    }
}

/* Rows [i0, i1) of a at [p0, p0 + deep), STEP elements from row to row. */
static void pack_a(const se_product *p, int64_t i0, int64_t i1, int64_t p0, int64_t deep, float *to)
{
    const float *from = (const float *)p->a + i0 * p->rs_a + p0 * p->cs_a;
    if (p->cs_a == 1)
        copy(from, p->rs_a, i1 - i0, deep, to, STEP);
    else
        turn(from, p->cs_a, deep, i1 - i0, to, STEP);
}

/* Blocks of k: as few as DEEP allows, as equal as can be. */
static int64_t depth(int64_t k)
{
    int64_t blocks = (k + DEEP - 1) / DEEP;
    return (k + blocks - 1) / blocks;
}

static void pack(const se_product *p, int64_t j0, int64_t j1, float *panels)
{
    int64_t k = p->k, deep = depth(k);
    for (int64_t j = j0; j < j1; j += COLUMNS)
        for (int64_t p0 = 0; p0 < k; p0 += deep) {
            int64_t last = j + COLUMNS < j1 ? j + COLUMNS : j1;
            pack_b(p, p0, k - p0 < deep ? k - p0 : deep, j, last, panels + j * k + p0 * COLUMNS, 0);
        }
}

/* --- a tile --- */

/* One tile: c = a b + start, where rows of start are start_step apart (0: a bias; c's own: c +=);
 * start may be NULL. `ahead` is what will be read next: it is brought to the second-level cache. */
typedef struct tile_args {
    int64_t k;
    const float *a, *b, *start, *ahead;
    float *c;
    int64_t rs_c, start_step;
} tile_args;

/* rows is a constant where this is inlined, so that all sums are registers. */
static inline __attribute__((always_inline)) void tile(const int rows, const tile_args *t)
{
    se_vec sum[ROWS][2];
    const float *a = t->a, *b = t->b, *ahead = t->ahead;
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = se_vec_of(0);
    for (int64_t p = t->k; p > 0; p--, a++, b += COLUMNS, ahead += COLUMNS) {
        se_vec left = VLOAD(b), right = VLOAD(b + SE_LANES);
        _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        if (COLUMNS * sizeof *ahead > 64)
            _mm_prefetch((const char *)(ahead + SE_LANES), _MM_HINT_T1);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            se_vec x = se_vec_of(a[r * STEP]);
            sum[r][0] = VFMA(x, left, sum[r][0]);
            sum[r][1] = VFMA(x, right, sum[r][1]);
        }
    }
    const float *start = t->start;
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        float *c = t->c + r * t->rs_c;
        if (start) {
            sum[r][0] += VLOAD(start + r * t->start_step);
            sum[r][1] += VLOAD(start + r * t->start_step + SE_LANES);
        }
        VSTORE(c, sum[r][0]);
        VSTORE(c + SE_LANES, sum[r][1]);
    }
}

#define TILE(rows)                                                                                 \
    static void tile_##rows(const tile_args *t)                                                    \
    {                                                                                              \
        tile(rows, t);                                                                             \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#ifdef SE_LEVEL_avx512
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)
TILE(13)
TILE(14)
#endif
static void (*const tiles[ROWS + 1])(const tile_args *) = {
    NULL,   tile_1, tile_2, tile_3,  tile_4,  tile_5,  tile_6,
#ifdef SE_LEVEL_avx512
    tile_7, tile_8, tile_9, tile_10, tile_11, tile_12, tile_13, tile_14,
#endif
};

/* A tile of fewer than COLUMNS columns goes through a whole one beside it. */
static void narrow_tile(int64_t rows, int64_t columns, const tile_args *t)
{
    float whole[ROWS * COLUMNS];
    tile_args w = *t;
    w.c = whole;
    w.rs_c = COLUMNS;
    w.start = NULL;
    tiles[rows](&w);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < columns; j++) {
            float x = whole[r * COLUMNS + j];
            t->c[r * t->rs_c + j] = t->start ? x + t->start[r * t->start_step + j] : x;
        }
}

/* --- a task --- */

/* Block [p0, p0 + deep) of k for rows [i0, i1), at most TALL, and one panel. */
static void panel_rows(const se_product *p, int64_t i0, int64_t i1, int64_t j, int64_t j1,
                       int64_t p0, tile_args t)
{
    const float *a = t.a, *bias = p->bias, *ahead = t.ahead;
    float *c = (float *)p->c + j;
    int64_t wide = j1 - j < COLUMNS ? j1 - j : COLUMNS;
    bool again = p0 > 0 || p->add;
    t.rs_c = p->rs_c;
    t.start_step = again ? p->rs_c : 0;
    for (int64_t i = i0, rows; i < i1; i += rows) {
        int64_t left = i1 - i, pieces = (left + ROWS - 1) / ROWS;
        rows = (left + pieces - 1) / pieces;
        t.a = a + (i - i0) * STEP;
        t.c = c + i * p->rs_c;
        t.start = again ? t.c : (bias ? bias + j : NULL);
        t.ahead = i == i0 ? ahead : t.b; /* once for each panel */
        if (wide == COLUMNS)
            tiles[rows](&t);
        else
            narrow_tile(rows, wide, &t);
    }
}

static void run(const se_product *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, void *scratch)
{
    float *a = scratch, *packed = a + TALL * STEP;
    int64_t k = p->k, most = depth(k);
    for (int64_t p0 = 0; p0 < k; p0 += most) {
        int64_t deep = k - p0 < most ? k - p0 : most, apart = deep * COLUMNS;
        const float *b = packed;
        if (p->panels) {
            b = (const float *)p->panels + j0 * k + p0 * COLUMNS;
            apart = k * COLUMNS;
        } else {
            pack_b(p, p0, deep, j0, j1, packed, apart);
        }
        for (int64_t i = i0; i < i1; i += TALL) {
            int64_t end = i + TALL < i1 ? i + TALL : i1;
            pack_a(p, i, end, p0, deep, a);
            for (int64_t j = j0; j < j1; j += COLUMNS) {
                const float *from = b + (j - j0) / COLUMNS * apart;
                tile_args t = {.k = deep, .a = a, .b = from, .ahead = from + apart};
                panel_rows(p, i, end, j, j1, p0, t);
            }
        }
    }
}

#define PANELS_(level) se_panels_##level
#define PANELS(level) PANELS_(level)
const se_panels PANELS(SE_LEVEL) = {
    .rows = ROWS,
    .columns = COLUMNS,
    .chunk = CHUNK,
    .scratch = sizeof(float) * (TALL * STEP + (size_t)DEEP * CHUNK),
    .pack = pack,
    .run = run,
};

#else
typedef int se_no_panels_here;
#endif
