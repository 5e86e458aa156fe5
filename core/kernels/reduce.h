/* What core/ops/reduce.c and core/kernels/reduce.c agree on: how a reduction is cut into parts. */
#ifndef SE_REDUCE_H
#define SE_REDUCE_H

#include "base.h"

enum {
    SE_REDUCE_PARTS = 16,  /* column sums over many rows are cut into so many parts, whatever the
                              number of threads is */
    SE_REDUCE_LONG = 1024, /* rows from which they are cut */
    SE_REDUCE_STRIP = 1024 /* columns done at a time */
};

/* Elements of the double table of partial results for `rows` rows reduced to `columns` columns. */
static inline int64_t se_reduce_partials(int64_t rows, int64_t columns)
{
    return rows >= SE_REDUCE_LONG ? SE_REDUCE_PARTS * columns : 0;
}

#endif
