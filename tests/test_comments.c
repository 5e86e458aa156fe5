/* Comments -> pairs when the process ends, or a system call fails, anywhere: the job that goes on
 * makes the same bytes and leaves nothing behind. */
#define _GNU_SOURCE
#include "data/comments.h"
#include "io/disk.h"
#include "folder_help.h"

#include <sys/wait.h>

enum { THREADS = 40, SMALL = 10, LARGE = 2500, CRASHED = 99 };

static char source[128];

/* Small threads, and one so large that its part is split again and again. */
static int start(void **state)
{
    if (make_home(state) != 0)
        return 1;
    snprintf(source, sizeof source, "%s/comments.jsonl", home);
    FILE *f = fopen(source, "w");
    for (int t = 0; f && t <= THREADS; t++)
        for (int i = 0; i < (t < THREADS ? SMALL : LARGE); i++)
            fprintf(f,
                    "{\"id\":\"c%d_%d\",\"link_id\":\"t3_%d\",\"parent_id\":\"t%d_%s%d_%d\","
                    "\"body\":\"the comment with number %d of %d, a reply to an earlier one\"}\n",
                    t, i, t, i ? 1 : 3, i ? "c" : "", t, i / 2, i, t);
    return !f || fclose(f) != 0;
}

/* Opens a job and does it; `calls`: how many system calls it made. */
static se_status work(const char *out, long *calls)
{
    const char *files[] = {source};
    const se_comments_options options = {.shortest = 9, .longest = 127, .memory = 1 << 20};
    se_comments *job;
    bool done = false;
    se_status s = se_comments_open(out, 1, files, &options, &job);
    while (s == SE_OK && !done)
        s = se_comments_step(job, &done);
    if (calls)
        *calls = se_disk_calls();
    se_disk_break(0, false);
    se_comments_free(job);
    return s;
}

/* The same in a process of its own, whose n-th system call fails or ends it; its exit status. (A
 * process that computed with several threads cannot fork one that does: all work is in children.)
 */
static int child(const char *out, long n, bool crash)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        long calls;
        se_disk_break(n, crash);
        se_status s = work(out, &calls);
        _exit(s == SE_OK ? (n > 0 && calls < n ? 2 : 0) : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char *bytes_of(const char *out, const char *name, size_t *bytes)
{
    char path[256], *text;
    snprintf(path, sizeof path, "%s/%s", out, name);
    ok(se_file_read(path, &text, bytes));
    return text;
}

static void same(const char *a, const char *b, const char *name)
{
    size_t n, m;
    char *x = bytes_of(a, name, &n), *y = bytes_of(b, name, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    se_io_free(x);
    se_io_free(y);
}

static void break_everywhere(bool crash)
{
    char whole[160], out[160], work_folder[200];
    snprintf(whole, sizeof whole, "%s/whole", home);
    if (access(whole, F_OK) != 0)
        assert_int_equal(child(whole, 0, false), 0);
    long n = 1;
    for (int status = 1; status != 2; n++) {
        snprintf(out, sizeof out, "%s/%s-%ld", home, crash ? "crash" : "error", n);
        status = child(out, n, crash);
        if (status == 0)
            continue; /* an error after which there was nothing to do */
        assert_true(status == 2 || status == (crash ? CRASHED : 1));
        snprintf(work_folder, sizeof work_folder, "%s/parts", out);
        char finished[200];
        snprintf(finished, sizeof finished, "%s/train.jsonl.gz", out);
        /* with its pairs and without a state it is a finished job, which is not done again */
        char state[256];
        snprintf(state, sizeof state, "%s/state.json", work_folder);
        bool ended = access(finished, F_OK) == 0 && access(state, F_OK) != 0;
        if (child(out, 0, false) != ended)
            fail_msg("call %ld: the job does not go on", n);
        assert_true(access(work_folder, F_OK) != 0);
        same(whole, out, "train.jsonl.gz");
        same(whole, out, "test.jsonl.gz");
    }
    assert_true(n > 60);
    printf("%ld calls broken one by one (%s)\n", n - 1, crash ? "crash" : "error");
}

static void test_error(void **state)
{
    (void)state;
    break_everywhere(false);
}

static void test_crash(void **state)
{
    (void)state;
    break_everywhere(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_error), cmocka_unit_test(test_crash)};
    se_disk_sync_set(false); /* what a crash of the process leaves does not depend on it */
    return cmocka_run_group_tests(tests, start, remove_home);
}
