/* Saves of a training run in its folder OUT:
 *   OUT/save-STEP/   a whole save; complete if it has this name
 *   OUT/last         a link to the newest save; all that resuming looks at
 *   OUT/best         a link to the best save, where there is one: it is never removed
 *   OUT/FILE         another name (hard link) of save-STEP/FILE for the files of the model
 *   *.part           being made or being removed; of no value after a crash
 * At any moment, a crash included, `last` and `best` are absent or name a complete save. */
#ifndef SE_IO_CHECKPOINT_H
#define SE_IO_CHECKPOINT_H

#include "base.h"

/* sembed-cdef-begin */
/* Removes what a crash left behind and makes OUT (if need be) and the empty folder
 * OUT/save-STEP.part, whose path is *path (freed by se_io_free). The caller writes the save there.
 */
SE_API se_status se_save_begin(const char *out_dir, int64_t step, char **path);

/* Syncs all that the caller wrote, gives the save its name and moves `last` to it, with `best` that
 * link, too; then links the n files (paths within the save, "1_Pooling/config.json") into OUT and
 * removes older saves but the best and the newest `keep` (at least 1, this one included; 0 keeps
 * all). *path (NULL: not wanted) is the save's folder. A save of a step that `last` or `best`
 * already names gets the name save-STEP-2 (-3, ...). */
SE_API se_status se_save_commit(const char *out_dir, int64_t step, int32_t n,
                                const char *const *files, int32_t keep, bool best, char **path);

/* Links the files of the save that `last` names into OUT, as se_save_commit does: heals OUT after a
 * crash between the two. */
SE_API se_status se_save_link(const char *out_dir, int32_t n, const char *const *files);

/* Moves `best` to the save that `last` names: heals OUT after a crash between the two. */
SE_API se_status se_save_best(const char *out_dir);

/* The folder and step of the save that `last` names. No `last`: SE_OK and *path = NULL. */
SE_API se_status se_save_last(const char *out_dir, char **path, int64_t *step);
/* sembed-cdef-end */

#endif
