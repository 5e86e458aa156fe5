/* Whole files, logs, folders; saves that survive a crash at every system call. */
#define _GNU_SOURCE
#include "io/checkpoint.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/lock.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/sembed_test_files.XXXXXX";
static char path_text[8][512];

/* A path in the test's folder; eight of them live at a time. */
static const char *at(const char *name)
{
    static int turn;
    char *text = path_text[turn++ % 8];
    snprintf(text, sizeof path_text[0], "%s/%s", home, name);
    return text;
}

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static bool holds(const char *path, const char *want)
{
    char *text;
    size_t bytes;
    if (se_file_read(path, &text, &bytes) != SE_OK)
        return false;
    bool same = bytes == strlen(want) && memcmp(text, want, bytes) == 0;
    se_io_free(text);
    return same;
}

static void put(const char *path, const char *text)
{
    ok(se_file_write(path, text, strlen(text)));
}

static int wipe_one(const char *name, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(name);
}

static void wipe(const char *path)
{
    nftw(path, wipe_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_files(void **state)
{
    (void)state;
    se_file_info info;
    put(at("a"), "one");
    put(at("a"), "two");
    assert_true(holds(at("a"), "two"));
    se_file_look(at("a"), &info);
    assert_true(info.exists && info.is_file && !info.is_dir && info.size == 3);
    assert_true(info.mtime > 1e9);
    se_file_look(at("none"), &info);
    assert_false(info.exists);
    se_file_look(home, &info);
    assert_true(info.is_dir);
    ok(se_file_append(at("log"), "{1}", 3, false));
    ok(se_file_append(at("log"), "{2}", 3, true));
    assert_true(holds(at("log"), "{1}\n{2}\n"));
    ok(se_file_truncate(at("log"), 4));
    assert_true(holds(at("log"), "{1}\n"));
    assert_int_equal(se_file_truncate(at("log"), 5), SE_ERR_ARG);
    put(at("empty"), "");
    assert_true(holds(at("empty"), ""));
    assert_int_equal(se_file_write(at("no/such/f"), "x", 1), SE_ERR_IO);
    assert_non_null(strstr(se_message(), "no/such/f.part: cannot write: No such file"));
    char *text;
    size_t bytes;
    assert_int_equal(se_file_read(home, &text, &bytes), SE_ERR_IO);
    assert_non_null(strstr(se_message(), "Is a directory"));
}

static void test_write_fails_at_every_call(void **state)
{
    (void)state;
    put(at("f"), "old");
    se_disk_break(0, false);
    put(at("f"), "old");
    long calls = se_disk_calls();
    assert_true(calls >= 5);
    for (long n = 1; n <= calls; n++) {
        se_disk_break(n, false);
        se_status s = se_file_write(at("f"), "new", 3);
        se_disk_break(0, false);
        assert_int_equal(s, SE_ERR_IO);
        /* only the sync of the folder comes after the rename */
        assert_true(holds(at("f"), n < calls ? "old" : "new"));
        se_file_info part;
        se_file_look(at("f.part"), &part);
        assert_false(part.exists);
    }
}

static void test_folders(void **state)
{
    (void)state;
    char *names, *path;
    int64_t n;
    ok(se_folder_make(at("d/e/f")));
    ok(se_folder_make(at("d/e/f")));
    put(at("d/b"), "");
    put(at("d/B"), "");
    ok(se_folder_list(at("d"), &names, &n));
    assert_int_equal(n, 3);
    assert_memory_equal(names, "B\0b\0e\0", 6);
    se_io_free(names);
    assert_int_equal(se_folder_make(at("d/b/c")), SE_ERR_IO);
    assert_int_equal(se_folder_list(at("d/none"), &names, &n), SE_ERR_IO);
    for (int i = 1; i <= 3; i++) {
        char want[32];
        snprintf(want, sizeof want, "aside.%d", i);
        ok(se_folder_make(at("aside")));
        ok(se_file_aside(at("aside/"), &path));
        assert_string_equal(path, at(want));
        se_io_free(path);
    }
    ok(se_file_absolute(at("d/../d/b"), &path));
    assert_string_equal(se_path_name(path), "b");
    se_io_free(path);
    ok(se_file_absolute(at("d/not-yet"), &path));
    assert_string_equal(path, at("d/not-yet"));
    se_io_free(path);
    assert_int_equal(se_folder_remove(at("d")), SE_ERR_ARG);
    put(at("d/kept"), "kept");
    ok(se_folder_make(at("save-1/x/y")));
    put(at("save-1/x/y/z"), "");
    assert_int_equal(symlink(at("d"), at("save-1/x/link")), 0);
    ok(se_folder_remove(at("save-1")));
    ok(se_folder_remove(at("save-1")));
    se_file_info info;
    se_file_look(at("save-1"), &info);
    assert_false(info.exists);
    assert_true(holds(at("d/kept"), "kept"));
}

/* --- saves --- */

static const char *const FILES[] = {"model.safetensors", "1_Pooling/config.json"};

/* A save whose files say which step they are of. */
static se_status save_as(const char *out, int64_t step, int32_t keep, bool best)
{
    char *folder, name[600], text[32];
    static const char *const ALL[] = {"model.safetensors", "state.json", "1_Pooling/config.json"};
    se_status s = se_save_begin(out, step, &folder);
    snprintf(text, sizeof text, "step %lld", (long long)step);
    for (int i = 0; s == SE_OK && i < 3; i++) {
        if (i == 2) {
            snprintf(name, sizeof name, "%s/1_Pooling", folder);
            s = se_folder_make(name);
        }
        snprintf(name, sizeof name, "%s/%s", folder, ALL[i]);
        if (s == SE_OK)
            s = se_file_write(name, text, strlen(text));
    }
    se_io_free(folder);
    return s == SE_OK ? se_save_commit(out, step, 2, FILES, keep, best, NULL) : s;
}

static se_status save(const char *out, int64_t step, int32_t keep)
{
    return save_as(out, step, keep, false);
}

static bool save_holds(const char *folder, int64_t step)
{
    char name[600], text[32];
    snprintf(text, sizeof text, "step %lld", (long long)step);
    static const char *const ALL[] = {"model.safetensors", "state.json", "1_Pooling/config.json"};
    bool all = true;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, ALL[i]);
        all = all && holds(name, text);
    }
    return all;
}

