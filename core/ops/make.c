/* Tensors made of attributes alone (linspace, eye), and the triangles of a matrix. */
#include "ops/compose.h"

#include <float.h>

SE_OP_EXTERN(cast);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(greater_equal);
SE_OP_EXTERN(less);
SE_OP_EXTERN(less_equal);
SE_OP_EXTERN(logical_and);
SE_OP_EXTERN(pad);
SE_OP_EXTERN(where);

static se_status want_size(const se_shape *s, const char *name, int64_t size)
{
    if (size < 0 || size > INT32_MAX)
        return SE_SHAPE_FAIL(s, "%s = %lld: 0 to 2147483647 is wanted", name, (long long)size);
    return SE_OK;
}

/* --- linspace --- */

static se_status linspace_shape(const se_shape *s)
{
    for (int i = 0; i < 2; i++) {
        double v = s->attr[i].f;
        if (!(v >= -FLT_MAX && v <= FLT_MAX))
            return SE_SHAPE_FAIL(s, "%s = %g: a number within the range of f32 is wanted",
                                 i ? "stop" : "start", v);
    }
    s->out[0] = se_type_make(SE_F32, 1, &s->attr[2].i);
    return want_size(s, "n", s->attr[2].i);
}

/* Counted from the nearer end, so that both ends are exact. */
static void linspace_expand(se_build *b, const se_rule *g)
{
    double start = g->attr[0].f, stop = g->attr[1].f;
    int64_t n = g->attr[2].i;
    if (n < 2) {
        se_type t = se_type_make(SE_F32, 1, &n);
        g->y[0] = se_stretch(b, se_number(b, start), &t);
        return;
    }
    double last = (double)(n - 1), step = stop / last - start / last;
    se_ref i = se_iota(b, n), place = OP(b, cast, ATTRS(SE_INT(SE_F32)), i);
    se_ref low = se_plus(b, se_times(b, place, step), start);
    se_ref left = OP2(b, sub, place, se_number(b, last));
    se_ref high = se_plus(b, se_times(b, left, step), stop);
    g->y[0] = OP3(b, where, OP2(b, less, i, se_number_i32(b, n / 2)), low, high);
}

const se_op se_op_linspace = {
    .name = "linspace",
    .args = "start:num stop:num n:int",
    .doc = "n numbers from start to stop, both included, evenly spaced",
    .shape = linspace_shape,
    .expand = linspace_expand,
    .sample =
        "start=0 stop=1 n=5; start=2 stop=-3 n=1; start=1 stop=1 n=0; start=-1 stop=7 n=50000",
};

/* --- eye --- */

static int64_t columns_of(const se_attr *attr)
{
    return attr[1].i == -1 ? attr[0].i : attr[1].i;
}

static se_status eye_shape(const se_shape *s)
{
    int64_t dim[2] = {s->attr[0].i, columns_of(s->attr)};
    se_status status = want_size(s, "n", dim[0]);
    s->out[0] = se_type_make(SE_F32, 2, dim);
    return status ? status : want_size(s, "m", dim[1]);
}

static void eye_expand(se_build *b, const se_rule *g)
{
    se_ref row = se_with_last(b, se_iota(b, g->attr[0].i)),
           column = se_iota(b, columns_of(g->attr));
    g->y[0] = OP(b, cast, ATTRS(SE_INT(SE_F32)), OP2(b, equal, row, column));
}

const se_op se_op_eye = {
    .name = "eye",
    .args = "n:int m:int=-1",
    .doc = "f32[n,m] with ones on the diagonal; m is n where it is not given",
    .shape = eye_shape,
    .expand = eye_expand,
    .sample = "n=3; n=2 m=4; n=4 m=2; n=0; n=3 m=0; n=301 m=167",
};

/* --- tril, triu --- */

static se_status triangle_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    const se_type *x = &s->in[0];
    if (x->rank < 2)
        return SE_SHAPE_FAIL(s, "%s came, two axes or more are wanted", se_type_print(x, text));
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1];
    if (n > INT32_MAX || m > INT32_MAX - n)
        return SE_SHAPE_FAIL(s, "%s: rows and columns are more than 2147483647 together",
                             se_type_print(x, text));
    return se_shape_like_first(s);
}

/* x where column - k <= row (or >=), else zero. */
static void triangle(se_build *b, const se_rule *g, const se_op *within)
{
    const se_type *x = se_ref_type(g->x[0]);
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1], k = g->attr[0].i;
    k = k < -n ? -n : k > m ? m : k; /* beyond that nothing changes, and i32 holds the rest */
    se_ref moved = OP2(b, sub, se_iota(b, m), se_number_i32(b, k));
    se_ref both[2] = {moved, se_with_last(b, se_iota(b, n))};
    se_ref mask = se_op_apply(b, within, NULL, 2, both);
    if (x->dtype == SE_BOOL)
        g->y[0] = OP2(b, logical_and, g->x[0], mask);
    else
        g->y[0] = OP3(b, where, mask, g->x[0],
                      x->dtype == SE_I32 ? se_number_i32(b, 0) : se_number(b, 0));
}

static void tril_expand(se_build *b, const se_rule *g)
{
    triangle(b, g, &se_op_less_equal);
}

static void triu_expand(se_build *b, const se_rule *g)
{
    triangle(b, g, &se_op_greater_equal);
}

