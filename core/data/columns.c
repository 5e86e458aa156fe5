#include "data/columns.h"

enum { START, PLAIN, QUOTED, QUOTE }; /* QUOTE: behind a quote within a quoted column */

void se_columns_begin(se_columns_of_line *c)
{
    c->text.bytes = c->ends.bytes = 0;
    c->state = START;
}

static se_status end_column(se_columns_of_line *c)
{
    size_t end = c->text.bytes;
    c->state = START;
    return se_blob_add(&c->ends, &end, sizeof end);
}

se_status se_columns_feed(se_columns_of_line *c, char separator, bool quotes, const char *text,
                          size_t bytes)
{
    se_status s = se_blob_reserve(&c->text, bytes);
    for (size_t i = 0; s == SE_OK && i < bytes; i++) {
        char x = text[i];
        bool quote = quotes && x == '"';
        if (c->state == QUOTED && quote) {
            c->state = QUOTE;
        } else if (c->state == START && quote) {
            c->state = QUOTED;
        } else if (c->state != QUOTED && x == separator) {
            s = end_column(c);
        } else {
            if (c->state == QUOTE) /* "" is a quote; anything else ends the quoting */
                c->state = quote ? QUOTED : PLAIN;
            else if (c->state == START)
                c->state = PLAIN;
            c->text.data[c->text.bytes++] = x;
        }
    }
    return s;
}

bool se_columns_open(const se_columns_of_line *c)
{
    return c->state == QUOTED;
}

se_status se_columns_end(se_columns_of_line *c)
{
    return end_column(c);
}

int64_t se_columns_count(const se_columns_of_line *c)
{
    return (int64_t)(c->ends.bytes / sizeof(size_t));
}

const char *se_columns_at(const se_columns_of_line *c, int64_t i, size_t *bytes)
{
    const size_t *end = (const size_t *)(const void *)c->ends.data;
    size_t from = i ? end[i - 1] : 0;
    *bytes = end[i] - from;
    return c->text.data ? c->text.data + from : "";
}

void se_columns_of_line_free(se_columns_of_line *c)
{
    se_blob_free(&c->text);
    se_blob_free(&c->ends);
}
