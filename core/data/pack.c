#include "data/pack.h"

#include <inttypes.h>
#include <string.h>

static int64_t start_of(const se_pack_source *f, int64_t i)
{
    return f->starts64 ? f->starts64[i] : f->starts32[i];
}

static se_status measure(const se_pack_source *f, int64_t n, const int64_t *which, se_packed *out)
{
    memset(out, 0, sizeof *out);
    out->texts = n;
    for (int64_t i = 0; i < n; i++) {
        int64_t t = which ? which[i] : i;
        if (t < 0 || t >= f->texts)
            return se_fail(SE_ERR_ARG, "pack: text %" PRId64 ": expected 0 to %" PRId64, t,
                           f->texts - 1);
        int64_t tokens = start_of(f, t + 1) - start_of(f, t);
        out->tokens += tokens;
        out->longest = tokens > out->longest ? (int32_t)tokens : out->longest;
        out->truncated += (f->cut8 && f->cut8[t]) || (f->cut32 && f->cut32[t]);
    }
    if (n < 0 || n >= INT32_MAX || out->tokens > INT32_MAX)
        return se_fail(SE_ERR_ARG,
                       "pack: %" PRId64 " texts of %" PRId64 " tokens: a batch has less than 2^31",
                       n, out->tokens);
    return SE_OK;
}

se_status se_pack(const se_pack_source *from, int64_t n, const int64_t *which, int32_t pad,
                  se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions)
{
    se_status s = measure(from, n, which, out);
    if (s != SE_OK || !ids)
        return s;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t t = which ? which[i] : i, begin = start_of(from, t), end = start_of(from, t + 1);
        int32_t seen = 0;
        starts[i] = (int32_t)at;
        for (int64_t j = begin; j < end; j++, at++) {
            ids[at] = from->ids16 ? from->ids16[j] : from->ids32[j];
            if (positions)
                positions[at] = ids[at] == pad ? pad : ++seen + pad;
        }
    }
    starts[n] = (int32_t)at;
    return SE_OK;
}

se_status se_pack_batch(const se_token_batch *batch, int64_t n, const int64_t *which, int32_t pad,
                        se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions)
{
    se_pack_source from = {
        .texts = batch->n, .ids32 = batch->ids, .starts32 = batch->starts, .cut32 = batch->cuts};
    return se_pack(&from, n, which, pad, out, ids, starts, positions);
}
