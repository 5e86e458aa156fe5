/* See pjrt_mock.h. Like real plugins it ends the process for a missing buffer or an unknown type.
 */
#define _GNU_SOURCE
#include "pjrt_mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
EXPORT pjrt_mock_state pjrt_mock;
EXPORT const pj_table *GetPjrtApi(void);

enum { DEVICES = 64, OUTS = 8, RANK = 8 };

struct pj_error {
    int code;
    char text[160];
};
struct pj_event {
    pj_error *error;
};
struct pj_device {
    int id;
};
struct pj_about {
    int id;
};
struct pj_client {
    int n;
    pj_device device[DEVICES], *list[DEVICES];
    pj_about about[DEVICES];
};
struct pj_buffer {
    int dtype, device;
    size_t rank, bytes;
    int64_t dim[RANK];
    char *data; /* NULL: deleted */
};
typedef struct output {
    int a, b; /* b: -1: none */
    bool all, takes;
} output;
struct pj_program {
    int n_out, replicas;
    output out[OUTS];
    char text[160];
};
struct pj_code {
    const pj_program *of;
};

static pj_error *error_of(int code, const char *text)
{
    pj_error *e = calloc(1, sizeof *e);
    e->code = code;
    snprintf(e->text, sizeof e->text, "%s", text);
    pjrt_mock.alive++;
    return e;
}

static void *alive(size_t bytes)
{
    pjrt_mock.alive++;
    return calloc(1, bytes);
}

static void gone(void *p)
{
    if (!p)
        abort();
    pjrt_mock.alive--;
    free(p);
}

/* Counts the call; the error that was ordered, where it is due. */
static bool due(int function)
{
    return function == pjrt_mock.function && pjrt_mock.calls[function] == pjrt_mock.after + 1;
}

static pj_error *begin(int function, const pj_head *head, size_t least)
{
    pjrt_mock.calls[function]++;
    if (head->size < least)
        return error_of(PJ_INVALID_ARGUMENT, "unexpected size of a struct");
    return due(function) && !pjrt_mock.event ? error_of(pjrt_mock.code, "ordered by the test")
                                             : NULL;
}

#define BEGIN(type, function)                                                                      \
    type *a = p;                                                                                   \
    pj_error *ordered = begin(function, &a->head, offsetof(type, later));                          \
    if (ordered)                                                                                   \
    return ordered

static pj_event *event_of(int function)
{
    pj_event *e = alive(sizeof *e);
    if (due(function) && pjrt_mock.event)
        e->error = error_of(pjrt_mock.code, "ordered by the test, later");
    return e;
}

static void error_destroy(pj_error_args *a)
{
    gone(a->error);
}

static void error_text(pj_error_text *a)
{
    a->text = a->error->text;
    a->size = strlen(a->error->text);
}

static pj_error *error_code(void *p)
{
    pj_error_code *a = p;
    a->code = a->error->code;
    return NULL;
}

static pj_error *plugin_initialize(void *p)
{
    BEGIN(pj_no_args, PJ_PLUGIN_INITIALIZE);
    return NULL;
}

static pj_error *event_await(void *p)
{
    BEGIN(pj_event_args, PJ_EVENT_AWAIT);
    pj_error *e = a->event->error;
    a->event->error = NULL;
    return e;
}

static pj_error *event_destroy(void *p)
{
    BEGIN(pj_event_args, PJ_EVENT_DESTROY);
    if (a->event->error)
        abort();
    gone(a->event);
    return NULL;
}

/* --- the client --- */

static pj_error *client_create(void *p)
{
    BEGIN(pj_client_new, PJ_CLIENT_CREATE);
    if (pjrt_mock.refuses_client)
        return error_of(PJ_FAILED_PRECONDITION, pjrt_mock.refuses_client);
    if (a->n_option && !pjrt_mock.takes_option)
        return error_of(PJ_INVALID_ARGUMENT, "unexpected option name");
    int n = pjrt_mock.devices ? pjrt_mock.devices : 4;
    if (a->n_option && !pjrt_mock.devices)
        n = (int)a->option->value.int64;
    if (n < 1 || n > DEVICES)
        abort();
    a->client = alive(sizeof *a->client);
    a->client->n = n;
    for (int i = 0; i < n; i++) {
        a->client->device[i].id = a->client->about[i].id = 7 * (n - i);
        a->client->list[i] = &a->client->device[i];
    }
    return NULL;
}

static pj_error *client_destroy(void *p)
{
    BEGIN(pj_client_args, PJ_CLIENT_DESTROY);
    gone(a->client);
    return NULL;
}

static pj_error *client_text(void *p)
{
    pj_client_text *a = p;
    a->text = "mock\n1";
    a->size = 4;
    return NULL;
}

static pj_error *client_devices(void *p)
{
    BEGIN(pj_client_devices, PJ_CLIENT_ADDRESSABLE);
    a->device = a->client->list;
    a->n = (size_t)a->client->n;
    return NULL;
}

static pj_error *client_assignment(void *p)
{
    BEGIN(pj_assignment, PJ_CLIENT_ASSIGNMENT);
    for (size_t i = 0; i < a->size; i++)
        a->id[i] = 7 * ((int)i + 1);
    return NULL;
}

