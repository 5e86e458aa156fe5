/* The job: lines -> comments in partitions by thread (first part), partitions -> pairs (second).
 * Its state is OUT/work/state.json; what lies behind the lengths that it tells is cut off when the
 * job goes on. */
#define _GNU_SOURCE
#include "data/comments.h"
#include "data/comment.h"
#include "data/hash.h"
#include "data/join.h"
#include "data/reading.h"
#include "io/disk.h"
#include "io/files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES = 4096,    /* parsed at once */
    SAVE_STEPS = 64, /* between two saves of the state */
    MOST_PARTS = 1024,
    SPLIT = 16,        /* parts that one is split into when it is too large */
    FLUSH = 256 << 10, /* bytes of a part that are written at once */
    DEFAULT_MEMORY = 1 << 30
};

/* A file of comments of some threads. */
typedef struct part {
    char name[32];
    int64_t bytes; /* on disk */
    int32_t level; /* how often it was split */
    se_blob text;  /* not written yet */
} part;

struct se_comments {
    se_comments_options options;
    char *out, *work, *state_path, *facts;
    char *pairs_path[2]; /* train, test: while they are made */
    se_source *source;
    se_reading read[2];
    int turn;
    bool started; /* read[turn] holds something */
    bool parsed;  /* comment[] holds what read[1 - turn] had */
    se_comment *comment;
    int64_t n_comments; /* parsed, not written */
    int64_t *which;     /* their lines in the reading */
    part *part;
    int32_t n_parts, steps;
    se_source_place place; /* what was written comes from before it */
    se_comments_state now;
    int64_t bytes[2]; /* of the pairs' files */
    int64_t joined;   /* bytes of parts that are done */
    bool done;
};

/* --- state --- */

static se_status set_integer(se_json *v, const char *key, int64_t x)
{
    return se_json_set(v, key, se_json_of_integer(x));
}

static se_status put_parts(const se_comments *c, se_json *v)
{
    se_json *list = se_json_new_array();
    se_status s = list ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < c->n_parts; i++) {
        const part *p = &c->part[i];
        se_json *x = se_json_new_object();
        s = x ? se_json_set(x, "name", se_json_of_string(p->name, strlen(p->name))) : SE_ERR_MEMORY;
        if (s == SE_OK)
            s = set_integer(x, "bytes", p->bytes);
        if (s == SE_OK)
            s = set_integer(x, "level", p->level);
        if (s == SE_OK)
            s = se_json_append(list, x);
        else
            se_json_free(x);
    }
    if (s == SE_OK)
        return se_json_set(v, "parts", list);
    se_json_free(list);
    return s;
}

typedef struct number {
    const char *key;
    int64_t *value;
} number;

enum { NUMBERS = 11 };

static void list_numbers(se_comments *c, number list[NUMBERS])
{
    const number all[NUMBERS] = {
        {"comments", &c->now.comments}, {"bad", &c->now.bad},      {"train", &c->now.train},
        {"test", &c->now.test},         {"train_bytes", c->bytes}, {"test_bytes", c->bytes + 1},
        {"file", &c->place.file},       {"line", &c->place.line},  {"offset", &c->place.offset},
        {"in_file", &c->place.pairs},   {"joined", &c->joined}};
    memcpy(list, all, sizeof all);
}

static se_status write_state(se_comments *c)
{
    number list[NUMBERS];
    char *text = NULL;
    size_t bytes = 0;
    list_numbers(c, list);
    se_json *v = se_json_new_object();
    se_status s =
        v ? se_json_set(v, "facts", se_json_of_string(c->facts, strlen(c->facts))) : SE_ERR_MEMORY;
    if (s == SE_OK)
        s = se_json_set(v, "joining", se_json_of_bool(c->now.joining));
    for (int i = 0; s == SE_OK && i < NUMBERS; i++)
        s = set_integer(v, list[i].key, *list[i].value);
    if (s == SE_OK)
        s = put_parts(c, v);
    if (s == SE_OK)
        s = se_json_dump(v, 1, false, &text, &bytes);
    if (s == SE_OK)
        s = se_file_write(c->state_path, text, bytes);
    se_io_free(text);
    se_json_free(v);
    return s;
}

