/* Matrix products. All of them go through core/kernels/gemm.c. */
#include "hlo.h"
#include "op.h"

#include "buf.h"
#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "ops/linear.h"

#include <string.h>

SE_OP_EXTERN(matmul);
SE_OP_EXTERN(add);
SE_OP_EXTERN(sum);
SE_OP_EXTERN(transpose);
SE_OP_EXTERN(permute);
SE_OP_EXTERN(mul);

/* --- shapes --- */

/* A product as the kernel sees it: op(a) [m, k] times op(b) [k, n], over broadcast leading axes. */
typedef struct sizes {
    int64_t m, n, k_a, k_b;
    se_type lead_a, lead_b, lead; /* the axes before the last two */
    bool fits;                    /* the leading axes do */
} sizes;

static se_type lead_of(const se_type *t)
{
    return se_type_make((se_dtype)t->dtype, t->rank > 2 ? t->rank - 2 : 0, t->dim);
}

/* A vector stands for one row on the left, one column on the right; its flag means nothing. */
static sizes sizes_of(const se_type *a, const se_type *b, bool ta, bool tb)
{
    sizes z = {.m = 1, .n = 1, .lead_a = lead_of(a), .lead_b = lead_of(b)};
    int64_t a0 = a->rank > 1 ? a->dim[a->rank - 2] : 1, a1 = a->dim[a->rank - 1];
    int64_t b0 = b->rank > 1 ? b->dim[b->rank - 2] : b->dim[0];
    int64_t b1 = b->rank > 1 ? b->dim[b->rank - 1] : 1;
    ta = ta && a->rank > 1;
    tb = tb && b->rank > 1;
    z.m = ta ? a1 : a0;
    z.k_a = ta ? a0 : a1;
    z.n = tb ? b0 : b1;
    z.k_b = tb ? b1 : b0;
    z.fits = se_type_broadcast(&z.lead_a, &z.lead_b, &z.lead);
    return z;
}

static se_status want_f32(const se_shape *s)
{
    for (int i = 0; i < s->n_in; i++) {
        char text[SE_TYPE_TEXT];
        if (s->in[i].dtype != SE_F32 && s->in[i].dtype != SE_NONE)
            return SE_SHAPE_FAIL(s, "wrong dtype: %s came, f32 is wanted: cast it first",
                                 se_type_print(&s->in[i], text));
    }
    return SE_OK;
}

static se_status matmul_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    const se_type *x = &s->in[0], *y = &s->in[1];
    se_status status = want_f32(s);
    if (status)
        return status;
    if (x->rank < 1 || y->rank < 1)
        return SE_SHAPE_FAIL(s, "%s times %s: a scalar is multiplied with `*`", se_type_print(x, a),
                             se_type_print(y, c));
    sizes z = sizes_of(x, y, s->attr[0].i, s->attr[1].i);
    const char *ta = s->attr[0].i ? " transposed" : "", *tb = s->attr[1].i ? " transposed" : "";
    if (z.k_a != z.k_b)
        return SE_SHAPE_FAIL(s, "%s%s times %s%s: inner sizes %lld and %lld differ",
                             se_type_print(x, a), ta, se_type_print(y, c), tb, (long long)z.k_a,
                             (long long)z.k_b);
    if (!z.fits)
        return SE_SHAPE_FAIL(s, "%s%s times %s%s: the axes before the last two do not fit",
                             se_type_print(x, a), ta, se_type_print(y, c), tb);
    se_type t = z.lead;
    if (x->rank > 1)
        t.dim[t.rank++] = z.m;
    if (y->rank > 1)
        t.dim[t.rank++] = z.n;
    bool mine = x->varying && x->rank == 2 && y->rank <= 2 && !s->attr[0].i;
    t.rows = mine ? x->rows : 0; /* row i comes from row i of a */
    s->out[0] = t;
    return SE_OK;
}

/* --- transposed views are taken in --- */

static bool swaps_last_two(const se_attr *axes)
{
    int n = axes->n;
    if (n < 2)
        return false;
    for (int i = 0; i < n; i++) {
        int64_t from = axes->list[i] + (axes->list[i] < 0 ? n : 0);
        if (from != (i < n - 2 ? i : (i == n - 2 ? n - 1 : n - 2)))
            return false;
    }
    return true;
}

