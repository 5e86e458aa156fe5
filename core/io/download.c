#define _GNU_SOURCE
#include "io/download.h"
#include "io/curl.h"
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_HEAD = 256 << 10, MAX_ERROR_BODY = 4096 };

struct se_http {
    const se_curl *curl;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *send; /* headers */
    char *url, *path;
    char why[CURL_ERROR_SIZE];
    char *head, *text; /* headers and body that came, each ended by a 0 byte */
    size_t head_bytes, text_bytes, text_room;
    char value[2048]; /* what se_http_header gave last */
    int fd;
    int64_t from, at; /* what the file held at first, and holds now */
    int64_t most, total;
    double timeout, moved; /* moved: when something came last */
    bool begun, again;     /* begun: the first byte of the body is there */
    long code;
    se_status failed; /* in a callback: its message stands */
};

/* --- what libcurl calls --- */

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    se_http *h = user;
    n *= size;
    h->moved = se_seconds();
    if (n >= 5 && memcmp(data, "HTTP/", 5) == 0)
        h->head_bytes = 0; /* headers of an answer before this one (100 Continue) */
    if (h->head_bytes + n + 1 > MAX_HEAD) {
        h->failed = se_fail(SE_ERR_FORMAT, "%s: more than %d bytes of headers", h->url, MAX_HEAD);
        return 0;
    }
    char *larger = se_realloc(h->head, h->head_bytes + n + 1);
    if (!larger) {
        h->failed = SE_ERR_MEMORY;
        return 0;
    }
    h->head = larger;
    memcpy(h->head + h->head_bytes, data, n);
    h->head_bytes += n;
    h->head[h->head_bytes] = 0;
    return n;
}

/* The first byte of a body that goes into the file: a server may send the rest as asked, or all. */
static se_status begin_file(se_http *h)
{
    long long from = 0, to = 0, total = 0;
    if (h->code == 200)
        h->at = h->from = 0;
    if (h->code == 206) {
        const char *range = se_http_header(h, "content-range");
        int read = sscanf(range, "bytes %lld-%lld/%lld", &from, &to, &total);
        if (read < 2 || from != h->from)
            return se_fail(
                SE_ERR_FORMAT,
                "%s: the answer has content-range '%.100s', expected it from byte %" PRId64 " on",
                h->url, range, h->from);
    }
    curl_off_t length = -1;
    h->curl->easy_getinfo(h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    h->total = length < 0 ? -1 : h->from + (int64_t)length;
    return se_disk_create(h->path, h->from > 0, &h->fd);
}

static se_status keep_in_memory(se_http *h, const char *data, size_t n)
{
    if (h->path[0]) { /* of an error: what it says is at the beginning */
        size_t left = MAX_ERROR_BODY - h->text_bytes;
        n = n < left ? n : left;
    }
    if (h->text_bytes + n + 1 > h->text_room) {
        size_t room = 2 * h->text_room + n + 1024;
        char *larger = se_realloc(h->text, room);
        if (!larger)
            return SE_ERR_MEMORY;
        h->text = larger;
        h->text_room = room;
    }
    memcpy(h->text + h->text_bytes, data, n);
    h->text_bytes += n;
    h->text[h->text_bytes] = 0;
    return SE_OK;
}

/* Does the body go into the file? */
static bool is_wanted(const se_http *h)
{
    return h->path[0] && (h->code == 200 || h->code == 206);
}

static se_status take_body(se_http *h, const char *data, size_t n)
{
    se_status s = SE_OK;
    if (!h->begun) {
        h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &h->code);
        h->begun = true;
        s = is_wanted(h) ? begin_file(h) : SE_OK;
    }
    if (s != SE_OK)
        return s;
    if (h->path[0] && !is_wanted(h))
        return keep_in_memory(h, data, n);
    if ((int64_t)n > h->most - h->at)
        return se_fail(SE_ERR_FORMAT, "%s: more than %" PRId64 " bytes came", h->url, h->most);
    s = is_wanted(h) ? se_disk_write(h->fd, data, n, h->path) : keep_in_memory(h, data, n);
    if (s == SE_OK)
        h->at += (int64_t)n;
    return s;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    se_http *h = user;
    h->moved = se_seconds();
    h->failed = take_body(h, data, n * size);
    return h->failed == SE_OK ? n * size : 0;
}

/* --- a request --- */

/* Appends "NAME: VALUE" to the headers that are sent. A line break in the value would make it two.
 */
