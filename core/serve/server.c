/* A server from open to close. */
#define _GNU_SOURCE
#include "serve/server.h"
#include "serve/private.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

se_status se_server_route(se_server *s, const char *method, const char *path, int32_t form)
{
    if (s->n_routes == MAX_ROUTES)
        return se_fail(SE_ERR_ARG, "serve: more than %d paths", MAX_ROUTES);
    char *copy = se_strdup(path);
    if (!copy)
        return SE_ERR_MEMORY;
    s->routes[s->n_routes++] =
        (se_route){.path = copy, .post = strcmp(method, "POST") == 0, .form = form};
    return SE_OK;
}

static void free_server(se_server *s)
{
    if (s->listener >= 0)
        close(s->listener);
    for (int i = 0; i <= MAX_ROUTES; i++)
        free(s->routes[i].path);
    free(s->slots);
    free(s->free_slots);
    free(s->key);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->arrived);
    pthread_cond_destroy(&s->stop);
    free(s);
}

static se_status prepare(se_server *s)
{
    s->slots = se_calloc((size_t)s->o.queue, sizeof *s->slots);
    s->free_slots = se_calloc((size_t)s->o.queue, sizeof *s->free_slots);
    s->key = s->o.key ? se_strdup(s->o.key) : NULL;
    s->routes[MAX_ROUTES].path = se_strdup("other");
    if (!s->slots || !s->free_slots || (s->o.key && !s->key) || !s->routes[MAX_ROUTES].path)
        return SE_ERR_MEMORY;
    s->o.key = s->o.host = NULL; /* the caller's */
    for (int32_t i = 0; i < s->o.queue; i++)
        s->free_slots[s->n_free++] = s->o.queue - 1 - i;
    return se_server_route(s, "GET", "/health", SE_SERVER_TEI); /* number 0 */
}

se_status se_server_open(const se_server_options *o, se_server **out)
{
    if (o->queue < 1 || o->connections < 1 || o->body < 0 || !(o->timeout > 0) || o->port < 0 ||
        o->port > 65535)
        return se_fail(SE_ERR_ARG, "serve: a limit or the port is out of range");
    const se_mhd *mhd;
    se_status status = se_mhd_open(&mhd);
    if (status != SE_OK)
        return status;
    se_server *s = se_calloc(1, sizeof *s);
    if (!s)
        return SE_ERR_MEMORY;
    s->mhd = mhd;
    s->o = *o;
    s->listener = -1;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->arrived, &clock);
    pthread_cond_init(&s->stop, &clock);
    pthread_condattr_destroy(&clock);
    status = se_listen(o->host, o->port, &s->listener, &s->port);
    if (status == SE_OK)
        status = prepare(s);
    if (status == SE_OK)
        *out = s;
    else
        free_server(s);
    return status;
}

int32_t se_server_port(const se_server *s)
{
    return s->port;
}

se_status se_server_start(se_server *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    s->daemon = se_start_daemon(s);
    if (s->daemon)
        s->watching = pthread_create(&s->watch, NULL, se_watch, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->watching ? SE_OK : se_fail(SE_ERR_IO, "serve: the server's threads did not start");
}

void se_server_drain(se_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool first = !s->draining;
    s->draining = true;
    pthread_mutex_unlock(&s->lock);
    if (first && s->daemon) {
        s->mhd->quiesce_daemon(s->daemon);
        shutdown(s->listener, SHUT_RD); /* new connections are refused */
    }
}

/* Answers all that is left and gives the answers a second to go out. */
static void give_up(se_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->first = s->last = NULL;
    s->state.waiting = 0;
    pthread_mutex_unlock(&s->lock);
    for (int32_t i = 0; i < s->o.queue; i++) {
        pthread_mutex_lock(&s->lock);
        se_pending *p = s->slots[i];
        struct MHD_Response *a = p ? se_refusal(s, 503, p->route) : NULL;
        struct MHD_Connection *connection = p ? p->connection : NULL;
        if (p) {
            p->answer = a;
            p->status = p->refused = 503;
            se_free_slot(s, p);
        }
        pthread_mutex_unlock(&s->lock);
        if (connection)
            s->mhd->resume_connection(connection);
    }
    for (int i = 0; i < 100; i++) {
        se_server_state now;
        se_server_look(s, &now);
        if (now.active == 0)
            break;
        poll(NULL, 0, 10);
    }
}

void se_server_close(se_server *s)
{
    if (!s)
        return;
    if (s->daemon) {
        se_server_drain(s);
        give_up(s);
        s->mhd->stop_daemon(s->daemon);
    }
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->stop);
    pthread_mutex_unlock(&s->lock);
    if (s->watching)
        pthread_join(s->watch, NULL);
    free_server(s);
}
