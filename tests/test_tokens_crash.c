/* A token file when the process ends anywhere: the job that goes on makes the same bytes and leaves
 * nothing else behind. */
#define _GNU_SOURCE
#include "data/tokenfile.h"
#include "io/disk.h"
#include "folder_help.h"

#include <sys/wait.h>

enum { MANY = 3 * 4096, CRASHED = 99, NOTHING_BROKE = 2 };

static char source[128];

static int start(void **state)
{
    if (make_home(state) != 0)
        return 1;
    snprintf(source, sizeof source, "%s/source.jsonl", home);
    FILE *f = fopen(source, "w");
    for (int i = 0; f && i < MANY; i++)
        fprintf(f, "[\"context %d\", \"response %d\"]\n", i, i);
    return !f || fclose(f) != 0;
}

static se_status make(const char *folder, const char *file)
{
    se_token_job *job = NULL;
    se_tokenizer *tokenizer;
    bool done = false, waiting;
    se_status s = se_tokenizer_open(SE_TEST_DATA "/tiny-mpnet", &tokenizer);
    if (s == SE_OK)
        s = se_token_job_open(folder, 1, &file, 0, NULL, tokenizer, 16, &job);
    while (s == SE_OK && !done)
        s = se_token_job_step(job, &done, &waiting);
    se_token_job_free(job);
    se_tokenizer_free(tokenizer);
    return s;
}

/* In a process of its own, which ends at its n-th system call that changes a file (0: at none). All
 * work is in such: a process that computed with several threads cannot fork one that does. */
static int child(const char *folder, const char *file, long n)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        se_disk_break(n, true);
        se_status s = make(folder, file);
        _exit(s != SE_OK ? 1 : n > 0 ? NOTHING_BROKE : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The one file of a folder. */
static char *only_file(const char *folder, size_t *bytes)
{
    char *names, path[512], *text;
    int64_t n;
    ok(se_folder_list(folder, &names, &n));
    if (n != 1)
        fail_msg("%s has %d files, the first is %s", folder, (int)n, names);
    snprintf(path, sizeof path, "%s/%s", folder, names);
    se_io_free(names);
    ok(se_file_read(path, &text, bytes));
    return text;
}

static void test_crash(void **state)
{
    char whole[160], folder[160];
    size_t bytes, other;
    (void)state;
    snprintf(whole, sizeof whole, "%s/whole", home);
    assert_int_equal(child(whole, source, 0), 0);
    char *want = only_file(whole, &bytes);
    long n = 1;
    for (int status = CRASHED; status != NOTHING_BROKE; n++) {
        snprintf(folder, sizeof folder, "%s/crash-%ld", home, n);
        status = child(folder, source, n);
        assert_true(status == CRASHED || status == NOTHING_BROKE);
        assert_int_equal(child(folder, source, 0), 0);
        char *got = only_file(folder, &other);
        assert_int_equal(other, bytes);
        assert_memory_equal(got, want, bytes);
        se_io_free(got);
    }
    se_io_free(want);
    assert_true(n > 12);
    print_message("%ld calls broken one by one\n", n - 1);
}

/* Another process had just made the file when one was killed that was about to. */
static void test_stray_part(void **state)
{
    char folder[160], part[512], *names;
    int64_t n;
    size_t bytes;
    (void)state;
    snprintf(folder, sizeof folder, "%s/stray", home);
    assert_int_equal(child(folder, source, 0), 0);
    ok(se_folder_list(folder, &names, &n));
    snprintf(part, sizeof part, "%s/%s.part", folder, names);
    se_io_free(names);
    ok(se_file_write(part, "", 0));
    assert_int_equal(child(folder, source, 0), 0);
    se_io_free(only_file(folder, &bytes));
}

/* What was half made from standard input is another text to the next process, which may have the
 * same number. */
static void test_standard_input(void **state)
{
    char folder[160], *names;
    int64_t n;
    (void)state;
    snprintf(folder, sizeof folder, "%s/input", home);
    assert_non_null(freopen(source, "r", stdin));
    assert_int_equal(child(folder, "-", 8), CRASHED);
    ok(se_folder_list(folder, &names, &n));
    assert_int_equal(n, 1);
    assert_true(se_path_ends(names, ".tokens.part"));
    se_io_free(names);
    assert_non_null(freopen("/dev/null", "r", stdin));
    assert_int_equal(child(folder, "-", 0), 1); /* no pairs at all */
    ok(se_folder_list(folder, &names, &n));
    assert_int_equal(n, 0);
    se_io_free(names);
}

/* A file system without locks holds no job off, and the job tells. */
static void test_no_locks(void **state)
{
    char folder[160];
    (void)state;
    snprintf(folder, sizeof folder, "%s/unlocked", home);
    se_disk_locks_set(false);
    assert_int_equal(child(folder, source, 0), 0);
    se_token_job *job;
    se_tokenizer *tokenizer;
    bool done, waiting;
    const char *file = source;
    ok(se_tokenizer_open(SE_TEST_DATA "/tiny-mpnet", &tokenizer));
    ok(se_token_job_open(folder, 1, &file, 0, NULL, tokenizer, 8, &job));
    assert_false(se_token_job_unlocked(job));
    ok(se_token_job_step(job, &done, &waiting));
    assert_true(se_token_job_unlocked(job) && !waiting);
    se_token_job_free(job);
    se_tokenizer_free(tokenizer);
    se_disk_locks_set(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_stray_part),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_no_locks),
    };
    se_disk_sync_set(false); /* what a crash of the process leaves does not depend on it */
    return cmocka_run_group_tests(tests, start, remove_home);
}
