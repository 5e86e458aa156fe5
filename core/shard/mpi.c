/* Bytes between processes by MPI: a shared object of its own, see transport.h. Only what moves
 * bytes is asked of MPI; sums are made in ring.c, in an order that does not depend on the MPI. */
#include "transport.h"

#include <mpi.h>
#include <stdio.h>

enum { PIECE = 64 << 20 }; /* of a message: MPI counts in int */
enum { PIECES = 64 };

static MPI_Comm all = MPI_COMM_NULL;
static MPI_Request request[2 * PIECES];
static int requests;
static struct {
    const char *out;
    char *in;
    int64_t out_left, in_left;
    int to, from;
} rest;

static int failed(int code, char *why, int32_t room)
{
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    snprintf(why, (size_t)room, "%.*s", length, text);
    return -1;
}

static int mpi_open(int32_t *index, int32_t *count, char *why, int32_t room)
{
    int provided = 0, me = 0, n = 1;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code != MPI_SUCCESS)
        return failed(code, why, room);
    code = MPI_Comm_dup(MPI_COMM_WORLD, &all);
    if (code != MPI_SUCCESS)
        return failed(code, why, room);
    MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(all, &me);
    MPI_Comm_size(all, &n);
    *index = me;
    *count = n;
    return 0;
}

static int piece_of(int64_t left)
{
    return left < PIECE ? (int)left : PIECE;
}

/* Starts as many pieces of what is left as there is room for. */
static int more(void)
{
    int code = MPI_SUCCESS;
    requests = 0;
    for (int k = 0; k < PIECES && code == MPI_SUCCESS; k++) {
        if (rest.in_left > 0) {
            int n = piece_of(rest.in_left);
            code = MPI_Irecv(rest.in, n, MPI_BYTE, rest.from, 1, all, &request[requests++]);
            rest.in += n;
            rest.in_left -= n;
        }
        if (code == MPI_SUCCESS && rest.out_left > 0) {
            int n = piece_of(rest.out_left);
            code = MPI_Isend(rest.out, n, MPI_BYTE, rest.to, 1, all, &request[requests++]);
            rest.out += n;
            rest.out_left -= n;
        }
    }
    return code == MPI_SUCCESS ? 0 : -1;
}

static int mpi_start(const void *out, int32_t to, int64_t out_bytes, void *in, int32_t from,
                     int64_t in_bytes)
{
    rest.out = out;
    rest.in = in;
    rest.to = to;
    rest.from = from;
    rest.out_left = to < 0 ? 0 : out_bytes;
    rest.in_left = from < 0 ? 0 : in_bytes;
    return more();
}

static int mpi_done(void)
{
    static MPI_Status status[2 * PIECES];
    int flag = 0;
    if (MPI_Testall(requests, request, &flag, status) != MPI_SUCCESS)
        return -1;
    if (!flag)
        return 0;
    if (rest.out_left > 0 || rest.in_left > 0)
        return more();
    return 1;
}

static void mpi_close(void)
{
    MPI_Comm_free(&all);
    MPI_Finalize();
}

static void mpi_abort(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

#if defined(OPEN_MPI)
#define FLAVOUR "openmpi"
#elif defined(MPICH_VERSION)
#define FLAVOUR "mpich"
#else
#define FLAVOUR "mpi"
#endif

extern const se_transport se_transport_exported;
__attribute__((visibility("default"))) const se_transport se_transport_exported = {
    SE_TRANSPORT_VERSION, FLAVOUR, mpi_open, mpi_start, mpi_done, mpi_close, mpi_abort,
};