/* The step of the complete save that `last` names; -1 where there is none. */
static int64_t last_step(const char *out)
{
    char *path;
    int64_t step;
    ok(se_save_last(out, &path, &step));
    if (!path)
        return -1;
    if (!save_holds(path, step))
        fail_msg("%s is not complete", path);
    se_io_free(path);
    return step;
}

static int64_t count(const char *folder)
{
    char *names;
    int64_t n;
    ok(se_folder_list(folder, &names, &n));
    se_io_free(names);
    return n;
}

static void test_saves(void **state)
{
    (void)state;
    const char *out = at("run");
    struct stat a, b;
    char *path;
    assert_int_equal(last_step(out), -1);
    ok(save(out, 10, 2));
    ok(save(out, 20, 2));
    ok(save(out, 30, 2));
    ok(save(out, 100, 2));
    assert_int_equal(last_step(out), 100);
    assert_int_equal(stat(at("run/save-100/model.safetensors"), &a), 0);
    assert_int_equal(stat(at("run/model.safetensors"), &b), 0);
    assert_true(a.st_ino == b.st_ino);
    assert_true(holds(at("run/1_Pooling/config.json"), "step 100"));
    assert_true(save_holds(at("run/save-30"), 30));
    assert_int_equal(count(out), 5); /* save-30 save-100 last model.safetensors 1_Pooling */
    /* the same step again: another name, and `last` was never without a complete save */
    ok(save(out, 100, 1));
    int64_t step;
    ok(se_save_last(out, &path, &step));
    assert_string_equal(se_path_name(path), "save-100-2");
    se_io_free(path);
    assert_int_equal(count(out), 4);
    assert_int_equal(count(at("run/1_Pooling")), 1);
    /* what a crash leaves goes at the next begin */
    ok(se_folder_make(at("run/save-7.part/x")));
    put(at("run/last.part"), "");
    ok(save(out, 110, 0));
    assert_int_equal(count(out), 5);
    assert_int_equal(last_step(out), 110);
    assert_int_equal(se_save_begin(out, -1, &path), SE_ERR_ARG);
}