static void matmul_simplify(se_ref *in, se_attr *attr)
{
    for (int i = 0; i < 2; i++)
        while (se_ref_op(in[i]) == &se_op_transpose ||
               (se_ref_op(in[i]) == &se_op_permute && swaps_last_two(se_ref_attr(in[i])))) {
            in[i] = se_ref_input(in[i], 0);
            attr[i].i = !attr[i].i;
        }
}

/* --- kernel --- */

/* Element where item i of the broadcast leading axes begins, in matrices of the operand. */
static int64_t matrix_at(const se_type *own, const se_type *all, int64_t i)
{
    int64_t at = 0, size = 1;
    for (int k = all->rank - 1; k >= 0; k--) {
        int64_t index = i % all->dim[k];
        int j = k - (all->rank - own->rank);
        i /= all->dim[k];
        if (j < 0)
            continue;
        at += own->dim[j] == 1 ? 0 : index * size;
        size *= own->dim[j];
    }
    return at;
}

static void matmul_cpu(const se_task *t, int64_t lo, int64_t hi)
{
    const se_type *x = &t->in_type[0], *y = &t->in_type[1];
    bool ta = t->attr[0].i && x->rank > 1, tb = t->attr[1].i && y->rank > 1;
    sizes z = sizes_of(x, y, ta, tb);
    int64_t m = z.m, n = z.n, k = z.k_a, batch = se_type_count(&z.lead);
    int64_t lda = ta ? m : k, ldb = tb ? k : n;
    int64_t na = se_type_count(&z.lead_a), nb = se_type_count(&z.lead_b);
    const char *a = t->in[0], *b = t->in[1];
    char *c = t->out[0];
    int64_t size = (int64_t)se_dtype_size(SE_F32);
    se_precision as = t->attr[2].i ? SE_PRECISION_BF16 : SE_PRECISION_F32;
    (void)lo;
    (void)hi;
    if (nb == 1 && !ta) { /* one matrix on the right: all rows on the left are one matrix */
        se_gemm(as, false, tb, batch * m, n, k, a, lda, b, ldb, c, n);
    } else if ((na == 1 || na == batch) && (nb == 1 || nb == batch)) {
        se_gemm_batch(as, batch, ta, tb, m, n, k, a, lda, na == 1 ? 0 : m * k, b, ldb,
                      nb == 1 ? 0 : k * n, c, n, m * n);
    } else {
        for (int64_t i = 0; i < batch; i++)
            se_gemm(as, ta, tb, m, n, k, a + matrix_at(&z.lead_a, &z.lead, i) * m * k * size, lda,
                    b + matrix_at(&z.lead_b, &z.lead, i) * k * n * size, ldb, c + i * m * n * size,
                    n);
    }
}

static double matmul_work(const se_task *t)
{
    sizes z = sizes_of(&t->in_type[0], &t->in_type[1], t->attr[0].i, t->attr[1].i);
    return 2.0 * (double)se_type_count(&t->out_type[0]) * (double)z.k_a;
}

/* [lead, rows, columns] or, without leading axes, [rows, columns]; leading axes become one. */
static se_hval matrices(se_hlo *h, se_hval x, const se_type *lead, int64_t rows, int64_t columns)
{
    int64_t dim[SE_MAX_RANK + 2], flat[3] = {se_type_count(lead), rows, columns};
    if (lead->rank == 0)
        return se_hlo_reshape(h, x, 2, flat + 1);
    for (int i = 0; i < lead->rank; i++)
        dim[i] = lead->dim[i];
    dim[lead->rank] = rows;
    dim[lead->rank + 1] = columns;
    return se_hlo_reshape(h, se_hlo_stretch(h, x, lead->rank + 2, dim), 3, flat);
}

/* One matrix on the right: all rows on the left are one matrix. Else the leading axes are stretched
 * to each other. */
