/* An op in C, outside of sembed's tree: snake(x) = x + sin(a x)^2 / a, an activation for periodic
 * signals (Ziyin et al. 2020, arXiv:2006.08195). In this folder:
 *
 *     cc -shared -fPIC -O2 snake.c -o snake.so $(pkg-config --cflags sembed)
 *     sembed test_snake.lua
 *
 * op.h says what each field of an op means. */
#include <math.h>
#include <op.h>

SE_OP_EXTERN(add); /* ops of sembed that the gradient is made of */
SE_OP_EXTERN(mul);
SE_OP_EXTERN(sin);

/* Elements [lo, hi) of the output: sembed splits the work over threads. Once for float, and once
 * for double, in which se.op.check compares the gradient with differences. */
#define SNAKE(name, real)                                                                          \
    static void name(const se_task *t, int64_t lo, int64_t hi)                                     \
    {                                                                                              \
        const real *x = t->in[0];                                                                  \
        real *y = t->out[0];                                                                       \
        double a = t->attr[0].f;                                                                   \
        for (int64_t i = lo; i < hi; i++) {                                                        \
            double s = sin(a * x[i]);                                                              \
            y[i] = (real)(x[i] + s * s / a);                                                       \
        }                                                                                          \
    }
SNAKE(snake_f32, float)
SNAKE(snake_f64, double)

/* Types and attributes are checked when the op is called, not when it is computed. */
static se_status snake_shape(const se_shape *s)
{
    if (!(s->attr[0].f > 0))
        return SE_SHAPE_FAIL(s, "a must be positive: %g came", s->attr[0].f);
    return se_shape_like_first(s);
}

/* dx = dy * (1 + sin(2 a x)): nodes, not numbers; so it has a gradient, too. */
static void snake_grad(se_build *b, const se_rule *g)
{
    se_ref angle = OP2(b, mul, g->x[0], se_number(b, 2 * g->attr[0].f));
    g->dx[0] = OP2(b, mul, g->dy[0], OP2(b, add, OP1(b, sin, angle), se_number(b, 1)));
}

static const se_op snake = {
    .name = "snake",
    .args = "x a:num=1",
    .doc = "x + sin(a x)^2 / a",
    .shape = snake_shape,
    .cpu_rows = SE_KERNEL_OF(snake_f32, snake_f64),
    .grad = snake_grad,
    .split = SE_BY_ELEMENT,
    .floats = true,  /* integers become f32 first */
    .rowwise = true, /* row i of y comes from row i of x */
    .inplace = 1,    /* y may take the place of x */
    .sample = "x:f32[2x3]; x:f32[3x0]; x:f32[1] a=0.5; x:f32[250x200] a=3",
};

SE_OP_EXPORT(&snake);