/* The step of the complete save that `best` names; -1 where there is none. */
static int64_t best_step(const char *out)
{
    char path[600], name[64] = "";
    snprintf(path, sizeof path, "%s/best", out);
    if (readlink(path, name, sizeof name - 1) < 0)
        return -1;
    long long step = -1;
    assert_int_equal(sscanf(name, "save-%lld", &step), 1);
    if (!save_holds(path, step))
        fail_msg("%s is not complete", path);
    return step;
}

static void test_best(void **state)
{
    (void)state;
    const char *out = at("choice");
    char *path;
    int64_t step;
    assert_int_equal(se_save_best(out), SE_ERR_STATE);
    ok(save_as(out, 10, 2, true));
    for (int64_t i = 20; i <= 50; i += 10)
        ok(save(out, i, 2));
    assert_int_equal(best_step(out), 10);
    assert_int_equal(count(out), 7); /* save-10 save-40 save-50 last best and the files' two */
    ok(save_as(out, 60, 2, true));
    assert_int_equal(best_step(out), 60);
    ok(save(out, 70, 1));
    assert_int_equal(best_step(out), 60);
    assert_int_equal(last_step(out), 70);
    assert_int_equal(count(out), 6);
    /* gone on from an older save by hand: the best of the same step stays until another is */
    assert_int_equal(unlink(at("choice/last")), 0);
    ok(save(out, 60, 1));
    assert_true(save_holds(at("choice/save-60-2"), 60));
    assert_int_equal(best_step(out), 60);
    ok(se_save_best(out));
    ok(se_save_last(out, &path, &step));
    assert_string_equal(se_path_name(path), "save-60-2");
    se_io_free(path);
}

static void test_bad_last(void **state)
{
    (void)state;
    char *path;
    int64_t step;
    ok(se_folder_make(at("bad")));
    assert_int_equal(symlink("../elsewhere", at("bad/last")), 0);
    assert_int_equal(se_save_last(at("bad"), &path, &step), SE_ERR_FORMAT);
    assert_null(path);
    assert_int_equal(unlink(at("bad/last")), 0);
    assert_int_equal(symlink("save-5", at("bad/last")), 0);
    assert_int_equal(se_save_last(at("bad"), &path, &step), SE_ERR_IO);
    assert_non_null(strstr(se_message(), "names save-5, which is not there"));
    assert_int_equal(se_save_link(at("none"), 0, NULL), SE_ERR_STATE);
}

/* Breaks the n-th call of the second save for every n: as an error, or by ending the process there.
 * Before it, `orphan` plants a complete save of that step that `last` does not name. */
static void break_everywhere(bool crash, bool orphan)
{
    long n = 1;
    for (;; n++) {
        const char *out = at("broken");
        wipe(out);
        ok(save_as(out, 1, 1, true));
        if (orphan) {
            ok(se_folder_make(at("broken/save-2/1_Pooling")));
            put(at("broken/save-2/state.json"), "another run");
        }
        int status = 0;
        if (crash) {
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                se_disk_break(n, true);
                _exit(save_as(out, 2, 1, true) == SE_OK ? 0 : 1);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status));
            status = WEXITSTATUS(status);
        } else {
            se_disk_break(n, false);
            status = save_as(out, 2, 1, true);
            se_disk_break(0, false);
        }
        int64_t last = last_step(out), best = best_step(out);
        assert_true(last == 1 || last == 2);
        assert_true(best == last || (best == 1 && last == 2));
        if (status == 0) {
            assert_int_equal(last, 2);
            assert_int_equal(best, 2);
            break;
        }
        assert_int_equal(status, crash ? 99 : SE_ERR_IO);
        ok(se_save_link(out, 2, FILES));
        assert_true(holds(at("broken/model.safetensors"), last == 1 ? "step 1" : "step 2"));
        /* and the run can go on */
        ok(save_as(out, 3, 1, true));
        assert_int_equal(last_step(out), 3);
        char *names;
        int64_t found;
        ok(se_folder_list(out, &names, &found));
        const char *name = names;
        for (int64_t i = 0; i < found; i++, name += strlen(name) + 1)
            assert_false(se_path_ends(name, ".part"));
        se_io_free(names);
        assert_int_equal(found, 5); /* save-3 last best model.safetensors 1_Pooling */
    }
    assert_true(n > 30);
    print_message("%ld calls broken one by one (%s%s)\n", n - 1, crash ? "crash" : "error",
                  orphan ? ", orphan" : "");
}