static void matmul_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval a = r->x[0], b = r->x[1];
    se_type x = se_type_make(SE_F32, a.rank, a.dim), y = se_type_make(SE_F32, b.rank, b.dim);
    bool ta = r->attr[0].i && x.rank > 1, tb = r->attr[1].i && y.rank > 1;
    sizes z = sizes_of(&x, &y, ta, tb);
    int64_t k = z.k_a, columns = b.rank > 1 ? z.n : 1;
    se_type lead = z.lead;
    bool one = se_type_count(&z.lead_b) == 1 && !ta;
    if (one)
        lead = se_type_scalar(SE_F32);
    int64_t m = one ? z.m * se_type_count(&z.lead) : z.m;
    if (!one && z.lead_a.rank < lead.rank && a.rank < 2)
        a = se_hlo_reshape(h, a, 2, (int64_t[]){1, k});
    if (b.rank < 2)
        b = se_hlo_reshape(h, b, 2, (int64_t[]){k, 1});
    if (one) {
        a = se_hlo_reshape(h, a, 2, (int64_t[]){m, k});
        b = se_hlo_reshape(h, b, 2, tb ? (int64_t[]){columns, k} : (int64_t[]){k, columns});
    } else {
        if (a.rank < 2)
            a = se_hlo_reshape(h, a, 2, (int64_t[]){1, k});
        a = matrices(h, a, &lead, ta ? k : m, ta ? m : k);
        b = matrices(h, b, &lead, tb ? columns : k, tb ? k : columns);
    }
    int batch = a.rank - 2;
    se_hval c = se_hlo_dot(h, a, b, batch, batch + !ta, batch + tb, r->attr[2].i);
    r->y[0] = se_hlo_reshape(h, c, r->type[0].rank, r->type[0].dim);
}

/* --- gradient --- */

/* r with all axes but the last merged. */
static se_ref flat(se_build *b, se_ref r)
{
    const se_type *t = se_ref_type(r);
    return t ? se_reshape_to(b, r, 2, (int64_t[]){se_type_rows(t), se_type_last(t)}) : r;
}

static se_ref product(se_build *b, se_ref x, se_ref y, bool ta, bool tb, bool bf16)
{
    return OP(b, matmul, ATTRS(SE_INT(ta), SE_INT(tb), SE_INT(bf16)), x, y);
}

/* c = op(a) op(b): da = dc op(b)^T, db = op(a)^T dc, each written without a transposition, rounded
 * to bf16 where c was. A vector is made a matrix first. */
static void matmul_grad(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]), *y = se_ref_type(g->x[1]);
    bool ta = g->attr[0].i && x->rank > 1, tb = g->attr[1].i && y->rank > 1, low = g->attr[2].i;
    sizes z = sizes_of(x, y, ta, tb);
    se_type full = z.lead;
    full.dim[full.rank++] = z.m;
    full.dim[full.rank++] = z.n;
    se_ref a = x->rank > 1 ? g->x[0] : se_reshape_to(b, g->x[0], 2, (int64_t[]){1, z.k_a});
    se_ref c = y->rank > 1 ? g->x[1] : se_reshape_to(b, g->x[1], 2, (int64_t[]){z.k_a, 1});
    se_ref dy = se_reshape_to(b, g->dy[0], full.rank, full.dim);
    const se_type *a_type = se_ref_type(a), *c_type = se_ref_type(c);
    if (!a_type || !c_type || !se_ref_ok(dy))
        return;
    if (g->want[0]) {
        se_ref d = ta ? product(b, c, dy, tb, true, low) : product(b, dy, c, false, !tb, low);
        g->dx[0] = se_sum_to(b, d, a_type);
        if (x->rank == 1)
            g->dx[0] = se_reshape_to(b, g->dx[0], 1, x->dim);
    }
    if (g->want[1]) {
        if (c_type->rank == 2 && !ta) { /* one product over all rows instead of a sum of many */
            a = flat(b, a);
            dy = flat(b, dy);
        }
        se_ref d = tb ? product(b, dy, a, true, ta, low) : product(b, a, dy, !ta, false, low);
        g->dx[1] = se_sum_to(b, d, c_type);
        if (y->rank == 1)
            g->dx[1] = se_reshape_to(b, g->dx[1], 1, y->dim);
    }
}

