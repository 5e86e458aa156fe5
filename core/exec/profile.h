/* Times of ops, summed by op and recipe line. */
#ifndef SE_PROFILE_H
#define SE_PROFILE_H

#include "node.h"

/* True between se_profile_start and the end of the process. */
bool se_profile_on(void);

/* Adds one run of the node. */
void se_profile_add(const se_node *n, double seconds);

#endif
