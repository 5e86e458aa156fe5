/* Attention over packed texts, one (text, head) pair at a time on one thread, so that a text's bits
 * depend on the text alone. Texts are short (16 tokens on average), so the products are done here
 * on packed tiles rather than by gemm.c, whose set-up costs more than they do. */
#include "kernels/attention.h"
#include "kernels/lanes.h"
#include "kernels/threefry.h"
#include "kernels/vmath.h"

enum { PANEL = 2 * SE_LANES, TILE_ROWS = 6, QUERIES = SE_ATTENTION_QUERIES };

/* A matrix that a product broadcasts from: element (i, j) is at p[i * row + j * col]. */
typedef struct strided {
    const real *p;
    int64_t row, col;
} strided;

/* Packs b[k, n] into panels of PANEL columns, zeros after the last column. */
static void pack(real *panels, strided b, int64_t k, int64_t n)
{
    for (int64_t from = 0; from < n; from += PANEL) {
        int64_t width = n - from < PANEL ? n - from : PANEL;
        real *to = panels + from * k;
        if (width < PANEL)
            memset(to, 0, (size_t)(k * PANEL) * sizeof(real));
        if (b.col == 1) {
            for (int64_t i = 0; i < k; i++)
                memcpy(to + i * PANEL, b.p + i * b.row + from, (size_t)width * sizeof(real));
        } else {
            for (int64_t j = 0; j < width; j++) {
                const real *column = b.p + (from + j) * b.col;
                for (int64_t i = 0; i < k; i++)
                    to[i * PANEL + j] = column[i * b.row];
            }
        }
    }
}

/* c[rows, vecs * SE_LANES] (+)= a b for one panel; rows and vecs are constants where it is inlined.
 */
