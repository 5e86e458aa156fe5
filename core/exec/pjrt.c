/* Opening a plugin, and its client; errors and events. */
#define _GNU_SOURCE
#include "pjrt_private.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors and events --- */

static void drop(const pj_table *api, pj_error *error)
{
    pj_error_args args = PJ_NEW(pj_error_args, .error = error);
    if (error)
        api->error_destroy(&args);
}

/* The plugin's error as ours; it is destroyed. */
static se_status told(const pj_table *api, pj_error *error, se_status status, const char *what)
{
    enum { MOST = 900 }; /* characters of the plugin's message that are shown */
    pj_error_text text = PJ_NEW(pj_error_text, .error = error);
    api->error_text(&text);
    pj_error_code code = PJ_NEW(pj_error_code, .error = error);
    pj_error *second = api->call[PJ_ERROR_CODE](&code);
    if (!second && code.code == PJ_RESOURCE_EXHAUSTED)
        status = SE_ERR_MEMORY;
    size_t n = text.text ? text.size : 0;
    while (n && (text.text[n - 1] == '\n' || text.text[n - 1] == ' '))
        n--;
    se_fail(status, "%s: %.*s", what, (int)(n < MOST ? n : MOST), n ? text.text : "");
    drop(api, error);
    drop(api, second);
    return status;
}

static bool has(const pj_table *api, int function)
{
    size_t end = offsetof(pj_table, call) + sizeof(pj_function) * ((size_t)function + 1);
    return api->head.size >= end && api->call[function];
}

static se_status call(const pj_table *api, int function, void *args, se_status status,
                      const char *what)
{
    if (!has(api, function))
        return se_fail(SE_ERR_IO, "%s: the plugin does not provide this", what);
    pj_error *error = api->call[function](args);
    return error ? told(api, error, status, what) : SE_OK;
}

se_status se_pjrt_call(const se_pjrt *p, int function, void *args, se_status status,
                       const char *what)
{
    return call(p->api, function, args, status, what);
}

se_status se_pjrt_wait(const se_pjrt *p, pj_event *event, se_status status, const char *what)
{
    if (!event)
        return SE_OK;
    pj_event_args args = PJ_NEW(pj_event_args, .event = event);
    pj_error *error = p->api->call[PJ_EVENT_AWAIT](&args);
    status = error ? told(p->api, error, status, what) : SE_OK;
    args = PJ_NEW(pj_event_args, .event = event);
    drop(p->api, p->api->call[PJ_EVENT_DESTROY](&args));
    return status;
}

/* --- loading --- */

/* What the plugin reads from the environment has to be there before it is loaded. At level 3 it
 * does not log the errors that it also gives back. */
static se_status load(const char *path, const pj_table **out)
{
    setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0);
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* never closed: it keeps threads */
    if (!file)
        return se_fail(SE_ERR_IO, "%s: not a PJRT plugin: %s", path, dlerror());
    const pj_table *(*get)(void);
    *(void **)&get = dlsym(file, "GetPjrtApi");
    if (!get)
        return se_fail(SE_ERR_IO, "%s: not a PJRT plugin: it has no GetPjrtApi", path);
    const pj_table *api = get();
    if (!api || api->head.size < offsetof(pj_table, call) + sizeof api->call[0])
        return se_fail(SE_ERR_IO, "%s: GetPjrtApi gives no table of functions", path);
    int major = api->version.major, minor = api->version.minor;
    if (major != PJ_MAJOR || minor < PJ_MINOR_LEAST)
        return se_fail(SE_ERR_IO, "%s: PJRT %d.%d came, %d.%d or a later %d.x is wanted", path,
                       major, minor, PJ_MAJOR, PJ_MINOR_LEAST, PJ_MAJOR);
    static const int needed[] = {PJ_EVENT_AWAIT,    PJ_EVENT_DESTROY,  PJ_PROGRAM_DESTROY,
                                 PJ_BUFFER_DESTROY, PJ_CLIENT_DESTROY, PJ_CODE_DESTROY,
                                 PJ_PROGRAM_RUN,    PJ_CLIENT_COMPILE};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!has(api, needed[i]))
            return se_fail(SE_ERR_IO, "%s: PJRT %d.%d lacks function %d of its table", path, major,
                           minor, needed[i]);
    pj_no_args args = PJ_NEW(pj_no_args, .later = {0});
    *out = api;
    return has(api, PJ_PLUGIN_INITIALIZE) ? call(api, PJ_PLUGIN_INITIALIZE, &args, SE_ERR_IO, path)
                                          : SE_OK;
}

/* --- the client --- */

/* A client of a CPU has as many devices as one asks for; other plugins have no such option, and
 * have the devices that there are. */