const se_op se_op_matmul = {
    .name = "matmul",
    .args = "a b ta:bool=false tb:bool=false bf16:bool=false",
    .doc = "matrix product over the last two axes, broadcast over the others; ta, tb: a or b is "
           "transposed first; bf16: both are rounded to bf16 first, sums stay f32",
    .shape = matmul_shape,
    .sets_rows = true,
    .cpu = {{[SE_LEVEL_PORTABLE] = matmul_cpu}},
    .hlo = matmul_hlo,
    .work = matmul_work,
    .simplify = matmul_simplify,
    .grad = matmul_grad,
    .sample =
        "a:f32[2x3] b:f32[3x4]; a:f32[3x2] b:f32[3x4] ta=true; a:f32[2x3] b:f32[4x3] tb=true; "
        "a:f32[3x2] b:f32[4x3] ta=true tb=true; a:f32[5x2x3] b:f32[3x4]; a:f32[5x3x2] b:f32[3x4] "
        "ta=true; a:f32[2x1x2x3] b:f32[3x4x3] tb=true; a:f32[2x3] b:f32[5x3x4]; a:f32[3] b:f32[3]; "
        "a:f32[3] b:f32[3x4]; a:f32[2x2x3] b:f32[3]; a:f32[3] b:f32[2x3x4]; a:f32[2x0] b:f32[0x3]; "
        "a:f32[0x2] b:f32[2x3]; a:f32[201x60] b:f32[60x220]; a:f32[40x30x50] b:f32[40x30x50] "
        "tb=true; a:f32[5x3] b:f32[3x4] bf16=true; a:f32[31x67] b:f32[31x45] ta=true bf16=true; "
        "a:f32[201x61] b:f32[220x61] tb=true bf16=true; a:f32[4x60x7] b:f32[4x33x60] ta=true "
        "tb=true bf16=true; a:f32[61] b:f32[61x70] bf16=true",
    .promote = true,
};

/* --- linear --- */

se_status se_linear_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    const se_type *x = &s->in[0], *w = &s->in[1], *bias = &s->in[2];
    se_status status = want_f32(s);
    if (!status)
        status = se_shape_want(s, 1, SE_F32, 2);
    if (!status && bias->dtype != SE_NONE)
        status = se_shape_want(s, 2, SE_F32, 1);
    if (status)
        return status;
    if (x->rank < 1 || se_type_last(x) != w->dim[1])
        return SE_SHAPE_FAIL(s,
                             "x and weight do not fit: %s and %s: the last axis of both is wanted "
                             "equal",
                             se_type_print(x, a), se_type_print(w, c));
    if (bias->dtype != SE_NONE && bias->dim[0] != w->dim[0])
        return SE_SHAPE_FAIL(s,
                             "weight and bias do not fit: %s and %s: the first axis of both is "
                             "wanted equal",
                             se_type_print(w, a), se_type_print(bias, c));
    s->out[0] = se_type_make(SE_F32, x->rank, x->dim);
    s->out[0].dim[x->rank - 1] = w->dim[0];
    return SE_OK;
}

/* Weights packed for the kernels, where rows are so few that packing on the way would show, and
 * always where that takes less memory than the weights themselves. */
const void *se_linear_panels(const se_task *t, se_precision as, int64_t m, int64_t n, int64_t k)
{
    enum { FEW_ROWS = 512, OFTEN = 3 };
    int64_t bytes = se_gemm_panels_bytes(as, n, k);
    se_buf *w = t->leaf ? t->leaf[1] : NULL;
    bool fresh, f32 = as == SE_PRECISION_F32;
    if (!w || bytes == 0 || (f32 && m > FEW_ROWS && !w->packed))
        return NULL;
    int kind = (int)se_isa_level() * SE_PRECISIONS + (int)as;
    int wishes = as == SE_PRECISION_INT8 ? 1 : OFTEN; /* int8 has to be packed anyway */
    void *panels = se_buf_packed(w, kind, (size_t)bytes, wishes, &fresh);
    if (fresh) {
        se_gemm_pack(as, n, k, t->in[1], panels);
        se_buf_idle(w);
    }
    return panels;
}

static void linear_cpu(const se_task *t, int64_t lo, int64_t hi)
{
    const se_type *w = &t->in_type[1];
    (void)lo;
    (void)hi;
    int64_t m = se_type_rows(&t->in_type[0]), n = w->dim[0], k = w->dim[1];
    se_precision as = t->attr[0].i ? SE_PRECISION_BF16 : SE_PRECISION_F32;
    const void *panels = se_linear_panels(t, as, m, n, k);
    se_gemm_linear(as, m, n, k, t->in[0], t->in[1], panels, t->in[2], t->out[0]);
}

double se_linear_work(const se_task *t)
{
    return 2.0 * (double)se_type_count(&t->out_type[0]) * (double)t->in_type[1].dim[1];
}

static void linear_grad(se_build *b, const se_rule *g)
{
    if (g->want[0])
        g->dx[0] = product(b, g->dy[0], g->x[1], false, false, g->attr[0].i);
    if (g->want[1])
        g->dx[1] = product(b, flat(b, g->dy[0]), flat(b, g->x[0]), true, false, g->attr[0].i);
    if (g->want[2])
        g->dx[2] = se_sum_to(b, g->dy[0], se_ref_type(g->x[2]));
}

