/* The job, and its first part: lines -> comments in partitions by thread. */
#define _GNU_SOURCE
#include "data/comments.h"
#include "data/commentjob.h"
#include "data/hash.h"
#include "io/disk.h"
#include "io/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES = 4096,    /* parsed at once */
    SAVE_STEPS = 64, /* between two saves of the state */
    DEFAULT_MEMORY = 1 << 30
};

/* --- opening --- */

/* What decides about the pairs: files with their sizes and times, and the options. */
static se_status write_facts(se_comments *c, int32_t n_files, const char *const *files)
{
    const se_comments_options *o = &c->options;
    char text[1200];
    se_blob all = {0};
    int n = snprintf(text, sizeof text, "%d to %d, contexts %d, all %d, skip_bad %d%s", o->shortest,
                     o->longest, o->contexts, o->all, o->skip_bad, o->edited ? ", edited" : "");
    se_status s = se_blob_add(&all, text, (size_t)n);
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        se_file_info info = {0};
        if (strcmp(files[i], "-") != 0)
            se_file_look(files[i], &info);
        n = snprintf(text, sizeof text, "; %.1000s, %" PRId64 " bytes, %.3f", files[i], info.size,
                     info.mtime);
        s = se_blob_add(&all, text, (size_t)n);
    }
    if (s == SE_OK)
        s = se_blob_add(&all, "", 1);
    c->facts = s == SE_OK ? se_strdup(all.data) : NULL;
    se_blob_free(&all);
    return c->facts ? SE_OK : SE_ERR_MEMORY;
}

/* As many parts that one with what goes with it takes a third of the memory. */
static se_status make_parts(se_comments *c, int32_t n_files, const char *const *files)
{
    int64_t bytes = 0;
    for (int32_t i = 0; i < n_files; i++) {
        se_file_info info = {0};
        if (strcmp(files[i], "-") != 0)
            se_file_look(files[i], &info);
        bytes += info.size * (se_path_ends(files[i], ".gz")    ? 4
                              : se_path_ends(files[i], ".zst") ? 8
                                                               : 1);
    }
    int64_t n = bytes / (c->options.memory / 8) + 1;
    c->n_parts = (int32_t)(n < SE_COMMENT_PARTS ? n : SE_COMMENT_PARTS);
    c->part = se_calloc((size_t)c->n_parts, sizeof *c->part);
    for (int32_t i = 0; c->part && i < c->n_parts; i++)
        snprintf(c->part[i].name, sizeof c->part[i].name, "part-%04d", i);
    return c->part ? SE_OK : SE_ERR_MEMORY;
}

static se_status check_options(const se_comments_options *o)
{
    if (o->shortest < 0 || o->longest < o->shortest)
        return se_fail(SE_ERR_ARG, "comments: texts of %d to %d characters: none can be",
                       o->shortest, o->longest);
    if (o->contexts < 0 || o->contexts > 9)
        return se_fail(SE_ERR_ARG, "comments: %d older contexts: 0 to 9 are wanted", o->contexts);
    if (o->memory < 1 << 20)
        return se_fail(SE_ERR_ARG, "comments: %" PRId64 " bytes of memory: 1 MB or more is wanted",
                       o->memory);
    return SE_OK;
}

static se_status set_paths(se_comments *c, const char *out)
{
    c->out = se_strdup(out);
    c->work = se_path_join(out, "parts");
    c->state_path = c->work ? se_path_join(c->work, "state.json") : NULL;
    c->pairs_path[0] = c->work ? se_path_join(c->work, "train.jsonl.gz") : NULL;
    c->pairs_path[1] = c->work ? se_path_join(c->work, "test.jsonl.gz") : NULL;
    return c->out && c->state_path && c->pairs_path[0] && c->pairs_path[1] ? SE_OK : SE_ERR_MEMORY;
}

/* Finished pairs are not written over; a job that was stopped after they got their names, before
 * its state was gone, has nothing but that left to do. One that was stopped between its state and
 * the empty folder leaves that. */
static se_status check_out(const se_comments *c)
{
    char *path = se_path_join(c->out, "train.jsonl.gz");
    if (!path)
        return SE_ERR_MEMORY;
    bool there = access(path, F_OK) == 0;
    free(path);
    if (!there || se_comments_ends(c))
        return SE_OK;
    rmdir(c->work);
    return se_fail(SE_ERR_ARG, "%s holds finished pairs: take another out=", c->out);
}

static se_status take_up(se_comments *c, int32_t n_files, const char *const *files)
{
    bool there = false;
    se_status s = se_folder_make(c->out);
    if (s == SE_OK)
        s = se_lock_take(c->out, &c->lock);
    if (s == SE_OK)
        s = se_comments_read_state(c, &there);
    if (s == SE_OK)
        s = check_out(c);
    if (s != SE_OK || there)
        return s;
    s = se_folder_make(c->work);
    if (s == SE_OK)
        s = make_parts(c, n_files, files);
    return s == SE_OK ? se_comments_cut(c) : s; /* of a job that was stopped before it saved */
}