static se_status make_client(se_pjrt *p, int devices)
{
    static const char name[] = "cpu_device_count";
    pj_named option = {.head = {.size = sizeof option},
                       .name = name,
                       .name_size = sizeof name - 1,
                       .kind = PJ_INT64,
                       .value = {.int64 = devices},
                       .value_size = 1};
    for (size_t n_option = 2; n_option-- > 0;) {
        pj_client_new args = PJ_NEW(pj_client_new, .option = &option, .n_option = n_option);
        se_status s = se_pjrt_call(p, PJ_CLIENT_CREATE, &args, SE_ERR_IO, p->path);
        if (!s) {
            p->client = args.client;
            return SE_OK;
        }
        if (s == SE_ERR_MEMORY || n_option == 0)
            return se_fail_prefix(s, "no client: ");
    }
    return SE_ERR_IO;
}

static se_status take_devices(se_pjrt *p, int devices)
{
    pj_client_devices there = PJ_NEW(pj_client_devices, .client = p->client);
    se_status s = se_pjrt_call(p, PJ_CLIENT_ADDRESSABLE, &there, SE_ERR_IO, p->path);
    if (s)
        return s;
    if (there.n < (size_t)devices)
        return se_fail(SE_ERR_IO, "%d devices are asked for, and %s has %zu: %s", devices,
                       p->platform, there.n, p->path);
    p->device = se_calloc((size_t)devices, sizeof *p->device);
    p->id = se_calloc((size_t)devices, sizeof *p->id);
    if (!p->device || !p->id)
        return SE_ERR_MEMORY;
    p->n_device = devices;
    pj_assignment order = PJ_NEW(pj_assignment, .client = p->client, .replicas = devices,
                                 .partitions = 1, .size = (size_t)devices, .id = p->id);
    s = se_pjrt_call(p, PJ_CLIENT_ASSIGNMENT, &order, SE_ERR_IO, p->path);
    for (size_t i = 0; i < there.n && !s; i++) {
        pj_device_about about = PJ_NEW(pj_device_about, .device = there.device[i]);
        s = se_pjrt_call(p, PJ_DEVICE_ABOUT, &about, SE_ERR_IO, p->path);
        pj_about_id id = PJ_NEW(pj_about_id, .about = about.about);
        if (!s)
            s = se_pjrt_call(p, PJ_ABOUT_ID, &id, SE_ERR_IO, p->path);
        for (int k = 0; k < devices && !s; k++)
            if (p->id[k] == id.id)
                p->device[k] = there.device[i];
    }
    for (int k = 0; k < devices && !s; k++)
        if (!p->device[k])
            s = se_fail(SE_ERR_IO, "%s: device %d of its own order is not of this process", p->path,
                        p->id[k]);
    return s;
}

static se_status text_of(const se_pjrt *p, int function, char **out)
{
    pj_client_text args = PJ_NEW(pj_client_text, .client = p->client);
    se_status s = se_pjrt_call(p, function, &args, SE_ERR_IO, p->path);
    if (s)
        return s;
    *out = se_calloc(args.size + 1, 1);
    if (!*out)
        return SE_ERR_MEMORY;
    memcpy(*out, args.text, args.size);
    for (char *c = *out; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return SE_OK;
}

static se_status describe(se_pjrt *p)
{
    char *version = NULL;
    se_status s = text_of(p, PJ_CLIENT_PLATFORM, &p->platform);
    if (!s)
        s = text_of(p, PJ_CLIENT_VERSION, &version);
    size_t room = s ? 0 : strlen(p->platform) + strlen(version) + strlen(p->path) + 64;
    if (!s && !(p->about = se_malloc(room)))
        s = SE_ERR_MEMORY;
    if (!s)
        snprintf(p->about, room, "%s, %s, PJRT %d.%d, %s", p->platform, version,
                 p->api->version.major, p->api->version.minor, p->path);
    free(version);
    return s;
}

se_status se_pjrt_open(const char *path, int devices, se_pjrt **out)
{
    *out = NULL;
    if (devices < 1 || devices > SE_PJRT_MOST_DEVICES)
        return se_fail(SE_ERR_ARG, "%d devices: 1 to %d are wanted", devices, SE_PJRT_MOST_DEVICES);
    se_pjrt *p = se_calloc(1, sizeof *p);
    if (!p)
        return SE_ERR_MEMORY;
    se_status s = (p->path = se_strdup(path)) ? SE_OK : SE_ERR_MEMORY;
    if (!s)
        s = load(path, &p->api);
    if (!s)
        s = make_client(p, devices);
    if (!s)
        s = describe(p);
    if (!s)
        s = take_devices(p, devices);
    if (s)
        se_pjrt_close(p);
    else
        *out = p;
    return s;
}

void se_pjrt_close(se_pjrt *p)
{
    if (!p)
        return;
    if (p->client) {
        pj_client_args args = PJ_NEW(pj_client_args, .client = p->client);
        drop(p->api, p->api->call[PJ_CLIENT_DESTROY](&args));
    }
    free(p->device);
    free(p->id);
    free(p->path);
    free(p->platform);
    free(p->about);
    free(p);
}

int se_pjrt_devices(const se_pjrt *p)
{
    return p->n_device;
}

const char *se_pjrt_platform(const se_pjrt *p)
{
    return p->platform;
}

const char *se_pjrt_path(const se_pjrt *p)
{
    return p->path;
}

const char *se_pjrt_about(const se_pjrt *p)
{
    return p->about;
}
