/* Tensors made of attributes alone (linspace, eye), and the triangles of a matrix. */
#include "ops/compose.h"

#include <float.h>

SE_OP_EXTERN(cast);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(greater_equal);
SE_OP_EXTERN(less);
SE_OP_EXTERN(less_equal);
SE_OP_EXTERN(logical_and);
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
