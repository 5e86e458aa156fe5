/* Times of ops, summed by op and recipe line. */
#ifndef SE_PROFILE_H
#define SE_PROFILE_H

#include "node.h"

/* Forgets all times; from here on nodes are timed. */
void se_profile_begin(void);
bool se_profile_on(void);

/* Adds one run of the node; work: its multiplications and additions (op.h), 0 where memory sets the
 * pace. */
void se_profile_add(const se_node *n, double seconds, double work);

/* The table: one line for each op and recipe line, the slowest first. Freed by free(). */
char *se_profile_print(void);

#endif
