/* What tests/outside.sh compiles into shared objects, once as it is and once for each mistake:
 * CHANGE (of the first op) and SECOND are put after the fields and override some. */
#include <op.h>

#ifndef CHANGE
#define CHANGE
#endif
#ifndef SECOND
#define SECOND
#endif

SE_OP_EXTERN(add);
SE_OP_EXTERN(mul);
SE_OP_EXTERN(no_such_op);
se_ref se_no_such_call(se_build *b, se_ref x);

#define KERNEL(name, real)                                                                         \
    static void name(const se_task *t, int64_t lo, int64_t hi)                                     \
    {                                                                                              \
        const real *x = t->in[0];                                                                  \
        real *y = t->out[0];                                                                       \
        for (int64_t i = lo; i < hi; i++)                                                          \
            y[i] = (real)t->attr[1].f * x[i];                                                      \
    }
KERNEL(twice_f32, float)
KERNEL(twice_f64, double)

#if defined(CHECKS) || defined(BROKEN_EXPAND)
static se_status no_shape(const se_shape *s)
{
    s->out[0] = (se_type){.rank = 1, .dim = {-1}};
    return SE_OK;
}
static void flat_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = se_number(b, 1);
}
#endif

/* For se.op.check: gradients, right and wrong; an expansion that is another function; kernels whose
 * rows know their neighbours, or how often they were called. */
#ifdef CHECKS
static void right_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], se_number(b, g->attr[1].f));
}
static void wrong_grad(se_build *b, const se_rule *g)
{
    g->dx[0] = OP2(b, mul, g->dy[0], se_number(b, g->attr[1].f * 1.0001));
}
static void thrice(se_build *b, const se_rule *g)
{
    g->y[0] = OP2(b, mul, g->x[0], se_number(b, 3));
}
static void crowd(const se_task *t, int64_t lo, int64_t hi)
{
    for (int64_t i = lo; i < hi; i++)
        ((float *)t->out[0])[i] = ((const float *)t->in[0])[i] + (float)(hi - lo);
}
static void calls(const se_task *t, int64_t lo, int64_t hi)
{
    static int count;
    count++;
    for (int64_t i = lo; i < hi; i++)
        ((float *)t->out[0])[i] = (float)count;
}
#endif

static const se_op first = {.name = "twofold",
                            .args = "x axes:axes={0} factor:num=2 bias:bool=true kind:dtype=i32",
                            .doc = "factor * x",
                            .shape = se_shape_like_first,
                            .cpu_rows = SE_KERNEL_OF(twice_f32, twice_f64),
                            .split = SE_BY_ELEMENT,
                            .floats = true,
                            .rowwise = true,
                            .sample = "x:f32[2x3]; x:f32[0x3]; x:f32[1] factor=-1; "
                                      "x:f32[90x500]",
                            CHANGE};

#ifdef BROKEN_EXPAND /* an op that is not exported */
static const se_op unnamed = {.name = "unnamed",
                              .doc = "not exported",
                              .args = "x",
                              .shape = se_shape_like_first,
                              .expand = NULL};
#define se_op_unnamed unnamed
#endif

/* Two outputs: x + y and x * y, out of other ops. */
static void second_expand(se_build *b, const se_rule *g)
{
#if defined(BROKEN_EXPAND)
    BROKEN_EXPAND;
    return;
#elif defined(UNKNOWN_OP)
    g->y[0] = OP1(b, no_such_op, g->x[0]);
#elif defined(UNKNOWN_CALL)
    g->y[0] = se_no_such_call(b, g->x[0]);
#else
    g->y[0] = OP2(b, add, g->x[0], g->x[1]);
#endif
    g->y[1] = OP2(b, mul, g->x[0], g->x[1]);
}

static se_status second_shape(const se_shape *s)
{
    se_status status = se_shape_broadcast(s);
    s->out[1] = s->out[0];
    return status;
}

static const se_op second = {.name = "twofold_pair",
                             .args = "x y",
                             .doc = "sum and product",
                             .n_out = 2,
                             .outs = "total product",
                             .shape = second_shape,
                             .expand = second_expand,
                             .promote = true,
                             .sample = "x:f32[2x3] y:f32[3]",
                             SECOND};

#if defined(VERSION) /* by hand, as another op.h would do it */
static const se_op *const list[] = {&first, &second};
const se_op_exports se_op_exported = {VERSION, SIZE, 2, list};
#elif defined(NOTHING)
const se_op *const some_other_symbol[] = {&first, &second};
#else
SE_OP_EXPORT(&first, &second);
#endif
