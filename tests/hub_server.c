/* A small model hub on 127.0.0.1 with every fault that a real one may have, for tests/lua/hub.lua:
 *
 *   hub_server TINY_FOLDER COMMAND [ARGUMENT]...
 *
 * Runs the command with HF_ENDPOINT set and ends with its status. Models are called test/FAULT (see
 * `faults` in serve_file); all have the files of `FILES`, test/tiny those of TINY_FOLDER. Large
 * files are redirected to a second port, as a real hub does; GET /log tells all requests so far. */
#define _GNU_SOURCE
#include "io/files.h"
#include "io/sha.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

enum { LARGE = 300000, MAX_LOG = 1 << 20 };

static int port, far_port;
static const char *tiny;
static char big[LARGE], log_text[MAX_LOG];
static size_t log_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct content {
    char *data;
    size_t bytes;
    bool lfs;
} content;

typedef struct request {
    int fd;
    bool far;  /* came to the second port */
    bool head; /* HEAD, not GET */
    char path[512], model[64], file[128], token[128], if_range[128];
    long long from; /* of Range; -1: none */
} request;

/* --- what there is --- */

static const char *const FILES[] = {
    "README.md",        "config.json",       "modules.json",     "1_Pooling/config.json",
    "tokenizer.json",   "code.py",           "onnx/model.onnx",  "onnx/config.json",
    "data_config.json", "model.safetensors", "pytorch_model.bin"};
static const char *const TINY_FILES[] = {"config.json",
                                         "modules.json",
                                         "1_Pooling/config.json",
                                         "sentence_bert_config.json",
                                         "tokenizer.json",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "vocab.txt",
                                         "model.safetensors",
                                         "README.md"};

static bool is_tiny(const char *model)
{
    return strcmp(model, "tiny") == 0;
}

static bool content_of(const char *model, const char *file, content *out)
{
    const char *end = strrchr(file, '.');
    out->lfs = end && (strcmp(end, ".safetensors") == 0 || strcmp(end, ".bin") == 0);
    if (is_tiny(model)) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", tiny, file);
        return se_file_read(path, &out->data, &out->bytes) == SE_OK;
    }
    out->data = calloc(1, LARGE + 16);
    memcpy(out->data, big, LARGE);
    out->bytes = out->lfs
                     ? LARGE
                     : (size_t)snprintf(out->data, LARGE, "{\"file\": \"%s\", \"x\": 1}\n", file);
    return true;
}

static const char *hash_of(const content *c, char text[SE_SHA_TEXT])
{
    se_sha s;
    char head[40];
    se_sha_start(&s, c->lfs ? SE_SHA256 : SE_SHA1);
    if (!c->lfs)
        se_sha_add(&s, head, (size_t)snprintf(head, sizeof head, "blob %zu", c->bytes) + 1);
    se_sha_add(&s, c->data, c->bytes);
    se_sha_finish(&s, text);
    return text;
}

/* How often this was asked for before. */
static int count(const char *key)
{
    static struct {
        char key[256];
        int n;
    } seen[256];
    int i = 0;
    pthread_mutex_lock(&lock);
    while (seen[i].key[0] && strcmp(seen[i].key, key) != 0)
        i++;
    snprintf(seen[i].key, sizeof seen[i].key, "%s", key);
    int n = seen[i].n++;
    pthread_mutex_unlock(&lock);
    return n;
}

/* --- answering --- */

static void put(int fd, const char *data, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        n -= (size_t)sent;
    }
}

