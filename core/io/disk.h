/* The system calls that change files, with errors turned into messages, and a way for tests to
 * break the n-th of them. Everything in core/io that writes goes through here. */
#ifndef SE_IO_DISK_H
#define SE_IO_DISK_H

#include "base.h"

/* Fails with "path: what: the system's text for errno". */
se_status se_disk_fail(const char *path, const char *what);

/* Each does one system call and fails as se_disk_fail does. `from` and `to` are paths. */
se_status se_disk_create(const char *path, bool append, int *fd); /* truncates unless append */
se_status se_disk_write(int fd, const void *data, size_t bytes, const char *path);
se_status se_disk_sync(int fd, const char *path);
se_status se_disk_close(int fd, const char *path);
se_status se_disk_sync_path(const char *path); /* a file or a folder, by name */
se_status se_disk_truncate(const char *path, int64_t bytes);
se_status se_disk_rename(const char *from, const char *to);
se_status se_disk_symlink(const char *target, const char *path);
se_status se_disk_mkdir(const char *path);  /* an existing folder is fine */
se_status se_disk_remove(const char *path); /* a file or an empty folder; absent is fine */

/* The lock on an open file, which one process has at a time: the system takes it back when that one
 * closes the file or ends, however it does. SE_LOCK_NONE: this file system has no locks. */
typedef enum se_lock_state { SE_LOCK_MINE, SE_LOCK_OTHERS, SE_LOCK_NONE } se_lock_state;
se_lock_state se_disk_lock(int fd);
/* The process that has it; 0 where the system does not tell. */
int64_t se_disk_lock_holder(int fd);
/* Whether the file at `path` is the open one, and not another that took its name. */
bool se_disk_is_at(int fd, const char *path);

/* Another name for the file `from`; a copy where the file system has no hard links. */
se_status se_disk_link(const char *from, const char *to);

/* "folder/name", freed by free(); NULL with SE_ERR_MEMORY's message. */
char *se_path_join(const char *folder, const char *name);
/* "path" followed by `suffix`. */
char *se_path_with(const char *path, const char *suffix);
/* The folder that holds path: "." where there is no '/'. */
char *se_path_parent(const char *path);
/* What follows the last '/'. */
const char *se_path_name(const char *path);
bool se_path_ends(const char *path, const char *suffix);

/* Tests: the n-th call above (counted from 1 after this call) fails with EIO, or, where `crash` is
 * set, ends the process on the spot with exit status 99; 0 turns it off. se_disk_calls counts the
 * calls since. Without `sync`, calls that sync are counted and do nothing; without `locks`, no file
 * system has them. */
void se_disk_break(long n, bool crash);
long se_disk_calls(void);
void se_disk_sync_set(bool sync);
void se_disk_locks_set(bool locks);

#endif
