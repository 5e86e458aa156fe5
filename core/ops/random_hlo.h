/* The StableHLO rules of random.c. */
#ifndef SE_RANDOM_HLO_H
#define SE_RANDOM_HLO_H

#include "hlo.h"

void se_dropout_hlo(se_hlo *h, const se_hlo_rule *r);
void se_dropout_grid_hlo(se_hlo *h, const se_hlo_rule *r);
void se_uniform_hlo(se_hlo *h, const se_hlo_rule *r);
void se_normal_hlo(se_hlo *h, const se_hlo_rule *r);
void se_truncated_hlo(se_hlo *h, const se_hlo_rule *r);
void se_bernoulli_hlo(se_hlo *h, const se_hlo_rule *r);
void se_integers_hlo(se_hlo *h, const se_hlo_rule *r);
void se_draws_hlo(se_hlo *h, const se_hlo_rule *r);
void se_permutation_hlo(se_hlo *h, const se_hlo_rule *r);

#endif