se_status se_comments_open(const char *out, int32_t n_files, const char *const *files,
                           const se_comments_options *options, se_comments **job)
{
    *job = NULL;
    se_comments *c = se_calloc(1, sizeof *c);
    if (!c)
        return SE_ERR_MEMORY;
    c->options = *options;
    if (c->options.memory == 0)
        c->options.memory = DEFAULT_MEMORY;
    c->comment = se_calloc(LINES, sizeof *c->comment);
    c->which = se_calloc(LINES, sizeof *c->which);
    se_status s = c->comment && c->which ? check_options(&c->options) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = set_paths(c, out);
    if (s == SE_OK)
        s = se_source_open(n_files, files, 0, NULL, &c->source);
    if (s == SE_OK) {
        se_source_wants(c->source, "comments", "a comment as a JSON object");
        s = write_facts(c, n_files, files);
    }
    if (s == SE_OK)
        s = take_up(c, n_files, files);
    if (s != SE_OK)
        se_comments_free(c);
    else
        *job = c;
    return s;
}

static void free_comments(se_comments *c)
{
    for (int64_t i = 0; i < c->n_comments; i++)
        se_comment_free(&c->comment[i]);
    c->n_comments = 0;
}

void se_comments_free(se_comments *c)
{
    if (!c)
        return;
    if (c->comment)
        free_comments(c);
    for (int32_t i = 0; i < c->n_parts; i++)
        se_blob_free(&c->part[i].text);
    for (int i = 0; i < 2; i++) {
        se_reading_free(&c->read[i]);
        free(c->pairs_path[i]);
    }
    se_source_free(c->source);
    free(c->part);
    free(c->comment);
    free(c->which);
    se_lock_free(c->lock);
    free(c->facts);
    free(c->state_path);
    free(c->work);
    free(c->out);
    free(c);
}

/* --- the first part: lines -> partitions --- */

static se_status flush(const se_comments *c, se_comment_part *p)
{
    int fd;
    if (p->text.bytes == 0)
        return SE_OK;
    char *path = se_path_join(c->work, p->name);
    se_status s = path ? se_disk_create(path, true, &fd) : SE_ERR_MEMORY;
    if (s == SE_OK) {
        s = se_disk_write(fd, p->text.data, p->text.bytes, path);
        se_status closed = se_disk_close(fd, path);
        s = s == SE_OK ? closed : s;
    }
    free(path);
    if (s != SE_OK)
        return s;
    p->bytes += (int64_t)p->text.bytes;
    p->text.bytes = 0;
    p->unsynced = true;
    return SE_OK;
}

se_status se_comments_sync(const se_comments *c, se_comment_part *list, int32_t n)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < n; i++) {
        if (!list[i].unsynced)
            continue;
        char *path = se_path_join(c->work, list[i].name);
        s = path ? se_disk_sync_path(path) : SE_ERR_MEMORY;
        list[i].unsynced = s != SE_OK;
        free(path);
    }
    return s;
}

se_status se_comments_flush(const se_comments *c, se_comment_part *list, int32_t n, size_t above)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < n; i++)
        if (list[i].text.bytes > above)
            s = flush(c, &list[i]);
    return s;
}

/* Everything that was read up to `place` is on disk, and the state says so. */
static se_status save(se_comments *c)
{
    se_status s = se_comments_flush(c, c->part, c->n_parts, 0);
    if (s == SE_OK)
        s = se_comments_sync(c, c->part, c->n_parts);
    c->steps = 0;
    return s == SE_OK ? se_comments_write_state(c) : s;
}

int32_t se_comments_part_of(const se_comment *c, int32_t level, int32_t n)
{
    return (int32_t)(se_hash_mix(se_comment_thread(c) + (uint64_t)level) % (uint64_t)n);
}

/* Puts the comments that were parsed by the last step into their parts. */
static se_status put_comments(se_comments *c)
{
    se_status s = SE_OK;
#pragma omp parallel for schedule(static) num_threads(se_threads())
    for (int64_t i = 0; i < c->n_comments; i++)
        se_comment_judge(&c->comment[i], &c->options);
    for (int64_t i = 0; s == SE_OK && i < c->n_comments; i++)
        s = se_comment_write(&c->comment[i],
                             &c->part[se_comments_part_of(&c->comment[i], 0, c->n_parts)].text);
    if (s != SE_OK)
        return s;
    c->now.comments += c->n_comments;
    free_comments(c);
    if (c->parsed)
        c->place = c->read[1 - c->turn].after;
    c->parsed = false;
    int64_t room = c->options.memory / 8 / c->n_parts;
    return se_comments_flush(c, c->part, c->n_parts,
                             room < SE_COMMENT_WRITE ? (size_t)room : SE_COMMENT_WRITE);
}

