/* Requests, from the first byte to the queue, and from Lua's answer to the last one. */
#define _GNU_SOURCE
#include "serve/private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

/* --- requests: slots and the queue; all with s->lock held --- */

static se_pending *find(se_server *s, int64_t id)
{
    se_pending *p = id < 0 ? NULL : s->slots[id % s->o.queue];
    return p && p->id == id && p->pulled ? p : NULL;
}

void se_free_slot(se_server *s, se_pending *p)
{
    int32_t slot = (int32_t)(p->id % s->o.queue);
    s->slots[slot] = NULL;
    s->free_slots[s->n_free++] = slot;
    p->id = -1;
    s->state.working -= p->pulled;
}

static void drop_body(se_server *s, se_pending *p)
{
    s->state.body_bytes -= (int64_t)p->room;
    free(p->body);
    p->body = NULL;
    p->bytes = p->room = 0;
}

/* Puts a whole request into the queue; false where there is no slot. */
static bool enqueue(se_server *s, se_pending *p)
{
    if (s->n_free == 0)
        return false;
    int32_t slot = s->free_slots[--s->n_free];
    p->id = slot + s->o.queue * ++s->serial;
    s->slots[slot] = p;
    p->next = NULL;
    *(s->last ? &s->last->next : &s->first) = p;
    s->last = p;
    s->state.waiting++;
    pthread_cond_signal(&s->arrived);
    return true;
}

/* --- answering --- */

static void print_path(const char *path, char *out, size_t room)
{
    size_t n = 0;
    for (; *path && n + 2 < room; path++)
        out[n++] = *path > ' ' && *path < 127 ? *path : '?';
    out[n] = 0;
}

static void write_log(const se_server *s, const se_pending *p, const char *url, double seconds)
{
    char path[160], line[320], who[64] = "?";
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    if (getpeername(p->client->fd, (struct sockaddr *)&at, &size) == 0) {
        const void *address = at.ss_family == AF_INET6
                                  ? (const void *)&((struct sockaddr_in6 *)&at)->sin6_addr
                                  : (const void *)&((struct sockaddr_in *)&at)->sin_addr;
        inet_ntop(at.ss_family, address, who, sizeof who);
    }
    print_path(url, path, sizeof path);
    int n = snprintf(line, sizeof line, "%s %s %d %.1f ms %zu bytes\n", who, path, p->status,
                     seconds * 1e3, p->answer_bytes);
    if (s->o.log && n > 0 && write(2, line, (size_t)n) < 0)
        return; /* nobody reads the log: no reason to stop */
}

/* Hands p->answer to libmicrohttpd; called on its thread. */
static enum MHD_Result answer(se_server *s, se_pending *p, const char *url)
{
    double seconds = se_seconds() - p->began;
    pthread_mutex_lock(&s->lock);
    se_count(p->route, p->status, seconds);
    bool last = s->draining;
    se_client_does(s, p->client, SENDING, (int64_t)p->answer_bytes);
    pthread_mutex_unlock(&s->lock);
    if (s->o.log)
        write_log(s, p, url, seconds);
    if (last)
        s->mhd->add_response_header(p->answer, "Connection", "close");
    enum MHD_Result r = s->mhd->queue_response(p->connection, (unsigned)p->status, p->answer);
    s->mhd->destroy_response(p->answer);
    p->answer = NULL;
    return r;
}

static enum MHD_Result refuse(se_server *s, se_pending *p, const char *url)
{
    p->status = p->refused;
    p->answer = se_refusal(s, p->status, p->route);
    return p->answer ? answer(s, p, url) : MHD_NO;
}

static enum MHD_Result health(se_server *s, se_pending *p, const char *url)
{
    p->status = 200;
    p->answer = s->mhd->create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    return p->answer ? answer(s, p, url) : MHD_NO;
}

/* --- what libmicrohttpd calls, on its thread --- */

static se_client *client_of(se_server *s, struct MHD_Connection *c)
{
    return s->mhd->get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    se_server *s = cls;
    se_client *c = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = c = calloc(1, sizeof *c);
        if (!c)
            return; /* its first request ends the connection */
        c->fd =
            s->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        pthread_mutex_lock(&s->lock);
        se_client_does(s, c, IDLE, 0);
        c->next = s->clients;
        if (c->next)
            c->next->before = c;
        s->clients = c;
        s->state.connections++;
        pthread_mutex_unlock(&s->lock);
    } else if (c) {
        pthread_mutex_lock(&s->lock);
        *(c->before ? &c->before->next : &s->clients) = c->next;
        if (c->next)
            c->next->before = c->before;
        s->state.connections--;
        pthread_mutex_unlock(&s->lock);
        free(c);
    }
}

