/* sembed serve over raw sockets: right vectors, every route and status, and clients that are slow,
 * broken, or gone. The program is the one beside this test. */
#define _GNU_SOURCE
#include "serve/reply.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a server --- */

static pid_t server;
static int port;

/* Starts `sembed serve` with these words behind the model, and waits for its port. */
static void start(const char *model, const char *const *words)
{
    char program[4096], line[512];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 8);
    assert_true(n > 0);
    program[n] = 0;
    strcpy(strrchr(program, '/') + 1, "sembed");
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    server = fork();
    if (server == 0) {
        const char *args[16] = {program, "serve", model, "port=0", "threads=1"};
        for (int i = 0; words && words[i]; i++)
            args[5 + i] = words[i];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        execv(program, (char **)args);
        _exit(127);
    }
    close(out[1]);
    FILE *said = fdopen(out[0], "r");
    port = 0;
    while (port == 0 && fgets(line, sizeof line, said))
        if (strncmp(line, "listening on", 12) == 0)
            port = atoi(strrchr(line, ':') + 1);
    fclose(said);
    assert_true(port > 0);
}

static const char *const TINY = "model=" SE_TEST_DATA "/tiny-mpnet";

/* Ends it; it has to have lived until now, and to end with status 0. */
static void stop(void)
{
    int status;
    assert_int_equal(waitpid(server, &status, WNOHANG), 0);
    kill(server, SIGTERM);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- a client --- */

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {120, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void put(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t m = send(fd, text, n, MSG_NOSIGNAL);
        if (m <= 0)
            return; /* what the server says about it is read */
        text += m;
        n -= (size_t)m;
    }
}

static void say(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

static void ask(int fd, const char *method, const char *path, const char *more, const char *body)
{
    char *text;
    int n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s", method,
                     path, more, strlen(body), body);
    put(fd, text, (size_t)n);
    free(text);
}

static char head[8192], *body;

/* Reads one answer; returns its status, 0 where the connection ended. The body of a HEAD is not
 * waited for. */
static int answer_of(int fd, bool no_body)
{
    size_t n = 0;
    head[0] = 0;
    while (!strstr(head, "\r\n\r\n")) {
        if (n + 1 == sizeof head || recv(fd, head + n, 1, 0) != 1)
            return 0;
        head[++n] = 0;
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t bytes = length && !no_body ? strtoul(length + 17, NULL, 10) : 0, got = 0;
    body = realloc(body, bytes + 1);
    while (got < bytes) {
        ssize_t m = recv(fd, body + got, bytes - got, 0);
        if (m <= 0)
            return 0;
        got += (size_t)m;
    }
    body[bytes] = 0;
    return atoi(head + 9);
}

/* One request on a connection of its own. */
static int once(const char *method, const char *path, const char *more, const char *text)
{
    int fd = dial();
    ask(fd, method, path, more, text);
    int status = answer_of(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return status;
}

static int post(const char *path, const char *text)
{
    return once("POST", path, "", text);
}

#define HAS(part)                                                                                  \
    do {                                                                                           \
        if (!strstr(body, part))                                                                   \
            fail_msg("the answer lacks %s: %.300s", part, body);                                   \
    } while (0)

/* The numbers of the list that begins at text. */
static int numbers(const char *text, double *out, int most)
{
    int n = 0;
    assert_int_equal(*text, '[');
    do {
        char *end;
        out[n++] = strtod(text + 1, &end);
        text = end;
    } while (*text == ',' && n < most);
    return n;
}

/* --- tests --- */

static void test_floats(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    char text[32];
    for (int i = 0; i < 1000000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        uint32_t u = (uint32_t)(bits >> 20);
        float x = (float)((int32_t)u) * 0x1p-33f;
        if (i % 2)
            memcpy(&x, &u, 4);
        if (!isfinite(x))
            continue;
        int n = se_print_float(x, text);
        assert_in_range(n, 1, 16);
        text[n] = 0;
        if (strtof(text, NULL) != x || (float)strtod(text, NULL) != x)
            fail_msg("%a was written as %s", (double)x, text);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const char in[] = "a\"\\\n\xc3\xa9\xff\xed\xa0\x80\xf4\x90\x80\x80\xe0\x80";
    se_reply *r = se_reply_new();
    se_reply_string(r, in, sizeof in - 1);
    size_t n;
    char *out = se_reply_take(r, &n);
    static const char wanted[] = "\"a\\\"\\\\\\u000a\xc3\xa9\\ufffd\\ufffd\\ufffd\\ufffd"
                                 "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"";
    assert_int_equal(n, sizeof wanted - 1);
    assert_memory_equal(out, wanted, n);
    float bad[2] = {1, NAN};
    assert_false(se_reply_floats(r, bad, 2));
    assert_int_equal(se_reply_size(r), 0);
    free(out);
    se_reply_free(r);
}

/* Every line of vectors.jsonl, by both APIs, against what PyTorch computed in float64. */
static void test_vectors(void **state)
{
    (void)state;
    FILE *file = fopen(SE_TEST_DATA "/tiny-mpnet/vectors.jsonl", "r");
    assert_non_null(file);
    char *line = NULL, *text = NULL;
    size_t room = 0;
    int count = 0;
    start(TINY, NULL);
    while (getline(&line, &room, file) > 0) {
        double wanted[64], got[65];
        const char *vector = strstr(line, "\"vector\": ") + 10, *t = strstr(line, "\"text\": ") + 8;
        const char *end = t + 1;
        for (; *end != '"'; end++)
            end += *end == '\\';
        assert_int_equal(numbers(vector, wanted, 64), 64);
        assert_true(asprintf(&text, "{\"truncate\":true,\"inputs\":%.*s}", (int)(end - t + 1), t) >
                    0);
        assert_int_equal(post("/embed", text), 200);
        assert_int_equal(numbers(body + 1, got, 65), 64);
        for (int i = 0; i < 64; i++)
            if (fabs(got[i] - wanted[i]) > 2e-6) /* f32 against f64 */
                fail_msg("line %d, number %d: %.9g, %.9g is wanted", count + 1, i, got[i],
                         wanted[i]);
        free(text);
        assert_true(asprintf(&text, "{\"model\":\"tiny-mpnet\",\"input\":[%.*s]}",
                             (int)(end - t + 1), t) > 0);
        char *before = strdup(body);
        assert_int_equal(post("/v1/embeddings", text), 200);
        const char *list = strstr(body, "\"embedding\":[") + 12;
        assert_memory_equal(list, before + 1, strlen(before) - 2); /* the same digits */
        free(before);
        free(text);
        count++;
    }
    assert_true(count > 5);
    free(line);
    fclose(file);
    stop();
}

static const char LONG_INPUT[] = "{\"inputs\":\"a a a a a a a a a a a a a a a a a a a a a a a a a "
                                 "a a a a a a a a a a a a a a a a a"
                                 " a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
                                 "a a a a a a a a a a a a a a a a a"
                                 " a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
                                 "a a a a a a a a a a a a a a a a\"}";

static const struct {
    const char *path, *body;
    int status;
    const char *has;
} posts[] = {
    {"/v1/embeddings", "{\"model\":\"tiny-mpnet\",\"input\":[\"a\",\"b\"],\"user\":\"u\"}", 200,
     "\"usage\":{\"prompt_tokens\":6,\"total_tokens\":6}"},
    {"/v1/embeddings", "{\"model\":\"tiny-mpnet\",\"input\":\"a\",\"encoding_format\":\"base64\"}",
     200, "\"embedding\":\""},
    {"/v1/embeddings", "{\"input\":[5,6],\"dimensions\":2}", 200, "\"prompt_tokens\":4"},
    {"/v1/embeddings", "{\"input\":[[5,6],[0,7,2]]}", 200, "\"prompt_tokens\":7"},
    {"/v1/embeddings", "{\"model\":\"tiny\",\"input\":\"a\"}", 404, "\"code\":\"model_not_found\""},
    {"/v1/embeddings", "{\"input\":\"a\",\"dimensions\":65}", 422, "\"param\":\"dimensions\""},
    {"/v1/embeddings", "{\"input\":\"a\",\"encoding_format\":\"hex\"}", 422, "encoding_format"},
    {"/v1/embeddings", "{\"input\":[1,\"a\"]}", 422, "token ids"},
    {"/v1/embeddings", "{\"input\":[2000]}", 422, "0 to 1999"},
    {"/v1/embeddings", "{\"input\":[1.5]}", 422, "whole"},
    {"/v1/embeddings", "{\"input\":[\"a\",null]}", 422, "input[1]"},
    {"/v1/embeddings", "{\"input\":{}}", 422, "an object"},
    {"/v1/embeddings", "{}", 422, "input is missing"},
    {"/v1/embeddings", "{\"input\":[]}", 400, "cannot be empty"},
    {"/v1/embeddings", "{\"input\":\"a\"", 400, "\"error\":{"},
    {"/v1/none", "{}", 404, "\"error\":{"},
    {"/embed", "{\"inputs\":[\"a\",\"b\"],\"normalize\":false,\"dimensions\":3}", 200, "],["},
    {"/embed", "[]", 422, "an object is wanted"},
    {"/embed", "", 400, "not JSON"},
    {"/embed", "{\"inputs\":\"\xff\"}", 400, "not JSON"},
    {"/embed", "{\"inputs\":1}", 422, "a number"},
    {"/embed", "{\"inputs\":\"a\",\"normalize\":1}", 422, "normalize"},
    {"/embed", "{\"inputs\":\"a\",\"prompt_name\":\"query\"}", 422, "unknown prompt"},
    {"/embed", "{\"inputs\":[]}", 400, "\"error_type\":\"empty\""},
    {"/embed", LONG_INPUT, 413, "128 tokens"},
    {"/embed_all", "{\"inputs\":\"a b\"}", 200, "[[["},
    {"/similarity", "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"a\",\"b\"]}}", 200,
     "[1,0."},
    {"/similarity", "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[]}}", 400, "empty"},
    {"/similarity", "{\"inputs\":\"a\"}", 422, "inputs"},
    {"/tokenize", "{\"inputs\":\"h\xc3\xa9llo there\"}", 200,
     "{\"id\":122,\"special\":false,\"start\":6,\"stop\":11,\"text\":\"there\"}"},
    {"/tokenize", "{\"inputs\":[\"there\"],\"add_special_tokens\":false}", 200, "[[{\"id\":122"},
    {"/decode", "{\"ids\":[0,122,2]}", 200, "[\"there\"]"},
    {"/decode", "{\"ids\":[[122],[122,122]],\"skip_special_tokens\":false}", 200,
     "[\"there\",\"there there\"]"},
    {"/decode", "{\"ids\":[-1]}", 422, "token ids"},
    {"/nothing", "{}", 404, "\"error_type\""},
};

static void test_routes(void **state)
{
    (void)state;
    start(TINY, NULL);
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        int status = post(posts[i].path, posts[i].body);
        if (status != posts[i].status)
            fail_msg("%s %s: status %d: %s", posts[i].path, posts[i].body, status, body);
        HAS(posts[i].has);
    }
    assert_int_equal(once("GET", "/health", "", ""), 200);
    assert_int_equal(once("GET", "/info", "", ""), 200);
    HAS("\"model_id\":\"tiny-mpnet\"");
    assert_int_equal(once("HEAD", "/info", "", ""), 200);
    assert_int_equal(once("GET", "/v1/models", "", ""), 200);
    HAS("\"id\":\"tiny-mpnet\"");
    assert_int_equal(once("GET", "/v1/models/tiny-mpnet", "", ""), 200);
    assert_int_equal(once("GET", "/embed", "", ""), 405);
    assert_non_null(strstr(head, "\r\nAllow: POST\r\n"));
    assert_int_equal(once("DELETE", "/info", "", ""), 405);
    assert_non_null(strstr(head, "\r\nAllow: GET, HEAD\r\n"));
    assert_int_equal(once("POST", "/embed", "Content-Encoding: gzip\r\n", "{}"), 415);
    assert_int_equal(once("GET", "/metrics", "", ""), 200);
    HAS("sembed_requests_total{route=\"/embed\",status=\"422\"} 4");
    HAS("sembed_requests_total{route=\"other\",status=\"404\"} 2");
    HAS("sembed_request_seconds_count{route=\"/decode\"} 3");
    HAS("sembed_texts_total{model=\"tiny-mpnet\"}");
    stop();
}

static void test_bodies(void **state)
{
    (void)state;
    start(TINY, NULL);
    size_t n = 10 << 20;
    char *big = malloc(n + 1);
    memset(big, '[', n);
    big[n] = 0;
    assert_int_equal(post("/embed", big), 413);
    assert_int_equal(once("POST", "/embed", "Expect: 100-continue\r\n", big), 413);
    big[100000] = 0; /* deep nesting */
    assert_int_equal(post("/embed", big), 400);
    HAS("not JSON");
    /* Chunked: one that is fine, one that grows beyond the limit. */
    int fd = dial();
    say(fd, "POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\n{\"inp\r\nb\r\nuts\":[\"ab\"\r\n2\r\n]}\r\n0\r\n\r\n");
    assert_int_equal(answer_of(fd, false), 200);
    say(fd, "POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(big, ' ', n);
    for (int i = 0; i < 10; i++) {
        say(fd, "100000\r\n");
        put(fd, big, 1 << 20);
        say(fd, "\r\n");
    }
    say(fd, "0\r\n\r\n");
    assert_int_equal(answer_of(fd, false), 413);
    /* The connection lives on; two requests at once are answered in their order. */
    say(fd, "POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"inputs\":\"a\"}"
            "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer_of(fd, false), 200);
    HAS("\"special\"");
    assert_int_equal(answer_of(fd, false), 200);
    HAS("owned_by");
    close(fd);
    free(big);
    fd = dial();
    say(fd, "NONSENSE\r\n\r\n");
    assert_int_not_equal(answer_of(fd, false), 200);
    close(fd);
    const char *const two[] = {"Content-Length: 14\r\nContent-Length: 13\r\n",
                               "Content-Length: 14\r\nTransfer-Encoding: chunked\r\n"};
    for (int i = 0; i < 2; i++) { /* what follows is not taken for a request */
        fd = dial();
        say(fd, "POST /embed HTTP/1.1\r\nHost: x\r\n");
        say(fd, two[i]);
        say(fd, "\r\n{\"inputs\":\"a\"}GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(answer_of(fd, false), 400);
        HAS("two lengths");
        assert_int_equal(answer_of(fd, false), 0);
        close(fd);
    }
    assert_int_equal(once("GET", "/health", "", ""), 200);
    stop();
}

static void test_slow(void **state)
{
    (void)state;
    start(TINY, (const char *const[]){"timeout=1", NULL});
    int idle = dial(), headers = dial(), slow = dial(), half = dial();
    say(headers, "GET /info HTTP/1.1\r\nX: ");
    say(slow, "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n");
    say(half, "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{\"in");
    close(half);
    for (int i = 0; i < 30; i++) { /* a byte now and then keeps nothing alive */
        send(headers, "a", 1, MSG_NOSIGNAL);
        send(slow, " ", 1, MSG_NOSIGNAL);
        poll(NULL, 0, 60);
    }
    assert_int_equal(answer_of(headers, false), 408);
    assert_int_equal(answer_of(slow, false), 408);
    assert_int_equal(answer_of(idle, false), 0);
    assert_int_equal(head[0], 0);
    close(idle), close(headers), close(slow);
    assert_int_equal(post("/embed", "{\"inputs\":\"a\"}"), 200);
    stop();
}

static char *many_texts(int n)
{
    char *text = malloc((size_t)n * 64 + 64), *p = text + sprintf(text, "{\"inputs\":[");
    for (int i = 0; i < n; i++)
        p += sprintf(p, "%s\"text %d of many that take a while\"", i ? "," : "", i);
    strcpy(p, "]}");
    return text;
}

/* Who does not take an answer loses it soon; who takes it slowly gets all of it. */
static void test_slow_readers(void **state)
{
    (void)state;
    start(TINY, (const char *const[]){"timeout=1", NULL});
    char *large = many_texts(6000), part[1 << 16];
    int stuck = dial(), slow = dial(), small = 4096, some = 65536;
    setsockopt(stuck, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &some, sizeof some);
    ask(slow, "POST", "/embed", "", large);
    ask(stuck, "POST", "/embed", "", large);
    ssize_t n = 0, all = 0;
    for (int i = 0; i < 40 && (n = recv(slow, part, sizeof part, 0)) > 0; i++, all += n)
        poll(NULL, 0, 100); /* four times the limit, and always a little */
    while (n > 0 && memmem(part, (size_t)n, "]]", 2) == NULL)
        all += n = recv(slow, part, sizeof part, 0);
    assert_true(n > 0 && all > 4000000);
    close(slow);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(once("GET", "/metrics", "", ""), 200);
        if (strstr(body, "\nsembed_connections 1\n"))
            break;
        poll(NULL, 0, 100);
    }
    HAS("\nsembed_connections 1\n"); /* that of this question */
    close(stuck);
    free(large);
    stop();
}

/* A full queue says 429; /health answers meanwhile; a long request does not keep short ones
 * waiting; who has gone is dropped. */
static void test_queue(void **state)
{
    (void)state;
    start(TINY, (const char *const[]){"queue=3", NULL});
    char *large = many_texts(15000);
    int a = dial(), b = dial(), c = dial();
    ask(a, "POST", "/embed", "", large);
    ask(b, "POST", "/embed", "", large);
    ask(c, "POST", "/embed", "", large);
    poll(NULL, 0, 300); /* until all of them are in: they take seconds */
    int status = 0;
    for (int i = 0; i < 200 && status != 429; i++)
        status = post("/embed", "{\"inputs\":\"a\"}");
    assert_int_equal(status, 429);
    assert_non_null(strstr(head, "\r\nRetry-After: 1\r\n"));
    assert_int_equal(once("GET", "/health", "", ""), 200);
    close(b);
    close(c);
    for (int i = 0; i < 500 && status != 200; i++) {
        status = post("/embed", "{\"inputs\":\"a\"}");
        poll(NULL, 0, 10);
    }
    assert_int_equal(status, 200);                        /* b and c gave their places back */
    assert_int_equal(recv(a, head, 1, MSG_DONTWAIT), -1); /* while the long one is still at work */
    assert_int_equal(answer_of(a, false), 200);
    int lists = 0;
    for (const char *p = body + 1; *p; p++)
        lists += *p == '[';
    assert_int_equal(lists, 15000);
    assert_int_equal(once("GET", "/metrics", "", ""), 200);
    HAS("sembed_dropped_total 2");
    HAS("sembed_body_bytes 0");
    close(a);
    free(large);
    stop();
}

/* SIGTERM: what was accepted is answered, new connections are refused, the end has status 0. */
static void test_end(void **state)
{
    (void)state;
    enum { N = 20 };
    start(TINY, NULL);
    char *text = many_texts(200);
    int fd[N], kept = dial(), status;
    ask(kept, "GET", "/info", "", "");
    assert_int_equal(answer_of(kept, false), 200);
    for (int i = 0; i < N; i++)
        ask(fd[i] = dial(), "POST", "/embed", "", text);
    int waiting = 0;
    for (int i = 0; i < 200 && waiting < N; i++) { /* all have come in */
        poll(NULL, 0, 5);
        waiting = 0;
        assert_int_equal(once("GET", "/metrics", "", ""), 200);
        const char *work = strstr(body, "\nsembed_requests_in_work ") + 25;
        const char *queue = strstr(body, "\nsembed_queue_length ") + 21;
        const char *done = strstr(body, "{route=\"/embed\",status=\"200\"} ");
        waiting = atoi(work) + atoi(queue) - 1 + (done ? atoi(done + 30) : 0);
    }
    assert_true(waiting >= N);
    kill(server, SIGTERM);
    for (int i = 0; i < N; i++) {
        assert_int_equal(answer_of(fd[i], false), 200);
        close(fd[i]);
    }
    close(kept);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(text);
}

static void test_key(void **state)
{
    (void)state;
    start(TINY, (const char *const[]){"key=secret", NULL});
    assert_int_equal(post("/embed", "{\"inputs\":\"a\"}"), 401);
    assert_non_null(strstr(head, "\r\nWWW-Authenticate: Bearer\r\n"));
    assert_int_equal(once("POST", "/v1/embeddings", "Authorization: Bearer secre\r\n", "{}"), 401);
    HAS("invalid_api_key");
    assert_int_equal(once("GET", "/info", "Authorization: Bearer secretsecret\r\n", ""), 401);
    assert_int_equal(once("GET", "/info", "Authorization: Bearer \r\n", ""), 401);
    assert_int_equal(once("GET", "/metrics", "", ""), 401);
    assert_int_equal(once("GET", "/info", "Authorization: Bearer secret\r\n", ""), 200);
    assert_int_equal(once("GET", "/health", "", ""), 200);
    stop();
}

static void test_limits(void **state)
{
    (void)state;
    start("model=one=" SE_TEST_DATA "/tiny-mpnet,two=" SE_TEST_DATA "/tiny-mpnet",
          (const char *const[]){"texts=2", "tokens=8", "body=100", NULL});
    assert_int_equal(post("/v1/embeddings", "{\"model\":\"two\",\"input\":\"a\"}"), 200);
    HAS("\"model\":\"two\"");
    assert_int_equal(post("/v1/embeddings", "{\"model\":\"twoo\",\"input\":\"a\"}"), 404);
    HAS("did you mean");
    assert_int_equal(post("/embed", "{\"inputs\":[\"a\",\"b\",\"c\"]}"), 413);
    HAS("3 texts");
    assert_int_equal(post("/embed", "{\"inputs\":[\"a b c d e f g h\"]}"), 413);
    HAS("10 tokens");
    assert_int_equal(once("GET", "/v1/models", "", ""), 200);
    HAS("\"id\":\"one\"");
    HAS("\"id\":\"two\"");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_routes),
        cmocka_unit_test(test_bodies),       cmocka_unit_test(test_slow),
        cmocka_unit_test(test_queue),        cmocka_unit_test(test_end),
        cmocka_unit_test(test_key),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_slow_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
