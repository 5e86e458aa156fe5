/* What jobs of token files that were killed leave behind. */
#define _GNU_SOURCE
#include "data/tokenlayout.h"
#include "io/disk.h"
#include "io/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void se_token_remove_stray(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (se_disk_lock(fd) == SE_LOCK_MINE && se_disk_is_at(fd, path))
        unlink(path);
    close(fd);
}

se_status se_token_remove_inputs(const char *folder)
{
    char *names;
    int64_t n;
    se_file_info info;
    se_file_look(folder, &info);
    if (!info.is_dir)
        return SE_OK;
    se_status s = se_folder_list(folder, &names, &n);
    if (s != SE_OK)
        return s;
    const char *name = names;
    for (int64_t i = 0; s == SE_OK && i < n; i++, name += strlen(name) + 1) {
        if (strncmp(name, SE_TOKEN_INPUT, strlen(SE_TOKEN_INPUT)) != 0)
            continue;
        char *path = se_path_join(folder, name);
        if (path)
            se_token_remove_stray(path);
        s = path ? SE_OK : SE_ERR_MEMORY;
        free(path);
    }
    se_io_free(names);
    return s;
}