static se_status read_parts(se_comments *c, const se_json *list)
{
    int64_t n = se_json_size(list);
    if (n > MOST_PARTS * SPLIT)
        return se_fail(SE_ERR_FORMAT, "%s: too many parts", c->state_path);
    c->part = se_calloc((size_t)n + 1, sizeof *c->part);
    if (!c->part)
        return SE_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        const se_json *x = se_json_at(list, i);
        const char *name = se_json_string(se_json_get(x, "name"), NULL);
        if (!name || strchr(name, '/') || strncmp(name, "part-", 5) != 0)
            return se_fail(SE_ERR_FORMAT, "%s: part %" PRId64 " has no name", c->state_path, i);
        snprintf(c->part[i].name, sizeof c->part[i].name, "%s", name);
        c->part[i].bytes = se_json_integer(se_json_get(x, "bytes"));
        c->part[i].level = (int32_t)se_json_integer(se_json_get(x, "level"));
        c->n_parts++;
    }
    return SE_OK;
}

static se_status cut_parts(se_comments *c)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < c->n_parts; i++) {
        char *path = se_path_join(c->work, c->part[i].name);
        se_file_info info;
        s = path ? SE_OK : SE_ERR_MEMORY;
        if (s == SE_OK)
            se_file_look(path, &info);
        if (s == SE_OK && (info.exists || c->part[i].bytes > 0))
            s = se_file_truncate(path, c->part[i].bytes);
        free(path);
    }
    for (int side = 0; s == SE_OK && side < 2; side++)
        if (c->bytes[side] > 0)
            s = se_file_truncate(c->pairs_path[side], c->bytes[side]);
    return s;
}

static se_status read_state(se_comments *c, const se_json *v)
{
    number list[NUMBERS];
    const char *facts = se_json_string(se_json_get(v, "facts"), NULL);
    if (!facts || strcmp(facts, c->facts) != 0)
        return se_fail(SE_ERR_ARG,
                       "%s has a job of other files or options, which is not finished: go on with "
                       "those, or take another out=",
                       c->out);
    list_numbers(c, list);
    for (int i = 0; i < NUMBERS; i++)
        *list[i].value = se_json_integer(se_json_get(v, list[i].key));
    c->now.joining = se_json_bool(se_json_get(v, "joining"));
    c->now.resumed = c->now.comments;
    se_status s = read_parts(c, se_json_get(v, "parts"));
    if (s == SE_OK)
        s = cut_parts(c);
    return s == SE_OK && !c->now.joining ? se_source_go(c->source, &c->place) : s;
}

/* --- opening --- */

/* What decides about the pairs: files with their sizes and times, and the options. */
static se_status write_facts(se_comments *c, int32_t n_files, const char *const *files)
{
    const se_comments_options *o = &c->options;
    char text[1200];
    se_blob all = {0};
    int n = snprintf(text, sizeof text, "%d to %d, contexts %d, all %d, skip_bad %d", o->shortest,
                     o->longest, o->contexts, o->all, o->skip_bad);
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
    c->n_parts = (int32_t)(n < MOST_PARTS ? n : MOST_PARTS);
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
    c->work = se_path_join(out, "work");
    c->state_path = c->work ? se_path_join(c->work, "state.json") : NULL;
    c->pairs_path[0] = c->work ? se_path_join(c->work, "train.jsonl.gz") : NULL;
    c->pairs_path[1] = c->work ? se_path_join(c->work, "test.jsonl.gz") : NULL;
    return c->out && c->state_path && c->pairs_path[0] && c->pairs_path[1] ? SE_OK : SE_ERR_MEMORY;
}

static se_status check_out(const se_comments *c)
{
    char *path = se_path_join(c->out, "train.jsonl.gz");
    if (!path)
        return SE_ERR_MEMORY;
    bool there = access(path, F_OK) == 0;
    free(path);
    return there ? se_fail(SE_ERR_ARG, "%s holds finished pairs: take another out=", c->out)
                 : SE_OK;
}

static se_status take_up(se_comments *c, int32_t n_files, const char *const *files)
{
    se_json *v;
    if (access(c->state_path, F_OK) != 0) {
        se_status s = se_folder_make(c->work);
        if (s == SE_OK)
            s = make_parts(c, n_files, files);
        return s == SE_OK ? cut_parts(c) : s; /* of a job that was stopped before it saved */
    }
    se_status s = se_json_load(c->state_path, &v);
    if (s != SE_OK)
        return s;
    s = read_state(c, v);
    se_json_free(v);
    return s;
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
        s = check_out(c);
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
    free(c->facts);
    free(c->state_path);
    free(c->work);
    free(c->out);
    free(c);
}

