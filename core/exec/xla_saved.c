/* Compiled programs in files. */
#define _GNU_SOURCE
#include "xla_private.h"

#include "io/sha.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

/* --- the folder --- */

static bool folder(char path[PATH_ROOM])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && *cache == '/';
    if (!own && (!home || *home != '/'))
        return false;
    int n = snprintf(path, PATH_ROOM - 128, "%s%s/sembed/xla", own ? cache : home,
                     own ? "" : "/.cache");
    if (n < 0 || n >= PATH_ROOM - 128)
        return false;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

/* --- whole files --- */

static bool write_all(int file, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(file, data, size);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static char *read_all(const char *path, size_t *size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    char *data = NULL;
    size_t got = 0;
    if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
        (data = malloc((size_t)about.st_size + 1))) {
        ssize_t n;
        while (got < (size_t)about.st_size &&
               (n = read(file, data + got, (size_t)about.st_size - got)) > 0)
            got += (size_t)n;
        *size = got;
        data[got] = 0;
    }
    if (file >= 0)
        close(file);
    return data;
}

/* Under another name first: a reader sees the whole file or none. */
static void write_file(const char *path, const char *head, const char *data, size_t size)
{
    char other[PATH_ROOM + 32];
    snprintf(other, sizeof other, "%s.%ld", path, (long)getpid());
    int file = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return;
    bool good = write_all(file, head, strlen(head)) && write_all(file, data, size);
    good = close(file) == 0 && good;
    if (!good || rename(other, path) != 0)
        unlink(other);
}

/* --- names --- */

/* The SHA-256 of the plugin's file, which takes a second to find: it is written down with the
 * file's size and time. */
static const char *plugin_hash(const char *in)
{
    static char hash[SE_SHA_TEXT];
    if (*hash)
        return hash;
    char note[PATH_ROOM], text[PATH_ROOM];
    const char *path = se_pjrt_path(se_xla_now.device);
    struct stat about;
    if (stat(path, &about) != 0)
        return NULL;
    se_sha sha;
    int n = snprintf(text, sizeof text, "%s %lld %lld.%09ld ", path, (long long)about.st_size,
                     (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    if (n < 0 || n >= (int)sizeof text)
        return NULL;
    se_sha_start(&sha, SE_SHA256);
    se_sha_add(&sha, text, (size_t)n);
    se_sha_finish(&sha, hash);
    snprintf(note, sizeof note, "%.*s/plugin-%s", PATH_ROOM - 100, in, hash);
    size_t size;
    char *known = read_all(note, &size);
    if (known && size == SE_SHA_TEXT - 1) {
        memcpy(hash, known, SE_SHA_TEXT);
    } else {
        size_t length = 0;
        char *all = read_all(path, &length);
        se_sha_start(&sha, SE_SHA256);
        se_sha_add(&sha, all, all ? length : 0);
        se_sha_finish(&sha, hash);
        if (all)
            write_file(note, "", hash, strlen(hash));
        free(all);
    }
    free(known);
    return hash;
}

/* What compiled code of a CPU is made for. */
static void add_processor(se_sha *sha)
{
    char line[4096];
    FILE *f = fopen("/proc/cpuinfo", "r");
    for (int found = 0; f && found < 2 && fgets(line, sizeof line, f);)
        if (strncmp(line, "model name", 10) == 0 || strncmp(line, "flags", 5) == 0 ||
            strncmp(line, "Features", 8) == 0 || strncmp(line, "CPU part", 8) == 0) {
            se_sha_add(sha, line, strlen(line));
            found++;
        }
    if (f)
        fclose(f);
}

static bool name_of(const char *text, size_t length, char path[PATH_ROOM])
{
    char in[PATH_ROOM], hash[SE_SHA_TEXT], about[64];
    const char *plugin = folder(in) ? plugin_hash(in) : NULL;
    if (!plugin)
        return false;
    se_sha sha;
    se_sha_start(&sha, SE_SHA256);
    se_sha_add(&sha, plugin, strlen(plugin));
    add_processor(&sha);
    int n =
        snprintf(about, sizeof about, "%d replicas of %s\n", se_xla_now.n, se_xla_now.counts.kind);
    se_sha_add(&sha, about, (size_t)(n < (int)sizeof about ? n : (int)sizeof about - 1));
    se_sha_add(&sha, text, length);
    se_sha_finish(&sha, hash);
    snprintf(path, PATH_ROOM, "%.*s/%s", PATH_ROOM - 100, in, hash);
    return true;
}

/* --- programs --- */

/* A file begins with this and the hash of what follows: damaged code ends the process. */
static const char HEAD[] = "sembed xla 1 ";
enum { HEAD_SIZE = sizeof HEAD - 1 + SE_SHA_TEXT };

static void head_of(const char *data, size_t size, char head[HEAD_SIZE + 1])
{
    char hash[SE_SHA_TEXT];
    se_sha sha;
    se_sha_start(&sha, SE_SHA256);
    se_sha_add(&sha, data, size);
    se_sha_finish(&sha, hash);
    snprintf(head, HEAD_SIZE + 1, "%s%s\n", HEAD, hash);
}

se_pjrt_program *se_xla_saved(const char *text, size_t length, const se_pjrt_schema *schema)
{
    char path[PATH_ROOM], head[HEAD_SIZE + 1];
    size_t size = 0;
    char *data = name_of(text, length, path) ? read_all(path, &size) : NULL;
    se_pjrt_program *g = NULL;
    if (data && size > HEAD_SIZE) {
        head_of(data + HEAD_SIZE, size - HEAD_SIZE, head);
        if (memcmp(data, head, HEAD_SIZE) == 0 &&
            se_pjrt_load(se_xla_now.device, data + HEAD_SIZE, size - HEAD_SIZE, schema, &g))
            g = NULL;
    }
    free(data);
    if (g)
        utimensat(AT_FDCWD, path, NULL, 0);
    return g;
}

void se_xla_save(const char *text, size_t length, se_pjrt_program *g)
{
    char path[PATH_ROOM], head[HEAD_SIZE + 1], *bytes;
    size_t size;
    if (!name_of(text, length, path) || se_pjrt_save(g, &bytes, &size))
        return;
    head_of(bytes, size, head);
    write_file(path, head, bytes, size);
    free(bytes);
}