static void linear_expand(se_build *b, const se_rule *g)
{
    g->y[0] = product(b, g->x[0], g->x[1], false, true, g->attr[0].i);
    if (se_ref_ok(g->x[2]))
        g->y[0] = OP2(b, add, g->y[0], g->x[2]);
}

const se_op se_op_linear = {
    .name = "linear",
    .args = "x weight bias? bf16:bool=false",
    .doc = "x times the transposed weight [out, in], plus bias; bf16: x and weight are rounded to "
           "bf16 first, sums stay f32",
    .shape = se_linear_shape,
    .cpu = {{[SE_LEVEL_PORTABLE] = linear_cpu}},
    .work = se_linear_work,
    .grad = linear_grad,
    .expand = linear_expand,
    .sample = "x:f32[2x3] weight:f32[4x3] bias:f32[4]; x:f32[2x3] weight:f32[4x3]; "
              "x:f32[5x2x3] weight:f32[4x3] bias:f32[4]; x:f32[3] weight:f32[4x3] bias:f32[4]; "
              "x:f32[0x3] weight:f32[4x3] bias:f32[4]; x:f32[301x90] weight:f32[170x90] "
              "bias:f32[170]; x:f32[2x0] weight:f32[3x0] bias:f32[3]; x:f32[2x5] weight:f32[4x5] "
              "bias:f32[4] bf16=true; x:f32[301x91] weight:f32[170x91] bias:f32[170] bf16=true",
    .promote = true,
    .rowwise = true,
};

/* --- vectors --- */

static se_status want_vectors(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    if (s->in[0].rank != 1 || s->in[1].rank != 1)
        return SE_SHAPE_FAIL(s, "two vectors are wanted: %s and %s came",
                             se_type_print(&s->in[0], a), se_type_print(&s->in[1], c));
    return SE_OK;
}

static se_status dot_shape(const se_shape *s)
{
    char a[SE_TYPE_TEXT], c[SE_TYPE_TEXT];
    se_status status = want_vectors(s);
    if (!status && s->in[0].dim[0] != s->in[1].dim[0])
        return SE_SHAPE_FAIL(s, "%s and %s differ in length", se_type_print(&s->in[0], a),
                             se_type_print(&s->in[1], c));
    s->out[0] = se_type_scalar((se_dtype)(s->in[0].dtype == SE_BOOL ? SE_I32 : s->in[0].dtype));
    return status;
}

static void dot_expand(se_build *b, const se_rule *g)
{
    if (se_ref_type(g->x[0])->dtype == SE_F32)
        g->y[0] = product(b, g->x[0], g->x[1], false, false, false);
    else
        g->y[0] = OP1(b, sum, OP2(b, mul, g->x[0], g->x[1]));
}

const se_op se_op_dot = {
    .name = "dot",
    .args = "x y",
    .doc = "sum of the products of two vectors' elements",
    .shape = dot_shape,
    .expand = dot_expand,
    .sample = "x:f32[3] y:f32[3]; x:f32[0] y:f32[0]; x:i32[4] y:i32[4]; x:f32[1] y:i32[1]; "
              "x:bf16[3] y:bf16[3]; x:f32[50001]@0.1..1 y:f32[50001]@0.1..1",
    .promote = true,
};

static se_status outer_shape(const se_shape *s)
{
    se_status status = want_vectors(s);
    s->out[0] =
        se_type_make((se_dtype)s->in[0].dtype, 2, (int64_t[]){s->in[0].dim[0], s->in[1].dim[0]});
    return status;
}

static void outer_expand(se_build *b, const se_rule *g)
{
    int64_t n = se_ref_type(g->x[0])->dim[0];
    g->y[0] = OP2(b, mul, se_reshape_to(b, g->x[0], 2, (int64_t[]){n, 1}), g->x[1]);
}

const se_op se_op_outer = {
    .name = "outer",
    .args = "x y",
    .doc = "products of each element of a vector with each of another: result[i][j] = x[i] y[j]",
    .shape = outer_shape,
    .expand = outer_expand,
    .sample = "x:f32[3] y:f32[2]; x:f32[0] y:f32[2]; x:i32[2] y:f32[3]; x:i32[2] y:i32[1]; "
              "x:bf16[3] y:bf16[2]; x:f32[301] y:f32[167]",
    .promote = true,
    .bf16 = true,
    .rowwise = true,
};
