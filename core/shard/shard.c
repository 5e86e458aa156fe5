/* Who is there, and how shards agree: one shard alone needs nobody; several meet. */
#define _GNU_SOURCE
#include "shard/shard.h"

#include "shard/private.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

se_shards se_shards_now = {.count = 1};

int32_t se_shard_count(void)
{
    return se_shards_now.count;
}

int32_t se_shard_index(void)
{
    return se_shards_now.index;
}

bool se_shard_many(void)
{
    return se_shards_now.way != NULL;
}

void se_shard_pretend(int32_t index, int32_t count)
{
    se_shards_now.index = index;
    se_shards_now.count = count;
}

void se_shard_rows(int64_t rows, int32_t index, int32_t count, int64_t *first, int64_t *last)
{
    *first = rows / count * index + rows % count * index / count;
    *last = rows / count * (index + 1) + rows % count * (index + 1) / count;
}

bool se_shard_interrupted(void)
{
    return se_shards_now.way ? se_shards_now.interrupted : se_interrupted();
}

bool se_shard_lost(void)
{
    return se_shards_now.lost;
}

void se_shard_moved_read(se_shard_moved *out)
{
    *out = se_shards_now.moved;
}

static se_status end_with(se_status status, const char *why)
{
    se_shards *s = &se_shards_now;
    s->over = true;
    snprintf(s->why, sizeof s->why, "%s", why);
    return se_fail(status, "%s", why);
}

/* --- waiting --- */

/* A process that was killed is gone, or a zombie until its launcher has looked. */
static bool is_gone(int64_t pid)
{
    if (kill((pid_t)pid, 0) != 0)
        return errno == ESRCH;
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return errno == ENOENT;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *state = strrchr(text, ')'); /* behind the program's name */
    return state && (strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0);
}

static se_status look_for_lost(void)
{
    se_shards *s = &se_shards_now;
    for (int32_t i = 0; s->peer && i < s->count; i++) {
        if (i == s->index || s->peer[i].host != s->peer[s->index].host || !is_gone(s->peer[i].pid))
            continue;
        char why[160];
        snprintf(why, sizeof why,
                 "shard %d of %d (process %lld) is gone: it was killed, or crashed", i, s->count,
                 (long long)s->peer[i].pid);
        s->lost = true;
        return end_with(SE_ERR_STATE, why);
    }
    return SE_OK;
}

/* Polls, at first as fast as can be, then leaving the core to others: there may be more shards than
 * cores. */
