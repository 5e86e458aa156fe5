/* The largest elements of rows, and the nearest rows of a corpus. */
#include "hlo.h"
#include "ops/compose.h"

#include <math.h>

SE_KERNEL_DECLARE(topk);
SE_KERNEL_DECLARE(nearest);

static int64_t real_bytes(void)
{
    return se_real_is_f64() ? (int64_t)sizeof(double) : (int64_t)sizeof(float);
}

/* --- topk --- */

static se_status topk_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    int axis = 0;
    const se_type *x = &s->in[0];
    int64_t k = s->attr[0].i;
    se_status status = se_axis(s, s->attr[1].i, x->rank, &axis);
    if (status)
        return status;
    if (k < 0 || k > x->dim[axis] || x->dim[axis] > INT32_MAX)
        return SE_SHAPE_FAIL(s,
                             "k = %lld of the %lld elements of %s along axis %d: 0 to %lld is "
                             "wanted",
                             (long long)k, (long long)x->dim[axis], se_type_print(x, text),
                             axis + 1,
                             (long long)(x->dim[axis] < INT32_MAX ? x->dim[axis] : INT32_MAX));
    se_type t = se_type_make((se_dtype)x->dtype, x->rank, x->dim);
    t.dim[axis] = k;
    if (axis > 0)
        t.rows = x->rows;
    s->out[0] = s->out[1] = t;
    s->out[1].dtype = SE_I32;
    return SE_OK;
}

static int64_t topk_scratch(const se_task *t)
{
    return (t->attr[0].i * (real_bytes() + (int64_t)sizeof(int32_t)) + 63) / 64 * 64;
}

/* With the axis last and the others made one, places become places in the whole of x. */
static void topk_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]), *y = se_ref_type(g->y[0]);
    int rank = x->rank, axis = (int)(g->attr[1].i < 0 ? g->attr[1].i + rank : g->attr[1].i);
    se_attr last = {.n = rank}, back = {.n = rank};
    int64_t moved[SE_MAX_RANK], n = x->dim[axis], k = y->dim[axis];
    for (int i = 0; i < rank; i++) { /* axis i of what is moved is axis list[i] of x */
        last.list[i] = i == rank - 1 ? axis : i < axis ? i : i + 1;
        back.list[last.list[i]] = i;
        moved[i] = x->dim[last.list[i]];
    }
    int64_t rows = se_type_count(x) / (n ? n : 1), flat[2] = {rows, k}, column[2] = {rows, 1};
    if (rows == 0 || k == 0) {
        g->dx[0] = se_zeros(b, x);
        return;
    }
    se_ref dy = se_reshape_to(b, OP(b, permute, ATTRS(last), g->dy[0]), 2, flat);
    se_ref at = se_reshape_to(b, OP(b, permute, ATTRS(last), g->y[1]), 2, flat);
    se_ref row = OP(b, mul, NULL, se_iota(b, rows), se_number_i32(b, n));
    at = OP2(b, add, at, se_reshape_to(b, row, 2, column));
    se_ref dx = OP(b, scatter_add, ATTRS(SE_INT(rows * n), SE_INT(-1)), dy, at);
    g->dx[0] = OP(b, permute, ATTRS(back), se_reshape_to(b, dx, rank, moved));
}

static void topk_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0], in[3], out[3];
    int axis = (int)(r->attr[1].i < 0 ? r->attr[1].i + x.rank : r->attr[1].i);
    in[0] = se_hlo_key(h, x);
    in[1] = se_hlo_iota(h, SE_I32, x.rank, x.dim, axis);
    in[2] = x;
    se_hlo_sort(h, 3, in, axis, true, false, out);
    r->y[0] = se_hlo_slice(h, out[2], axis, 0, r->attr[0].i, 1);
    r->y[1] = se_hlo_slice(h, out[1], axis, 0, r->attr[0].i, 1);
}

const se_op se_op_topk = {
    .name = "topk",
    .args = "x k:int axis:axis=-1",
    .doc = "the k largest values along an axis, the largest first, and their places from 0; of "
           "equals the first, a nan before all",
    .n_out = 2,
    .outs = "values indices",
    .shape = topk_shape,
    .cpu = SE_KERNEL(topk),
    .hlo = topk_hlo,
    .scratch = topk_scratch,
    .grad = topk_grad,
    .rowwise = true,
    .sample = "x:f32[5x7] k=3; x:f32[4x6x3] k=6 axis=1; x:f32[9] k=1; x:f32[6x2] k=4 axis=0 -rows; "
              "x:f32[3x8]=1,2,2,1,0,2,1,0 k=5 -grad; x:f32[2x3] k=0; x:f32[101x500] k=17; "
              "x:i32[3x40]@-9..9 k=7; x:i32[5]=2147483647,-2147483648,2147483646,0,2147483647 k=4; "
              "x:bool[9x3] k=5 axis=0 -rows; x:bf16[2x5] k=2",
};

