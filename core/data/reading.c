#include "data/reading.h"

#include <stdlib.h>
#include <string.h>

static se_status add(se_reading *r, const char *text, size_t bytes, int32_t file, int64_t number)
{
    se_reading_line l = {r->text.bytes, bytes, number, file};
    se_status s = se_blob_add(&r->text, text, bytes);
    if (s == SE_OK)
        s = se_blob_add(&r->lines, &l, sizeof l);
    r->n += s == SE_OK;
    return s;
}

void se_reading_fill(se_reading *r, se_source *source, int64_t most)
{
    const char *text = "";
    size_t bytes;
    se_status s = SE_OK;
    r->text.bytes = r->lines.bytes = 0;
    r->n = 0;
    while (s == SE_OK && text && r->n < most) {
        s = se_source_next(source, &text, &bytes);
        if (s == SE_OK && text)
            s = add(r, text, bytes, se_source_file(source), se_source_line(source));
    }
    se_source_tell(source, &r->after);
    r->last = !text;
    r->status = s;
    free(r->message);
    r->message = s == SE_OK ? NULL : se_strdup(se_message());
}

se_status se_reading_tell(const se_reading *r)
{
    return r->status == SE_OK ? SE_OK : se_fail(r->status, "%s", r->message ? r->message : "");
}

const se_reading_line *se_reading_line_at(const se_reading *r, int64_t i, const char **text)
{
    const se_reading_line *l = (const se_reading_line *)(const void *)r->lines.data + i;
    *text = r->text.data ? r->text.data + l->begin : "";
    return l;
}

void se_reading_free(se_reading *r)
{
    se_blob_free(&r->text);
    se_blob_free(&r->lines);
    free(r->message);
    memset(r, 0, sizeof *r);
}