static void __attribute__((format(printf, 3, 4)))
answer(const request *r, const char *status, const char *format, ...)
{
    char head[2048], more[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof more, format, args);
    va_end(args);
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n", status, more);
    put(r->fd, head, (size_t)n);
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The body from the wished byte on. */
static void send_content(const request *r, content c)
{
    const char *m = r->model;
    char hash[SE_SHA_TEXT], etag[96] = "", key[256];
    snprintf(key, sizeof key, "%s/%s", m, r->file);
    int before = c.lfs ? count(key) : 0;
    bool ranges = strcmp(m, "norange") != 0;
    size_t from = r->from > 0 && ranges ? (size_t)r->from : 0, end = c.bytes;
    snprintf(etag, sizeof etag, c.lfs ? "\"cdn-%.10s\"" : "\"%s\"", hash_of(&c, hash));
    if (from > 0 && r->if_range[0] && strcmp(r->if_range, etag) != 0)
        from = 0;
    if (from >= c.bytes) {
        answer(r, "416 Range Not Satisfiable", "Content-Range: bytes */%zu\r\n", c.bytes);
        return;
    }
    if (c.lfs && (strcmp(m, "wrong") == 0 || (strcmp(m, "wrongonce") == 0 && before == 0)))
        c.data[c.bytes / 2] ^= 1;
    if (strcmp(m, "longer") == 0 && c.lfs)
        end = c.bytes += 10;
    answer(r, from ? "206 Partial Content" : "200 OK",
           "Content-Length: %zu\r\nETag: %s\r\nX-Repo-Commit: " COMMIT
           "\r\nContent-Range: bytes %zu-%zu/%zu\r\n",
           c.bytes - from, etag, from + (strcmp(m, "badrange") == 0 && from), c.bytes - 1, c.bytes);
    if (r->head)
        return;
    if (c.lfs && (strcmp(m, "cut") == 0 || strcmp(m, "badrange") == 0) && before < 3)
        end = from + (c.bytes - from) / 2;
    if (c.lfs && strcmp(m, "norange") == 0 && before < 1)
        end = c.bytes / 2;
    bool stalls = c.lfs && strcmp(m, "slow") == 0 && before < 1;
    if (stalls)
        end = from + 1000;
    if (c.lfs && strcmp(m, "drip") == 0) {
        size_t drop = before ? 5000 : 500;
        for (size_t at = from; at < end; at += drop, sleep_ms(20))
            put(r->fd, c.data + at, end - at < drop ? end - at : drop);
        return;
    }
    put(r->fd, c.data + from, end - from);
    if (stalls)
        sleep_ms(20000);
}

/* Faults: private (a token is needed), flaky (500, 503, then right), cut (closes early, three
 * times), norange (closes early, knows no ranges), badrange (sends another range than it was asked
 * for), wrong, wrongonce (another content), longer (than announced), slow (stalls once), drip (a
 * body of 12 seconds, later of 1.2), gone (files are listed and not there), circle (redirects for
 * ever), noblobs (no checksums in the list), nohash (none at all), evil (names that lead out), bin
 * (no safetensors), none (no weights), down (500 always). */
static void serve_file(const request *r)
{
    content c;
    char hash[SE_SHA_TEXT];
    if (strcmp(r->model, "gone") == 0 || !content_of(r->model, r->file, &c)) {
        answer(r, "404 Not Found", "X-Error-Message: Entry not found\r\nContent-Length: 0\r\n");
        return;
    }
    if (strcmp(r->model, "nohash") == 0)
        answer(r, "200 OK", "Content-Length: 0\r\n");
    else if (c.lfs && strcmp(r->model, "circle") == 0)
        answer(r, "302 Found", "Location: %s\r\nContent-Length: 0\r\n", r->path);
    else if (c.lfs && !r->far)
        answer(
            r, "302 Found",
            "Location: http://127.0.0.1:%d/far%s\r\nX-Linked-ETag: \"%s\"\r\nX-Linked-Size: %zu\r\n"
            "ETag: \"%s\"\r\nX-Repo-Commit: " COMMIT "\r\nContent-Length: 0\r\n",
            far_port, r->path, hash_of(&c, hash), c.bytes, COMMIT);
    else
        send_content(r, c);
    free(c.data);
}

static size_t add_file(char *text, size_t room, const char *model, const char *file)
{
    content c;
    char hash[SE_SHA_TEXT];
    if (!content_of(model, file, &c))
        return 0;
    hash_of(&c, hash);
    int n;
    if (strcmp(model, "noblobs") == 0 || strcmp(model, "nohash") == 0)
        n = snprintf(text, room, "{\"rfilename\": \"%s\"},", file);
    else if (c.lfs)
        n = snprintf(
            text, room,
            "{\"rfilename\": \"%s\", \"size\": %zu, \"blobId\": \"%s\", \"lfs\": {\"sha256\": "
            "\"%s\", \"size\": %zu, \"pointerSize\": 134}},",
            file, c.bytes, COMMIT, hash, c.bytes);
    else
        n = snprintf(text, room, "{\"rfilename\": \"%s\", \"size\": %zu, \"blobId\": \"%s\"},",
                     file, c.bytes, hash);
    free(c.data);
    return (size_t)n;
}

static void serve_list(const request *r)
{
    static const size_t N = sizeof FILES / sizeof *FILES;
    char text[16384];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "{\"id\": \"test/%s\", \"sha\": \"" COMMIT "\", \"siblings\": [",
                                r->model);
    const char *const *files = is_tiny(r->model) ? TINY_FILES : FILES;
    for (size_t i = 0; i < (is_tiny(r->model) ? sizeof TINY_FILES / sizeof *TINY_FILES : N); i++) {
        const char *end = strrchr(files[i], '.');
        bool safe = strcmp(end, ".safetensors") == 0, bin = strcmp(end, ".bin") == 0;
        if ((safe && (strcmp(r->model, "bin") == 0 || strcmp(r->model, "none") == 0)) ||
            (bin && strcmp(r->model, "none") == 0))
            continue;
        n += add_file(text + n, sizeof text - n, r->model, files[i]);
    }
    if (strcmp(r->model, "evil") == 0)
        n += add_file(text + n, sizeof text - n, r->model, "1_Pooling/../../../../config.json");
    n = n - 1 + (size_t)snprintf(text + n - 1, sizeof text - n, "]}");
    answer(r, "200 OK", "Content-Length: %zu\r\nContent-Type: application/json\r\n", n);
    if (!r->head)
        put(r->fd, text, n);
}

