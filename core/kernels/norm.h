/* How layer_norm_grad splits its rows, for its kernel and for the scratch memory it asks for. */
#ifndef SE_NORM_H
#define SE_NORM_H

#include "base.h"

/* Rows of a block: at most 32 blocks, of 16 rows or more. */
static inline int64_t se_norm_block_rows(int64_t rows)
{
    int64_t tall = (rows + 31) / 32;
    return tall < 16 ? 16 : tall;
}

static inline int64_t se_norm_blocks(int64_t rows)
{
    return (rows + se_norm_block_rows(rows) - 1) / se_norm_block_rows(rows);
}

#endif
