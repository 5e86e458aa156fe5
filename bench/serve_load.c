/* Load for `sembed serve` on this machine: connections that stay open, one request after another on
 * each, for some seconds; every answer is looked at.
 *
 *     serve_load port=PORT texts=FILE [key=value]...
 *
 *     seconds=60 connections=64   at most 3600 and 1000
 *     route=/v1/embeddings        or /embed
 *     each=1                      texts a request, at most 10000
 *     format=float                or base64, of /v1/embeddings
 *     key=KEY                     sent as Authorization: Bearer KEY
 *
 * FILE (plain or gzip) has a text a line, or JSON objects whose "text", "context" and "response"
 * are texts. They are taken in turn, again from the start when all were sent. An answer must have
 * status 200 and as many vectors as texts were sent, all of one length. Prints a line and the same
 * as JSON; exit status 1 if anything went wrong. Stops at the 1000th mistake, and at SIGINT or
 * SIGTERM. */
#define _GNU_SOURCE /* memmem */
#include "base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zlib.h>

static const double PATIENCE = 30; /* seconds for an answer */
enum { MOST_WRONG = 1000, TOLD = 10, MOST_ANSWER = 1 << 30 };

typedef struct text {
    char *data;
    size_t n, room;
} text;

typedef struct connection {
    int fd;
    bool busy, sending; /* a request is under way; not all of it is sent */
    text out, in;
    size_t sent, head; /* head: bytes before the body, 0 while they are not all there */
    size_t whole;      /* bytes of the answer, head included */
    bool last;         /* the server closes after this answer */
    double began;
} connection;

static struct {
    int port, connections, each;
    double seconds;
    bool base64;
    const char *route, *key, *file;
} o = {.connections = 64, .each = 1, .seconds = 60, .route = "/v1/embeddings", .key = ""};

static text *texts; /* as JSON strings, quotes included */
static size_t n_texts, next_text;
static float *times; /* seconds that each right answer took */
static size_t n_times, times_room;
static int64_t wrong, dims;
static double slowest, slowest_at, started;
static int epoll_fd;
static volatile sig_atomic_t stopped;

static void die(const char *format, ...) SE_PRINTF(1, 2);

