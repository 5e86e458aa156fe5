/* The frame of a product on panels (panels.h), around the arithmetic of a kind of numbers. A file
 * that includes it has said before:
 *
 *   PER_WORD     how many k's stand in a word of 32 bits: 1 f32, 2 bf16 or int16, 4 int8
 *   SCALED       1: sums are integers, to be scaled by row and column at the end
 *   TARGET       attributes of functions that use more than the level's own instructions
 *   mac(sum, a, b)    sum + the products of the word at a with each word of b
 *   plus(x, y), finish(sum, row, column, bias)   sums added; SCALED: a float of a whole sum
 *   pack_a, pack_b    words of a, STEP from row to row; of b, COLUMNS from k to k
 *
 * Words are moved as floats, whatever they hold: moving changes no bit. */
#ifndef SE_PANELS_FRAME_H
#define SE_PANELS_FRAME_H

/* One tile: c = a b + start, where rows of start are start_step apart (0: one row for all; c's own:
 * c +=); start may be NULL. `ahead` is what will be read next: it is brought to the second-level
 * cache. row_scale (SCALED, NULL but for the last block of k), column_scale and bias as finish
 * wants them; bias may be NULL. */
typedef struct tile_args {
    int64_t k; /* in words */
    const float *a, *b, *start, *ahead, *row_scale, *column_scale, *bias;
    float *c;
    int64_t rs_c, start_step;
} tile_args;

/* rows is a constant where this is inlined, so that all sums are registers. */
TARGET static inline __attribute__((always_inline)) void tile(const int rows, const tile_args *t)
{
    se_vec sum[ROWS][2];
    const float *a = t->a, *b = t->b, *ahead = t->ahead;
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = se_vec_of(0);
    for (int64_t p = t->k; p > 0; p--, a++, b += COLUMNS, ahead += COLUMNS) {
        se_vec left = VLOAD(b), right = VLOAD(b + SE_LANES);
        __builtin_prefetch(ahead, 0, 2);
        if (COLUMNS * sizeof *ahead > 64)
            __builtin_prefetch(ahead + SE_LANES, 0, 2);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            sum[r][0] = mac(sum[r][0], a + r * STEP, left);
            sum[r][1] = mac(sum[r][1], a + r * STEP, right);
        }
    }
    const float *start = t->start;
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        for (int h = 0; h < 2; h++) {
            se_vec x = sum[r][h];
            if (start)
                x = plus(x, VLOAD(start + r * t->start_step + h * SE_LANES));
            if (SCALED && t->row_scale) {
                x = finish(x, t->row_scale[r], VLOAD(t->column_scale + h * SE_LANES));
                if (t->bias)
                    x += VLOAD(t->bias + h * SE_LANES);
            }
            VSTORE(t->c + r * t->rs_c + h * SE_LANES, x);
        }
}

#define TILE(rows)                                                                                 \
    TARGET static void tile_##rows(const tile_args *t)                                             \
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
    float whole[ROWS * COLUMNS], start[ROWS * COLUMNS] = {0}, bias[COLUMNS] = {0};
    size_t bytes = (size_t)columns * sizeof *whole;
    tile_args w = *t;
    w.c = whole;
    w.rs_c = w.start_step = COLUMNS;
    for (int64_t r = 0; t->start && r < rows; r++)
        memcpy(start + r * COLUMNS, t->start + r * t->start_step, bytes);
    w.start = t->start ? start : NULL;
    if (t->bias) {
        memcpy(bias, t->bias, bytes);
        w.bias = bias;
    }
    tiles[rows](&w);
    for (int64_t r = 0; r < rows; r++)
        memcpy(t->c + r * t->rs_c, whole + r * COLUMNS, bytes);
}

/* --- a task --- */

/* A block of k for rows [i0, i1), at most TALL, and one panel. t: the block's a and b; row_scale of
 * row i0 where this is the last block of scaled sums. first: nothing has been added up in c. */
static void panel_rows(const se_product *p, int64_t i0, int64_t i1, int64_t j, int64_t j1,
                       bool first, tile_args t)
{
    const float *a = t.a, *begin = SCALED ? p->start : p->bias, *ahead = t.ahead;
    const float *row_scale = t.row_scale;
    float *c = (float *)p->c + j;
    int64_t wide = j1 - j < COLUMNS ? j1 - j : COLUMNS;
    bool again = !first || p->add;
    t.rs_c = p->rs_c;
    t.start_step = again ? p->rs_c : 0;
    t.bias = SCALED && p->bias ? (const float *)p->bias + j : NULL;
    t.column_scale = SCALED ? p->column_scale + j : NULL;
    for (int64_t i = i0, rows; i < i1; i += rows) {
        int64_t left = i1 - i, pieces = (left + ROWS - 1) / ROWS;
        rows = (left + pieces - 1) / pieces;
        t.a = a + (i - i0) * STEP;
        t.c = c + i * p->rs_c;
        t.start = again ? t.c : (begin ? begin + j : NULL);
        t.row_scale = row_scale ? row_scale + (i - i0) : NULL;
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
    int64_t k = words(p->k), most = depth(p->k);
    for (int64_t p0 = 0; p0 < k; p0 += most) {
        int64_t deep = k - p0 < most ? k - p0 : most, apart = deep * COLUMNS;
        bool last = p0 + deep == k;
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
                t.row_scale = SCALED && last ? p->row_scale + i : NULL;
                panel_rows(p, i, end, j, j1, p0 == 0, t);
            }
        }
    }
}

/* The fields of se_panels that all kernels give alike. */
#define PANELS_FRAME                                                                               \
    .rows = ROWS, .columns = COLUMNS, .chunk = CHUNK, .per_word = PER_WORD, .scratch = SCRATCH,    \
    .pack = pack, .run = run

#endif