/* A pj_device is its own description but for the name. */
static pj_error *device_about(void *p)
{
    BEGIN(pj_device_about, PJ_DEVICE_ABOUT);
    a->about = (pj_about *)a->device;
    return NULL;
}

static pj_error *about_id(void *p)
{
    BEGIN(pj_about_id, PJ_ABOUT_ID);
    a->id = a->about->id;
    return NULL;
}

/* --- buffers --- */

static size_t element(int dtype)
{
    if (dtype != PJ_F32 && dtype != PJ_S32 && dtype != PJ_PRED && dtype != PJ_BF16)
        abort();
    return dtype == PJ_PRED ? 1 : dtype == PJ_BF16 ? 2 : 4;
}

static pj_buffer *buffer_like(const pj_buffer *b, int device)
{
    pj_buffer *c = alive(sizeof *c);
    *c = *b;
    c->device = device;
    c->data = malloc(c->bytes + 1);
    return c;
}

static pj_error *buffer_put(void *p)
{
    BEGIN(pj_put_args, PJ_BUFFER_PUT);
    pj_buffer b = {.dtype = a->dtype, .rank = a->n_dim, .bytes = element(a->dtype)};
    for (size_t i = 0; i < a->n_dim; i++)
        b.bytes *= (size_t)(b.dim[i] = a->dim[i]);
    a->buffer = buffer_like(&b, a->device->id / 7 - 1);
    memcpy(a->buffer->data, a->data, b.bytes);
    a->done = event_of(PJ_BUFFER_PUT);
    return NULL;
}

static pj_error *buffer_get(void *p)
{
    BEGIN(pj_get_args, PJ_BUFFER_GET);
    if (!a->buffer->data)
        return error_of(PJ_INVALID_ARGUMENT, "the buffer was deleted");
    if (a->size != a->buffer->bytes)
        return error_of(PJ_INVALID_ARGUMENT, "wrong size");
    memcpy(a->data, a->buffer->data, a->size);
    a->done = event_of(PJ_BUFFER_GET);
    return NULL;
}

static pj_error *buffer_destroy(void *p)
{
    BEGIN(pj_buffer_args, PJ_BUFFER_DESTROY);
    free(a->buffer->data);
    gone(a->buffer);
    return NULL;
}

static pj_error *buffer_dtype(void *p)
{
    BEGIN(pj_buffer_dtype, PJ_BUFFER_DTYPE);
    a->dtype = a->buffer->dtype;
    return NULL;
}

static pj_error *buffer_dims(void *p)
{
    BEGIN(pj_buffer_dims, PJ_BUFFER_DIMS);
    a->dim = a->buffer->dim;
    a->n = a->buffer->rank;
    return NULL;
}

static pj_error *buffer_deleted(void *p)
{
    BEGIN(pj_buffer_deleted, PJ_BUFFER_DELETED);
    a->deleted = !a->buffer->data;
    return NULL;
}

/* --- programs --- */

static bool parse(pj_program *g)
{
    char word[16];
    const char *s = g->text + 4;
    for (int used; sscanf(s, "%15s%n", word, &used) == 1; s += used) {
        output *o = &g->out[g->n_out++];
        *o = (output){.b = -1, .all = strncmp(word, "all", 3) == 0, .takes = strchr(word, '!')};
        const char *number = o->all ? word + 3 : word, *plus = strchr(word, '+');
        o->a = atoi(number);
        o->b = plus ? atoi(plus + 1) : -1;
        if (g->n_out == OUTS || *number < '0' || *number > '9')
            return false;
    }
    return true;
}

static pj_error *program_of(const char *text, size_t size, int replicas, pj_program **out)
{
    pj_program *g = alive(sizeof *g);
    g->replicas = replicas;
    snprintf(g->text, sizeof g->text, "%.*s", (int)size, text);
    if (strncmp(g->text, "mock", 4) != 0 || !parse(g)) {
        gone(g);
        return error_of(PJ_INVALID_ARGUMENT, "-:1:1: error: not a program of the mock");
    }
    *out = g;
    return NULL;
}

/* The options are as se_pjrt_options writes them: 1a LEN 08 ff*9 01 20 REPLICAS ... */
static pj_error *client_compile(void *p)
{
    BEGIN(pj_compile_args, PJ_CLIENT_COMPILE);
    const unsigned char *o = a->options;
    if (a->options_size < 16 || o[0] != 0x1a || o[13] != 0x20 || o[14] == 0)
        abort();
    return program_of(a->text->code, a->text->code_size, o[14], &a->program);
}

static pj_error *program_destroy(void *p)
{
    BEGIN(pj_program_args, PJ_PROGRAM_DESTROY);
    gone(a->program);
    return NULL;
}

static pj_error *program_code(void *p)
{
    BEGIN(pj_program_code, PJ_PROGRAM_CODE);
    a->code = alive(sizeof *a->code);
    a->code->of = a->program;
    return NULL;
}