/* --- the first part: lines -> partitions --- */

static se_status flush(const se_comments *c, part *p)
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
    return SE_OK;
}

static se_status flush_all(const se_comments *c, part *list, int32_t n, size_t above)
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
    se_status s = flush_all(c, c->part, c->n_parts, 0);
    c->steps = 0;
    return s == SE_OK ? write_state(c) : s;
}

/* Which part of n a comment goes to, by bits of the thread's hash that differ from level to level.
 */
static int32_t part_of(const se_comment *c, int32_t level, int32_t n)
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
        s = se_comment_write(&c->comment[i], &c->part[part_of(&c->comment[i], 0, c->n_parts)].text);
    if (s != SE_OK)
        return s;
    c->now.comments += c->n_comments;
    free_comments(c);
    if (c->parsed)
        c->place = c->read[1 - c->turn].after;
    c->parsed = false;
    int64_t room = c->options.memory / 8 / c->n_parts;
    return flush_all(c, c->part, c->n_parts, room < FLUSH ? (size_t)room : FLUSH);
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

/* --- the second part: partitions -> pairs --- */

static se_status read_part(const se_comments *c, const part *p, char **data)
{
    *data = se_counted_alloc((size_t)p->bytes + 1);
    if (!*data)
        return SE_ERR_MEMORY;
    char *path = se_path_join(c->work, p->name);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    se_status s = path ? SE_OK : SE_ERR_MEMORY;
    if (s == SE_OK && fd < 0)
        s = se_disk_fail(path, "cannot read");
    int64_t at = 0;
    while (s == SE_OK && at < p->bytes) {
        ssize_t n = read(fd, *data + at, (size_t)(p->bytes - at));
        if (n <= 0)
            s = n < 0 ? se_disk_fail(path, "cannot read")
                      : se_fail(SE_ERR_FORMAT, "%s: has %" PRId64 " bytes, expected %" PRId64, path,
                                at, p->bytes);
        else
            at += n;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return s;
}

static se_status remove_part(const se_comments *c, const char *name)
{
    char *path = se_path_join(c->work, name);
    se_status s = path ? se_disk_remove(path) : SE_ERR_MEMORY;
    free(path);
    return s;
}

/* Forgets the first part, and puts n others in its place. */
static se_status replace_first(se_comments *c, const part *others, int32_t n)
{
    part *list = se_calloc((size_t)(c->n_parts + n), sizeof *list);
    if (!list)
        return SE_ERR_MEMORY;
    if (n)
        memcpy(list, others, (size_t)n * sizeof *list);
    memcpy(list + n, c->part + 1, (size_t)(c->n_parts - 1) * sizeof *list);
    se_blob_free(&c->part[0].text);
    free(c->part);
    c->part = list;
    c->n_parts += n - 1;
    return SE_OK;
}

/* A part too large for the memory becomes several, read comment by comment. */
static se_status split_part(se_comments *c)
{
    part list[SPLIT] = {0}, first = c->part[0];
    char *path = se_path_join(c->work, first.name);
    se_blob text = {0};
    se_status s = path ? SE_OK : SE_ERR_MEMORY;
    FILE *f = s == SE_OK ? fopen(path, "rb") : NULL;
    if (s == SE_OK && !f)
        s = se_disk_fail(path, "cannot read");
    for (int i = 0; i < SPLIT; i++) {
        snprintf(list[i].name, sizeof list[i].name, "%.24s-%x", first.name, i);
        list[i].level = first.level + 1;
        if (s == SE_OK)
            s = remove_part(c, list[i].name); /* of a split that was cut short */
    }
    for (bool more = true; s == SE_OK && more;) {
        size_t at = 0, n;
        se_comment x;
        s = se_blob_reserve(&text, FLUSH);
        if (s != SE_OK)
            break;
        size_t got = fread(text.data + text.bytes, 1, FLUSH, f);
        text.bytes += got;
        more = got > 0;
        while (s == SE_OK && (n = se_comment_read(text.data + at, text.bytes - at, &x)) > 0) {
            s = se_comment_write(&x, &list[part_of(&x, first.level + 1, SPLIT)].text);
            at += n;
        }
        memmove(text.data, text.data + at, text.bytes - at);
        text.bytes -= at;
        if (s == SE_OK)
            s = flush_all(c, list, SPLIT, more ? FLUSH : 0);
    }
    if (s == SE_OK && text.bytes > 0)
        s = se_fail(SE_ERR_FORMAT, "%s: not as it was written", path);
    if (f)
        fclose(f);
    for (int i = 0; i < SPLIT; i++)
        se_blob_free(&list[i].text);
    se_blob_free(&text);
    free(path);
    if (s == SE_OK)
        s = replace_first(c, list, SPLIT);
    if (s == SE_OK)
        s = write_state(c);
    return s == SE_OK ? remove_part(c, first.name) : s;
}

static se_status join_part(se_comments *c)
{
    part first = c->part[0];
    char *data = NULL;
    se_join_out out = {.fd = {-1, -1},
                       .path = {c->pairs_path[0], c->pairs_path[1]},
                       .pairs = {c->now.train, c->now.test},
                       .bytes = {c->bytes[0], c->bytes[1]}};
    se_status s = first.bytes > 0 ? read_part(c, &first, &data) : SE_OK;
    for (int side = 0; s == SE_OK && side < 2; side++)
        s = se_disk_create(c->pairs_path[side], true, &out.fd[side]);
    if (s == SE_OK && first.bytes > 0)
        s = se_join(data, (size_t)first.bytes, &c->options, &out);
    for (int side = 0; side < 2; side++) {
        if (s == SE_OK)
            s = se_disk_sync(out.fd[side], out.path[side]);
        if (out.fd[side] >= 0)
            close(out.fd[side]);
    }
    se_counted_free(data, (size_t)first.bytes + 1);
    if (s != SE_OK)
        return s;
    c->now.train = out.pairs[0];
    c->now.test = out.pairs[1];
    memcpy(c->bytes, out.bytes, sizeof c->bytes);
    c->joined += first.bytes;
    s = replace_first(c, NULL, 0);
    if (s == SE_OK)
        s = write_state(c);
    return s == SE_OK ? remove_part(c, first.name) : s;
}

/* A file without pairs is a gzip file all the same. */
static se_status end_pairs(const se_comments *c, int side)
{
    se_blob nothing = {0};
    int fd;
    if (c->bytes[side] > 0)
        return SE_OK;
    se_status s = se_join_empty(&nothing);
    if (s == SE_OK)
        s = se_file_truncate(c->pairs_path[side], 0);
    if (s == SE_OK)
        s = se_disk_create(c->pairs_path[side], true, &fd);
    if (s == SE_OK) {
        s = se_disk_write(fd, nothing.data, nothing.bytes, c->pairs_path[side]);
        se_status closed = se_disk_close(fd, c->pairs_path[side]);
        s = s == SE_OK ? closed : s;
    }
    se_blob_free(&nothing);
    return s;
}

/* The test pairs get their name first: with the training pairs the job is finished. */
static se_status finish(se_comments *c)
{
    se_status s = SE_OK;
    for (int side = 1; s == SE_OK && side >= 0; side--) {
        char *to = se_path_join(c->out, se_path_name(c->pairs_path[side]));
        s = to ? SE_OK : SE_ERR_MEMORY;
        if (s == SE_OK && !(side == 1 && access(c->pairs_path[side], F_OK) != 0)) {
            s = end_pairs(c, side);
            if (s == SE_OK)
                s = se_disk_rename(c->pairs_path[side], to);
        }
        free(to);
    }
    if (s == SE_OK)
        s = se_disk_sync_path(c->out);
    if (s == SE_OK)
        s = se_disk_remove(c->state_path);
    if (s == SE_OK)
        s = se_disk_remove(c->work);
    c->done = s == SE_OK;
    return s;
}

static se_status join_step(se_comments *c)
{
    if (c->n_parts == 0)
        return finish(c);
    /* A thread larger than that stands alone at the last level, and is tried as it is. */
    if (c->part[0].bytes > c->options.memory / 3 && c->part[0].level < 4)
        return split_part(c);
    return join_part(c);
}

/* --- both --- */

se_status se_comments_save(se_comments *c)
{
    if (c->now.joining) /* saved after every part */
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
    s = c->now.joining ? join_step(c) : read_step(c);
    *done = s == SE_OK && c->done;
    return s;
}

void se_comments_look(const se_comments *c, se_comments_state *out)
{
    *out = c->now;
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
