/* Ops that draw random numbers. Every number is a pure function of its place: kernels/threefry.h.
 */
#include "ops/compose.h"
#include "ops/texts.h"

SE_OP_EXTERN(dropout);
SE_OP_EXTERN(dropout_grid);
SE_KERNEL_DECLARE(dropout);
SE_KERNEL_DECLARE(dropout_grid);
SE_KERNEL_DECLARE(random_normal);
SE_KERNEL_DECLARE(random_uniform);

static se_status dropout_shape(const se_shape *s)
{
    const se_type *who = &s->in[2], *starts = &s->in[3];
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = se_want_key(s, 1)) || (status = se_want_rate(s, s->attr[0].f)))
        return status;
    if ((who->dtype == SE_NONE) != (starts->dtype == SE_NONE))
        return SE_SHAPE_FAIL(s, "who and starts come together or not at all");
    if (starts->dtype != SE_NONE &&
        ((status = se_want_starts(s, 3)) || (status = se_want_who(s, 2, starts->dim[0] - 1))))
        return status;
    return se_shape_like_first(s);
}

static se_status dropout_check(const se_task *t)
{
    int64_t rows = se_type_rows(&t->in_type[0]);
    return t->in[3] ? se_check_starts(&t->in_type[3], t->in[3], rows, rows) : SE_OK;
}

static void dropout_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, dropout, g->attr, g->dy[0], g->x[1], g->x[2], g->x[3]);
}

const se_op se_op_dropout = {
    .name = "dropout",
    .args = "x key who? starts? rate:num=0.1 place:int=0",
    .doc = "zeros a share `rate` of the elements, drawn from key (seed, step, stream), and scales "
           "the rest by 1 / (1 - rate); with who and starts a row's draw belongs to its text",
    .shape = dropout_shape,
    .cpu_rows = SE_KERNEL(dropout),
    .split = SE_BY_LAST,
    .check = dropout_check,
    .grad = dropout_rule,
    .rowwise = true,
    .inplace = 1,
    .sample = "x:f32[5x7] key:i32[3]=1,2,0 rate=0.5 -rows; "
              "x:f32[9x7] key:i32[3]=1,2,0 who:i32[3]=4,0,9 starts:i32[4]=0,2,2,8 place=3 -rows; "
              "x:f32[67x768] key:i32[3]=1,2,1 -rows",
};

static se_status dropout_grid_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, 4);
    if (status || (status = se_want_key(s, 1)) || (status = se_want_who(s, 2, s->in[0].dim[0])) ||
        (status = se_want_rate(s, s->attr[0].f)))
        return status;
    return se_shape_like_first(s);
}

static void dropout_grid_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = OP(b, dropout_grid, g->attr, g->dy[0], g->x[1], g->x[2]);
}

const se_op se_op_dropout_grid = {
    .name = "dropout_grid",
    .args = "p key who rate:num=0.1 place:int=0",
    .doc = "dropout of attention probabilities [texts, heads, queries, keys]",
    .shape = dropout_grid_shape,
    .cpu_rows = SE_KERNEL(dropout_grid),
    .split = SE_BY_LAST,
    .grad = dropout_grid_rule,
    .internal = true,
    .rowwise = true,
    .inplace = 1,
    .sample = "p:f32[2x3x4x5] key:i32[3]=1,2,0 who:i32[2]=7,3 rate=0.4 place=1 -rows; "
              "p:f32[7x3x45x45] key:i32[3]=1,2,0 who:i32[7]=7,3,1,2,9,8,11 -rows",
};

static se_status random_shape(const se_shape *s)
{
    se_status status = se_want_key(s, 0);
    for (int i = 0; !status && i < s->attr[0].n; i++)
        if (s->attr[0].list[i] < 0)
            status = SE_SHAPE_FAIL(s, "a size is negative: %lld", (long long)s->attr[0].list[i]);
    if (!status)
        s->out[0] = se_type_make(SE_F32, s->attr[0].n, s->attr[0].list);
    return status;
}

const se_op se_op_random_normal = {
    .name = "random_normal",
    .args = "key dims:ints place:int=0",
    .doc = "normal numbers (mean 0, deviation 1), drawn from key (seed, step, stream) and place",
    .shape = random_shape,
    .cpu_rows = SE_KERNEL(random_normal),
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} place=4; key:i32[3]=1,2,0 dims={}; "
              "key:i32[3]=-1,2,0 dims={67,777}",
};

const se_op se_op_random_uniform = {
    .name = "random_uniform",
    .args = "key dims:ints place:int=0",
    .doc = "numbers from 0 up to 1, drawn from key (seed, step, stream) and place",
    .shape = random_shape,
    .cpu_rows = SE_KERNEL(random_uniform),
    .split = SE_BY_LAST,
    .sample = "key:i32[3]=1,2,0 dims={3,5} place=4; key:i32[3]=1,2,0 dims={}; "
              "key:i32[3]=-1,2,0 dims={67,777}",
};