static pj_error *code_destroy(void *p)
{
    BEGIN(pj_code_args, PJ_CODE_DESTROY);
    gone(a->code);
    return NULL;
}

static pj_error *code_outputs(void *p)
{
    BEGIN(pj_code_outputs, PJ_CODE_OUTPUTS);
    a->n = (size_t)a->code->of->n_out;
    return NULL;
}

static void release(pj_bytes *holder)
{
    gone(holder);
}

static pj_error *code_save(void *p)
{
    BEGIN(pj_save_args, PJ_CODE_SAVE);
    char *bytes = alive(200);
    snprintf(bytes, 200, "saved %d %s", a->code->of->replicas, a->code->of->text);
    a->bytes = bytes;
    a->size = strlen(bytes);
    a->holder = (pj_bytes *)bytes;
    a->release = release;
    return NULL;
}

static pj_error *program_load(void *p)
{
    BEGIN(pj_load_args, PJ_PROGRAM_LOAD);
    char copy[200];
    int replicas, at;
    snprintf(copy, sizeof copy, "%.*s", (int)a->size, a->bytes);
    if (sscanf(copy, "saved %d %n", &replicas, &at) != 1)
        return error_of(PJ_INTERNAL, "no saved program");
    return program_of(copy + at, strlen(copy + at), replicas, &a->program);
}

/* --- running --- */

static void add(pj_buffer *to, const pj_buffer *x)
{
    for (size_t i = 0; i < to->bytes / 4; i++)
        ((float *)to->data)[i] += ((float *)x->data)[i];
}

static pj_buffer *compute(const pj_run_args *a, const output *o, size_t r)
{
    const pj_buffer *x = a->in[r][o->a];
    pj_buffer *y = buffer_like(x, (int)r);
    memcpy(y->data, x->data, x->bytes);
    if (o->b >= 0)
        add(y, a->in[r][o->b]);
    for (size_t other = 0; o->all && other < a->n_device; other++)
        if (other != r)
            add(y, a->in[other][o->a]);
    return y;
}

static pj_error *program_run(void *p)
{
    BEGIN(pj_run_args, PJ_PROGRAM_RUN);
    const pj_program *g = a->program;
    if ((int)a->n_device != g->replicas)
        return error_of(PJ_INVALID_ARGUMENT, "wrong number of devices");
    for (size_t r = 0; r < a->n_device; r++)
        for (size_t i = 0; i < a->n_in; i++)
            if (!a->in[r][i] || !a->in[r][i]->data || a->in[r][i]->device != (int)r)
                abort();
    for (size_t r = 0; r < a->n_device; r++) {
        for (int k = 0; k < g->n_out; k++)
            a->out[r][k] = compute(a, &g->out[k], r);
        if (a->done)
            a->done[r] = event_of(PJ_PROGRAM_RUN);
    }
    for (size_t r = 0; r < a->n_device; r++)
        for (int k = 0; k < g->n_out; k++)
            if (g->out[k].takes) {
                free(a->in[r][g->out[k].a]->data);
                a->in[r][g->out[k].a]->data = NULL;
            }
    return NULL;
}

const pj_table *GetPjrtApi(void)
{
    static pj_table t;
    t = (pj_table){.head.size = pjrt_mock.table_size ? pjrt_mock.table_size : sizeof t,
                   .error_destroy = error_destroy,
                   .error_text = error_text};
    t.version.major = pjrt_mock.major;
    t.version.minor = pjrt_mock.minor;
    static const struct {
        int at;
        pj_function function;
    } list[] = {
        {PJ_ERROR_CODE, error_code},
        {PJ_PLUGIN_INITIALIZE, plugin_initialize},
        {PJ_EVENT_DESTROY, event_destroy},
        {PJ_EVENT_AWAIT, event_await},
        {PJ_CLIENT_CREATE, client_create},
        {PJ_CLIENT_DESTROY, client_destroy},
        {PJ_CLIENT_PLATFORM, client_text},
        {PJ_CLIENT_VERSION, client_text},
        {PJ_CLIENT_ADDRESSABLE, client_devices},
        {PJ_CLIENT_COMPILE, client_compile},
        {PJ_CLIENT_ASSIGNMENT, client_assignment},
        {PJ_BUFFER_PUT, buffer_put},
        {PJ_ABOUT_ID, about_id},
        {PJ_DEVICE_ABOUT, device_about},
        {PJ_CODE_DESTROY, code_destroy},
        {PJ_CODE_OUTPUTS, code_outputs},
        {PJ_CODE_SAVE, code_save},
        {PJ_PROGRAM_DESTROY, program_destroy},
        {PJ_PROGRAM_CODE, program_code},
        {PJ_PROGRAM_RUN, program_run},
        {PJ_PROGRAM_LOAD, program_load},
        {PJ_BUFFER_DESTROY, buffer_destroy},
        {PJ_BUFFER_DTYPE, buffer_dtype},
        {PJ_BUFFER_DIMS, buffer_dims},
        {PJ_BUFFER_DELETED, buffer_deleted},
        {PJ_BUFFER_GET, buffer_get},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        t.call[list[i].at] = list[i].function;
    return &t;
}
