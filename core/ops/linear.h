/* What linear and linear_int8 share (matmul.c). */
#ifndef SE_OPS_LINEAR_H
#define SE_OPS_LINEAR_H

#include "op.h"

/* x [.., k], weight [n, k], bias [n] or none, all f32 -> [.., n]. */
se_status se_linear_shape(const se_shape *s);

/* The packed weights of input 1 [n, k] for products with m rows, or NULL: there are none (yet). */
const void *se_linear_panels(const se_task *t, se_precision as, int64_t m, int64_t n, int64_t k);

/* Multiplications and additions of a run. */
double se_linear_work(const se_task *t);

#endif