static se_status send_header(se_http *h, const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 3;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
            return se_fail(SE_ERR_ARG, "%s: the value of the header %s has a byte 0x%02x", h->url,
                           name, (unsigned char)*p);
    char *line = se_malloc(n);
    if (!line)
        return SE_ERR_MEMORY;
    snprintf(line, n, "%s: %s", name, value);
    struct curl_slist *longer = h->curl->slist_append(h->send, line);
    free(line);
    if (!longer)
        return se_fail(SE_ERR_MEMORY, "%s: out of memory", h->url);
    h->send = longer;
    return SE_OK;
}

static se_status set_headers(se_http *h, const se_http_want *want)
{
    char value[40], *bearer = NULL;
    se_status s = send_header(h, "User-Agent", "sembed");
    if (s == SE_OK && want->token) {
        size_t n = strlen(want->token) + 8;
        bearer = se_malloc(n);
        if (!bearer)
            return SE_ERR_MEMORY;
        snprintf(bearer, n, "Bearer %s", want->token);
        s = send_header(h, "Authorization", bearer);
        free(bearer);
    }
    if (s == SE_OK && h->from > 0) {
        snprintf(value, sizeof value, "bytes=%" PRId64 "-", h->from);
        s = send_header(h, "Range", value);
        if (s == SE_OK && want->etag)
            s = send_header(h, "If-Range", want->etag);
    }
    return s;
}

static se_status set_options(se_http *h, const se_http_want *want)
{
    const se_curl *c = h->curl;
    long seconds = want->timeout < 1 ? 1 : (long)want->timeout;
    CURLcode bad = CURLE_OK;
#define SET(option, value) (bad = bad ? bad : c->easy_setopt(h->easy, option, value))
    SET(CURLOPT_URL, h->url);
    SET(CURLOPT_HTTPHEADER, h->send);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)h);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)h);
    SET(CURLOPT_ERRORBUFFER, h->why);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_CONNECTTIMEOUT, seconds);
    if (want->ca)
        SET(CURLOPT_CAINFO, want->ca);
#undef SET
    if (bad)
        return se_fail(SE_ERR_ARG, "%s: %s", h->url, c->easy_strerror(bad));
    return SE_OK;
}

static se_status start(se_http *h, const se_http_want *want)
{
    if (strncasecmp(want->url, "http://", 7) != 0 && strncasecmp(want->url, "https://", 8) != 0)
        return se_fail(SE_ERR_ARG, "%s: an address with http:// or https:// is wanted", want->url);
    se_status s = se_curl_open(&h->curl);
    if (s != SE_OK)
        return s;
    h->url = se_strdup(want->url);
    h->path = se_strdup(want->path ? want->path : "");
    h->easy = h->curl->easy_init();
    h->multi = h->curl->multi_init();
    if (!h->url || !h->path || !h->easy || !h->multi)
        return se_fail(SE_ERR_MEMORY, "download: out of memory");
    h->most = want->most;
    h->timeout = want->timeout;
    h->moved = se_seconds();
    struct stat st;
    if (want->path && stat(want->path, &st) == 0)
        h->at = h->from = (int64_t)st.st_size;
    s = set_headers(h, want);
    if (s == SE_OK)
        s = set_options(h, want);
    if (s == SE_OK && h->curl->multi_add_handle(h->multi, h->easy) != CURLM_OK)
        s = se_fail(SE_ERR_STATE, "%s: libcurl refuses the request", h->url);
    return s;
}

se_status se_http_start(const se_http_want *want, se_http **out)
{
    *out = NULL;
    se_http *h = se_calloc(1, sizeof *h);
    if (!h)
        return SE_ERR_MEMORY;
    h->fd = -1;
    h->total = -1;
    se_status s = start(h, want);
    if (s != SE_OK)
        se_http_close(h);
    else
        *out = h;
    return s;
}

void se_http_close(se_http *h)
{
    if (!h)
        return;
    if (h->multi && h->easy)
        h->curl->multi_remove_handle(h->multi, h->easy);
    if (h->easy)
        h->curl->easy_cleanup(h->easy);
    if (h->multi)
        h->curl->multi_cleanup(h->multi);
    if (h->send)
        h->curl->slist_free_all(h->send);
    if (h->fd >= 0)
        close(h->fd);
    free(h->url);
    free(h->path);
    free(h->head);
    free(h->text);
    free(h);
}

