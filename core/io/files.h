/* What the Lua library needs of the file system: looking, reading and writing whole files, folders,
 * logs. Paths are taken as the system takes them; messages are "path: what: why". */
#ifndef SE_IO_FILES_H
#define SE_IO_FILES_H

#include "base.h"

/* sembed-cdef-begin */
/* Frees text and lists given by the functions of core/io and core/data. NULL is allowed. */
SE_API void se_io_free(void *p);

/* What is at a path. Never fails: exists is false where there is nothing or it cannot be seen. */
typedef struct se_file_info {
    bool exists, is_dir, is_file;
    int64_t size; /* bytes of a file */
    double mtime; /* seconds since 1970 */
} se_file_info;
SE_API void se_file_look(const char *path, se_file_info *out);

/* The names in a folder but "." and "..", in byte order: `count` strings, one after another in
 * *out, each ended by a 0 byte. Freed by se_io_free. */
SE_API se_status se_folder_list(const char *path, char **out, int64_t *count);

/* Makes a folder and those above it; one that is there is fine. */
SE_API se_status se_folder_make(const char *path);

/* The whole file and a 0 byte behind it; freed by se_io_free. */
SE_API se_status se_file_read(const char *path, char **out, size_t *bytes);

/* Writes path.part, syncs, renames it to path and syncs the folder: after a crash there is the old
 * file or the new one. */
SE_API se_status se_file_write(const char *path, const void *data, size_t bytes);

/* Appends text and a newline by one write, making the file if need be. Synced to disk if `sync`. */
SE_API se_status se_file_append(const char *path, const char *line, size_t bytes, bool sync);

/* Waits until what was written to a file, or the names in a folder, are on the disk. */
SE_API se_status se_file_sync(const char *path);

/* Renames within one file system; what is at `to` goes. */
SE_API se_status se_file_rename(const char *from, const char *to);

/* Removes a file; none there is fine. */
SE_API se_status se_file_remove(const char *path);

/* Cuts a file to its first `bytes` bytes; one that is shorter is an error. */
SE_API se_status se_file_truncate(const char *path, int64_t bytes);

/* Renames path to the first free one of path.1, path.2, ...; *out, the new name, is freed by
 * se_io_free. */
SE_API se_status se_file_aside(const char *path, char **out);

/* The absolute path with links and ".." resolved; of one that is not there yet, the folder is
 * resolved. Freed by se_io_free. */
SE_API se_status se_file_absolute(const char *path, char **out);

/* Removes a folder and all in it. Only folders named save-* are removed, whoever asks. Links are
 * removed, not followed. */
SE_API se_status se_folder_remove(const char *path);
/* sembed-cdef-end */

/* se_file_write for what does not lie in one piece. */
typedef struct se_part {
    const void *data;
    size_t bytes;
} se_part;
se_status se_file_write_parts(const char *path, int n, const se_part *parts);

#endif
