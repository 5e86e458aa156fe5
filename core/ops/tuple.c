/* Several references as the outputs of one node: what an op with several outputs becomes when it is
 * expanded. */
#include "hlo.h"

static se_status tuple_shape(const se_shape *s)
{
    if (s->n_in != SE_MAX_OUTPUTS) /* others have their own number of outputs: see node.c */
        return SE_SHAPE_FAIL(s, "%d tensors came, %d are wanted", s->n_in, SE_MAX_OUTPUTS);
    for (int i = 0; i < s->n_in; i++)
        s->out[i] = s->in[i];
    return SE_OK;
}

static void tuple_grad(se_build *b, const se_rule *g)
{
    (void)b;
    for (int i = 0; i < g->n_in; i++)
        g->dx[i] = g->dy[i];
}

const se_op se_op_tuple = {
    .name = "tuple",
    .args = "xs*",
    .doc = "its inputs as the outputs of one node",
    .n_out = SE_MAX_OUTPUTS,
    .outs = "a b c d",
    .shape = tuple_shape,
    .grad = tuple_grad,
    .hlo = se_hlo_same,
    .alias = true,
    .internal = true,
};