static inline __attribute__((always_inline)) void tile(const int rows, const int vecs, int64_t k,
                                                       strided a, const real *b, real *c,
                                                       int64_t ldc, bool add)
{
    se_vec sum[TILE_ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++)
            sum[r][v] = add ? VLOAD(c + r * ldc + v * SE_LANES) : se_vec_of(0);
    for (int64_t i = 0; i < k; i++) {
        se_vec left = VLOAD(b + i * PANEL), right = left;
        if (vecs == 2)
            right = VLOAD(b + i * PANEL + SE_LANES);
        for (int r = 0; r < rows; r++) {
            se_vec x = se_vec_of(a.p[r * a.row + i * a.col]);
            sum[r][0] = VFMA(x, left, sum[r][0]);
            if (vecs == 2)
                sum[r][1] = VFMA(x, right, sum[r][1]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++)
            VSTORE(c + r * ldc + v * SE_LANES, sum[r][v]);
}

#define TILE_CASE(rows)                                                                            \
    case rows:                                                                                     \
        if (two)                                                                                   \
            tile(rows, 2, k, a, b, c, ldc, add);                                                   \
        else                                                                                       \
            tile(rows, 1, k, a, b, c, ldc, add);                                                   \
        break

static void tile_of(int64_t rows, bool two, int64_t k, strided a, const real *b, real *c,
                    int64_t ldc, bool add)
{
    switch (rows) {
        TILE_CASE(1);
        TILE_CASE(2);
        TILE_CASE(3);
        TILE_CASE(4);
        TILE_CASE(5);
    default:
        if (two)
            tile(6, 2, k, a, b, c, ldc, add);
        else
            tile(6, 1, k, a, b, c, ldc, add);
    }
}

/* c[m, n] = a[m, k] b, or c += a b; b is packed, rows of c are padded. Each element is one sum over
 * k in order, whatever m and n are. */
static void product(int64_t m, int64_t n, int64_t k, strided a, const real *b, real *c, int64_t ldc,
                    bool add)
{
    for (int64_t from = 0; from < n; from += PANEL) {
        bool two = n - from > SE_LANES;
        for (int64_t i = 0; i < m; i += TILE_ROWS) {
            strided rows = {a.p + i * a.row, a.row, a.col};
            tile_of(m - i, two, k, rows, b + from * k, c + i * ldc + from, ldc, add);
        }
    }
}

/* What the two kernels share: the shape, the inputs and this thread's tiles. */
typedef struct work {
    int64_t heads, d, longest, stride; /* stride: elements from one token to the next */
    int64_t keys, wide;                /* padded length of a text, padded d */
    real scale;
    const real *q, *k, *v, *dy, *bias;
    const int32_t *starts, *who; /* who: NULL without dropout */
    bool causal, matrix;         /* matrix: the bias is [heads, longest, longest] */
    se_drop drop;
    real *k_turned, *v_turned, *k_rows, *v_rows, *q_rows, *dy_rows, *narrow;
    real *p, *factor, *dp, *dk, *dv, *bias_row;
} work;

static real *carve(real **from, int64_t n)
{
    real *p = *from;
    *from += n;
    return p;
}

/* The texts' lengths and this thread's part of scratch, which is `tiles` elements. */
static void set_tiles(work *w, real *at, bool backward)
{
    w->keys = se_attention_padded(w->longest);
    w->wide = se_attention_padded(w->d);
    w->k_turned = carve(&at, w->d * w->keys);
    w->narrow = carve(&at, QUERIES * w->wide);
    w->p = carve(&at, QUERIES * w->keys);
    w->factor = carve(&at, QUERIES * w->keys);
    w->bias_row = carve(&at, se_attention_padded(2 * w->longest));
    if (!backward) {
        w->v_rows = carve(&at, w->longest * w->wide);
        return;
    }
    w->v_turned = carve(&at, w->d * w->keys);
    w->k_rows = carve(&at, w->longest * w->wide);
    w->q_rows = carve(&at, QUERIES * w->wide);
    w->dy_rows = carve(&at, QUERIES * w->wide);
    w->dp = carve(&at, QUERIES * w->keys);
    w->dk = carve(&at, w->longest * w->wide);
    w->dv = carve(&at, w->longest * w->wide);
}

static void set_shape(work *w, const se_type *q, const se_type *bias, const se_attr *attr)
{
    w->heads = attr[0].i;
    w->longest = attr[1].i;
    w->stride = q->dim[1];
    w->d = w->stride / w->heads;
    w->scale = (real)(1.0 / sqrt((double)w->d));
    w->causal = attr[4].i;
    w->matrix = w->bias && bias->rank == 3;
}

static void set_dropout(work *w, const int32_t *key, const int32_t *who, const se_attr *attr)
{
    if (key && attr[2].f > 0) {
        w->who = who;
        w->drop = se_drop_make(key, attr[3].i, attr[2].f);
    }
}

/* The bias of one head for a text of n tokens: bias_row[key - query + n - 1]. */
static void gather_bias(const work *w, int64_t head, int64_t n)
{
    if (!w->bias || w->matrix)
        return;
    const real *from = w->bias + (w->longest - n) * w->heads + head;
    for (int64_t i = 0; i < 2 * n - 1; i++)
        w->bias_row[i] = from[i * w->heads];
}

/* The bias of one query to keys 0, 1, ..; NULL without one. */
static const real *bias_of(const work *w, int64_t head, int64_t query, int64_t n)
{
    if (w->matrix)
        return w->bias + (head * w->longest + query) * w->longest;
    return w->bias ? w->bias_row + n - 1 - query : NULL;
}

/* A row of scores becomes probabilities: n keys, of which the first `seen` count; zeros up to the
 * vector width. */
static void softmax_row(const work *w, real *p, const real *bias, int64_t n, int64_t seen)
{
    int64_t padded = (n + SE_LANES - 1) / SE_LANES * SE_LANES;
    if (bias)
        for (int64_t j = 0; j < seen; j++)
            p[j] = FMA(p[j], w->scale, bias[j]);
    else
        for (int64_t j = 0; j < seen; j++)
            p[j] *= w->scale;
    for (int64_t j = seen; j < padded; j++)
        p[j] = (real)-1e30;
    real top = se_row_max(p, padded);
    for (int64_t j = 0; j < padded; j++)
        p[j] = se_exp(p[j] - top);
    real share = (real)1 / se_row_sum(p, padded);
    for (int64_t j = 0; j < padded; j++)
        p[j] *= share;
}

/* p = probabilities of queries [from, from + m) of a text of n tokens, and the dropout factors. */
static void probabilities(const work *w, int64_t text, int64_t head, int64_t n, int64_t from,
                          int64_t m)
{
    const real *q = w->q + (w->starts[text] + from) * w->stride + head * w->d;
    product(m, n, w->d, (strided){q, w->stride, 1}, w->k_turned, w->p, w->keys, false);
    for (int64_t i = 0; i < m; i++) {
        const real *bias = bias_of(w, head, from + i, n);
        softmax_row(w, w->p + i * w->keys, bias, n, w->causal ? from + i + 1 : n);
    }
    for (int64_t i = 0; w->who && i < m; i++) {
        se_words row = se_threefry(w->drop.key, (uint32_t)w->who[text], (uint32_t)(from + i));
        se_drop_factors(w->drop, row, (uint32_t)head + 1, 0, n, w->factor + i * w->keys);
    }
}

/* to[m, d] of a packed tensor = scale * tile. */
static void put_rows(const work *w, real *to, const real *tile_rows, int64_t m, real scale)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = 0; c < w->d; c++)
            to[i * w->stride + c] = tile_rows[i * w->wide + c] * scale;
}

