#define _GNU_SOURCE
#include "io/files.h"
#include "io/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void se_io_free(void *p)
{
    free(p);
}

void se_file_look(const char *path, se_file_info *out)
{
    struct stat st;
    memset(out, 0, sizeof *out);
    if (stat(path, &st) != 0)
        return;
    out->exists = true;
    out->is_dir = S_ISDIR(st.st_mode);
    out->is_file = S_ISREG(st.st_mode);
    out->size = out->is_file ? (int64_t)st.st_size : 0;
    out->mtime = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec * 1e-9;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One block: names in order, one after another. Frees the single names. */
static char *names_in_one(char **names, int64_t n)
{
    size_t bytes = 1;
    for (int64_t i = 0; i < n; i++)
        bytes += strlen(names[i]) + 1;
    char *block = se_malloc(bytes), *p = block;
    if (n)
        qsort(names, (size_t)n, sizeof *names, by_bytes);
    for (int64_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]) + 1;
        if (p) {
            memcpy(p, names[i], len);
            p += len;
        }
        free(names[i]);
    }
    free(names);
    return block;
}

se_status se_folder_list(const char *path, char **out, int64_t *count)
{
    char **names = NULL;
    int64_t n = 0, room = 0;
    se_status s = SE_OK;
    *out = NULL;
    *count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return se_disk_fail(path, "cannot list");
    for (struct dirent *e; s == SE_OK && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (n == room) {
            int64_t more = room ? 2 * room : 64;
            char **larger = se_realloc(names, (size_t)more * sizeof *names);
            if (!larger) {
                s = SE_ERR_MEMORY;
                break;
            }
            names = larger;
            room = more;
        }
        names[n] = se_strdup(e->d_name);
        if (!names[n])
            s = SE_ERR_MEMORY;
        else
            n++;
    }
    closedir(dir);
    char *block = names_in_one(names, n);
    if (s != SE_OK || !block) {
        free(block);
        return SE_ERR_MEMORY;
    }
    *out = block;
    *count = n;
    return SE_OK;
}

se_status se_folder_make(const char *path)
{
    struct stat st;
    if (!path[0])
        return se_fail(SE_ERR_ARG, "folder: the name is empty");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return SE_OK;
    char *part = se_strdup(path);
    se_status s = part ? SE_OK : SE_ERR_MEMORY;
    for (char *p = part ? part + 1 : NULL; s == SE_OK && p && *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode))
            s = se_disk_mkdir(part);
        *p = '/';
    }
    if (s == SE_OK)
        s = se_disk_mkdir(path);
    free(part);
    return s;
}

se_status se_file_read(const char *path, char **out, size_t *bytes)
{
    enum { FIRST = 64 << 10 };
    struct stat st;
    *out = NULL;
    *bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || (S_ISDIR(st.st_mode) && (errno = EISDIR))) {
        se_status bad = se_disk_fail(path, "cannot read");
        if (fd >= 0)
            close(fd);
        return bad;
    }
    size_t room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : FIRST, n = 0;
    char *data = se_malloc(room);
    se_status s = data ? SE_OK : SE_ERR_MEMORY;
    while (s == SE_OK) {
        if (n + 1 >= room) {
            char *larger = se_realloc(data, 2 * room);
            if (!larger) {
                s = SE_ERR_MEMORY;
                break;
            }
            data = larger;
            room *= 2;
        }
        ssize_t got = read(fd, data + n, room - n - 1);
        if (got < 0 && errno == EINTR && !se_interrupt_now())
            continue;
        if (got < 0)
            s = se_disk_fail(path, "cannot read");
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (s != SE_OK) {
        free(data);
        return s;
    }
    data[n] = 0;
    *out = data;
    *bytes = n;
    return SE_OK;
}

se_status se_file_write(const char *path, const void *data, size_t bytes)
{
    return se_file_write_parts(path, 1, &(se_part){data, bytes});
}

