/* The part of PJRT's C interface that sembed uses, as it lies in memory on 64-bit machines.
 *
 * A plugin exports GetPjrtApi(), which gives its table of functions. In major version 0, from minor
 * version 58 on, an entry keeps its place and new ones come behind the last. Each function takes a
 * pointer to a struct of its own, which starts with its size: a plugin refuses one that is smaller
 * than what it was built with, and takes a larger one. So every struct here ends with room, all
 * zero, for what later versions have added (`later`).
 *
 * "own": the caller destroys what it got; all else belongs to what it was asked from.
 * Source of names, order and fields: openxla/xla, xla/pjrt/c/pjrt_c_api.h. */
#ifndef SE_PJRT_ABI_H
#define SE_PJRT_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PJ_MAJOR = 0, PJ_MINOR_LEAST = 58, PJ_LATER = 128 };

/* Types of elements; how named values are told apart; how long memory of the host is read. */
enum { PJ_PRED = 1, PJ_S32 = 4, PJ_F32 = 11, PJ_BF16 = 13 };
enum { PJ_STRING, PJ_INT64, PJ_INT64_LIST, PJ_FLOAT, PJ_BOOL };
enum { PJ_DURING_CALL };

/* Codes of errors. */
enum {
    PJ_CANCELLED = 1,
    PJ_INVALID_ARGUMENT = 3,
    PJ_NOT_FOUND = 5,
    PJ_RESOURCE_EXHAUSTED = 8,
    PJ_FAILED_PRECONDITION = 9,
    PJ_UNIMPLEMENTED = 12,
    PJ_INTERNAL = 13
};

typedef struct pj_error pj_error;
typedef struct pj_event pj_event;
typedef struct pj_client pj_client;
typedef struct pj_device pj_device;
typedef struct pj_about pj_about;     /* a device's description */
typedef struct pj_code pj_code;       /* compiled, on no device yet */
typedef struct pj_program pj_program; /* compiled and loaded */
typedef struct pj_buffer pj_buffer;
typedef struct pj_topology pj_topology;
typedef struct pj_bytes pj_bytes;

typedef struct pj_head {
    size_t size;
    void *extension;
} pj_head;

/* An option of a client; arrays of these have no room between them. */
typedef struct pj_named {
    pj_head head;
    const char *name; /* without a zero at its end */
    size_t name_size;
    int32_t kind;
    union {
        const char *string;
        int64_t int64;
        float real;
        bool flag;
    } value;
    size_t value_size; /* of a string or a list; else 1 */
} pj_named;

/* A program's text, which pj_compile points to. */
typedef struct pj_text {
    pj_head head;
    const char *code;
    size_t code_size;
    const char *format;
    size_t format_size;
} pj_text;

#define PJ_STRUCT(name, ...)                                                                       \
    typedef struct name {                                                                          \
        pj_head head;                                                                              \
        __VA_ARGS__ unsigned char later[PJ_LATER];                                                 \
    } name

/* A struct with its size set and all else zero but what is named. */
#define PJ_NEW(type, ...) ((type){.head = {.size = sizeof(type)}, __VA_ARGS__})

PJ_STRUCT(pj_error_args, pj_error *error;);
PJ_STRUCT(pj_error_text, pj_error *error; const char *text; size_t size;);
PJ_STRUCT(pj_error_code, pj_error *error; int32_t code;);
PJ_STRUCT(pj_no_args, );
PJ_STRUCT(pj_event_args, pj_event *event;);
PJ_STRUCT(pj_client_new, const pj_named *option; size_t n_option;
          void *get, *get_user, *put, *put_user; pj_client * client /* own */;
          void *try_get, *try_get_user;);
PJ_STRUCT(pj_client_args, pj_client *client;);
PJ_STRUCT(pj_client_text, pj_client *client; const char *text; size_t size;);
PJ_STRUCT(pj_client_devices, pj_client *client; pj_device *const *device; size_t n;);
PJ_STRUCT(pj_assignment, pj_client *client; int32_t replicas, partitions; size_t size;
          int32_t * id;);
PJ_STRUCT(pj_device_about, pj_device *device; pj_about * about;);
PJ_STRUCT(pj_about_id, pj_about *about; int32_t id;);
PJ_STRUCT(pj_about_text, pj_about *about; const char *text; size_t size;);
PJ_STRUCT(pj_compile_args, pj_client *client; const pj_text *text; const void *options;
          size_t options_size; pj_program * program /* own */;);
PJ_STRUCT(pj_put_args, pj_client *client; const void *data; int32_t dtype; const int64_t *dim;
          size_t n_dim; const int64_t *stride; size_t n_stride; int32_t reading; pj_device * device;
          void *memory, *layout; pj_event * done /* own */; pj_buffer * buffer /* own */;);
PJ_STRUCT(pj_get_args, pj_buffer *buffer; void *layout; void *data; size_t size;
          pj_event * done /* own */;);
