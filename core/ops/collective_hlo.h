/* StableHLO of the ops between shards (collective.c). */
#ifndef SE_OPS_COLLECTIVE_HLO_H
#define SE_OPS_COLLECTIVE_HLO_H

#include "hlo.h"

void se_shard_gather_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_sum_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_mean_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_scatter_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_index_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_rows_hlo(se_hlo *h, const se_hlo_rule *r);
void se_shard_broadcast_hlo(se_hlo *h, const se_hlo_rule *r);

#endif
