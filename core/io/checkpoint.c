#define _GNU_SOURCE
#include "io/checkpoint.h"
#include "io/disk.h"
#include "io/files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

/* Reads "save-STEP" or "save-STEP-K" (K = 1 when left out). */
static bool parse_name(const char *name, int64_t *step, int64_t *k)
{
    int end = 0;
    char again[NAME_BYTES];
    *k = 1;
    if (sscanf(name, "save-%" SCNd64 "%n-%" SCNd64 "%n", step, &end, k, &end) < 1 || *step < 0)
        return false;
    if (*k == 1)
        snprintf(again, sizeof again, "save-%" PRId64, *step);
    else
        snprintf(again, sizeof again, "save-%" PRId64 "-%" PRId64, *step, *k);
    return strcmp(name, again) == 0;
}

/* The name that the link `which` ("last", "best") holds; "" when there is none. */
static se_status read_link(const char *out_dir, const char *which, char name[NAME_BYTES])
{
    int64_t step, k;
    name[0] = 0;
    char *link = se_path_join(out_dir, which);
    if (!link)
        return SE_ERR_MEMORY;
    se_status s = SE_OK;
    ssize_t n = readlink(link, name, NAME_BYTES - 1);
    if (n < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            s = se_disk_fail(link, "cannot read the link");
        n = 0;
    }
    name[n] = 0;
    if (s == SE_OK && n > 0 && !parse_name(name, &step, &k))
        s = se_fail(SE_ERR_FORMAT, "%s: the link names no save: '%s', expected save-STEP", link,
                    name);
    free(link);
    return s;
}

se_status se_save_last(const char *out_dir, char **path, int64_t *step)
{
    char name[NAME_BYTES];
    int64_t k;
    se_file_info at;
    *path = NULL;
    *step = 0;
    se_status s = read_link(out_dir, "last", name);
    if (s != SE_OK || !name[0])
        return s;
    parse_name(name, step, &k);
    char *folder = se_path_join(out_dir, name);
    if (!folder)
        return SE_ERR_MEMORY;
    se_file_look(folder, &at);
    if (!at.is_dir) {
        s = se_fail(SE_ERR_IO, "%s/last: names %s, which is not there", out_dir, name);
        free(folder);
        return s;
    }
    *path = folder;
    return SE_OK;
}

/* Calls visit(folder, name, arg) for each name in the folder until one fails. */
static se_status each(const char *folder, se_status (*visit)(const char *, const char *, void *),
                      void *arg)
{
    char *names;
    int64_t n;
    se_status s = se_folder_list(folder, &names, &n);
    if (s != SE_OK)
        return s;
    const char *name = names;
    for (int64_t i = 0; s == SE_OK && i < n; i++, name += strlen(name) + 1)
        s = visit(folder, name, arg);
    se_io_free(names);
    return s;
}

static se_status remove_leftover(const char *folder, const char *name, void *arg)
{
    (void)arg;
    bool save = strncmp(name, "save-", 5) == 0;
    if (!se_path_ends(name, ".part"))
        return SE_OK;
    char *path = se_path_join(folder, name);
    if (!path)
        return SE_ERR_MEMORY;
    struct stat st;
    se_status s = SE_OK;
    if (save)
        s = se_folder_remove(path);
    else if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        s = se_disk_remove(path);
    free(path);
    return s;
}

static char *save_path(const char *out_dir, int64_t step, int64_t k, const char *suffix)
{
    char name[NAME_BYTES];
    if (k == 1)
        snprintf(name, sizeof name, "save-%" PRId64 "%s", step, suffix);
    else
        snprintf(name, sizeof name, "save-%" PRId64 "-%" PRId64 "%s", step, k, suffix);
    return se_path_join(out_dir, name);
}

