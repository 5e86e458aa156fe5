/* Plugins that compile StableHLO text for a kind of device and run it (PJRT): opening one,
 * programs, buffers, runs. Knows the plugins' C interface, nothing of graphs. What would end the
 * process in a plugin is refused here, before the call. One thread at a time; se_message() says
 * what went wrong, with the plugin's own words where it is the plugin that refuses. */
#ifndef SE_PJRT_H
#define SE_PJRT_H

#include "type.h"

/* A plugin with its client: devices 0 to n - 1. */
typedef struct se_pjrt se_pjrt;
typedef struct se_pjrt_program se_pjrt_program;
typedef struct se_pjrt_buf se_pjrt_buf; /* a tensor on one device */

enum { SE_PJRT_MOST_DEVICES = 4096 };

/* The file to open: SEMBED_PJRT_PLUGIN where it is set, else the first that is found in the places
 * where pip and packages put them, for the devices that this machine has: TPU, GPU, CPU. Freed by
 * free(). SE_ERR_IO: there is none. */
se_status se_pjrt_find(char **path);

/* Loads the plugin (it stays loaded until the process ends) and takes `devices` of its devices.
 * SE_ERR_IO: no plugin, of another version, no such devices. */
se_status se_pjrt_open(const char *path, int devices, se_pjrt **out);

/* Programs and buffers must have been freed before. */
void se_pjrt_close(se_pjrt *p);

int se_pjrt_devices(const se_pjrt *p);
const char *se_pjrt_platform(const se_pjrt *p); /* "cpu", "cuda", "tpu" */
const char *se_pjrt_about(const se_pjrt *p);    /* platform, version and file, for people */
const char *se_pjrt_path(const se_pjrt *p);

/* What a program takes and gives, which plugins do not tell. donates[k]: the argument whose memory
 * output k takes over, or -1. */
typedef struct se_pjrt_schema {
    int replicas, n_in, n_out;
    const se_type *in, *out;
    const int *donates;
} se_pjrt_schema;

/* Compiles text for devices 0 to replicas - 1. Bad text gives SE_ERR_FORMAT with its place. */
se_status se_pjrt_compile(se_pjrt *p, const char *text, size_t length, const se_pjrt_schema *schema,
                          se_pjrt_program **out);
void se_pjrt_program_free(se_pjrt_program *g); /* NULL is allowed */

/* A compiled program as bytes (freed by free()), and back; the same plugin file on the same kind of
 * machine reads them. SE_ERR_FORMAT: it does not. */
se_status se_pjrt_save(se_pjrt_program *g, char **bytes, size_t *size);
se_status se_pjrt_load(se_pjrt *p, const char *bytes, size_t size, const se_pjrt_schema *schema,
                       se_pjrt_program **out);

/* A copy of data on a device, and back: `bytes` is the size of the type. */
se_status se_pjrt_put(se_pjrt *p, int device, const se_type *type, const void *data,
                      se_pjrt_buf **out);
se_status se_pjrt_get(se_pjrt_buf *b, void *data, size_t bytes);
void se_pjrt_buf_free(se_pjrt_buf *b); /* NULL is allowed */

/* False once a program has taken the memory over. */
bool se_pjrt_buf_there(const se_pjrt_buf *b);

/* Runs the program on all its replicas and waits for it. in[r * n_in + i] is argument i of replica
 * r, on device r; out[r * n_out + k] is the caller's. After a failure out holds nothing, and
 * se_pjrt_buf_there tells which donated arguments are lost. */
se_status se_pjrt_run(se_pjrt_program *g, se_pjrt_buf *const *in, se_pjrt_buf **out);

#endif