/* The transfer is over: was there an answer? */
static se_status finish(se_http *h, CURLcode result)
{
    h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &h->code);
    if (h->failed != SE_OK)
        return h->failed;
    if (result == CURLE_OK) /* no byte of a body came: the file is empty */
        return is_wanted(h) && !h->begun ? begin_file(h) : SE_OK;
    /* Trying again helps but where the address, the certificate or this side is at fault. */
    h->again = result != CURLE_URL_MALFORMAT && result != CURLE_UNSUPPORTED_PROTOCOL &&
               result != CURLE_PEER_FAILED_VERIFICATION && result != CURLE_SSL_CACERT_BADFILE &&
               result != CURLE_OUT_OF_MEMORY;
    return se_fail(SE_ERR_IO, "%s: %s", h->url,
                   h->why[0] ? h->why : h->curl->easy_strerror(result));
}

se_status se_http_step(se_http *h, int32_t ms, bool *done)
{
    int running = 0, left = 0;
    *done = false;
    if (se_interrupt_now())
        return se_fail(SE_ERR_INTERRUPTED, "interrupted");
    CURLMcode bad = h->curl->multi_perform(h->multi, &running);
    if (!bad && running) {
        bad = h->curl->multi_poll(h->multi, NULL, 0, ms, NULL);
        if (!bad)
            bad = h->curl->multi_perform(h->multi, &running);
    }
    if (bad)
        return se_fail(SE_ERR_IO, "%s: libcurl gives up (error %d)", h->url, (int)bad);
    for (CURLMsg *m; (m = h->curl->multi_info_read(h->multi, &left));)
        if (m->msg == CURLMSG_DONE) {
            *done = true;
            return finish(h, m->data.result);
        }
    if (se_seconds() - h->moved <= h->timeout)
        return SE_OK;
    h->again = true;
    return se_fail(SE_ERR_IO, "%s: not a byte for %g seconds", h->url, h->timeout);
}

/* --- looking at the answer --- */

bool se_http_again(const se_http *h)
{
    return h->again;
}

int32_t se_http_code(const se_http *h)
{
    return (int32_t)h->code;
}

const char *se_http_header(se_http *h, const char *name)
{
    size_t n = strlen(name);
    h->value[0] = 0;
    for (const char *line = h->head; line && *line;) {
        const char *end = strchr(line, '\n');
        end = end ? end : line + strlen(line);
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *from = line + n + 1, *to = end;
            while (from < to && (*from == ' ' || *from == '\t'))
                from++;
            while (to > from && (to[-1] == '\r' || to[-1] == ' ' || to[-1] == '\t'))
                to--;
            size_t bytes = (size_t)(to - from);
            bytes = bytes < sizeof h->value ? bytes : sizeof h->value - 1;
            memcpy(h->value, from, bytes);
            h->value[bytes] = 0;
        }
        line = *end ? end + 1 : end;
    }
    return h->value;
}

const char *se_http_location(se_http *h)
{
    char *url = NULL;
    h->curl->easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &url);
    return url ? url : "";
}

const char *se_http_body(const se_http *h, size_t *bytes)
{
    *bytes = h->text_bytes;
    return h->text ? h->text : "";
}

int64_t se_http_bytes(const se_http *h)
{
    return h->at;
}

int64_t se_http_total(const se_http *h)
{
    return h->total;
}

/* --- waiting, locks, links --- */

se_status se_wait(double seconds)
{
    const struct timespec piece = {0, 50 * 1000 * 1000};
    for (double end = se_seconds() + seconds; se_seconds() < end;) {
        if (se_interrupt_now())
            return se_fail(SE_ERR_INTERRUPTED, "interrupted");
        nanosleep(&piece, NULL);
    }
    return SE_OK;
}

se_status se_lock_try(const char *path, int32_t *fd)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return se_disk_fail(path, "cannot lock");
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return SE_OK;
    int why = errno;
    close(*fd);
    *fd = -1;
    errno = why;
    return why == EWOULDBLOCK || why == EINTR ? SE_OK : se_disk_fail(path, "cannot lock");
}

void se_lock_give(int32_t fd)
{
    if (fd >= 0)
        close(fd);
}

se_status se_file_link(const char *target, const char *path)
{
    char *part = se_path_with(path, ".link");
    se_status s = part ? se_disk_remove(part) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_symlink(target, part);
    if (s == SE_OK)
        s = se_disk_rename(part, path);
    free(part);
    return s;
}
