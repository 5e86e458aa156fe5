/* Elements picked along any axis by ids, and their gradients added up. */
#include "kernels/kernel.h"
#include <string.h>

enum { PARALLEL = 16384, LINES = 64 };

static size_t size_of(const se_type *t)
{
    static const size_t size[SE_DTYPES] = {sizeof(real), 2, 4, 1};
    return size[t->dtype];
}

/* A line is what lies along the axis for one choice of the other places. There are as many as ids
 * has; each lies in ids (which are contiguous) and in x, where it may be one of more. */
typedef struct lines {
    int rank, axis;
    int64_t dim[SE_MAX_RANK];                    /* of ids */
    int64_t step[SE_MAX_RANK], own[SE_MAX_RANK]; /* from one item to the next: in x, in ids */
    int64_t n, count;                            /* ids of a line, lines */
} lines;

static lines lines_of(const se_type *x, const se_type *ids, int64_t axis)
{
    lines s = {.rank = x->rank, .axis = (int)(axis < 0 ? axis + x->rank : axis), .count = 1};
    for (int64_t i = x->rank, big = 1, small = 1; i-- > 0;) {
        s.dim[i] = ids->dim[i];
        s.step[i] = big;
        s.own[i] = small;
        big *= x->dim[i];
        small *= ids->dim[i];
        s.count *= i == s.axis ? 1 : ids->dim[i];
    }
    s.n = s.dim[s.axis];
    return s;
}

/* Where lines [from, from + m) begin in x and in ids. */
static void begins(const lines *s, int64_t from, int64_t m, int64_t *x, int64_t *ids)
{
    for (int64_t l = 0; l < m; l++) {
        int64_t left = from + l;
        x[l] = ids[l] = 0;
        for (int k = s->rank; k-- > 0;) {
            if (k == s->axis)
                continue;
            int64_t place = left % s->dim[k];
            left /= s->dim[k];
            x[l] += place * s->step[k];
            ids[l] += place * s->own[k];
        }
    }
}

/* Lines are done in blocks, item by item, so that neighbouring lines share cache lines. */
#define PICK(T)                                                                                    \
    static void pick_##T(const lines *s, const T *x, const int32_t *ids, T *o)                     \
    {                                                                                              \
        int64_t step = s->step[s->axis], own = s->own[s->axis];                                    \
        _Pragma(                                                                                   \
            "omp parallel for schedule(static) if (s->n * s->count > PARALLEL)") for (int64_t      \
                                                                                          from =   \
                                                                                              0;   \
                                                                                      from <       \
                                                                                      s->count;    \
                                                                                      from +=      \
                                                                                      LINES)       \
        {                                                                                          \
            int64_t in_x[LINES], in_ids[LINES];                                                    \
            int64_t m = s->count - from < LINES ? s->count - from : LINES;                         \
            begins(s, from, m, in_x, in_ids);                                                      \
            for (int64_t i = 0; i < s->n; i++)                                                     \
                for (int64_t l = 0; l < m; l++) {                                                  \
                    int64_t at = in_ids[l] + i * own;                                              \
                    o[at] = x[in_x[l] + ids[at] * step];                                           \
                }                                                                                  \
        }                                                                                          \
    }
PICK(uint8_t)
PICK(uint16_t)
PICK(uint32_t)
PICK(uint64_t)

SE_ROWS(gather)
{
    const se_type *x = &t->in_type[0];
    lines s = lines_of(x, &t->in_type[1], t->attr[0].i);
    size_t size = size_of(x);
    (void)lo;
    (void)hi;
    if (size == 4)
        pick_uint32_t(&s, SE_IN(0), SE_IN(1), SE_OUT(0));
    else if (size == 8)
        pick_uint64_t(&s, SE_IN(0), SE_IN(1), SE_OUT(0));
    else if (size == 2)
        pick_uint16_t(&s, SE_IN(0), SE_IN(1), SE_OUT(0));
    else
        pick_uint8_t(&s, SE_IN(0), SE_IN(1), SE_OUT(0));
}

/* A line belongs to one thread, which adds in the order of the ids. */
SE_ROWS(gather_grad)
{
    const real *dy = SE_IN(0);
    const int32_t *ids = SE_IN(1);
    real *o = SE_OUT(0);
    lines s = lines_of(&t->out_type[0], &t->in_type[1], t->attr[0].i);
    int64_t step = s.step[s.axis], own = s.own[s.axis];
    (void)lo;
    (void)hi;
    memset(o, 0, sizeof(real) * (size_t)se_type_count(&t->out_type[0]));
#pragma omp parallel for schedule(static) if (s.n * s.count > PARALLEL)
    for (int64_t from = 0; from < s.count; from += LINES) {
        int64_t in_x[LINES], in_ids[LINES], m = s.count - from < LINES ? s.count - from : LINES;
        begins(&s, from, m, in_x, in_ids);
        for (int64_t i = 0; i < s.n; i++)
            for (int64_t l = 0; l < m; l++) {
                int64_t at = in_ids[l] + i * own;
                o[in_x[l] + ids[at] * step] += dy[at];
            }
    }
}

/* x [outer, size, inner], ids [n] -> [outer, n, inner] */
SE_ROWS(index_select)
{
    const se_type *x = &t->in_type[0];
    const int32_t *ids = SE_IN(1);
    const char *from = SE_IN(0);
    char *o = SE_OUT(0);
    int axis = (int)(t->attr[0].i < 0 ? t->attr[0].i + x->rank : t->attr[0].i);
    int64_t outer = 1, n = t->in_type[1].dim[0], size = x->dim[axis], width = size_of(x);
    for (int i = 0; i < x->rank; i++) {
        outer *= i < axis ? x->dim[i] : 1;
        width *= i > axis ? x->dim[i] : 1;
    }
    (void)lo;
    (void)hi;
    if (width == 0)
        return;
#pragma omp parallel for schedule(static) if (outer * n * width > 4 * PARALLEL)
    for (int64_t job = 0; job < outer * n; job++) {
        int64_t row = job / n * size + ids[job % n];
        char *to = o + job * width;
        if (width == 4)
            memcpy(to, from + row * 4, 4);
        else
            memcpy(to, from + row * width, (size_t)width);
    }
}