static void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("serve_load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

static void *more(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        die("no memory");
    return p;
}

static void add(text *t, const char *data, size_t n)
{
    if (t->n + n + 1 > t->room) {
        t->room = 2 * (t->n + n + 1);
        t->data = more(t->data, t->room);
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
    t->data[t->n] = 0;
}

static void adds(text *t, const char *data)
{
    add(t, data, strlen(data));
}

/* --- texts --- */

static void add_text(const json_t *value)
{
    char *quoted = json_is_string(value) ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    if (!quoted)
        return;
    if ((n_texts & (n_texts - 1)) == 0)
        texts = more(texts, (n_texts ? 2 * n_texts : 1) * sizeof *texts);
    texts[n_texts++] = (text){.data = quoted, .n = strlen(quoted)};
}

static void read_texts(const char *path)
{
    static char line[1 << 20];
    gzFile f = gzopen(path, "rb");
    if (!f)
        die("%s: %s", path, strerror(errno));
    while (gzgets(f, line, sizeof line)) {
        line[strcspn(line, "\n")] = 0;
        json_t *row = line[0] == '{' ? json_loads(line, 0, NULL) : json_string(line);
        if (json_is_object(row)) {
            add_text(json_object_get(row, "text"));
            add_text(json_object_get(row, "context"));
            add_text(json_object_get(row, "response"));
        } else {
            add_text(row);
        }
        json_decref(row);
    }
    gzclose(f);
    if (n_texts == 0)
        die("%s: no texts", path);
}

/* --- requests --- */

static void make_request(text *out)
{
    static text body;
    char head[128];
    bool openai = strcmp(o.route, "/v1/embeddings") == 0;
    body.n = out->n = 0;
    adds(&body, openai ? "{\"input\":[" : "{\"inputs\":[");
    for (int i = 0; i < o.each; i++) {
        if (i)
            adds(&body, ",");
        add(&body, texts[next_text].data, texts[next_text].n);
        next_text = (next_text + 1) % n_texts;
    }
    adds(&body, "]");
    if (openai)
        adds(&body, o.base64 ? ",\"encoding_format\":\"base64\"" : "");
    else
        adds(&body, ",\"truncate\":true");
    adds(&body, "}");
    adds(out, "POST ");
    adds(out, o.route);
    snprintf(head, sizeof head, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %zu\r\n",
             o.port, body.n);
    adds(out, head);
    adds(out, "Content-Type: application/json\r\n");
    if (o.key[0]) {
        adds(out, "Authorization: Bearer ");
        adds(out, o.key);
        adds(out, "\r\n");
    }
    adds(out, "\r\n");
    add(out, body.data, body.n);
}

/* --- answers --- */

/* A vector of n numbers: all have as many as the first one. */
static bool same_length(int64_t n)
{
    if (dims == 0)
        dims = n;
    return n == dims;
}

/* Lists of numbers, outside of strings; -1 where one is not, or has another length. */
static int64_t count_lists(const char *p, const char *end)
{
    int64_t n = 0;
    for (; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
        } else if (*p == '[' && p + 1 < end && strchr("-0123456789", p[1])) {
            int64_t numbers = 1;
            for (p++; p < end && *p != ']'; p++) {
                if (*p == ',')
                    numbers++;
                else if (!strchr("0123456789-+.eE \n", *p))
                    return -1;
            }
            if (p == end || !same_length(numbers))
                return -1;
            n++;
        }
    }
    return n;
}

static int64_t count_base64(const char *p, const char *end)
{
    static const char member[] = "\"embedding\":\"";
    int64_t n = 0;
    while ((p = memmem(p, (size_t)(end - p), member, sizeof member - 1))) {
        const char *first = p + sizeof member - 1;
        p = memchr(first, '"', (size_t)(end - first));
        if (!p)
            return -1;
        size_t bytes = (size_t)(p - first) / 4 * 3;
        if (!same_length((int64_t)(bytes / 4))) /* one or two bytes are padding */
            return -1;
        n++;
    }
    return n;
}

/* A header's value, or NULL; name with its colon. */
static const char *header(const connection *c, const char *name)
{
    const char *p = c->in.data, *end = p + c->head;
    size_t n = strlen(name);
    while ((p = memmem(p, (size_t)(end - p), "\r\n", 2))) {
        p += 2;
        if ((size_t)(end - p) > n && strncasecmp(p, name, n) == 0)
            return p + n + strspn(p + n, " ");
    }
    return NULL;
}

/* Whether all of the answer is there; -1 where it cannot be understood. */
static int is_whole(connection *c)
{
    if (c->head == 0) {
        const char *end = c->in.n ? memmem(c->in.data, c->in.n, "\r\n\r\n", 4) : NULL;
        if (!end)
            return c->in.n > 65536 ? -1 : 0;
        c->head = (size_t)(end - c->in.data) + 4;
        const char *length = header(c, "Content-Length:"), *ends = header(c, "Connection:");
        c->last = ends && strncasecmp(ends, "close", 5) == 0;
        long long n = length ? strtoll(length, NULL, 10) : -1;
        if (n < 0 || n > MOST_ANSWER)
            return -1;
        c->whole = c->head + (size_t)n;
    }
    return c->in.n > c->whole ? -1 : c->in.n == c->whole;
}

static void tell_wrong(const connection *c, const char *what)
{
    if (wrong++ < TOLD)
        fprintf(stderr, "%.3f s: %s, %.3f s after the request's start; came: %.300s\n",
                se_seconds() - started, what, se_seconds() - c->began,
                c->in.n ? c->in.data : "nothing");
}

/* Looks at a whole answer. */
static void judge(const connection *c)
{
    const char *body = c->in.data + c->head, *end = c->in.data + c->whole;
    double now = se_seconds();
    if (strncmp(c->in.data, "HTTP/1.1 200 ", 13) != 0) {
        tell_wrong(c, "another status than 200");
        return;
    }
    int64_t n = o.base64 ? count_base64(body, end) : count_lists(body, end);
    if (n != o.each || !strchr("]}", end[-1])) {
        char what[128];
        snprintf(what, sizeof what, "%lld vectors of %lld numbers came, %d were wanted",
                 (long long)n, (long long)dims, o.each);
        tell_wrong(c, what);
        return;
    }
    if (n_times == times_room)
        times = more(times, (times_room = 2 * times_room + 4096) * sizeof *times);
    times[n_times++] = (float)(now - c->began);
    if (now - c->began > slowest) {
        slowest = now - c->began;
        slowest_at = now - started;
    }
}

/* --- connections --- */

static void watch(const connection *c, int how)
{
    struct epoll_event e = {.events = EPOLLIN | (c->sending ? (uint32_t)EPOLLOUT : 0),
                            .data.ptr = (void *)c};
    if (epoll_ctl(epoll_fd, how, c->fd, &e))
        die("epoll: %s", strerror(errno));
}

static void hang_up(connection *c)
{
    if (c->fd >= 0)
        close(c->fd); /* and epoll forgets it */
    c->fd = -1;
    c->busy = c->sending = false;
}

static bool dial(connection *c)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port)};
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("a socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at) && errno != EINPROGRESS) {
        tell_wrong(c, strerror(errno));
        hang_up(c);
        return false;
    }
    c->sending = true;
    watch(c, EPOLL_CTL_ADD);
    return true;
}