/* --- nearest --- */

enum { SCORES = 262144 }; /* numbers: about what stays in the caches of a few cores */

static se_status nearest_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    se_status status;
    if ((status = se_shape_want(s, 0, SE_F32, 2)) || (status = se_shape_want(s, 1, SE_F32, 2)) ||
        (status = se_shape_want(s, 2, SE_F32, 2)) || (status = se_shape_want(s, 3, SE_I32, 2)))
        return status;
    const se_type *q = &s->in[0], *corpus = &s->in[1], *v = &s->in[2], *p = &s->in[3];
    int64_t from = s->attr[0].i, count = s->attr[1].i, name = s->attr[2].i;
    if (q->dim[1] != corpus->dim[1])
        return SE_SHAPE_FAIL(s, "queries and corpus have rows of another length: %s and %s came",
                             se_type_print(q, a), se_type_print(corpus, c));
    if (v->dim[0] != q->dim[0] || p->dim[0] != q->dim[0] || v->dim[1] != p->dim[1])
        return SE_SHAPE_FAIL(s, "values and places are %s and %s: a row for each query is wanted",
                             se_type_print(v, a), se_type_print(p, c));
    if (from < 0 || count < 0 || from > corpus->dim[0] - count)
        return SE_SHAPE_FAIL(s, "%lld rows from row %lld of the corpus: it is %s", (long long)count,
                             (long long)from, se_type_print(corpus, c));
    if (name < 0 || name > INT32_MAX - count)
        return SE_SHAPE_FAIL(s, "%lld rows from row %lld on: at most 2147483647 can be searched",
                             (long long)count, (long long)name);
    s->out[0] = *v;
    s->out[1] = *p;
    return SE_OK;
}

static int64_t nearest_scratch(const se_task *t)
{
    int64_t queries = t->in_type[0].dim[0], least = 64 * queries;
    int64_t numbers = least > SCORES ? least : SCORES;
    return (numbers * real_bytes() / se_threads() + 127) / 64 * 64;
}

static double nearest_work(const se_task *t)
{
    return 2.0 * (double)t->in_type[0].dim[0] * (double)t->in_type[0].dim[1] * (double)t->attr[1].i;
}

/* The best so far and the scores of the new rows, sorted together. */
static void nearest_hlo(se_hlo *h, const se_hlo_rule *r)
{
    int64_t from = r->attr[0].i, count = r->attr[1].i, m = r->x[0].dim[0], k = r->x[2].dim[1];
    se_hval rows = se_hlo_slice(h, r->x[1], 0, from, from + count, 1), in[3], out[3];
    se_hval score = se_hlo_dot(h, r->x[0], rows, 0, 1, 1, false);
    if (r->attr[3].i) {
        se_hval square = se_hlo_sum(h, se_hlo_binary(h, "multiply", rows, rows), 2);
        se_hval norm = se_hlo_unary(h, "sqrt", square), least = se_hlo_like(h, norm, 1e-12);
        norm = se_hlo_larger(h, norm, least);
        score = se_hlo_binary(h, "divide", score, se_hlo_stretch(h, norm, 2, score.dim));
    }
    se_hval name = se_hlo_iota(h, SE_I32, 2, (int64_t[]){m, count}, 1);
    name = se_hlo_with(h, "add", name, (double)r->attr[2].i);
    in[2] = se_hlo_concat(h, 2, (se_hval[]){r->x[2], score}, 1);
    in[1] = se_hlo_concat(h, 2, (se_hval[]){r->x[3], name}, 1);
    in[0] = se_hlo_key(h, in[2]);
    se_hlo_sort(h, 3, in, 1, true, true, out);
    r->y[0] = se_hlo_slice(h, out[2], 1, 0, k, 1);
    r->y[1] = se_hlo_slice(h, out[1], 1, 0, k, 1);
}

/* Made for lua/sembed/search.lua, which calls it block after block. */
const se_op se_op_nearest = {
    .name = "nearest",
    .args = "queries corpus values places from:int count:int name:int cosine:bool=false",
    .doc = "the best rows so far of each query, with `count` rows of the corpus from `from` on "
           "looked at, too, which are called `name` and so on",
    .n_out = 2,
    .outs = "values places",
    .shape = nearest_shape,
    .cpu = SE_KERNEL(nearest),
    .hlo = nearest_hlo,
    .scratch = nearest_scratch,
    .work = nearest_work,
    .sample = "queries:f32[5x7] corpus:f32[9x7] values:f32[5x2]=-9 places:i32[5x2]=99 from=2 "
              "count=7 name=2; "
              "queries:f32[6x33] corpus:f32[500x33] values:f32[6x5]=-99 places:i32[6x5]=999 from=0 "
              "count=500 name=0 cosine=true",
};
