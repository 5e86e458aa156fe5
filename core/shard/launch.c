/* Finds out whether a launcher started this process with others, opens the MPI that goes with it,
 * and looks at the cores that it left us. */
#define _GNU_SOURCE
#include "shard/shard.h"

#include "shard/private.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4352 };

static char binding[512];

const char *se_shard_binding(void)
{
    return binding[0] ? binding : NULL;
}

/* --- the launcher --- */

typedef struct launcher {
    const char *flavour; /* of the MPI it belongs to; NULL: any */
    const char *count;   /* the variable that says how many processes there are */
    const char *index;   /* one that is there under it, where `count` does not say it */
} launcher;

/* OpenMPI's mpirun; Hydra (MPICH, Intel MPI, MVAPICH) and srun --mpi=pmi2; srun --mpi=pmix; a task
 * of srun without an MPI. */
static const launcher launchers[] = {
    {"openmpi", "OMPI_COMM_WORLD_SIZE", NULL},
    {"mpich", "PMI_SIZE", NULL},
    {NULL, "SLURM_STEP_NUM_TASKS", "PMIX_RANK"},
    {NULL, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID"},
};

/* How many processes there are by what the environment says; 1: no launcher. */
static int processes(const char **flavour, bool *pmix)
{
    *flavour = NULL;
    *pmix = getenv("PMIX_RANK") != NULL;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const char *count = getenv(launchers[i].count);
        if (!count || (launchers[i].index && !getenv(launchers[i].index)))
            continue;
        *flavour = launchers[i].flavour;
        return atoi(count);
    }
    return *pmix ? 2 : 1; /* a launcher that does not say how many: MPI does */
}

/* --- the MPI --- */

static const se_transport *open_file(const char *path)
{
    if (access(path, R_OK) != 0)
        return NULL;
    void *file = dlopen(path, RTLD_NOW | RTLD_GLOBAL); /* OpenMPI's own parts look for its names */
    const se_transport *way = file ? dlsym(file, SE_TRANSPORT_NAME) : NULL;
    if (way && way->version == SE_TRANSPORT_VERSION)
        return way;
    se_fail(SE_ERR_STATE, "%s: %s", path,
            !file  ? dlerror()
            : !way ? "it is not sembed's"
                   : "it belongs to another version of sembed");
    if (file)
        dlclose(file);
    return NULL;
}

/* Beside the program (a build folder) or in ../lib/sembed (installed), unless SEMBED_MPI names a
 * file. One for another flavour than the launcher's would start as many lone processes. */
static const se_transport *open_way(const char *flavour)
{
    static const char *const names[] = {"openmpi", "mpich", "mpi"};
    static const char *const folders[] = {".", "../lib/sembed", "../lib/x86_64-linux-gnu/sembed",
                                          "../lib/aarch64-linux-gnu/sembed", "../lib64/sembed"};
    const char *named = getenv("SEMBED_MPI");
    if (named && *named)
        return open_file(named);
    char self[4096], path[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
            if (flavour && strcmp(names[i], flavour) != 0 && strcmp(names[i], "mpi") != 0)
                continue;
            snprintf(path, sizeof path, "%s/%s/sembed_mpi_%s.so", self, folders[k], names[i]);
            const se_transport *way = open_file(path);
            if (way)
                return way;
        }
    return NULL;
}

static se_status no_way(int count, const char *flavour)
{
    char why[512];
    snprintf(why, sizeof why, "%s", se_message());
    return se_fail(SE_ERR_STATE,
                   "%d processes were started together%s%s, and sembed has nothing to reach the "
                   "others by%s%s; install that MPI's compiler (mpicc) and build sembed again, or: "
                   "mpicc -O2 -shared -fPIC -I core core/shard/mpi.c -o mine.so, and "
                   "SEMBED_MPI=mine.so",
                   count, flavour ? " by " : "", flavour ? flavour : "", *why ? ": " : "", why);
}

/* --- cores --- */

static uint64_t host_hash(void)
{
    char name[256] = "";
    uint64_t h = 14695981039346656037u;
    gethostname(name, sizeof name - 1);
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    return h;
}

static int bound_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* Shards of one machine share its cores: each has what it is bound to, or its part of all. */
static void share_cores(int here)
{
    int all = (int)sysconf(_SC_NPROCESSORS_ONLN), bound = bound_cores();
    int fair = all / here > 0 ? all / here : 1;
    se_shards_now.crowded = here > all;
    if (!getenv("OMP_NUM_THREADS"))
        se_threads_share(bound < fair ? bound : fair);
    if (bound < fair && se_shards_now.index == 0)
        snprintf(binding, sizeof binding,
                 "the launcher binds each process to %d of the %d cores that it could have: mpirun "
                 "--bind-to none (MPICH: -bind-to none) leaves them to it",
                 bound, fair);
}

static se_status meet_first(void)
{
    se_shards *s = &se_shards_now;
    if (!(s->peer = se_calloc((size_t)s->count, sizeof *s->peer)))
        return SE_ERR_MEMORY;
    s->peer[s->index] = (se_peer){.host = host_hash(), .pid = getpid()};
    se_status status = se_ring_gather(&s->moved.meet, s->peer, s->count, sizeof *s->peer);
    int here = 0;
    for (int32_t i = 0; i < s->count; i++)
        here += s->peer[i].host == s->peer[s->index].host;
    if (!status)
        share_cores(here);
    return status;
}

/* Only shard 0 is heard on standard output; standard error is left, for what an end has to tell. */
static void be_quiet(void)
{
    if (!freopen("/dev/null", "w", stdout))
        fclose(stdout);
}

se_status se_shard_start(bool force)
{
    const char *flavour;
    bool pmix;
    int count = processes(&flavour, &pmix);
    if (count < 2 && !force) {
        if (flavour) /* mpirun -n 1 binds, too */
            share_cores(1);
        return SE_OK;
    }
    const se_transport *way = open_way(flavour);
    if (!way)
        return no_way(count, flavour);
    se_shards *s = &se_shards_now;
    char why[400] = "";
    int32_t index, n;
    if (way->open(&index, &n, why, sizeof why))
        return se_fail(SE_ERR_STATE, "MPI (%s) did not start: %s", way->flavour, why);
    if (n == 1 && count > 1) {
        way->close();
        return se_fail(SE_ERR_STATE,
                       "%d processes were started together, and MPI (%s) finds one: the launcher "
                       "belongs to another MPI (srun: --mpi=pmix or --mpi=pmi2)",
                       count, way->flavour);
    }
    if (n == 1) {
        way->close();
        return SE_OK;
    }
    s->way = way;
    s->index = index;
    s->count = n;
    se_status status = meet_first();
    if (!status && index > 0)
        be_quiet();
    return status;
}
