/* Moving elements of any size: strided views made contiguous, concatenation, padding. */
#include "kernels/shape.h"
#include "kernels/kernel.h"
#include <string.h>

enum { TILE = 32, PARALLEL = 16384 };

static size_t size_of(const se_type *t)
{
    static const size_t size[SE_DTYPES] = {sizeof(real), 2, 4, 1};
    return size[t->dtype];
}

/* --- strided view -> contiguous --- */

/* Sizes and steps (in elements of the source) of the output's axes; axis 0 is the innermost. */
typedef struct view {
    int rank;
    int64_t dim[SE_MAX_RANK], step[SE_MAX_RANK], count;
} view;

static void view_add(view *v, int64_t dim, int64_t step)
{
    int last = v->rank - 1;
    if (dim == 1)
        return;
    if (v->rank && v->step[last] * v->dim[last] == step) {
        v->dim[last] *= dim;
        return;
    }
    v->dim[v->rank] = dim;
    v->step[v->rank++] = step;
}

/* Elements of a row of the source with a fixed step, to neighbours. */
static void copy_row(size_t size, int64_t n, char *o, const char *x, int64_t step)
{
    if (step == 1) {
        memcpy(o, x, (size_t)n * size);
    } else if (size == 4) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)o)[i] = ((const uint32_t *)(const void *)x)[i * step];
    } else if (size == 8) {
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)o)[i] = ((const uint64_t *)(const void *)x)[i * step];
    } else if (size == 2) {
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)(void *)o)[i] = ((const uint16_t *)(const void *)x)[i * step];
    } else {
        for (int64_t i = 0; i < n; i++)
            o[i] = x[i * step];
    }
}

/* Where item i of axes [from, rank), but not `but`, begins in the source; the same in the output.
 */
static int64_t place(const view *v, int from, int but, int64_t i, int64_t *to)
{
    int64_t at = 0, size = 1;
    *to = 0;
    for (int k = 0; k < v->rank; k++) {
        if (k >= from && k != but) {
            at += i % v->dim[k] * v->step[k];
            *to += i % v->dim[k] * size;
            i /= v->dim[k];
        }
        size *= v->dim[k];
    }
    return at;
}

static void copy_by_rows(const view *v, size_t size, char *o, const char *x)
{
    int64_t n = v->dim[0], rows = v->count / n, most = PARALLEL / (int64_t)size;
    int64_t cut = n > 4 * most ? (n + most - 1) / most : 1, piece = (n + cut - 1) / cut;
#pragma omp parallel for schedule(static) if (v->count > PARALLEL)
    for (int64_t job = 0; job < rows * cut; job++) {
        int64_t to, at = place(v, 1, -1, job / cut, &to), from = job % cut * piece;
        int64_t m = n - from < piece ? n - from : piece;
        if (m > 0)
            copy_row(size, m, o + (size_t)(to + from) * size,
                     x + (size_t)(at + from * v->step[0]) * size, v->step[0]);
    }
}

/* One tile, x [n, m] with rows `from` apart to o [m, n] with rows `to` apart, by way of a buffer:
 * rows a power of two apart share few cache sets, and would drive each other out. */
#define TURN(T)                                                                                    \
    static void turn_##T(int64_t n, int64_t m, T *o, int64_t to, const T *x, int64_t from)         \
    {                                                                                              \
        T tile[TILE][TILE + 1];                                                                    \
        for (int64_t i = 0; i < n; i++)                                                            \
            for (int64_t j = 0; j < m; j++)                                                        \
                tile[j][i] = x[i * from + j];                                                      \
        for (int64_t j = 0; j < m; j++)                                                            \
            memcpy(o + j * to, tile[j], sizeof(T) * (size_t)n);                                    \
    }
TURN(uint8_t)
TURN(uint16_t)
TURN(uint32_t)
TURN(uint64_t)

/* A transposition: axis `near` of the output is the innermost of the source. Done in square tiles
 * so that both sides use whole cache lines. */
