/* libmicrohttpd, opened when a server is: a table of the functions we call, so that the program
 * starts and runs where the library is not installed. Its header is needed to build only. */
#ifndef SE_SERVE_MHD_H
#define SE_SERVE_MHD_H

#include "base.h"

#include <microhttpd.h>

#define SE_MHD_CALLS(X)                                                                            \
    X(start_daemon)                                                                                \
    X(stop_daemon)                                                                                 \
    X(quiesce_daemon)                                                                              \
    X(get_connection_info)                                                                         \
    X(lookup_connection_value)                                                                     \
    X(get_connection_values)                                                                       \
    X(suspend_connection)                                                                          \
    X(resume_connection)                                                                           \
    X(create_response_from_buffer)                                                                 \
    X(add_response_header)                                                                         \
    X(queue_response)                                                                              \
    X(destroy_response)

typedef struct se_mhd {
#define X(name) __typeof__(MHD_##name) *name;
    SE_MHD_CALLS(X)
#undef X
} se_mhd;

/* The library's functions; it stays open. SE_ERR_IO where it is missing. */
se_status se_mhd_open(const se_mhd **out);

#endif
