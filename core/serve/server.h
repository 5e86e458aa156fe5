/* An HTTP server that Lua pulls from. Threads of libmicrohttpd accept, read and limit; requests
 * that are whole and within the limits wait in a queue until se_server_pull takes all of them, and
 * a connection sleeps until se_server_reply answers its request. What needs no model (a route or
 * method that there is not, a missing key, a body too large, a full queue, GET /health) is answered
 * here, also while Lua computes. Nothing here calls Lua. */
#ifndef SE_SERVE_SERVER_H
#define SE_SERVE_SERVER_H

#include "serve/reply.h"

/* sembed-cdef-begin */
typedef struct se_server se_server;

typedef struct se_server_options {
    const char *host;    /* name or address to listen on */
    int32_t port;        /* 0: any free one, see se_server_port */
    int64_t body;        /* the most bytes of a body: more is status 413 */
    int64_t bodies;      /* the most bytes of all bodies held at a time: more is status 429 */
    int32_t queue;       /* the most requests waiting or in work: more is status 429 */
    int32_t connections; /* the most open at a time; more wait in the system's queue */
    double timeout;      /* seconds for a request to arrive, plus a second each 4 KB; seconds that a
                            connection may be idle. Then 408 (or nothing, if nothing came). Who
                            takes less than 4 KB of an answer a second, over this time, is left. */
    const char *key;     /* NULL, or what "Authorization: Bearer KEY" must say, else status 401 */
    bool log;            /* a line on standard error for each request */
} se_server_options;

/* Listens, but accepts nothing before se_server_start. Options are copied. */
SE_API se_status se_server_open(const se_server_options *o, se_server **out);
SE_API int32_t se_server_port(const se_server *s);

/* How errors of a route are written: {"error":{"message":...}} as OpenAI's API has them, or
 * {"error":...,"error_type":...} as text-embeddings-inference has them. */
enum { SE_SERVER_TEI, SE_SERVER_OPENAI };

/* Makes a path known, before the start; method is "GET" (HEAD comes with it) or "POST". */
SE_API se_status se_server_route(se_server *s, const char *method, const char *path, int32_t form);
SE_API se_status se_server_start(se_server *s);

/* A request as Lua gets it. path and body are lent until it is answered. */
typedef struct se_request {
    int64_t id;
    const char *path, *method, *body;
    size_t bytes;
    double began; /* se_seconds() when its first line came */
} se_request;

/* Takes up to `max` of the requests that wait, oldest first, and returns how many; waits for one up
 * to `milliseconds`, and shorter once se_interrupted(). */
SE_API int32_t se_server_pull(se_server *s, int32_t milliseconds, int32_t max, se_request *out);

/* Answers a pulled request; the text is copied, the reply taken over (and freed in any case).
 * SE_ERR_STATE for a request that there is not (any more). */
SE_API se_status se_server_reply(se_server *s, int64_t id, int32_t status, const char *content_type,
                                 const char *body, size_t bytes);
SE_API se_status se_server_send(se_server *s, int64_t id, int32_t status, const char *content_type,
                                se_reply *body);

/* Whether a pulled request's client has gone away: its work need not be done. It still has to be
 * answered. */
SE_API bool se_server_gone(se_server *s, int64_t id);

/* Stops accepting: what comes from now on on open connections gets status 503. */
SE_API void se_server_drain(se_server *s);

typedef struct se_server_state {
    int64_t waiting, working; /* requests not yet pulled; pulled and not answered */
    int64_t active;           /* requests not yet answered to the last byte, those included */
    int64_t connections;
    int64_t body_bytes; /* of the bodies held */
} se_server_state;
SE_API void se_server_look(se_server *s, se_server_state *out);

/* Adds requests by route and status, times and the state above in Prometheus' text format. */
SE_API void se_server_metrics(se_server *s, se_reply *out);

/* Ends: what is not answered gets status 503. NULL is allowed. */
SE_API void se_server_close(se_server *s);
/* sembed-cdef-end */

#endif