static void copy_by_tiles(const view *v, int near, size_t size, char *o, const char *x)
{
    int64_t n = v->dim[0], m = v->dim[near], across = 1;
    for (int k = 0; k < near; k++)
        across *= v->dim[k]; /* from one item of axis `near` to the next, in the output */
    int64_t tiles_n = (n + TILE - 1) / TILE, tiles_m = (m + TILE - 1) / TILE;
    int64_t outer = v->count / n / m, step = v->step[0];
#pragma omp parallel for schedule(static) if (v->count > PARALLEL)
    for (int64_t job = 0; job < outer * tiles_m * tiles_n; job++) {
        int64_t to, at = place(v, 1, near, job / (tiles_n * tiles_m), &to);
        int64_t i0 = job % tiles_n * TILE, j0 = job / tiles_n % tiles_m * TILE;
        int64_t wide = n - i0 < TILE ? n - i0 : TILE, high = m - j0 < TILE ? m - j0 : TILE;
        void *p = o + (size_t)(to + j0 * across + i0) * size;
        const void *q = x + (size_t)(at + j0 + i0 * step) * size;
        if (size == 4)
            turn_uint32_t(wide, high, p, across, q, step);
        else if (size == 8)
            turn_uint64_t(wide, high, p, across, q, step);
        else if (size == 2)
            turn_uint16_t(wide, high, p, across, q, step);
        else
            turn_uint8_t(wide, high, p, across, q, step);
    }
}

static void copy_view(const view *v, size_t size, char *o, const char *x)
{
    if (v->count <= 1) {
        memcpy(o, x, v->count ? size : 0);
        return;
    }
    int near = -1;
    for (int k = 1; k < v->rank; k++)
        if (v->step[k] == 1 && v->step[0] > 1 && v->dim[k] > 1)
            near = k;
    if (near > 0)
        copy_by_tiles(v, near, size, o, x);
    else
        copy_by_rows(v, size, o, x);
}

/* Steps of a contiguous tensor, axis 0 the outermost. */
static void steps_of(const se_type *t, int64_t *step)
{
    int64_t size = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        step[i] = size;
        size *= t->dim[i];
    }
}

SE_ROWS(permute)
{
    const se_type *x = &t->in_type[0];
    int64_t step[SE_MAX_RANK];
    steps_of(x, step);
    view v = {.count = se_type_count(x)};
    for (int i = x->rank - 1; i >= 0; i--) {
        int64_t from = t->attr[0].list[i];
        from += from < 0 ? x->rank : 0;
        view_add(&v, x->dim[from], step[from]);
    }
    (void)lo;
    (void)hi;
    copy_view(&v, size_of(x), SE_OUT(0), SE_IN(0));
}

SE_ROWS(transpose)
{
    const se_type *x = &t->in_type[0];
    int64_t step[SE_MAX_RANK];
    int r = x->rank;
    steps_of(x, step);
    view v = {.count = se_type_count(x)};
    view_add(&v, x->dim[r - 2], step[r - 2]);
    view_add(&v, x->dim[r - 1], step[r - 1]);
    for (int i = r - 3; i >= 0; i--)
        view_add(&v, x->dim[i], step[i]);
    (void)lo;
    (void)hi;
    copy_view(&v, size_of(x), SE_OUT(0), SE_IN(0));
}

SE_ROWS(broadcast_to)
{
    const se_type *x = &t->in_type[0], *y = &t->out_type[0];
    int64_t step[SE_MAX_RANK];
    steps_of(x, step);
    view v = {.count = se_type_count(y)};
    for (int i = y->rank - 1; i >= 0; i--) {
        int k = i - (y->rank - x->rank);
        view_add(&v, y->dim[i], k < 0 || x->dim[k] == 1 ? 0 : step[k]);
    }
    (void)lo;
    (void)hi;
    copy_view(&v, size_of(x), SE_OUT(0), SE_IN(0));
}

/* --- blocks of neighbours --- */

/* Sizes before the axis and from the axis on, in elements. */
static void around(const se_type *t, int axis, int64_t *outer, int64_t *inner)
{
    *outer = *inner = 1;
    for (int i = 0; i < t->rank; i++)
        *(i < axis ? outer : inner) *= t->dim[i];
}

/* `rows` blocks of `bytes` bytes; long blocks are cut so that several threads share them. */
static void copy_blocks(int64_t rows, int64_t bytes, char *o, int64_t o_step, const char *x,
                        int64_t x_step)
{
    int64_t cut = bytes > 4 * PARALLEL ? (bytes + PARALLEL - 1) / PARALLEL : 1;
    int64_t piece = (bytes + cut - 1) / cut;
#pragma omp parallel for schedule(static) if (rows * bytes > 4 * PARALLEL)
    for (int64_t job = 0; job < rows * cut; job++) {
        int64_t r = job / cut, from = job % cut * piece;
        int64_t n = bytes - from < piece ? bytes - from : piece;
        if (n > 0)
            memcpy(o + r * o_step + from, x + r * x_step + from, (size_t)n);
    }
}

