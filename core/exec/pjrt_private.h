/* What the pjrt_*.c files share. */
#ifndef SE_PJRT_PRIVATE_H
#define SE_PJRT_PRIVATE_H

#include "pjrt.h"
#include "pjrt_abi.h"

struct se_pjrt {
    const pj_table *api;
    pj_client *client;
    pj_device **device;
    int32_t *id; /* of each device, as the plugin counts */
    int n_device;
    char *path, *platform, *about;
};

struct se_pjrt_buf {
    se_pjrt *owner;
    pj_buffer *raw; /* NULL: a program has taken it over */
    se_type type;
    int device;
    int64_t mark; /* of the run that saw it last, see se_pjrt_run */
};

/* Calls a function of the table; one that the plugin lacks is an error. SE_ERR_MEMORY where the
 * plugin says so, else `status`; `what` begins the message. */
se_status se_pjrt_call(const se_pjrt *p, int function, void *args, se_status status,
                       const char *what);

/* Waits for an event and destroys it; NULL is allowed. */
se_status se_pjrt_wait(const se_pjrt *p, pj_event *event, se_status status, const char *what);

/* The plugin's number for a type of elements; 0: it has none. */
int32_t se_pjrt_dtype(uint8_t dtype);

/* CompileOptionsProto of openxla/xla for so many replicas on these devices; freed by free(). */
se_status se_pjrt_options(int replicas, const int32_t *id, char **bytes, size_t *size);

/* A raw buffer of that type, taken over. NULL: no memory, and it is destroyed. */
se_pjrt_buf *se_pjrt_buf_of(se_pjrt *p, pj_buffer *raw, const se_type *type, int device);

#endif
