/* What every other file may rely on: status and message, checked allocation, byte counts, the
 * interrupt flag. */
#ifndef SE_BASE_H
#define SE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SE_API __attribute__((visibility("default")))
#define SE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SE_NORETURN __attribute__((noreturn))
#else
#define SE_API
#define SE_PRINTF(f, a)
#define SE_NORETURN
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* sembed-cdef-begin */
/* The result of a call that can fail. Everything but SE_OK leaves a message in se_message(). */
typedef enum se_status {
    SE_OK = 0,
    SE_ERR_ARG,         /* a caller's mistake: shape, type, unknown name */
    SE_ERR_IO,          /* the operating system refused: missing file, full disk */
    SE_ERR_FORMAT,      /* a file that does not hold what it should */
    SE_ERR_MEMORY,      /* over the limit or no memory */
    SE_ERR_INTERRUPTED, /* Ctrl-C */
    SE_ERR_STATE,       /* a released handle, an overwritten parameter */
    SE_ERR_NONFINITE    /* a guarded value was NaN or infinite */
} se_status;
/* sembed-cdef-end */

/* Sets this thread's message (printf form, no trailing newline) and returns `status`. The texts
 * have the form "op: what is wrong: what came, what was wanted"; files: path, offset, expected,
 * found. */
SE_API se_status se_fail(se_status status, const char *format, ...) SE_PRINTF(2, 3);

/* Puts text before this thread's message, for a caller that knows more ("pairs.jsonl:7: "), and
 * returns `status`. */
SE_API se_status se_fail_prefix(se_status status, const char *format, ...) SE_PRINTF(2, 3);

/* This thread's last message; "" before the first. Valid until the next failure on the same thread.
 */
/* sembed-cdef-begin */
SE_API const char *se_message(void);
/* sembed-cdef-end */

/* Aborts with place and text: only for promises of our own that turned out broken, never for input.
 */
#define SE_BUG(text) se_bug(__FILE__, __LINE__, text)
SE_API void se_bug(const char *file, int line, const char *text) SE_NORETURN;

/* malloc, calloc(n, size), realloc for small host data. NULL means SE_ERR_MEMORY with its message
 * set; n * size is checked for overflow. Freed by free(). */
SE_API void *se_malloc(size_t bytes);
SE_API void *se_calloc(size_t n, size_t size);
SE_API void *se_realloc(void *old, size_t bytes);
SE_API char *se_strdup(const char *text);

/* Memory for tensors and data sets: 64-byte aligned, counted, and refused beyond the limit of
 * se_memory_limit. NULL means SE_ERR_MEMORY with its message set. se_counted_free takes the size
 * given to se_counted_alloc; NULL is allowed. */
SE_API void *se_counted_alloc(size_t bytes);
SE_API void se_counted_free(void *p, size_t bytes);

/* The same count for memory of a device, which somebody else allocates. False: over the limit, with
 * SE_ERR_MEMORY's message. */
SE_API bool se_counted_take(size_t bytes);
SE_API void se_counted_give(size_t bytes);

/* sembed-cdef-begin */
/* Bytes now live and the highest so far (se_counted_alloc only); the limit in bytes, 0 = none. Any
 * thread. */
SE_API int64_t se_memory_live(void);
SE_API int64_t se_memory_peak(void);
SE_API void se_memory_peak_reset(void);
SE_API void se_memory_limit(int64_t bytes);
SE_API int64_t se_memory_limit_now(void);

/* The interrupt flag: set by a signal handler, read between nodes and between batches of lines. */
SE_API void se_interrupt_set(void);
SE_API bool se_interrupted(void);
SE_API void se_interrupt_clear(void);

/* While deferred, se_interrupt_now() is false whatever the flag is: a training step is finished
 * first. */
SE_API void se_interrupt_defer(bool on);
SE_API bool se_interrupt_now(void);

/* Seconds of a clock that only goes forward. */
SE_API double se_seconds(void);

/* How many threads parallel regions use: at least 1. se_threads_set(0) takes OMP_NUM_THREADS
 * where it is set, else the number of processors this process may use. */
SE_API int se_threads(void);
SE_API void se_threads_set(int n);
/* sembed-cdef-end */

/* From here on se_threads_set(0) takes n where OMP_NUM_THREADS is not set: processes of one run
 * share a machine. */
SE_API void se_threads_share(int n);

#ifdef __cplusplus
}
#endif

#endif