static void test_error_at_every_call(void **state)
{
    (void)state;
    break_everywhere(false, false);
    break_everywhere(false, true);
}

static void test_crash_at_every_call(void **state)
{
    (void)state;
    break_everywhere(true, false);
    break_everywhere(true, true);
}

/* The lock of a folder goes with the process that has it, follows the folder to another name, and
 * is told from one that is made anew. */
static void test_lock(void **state)
{
    (void)state;
    char folder[512], moved[512], file[600], mine[64], ready;
    snprintf(folder, sizeof folder, "%s", at("locked"));
    snprintf(moved, sizeof moved, "%s", at("moved"));
    snprintf(file, sizeof file, "%s/lock", folder);
    se_lock *first, *second;
    assert_int_equal(se_lock_take(at("none/file"), &first), SE_ERR_IO);
    ok(se_folder_make(folder));
    ok(se_lock_take(folder, &first));
    assert_true(se_lock_works(first) && se_lock_stands(first));
    assert_int_equal(se_lock_take(folder, &second), SE_ERR_STATE);
    assert_null(second);
    snprintf(mine, sizeof mine, "(process %ld on ", (long)getpid());
    assert_non_null(strstr(se_message(), mine));
    assert_non_null(strstr(se_message(), "test_files)"));
    assert_non_null(strstr(se_message(), folder));
    put(file, ""); /* another file: what has been locked is not what has the name now */
    assert_false(se_lock_stands(first));
    ok(se_lock_take(folder, &second));
    se_lock_free(first);
    assert_true(se_lock_stands(second));
    ok(se_file_rename(folder, moved));
    ok(se_folder_make(folder));
    assert_false(se_lock_stands(second));
    ok(se_lock_take(folder, &first));
    se_lock_free(second);
    assert_int_not_equal(access(at("moved/lock"), F_OK), 0);
    assert_true(se_lock_stands(first));
    se_lock_free(first);
    assert_int_not_equal(access(file, F_OK), 0);
    se_lock_free(NULL);
    ok(se_lock_take(at("locked/file"), &first));
    assert_int_equal(access(at("locked/file.lock"), F_OK), 0);
    assert_int_equal(se_lock_take(at("locked/file"), &second), SE_ERR_STATE);
    ok(se_lock_take(at("locked/other"), &second));
    se_lock_free(first);
    se_lock_free(second);
    assert_int_not_equal(access(at("locked/file.lock"), F_OK), 0);

    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ready = se_lock_take(folder, &first) == SE_OK;
        _exit(write(ends[1], &ready, 1) == 1 ? pause() : 1);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_true(ready);
    assert_int_equal(se_lock_take(folder, &first), SE_ERR_STATE);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int64_t holder = se_disk_lock_holder(fd);
    assert_true(holder == child || holder == 0); /* 0: Linux lists some file systems otherwise */
    close(fd);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(access(file, F_OK), 0);
    ok(se_lock_take(folder, &first));
    se_lock_free(first);
    close(ends[0]);
    close(ends[1]);
}

static void test_no_locks(void **state)
{
    (void)state;
    se_lock *first, *second;
    ok(se_folder_make(at("unlocked")));
    se_disk_locks_set(false);
    ok(se_lock_take(at("unlocked"), &first));
    ok(se_lock_take(at("unlocked"), &second));
    se_disk_locks_set(true);
    assert_false(se_lock_works(first) || se_lock_works(second));
    se_lock_free(first);
    se_lock_free(second);
}

static int start(void **state)
{
    (void)state;
    se_disk_sync_set(false); /* what a crash of the process leaves does not depend on it */
    return mkdtemp(home) ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    wipe(home);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_write_fails_at_every_call),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_saves),
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_bad_last),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_no_locks),
        cmocka_unit_test(test_error_at_every_call),
        cmocka_unit_test(test_crash_at_every_call),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
