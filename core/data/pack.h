/* Packing: the tokens of some texts, one behind the other, as the model takes them. */
#ifndef SE_DATA_PACK_H
#define SE_DATA_PACK_H

#include "base.h"
#include "tokenizer.h"

/* sembed-cdef-begin */
/* What a pack holds. T = tokens. */
typedef struct se_packed {
    int64_t texts, tokens;
    int64_t truncated; /* texts that lost tokens when they were cut to the longest length */
    int32_t longest;   /* tokens of the longest text */
} se_packed;

/* Packs the texts which[0 .. n) of a batch that the tokenizer made (which = NULL: texts 0 .. n).
 * With ids = NULL it only measures (*out). Else it fills ids [T], starts [n + 1] and, where it is
 * not NULL, positions [T]: the i-th token (from 0) that is not `pad` gets i + 1 + pad, a pad token
 * gets pad. MPNet: pad = 1, so 2, 3, ...; models whose positions begin at 0 (BERT): pad = -1.
 * Fails with SE_ERR_ARG for a number outside the batch. */
SE_API se_status se_pack_batch(const se_token_batch *batch, int64_t n, const int64_t *which,
                               int32_t pad, se_packed *out, int32_t *ids, int32_t *starts,
                               int32_t *positions);
/* sembed-cdef-end */

/* One tokenised text, its ids in one of two widths. */
typedef struct se_pack_text {
    const uint16_t *ids16;
    const int32_t *ids32;
    int64_t tokens;
    bool cut; /* it lost tokens */
} se_pack_text;

/* Tokenised texts, wherever they are kept: text i (0 <= i < texts) of `from`. */
typedef struct se_pack_source {
    int64_t texts;
    const void *from;
    se_pack_text (*text)(const void *from, int64_t i);
} se_pack_source;

se_status se_pack(const se_pack_source *source, int64_t n, const int64_t *which, int32_t pad,
                  se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions);

#endif