static void forward_pair(const work *w, int64_t text, int64_t head, real *out)
{
    int64_t first = w->starts[text], n = w->starts[text + 1] - first;
    int64_t at = first * w->stride + head * w->d;
    pack(w->k_turned, (strided){w->k + at, 1, w->stride}, w->d, n);
    pack(w->v_rows, (strided){w->v + at, w->stride, 1}, n, w->d);
    gather_bias(w, head, n);
    for (int64_t from = 0; from < n; from += QUERIES) {
        int64_t m = n - from < QUERIES ? n - from : QUERIES;
        probabilities(w, text, head, n, from, m);
        for (int64_t i = 0; w->who && i < m; i++) {
            real *p = w->p + i * w->keys, *factor = w->factor + i * w->keys;
            for (int64_t j = 0; j < n; j++)
                p[j] *= factor[j];
        }
        product(m, w->d, n, (strided){w->p, w->keys, 1}, w->v_rows, w->narrow, w->wide, false);
        put_rows(w, out + at + from * w->stride, w->narrow, m, 1);
    }
}

/* q k v starts bias? key? who? */
SE_ROWS(attention)
{
    (void)lo;
    (void)hi;
    work shared = {
        .q = SE_IN(0), .k = SE_IN(1), .v = SE_IN(2), .starts = SE_IN(3), .bias = SE_IN(4)};
    set_shape(&shared, &t->in_type[0], &t->in_type[4], t->attr);
    set_dropout(&shared, SE_IN(5), SE_IN(6), t->attr);
    int64_t texts = t->in_type[3].dim[0] - 1, used = shared.starts[texts] * shared.stride;
    real *out = SE_OUT(0);
#pragma omp parallel num_threads(se_threads())
    {
        work w = shared;
        set_tiles(&w, se_scratch(t), false);
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < texts * w.heads; i++)
            forward_pair(&w, i / w.heads, i % w.heads, out);
    }
    memset(out + used, 0, (size_t)(se_type_count(&t->out_type[0]) - used) * sizeof(real));
}

/* From p, factor and dp = dy v^T: factor = dropped probabilities, dp = gradient of the scores. */
static void backward_row(const work *w, int64_t row, int64_t n)
{
    real *p = w->p + row * w->keys, *dp = w->dp + row * w->keys;
    real *factor = w->factor + row * w->keys;
    if (w->who) {
        for (int64_t j = 0; j < n; j++) {
            dp[j] *= factor[j];
            factor[j] *= p[j];
        }
    } else {
        memcpy(factor, p, (size_t)n * sizeof(real));
    }
    real mean = se_row_dot(p, dp, n);
    for (int64_t j = 0; j < n; j++)
        dp[j] = p[j] * (dp[j] - mean);
}

typedef struct gradients {
    real *dq, *dk, *dv;
    real *dbias; /* of this head and group, by distance or by query and key; added to */
} gradients;