se_status se_save_begin(const char *out_dir, int64_t step, char **path)
{
    *path = NULL;
    if (step < 0)
        return se_fail(SE_ERR_ARG, "save: step %" PRId64 ": expected 0 or more", step);
    se_status s = se_folder_make(out_dir);
    if (s == SE_OK)
        s = each(out_dir, remove_leftover, NULL);
    if (s != SE_OK)
        return s;
    char *part = save_path(out_dir, step, 1, ".part");
    s = part ? se_disk_mkdir(part) : SE_ERR_MEMORY;
    if (s == SE_OK)
        *path = part;
    else
        free(part);
    return s;
}

/* Syncs everything in a folder, then the folder itself: the one place that a save's safety rests
 * on. What the caller's own calls synced already takes no time again; the tokenizer's files were
 * not. */
static se_status sync_tree(const char *path);

static se_status sync_one(const char *folder, const char *name, void *arg)
{
    struct stat st;
    (void)arg;
    char *path = se_path_join(folder, name);
    if (!path)
        return SE_ERR_MEMORY;
    se_status s = SE_OK;
    if (lstat(path, &st) != 0)
        s = se_disk_fail(path, "cannot look at");
    else if (S_ISDIR(st.st_mode))
        s = sync_tree(path);
    else if (S_ISREG(st.st_mode))
        s = se_disk_sync_path(path);
    free(path);
    return s;
}

static se_status sync_tree(const char *path)
{
    se_status s = each(path, sync_one, NULL);
    return s == SE_OK ? se_disk_sync_path(path) : s;
}

/* Renames a save to NAME.old.part before its files go, so that a crash leaves no half of a save
 * under its true name. (NAME.part may be a new save being made.) */
static se_status remove_save(const char *out_dir, const char *name)
{
    char *path = se_path_join(out_dir, name), *part = path ? se_path_with(path, ".old.part") : NULL;
    se_status s = part ? se_folder_remove(part) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_rename(path, part);
    if (s == SE_OK)
        s = se_folder_remove(part);
    free(path);
    free(part);
    return s;
}

typedef struct saves {
    int64_t step, k;       /* remove_older: saves before this one */
    char best[NAME_BYTES]; /* but this one */
    int64_t older;
} saves;

static bool before(const char *name, const saves *than)
{
    int64_t step, k;
    return parse_name(name, &step, &k) && strcmp(name, than->best) != 0 &&
           (step < than->step || (step == than->step && k < than->k));
}

static se_status count_older(const char *folder, const char *name, void *arg)
{
    saves *all = arg;
    (void)folder;
    all->older += before(name, all);
    return SE_OK;
}

/* Removes the oldest of the saves before `than` until keep - 1 are left, not counting `best`. */
static se_status remove_older(const char *out_dir, saves than, int32_t keep)
{
    char *names;
    int64_t n;
    se_status s = read_link(out_dir, "best", than.best);
    if (s == SE_OK)
        s = each(out_dir, count_older, &than);
    while (s == SE_OK && keep > 0 && than.older >= keep) {
        saves oldest = {.step = INT64_MAX};
        char found[NAME_BYTES] = "";
        s = se_folder_list(out_dir, &names, &n);
        if (s != SE_OK)
            return s;
        const char *name = names;
        for (int64_t i = 0; i < n; i++, name += strlen(name) + 1)
            if (before(name, &than) && before(name, &oldest)) {
                parse_name(name, &oldest.step, &oldest.k);
                snprintf(found, sizeof found, "%s", name);
            }
        se_io_free(names);
        if (!found[0])
            break;
        s = remove_save(out_dir, found);
        than.older--;
    }
    return s;
}

