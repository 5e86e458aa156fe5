/* What the parts of the server share: server.c (from open to close), requests.c (requests and their
 * queue), refuse.c (what is answered without Lua, metrics), watch.c (sockets: listening, clients
 * that are too slow). */
#ifndef SE_SERVE_PRIVATE_H
#define SE_SERVE_PRIVATE_H

#include "serve/mhd.h"
#include "serve/server.h"

#include <pthread.h>

enum { MAX_ROUTES = 64, N_STATUS = 14, N_TIMES = 14 };

/* 16 MiB beyond what is allowed: so much of a refused body is read and thrown away, so that the
 * client comes to read the answer. */
#define SE_THROWN_AWAY ((int64_t)16 << 20)

typedef struct se_route {
    char *path;
    bool post;
    int form;
    int64_t by_status[N_STATUS];
    int64_t by_time[N_TIMES]; /* the last one: longer than all limits */
    double seconds;
} se_route;

/* A connection: what it does, and since when. */
typedef enum { IDLE, READING, WORKING, SENDING } se_doing;
typedef struct se_client {
    int fd;
    se_doing doing;
    double since;
    int64_t bytes; /* read since then */
    int64_t taken; /* SENDING: what the client had taken then, of all on this connection */
    bool doomed;   /* shut down by the watch */
    struct se_client *next, *before;
} se_client;

/* A request, from its headers to the last byte of its answer. */
typedef struct se_pending {
    struct MHD_Connection *connection;
    se_client *client;
    se_route *route;
    int64_t id;  /* of a request with a slot, else -1 */
    int refused; /* the status that it gets once its body is over, or 0 */
    bool get, pulled;
    char *body;
    size_t bytes, room;
    int64_t thrown;
    double began;
    struct MHD_Response *answer;
    int status;
    size_t answer_bytes;
    struct se_pending *next; /* in the queue */
} se_pending;

struct se_server {
    const se_mhd *mhd;
    struct MHD_Daemon *daemon;
    se_server_options o;
    char *key;
    int listener, port;
    se_route routes[MAX_ROUTES + 1]; /* the last one stands for paths that there are not */
    int n_routes;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t arrived, stop;
    pthread_t watch;
    bool watching, stopping, draining;
    se_client *clients;
    se_pending **slots; /* [queue]: what se_pending.id % queue finds */
    int32_t *free_slots;
    int32_t n_free;
    int64_t serial;
    se_pending *first, *last; /* the queue */
    se_server_state state;
};

/* requests.c */
struct MHD_Daemon *se_start_daemon(se_server *s); /* NULL on failure */
void se_free_slot(se_server *s, se_pending *p);   /* s->lock held */

/* watch.c */
se_status se_listen(const char *host, int32_t port, int *fd, int *bound);
void se_client_does(se_server *s, se_client *c, se_doing what, int64_t bytes); /* s->lock held */
void *se_watch(void *server);

/* refuse.c */
struct MHD_Response *se_refusal(const se_server *s, int status, const se_route *route);
void se_count(se_route *route, int status, double seconds); /* s->lock held */
bool se_same_key(const char *header, const char *key);

#endif
