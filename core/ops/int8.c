/* A linear layer in int8, for encoding: core/kernels/panels_int8.c. */
#include "op.h"

#include "kernels/gemm.h"
#include "kernels/panels.h"
#include "ops/compose.h"
#include "ops/linear.h"

#include <stdlib.h>

SE_OP_EXTERN(matmul);
SE_OP_EXTERN(abs);
SE_OP_EXTERN(round);
SE_OP_EXTERN(greater);
SE_OP_EXTERN(where);

static se_status linear_int8_shape(const se_shape *s)
{
    se_status status = se_linear_shape(s);
    if (!status && s->in[1].dim[1] > SE_GEMM_INT8_K)
        return SE_SHAPE_FAIL(s,
                             "sums of %lld products of int8 may not fit into 32 bits: %d at "
                             "most are wanted",
                             (long long)s->in[1].dim[1], SE_GEMM_INT8_K);
    return status;
}

/* The rows of x as int8, with their scales: a piece for each thread, used as one. */
static int64_t linear_int8_scratch(const se_task *t)
{
    int64_t k = t->in_type[1].dim[1], threads = se_threads();
    int64_t bytes = se_gemm_int8_bytes(se_type_rows(&t->in_type[0]), k);
    return ((bytes + threads - 1) / threads + 63) / 64 * 64;
}

/* --- in double (tests): through floats --- */

static float *floats_of(const void *x, int64_t n)
{
    float *y = x ? malloc((size_t)(n + 1) * sizeof *y) : NULL;
    for (int64_t i = 0; y && i < n; i++)
        y[i] = (float)((const double *)x)[i];
    return y;
}

static void in_double(const se_task *t, int64_t m, int64_t n, int64_t k)
{
    float *x = floats_of(t->in[0], m * k), *w = floats_of(t->in[1], n * k);
    float *bias = floats_of(t->in[2], n), *y = malloc((size_t)(m * n + 1) * sizeof *y);
    void *room = malloc((size_t)se_gemm_int8_bytes(m, k) + 1);
    if (!x || !w || !y || !room)
        SE_BUG("no memory for a product in double");
    se_gemm_int8(m, n, k, x, w, NULL, bias, y, room);
    for (int64_t i = 0; i < m * n; i++)
        ((double *)t->out[0])[i] = (double)y[i];
    free(x);
    free(w);
    free(bias);
    free(y);
    free(room);
}

static void linear_int8_cpu(const se_task *t, int64_t lo, int64_t hi)
{
    int64_t m = se_type_rows(&t->in_type[0]), n = t->in_type[1].dim[0], k = t->in_type[1].dim[1];
    (void)lo;
    (void)hi;
    if (se_real_is_f64()) {
        in_double(t, m, n, k);
        return;
    }
    const void *panels = se_linear_panels(t, SE_PRECISION_INT8, m, n, k);
    se_gemm_int8(m, n, k, t->in[0], t->in[1], panels, t->in[2], t->out[0], t->scratch);
}

static void linear_int8_grad(se_build *b, const se_rule *g)
{
    se_no_gradient(b, g, "int8 is for encoding; train in f32 or bf16");
}

/* --- in other ops --- */

typedef struct rounded {
    se_ref numbers, scale; /* scale [.., 1]: of each row */
} rounded;

static rounded round_rows(se_build *b, se_ref x)
{
    se_ref most = se_max_last(b, OP1(b, abs, x)), none = se_number(b, 0);
    se_ref some = OP2(b, greater, most, se_number(b, (double)SE_INT8_SMALLEST));
    se_ref by = OP3(b, where, some, OP2(b, div, se_number(b, 127), most), none);
    return (rounded){OP1(b, round, OP2(b, mul, x, by)),
                     OP3(b, where, some, OP2(b, div, most, se_number(b, 127)), none)};
}

static void linear_int8_expand(se_build *b, const se_rule *g)
{
    const se_type *w = se_ref_type(g->x[1]);
    se_ref x = g->x[0], weight = g->x[1];
    se_attr turned[] = {SE_INT(0), SE_INT(1), SE_INT(0)};
    if (w && w->dim[1] > 0) {
        rounded rows = round_rows(b, x), columns = round_rows(b, weight);
        se_ref scale = se_reshape_to(b, columns.scale, 1, w->dim);
        g->y[0] = OP2(b, mul, OP(b, matmul, turned, rows.numbers, columns.numbers),
                      OP2(b, mul, rows.scale, scale));
    } else {
        g->y[0] = OP(b, matmul, turned, x, weight);
    }
    if (se_ref_ok(g->x[2]))
        g->y[0] = OP2(b, add, g->y[0], g->x[2]);
}

const se_op se_op_linear_int8 = {
    .name = "linear_int8",
    .args = "x weight bias?",
    .doc = "linear in int8: rows of x and of weight are rounded to 255 steps each, sums are exact; "
           "for encoding, no gradient",
    .shape = linear_int8_shape,
    .cpu = {{[SE_LEVEL_PORTABLE] = linear_int8_cpu}},
    .scratch = linear_int8_scratch,
    .work = se_linear_work,
    .grad = linear_int8_grad,
    .expand = linear_int8_expand,
    .sample =
        "x:f32[2x3] weight:f32[4x3] bias:f32[4] -grad; x:f32[2x5] weight:f32[3x5] -grad; "
        "x:f32[5x2x7] weight:f32[4x7] bias:f32[4] -grad; x:f32[3] weight:f32[4x3] bias:f32[4] "
        "-grad; x:f32[0x3] weight:f32[4x3] bias:f32[4] -grad; x:f32[301x90] "
        "weight:f32[170x90] bias:f32[170] -grad; x:f32[2x0] weight:f32[3x0] bias:f32[3] "
        "-grad; x:f32[17x901] weight:f32[35x901] -grad",
    .promote = true,
    .rowwise = true,
};