/* Queries [from, from + m): dq of theirs, their part of dk, dv and dbias. */
static void backward_block(const work *w, int64_t text, int64_t head, int64_t n, int64_t from,
                           int64_t m, gradients g)
{
    int64_t at = (w->starts[text] + from) * w->stride + head * w->d;
    strided q = {w->q + at, w->stride, 1}, dy = {w->dy + at, w->stride, 1};
    pack(w->q_rows, q, m, w->d);
    pack(w->dy_rows, dy, m, w->d);
    probabilities(w, text, head, n, from, m);
    product(m, n, w->d, dy, w->v_turned, w->dp, w->keys, false);
    for (int64_t i = 0; i < m; i++)
        backward_row(w, i, n);
    product(n, w->d, m, (strided){w->factor, 1, w->keys}, w->dy_rows, w->dv, w->wide, from > 0);
    product(n, w->d, m, (strided){w->dp, 1, w->keys}, w->q_rows, w->dk, w->wide, from > 0);
    product(m, w->d, n, (strided){w->dp, w->keys, 1}, w->k_rows, w->narrow, w->wide, false);
    put_rows(w, g.dq + at, w->narrow, m, w->scale);
    for (int64_t i = 0; w->bias && i < m; i++) {
        int64_t row = w->matrix ? (from + i) * w->longest : w->longest - 1 - (from + i);
        real *to = g.dbias + row, *dp = w->dp + i * w->keys;
        for (int64_t j = 0; j < n; j++)
            to[j] += dp[j];
    }
}

static void backward_pair(const work *w, int64_t text, int64_t head, gradients g)
{
    int64_t first = w->starts[text], n = w->starts[text + 1] - first;
    int64_t at = first * w->stride + head * w->d;
    pack(w->k_turned, (strided){w->k + at, 1, w->stride}, w->d, n);
    pack(w->v_turned, (strided){w->v + at, 1, w->stride}, w->d, n);
    pack(w->k_rows, (strided){w->k + at, w->stride, 1}, n, w->d);
    gather_bias(w, head, n);
    for (int64_t from = 0; from < n; from += QUERIES) {
        int64_t m = n - from < QUERIES ? n - from : QUERIES;
        backward_block(w, text, head, n, from, m, g);
    }
    put_rows(w, g.dk + at, w->dk, n, w->scale);
    put_rows(w, g.dv + at, w->dv, n, 1);
}

/* dbias[distance, head] or [head, query, key] = sum of the groups' parts, in order. */
static void sum_groups(const work *w, int64_t groups, const real *part, real *dbias)
{
    int64_t wide = se_attention_cells(w->longest, w->matrix);
    int64_t by_cell = w->matrix ? 1 : w->heads, by_head = w->matrix ? wide : 1;
    for (int64_t i = 0; i < wide; i++) {
        for (int64_t h = 0; h < w->heads; h++) {
            real sum = 0;
            for (int64_t g = 0; w->bias && g < groups; g++)
                sum += part[(g * w->heads + h) * wide + i];
            dbias[i * by_cell + h * by_head] = sum;
        }
    }
}

/* q k v dy starts bias? key? who? -> dq dk dv dbias. One (group of texts, head) at a time: a
 * group's texts add to its part of dbias in order. */
SE_ROWS(attention_grad)
{
    (void)lo;
    (void)hi;
    work shared = {.q = SE_IN(0),
                   .k = SE_IN(1),
                   .v = SE_IN(2),
                   .dy = SE_IN(3),
                   .starts = SE_IN(4),
                   .bias = SE_IN(5)};
    set_shape(&shared, &t->in_type[0], &t->in_type[5], t->attr);
    set_dropout(&shared, SE_IN(6), SE_IN(7), t->attr);
    int64_t texts = t->in_type[4].dim[0] - 1, used = shared.starts[texts] * shared.stride;
    int64_t tiles = se_attention_tiles(shared.longest, shared.d, true);
    int64_t heads = shared.heads, wide = se_attention_cells(shared.longest, shared.matrix);
    int64_t groups = se_attention_groups(shared.longest, heads, shared.matrix);
    real *part = (real *)t->scratch + se_threads() * tiles;
#pragma omp parallel num_threads(se_threads())
    {
        work w = shared;
        set_tiles(&w, (real *)t->scratch + omp_get_thread_num() * tiles, true);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < groups * heads; i++) {
            int64_t group = i / heads, head = i % heads;
            gradients g = {SE_OUT(0), SE_OUT(1), SE_OUT(2), part + i * wide};
            memset(g.dbias, 0, (size_t)wide * sizeof(real));
            for (int64_t j = group * texts / groups; j < (group + 1) * texts / groups; j++)
                backward_pair(&w, j, head, g);
        }
    }
    for (int o = 0; o < 3; o++) {
        real *out = SE_OUT(o);
        memset(out + used, 0, (size_t)(se_type_count(&t->out_type[o]) - used) * sizeof(real));
    }
    sum_groups(&shared, groups, part, SE_OUT(3));
}
