#include "data/pack.h"

#include <inttypes.h>
#include <string.h>

static se_status measure(const se_pack_source *f, int64_t n, const int64_t *which, se_packed *out)
{
    memset(out, 0, sizeof *out);
    out->texts = n;
    for (int64_t i = 0; i < n; i++) {
        int64_t t = which ? which[i] : i;
        if (t < 0 || t >= f->texts)
            return se_fail(SE_ERR_ARG, "pack: text %" PRId64 ": expected 0 to %" PRId64, t,
                           f->texts - 1);
        se_pack_text x = f->text(f->from, t);
        out->tokens += x.tokens;
        out->longest = x.tokens > out->longest ? (int32_t)x.tokens : out->longest;
        out->truncated += x.cut;
    }
    if (n < 0 || n >= INT32_MAX || out->tokens > INT32_MAX)
        return se_fail(SE_ERR_ARG,
                       "pack: %" PRId64 " texts of %" PRId64 " tokens: a batch has less than 2^31",
                       n, out->tokens);
    return SE_OK;
}

se_status se_pack(const se_pack_source *f, int64_t n, const int64_t *which, int32_t pad,
                  se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions)
{
    se_status s = measure(f, n, which, out);
    if (s != SE_OK || !ids)
        return s;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        se_pack_text x = f->text(f->from, which ? which[i] : i);
        int32_t seen = 0;
        starts[i] = (int32_t)at;
        for (int64_t j = 0; j < x.tokens; j++, at++) {
            ids[at] = x.ids16 ? x.ids16[j] : x.ids32[j];
            if (positions)
                positions[at] = ids[at] == pad ? pad : ++seen + pad;
        }
    }
    starts[n] = (int32_t)at;
    return SE_OK;
}

static se_pack_text text_of_batch(const void *from, int64_t i)
{
    const se_token_batch *b = from;
    return (se_pack_text){.ids32 = b->ids + b->starts[i],
                          .tokens = b->starts[i + 1] - b->starts[i],
                          .cut = b->cuts[i] > 0};
}

se_status se_pack_batch(const se_token_batch *batch, int64_t n, const int64_t *which, int32_t pad,
                        se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions)
{
    se_pack_source source = {.texts = batch->n, .from = batch, .text = text_of_batch};
    return se_pack(&source, n, which, pad, out, ids, starts, positions);
}