static int axis_of(const se_task *t, int rank)
{
    return (int)(t->attr[0].i < 0 ? t->attr[0].i + rank : t->attr[0].i);
}

/* The items of a range along an axis, one by one: axes inside, the axis, axes outside. */
static void copy_range(const se_type *x, const se_type *y, int axis, se_range r, char *o,
                       const char *p)
{
    int64_t step[SE_MAX_RANK];
    steps_of(x, step);
    view v = {.count = se_type_count(y)};
    for (int i = y->rank - 1; i >= 0; i--)
        view_add(&v, y->dim[i], i == axis ? step[i] * r.step : step[i]);
    copy_view(&v, size_of(x), o, p + r.first * step[axis] * (int64_t)size_of(x));
}

/* attr: axis start stop step; the shape rule has checked them. */
SE_ROWS(slice)
{
    const se_type *x = &t->in_type[0], *y = &t->out_type[0];
    int axis = axis_of(t, x->rank);
    int64_t outer, from, to, size = (int64_t)size_of(x);
    se_range r = se_range_of(x->dim[axis], t->attr[1].i, t->attr[2].i, t->attr[3].i);
    (void)lo;
    (void)hi;
    if (r.step != 1) {
        copy_range(x, y, axis, r, SE_OUT(0), SE_IN(0));
        return;
    }
    around(x, axis, &outer, &from);
    around(y, axis, &outer, &to);
    int64_t inner = x->dim[axis] ? from / x->dim[axis] : 0;
    copy_blocks(outer, to * size, SE_OUT(0), to * size,
                (const char *)SE_IN(0) + r.first * inner * size, from * size);
}

/* n blocks of `bytes` bytes, `step` bytes apart in o. */
static void spread(int64_t n, int64_t bytes, char *o, int64_t step, const char *x)
{
    if (bytes == 4)
        for (int64_t i = 0; i < n; i++)
            memcpy(o + i * step, x + i * 4, 4);
    else
        for (int64_t i = 0; i < n && bytes; i++)
            memcpy(o + i * step, x + i * bytes, (size_t)bytes);
}

/* attr: axis start size step: x in the middle of zeros. */
SE_ROWS(pad_slice)
{
    const se_type *x = &t->in_type[0], *y = &t->out_type[0];
    int axis = axis_of(t, x->rank);
    int64_t outer, from, to, size = (int64_t)size_of(x), own = x->dim[axis];
    int64_t step = own > 1 ? t->attr[3].i : 1, start = own ? t->attr[1].i : 0;
    around(x, axis, &outer, &from);
    around(y, axis, &outer, &to);
    int64_t inner = y->dim[axis] ? to / y->dim[axis] * size : 0, before = start * inner;
    int64_t bytes = from * size, all = to * size;
    char *o = SE_OUT(0);
    const char *p = SE_IN(0);
    (void)lo;
    (void)hi;
#pragma omp parallel for schedule(static) if (outer * all > 4 * PARALLEL)
    for (int64_t r = 0; r < outer; r++) {
        char *row = o + r * all;
        if (step != 1 || !bytes) {
            memset(row, 0, (size_t)all);
            spread(own, inner, row + before, inner * step, p + r * bytes);
            continue;
        }
        memset(row, 0, (size_t)before);
        memcpy(row + before, p + r * bytes, (size_t)bytes);
        memset(row + before + bytes, 0, (size_t)(all - before - bytes));
    }
}

SE_ROWS(concat)
{
    const se_type *y = &t->out_type[0];
    int axis = axis_of(t, y->rank);
    int64_t outer, all, at = 0, size = (int64_t)size_of(y);
    around(y, axis, &outer, &all);
    (void)lo;
    (void)hi;
    for (int k = 0; k < t->n_in; k++) {
        int64_t own;
        around(&t->in_type[k], axis, &outer, &own);
        copy_blocks(outer, own * size, (char *)SE_OUT(0) + at * size, all * size, SE_IN(k),
                    own * size);
        at += own;
    }
}
