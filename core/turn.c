#define _GNU_SOURCE
#include "turn.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_BYTES = 8 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t next_ticket, serving;
static bool thread_runs, forks_watched;
static struct {
    se_status (*work)(void *data); /* NULL: nothing to do */
    void *data;
    se_status status;
    const char *message; /* the engine thread's, which keeps it until the next call */
} job;

static void wait_for_turn(void)
{
    uint64_t mine = next_ticket++;
    while (serving != mine)
        pthread_cond_wait(&changed, &lock);
}

static void end_turn(void)
{
    serving++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    wait_for_turn();
}

/* Of all threads the child has only the one that forked. */
static void in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    next_ticket = serving = 0;
    thread_runs = false;
}

static void *serve(void *unused)
{
    (void)unused;
    fesetenv(FE_DFL_ENV); /* not as the caller has set rounding */
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!job.work)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        se_threads_set(se_threads()); /* another thread may have set it */
        job.status = job.work(job.data);
        job.message = se_message();
        pthread_mutex_lock(&lock);
        job.work = NULL;
        pthread_cond_broadcast(&changed);
    }
    return NULL;
}

/* A program's libgomp waits busily unless OMP_WAIT_POLICY was set before it was loaded, and on a
 * machine with other work that takes a hundred times as long. While there are more OpenMP threads
 * than processors it waits for an instant only (its manual, GOMP_SPINCOUNT): two that sleep are
 * enough to make it so. */
static void *be_too_many(void *unused)
{
    atomic_int here = 0;
#pragma omp parallel num_threads(2)
    atomic_fetch_add(&here, 1);
    for (;;)
        pause();
    return unused;
}

static se_status start_thread(void)
{
    pthread_t id;
    pthread_attr_t attr;
    sigset_t all, old;
    if (!forks_watched && pthread_atfork(before_fork, end_turn, in_child) == 0)
        forks_watched = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the program's own threads */
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int error = pthread_create(&id, &attr, serve, NULL);
    if (!error && !getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
        pthread_create(&id, &attr, be_too_many, NULL); /* where it fails, waiting is only slower */
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return se_fail(SE_ERR_MEMORY, "model: no thread for the engine: %s", strerror(error));
    thread_runs = true;
    return SE_OK;
}

se_status se_turn(se_status (*work)(void *data), void *data)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* `data` is the caller's */
    pthread_mutex_lock(&lock);
    wait_for_turn();
    se_status status = thread_runs ? SE_OK : start_thread();
    if (!status) {
        job.work = work;
        job.data = data;
        pthread_cond_broadcast(&changed);
        while (job.work)
            pthread_cond_wait(&changed, &lock);
        status = job.status;
        if (status)
            se_fail(status, "%s", job.message);
    }
    end_turn();
    pthread_setcancelstate(cancel, NULL);
    return status;
}
