/* Ops between shards as StableHLO, where replicas of one program are the shards. */
#include "ops/collective_hlo.h"

/* All replicas are one group, without a channel: the form that plugins old and new take. */
static void write_groups(se_hlo *h)
{
    int64_t n = se_hlo_options_of(h)->replicas;
    se_hlo_write(h, "replica_groups = dense<[[");
    for (int64_t i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %i" : "%i", i);
    se_hlo_write(h, "]]> : tensor<1x%ixi64>}", n);
}

/* One replica, or the same x on every one. */
static bool nothing_to_do(se_hlo *h, const se_hlo_rule *r)
{
    return se_hlo_options_of(h)->replicas <= 1 || !r->in[0].varying;
}

void se_shard_gather_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (nothing_to_do(h, r))
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

void se_shard_sum_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (nothing_to_do(h, r))
        return;
    se_hval y = se_hlo_value_like(h, x.dtype, x);
    se_hlo_write(h, "    %v = \"stablehlo.all_reduce\"(%v) ", &y, &x);
    se_hlo_write_region(h, "add", x.dtype);
    se_hlo_write(h, " {");
    write_groups(h);
    se_hlo_write(h, " : (%t) -> %t\n", &x, &y);
    r->y[0] = y;
}

void se_shard_mean_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_shard_sum_hlo(h, r);
    if (!nothing_to_do(h, r))
        r->y[0] = se_hlo_binary(h, "divide", r->y[0],
                                se_hlo_like(h, r->y[0], se_hlo_options_of(h)->replicas));
}

static se_hval replica(se_hlo *h)
{
    se_hval id = se_hlo_value(h, SE_I32, 0, NULL), number = se_hlo_value(h, SE_I32, 0, NULL);
    se_hlo_write(h, "    %v = stablehlo.replica_id : tensor<ui32>\n", &id);
    se_hlo_write(h, "    %v = stablehlo.convert %v : (tensor<ui32>) -> tensor<i32>\n", &number,
                 &id);
    return number;
}

/* i32[*rows]: where this replica's rows stand in those of all. */
static se_hval own_rows(se_hlo *h, const int64_t *rows)
{
    se_hval first = se_hlo_with(h, "multiply", replica(h), (double)*rows);
    se_hval place = se_hlo_iota(h, SE_I32, 1, rows, 0);
    return se_hlo_binary(h, "add", place, se_hlo_stretch(h, first, 1, rows));
}

void se_shard_scatter_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (se_hlo_options_of(h)->replicas <= 1)
        return;
    if (!r->in[0].varying) {
        r->y[0] = se_hlo_take(h, x, own_rows(h, r->type[0].dim));
        return;
    }
    se_hval y = se_hlo_value_of(h, &r->type[0]);
    se_hlo_write(h, "    %v = \"stablehlo.reduce_scatter\"(%v) ", &y, &x);
    se_hlo_write_region(h, "add", x.dtype);
    se_hlo_write(h, " {scatter_dimension = 0 : i64, ");
    write_groups(h);
    se_hlo_write(h, " : (%t) -> %t\n", &x, &y);
    r->y[0] = y;
}

void se_shard_index_hlo(se_hlo *h, const se_hlo_rule *r)
{
    r->y[0] = se_hlo_options_of(h)->replicas > 1 ? replica(h) : se_hlo_int(h, SE_I32, 0);
}

void se_shard_rows_hlo(se_hlo *h, const se_hlo_rule *r)
{
    const int64_t *dim = r->type[0].dim;
    if (se_hlo_options_of(h)->replicas > 1 && r->type[0].varying)
        r->y[0] = own_rows(h, dim);
    else
        r->y[0] = se_hlo_iota(h, SE_I32, 1, dim, 0);
}

void se_shard_broadcast_hlo(se_hlo *h, const se_hlo_rule *r)
{
    se_hval x = r->x[0];
    r->y[0] = x;
    if (nothing_to_do(h, r))
        return;
    se_hval here = se_hlo_compare_with(h, "EQ", replica(h), (double)r->attr[0].i);
    here = se_hlo_stretch(h, here, x.rank, x.dim);
    se_hval mine = se_hlo_select(h, here, x, se_hlo_like(h, x, 0));
    se_hlo_rule sum = *r;
    sum.x = &mine;
    se_shard_sum_hlo(h, &sum);
}
