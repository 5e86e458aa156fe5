#define _GNU_SOURCE /* accept4's SOCK_CLOEXEC */
#include "serve/private.h"

#include <errno.h>
#include <netdb.h>
#include <linux/tcp.h> /* the C library's tcp_info ends before tcpi_bytes_acked */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int listen_at(const struct addrinfo *a)
{
    int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1024) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

se_status se_listen(const char *host, int32_t port, int *fd, int *bound)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    snprintf(service, sizeof service, "%d", (int)port);
    int why = getaddrinfo(host, service, &hints, &list);
    if (why != 0)
        return se_fail(SE_ERR_IO, "serve: host=%s: %s", host, gai_strerror(why));
    *fd = -1;
    for (const struct addrinfo *a = list; a && *fd < 0; a = a->ai_next)
        *fd = listen_at(a);
    why = errno;
    freeaddrinfo(list);
    if (*fd < 0)
        return se_fail(SE_ERR_IO, "serve: %s port %d cannot be listened on: %s", host, (int)port,
                       strerror(why));
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    getsockname(*fd, (struct sockaddr *)&at, &size);
    *bound = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                            : ((struct sockaddr_in *)&at)->sin_port);
    return SE_OK;
}

/* A client that needs longer than this to send or take a byte costs a connection for too long. */
static const double SLOWEST = 4096; /* bytes a second */

/* Bytes that the client has taken since the connection began. */
static int64_t taken_by(const se_client *c)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return (int64_t)info.tcpi_bytes_acked;
}

void se_client_does(se_server *s, se_client *c, se_doing what, int64_t bytes)
{
    (void)s;
    c->doing = what;
    c->since = se_seconds();
    c->bytes = bytes;
    if (what == SENDING)
        c->taken = taken_by(c);
}

/* An answer may take as long as it needs, as long as the client takes some of it all the time. */
static bool is_too_slow(const se_server *s, se_client *c, double now)
{
    if (c->doing == WORKING || c->doomed)
        return false;
    if (c->doing != SENDING)
        return now - c->since > s->o.timeout + (double)c->bytes / SLOWEST;
    if (now - c->since <= s->o.timeout)
        return false;
    int64_t taken = taken_by(c), before = c->taken;
    bool slow = (double)(taken - before) < (now - c->since) * SLOWEST;
    c->taken = taken;
    c->since = now;
    return slow;
}

static void end_client(se_client *c)
{
    static const char late[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: 65\r\n\r\n"
        "{\"error\":\"the request came too slowly\",\"error_type\":\"validation\"}";
    /* While a request is read nothing is written, so that the answer cannot stand inside another.
     */
    if (c->doing == READING)
        send(c->fd, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    c->doomed = true;
    shutdown(c->fd, SHUT_RDWR);
}

/* Looks at all connections four times a second. Sockets are closed by libmicrohttpd, after it has
 * told us (closed() in server.c, which waits for the lock): those in the list are open. */
void *se_watch(void *server)
{
    se_server *s = server;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 250000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->stop, &s->lock, &until);
        double now = se_seconds();
        for (se_client *c = s->clients; c; c = c->next)
            if (is_too_slow(s, c, now))
                end_client(c);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
