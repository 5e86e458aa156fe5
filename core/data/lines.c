#include "data/lines.h"
#include "data/blob.h"
#include "data/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct se_lines {
    se_stream *stream;
    int64_t number;
    int64_t dropped; /* bytes of the text that stood before text.data */
    /* text[begin .. at) is the last line given; text[at .. text.bytes) is not given out yet, and
     * there is no newline in the first `scanned` bytes from begin of a line that is looked for */
    se_blob text;
    size_t begin, at, scanned;
    bool done;
};

se_status se_lines_open(const char *path, se_lines **out)
{
    *out = NULL;
    se_lines *l = se_calloc(1, sizeof *l);
    if (!l)
        return SE_ERR_MEMORY;
    se_status s = se_stream_open(path, &l->stream);
    if (s != SE_OK)
        se_lines_close(l);
    else
        *out = l;
    return s;
}

void se_lines_close(se_lines *l)
{
    if (!l)
        return;
    se_stream_close(l->stream);
    se_blob_free(&l->text);
    free(l);
}

/* Appends some text, or sets done. What stands before the line that begins at `begin` goes. */
static se_status fill(se_lines *l)
{
    if (l->begin) {
        memmove(l->text.data, l->text.data + l->begin, l->text.bytes - l->begin);
        l->text.bytes -= l->begin;
        l->at -= l->begin;
        l->dropped += (int64_t)l->begin;
        l->begin = 0;
    }
    return se_stream_fill(l->stream, &l->text, &l->done);
}

/* The line from begin to the first newline behind `scanned` bytes. */
static se_status take(se_lines *l, const char **text, size_t *bytes)
{
    const char *end = NULL;
    for (;;) {
        const char *line = l->text.data ? l->text.data + l->begin : NULL;
        size_t left = l->text.bytes - l->begin;
        if (left > l->scanned)
            end = memchr(line + l->scanned, '\n', left - l->scanned);
        if (end || l->done)
            break;
        l->scanned = left;
        se_status s = fill(l);
        if (s != SE_OK)
            return s;
    }
    const char *line = l->text.data ? l->text.data + l->begin : NULL;
    size_t n = end ? (size_t)(end - line) : l->text.bytes - l->begin;
    l->at = l->begin + n + (end ? 1 : 0);
    l->number++;
    *text = line;
    *bytes = n > 0 && line[n - 1] == '\r' ? n - 1 : n;
    return SE_OK;
}

/* Whether there is a byte behind the last line given. */
static se_status more(se_lines *l, bool *there)
{
    se_status s = SE_OK;
    while (s == SE_OK && l->at == l->text.bytes && !l->done)
        s = fill(l);
    *there = l->at < l->text.bytes;
    return s;
}

se_status se_lines_next(se_lines *l, const char **text, size_t *bytes)
{
    bool there;
    *text = NULL;
    *bytes = 0;
    l->begin = l->at;
    se_status s = more(l, &there);
    if (s != SE_OK || !there)
        return s;
    l->scanned = 0;
    return take(l, text, bytes);
}

se_status se_lines_extend(se_lines *l, const char **text, size_t *bytes)
{
    bool there;
    *text = NULL;
    *bytes = 0;
    se_status s = more(l, &there);
    if (s != SE_OK || !there)
        return s;
    l->scanned = l->at - l->begin;
    return take(l, text, bytes);
}

se_status se_lines_peek(se_lines *l, const char **text, size_t *bytes)
{
    bool there = false;
    se_status s = more(l, &there);
    *text = there ? l->text.data + l->at : NULL;
    *bytes = there ? l->text.bytes - l->at : 0;
    return s;
}

int64_t se_lines_offset(const se_lines *l)
{
    return l->dropped + (int64_t)l->at;
}

se_status se_lines_skip(se_lines *l, int64_t number, int64_t offset)
{
    bool went;
    const char *text;
    size_t bytes;
    se_status s = se_stream_seek(l->stream, offset, &went);
    if (s == SE_OK && went) {
        l->text.bytes = l->begin = l->at = l->scanned = 0;
        l->dropped = offset;
        l->number = number;
        l->done = false;
        return SE_OK;
    }
    while (s == SE_OK && l->number < number) {
        s = se_interrupt_now()
                ? se_fail(SE_ERR_INTERRUPTED, "%s: interrupted", se_stream_path(l->stream))
                : se_lines_next(l, &text, &bytes);
        if (s == SE_OK && !text)
            return se_fail(SE_ERR_FORMAT,
                           "%s: cannot go on behind line %" PRId64 ": it has %" PRId64,
                           se_stream_path(l->stream), number, l->number);
    }
    return s;
}

int64_t se_lines_number(const se_lines *l)
{
    return l->number;
}

int64_t se_lines_read(const se_lines *l)
{
    return se_stream_read(l->stream);
}

int64_t se_lines_size(const se_lines *l)
{
    return se_stream_size(l->stream);
}
