#define _GNU_SOURCE
#include "io/lock.h"
#include "io/disk.h"
#include "io/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct se_lock {
    char *path;     /* of the lock's file */
    int fd, folder; /* the folder may get another name meanwhile */
    bool works;
};

/* How this process was started, its words with a space between. Cut where it is too long. */
static void command_of_this(char *out, size_t room)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, room - 1);
    if (fd >= 0)
        close(fd);
    n = n > 0 ? n - 1 : 0; /* each word is ended by a 0 */
    for (ssize_t i = 0; i < n; i++)
        if (out[i] == 0 || out[i] == '\n')
            out[i] = ' ';
    out[n] = 0;
}

/* Says in the file who has it. For people: on a full disk it says nothing. */
static void sign(const se_lock *l)
{
    char host[256] = "", command[1024], text[1400];
    gethostname(host, sizeof host - 1);
    command_of_this(command, sizeof command);
    int n = snprintf(text, sizeof text, "process %ld on %s: %s", (long)getpid(), host, command);
    int fd = open(l->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ssize_t written = fd < 0 ? 0 : write(fd, text, (size_t)n);
    (void)written;
    if (fd >= 0)
        close(fd);
}

static se_status tell_other(const char *what, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    if (se_file_read(path, &text, &bytes) != SE_OK || bytes == 0) {
        se_io_free(text);
        text = NULL;
    }
    se_status s = se_fail(SE_ERR_STATE,
                          "%s: another run is at work there (%s): wait for its end, stop it, or "
                          "take another out=",
                          what, text ? text : "it does not say which");
    se_io_free(text);
    return s;
}

/* A file that is open for writing would keep its file system from being made read-only, so only
 * file systems over a network get one: theirs lock no other. */
static se_lock_state lock_file(se_lock *l)
{
    se_lock_state state = se_disk_lock(l->fd);
    if (state != SE_LOCK_NONE)
        return state;
    int fd = open(l->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return state;
    close(l->fd);
    l->fd = fd;
    return se_disk_lock(fd);
}

/* One try; *again: who had the lock has just removed the file. */
static se_status try_to_take(se_lock *l, const char *what, bool *again)
{
    l->fd = open(l->path, O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
    if (l->fd < 0)
        return se_disk_fail(l->path, "cannot write");
    se_lock_state state = lock_file(l);
    *again = !se_disk_is_at(l->fd, l->path);
    if (*again || state == SE_LOCK_OTHERS) {
        close(l->fd);
        l->fd = -1;
        return *again ? SE_OK : tell_other(what, l->path);
    }
    l->works = state == SE_LOCK_MINE;
    sign(l);
    return SE_OK;
}

se_status se_lock_take(const char *path, se_lock **out)
{
    se_file_info at;
    *out = NULL;
    se_lock *l = se_calloc(1, sizeof *l);
    if (!l)
        return SE_ERR_MEMORY;
    l->fd = l->folder = -1;
    se_file_look(path, &at);
    l->path = at.is_dir ? se_path_join(path, "lock") : se_path_with(path, ".lock");
    char *folder = l->path ? se_path_parent(l->path) : NULL;
    se_status s = folder ? SE_OK : SE_ERR_MEMORY;
    if (s == SE_OK)
        l->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s == SE_OK && l->folder < 0)
        s = se_disk_fail(folder, "cannot open");
    for (bool again = true; s == SE_OK && again;)
        s = try_to_take(l, path, &again);
    free(folder);
    if (s != SE_OK)
        se_lock_free(l);
    else
        *out = l;
    return s;
}

void se_lock_free(se_lock *l)
{
    struct stat mine, there;
    if (!l)
        return;
    const char *name = l->path ? se_path_name(l->path) : "";
    if (l->fd >= 0 && fstat(l->fd, &mine) == 0 && fstatat(l->folder, name, &there, 0) == 0 &&
        mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
        unlinkat(l->folder, name, 0);
    if (l->fd >= 0)
        close(l->fd);
    if (l->folder >= 0)
        close(l->folder);
    free(l->path);
    free(l);
}

bool se_lock_works(const se_lock *l)
{
    return l->works;
}

bool se_lock_stands(const se_lock *l)
{
    return se_disk_is_at(l->fd, l->path);
}