PJ_STRUCT(pj_buffer_args, pj_buffer *buffer;);
PJ_STRUCT(pj_buffer_dtype, pj_buffer *buffer; int32_t dtype;);
PJ_STRUCT(pj_buffer_dims, pj_buffer *buffer; const int64_t *dim; size_t n;);
PJ_STRUCT(pj_buffer_deleted, pj_buffer *buffer; bool deleted;);
PJ_STRUCT(pj_program_args, pj_program *program;);
PJ_STRUCT(pj_program_code, pj_program *program; pj_code * code /* own */;);
PJ_STRUCT(pj_code_args, pj_code *code;);
PJ_STRUCT(pj_code_outputs, pj_code *code; size_t n;);
PJ_STRUCT(pj_code_memory, pj_code *code; int64_t code_bytes, arguments, outputs, shared, scratch;);
PJ_STRUCT(pj_save_args, pj_code *code; const char *bytes; size_t size; pj_bytes * holder;
          void (*release)(pj_bytes *holder););
PJ_STRUCT(pj_load_args, pj_client *client; const char *bytes; size_t size;
          pj_program * program /* own */; const char *options; size_t options_size;);
PJ_STRUCT(pj_run_options, void *send, *receive; size_t n_send, n_receive; int32_t launch;
          const int64_t *keep; size_t n_keep; void *context;);
PJ_STRUCT(pj_run_args, pj_program *program; pj_run_options * options;
          pj_buffer *const *const *in /* [device][argument] */; size_t n_device, n_in;
          pj_buffer * *const *out /* [device][output], own */; pj_event * *done /* [device], own */;
          pj_device * device;);
PJ_STRUCT(pj_topology_new, const char *name; size_t name_size; const pj_named *option;
          size_t n_option; pj_topology * topology /* own */;);
PJ_STRUCT(pj_topology_args, pj_topology *topology;);
PJ_STRUCT(pj_topology_devices, pj_topology *topology; pj_about *const *about; size_t n;);
PJ_STRUCT(pj_ahead_args, const pj_topology *topology; const pj_text *text; const void *options;
          size_t options_size; pj_client * client; pj_code * code /* own */;);

/* A function's place in the table, counted from the third; the first two give nothing back. */
enum {
    PJ_ERROR_CODE = 0,
    PJ_PLUGIN_INITIALIZE = 1,
    PJ_EVENT_DESTROY = 3,
    PJ_EVENT_AWAIT = 6,
    PJ_CLIENT_CREATE = 8,
    PJ_CLIENT_DESTROY = 9,
    PJ_CLIENT_PLATFORM = 10,
    PJ_CLIENT_VERSION = 12,
    PJ_CLIENT_ADDRESSABLE = 14,
    PJ_CLIENT_COMPILE = 18,
    PJ_CLIENT_ASSIGNMENT = 19,
    PJ_BUFFER_PUT = 20,
    PJ_ABOUT_ID = 21,
    PJ_ABOUT_KIND = 24,
    PJ_DEVICE_ABOUT = 27,
    PJ_CODE_DESTROY = 38,
    PJ_CODE_OUTPUTS = 42,
    PJ_CODE_SAVE = 47,
    PJ_PROGRAM_DESTROY = 48,
    PJ_PROGRAM_CODE = 49,
    PJ_PROGRAM_RUN = 53,
    PJ_PROGRAM_LOAD = 54,
    PJ_BUFFER_DESTROY = 56,
    PJ_BUFFER_DTYPE = 57,
    PJ_BUFFER_DIMS = 58,
    PJ_BUFFER_DELETED = 66,
    PJ_BUFFER_GET = 68,
    PJ_TOPOLOGY_CREATE = 80,
    PJ_TOPOLOGY_DESTROY = 81,
    PJ_TOPOLOGY_DEVICES = 84,
    PJ_COMPILE_AHEAD = 87,
    PJ_CODE_MEMORY = 94,
    PJ_FUNCTIONS = 95
};

typedef pj_error *(*pj_function)(void *args);

/* A NULL entry, or one beyond head.size, is not there. */
typedef struct pj_table {
    pj_head head;
    struct {
        pj_head head;
        int32_t major, minor;
    } version;
    void (*error_destroy)(pj_error_args *args);
    void (*error_text)(pj_error_text *args);
    pj_function call[PJ_FUNCTIONS];
} pj_table;