se_status se_file_write_parts(const char *path, int n, const se_part *parts)
{
    int fd = -1;
    char *part = se_path_with(path, ".part"), *folder = se_path_parent(path);
    se_status s = part && folder ? se_disk_create(part, false, &fd) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_write(fd, parts[0].data, parts[0].bytes, part);
    for (int i = 1; i < n && s == SE_OK; i++)
        s = parts[i].bytes ? se_disk_write(fd, parts[i].data, parts[i].bytes, part) : SE_OK;
    if (s == SE_OK)
        s = se_disk_sync(fd, part);
    if (fd >= 0) {
        se_status closed = se_disk_close(fd, part);
        s = s == SE_OK ? closed : s;
    }
    if (s == SE_OK)
        s = se_disk_rename(part, path);
    if (s == SE_OK)
        s = se_disk_sync_path(folder);
    else if (fd >= 0)
        unlink(part); /* the message is the first failure's */
    free(part);
    free(folder);
    return s;
}

se_status se_file_append(const char *path, const char *line, size_t bytes, bool sync)
{
    int fd = -1;
    char *text = se_malloc(bytes + 1);
    if (!text)
        return SE_ERR_MEMORY;
    memcpy(text, line, bytes);
    text[bytes] = '\n';
    se_status s = se_disk_create(path, true, &fd);
    if (s == SE_OK)
        s = se_disk_write(fd, text, bytes + 1, path);
    if (s == SE_OK && sync)
        s = se_disk_sync(fd, path);
    if (fd >= 0) {
        se_status closed = se_disk_close(fd, path);
        s = s == SE_OK ? closed : s;
    }
    free(text);
    return s;
}

se_status se_file_sync(const char *path)
{
    return se_disk_sync_path(path);
}

se_status se_file_rename(const char *from, const char *to)
{
    return se_disk_rename(from, to);
}

se_status se_file_remove(const char *path)
{
    return se_disk_remove(path);
}

se_status se_file_truncate(const char *path, int64_t bytes)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return se_disk_fail(path, "cannot cut");
    if (bytes < 0 || bytes > (int64_t)st.st_size)
        return se_fail(SE_ERR_ARG, "%s: cannot cut to %lld bytes: it has %lld", path,
                       (long long)bytes, (long long)st.st_size);
    return se_disk_truncate(path, bytes);
}

se_status se_file_aside(const char *path, char **out)
{
    struct stat st;
    char number[32];
    *out = NULL;
    for (int i = 1; i < INT_MAX; i++) {
        snprintf(number, sizeof number, ".%d", i);
        char *to = se_path_with(path, number);
        if (!to)
            return SE_ERR_MEMORY;
        if (lstat(to, &st) != 0 && errno == ENOENT) {
            se_status s = se_disk_rename(path, to);
            if (s != SE_OK)
                free(to);
            else
                *out = to;
            return s;
        }
        free(to);
    }
    return se_fail(SE_ERR_IO, "%s: no free name to move it to", path);
}

se_status se_file_absolute(const char *path, char **out)
{
    *out = realpath(path, NULL);
    if (*out)
        return SE_OK;
    char *folder = se_path_parent(path);
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (real)
        *out = se_path_join(real, se_path_name(path));
    else if (path[0] == '/')
        *out = se_strdup(path);
    else if ((real = realpath(".", NULL)))
        *out = se_path_join(real, path);
    free(folder);
    free(real);
    return *out ? SE_OK : se_disk_fail(path, "has no absolute path");
}

static se_status remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? SE_OK : se_disk_fail(path, "cannot remove");
    se_status s = SE_OK;
    if (S_ISDIR(st.st_mode)) {
        char *names;
        int64_t n;
        s = se_folder_list(path, &names, &n);
        if (s != SE_OK)
            return s;
        const char *name = names;
        for (int64_t i = 0; s == SE_OK && i < n; i++, name += strlen(name) + 1) {
            char *below = se_path_join(path, name);
            s = below ? remove_tree(below) : SE_ERR_MEMORY;
            free(below);
        }
        free(names);
    }
    return s == SE_OK ? se_disk_remove(path) : s;
}

se_status se_folder_remove(const char *path)
{
    if (strncmp(se_path_name(path), "save-", 5) != 0)
        return se_fail(SE_ERR_ARG, "%s: not removed: only folders named save-* are", path);
    return remove_tree(path);
}