/* The first line of a request has come: from here on the time for all of it runs. */
static void *on_first_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)uri;
    se_server *s = cls;
    se_client *c = client_of(s, connection);
    if (c) {
        pthread_mutex_lock(&s->lock);
        se_client_does(s, c, READING, 0);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static const char *header(se_server *s, se_pending *p, const char *name)
{
    return s->mhd->lookup_connection_value(p->connection, MHD_HEADER_KIND, name);
}

static se_route *route_of(se_server *s, const char *path)
{
    for (int i = 0; i < s->n_routes; i++)
        if (strcmp(s->routes[i].path, path) == 0)
            return &s->routes[i];
    se_route *none = &s->routes[MAX_ROUTES];
    none->form = strncmp(path, "/v1/", 4) == 0 ? SE_SERVER_OPENAI : SE_SERVER_TEI;
    return none;
}

static int64_t announced(se_server *s, se_pending *p)
{
    const char *length = header(s, p, "Content-Length");
    return length ? strtoll(length, NULL, 10) : 0;
}

static enum MHD_Result count_length(void *n, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    (void)value;
    *(int *)n += !strcasecmp(name, "Content-Length") || !strcasecmp(name, "Transfer-Encoding");
    return MHD_YES;
}

/* Whether the body's end is certain: a proxy before us may believe the other of two lengths, and
 * take what is left for a request (RFC 9112, section 6.3). */
static bool has_one_length(se_server *s, se_pending *p)
{
    int n = 0;
    s->mhd->get_connection_values(p->connection, MHD_HEADER_KIND, count_length, &n);
    return n <= 1;
}

/* The status that the headers alone make certain, or 0; s->lock held. */
static int judge(se_server *s, se_pending *p, const char *method)
{
    const char *encoding = header(s, p, "Content-Encoding");
    bool is_health = p->route == &s->routes[0];
    if (!has_one_length(s, p))
        return 400;
    if (s->draining)
        return 503;
    if (s->key && !is_health && !se_same_key(header(s, p, "Authorization"), s->key))
        return 401;
    if (p->route == &s->routes[MAX_ROUTES])
        return 404;
    if (p->route->post ? strcmp(method, "POST") != 0 : !p->get)
        return 405;
    if (announced(s, p) > s->o.body)
        return 413;
    if (encoding && strcasecmp(encoding, "identity") != 0)
        return 415;
    if (!is_health && (s->n_free == 0 || s->state.body_bytes > s->o.bodies))
        return 429;
    return 0;
}

/* The headers have come. */
static enum MHD_Result begin(se_server *s, struct MHD_Connection *connection, const char *url,
                             const char *method, void **context)
{
    se_client *c = client_of(s, connection);
    se_pending *p = c ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return MHD_NO;
    *context = p;
    p->connection = connection;
    p->client = c;
    p->id = -1;
    p->route = route_of(s, url);
    p->get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    pthread_mutex_lock(&s->lock);
    p->began = c->since;
    p->refused = judge(s, p, method);
    s->state.active++;
    bool doomed = c->doomed;
    pthread_mutex_unlock(&s->lock);
    if (doomed)
        return MHD_NO;
    /* Who asks before sending, would send far too much, or sends nobody knows how much, is told
     * now; the connection ends then. */
    if (p->refused == 400 ||
        (p->refused && (header(s, p, "Expect") || announced(s, p) > s->o.body + SE_THROWN_AWAY)))
        return refuse(s, p, url);
    return MHD_YES;
}

/* A part of the body; s->lock held. */
static void take_part(se_server *s, se_pending *p, const char *data, size_t n)
{
    if (p->bytes + n > (size_t)s->o.body) {
        p->refused = 413;
    } else if (p->room - p->bytes < n) {
        size_t room = p->room < 4096 ? 4096 : p->room;
        while (room - p->bytes < n)
            room *= 2;
        char *body = s->state.body_bytes > s->o.bodies ? NULL : realloc(p->body, room);
        if (body) {
            s->state.body_bytes += (int64_t)(room - p->room);
            p->body = body;
            p->room = room;
        } else {
            p->refused = 429;
        }
    }
    if (p->refused) {
        drop_body(s, p);
        return;
    }
    memcpy(p->body + p->bytes, data, n);
    p->bytes += n;
}

static enum MHD_Result read_part(se_server *s, se_pending *p, const char *data, size_t n)
{
    pthread_mutex_lock(&s->lock);
    p->client->bytes += (int64_t)n;
    bool on = !p->client->doomed;
    if (on && !p->refused)
        take_part(s, p, data, n);
    if (p->refused)
        p->thrown += (int64_t)n;
    pthread_mutex_unlock(&s->lock);
    return on && p->thrown <= s->o.body + SE_THROWN_AWAY ? MHD_YES : MHD_NO;
}

/* The request is whole. */
static enum MHD_Result finish(se_server *s, se_pending *p, const char *url)
{
    if (p->refused)
        return refuse(s, p, url);
    if (p->route == &s->routes[0])
        return health(s, p, url);
    pthread_mutex_lock(&s->lock);
    bool doomed = p->client->doomed, queued = !doomed && enqueue(s, p);
    if (queued) {
        se_client_does(s, p->client, WORKING, 0);
        s->mhd->suspend_connection(p->connection);
    }
    pthread_mutex_unlock(&s->lock);
    if (queued ||
        doomed) /* a queued request may have been answered by now: it is not ours to read */
        return queued ? MHD_YES : MHD_NO;
    p->refused = 429;
    return refuse(s, p, url);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **context)
{
    (void)version;
    se_server *s = cls;
    se_pending *p = *context;
    if (!p)
        return begin(s, connection, url, method, context);
    if (*bytes > 0) {
        enum MHD_Result r = read_part(s, p, data, *bytes);
        *bytes = 0;
        return r;
    }
    pthread_mutex_lock(&s->lock); /* se_server_send fills in status and answer */
    bool answered = p->answer != NULL, waits = p->id >= 0;
    pthread_mutex_unlock(&s->lock);
    if (waits)
        return MHD_YES;
    return answered ? answer(s, p, url) : finish(s, p, url);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    (void)connection;
    (void)how;
    se_server *s = cls;
    se_pending *p = *context;
    if (!p)
        return;
    *context = NULL;
    pthread_mutex_lock(&s->lock);
    if (p->id >= 0)
        SE_BUG("a request that waits was completed");
    drop_body(s, p);
    se_client_does(s, p->client, IDLE, 0);
    s->state.active--;
    pthread_mutex_unlock(&s->lock);
    if (p->answer)
        s->mhd->destroy_response(p->answer);
    free(p);
}

/* --- what Lua calls --- */

int32_t se_server_pull(se_server *s, int32_t milliseconds, int32_t max, se_request *out)
{
    double until = se_seconds() + milliseconds * 1e-3;
    int32_t n = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->first && !(se_interrupted() && !s->draining) && se_seconds() < until) {
        double pause = until - se_seconds(); /* a signal wakes nobody: it is looked for */
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_nsec += (long)((pause < 0.05 ? pause : 0.05) * 1e9);
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->arrived, &s->lock, &t);
    }
    for (; n < max && s->first; n++) {
        se_pending *p = s->first;
        s->first = p->next;
        if (!s->first)
            s->last = NULL;
        p->pulled = true;
        s->state.waiting--;
        s->state.working++;
        out[n] = (se_request){.id = p->id,
                              .path = p->route->path,
                              .method = p->route->post ? "POST" : "GET",
                              .body = p->body ? p->body : "",
                              .bytes = p->bytes,
                              .began = p->began};
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Gives `text`, from malloc, to the request; freed in any case. */
static se_status send_text(se_server *s, int64_t id, int status, const char *content_type,
                           char *text, size_t bytes)
{
    struct MHD_Response *a =
        text ? s->mhd->create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (a)
        s->mhd->add_response_header(a, "Content-Type", content_type);
    else
        free(text);
    pthread_mutex_lock(&s->lock);
    se_pending *p = find(s, id);
    if (p && !a) {
        status = 500;
        bytes = 0;
        a = se_refusal(s, 500, p->route);
    }
    struct MHD_Connection *connection = p ? p->connection : NULL;
    if (p) {
        p->answer = a;
        p->status = status;
        p->answer_bytes = bytes;
        p->refused = a ? 0 : 500;
        se_free_slot(s, p);
        drop_body(s, p);
    }
    pthread_mutex_unlock(&s->lock);
    if (connection) {
        s->mhd->resume_connection(connection);
        return SE_OK;
    }
    if (a)
        s->mhd->destroy_response(a);
    return se_fail(SE_ERR_STATE, "serve: there is no request %lld to answer", (long long)id);
}

se_status se_server_reply(se_server *s, int64_t id, int32_t status, const char *content_type,
                          const char *body, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (copy)
        memcpy(copy, body, bytes);
    return send_text(s, id, status, content_type, copy, bytes);
}

se_status se_server_send(se_server *s, int64_t id, int32_t status, const char *content_type,
                         se_reply *body)
{
    size_t bytes = 0;
    char *text = se_reply_take(body, &bytes);
    se_reply_free(body);
    return send_text(s, id, status, content_type, text, bytes);
}

bool se_server_gone(se_server *s, int64_t id)
{
    char byte;
    pthread_mutex_lock(&s->lock);
    se_pending *p = find(s, id);
    /* The connection sleeps, so its socket is open; 0 is the end of what the client sends. */
    bool gone = !p || recv(p->client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    pthread_mutex_unlock(&s->lock);
    return gone;
}

void se_server_look(se_server *s, se_server_state *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->state;
    pthread_mutex_unlock(&s->lock);
}

struct MHD_Daemon *se_start_daemon(se_server *s)
{
    return s->mhd->start_daemon(
        MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listener, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->o.connections, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_URI_LOG_CALLBACK, on_first_line,
        s, MHD_OPTION_END);
}
