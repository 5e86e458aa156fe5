#define _GNU_SOURCE
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 128 << 10, STEP_BYTES = 128 << 10, MAGIC_BYTES = 4, MAX_WINDOW_LOG = 31 };

typedef enum packing { UNKNOWN, PLAIN, GZIP, ZSTD } packing;

struct se_stream {
    char *path;
    int fd;
    bool regular;
    int64_t size;
    /* as on disk: in[in_at .. in_end) is read but not used; in_total bytes were read */
    uint8_t *in;
    size_t in_at, in_end;
    int64_t in_total;
    bool in_done;
    packing kind;
    bool within; /* a gzip member or zstd frame, which must not end here */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

se_status se_stream_open(const char *path, se_stream **out)
{
    struct stat st;
    *out = NULL;
    se_stream *s = se_calloc(1, sizeof *s);
    if (!s)
        return SE_ERR_MEMORY;
    bool standard = strcmp(path, "-") == 0;
    s->fd = -1;
    s->path = se_strdup(standard ? "standard input" : path);
    s->in = se_malloc(IN_BYTES);
    if (!s->path || !s->in) {
        se_stream_close(s);
        return SE_ERR_MEMORY;
    }
    s->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(s->fd);
        s->fd = -1;
        errno = EISDIR;
    }
    if (s->fd < 0) {
        se_status bad = se_fail(SE_ERR_IO, "%s: cannot read: %s", s->path, strerror(errno));
        se_stream_close(s);
        return bad;
    }
    s->regular = S_ISREG(st.st_mode);
    s->size = s->regular ? (int64_t)st.st_size : 0;
    *out = s;
    return SE_OK;
}

void se_stream_close(se_stream *s)
{
    if (!s)
        return;
    if (s->kind == GZIP)
        inflateEnd(&s->gzip);
    ZSTD_freeDStream(s->zstd);
    if (s->fd >= 0)
        close(s->fd);
    free(s->in);
    free(s->path);
    free(s);
}

/* Reads on until `want` bytes are there or the file ends. */
static se_status read_some(se_stream *s, size_t want)
{
    memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
    s->in_end -= s->in_at;
    s->in_at = 0;
    while (s->in_end < want && !s->in_done) {
        ssize_t n = read(s->fd, s->in + s->in_end, IN_BYTES - s->in_end);
        if (n < 0 && errno == EINTR) {
            if (se_interrupt_now())
                return se_fail(SE_ERR_INTERRUPTED, "%s: interrupted", s->path);
            continue;
        }
        if (n < 0)
            return se_fail(SE_ERR_IO, "%s: offset %" PRId64 ": cannot read: %s", s->path,
                           s->in_total, strerror(errno));
        s->in_done = n == 0;
        s->in_end += (size_t)n;
        s->in_total += n;
    }
    return SE_OK;
}

static se_status damaged(se_stream *s, const char *what, const char *why)
{
    return se_fail(SE_ERR_FORMAT, "%s: offset %" PRId64 ": %s: %s", s->path, se_stream_read(s),
                   what, why);
}

static se_status no_memory(se_stream *s)
{
    return se_fail(SE_ERR_MEMORY, "%s: out of memory while unpacking", s->path);
}

/* Reads the first bytes, which tell how the file is packed. */
static se_status look(se_stream *s)
{
    se_status bad = read_some(s, MAGIC_BYTES);
    if (bad != SE_OK)
        return bad;
    const uint8_t *b = s->in;
    bool frame =
        s->in_end >= MAGIC_BYTES && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd;
    bool skippable = s->in_end >= MAGIC_BYTES && (b[0] & 0xf0) == 0x50 && b[1] == 0x2a &&
                     b[2] == 0x4d && b[3] == 0x18;
    if (s->in_end >= 2 && b[0] == 0x1f && b[1] == 0x8b) {
        if (inflateInit2(&s->gzip, 15 + 16) != Z_OK)
            return no_memory(s);
        s->kind = GZIP;
    } else if (frame || skippable) {
        s->zstd = ZSTD_createDStream();
        /* Dumps of large sites are packed with windows of 2 GiB (zstd --long=31). */
        if (!s->zstd ||
            ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, MAX_WINDOW_LOG)))
            return no_memory(s);
        s->kind = ZSTD;
    } else {
        s->kind = PLAIN;
    }
    return SE_OK;
}