static se_status wait(void)
{
    enum { SPIN = 2000, YIELD = 20000, LOOK = 1024 };
    se_shards *s = &se_shards_now;
    for (int64_t n = 0;; n++) {
        int done = s->way->done();
        if (done > 0)
            return SE_OK;
        if (done < 0) {
            s->lost = true;
            return end_with(SE_ERR_STATE, "a message to another shard failed: it is gone, or MPI "
                                          "is in trouble");
        }
        if (n < SPIN && !s->crowded)
            continue;
        if (n < YIELD) {
            sched_yield();
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        if (n % LOOK == 0 && look_for_lost())
            return SE_ERR_STATE;
    }
}

se_status se_shard_exchange(int64_t *counter, const void *out, int32_t to, int64_t out_bytes,
                            void *in, int32_t from, int64_t in_bytes)
{
    se_shards *s = &se_shards_now;
    if (to >= 0)
        *counter += out_bytes;
    if (s->way->start(out, to, out_bytes, in, from, in_bytes)) {
        s->lost = true;
        return end_with(SE_ERR_STATE, "a message to another shard could not be sent");
    }
    return wait();
}

/* --- meeting --- */

enum { WHAT = 160 };
typedef struct record { /* the sums and the largest of all shards' */
    int64_t sum[2];     /* the caller's number; how many have failed */
    int64_t most[4];    /* count - index where failed; interrupts; what, and what negated */
} record;

static void combine(record *a, const record *b)
{
    for (int i = 0; i < 2; i++)
        a->sum[i] += b->sum[i];
    for (int i = 0; i < 4; i++)
        if (b->most[i] > a->most[i])
            a->most[i] = b->most[i];
}

/* Up a binomial tree to shard 0, and down again. */
static se_status agree(record *mine)
{
    se_shards *s = &se_shards_now;
    int64_t *bytes = &s->moved.meet;
    for (int32_t bit = 1; bit < s->count; bit *= 2) {
        record other;
        if (s->index & bit) {
            se_status status =
                se_shard_exchange(bytes, mine, s->index - bit, sizeof *mine, NULL, -1, 0);
            if (status)
                return status;
            break;
        }
        if (s->index + bit >= s->count)
            continue;
        se_status status =
            se_shard_exchange(bytes, NULL, -1, 0, &other, s->index + bit, sizeof other);
        if (status)
            return status;
        combine(mine, &other);
    }
    return se_tree_broadcast(bytes, mine, sizeof *mine, 0);
}

static int64_t hash_of(const char *what, int64_t number)
{
    uint64_t h = 14695981039346656037u ^ (uint64_t)number;
    for (; *what; what++)
        h = (h ^ (unsigned char)*what) * 1099511628211u;
    return (int64_t)((h ^ h >> 29) >> 2); /* not negative */
}

/* The shards are not at the same place: where are they? */
static se_status parted(const char *what, int64_t number)
{
    se_shards *s = &se_shards_now;
    char(*all)[WHAT] = se_calloc((size_t)s->count, WHAT), why[512];
    if (!all)
        return end_with(SE_ERR_STATE, "the shards do different things");
    snprintf(all[s->index], WHAT, "%s (%lld)", what, (long long)number);
    se_status status = se_ring_gather(&s->moved.meet, all, s->count, WHAT);
    int32_t other = 0;
    while (!status && other < s->count - 1 && strcmp(all[other], all[0]) == 0)
        other++;
    if (!status) {
        snprintf(why, sizeof why,
                 "the shards do different things: shard 0 is at %s, shard %d at %s: all have to "
                 "make the same calls with the same shapes",
                 all[0], other, all[other]);
        status = end_with(SE_ERR_STATE, why);
    }
    free(all);
    return status;
}

static record record_of(const char *what, int64_t number)
{
    int64_t hash = hash_of(what, number);
    return (record){.most = {0, se_interrupted(), hash, -hash}};
}

/* What a meeting came to, but for what is found out by the caller. */
static se_status outcome(const record *r)
{
    se_shards *s = &se_shards_now;
    char why[80];
    s->interrupted = r->most[1] > 0;
    if (r->most[0]) {
        snprintf(why, sizeof why, "shard %lld has failed", (long long)(s->count - r->most[0]));
        return end_with(SE_ERR_STATE, why);
    }
    s->stopping = r->most[1] > 1;
    if (s->stopping) {
        se_interrupt_set();
        return se_fail(SE_ERR_INTERRUPTED, "interrupted");
    }
    return SE_OK;
}

se_status se_shard_meet(const char *what, int64_t number, int64_t *sum)
{
    se_shards *s = &se_shards_now;
    if (!s->way)
        return SE_OK;
    if (s->over)
        return se_fail(SE_ERR_STATE, "%s", s->why);
    double start = se_seconds();
    s->stopping = false;
    record r = record_of(what, number);
    r.sum[0] = sum ? *sum : 0;
    se_status status = agree(&r);
    if (!status)
        status = outcome(&r);
    if (!status && r.most[2] != -r.most[3])
        status = parted(what, number);
    if (sum && !status)
        *sum = r.sum[0];
    s->moved.seconds += se_seconds() - start;
    return status;
}

void se_shard_interrupt(void)
{
    se_shards *s = &se_shards_now;
    if (!s->way || s->over || s->stopping)
        return;
    record r = record_of("interrupted", 0);
    r.most[1] = 2;
    if (!agree(&r))
        outcome(&r);
}

se_status se_shard_text(const char *what, const char *mine, char **text)
{
    se_shards *s = &se_shards_now;
    int64_t bytes = s->index == 0 ? (int64_t)strlen(mine) + 1 : 0, *counter = &s->moved.broadcast;
    se_status status = se_shard_meet(what, 0, &bytes);
    *text = NULL;
    if (status)
        return status;
    if (!(*text = se_malloc((size_t)bytes)))
        return end_with(SE_ERR_STATE, "out of memory: another shard's text found no room");
    if (s->index == 0)
        memcpy(*text, mine, (size_t)bytes);
    return s->way ? se_tree_broadcast(counter, *text, bytes, 0) : SE_OK;
}

void se_shard_text_free(char *text)
{
    free(text);
}

/* --- the end --- */

/* A lost shard is told by the first one on the machine that is left; the others wait a moment, so
 * that it can, and then tell it themselves: the first may be busy. */
static se_shard_ending lost_ending(void)
{
    se_shards *s = &se_shards_now;
    for (int32_t i = 0; s->peer && i < s->index; i++)
        if (s->peer[i].host == s->peer[s->index].host && !is_gone(s->peer[i].pid)) {
            nanosleep(&(struct timespec){.tv_sec = 3}, NULL);
            return is_gone(s->peer[i].pid) ? SE_END_QUIET : SE_END_TELL;
        }
    return SE_END_TELL;
}

se_shard_ending se_shard_end(const char *error, int32_t *failed)
{
    se_shards *s = &se_shards_now;
    *failed = error ? 1 : 0;
    if (!s->way)
        return error ? SE_END_TELL : SE_END_FINE;
    if (s->lost)
        return lost_ending();
    if (s->over) {
        *failed = s->count;
        bool parted_here = strstr(s->why, "different things") && s->index == 0;
        return parted_here ? SE_END_TELL : SE_END_QUIET;
    }
    record r = record_of("the end of the recipe", 0);
    if (error) {
        r.sum[1] = 1;
        r.most[0] = s->count - s->index;
    }
    se_status status = agree(&r);
    if (!status)
        *failed = (int32_t)r.sum[1];
    bool mine = error && r.most[0] == s->count - s->index;
    if (!status && !r.most[0] && r.most[2] != -r.most[3])
        status = parted("the end of the recipe", 0);
    else if (!status)
        end_with(SE_ERR_STATE, "the run is over");
    if (status)
        return s->lost ? lost_ending() : s->index == 0 ? SE_END_TELL : SE_END_QUIET;
    return mine ? SE_END_TELL : r.most[0] ? SE_END_QUIET : SE_END_FINE;
}

void se_shard_close(void)
{
    se_shards *s = &se_shards_now;
    const se_transport *way = s->way;
    if (!way)
        return;
    bool in_order = s->over && !s->lost;
    s->way = NULL;
    s->count = 1;
    s->index = 0;
    free(s->peer);
    s->peer = NULL;
    if (in_order)
        way->close();
    else
        way->abort(1);
}