#define TRIANGLE(NAME, DOC)                                                                        \
    const se_op se_op_##NAME = {.name = #NAME,                                                     \
                                .args = "x diagonal:int=0",                                        \
                                .doc = DOC,                                                        \
                                .shape = triangle_shape,                                           \
                                .expand = NAME##_expand,                                           \
                                .bf16 = true,                                                      \
                                .sample = "x:f32[3x4]; x:f32[3x4] diagonal=1; x:f32[2x4x3] "       \
                                          "diagonal=-1; x:f32[3x3] diagonal=-99; x:f32[0x3]; "     \
                                          "x:i32[3x3]@1..9; x:bool[3x4] diagonal=99; "             \
                                          "x:bf16[3x3]; x:f32[301x167] diagonal=-9"}

TRIANGLE(tril,
         "the lower triangle of the matrices in the last two axes, zero above; a diagonal > 0 "
         "keeps that many more above the main one");
TRIANGLE(triu,
         "the upper triangle of the matrices in the last two axes, zero below; a diagonal < 0 "
         "keeps that many more below the main one");

/* --- diagonals --- */

/* How many elements the diagonal `offset` of an n x m matrix has, and where the first one lies. */
static int64_t diagonal_of(int64_t n, int64_t m, int64_t offset, int64_t *first)
{
    int64_t row = offset < 0 ? -offset : 0, column = offset > 0 ? offset : 0;
    int64_t down = n - row, right = m - column, count = down < right ? down : right;
    *first = row * m + column;
    return count > 0 ? count : 0;
}

static se_status diagonal_shape(const se_shape *s)
{
    char text[SE_TYPE_TEXT];
    const se_type *x = &s->in[0];
    int64_t offset = s->attr[0].i, first, most = (int64_t)1 << 48;
    if (x->rank < 2)
        return SE_SHAPE_FAIL(s, "a matrix is wanted: %s came", se_type_print(x, text));
    if (offset < -most || offset > most)
        return SE_SHAPE_FAIL(s, "no diagonal %lld", (long long)offset);
    s->out[0] = se_type_make((se_dtype)x->dtype, x->rank - 1, x->dim);
    s->out[0].dim[x->rank - 2] =
        diagonal_of(x->dim[x->rank - 2], x->dim[x->rank - 1], offset, &first);
    return SE_OK;
}

/* With the rows of a matrix one behind the other, each element is m + 1 places after the last. */
static void diagonal_expand(se_build *b, const se_rule *g)
{
    const se_type *x = se_ref_type(g->x[0]);
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1], first, dim[SE_MAX_RANK];
    int64_t count = diagonal_of(n, m, g->attr[0].i, &first);
    for (int i = 0; i < x->rank - 2; i++)
        dim[i] = x->dim[i];
    dim[x->rank - 2] = n * m;
    se_ref flat = se_reshape_to(b, g->x[0], x->rank - 1, dim);
    int64_t stop = count ? first + (count - 1) * (m + 1) + 1 : 0;
    se_attr range[] = {SE_INT(-1), SE_INT(count ? first : 0), SE_INT(stop), SE_INT(m + 1)};
    g->y[0] = OP(b, slice, range, flat);
}

const se_op se_op_diagonal = {
    .name = "diagonal",
    .args = "x offset:int=0",
    .doc = "the diagonal of the matrices in the last two axes; an offset > 0 is one above the main "
           "one, < 0 below",
    .shape = diagonal_shape,
    .expand = diagonal_expand,
    .sample = "x:f32[3x3]; x:f32[3x5] offset=2; x:f32[5x3] offset=-3; x:f32[2x4x3] offset=-1; "
              "x:i32[3x3] offset=3; x:bool[2x3]; x:bf16[3x2]; x:f32[0x3]; x:f32[3x0] offset=1; "
              "x:f32[2x2] offset=-99; x:f32[301x167] offset=-9",
    .bf16 = true,
};

static se_status diag_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, (se_dtype)s->in[0].dtype, 1);
    if (!status)
        s->out[0] = se_type_make((se_dtype)s->in[0].dtype, 2,
                                 (int64_t[]){s->in[0].dim[0], s->in[0].dim[0]});
    return status;
}

/* n elements with n zeros behind each, cut into rows of n: each row begins one place later. */
static void diag_expand(se_build *b, const se_rule *g)
{
    int64_t n = se_ref_type(g->x[0])->dim[0], flat = n * (n + 1);
    se_attr none = {.n = 2}, zeros = {.n = 2, .list = {0, n}};
    se_ref wide = OP(b, pad, ATTRS(none, zeros, SE_NUM(0)), se_with_last(b, g->x[0]));
    se_ref line = se_reshape_to(b, wide, 1, &flat);
    g->y[0] = se_reshape_to(b, se_rows_of(b, line, 0, n * n), 2, (int64_t[]){n, n});
}

const se_op se_op_diag = {
    .name = "diag",
    .args = "x",
    .doc = "a square matrix with x on the diagonal and zeros around it; of a matrix: x:diagonal()",
    .shape = diag_shape,
    .expand = diag_expand,
    .sample = "x:f32[3]; x:f32[1]; x:f32[0]; x:i32[4]; x:bool[3]; x:bf16[2]; x:f32[201]",
    .bf16 = true,
};
