/* What ops made of reductions share: ops whose first attributes are axes and keep. */
#ifndef SE_OPS_REDUCE_H
#define SE_OPS_REDUCE_H

#include "op.h"

/* out[0]: x without the axes of attribute 0 (none: all), or with size 1 there where attribute 1 is
 * true. need_elements: refuses reduced axes of size 0. */
se_status se_reduced_shape(const se_shape *s, se_dtype dtype, bool need_elements);

/* The type of x with reduced axes of size 1; how many elements of x make one of the result. */
se_type se_kept_type(const se_rule *g);
double se_reduced_count(const se_rule *g);

#endif