#define PJ_AT(type, field, offset)                                                                 \
    _Static_assert(offsetof(type, field) == (offset), #type "." #field " is out of its place")
#define PJ_CALL_AT(index, offset)                                                                  \
    _Static_assert(offsetof(pj_table, call) + sizeof(void *) * (index) == (offset),                \
                   #index " is out of its place")
_Static_assert(sizeof(void *) == 8 && sizeof(pj_head) == 16, "a 64-bit machine is wanted");
_Static_assert(sizeof(pj_named) == 56 && sizeof(pj_text) == 48, "sizes within other structs");
PJ_AT(pj_table, version, 16);
PJ_AT(pj_table, version.major, 32);
PJ_AT(pj_table, error_destroy, 40);
PJ_AT(pj_table, error_text, 48);
PJ_CALL_AT(PJ_ERROR_CODE, 56);
PJ_CALL_AT(PJ_PLUGIN_INITIALIZE, 64);
PJ_CALL_AT(PJ_EVENT_DESTROY, 80);
PJ_CALL_AT(PJ_EVENT_AWAIT, 104);
PJ_CALL_AT(PJ_CLIENT_CREATE, 120);
PJ_CALL_AT(PJ_CLIENT_DESTROY, 128);
PJ_CALL_AT(PJ_CLIENT_PLATFORM, 136);
PJ_CALL_AT(PJ_CLIENT_VERSION, 152);
PJ_CALL_AT(PJ_CLIENT_ADDRESSABLE, 168);
PJ_CALL_AT(PJ_CLIENT_COMPILE, 200);
PJ_CALL_AT(PJ_CLIENT_ASSIGNMENT, 208);
PJ_CALL_AT(PJ_BUFFER_PUT, 216);
PJ_CALL_AT(PJ_ABOUT_ID, 224);
PJ_CALL_AT(PJ_ABOUT_KIND, 248);
PJ_CALL_AT(PJ_DEVICE_ABOUT, 272);
PJ_CALL_AT(PJ_CODE_DESTROY, 360);
PJ_CALL_AT(PJ_CODE_OUTPUTS, 392);
PJ_CALL_AT(PJ_CODE_SAVE, 432);
PJ_CALL_AT(PJ_PROGRAM_DESTROY, 440);
PJ_CALL_AT(PJ_PROGRAM_CODE, 448);
PJ_CALL_AT(PJ_PROGRAM_RUN, 480);
PJ_CALL_AT(PJ_PROGRAM_LOAD, 488);
PJ_CALL_AT(PJ_BUFFER_DESTROY, 504);
PJ_CALL_AT(PJ_BUFFER_DTYPE, 512);
PJ_CALL_AT(PJ_BUFFER_DIMS, 520);
PJ_CALL_AT(PJ_BUFFER_DELETED, 584);
PJ_CALL_AT(PJ_BUFFER_GET, 600);
PJ_CALL_AT(PJ_TOPOLOGY_CREATE, 696);
PJ_CALL_AT(PJ_TOPOLOGY_DESTROY, 704);
PJ_CALL_AT(PJ_TOPOLOGY_DEVICES, 728);
PJ_CALL_AT(PJ_COMPILE_AHEAD, 752);
PJ_CALL_AT(PJ_CODE_MEMORY, 808);
PJ_AT(pj_named, kind, 32);
PJ_AT(pj_named, value, 40);
PJ_AT(pj_named, value_size, 48);
PJ_AT(pj_error_text, text, 24);
PJ_AT(pj_error_code, code, 24);
PJ_AT(pj_client_new, get, 32);
PJ_AT(pj_client_new, client, 64);
PJ_AT(pj_client_new, try_get_user, 80);
PJ_AT(pj_client_text, text, 24);
PJ_AT(pj_client_devices, device, 24);
PJ_AT(pj_assignment, size, 32);
PJ_AT(pj_assignment, id, 40);
PJ_AT(pj_about_id, id, 24);
PJ_AT(pj_compile_args, options, 32);
PJ_AT(pj_compile_args, program, 48);
PJ_AT(pj_put_args, dtype, 32);
PJ_AT(pj_put_args, dim, 40);
PJ_AT(pj_put_args, reading, 72);
PJ_AT(pj_put_args, device, 80);
PJ_AT(pj_put_args, done, 104);
PJ_AT(pj_put_args, buffer, 112);
PJ_AT(pj_get_args, data, 32);
PJ_AT(pj_get_args, done, 48);
PJ_AT(pj_buffer_dtype, dtype, 24);
PJ_AT(pj_buffer_dims, dim, 24);
PJ_AT(pj_program_code, code, 24);
PJ_AT(pj_code_outputs, n, 24);
PJ_AT(pj_code_memory, scratch, 56);
PJ_AT(pj_save_args, holder, 40);
PJ_AT(pj_save_args, release, 48);
PJ_AT(pj_load_args, program, 40);
PJ_AT(pj_load_args, options_size, 56);
PJ_AT(pj_run_options, launch, 48);
PJ_AT(pj_run_options, keep, 56);
PJ_AT(pj_run_options, context, 72);
PJ_AT(pj_run_args, in, 32);
PJ_AT(pj_run_args, out, 56);
PJ_AT(pj_run_args, done, 64);
PJ_AT(pj_run_args, device, 72);
PJ_AT(pj_topology_new, topology, 48);
PJ_AT(pj_topology_devices, about, 24);
PJ_AT(pj_ahead_args, client, 48);
PJ_AT(pj_ahead_args, code, 56);

#endif
