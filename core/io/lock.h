/* One process at a time in a folder that a run writes, or at a file. FOLDER/lock or FILE.lock is
 * there while one has it, and says which; what holds others off is the system's lock on that file,
 * which ends with the process, however that ends. */
#ifndef SE_IO_LOCK_H
#define SE_IO_LOCK_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_lock se_lock;

/* Takes a folder that is there, or a file, there or not, in one that is. SE_ERR_STATE names the
 * other process that has it. */
SE_API se_status se_lock_take(const char *path, se_lock **out);
SE_API void se_lock_free(se_lock *l); /* removes the lock's file; NULL is allowed */

/* False where the file system has no locks: then nothing holds others off. */
SE_API bool se_lock_works(const se_lock *l);
/* Whether the folder still has its name. */
SE_API bool se_lock_stands(const se_lock *l);
/* sembed-cdef-end */

#endif