/* /api/models/test/MODEL/revision/main, /test/MODEL/resolve/COMMIT/FILE */
static bool route(request *r)
{
    const char *p = r->path + (strncmp(r->path, "/far", 4) == 0 ? 4 : 0);
    if (sscanf(p, "/api/models/test/%63[^/]/revision/main", r->model) == 1)
        return true;
    return sscanf(p, "/test/%63[^/]/resolve/" COMMIT "/%127s", r->model, r->file) == 2 ||
           sscanf(p, "/test/%63[^/]/resolve/main/%127s", r->model, r->file) == 2;
}

static void serve(request *r)
{
    char key[600];
    if (strcmp(r->path, "/log") == 0) {
        pthread_mutex_lock(&lock);
        answer(r, "200 OK", "Content-Length: %zu\r\n", log_bytes);
        put(r->fd, log_text, log_bytes);
        pthread_mutex_unlock(&lock);
        return;
    }
    pthread_mutex_lock(&lock);
    log_bytes += (size_t)snprintf(log_text + log_bytes, MAX_LOG - log_bytes - 1,
                                  "%s %s from=%lld token=%s if-range=%s\n", r->far ? "far" : "near",
                                  r->path, r->from, r->token, r->if_range);
    pthread_mutex_unlock(&lock);
    snprintf(key, sizeof key, "flaky %.500s", r->path);
    bool known = route(r);
    int before = known && strcmp(r->model, "flaky") == 0 ? count(key) : 2;
    if (strcmp(r->model, "down") == 0 || before == 0)
        answer(r, "500 Internal Server Error", "Content-Length: 0\r\n");
    else if (before == 1)
        answer(r, "503 Service Unavailable", "Retry-After: 0\r\nContent-Length: 0\r\n");
    else if (r->far && r->token[0])
        answer(r, "400 Bad Request", "X-Error-Message: a token came\r\nContent-Length: 0\r\n");
    else if (strcmp(r->model, "private") == 0 && !r->far &&
             strcmp(r->token, "Bearer hf_right") != 0)
        answer(r, "401 Unauthorized",
               "X-Error-Message: Repository not found\r\nContent-Length: 0\r\n");
    else if (!known || strcmp(r->model, "missing") == 0)
        answer(r, "404 Not Found", "Content-Length: 0\r\n");
    else if (r->file[0])
        serve_file(r);
    else
        serve_list(r);
}

/* --- connections --- */

static void header(request *r, const char *line)
{
    if (strncasecmp(line, "Range: bytes=", 13) == 0)
        r->from = atoll(line + 13);
    if (strncasecmp(line, "Authorization: ", 15) == 0)
        snprintf(r->token, sizeof r->token, "%s", line + 15);
    if (strncasecmp(line, "If-Range: ", 10) == 0)
        snprintf(r->if_range, sizeof r->if_range, "%s", line + 10);
}

static void *connection(void *arg)
{
    request *r = arg;
    char text[8192];
    size_t n = 0;
    text[0] = 0;
    while (!strstr(text, "\r\n\r\n") && n + 1 < sizeof text) {
        ssize_t got = recv(r->fd, text + n, sizeof text - n - 1, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = 0;
    }
    r->from = -1;
    r->head = strncmp(text, "HEAD ", 5) == 0;
    if (sscanf(text, "GET %511s", r->path) == 1 || sscanf(text, "HEAD %511s", r->path) == 1) {
        char *save, *line = strtok_r(text, "\r\n", &save);
        while ((line = strtok_r(NULL, "\r\n", &save)))
            header(r, line);
        serve(r);
    }
    shutdown(r->fd, SHUT_WR);
    while (recv(r->fd, text, sizeof text, 0) > 0) {
    }
    close(r->fd);
    free(r);
    return NULL;
}

typedef struct listener {
    int fd;
    bool far;
} listener;

static void *listening(void *arg)
{
    const listener *l = arg;
    for (;;) {
        pthread_t thread;
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        request *r = fd >= 0 ? calloc(1, sizeof *r) : NULL;
        if (!r)
            continue;
        r->fd = fd;
        r->far = l->far;
        if (pthread_create(&thread, NULL, connection, r) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

/* Any free port of the loopback. */
static int listen_on(listener *l, bool far)
{
    static pthread_t thread;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    l->far = far;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, n) != 0 || listen(l->fd, 64) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&a, &n) != 0 ||
        pthread_create(&thread, NULL, listening, l) != 0) {
        perror("hub_server");
        exit(1);
    }
    return ntohs(a.sin_port);
}

int main(int argc, char **argv)
{
    static listener near, far;
    char url[64];
    if (argc < 3) {
        fputs("usage: hub_server TINY_FOLDER COMMAND [ARGUMENT]...\n", stderr);
        return 2;
    }
    tiny = argv[1];
    uint32_t random = 7;
    for (int i = 0; i < LARGE; i++)
        big[i] = (char)((random = random * 1664525u + 1013904223u) >> 24);
    port = listen_on(&near, false);
    far_port = listen_on(&far, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    setenv("HF_ENDPOINT", url, 1);
    setenv("no_proxy", "127.0.0.1", 1);
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
