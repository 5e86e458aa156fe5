#define _GNU_SOURCE
#include "data/lines.h"
#include "data/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { IN_BYTES = 128 << 10, STEP_BYTES = 128 << 10 };

struct se_lines {
    char *path;
    int fd;
    int64_t size, number;
    /* as on disk: in[in_at .. in_end) is read but not used; in_total bytes were read */
    uint8_t *in;
    size_t in_at, in_end;
    int64_t in_total;
    bool in_done, looked;
    bool gz, in_member; /* in_member: inside gzip data, which must not end here */
    z_stream z;
    /* text[at .. text.bytes) is not given out yet; no newline in the first `scanned` bytes of it */
    se_blob text;
    size_t at, scanned;
    bool done;
};

se_status se_lines_open(const char *path, se_lines **out)
{
    struct stat st;
    *out = NULL;
    se_lines *l = se_calloc(1, sizeof *l);
    if (!l)
        return SE_ERR_MEMORY;
    bool standard = strcmp(path, "-") == 0;
    l->fd = -1;
    l->path = se_strdup(standard ? "standard input" : path);
    l->in = se_malloc(IN_BYTES);
    if (!l->path || !l->in) {
        se_lines_close(l);
        return SE_ERR_MEMORY;
    }
    l->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd >= 0 && fstat(l->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(l->fd);
        l->fd = -1;
        errno = EISDIR;
    }
    if (l->fd < 0) {
        se_status s = se_fail(SE_ERR_IO, "%s: cannot read: %s", l->path, strerror(errno));
        se_lines_close(l);
        return s;
    }
    l->size = S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
    *out = l;
    return SE_OK;
}

void se_lines_close(se_lines *l)
{
    if (!l)
        return;
    if (l->gz)
        inflateEnd(&l->z);
    if (l->fd >= 0)
        close(l->fd);
    se_blob_free(&l->text);
    free(l->in);
    free(l->path);
    free(l);
}

/* Reads on until `want` bytes are there or the file ends. */
static se_status read_some(se_lines *l, size_t want)
{
    memmove(l->in, l->in + l->in_at, l->in_end - l->in_at);
    l->in_end -= l->in_at;
    l->in_at = 0;
    while (l->in_end < want && !l->in_done) {
        ssize_t n = read(l->fd, l->in + l->in_end, IN_BYTES - l->in_end);
        if (n < 0 && errno == EINTR) {
            if (se_interrupt_now())
                return se_fail(SE_ERR_INTERRUPTED, "%s: interrupted", l->path);
            continue;
        }
        if (n < 0)
            return se_fail(SE_ERR_IO, "%s: offset %" PRId64 ": cannot read: %s", l->path,
                           l->in_total, strerror(errno));
        l->in_done = n == 0;
        l->in_end += (size_t)n;
        l->in_total += n;
    }
    return SE_OK;
}

static se_status damaged(se_lines *l, const char *what, const char *why)
{
    return se_fail(SE_ERR_FORMAT, "%s: offset %" PRId64 ": %s: %s", l->path, se_lines_read(l), what,
                   why);
}

/* Appends some inflated text; several gzip members may follow each other, and zeros the last. */
static se_status inflate_some(se_lines *l)
{
    while (!l->in_member && l->in_at < l->in_end && l->in[l->in_at] == 0)
        l->in_at++;
    if (l->in_at == l->in_end) {
        if (!l->in_done)
            return SE_OK;
        l->done = true;
        if (l->in_member)
            return damaged(l, "the gzip data ends early",
                           "expected the rest of the data and its check sum");
        return SE_OK;
    }
    if (!l->in_member && inflateReset(&l->z) != Z_OK)
        return damaged(l, "gzip", "cannot start");
    l->in_member = true;
    l->z.next_in = l->in + l->in_at;
    l->z.avail_in = (uInt)(l->in_end - l->in_at);
    l->z.next_out = (Bytef *)l->text.data + l->text.bytes;
    l->z.avail_out = STEP_BYTES;
    int rc = inflate(&l->z, Z_NO_FLUSH);
    l->in_at = l->in_end - l->z.avail_in;
    l->text.bytes += STEP_BYTES - l->z.avail_out;
    if (rc == Z_STREAM_END)
        l->in_member = false;
    else if (rc == Z_MEM_ERROR)
        return se_fail(SE_ERR_MEMORY, "%s: out of memory while inflating", l->path);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(l, "the gzip data is damaged", l->z.msg ? l->z.msg : "bad stream");
    return SE_OK;
}

/* Appends some text, or sets done. */
static se_status fill(se_lines *l)
{
    if (l->at) /* the part of a line that is left */
        memmove(l->text.data, l->text.data + l->at, l->text.bytes - l->at);
    l->text.bytes -= l->at;
    l->at = 0;
    se_status s = se_blob_reserve(&l->text, STEP_BYTES);
    if (s == SE_OK && l->in_at == l->in_end)
        s = read_some(l, l->looked ? 1 : 2);
    if (s != SE_OK)
        return s;
    if (!l->looked) {
        l->looked = true;
        l->gz = l->in_end >= 2 && l->in[0] == 0x1f && l->in[1] == 0x8b;
        if (l->gz && inflateInit2(&l->z, 15 + 16) != Z_OK) {
            l->gz = false;
            return se_fail(SE_ERR_MEMORY, "%s: out of memory while inflating", l->path);
        }
    }
    if (l->gz)
        return inflate_some(l);
    size_t n = l->in_end - l->in_at;
    l->done = n == 0;
    s = se_blob_add(&l->text, l->in + l->in_at, n);
    l->in_at = l->in_end;
    return s;
}

se_status se_lines_next(se_lines *l, const char **text, size_t *bytes)
{
    *text = NULL;
    *bytes = 0;
    for (;;) {
        size_t left = l->text.bytes - l->at;
        const char *line = l->text.data ? l->text.data + l->at : NULL;
        const char *end =
            left > l->scanned ? memchr(line + l->scanned, '\n', left - l->scanned) : NULL;
        if (!end && !l->done) {
            l->scanned = left;
            se_status s = fill(l);
            if (s != SE_OK)
                return s;
            continue;
        }
        if (!end && left == 0)
            return SE_OK;
        size_t n = end ? (size_t)(end - line) : left;
        l->at += n + (end ? 1 : 0);
        l->scanned = 0;
        l->number++;
        *text = line;
        *bytes = n > 0 && line[n - 1] == '\r' ? n - 1 : n;
        return SE_OK;
    }
}

int64_t se_lines_number(const se_lines *l)
{
    return l->number;
}

int64_t se_lines_read(const se_lines *l)
{
    return l->in_total - (int64_t)(l->in_end - l->in_at);
}

int64_t se_lines_size(const se_lines *l)
{
    return l->size;
}
