/* How global_norm splits its work, for its kernel and for the scratch memory it asks for. */
#ifndef SE_OPTIM_H
#define SE_OPTIM_H

#include "type.h"

enum { SE_NORM_BLOCK = 32768 }; /* elements added up by one thread in one go */

static inline int64_t se_norm_blocks_of(const se_type *t)
{
    return (se_type_count(t) + SE_NORM_BLOCK - 1) / SE_NORM_BLOCK;
}

#endif
