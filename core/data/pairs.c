#include "data/pairs.h"
#include "data/blob.h"
#include "data/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct se_pairs {
    se_source *source; /* NULL: pairs come by se_pairs_add */
    se_columns names;  /* of those */
    int64_t n;
    struct {
        se_blob texts,
            starts; /* bytes; int64_t [n + 1]: text i is texts[starts[i] .. starts[i+1]) */
    } column[SE_MAX_COLUMNS];
};

se_status se_pairs_open(int32_t n_files, const char *const *files, int32_t n_columns,
                        const char *const *columns, se_pairs **out)
{
    *out = NULL;
    se_pairs *p = se_calloc(1, sizeof *p);
    if (!p)
        return SE_ERR_MEMORY;
    se_status s = se_source_open(n_files, files, n_columns, columns, &p->source);
    if (s != SE_OK)
        se_pairs_free(p);
    else
        *out = p;
    return s;
}

se_status se_pairs_new(int32_t n_columns, const char *const *columns, se_pairs **out)
{
    *out = NULL;
    se_pairs *p = se_calloc(1, sizeof *p);
    se_status s = p ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n_columns; i++)
        s = se_columns_add(&p->names, columns[i]);
    if (s != SE_OK)
        se_pairs_free(p);
    else
        *out = p;
    return s;
}

void se_pairs_free(se_pairs *p)
{
    if (!p)
        return;
    for (int32_t c = 0; c < SE_MAX_COLUMNS; c++) {
        se_blob_free(&p->column[c].texts);
        se_blob_free(&p->column[c].starts);
    }
    se_source_free(p->source);
    se_columns_free(&p->names);
    free(p);
}

static const se_columns *names_of(const se_pairs *p)
{
    return p->source ? se_source_columns(p->source) : &p->names;
}

se_status se_pairs_add(se_pairs *p, const se_record *r)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < names_of(p)->n; i++) {
        se_blob *texts = &p->column[i].texts, *starts = &p->column[i].starts;
        int64_t at = 0;
        if (starts->bytes == 0)
            s = se_blob_add(starts, &at, sizeof at);
        if (s == SE_OK)
            s = se_blob_add(texts, r->text[i], r->bytes[i]);
        at = (int64_t)texts->bytes;
        if (s == SE_OK)
            s = se_blob_add(starts, &at, sizeof at);
    }
    p->n += s == SE_OK;
    return s;
}

se_status se_pairs_step(se_pairs *p, int64_t max_lines, bool *done)
{
    *done = false;
    for (int64_t i = 0; i < max_lines; i++) {
        const char *text;
        size_t bytes;
        se_record r;
        if (se_interrupt_now())
            return se_fail(SE_ERR_INTERRUPTED, "pairs: interrupted after %" PRId64 " pairs", p->n);
        se_status s = se_source_next(p->source, &text, &bytes);
        *done = s == SE_OK && !text;
        if (s != SE_OK || *done)
            return s;
        s = se_source_parse(p->source, text, bytes, se_source_file(p->source),
                            se_source_line(p->source), &r);
        if (s != SE_OK)
            return s;
        s = se_pairs_add(p, &r);
        se_record_free(&r);
        if (s != SE_OK)
            return s;
    }
    return SE_OK;
}

double se_pairs_progress(const se_pairs *p)
{
    return p->source ? se_source_progress(p->source) : 1;
}

int64_t se_pairs_count(const se_pairs *p)
{
    return p->n;
}

int32_t se_pairs_columns(const se_pairs *p)
{
    return names_of(p)->n;
}

const char *se_pairs_column_name(const se_pairs *p, int32_t i)
{
    return i >= 0 && i < names_of(p)->n ? names_of(p)->name[i] : NULL;
}

const char *se_pairs_text(const se_pairs *p, int32_t i, int64_t pair, size_t *bytes)
{
    *bytes = 0;
    if (i < 0 || i >= names_of(p)->n || pair < 0 || pair >= p->n)
        return NULL;
    const int64_t *start = (const int64_t *)(const void *)p->column[i].starts.data + pair;
    *bytes = (size_t)(start[1] - start[0]);
    return p->column[i].texts.data ? p->column[i].texts.data + start[0] : "";
}
