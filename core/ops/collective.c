/* Ops between shards. With one shard each is the identity; core/shard replaces what they run. */
#include "ops/compose.h"

static se_status same_shape(const se_shape *s)
{
    return se_shape_like_first(s);
}

static void identity_rule(se_build *b, const se_rule *g)
{
    (void)b;
    g->dx[0] = g->dy[0];
}

static se_status gather_shape(const se_shape *s)
{
    const se_type *x = &s->in[0];
    if (x->rank == 0)
        return SE_SHAPE_FAIL(s, "x has no rows: a scalar came");
    if (x->varying && x->rows > x->dim[0])
        return SE_SHAPE_FAIL(s, "x has %lld rows of %lld over all shards: this is the only shard",
                             (long long)x->dim[0], (long long)x->rows);
    s->out[0] = se_type_make(x->dtype, x->rank, x->dim);
    if (x->varying && x->rows)
        s->out[0].dim[0] = x->rows;
    return SE_OK;
}

const se_op se_op_shard_gather = {
    .name = "shard_gather",
    .args = "x",
    .doc = "the rows of all shards, in order; its gradient is summed over the shards",
    .shape = gather_shape,
    .grad = identity_rule,
    .replicates = true,
    .alias = true,
    .bf16 = true,
    .sample = "x:f32[2x3]; x:i32[5]; x:f32[211x200]",
};

const se_op se_op_shard_sum = {
    .name = "shard_sum",
    .args = "x",
    .doc = "the sum of x over all shards; its gradient is that of the sum, on every shard",
    .shape = same_shape,
    .grad = identity_rule,
    .replicates = true,
    .alias = true,
    .sample = "x:f32[2x3]; x:f32[]; x:f32[211x200]",
};

const se_op se_op_shard_mean = {
    .name = "shard_mean",
    .args = "x",
    .doc = "the mean of x over all shards",
    .shape = same_shape,
    .grad = identity_rule,
    .replicates = true,
    .alias = true,
    .sample = "x:f32[2x3]; x:f32[]; x:f32[211x200]",
};
