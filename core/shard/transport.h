/* What a shared object that knows one MPI exports: how bytes get from process to process. It is
 * compiled with that MPI's own compiler, for no two MPIs share an ABI, and opened only under a
 * launcher (core/shard/launch.c). Everything above it is core/shard/ring.c.
 *
 *     mpicc -O2 -shared -fPIC -I core core/shard/mpi.c -o sembed_mpi_mine.so */
#ifndef SE_TRANSPORT_H
#define SE_TRANSPORT_H

#include <stdint.h>

enum { SE_TRANSPORT_VERSION = 1 };

typedef struct se_transport {
    int32_t version;
    const char *flavour; /* "openmpi", "mpich", or "mpi" */

    /* 0; else `why` says what went wrong. */
    int (*open)(int32_t *index, int32_t *count, char *why, int32_t room);

    /* Begins to send out_bytes to `to` and to receive in_bytes from `from` (-1: neither). One such
     * exchange is under way at a time; the memory is lent until it is done. 0 or an error. */
    int (*start)(const void *out, int32_t to, int64_t out_bytes, void *in, int32_t from,
                 int64_t in_bytes);
    int (*done)(void); /* 1: the exchange is complete; 0: not yet; below 0: an error */

    void (*close)(void);
    void (*abort)(int status); /* ends all processes */
} se_transport;

#define SE_TRANSPORT_NAME "se_transport_exported"

#endif
