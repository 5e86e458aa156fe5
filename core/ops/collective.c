/* Ops between shards. With one shard each is the identity; core/shard replaces what they run. */
#include "hlo.h"
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

/* All replicas are one group, without a channel: the form that plugins old and new take. */
static void write_groups(se_hlo *h)
{
    int64_t n = se_hlo_options_of(h)->replicas;
    se_hlo_write(h, "replica_groups = dense<[[");
    for (int64_t i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %i" : "%i", i);
    se_hlo_write(h, "]]> : tensor<1x%ixi64>}", n);
}

static bool alone(se_hlo *h)
{
    return se_hlo_options_of(h)->replicas <= 1;
}

static void shard_gather_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (alone(h))
        return;
    int64_t dim[SE_H_RANK];
    for (int i = 0; i < x.rank; i++)
        dim[i] = x.dim[i];
    dim[0] *= se_hlo_options_of(h)->replicas;
    se_hval y = se_hlo_value(h, x.dtype, x.rank, dim);
    se_hlo_write(h, "    %v = \"stablehlo.all_gather\"(%v) {all_gather_dim = 0 : i64, ", &y, &x);
    write_groups(h);
    se_hlo_write(h, " : (%t) -> %t\n", &x, &y);
    r->y[0] = y;
}

static void shard_sum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (alone(h))
        return;
    se_hval y = se_hlo_value_like(h, x.dtype, x);
    se_hlo_write(h, "    %v = \"stablehlo.all_reduce\"(%v) ", &y, &x);
    se_hlo_write_region(h, "add", x.dtype);
    se_hlo_write(h, " {");
    write_groups(h);
    se_hlo_write(h, " : (%t) -> %t\n", &x, &y);
    r->y[0] = y;
}

static void shard_mean_hlo(se_hlo *h, const se_hlo_rule *r)
{
    shard_sum_hlo(h, r);
    if (!alone(h))
        r->y[0] = se_hlo_binary(h, "divide", r->y[0],
                                se_hlo_like(h, r->y[0], se_hlo_options_of(h)->replicas));
}

const se_op se_op_shard_gather = {
    .name = "shard_gather",
    .args = "x",
    .doc = "the rows of all shards, in order; its gradient is summed over the shards",
    .shape = gather_shape,
    .grad = identity_rule,
    .hlo = shard_gather_hlo,
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
    .hlo = shard_sum_hlo,
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
    .hlo = shard_mean_hlo,
    .replicates = true,
    .alias = true,
    .sample = "x:f32[2x3]; x:f32[]; x:f32[211x200]",
};