/* A gzip file may be filled up with zeros. */
static se_status step_gzip(se_stream *s, se_blob *text)
{
    while (!s->within && s->in_at < s->in_end && s->in[s->in_at] == 0)
        s->in_at++;
    if (s->in_at == s->in_end)
        return SE_OK;
    if (!s->within && inflateReset(&s->gzip) != Z_OK)
        return damaged(s, "gzip", "cannot start");
    s->within = true;
    s->gzip.next_in = s->in + s->in_at;
    s->gzip.avail_in = (uInt)(s->in_end - s->in_at);
    s->gzip.next_out = (Bytef *)text->data + text->bytes;
    s->gzip.avail_out = STEP_BYTES;
    int rc = inflate(&s->gzip, Z_NO_FLUSH);
    s->in_at = s->in_end - s->gzip.avail_in;
    text->bytes += STEP_BYTES - s->gzip.avail_out;
    if (rc == Z_STREAM_END)
        s->within = false;
    else if (rc == Z_MEM_ERROR)
        return no_memory(s);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(s, "the gzip data is damaged", s->gzip.msg ? s->gzip.msg : "bad stream");
    return SE_OK;
}

static se_status step_zstd(se_stream *s, se_blob *text)
{
    ZSTD_inBuffer in = {s->in, s->in_end, s->in_at};
    ZSTD_outBuffer out = {text->data + text->bytes, STEP_BYTES, 0};
    size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
    s->in_at = in.pos;
    text->bytes += out.pos;
    if (ZSTD_isError(rc))
        return damaged(s, "the zstd data is damaged", ZSTD_getErrorName(rc));
    s->within = rc != 0;
    return SE_OK;
}

/* Unpacks some text from what was read. zstd may hold text back when the input is used up. */
static se_status unpack(se_stream *s, se_blob *text, bool *done)
{
    size_t before = text->bytes;
    if (s->in_at < s->in_end || (s->kind == ZSTD && s->within)) {
        se_status bad = s->kind == GZIP ? step_gzip(s, text) : step_zstd(s, text);
        if (bad != SE_OK)
            return bad;
    }
    if (s->in_at < s->in_end || !s->in_done || text->bytes > before)
        return SE_OK;
    *done = true;
    if (s->within)
        return damaged(s, s->kind == GZIP ? "the gzip data ends early" : "the zstd data ends early",
                       "expected the rest of the data and its check sum");
    return SE_OK;
}

se_status se_stream_fill(se_stream *s, se_blob *text, bool *done)
{
    *done = false;
    se_status bad = se_blob_reserve(text, STEP_BYTES);
    if (bad == SE_OK && s->kind == UNKNOWN)
        bad = look(s);
    else if (bad == SE_OK && s->in_at == s->in_end)
        bad = read_some(s, 1);
    if (bad != SE_OK)
        return bad;
    if (s->kind != PLAIN)
        return unpack(s, text, done);
    size_t n = s->in_end - s->in_at;
    *done = n == 0;
    bad = se_blob_add(text, s->in + s->in_at, n);
    s->in_at = s->in_end;
    return bad;
}

se_status se_stream_seek(se_stream *s, int64_t offset, bool *went)
{
    *went = false;
    if (s->kind == UNKNOWN) {
        se_status bad = look(s);
        if (bad != SE_OK)
            return bad;
    }
    if (s->kind != PLAIN || !s->regular)
        return SE_OK;
    if (offset < 0 || offset > s->size)
        return se_fail(SE_ERR_FORMAT, "%s: cannot go on at offset %" PRId64 ": it has %" PRId64,
                       s->path, offset, s->size);
    if (lseek(s->fd, (off_t)offset, SEEK_SET) < 0)
        return se_fail(SE_ERR_IO, "%s: offset %" PRId64 ": cannot seek: %s", s->path, offset,
                       strerror(errno));
    s->in_at = s->in_end = 0;
    s->in_total = offset;
    s->in_done = false;
    *went = true;
    return SE_OK;
}

const char *se_stream_path(const se_stream *s)
{
    return s->path;
}

int64_t se_stream_read(const se_stream *s)
{
    return s->in_total - (int64_t)(s->in_end - s->in_at);
}

int64_t se_stream_size(const se_stream *s)
{
    return s->size;
}