static void flush(connection *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
            break;
        if (n < 0) {
            tell_wrong(c, strerror(errno));
            hang_up(c);
            return;
        }
        c->sent += (size_t)n;
    }
    bool before = c->sending;
    c->sending = c->sent < c->out.n;
    if (before != c->sending)
        watch(c, EPOLL_CTL_MOD);
}

static void start_request(connection *c)
{
    c->in.n = c->head = c->whole = c->sent = 0;
    c->began = se_seconds();
    if (c->fd < 0 && !dial(c))
        return;
    c->busy = true;
    make_request(&c->out);
    flush(c);
}

static void receive(connection *c)
{
    static char part[1 << 16];
    ssize_t n;
    while (c->fd >= 0 && (n = recv(c->fd, part, sizeof part, 0)) != 0) {
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return;
            tell_wrong(c, strerror(errno));
            hang_up(c);
            return;
        }
        add(&c->in, part, (size_t)n);
        int whole = c->busy ? is_whole(c) : -1;
        if (whole < 0) {
            tell_wrong(c, "not an answer with a Content-Length");
            hang_up(c);
        } else if (whole) {
            judge(c);
            c->busy = false;
            if (c->last)
                hang_up(c);
            return;
        }
    }
    if (c->fd >= 0) {
        tell_wrong(c, "the server closed the connection");
        hang_up(c);
    }
}

/* Sends on every connection that has nothing under way, and gives up what takes too long; returns
 * how many are under way. */
static int tend(connection *all, bool more_requests)
{
    int busy = 0;
    double now = se_seconds();
    for (int i = 0; i < o.connections; i++) {
        connection *c = &all[i];
        if (c->busy && now - c->began > PATIENCE) {
            tell_wrong(c, "no answer");
            hang_up(c);
        }
        if (!c->busy && more_requests && wrong < MOST_WRONG)
            start_request(c);
        busy += c->busy;
    }
    return busy;
}

static void run(connection *all)
{
    struct epoll_event events[64];
    started = se_seconds();
    while (!stopped) {
        bool on = se_seconds() - started < o.seconds;
        if (tend(all, on) == 0 && (!on || wrong >= MOST_WRONG))
            break;
        int n = epoll_wait(epoll_fd, events, 64, 100);
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            if (c->fd >= 0 && c->sending && (events[i].events & (EPOLLOUT | EPOLLERR)))
                flush(c);
            if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                receive(c);
        }
    }
}

