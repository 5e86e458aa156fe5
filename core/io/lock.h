/* One process at a time in a folder that a run writes. FOLDER/lock is there while one has it, and
 * says which; what holds others off is the system's lock on that file, which ends with the process,
 * however that ends. */
#ifndef SE_IO_LOCK_H
#define SE_IO_LOCK_H

#include "base.h"

/* sembed-cdef-begin */
typedef struct se_lock se_lock;

/* Takes a folder that is there. SE_ERR_STATE names the other one that has it. */
SE_API se_status se_lock_take(const char *folder, se_lock **out);
SE_API void se_lock_free(se_lock *l); /* removes FOLDER/lock; NULL is allowed */

/* False where the file system has no locks: then nothing holds others off. */
SE_API bool se_lock_works(const se_lock *l);
/* Whether the folder still has this name. */
SE_API bool se_lock_stands(const se_lock *l);
/* sembed-cdef-end */

#endif
