/* One HTTP request at a time, by libcurl, which is opened when the first is made. A request is
 * pulled: each step waits a little and says how far it is, so that the caller can show progress and
 * stop. Redirects are not followed: who follows decides what may be sent there. */
#ifndef SE_IO_DOWNLOAD_H
#define SE_IO_DOWNLOAD_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_http se_http;

typedef struct se_http_want {
    const char *url;   /* http or https */
    const char *token; /* sent as "Authorization: Bearer"; NULL: none */
    const char *path;  /* a body of status 200 or 206 goes into this file, behind what it holds
                          already: that is asked for no more; NULL: all bodies into memory */
    const char *etag;  /* of what the file holds, for If-Range; NULL: not sent */
    int64_t most;      /* bytes of a body, those in the file included; more is an error */
    double timeout;    /* seconds to connect in, and without a byte */
    const char *ca;    /* a file of certificates to trust; NULL: the system's */
} se_http_want;

/* Starts a request: SE_ERR_STATE where libcurl is not installed, with the package's name. What
 * `want` points to is copied. */
SE_API se_status se_http_start(const se_http_want *want, se_http **out);
SE_API void se_http_close(se_http *h); /* at any time; NULL is allowed */

/* Waits at most ms milliseconds for news; *done tells that the whole answer is there, of whatever
 * status. SE_ERR_IO "URL: why" when there is none; then se_http_again tells if it makes sense to
 * try again (a lost connection, a time-out). SE_ERR_INTERRUPTED: Ctrl-C. The file keeps what came.
 */
SE_API se_status se_http_step(se_http *h, int32_t ms, bool *done);
SE_API bool se_http_again(const se_http *h);

/* Status, 0 before there is one; a header of the answer (any case; "" where there is none); where a
 * redirect leads, "" for none; the body in memory (the first bytes of an error's body, with a
 * path). */
SE_API int32_t se_http_code(const se_http *h);
SE_API const char *se_http_header(se_http *h, const char *name);
SE_API const char *se_http_location(se_http *h);
SE_API const char *se_http_body(const se_http *h, size_t *bytes);

/* Bytes of the body that are there, those found in the file included; how many it will have, -1
 * where that is not known. */
SE_API int64_t se_http_bytes(const se_http *h);
SE_API int64_t se_http_total(const se_http *h);

/* Sleeps; SE_ERR_INTERRUPTED at Ctrl-C. */
SE_API se_status se_wait(double seconds);

/* Takes the lock file `path`, which is made; *fd is -1 where another process holds it. Given back
 * by se_lock_give or the end of the process. */
SE_API se_status se_lock_try(const char *path, int32_t *fd);
SE_API void se_lock_give(int32_t fd);

/* Makes `path` a link that says `target`, in place of what was there. */
SE_API se_status se_file_link(const char *target, const char *path);
/* sembed-cdef-end */

#endif
