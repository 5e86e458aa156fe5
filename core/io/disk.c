#define _GNU_SOURCE
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static long calls, break_at;
static bool break_crashes, sync_off, locks_off;

void se_disk_break(long n, bool crash)
{
    calls = 0;
    break_at = n;
    break_crashes = crash;
}

long se_disk_calls(void)
{
    return calls;
}

void se_disk_sync_set(bool sync)
{
    sync_off = !sync;
}

void se_disk_locks_set(bool locks)
{
    locks_off = !locks;
}

/* True when a test wants this call to fail. */
static bool broken(void)
{
    if (++calls != break_at)
        return false;
    if (break_crashes)
        _exit(99);
    errno = EIO;
    return true;
}

se_status se_disk_fail(const char *path, const char *what)
{
    return se_fail(SE_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

se_status se_disk_create(const char *path, bool append, int *fd)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC);
    *fd = broken() ? -1 : open(path, flags, 0666);
    return *fd < 0 ? se_disk_fail(path, "cannot write") : SE_OK;
}

se_status se_disk_write(int fd, const void *data, size_t bytes, const char *path)
{
    enum { MOST = 64 << 20 }; /* one call takes less than 2 GiB */
    const char *p = data;
    if (broken())
        return se_disk_fail(path, "cannot write");
    while (bytes) {
        ssize_t n = write(fd, p, bytes < MOST ? bytes : MOST);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return se_disk_fail(path, "cannot write");
        p += n;
        bytes -= (size_t)n;
    }
    return SE_OK;
}

se_status se_disk_sync(int fd, const char *path)
{
    /* EINVAL: a pipe or a file system that has nothing to sync. */
    if (broken() || (!sync_off && fsync(fd) != 0 && errno != EINVAL))
        return se_disk_fail(path, "cannot sync");
    return SE_OK;
}

se_status se_disk_close(int fd, const char *path)
{
    bool bad = broken();
    if (close(fd) != 0 || bad) { /* a full network disk may say so only now */
        if (bad)
            errno = EIO;
        return se_disk_fail(path, "cannot close");
    }
    return SE_OK;
}

se_status se_disk_sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return se_disk_fail(path, "cannot open to sync");
    se_status s = se_disk_sync(fd, path);
    close(fd);
    return s;
}

se_status se_disk_truncate(const char *path, int64_t bytes)
{
    return broken() || truncate(path, bytes) != 0 ? se_disk_fail(path, "cannot cut") : SE_OK;
}

se_status se_disk_rename(const char *from, const char *to)
{
    return broken() || rename(from, to) != 0 ? se_disk_fail(to, "cannot rename to this") : SE_OK;
}

se_status se_disk_symlink(const char *target, const char *path)
{
    return broken() || symlink(target, path) != 0 ? se_disk_fail(path, "cannot link") : SE_OK;
}

se_status se_disk_mkdir(const char *path)
{
    struct stat st;
    if (!broken()) {
        if (mkdir(path, 0777) == 0)
            return SE_OK;
        if (errno == EEXIST) {
            if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return SE_OK;
            errno = ENOTDIR;
        }
    }
    return se_disk_fail(path, "cannot make a folder");
}

se_status se_disk_remove(const char *path)
{
    if (broken() || (remove(path) != 0 && errno != ENOENT))
        return se_disk_fail(path, "cannot remove");
    return SE_OK;
}

se_lock_state se_disk_lock(int fd)
{
    if (locks_off)
        return SE_LOCK_NONE;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? SE_LOCK_OTHERS : SE_LOCK_NONE;
    return SE_LOCK_MINE;
}

/* Linux lists all locks: "NUMBER: FLOCK ADVISORY WRITE PROCESS MAJOR:MINOR:INODE 0 EOF". */
int64_t se_disk_lock_holder(int fd)
{
    struct stat st;
    char line[256];
    int64_t holder = 0, process;
    unsigned long long inode;
    unsigned high, low;
    FILE *f = fstat(fd, &st) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (f && !holder && fgets(line, sizeof line, f))
        if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %" SCNd64 " %x:%x:%llu", &process, &high, &low,
                   &inode) == 4 &&
            inode == st.st_ino && high == major(st.st_dev) && low == minor(st.st_dev))
            holder = process;
    if (f)
        fclose(f);
    return holder;
}

bool se_disk_is_at(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

static se_status copy_file(const char *from, const char *to)
{
    enum { PIECE = 1 << 20 };
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    if (in < 0)
        return se_disk_fail(from, "cannot read");
    char *piece = se_malloc(PIECE);
    se_status s = piece ? se_disk_create(to, false, &out) : SE_ERR_MEMORY;
    while (s == SE_OK) {
        ssize_t n = read(in, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            s = se_disk_fail(from, "cannot read");
        if (n <= 0)
            break;
        s = se_disk_write(out, piece, (size_t)n, to);
    }
    if (s == SE_OK)
        s = se_disk_sync(out, to);
    if (out >= 0) {
        se_status closed = se_disk_close(out, to);
        s = s == SE_OK ? closed : s;
    }
    close(in);
    free(piece);
    return s;
}

se_status se_disk_link(const char *from, const char *to)
{
    if (broken())
        return se_disk_fail(to, "cannot link");
    if (link(from, to) == 0)
        return SE_OK;
    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK)
        return copy_file(from, to);
    return se_disk_fail(to, "cannot link");
}

static char *joined(const char *a, const char *between, const char *b)
{
    size_t n = strlen(a) + strlen(between) + strlen(b) + 1;
    char *path = se_malloc(n);
    if (path)
        snprintf(path, n, "%s%s%s", a, between, b);
    return path;
}

char *se_path_join(const char *folder, const char *name)
{
    size_t n = strlen(folder);
    return joined(folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

char *se_path_with(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *out = joined(path, "", suffix);
    if (out && path[n])
        memcpy(out + n, suffix, strlen(suffix) + 1);
    return out;
}

char *se_path_parent(const char *path)
{
    const char *name = se_path_name(path);
    if (name == path)
        return se_strdup(".");
    char *parent = se_strdup(path);
    if (parent)
        parent[name - path > 1 ? name - path - 1 : 1] = 0;
    return parent;
}

const char *se_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool se_path_ends(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && memcmp(path + n - m, suffix, m) == 0;
}