typedef struct worst { /* the first line that is no comment */
    int64_t line, bad;
    se_status status;
    char message[512];
} worst;

static void parse_one(se_comments *c, const se_reading *r, int64_t i, worst *w)
{
    const char *text;
    const se_reading_line *l = se_reading_line_at(r, i, &text);
    se_status s = se_comment_parse(text, l->bytes, se_source_name(c->source, l->file), l->number,
                                   c->options.all, &c->comment[i]);
    c->which[i] = s == SE_OK ? i : -1;
    if (s == SE_OK)
        return;
#pragma omp critical(se_comments_bad)
    {
        w->bad++;
        if (w->status == SE_OK || i < w->line) {
            w->line = i;
            w->status = s;
            snprintf(w->message, sizeof w->message, "%s", se_message());
        }
    }
}

/* Parses the lines of `r`, while the next ones are read. */
static se_status parse(se_comments *c, const se_reading *r, se_reading *next)
{
    worst w = {0};
#pragma omp parallel num_threads(se_threads())
    {
#pragma omp single nowait
        if (!r->last && r->status == SE_OK)
            se_reading_fill(next, c->source, LINES);
#pragma omp for schedule(dynamic, 64)
        for (int64_t i = 0; i < r->n; i++)
            parse_one(c, r, i, &w);
    }
    for (int64_t i = 0; i < r->n; i++)
        if (c->which[i] >= 0)
            c->comment[c->n_comments++] = c->comment[i];
    if (w.status != SE_OK && (!c->options.skip_bad || w.status == SE_ERR_MEMORY))
        return se_fail(w.status, "%s", w.message);
    c->now.bad += w.bad;
    return SE_OK;
}

/* After the last line: whatever the parts were, they are read from disk now. */
static se_status begin_joining(se_comments *c)
{
    c->now.joining = true;
    return save(c);
}

static se_status read_step(se_comments *c)
{
    if (!c->started) {
        se_reading_fill(&c->read[c->turn], c->source, LINES);
        c->started = true;
    }
    se_status s = put_comments(c);
    if (s == SE_OK && ++c->steps >= SAVE_STEPS)
        s = save(c);
    if (s != SE_OK)
        return s;
    se_reading *r = &c->read[c->turn];
    if (c->read[1 - c->turn].last)
        return begin_joining(c);
    s = parse(c, r, &c->read[1 - c->turn]);
    if (s == SE_OK)
        s = se_reading_tell(r);
    c->turn = 1 - c->turn;
    c->parsed = s == SE_OK;
    return s;
}

/* --- both --- */

se_status se_comments_save(se_comments *c)
{
    if (c->now.joining) /* saved after every se_comment_part */
        return SE_OK;
    se_status s = put_comments(c);
    return s == SE_OK ? save(c) : s;
}

se_status se_comments_step(se_comments *c, bool *done)
{
    se_status s = SE_OK;
    *done = c->done;
    if (c->done)
        return SE_OK;
    if (se_interrupt_now()) {
        s = se_comments_save(c);
        return s == SE_OK ? se_fail(SE_ERR_INTERRUPTED, "comments: interrupted after %" PRId64,
                                    c->now.comments)
                          : s;
    }
    s = c->now.joining ? se_comments_join_step(c) : read_step(c);
    *done = s == SE_OK && c->done;
    return s;
}

void se_comments_look(const se_comments *c, se_comments_state *out)
{
    *out = c->now;
    out->unlocked = !se_lock_works(c->lock);
    int64_t left = 0;
    for (int32_t i = 0; i < c->n_parts; i++)
        left += c->part[i].bytes;
    if (c->now.joining)
        out->progress = (double)c->joined / (double)(left + c->joined > 0 ? left + c->joined : 1);
    else
        out->progress = se_source_progress(c->source);
}

int64_t se_comments_texts(const se_comments *c)
{
    return c->n_comments;
}

const char *se_comments_text(const se_comments *c, int64_t i, size_t *bytes)
{
    *bytes = 0;
    if (i < 0 || i >= c->n_comments)
        return NULL;
    *bytes = c->comment[i].bytes[SE_COMMENT_BODY];
    return c->comment[i].text[SE_COMMENT_BODY];
}

se_status se_comments_replace(se_comments *c, int64_t i, const char *text, size_t bytes)
{
    if (i < 0 || i >= c->n_comments || bytes > UINT32_MAX / 8)
        return se_fail(SE_ERR_ARG, "comments: no text %" PRId64 " of %" PRId64, i, c->n_comments);
    char *copy = se_malloc(bytes + 1);
    if (!copy)
        return SE_ERR_MEMORY;
    memcpy(copy, text, bytes);
    free(c->comment[i].body);
    c->comment[i].body = copy;
    c->comment[i].text[SE_COMMENT_BODY] = copy;
    c->comment[i].bytes[SE_COMMENT_BODY] = (uint32_t)bytes;
    return SE_OK;
}
