#define _GNU_SOURCE
#include "base.h"

#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MESSAGE_BYTES = 4096, HUGE_BYTES = 2 << 20 };

static _Thread_local char message[MESSAGE_BYTES];
static atomic_llong live_bytes, peak_bytes, limit_bytes;
static volatile sig_atomic_t interrupt_flag;
static bool interrupt_deferred;
static atomic_int thread_count; /* 0: not asked for yet */

se_status se_fail(se_status status, const char *format, ...)
{
    char text[MESSAGE_BYTES]; /* an argument may be se_message() itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof text);
    return status;
}

se_status se_fail_prefix(se_status status, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if (n < MESSAGE_BYTES)
        snprintf(text + n, sizeof text - (size_t)n, "%s", message);
    memcpy(message, text, sizeof text);
    return status;
}

const char *se_message(void)
{
    return message;
}

void se_bug(const char *file, int line, const char *text)
{
    fprintf(stderr, "sembed: internal error at %s:%d: %s\n", file, line, text);
    abort();
}

static void *or_fail(void *p, size_t bytes)
{
    if (!p)
        se_fail(SE_ERR_MEMORY, "out of memory: %zu bytes of host memory were not to be had", bytes);
    return p;
}

void *se_malloc(size_t bytes)
{
    return or_fail(malloc(bytes ? bytes : 1), bytes);
}

void *se_calloc(size_t n, size_t size)
{
    return or_fail(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *se_realloc(void *old, size_t bytes)
{
    return or_fail(realloc(old, bytes ? bytes : 1), bytes);
}

char *se_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = se_malloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

bool se_counted_take(size_t bytes)
{
    long long limit = atomic_load(&limit_bytes);
    long long now = atomic_fetch_add(&live_bytes, (long long)bytes) + (long long)bytes;
    if (limit > 0 && now > limit) {
        atomic_fetch_sub(&live_bytes, (long long)bytes);
        se_fail(SE_ERR_MEMORY,
                "out of memory: %.1f MiB more would exceed memory=%.0fM (%.1f MiB are in use)",
                (double)bytes / 1048576, (double)limit / 1048576,
                (double)(now - (long long)bytes) / 1048576);
        return false;
    }
    long long peak = atomic_load(&peak_bytes);
    while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now))
        continue;
    return true;
}

void se_counted_give(size_t bytes)
{
    atomic_fetch_sub(&live_bytes, (long long)bytes);
}

void *se_counted_alloc(size_t bytes)
{
    if (!se_counted_take(bytes))
        return NULL;
    size_t rounded = (bytes + 63) / 64 * 64;
    size_t align = rounded >= HUGE_BYTES ? HUGE_BYTES : 64;
    rounded = (rounded + align - 1) / align * align;
    void *p = rounded < bytes ? NULL : aligned_alloc(align, rounded ? rounded : 64);
    if (!p) {
        se_counted_give(bytes);
        se_fail(SE_ERR_MEMORY, "out of memory: the system has no %.1f MiB (%.1f MiB are in use)",
                (double)bytes / 1048576, (double)atomic_load(&live_bytes) / 1048576);
        return NULL;
    }
    if (rounded >= HUGE_BYTES) /* fewer page faults; a refusal changes nothing */
        madvise(p, rounded, MADV_HUGEPAGE);
    return p;
}

void se_counted_free(void *p, size_t bytes)
{
    if (!p)
        return;
    free(p);
    se_counted_give(bytes);
}

int64_t se_memory_live(void)
{
    return atomic_load(&live_bytes);
}

int64_t se_memory_peak(void)
{
    return atomic_load(&peak_bytes);
}

void se_memory_peak_reset(void)
{
    atomic_store(&peak_bytes, atomic_load(&live_bytes));
}

void se_memory_limit(int64_t bytes)
{
    atomic_store(&limit_bytes, bytes);
}

int64_t se_memory_limit_now(void)
{
    return atomic_load(&limit_bytes);
}

void se_interrupt_set(void)
{
    interrupt_flag = 1;
}

bool se_interrupted(void)
{
    return interrupt_flag != 0;
}

void se_interrupt_clear(void)
{
    interrupt_flag = 0;
}

void se_interrupt_defer(bool on)
{
    interrupt_deferred = on;
}

bool se_interrupt_now(void)
{
    return interrupt_flag != 0 && !interrupt_deferred;
}

double se_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int own_share; /* 0: all processors */

static int processors(void)
{
    const char *wanted = getenv("OMP_NUM_THREADS");
    if (wanted && atoi(wanted) > 0)
        return atoi(wanted);
    if (own_share > 0)
        return own_share;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

int se_threads(void)
{
    if (atomic_load(&thread_count) == 0)
        se_threads_set(0);
    return atomic_load(&thread_count);
}

void se_threads_set(int n)
{
    n = n > 0 ? n : processors();
    atomic_store(&thread_count, n);
    omp_set_num_threads(n); /* of this thread only */
}

void se_threads_share(int n)
{
    own_share = n;
    se_threads_set(0);
}