/* --- what came out --- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The smallest time that at least this share of the answers did not exceed, in milliseconds. */
static double quantile(double share)
{
    if (n_times == 0)
        return 0;
    size_t rank = (size_t)(share * (double)n_times);
    return 1e3 * (double)times[rank < n_times ? rank : n_times - 1];
}

static void print_result(double seconds)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    double rate = (double)n_times / seconds;
    if (n_times > 0)
        qsort(times, n_times, sizeof *times, by_size);
    printf("%s, %d connections, %d texts a request, %.1f s: %zu answers, %.1f requests/s, "
           "%.1f texts/s; ms: p50 %.1f, p90 %.1f, p99 %.1f, max %.1f (after %.1f s); %lld wrong; "
           "%.0f %% of a core for the load\n",
           o.route, o.connections, o.each, seconds, n_times, rate, rate * o.each, quantile(.5),
           quantile(.9), quantile(.99), quantile(1), slowest_at, (long long)wrong,
           1e2 * cpu / seconds);
    printf("{\"route\": \"%s\", \"format\": \"%s\", \"connections\": %d, \"texts_a_request\": %d, "
           "\"seconds\": %.3f, \"answers\": %zu, \"dims\": %lld, \"requests_per_second\": %.2f, "
           "\"texts_per_second\": %.2f, \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"max_ms\": %.3f, \"max_at\": %.3f, \"wrong\": %lld, \"load_cpu_seconds\": %.3f}\n",
           o.route, o.base64 ? "base64" : "float", o.connections, o.each, seconds, n_times,
           (long long)dims, rate, rate * o.each, quantile(.5), quantile(.9), quantile(.99),
           quantile(1), slowest_at, (long long)wrong, cpu);
}

static double number(const char *name, const char *value, double least, double most)
{
    char *end;
    double x = strtod(value, &end);
    if (*end || end == value || !(x >= least && x <= most))
        die("%s=%s: a number from %g to %g is wanted", name, value, least, most);
    return x;
}

static void option(char *word)
{
    char *value = strchr(word, '=');
    if (!value)
        die("%s: key=value is wanted", word);
    *value++ = 0;
    if (strcmp(word, "port") == 0)
        o.port = (int)number(word, value, 1, 65535);
    else if (strcmp(word, "seconds") == 0)
        o.seconds = number(word, value, 0.1, 3600);
    else if (strcmp(word, "connections") == 0)
        o.connections = (int)number(word, value, 1, 1000);
    else if (strcmp(word, "each") == 0)
        o.each = (int)number(word, value, 1, 10000);
    else if (strcmp(word, "route") == 0)
        o.route = value;
    else if (strcmp(word, "texts") == 0)
        o.file = value;
    else if (strcmp(word, "key") == 0)
        o.key = value;
    else if (strcmp(word, "format") == 0)
        o.base64 = strcmp(value, "base64") == 0;
    else
        die("%s: there is no such key; the head of bench/serve_load.c has them", word);
}

static void stop(int number_of_signal)
{
    (void)number_of_signal;
    stopped = 1;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        option(argv[i]);
    if (o.port == 0 || !o.file)
        die("port=PORT and texts=FILE are wanted");
    if (strcmp(o.route, "/v1/embeddings") != 0 && strcmp(o.route, "/embed") != 0)
        die("route=%s: /v1/embeddings or /embed is wanted", o.route);
    if (o.base64 && strcmp(o.route, "/embed") == 0)
        die("format=base64 is for /v1/embeddings");
    read_texts(o.file);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connection *all = calloc((size_t)o.connections, sizeof *all);
    if (epoll_fd < 0 || !all)
        die("%s", strerror(errno));
    for (int i = 0; i < o.connections; i++)
        all[i].fd = -1;
    run(all);
    print_result(se_seconds() - started);
    for (int i = 0; i < o.connections; i++) {
        hang_up(&all[i]);
        free(all[i].out.data);
        free(all[i].in.data);
    }
    for (size_t i = 0; i < n_texts; i++)
        free(texts[i].data);
    free(texts);
    free(times);
    free(all);
    close(epoll_fd);
    return wrong > 0 || n_times == 0;
}