/* OUT/FILE becomes a link to SAVE/FILE: made under a .part name, then renamed over the old one. */
static se_status link_file(const char *out_dir, const char *save, const char *file)
{
    char *from = se_path_join(save, file), *to = se_path_join(out_dir, file);
    char *part = to ? se_path_with(to, ".part") : NULL, *folder = to ? se_path_parent(to) : NULL;
    se_status s = from && part && folder ? se_folder_make(folder) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_remove(part);
    if (s == SE_OK)
        s = se_disk_link(from, part);
    if (s == SE_OK)
        s = se_disk_rename(part, to);
    if (s == SE_OK)
        unlink(part); /* rename does nothing when both are already one file */
    if (s == SE_OK)
        s = se_disk_sync_path(folder);
    free(from);
    free(to);
    free(part);
    free(folder);
    return s;
}

se_status se_save_link(const char *out_dir, int32_t n, const char *const *files)
{
    char *save;
    int64_t step;
    se_status s = se_save_last(out_dir, &save, &step);
    if (s == SE_OK && !save)
        return se_fail(SE_ERR_STATE, "%s: there is no save to link files of", out_dir);
    for (int32_t i = 0; s == SE_OK && i < n; i++)
        s = link_file(out_dir, save, files[i]);
    se_io_free(save);
    return s;
}

/* Moves the link OUT/WHICH ("last", "best") to the save called `name`. */
static se_status move_link(const char *out_dir, const char *which, const char *name)
{
    char *link = se_path_join(out_dir, which), *part = link ? se_path_with(link, ".part") : NULL;
    se_status s = part ? se_disk_remove(part) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_disk_symlink(name, part);
    if (s == SE_OK)
        s = se_disk_rename(part, link);
    if (s == SE_OK)
        s = se_disk_sync_path(out_dir);
    free(part);
    free(link);
    return s;
}

se_status se_save_best(const char *out_dir)
{
    char last[NAME_BYTES];
    se_status s = read_link(out_dir, "last", last);
    if (s == SE_OK && !last[0])
        return se_fail(SE_ERR_STATE, "%s: there is no save to call the best", out_dir);
    return s == SE_OK ? move_link(out_dir, "best", last) : s;
}

/* Chooses the name: save-STEP, unless `last` or `best` names a save of this step. A save of that
 * name that neither names is from a run that crashed before it counted, or that was cut back. */
static se_status choose_name(const char *out_dir, int64_t step, int64_t *k, char **path)
{
    char last[NAME_BYTES], best[NAME_BYTES];
    int64_t last_step = -1, last_k = 0;
    se_file_info at;
    se_status s = read_link(out_dir, "last", last);
    if (s != SE_OK)
        return s;
    if (last[0])
        parse_name(last, &last_step, &last_k);
    *k = last_step == step ? last_k + 1 : 1;
    s = read_link(out_dir, "best", best);
    if (s != SE_OK)
        return s;
    if (best[0] && parse_name(best, &last_step, &last_k) && last_step == step && last_k >= *k)
        *k = last_k + 1;
    *path = save_path(out_dir, step, *k, "");
    if (!*path)
        return SE_ERR_MEMORY;
    se_file_look(*path, &at);
    return at.exists ? remove_save(out_dir, se_path_name(*path)) : SE_OK;
}

se_status se_save_commit(const char *out_dir, int64_t step, int32_t n, const char *const *files,
                         int32_t keep, bool best, char **path)
{
    char *done = NULL, *part = save_path(out_dir, step, 1, ".part");
    int64_t k = 1;
    if (path)
        *path = NULL;
    se_status s = part ? sync_tree(part) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = choose_name(out_dir, step, &k, &done);
    if (s == SE_OK)
        s = se_disk_rename(part, done);
    if (s == SE_OK)
        s = se_disk_sync_path(out_dir);
    if (s == SE_OK)
        s = move_link(out_dir, "last", se_path_name(done));
    if (s == SE_OK && best)
        s = move_link(out_dir, "best", se_path_name(done));
    if (s == SE_OK)
        s = se_save_link(out_dir, n, files);
    if (s == SE_OK)
        s = remove_older(out_dir, (saves){.step = step, .k = k}, keep);
    free(part);
    if (s == SE_OK && path)
        *path = done;
    else
        free(done);
    return s;
}
