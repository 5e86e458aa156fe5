#include "serve/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is answered without Lua: status, message, the error type of OpenAI and of TEI. */
static const struct refusal {
    int status;
    const char *message, *openai, *tei;
} refusals[] = {
    {400, "the body has two lengths", "invalid_request_error", "validation"},
    {401, "a key is wanted: Authorization: Bearer KEY", "invalid_request_error", "validation"},
    {404, "there is no such path", "invalid_request_error", "validation"},
    {405, "the path has another method", "invalid_request_error", "validation"},
    {413, "the body is too large: at most %lld bytes are taken", "invalid_request_error",
     "validation"},
    {415, "a body with a Content-Encoding is not taken", "invalid_request_error", "validation"},
    {429, "too many requests are waiting; try again in a moment", "rate_limit_error", "overloaded"},
    {500, "no memory for the answer", "server_error", "backend"},
    {503, "the server is about to end", "server_error", "unhealthy"},
};

static void add_headers(const se_server *s, struct MHD_Response *a, int status,
                        const se_route *route)
{
    s->mhd->add_response_header(a, "Content-Type", "application/json");
    if (status == 401)
        s->mhd->add_response_header(a, "WWW-Authenticate", "Bearer");
    if (status == 405)
        s->mhd->add_response_header(a, "Allow", route->post ? "POST" : "GET, HEAD");
    if (status == 429 || status == 503)
        s->mhd->add_response_header(a, "Retry-After", "1");
}

struct MHD_Response *se_refusal(const se_server *s, int status, const se_route *route)
{
    const struct refusal *r = refusals;
    while (r->status != status)
        r++;
    char message[128], body[512];
    snprintf(message, sizeof message, r->message, (long long)s->o.body);
    if (route->form == SE_SERVER_OPENAI)
        snprintf(body, sizeof body,
                 "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":%s}}",
                 message, r->openai, status == 401 ? "\"invalid_api_key\"" : "null");
    else
        snprintf(body, sizeof body, "{\"error\":\"%s\",\"error_type\":\"%s\"}", message, r->tei);
    struct MHD_Response *a =
        s->mhd->create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
    if (a)
        add_headers(s, a, status, route);
    return a;
}

bool se_same_key(const char *header, const char *key)
{
    if (!header || strncmp(header, "Bearer ", 7) != 0)
        return false;
    const char *given = header + 7;
    size_t n = strlen(given), wanted = strlen(key);
    /* The time tells the length of what was given, and nothing of the key. */
    unsigned different = n != wanted;
    for (size_t i = 0; i < n; i++)
        different |= (unsigned char)given[i] ^ (unsigned char)key[wanted ? i % wanted : 0];
    return different == 0;
}

/* --- counts --- */

static const int statuses[N_STATUS] = {200, 400, 401, 404, 405, 408, 413,
                                       415, 422, 424, 429, 500, 503, 0};
static const double limits[N_TIMES - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                           0.25,  0.5,    1,     2.5,  5,     10};

void se_count(se_route *route, int status, double seconds)
{
    int i = 0, t = 0;
    while (i < N_STATUS - 1 && statuses[i] != status)
        i++;
    while (t < N_TIMES - 1 && seconds > limits[t])
        t++;
    route->by_status[i]++;
    route->by_time[t]++;
    route->seconds += seconds;
}

static void line(se_reply *out, const char *format, ...) SE_PRINTF(2, 3);

static void line(se_reply *out, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (n > 0 && (size_t)n < sizeof text)
        se_reply_add(out, text, (size_t)n);
}

static void route_times(const se_route *r, se_reply *out)
{
    int64_t n = 0;
    for (int t = 0; t < N_TIMES; t++)
        n += r->by_time[t];
    if (n == 0)
        return;
    int64_t sum = 0;
    for (int t = 0; t < N_TIMES - 1; t++) {
        sum += r->by_time[t];
        line(out, "sembed_request_seconds_bucket{route=\"%s\",le=\"%g\"} %lld\n", r->path,
             limits[t], (long long)sum);
    }
    line(out, "sembed_request_seconds_bucket{route=\"%s\",le=\"+Inf\"} %lld\n", r->path,
         (long long)n);
    line(out, "sembed_request_seconds_sum{route=\"%s\"} %.6f\n", r->path, r->seconds);
    line(out, "sembed_request_seconds_count{route=\"%s\"} %lld\n", r->path, (long long)n);
}

static void gauge(se_reply *out, const char *name, const char *help, int64_t value)
{
    line(out, "# HELP sembed_%s %s\n# TYPE sembed_%s gauge\nsembed_%s %lld\n", name, help, name,
         name, (long long)value);
}

void se_server_metrics(se_server *s, se_reply *out)
{
    pthread_mutex_lock(&s->lock);
    line(out, "# HELP sembed_requests_total Answers by route and status.\n"
              "# TYPE sembed_requests_total counter\n");
    for (int i = 0; i <= MAX_ROUTES; i++)
        for (int k = 0; k < N_STATUS; k++)
            if (s->routes[i].by_status[k] > 0)
                line(out, "sembed_requests_total{route=\"%s\",status=\"%d\"} %lld\n",
                     s->routes[i].path, statuses[k], (long long)s->routes[i].by_status[k]);
    line(out, "# HELP sembed_request_seconds From a request's first line to its answer.\n"
              "# TYPE sembed_request_seconds histogram\n");
    for (int i = 0; i <= MAX_ROUTES; i++)
        route_times(&s->routes[i], out);
    gauge(out, "queue_length", "Requests that wait to be taken up.", s->state.waiting);
    gauge(out, "requests_in_work", "Requests taken up and not answered.", s->state.working);
    gauge(out, "connections", "Open connections.", s->state.connections);
    gauge(out, "body_bytes", "Bytes of bodies held.", s->state.body_bytes);
    pthread_mutex_unlock(&s->lock);
}
