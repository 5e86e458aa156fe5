/* The second part of a job: partitions -> pairs. */
#define _GNU_SOURCE
#include "data/commentjob.h"
#include "data/join.h"
#include "io/disk.h"
#include "io/files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static se_status read_part(const se_comments *c, const se_comment_part *p, char **data)
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
static se_status replace_first(se_comments *c, const se_comment_part *others, int32_t n)
{
    se_comment_part *list = se_calloc((size_t)(c->n_parts + n), sizeof *list);
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
    se_comment_part list[SE_COMMENT_SPLIT] = {0}, first = c->part[0];
    char *path = se_path_join(c->work, first.name);
    se_blob text = {0};
    se_status s = path ? SE_OK : SE_ERR_MEMORY;
    FILE *f = s == SE_OK ? fopen(path, "rb") : NULL;
    if (s == SE_OK && !f)
        s = se_disk_fail(path, "cannot read");
    for (int i = 0; i < SE_COMMENT_SPLIT; i++) {
        snprintf(list[i].name, sizeof list[i].name, "%.24s-%x", first.name, i);
        list[i].level = first.level + 1;
        if (s == SE_OK)
            s = remove_part(c, list[i].name); /* of a split that was cut short */
    }
    for (bool more = true; s == SE_OK && more;) {
        size_t at = 0, n;
        se_comment x;
        s = se_blob_reserve(&text, SE_COMMENT_WRITE);
        if (s != SE_OK)
            break;
        size_t got = fread(text.data + text.bytes, 1, SE_COMMENT_WRITE, f);
        text.bytes += got;
        more = got > 0;
        while (s == SE_OK && (n = se_comment_read(text.data + at, text.bytes - at, &x)) > 0) {
            s = se_comment_write(
                &x, &list[se_comments_part_of(&x, first.level + 1, SE_COMMENT_SPLIT)].text);
            at += n;
        }
        memmove(text.data, text.data + at, text.bytes - at);
        text.bytes -= at;
        if (s == SE_OK)
            s = se_comments_flush(c, list, SE_COMMENT_SPLIT, more ? SE_COMMENT_WRITE : 0);
    }
    if (s == SE_OK && text.bytes > 0)
        s = se_fail(SE_ERR_FORMAT, "%s: not as it was written", path);
    if (f)
        fclose(f);
    for (int i = 0; i < SE_COMMENT_SPLIT; i++)
        se_blob_free(&list[i].text);
    se_blob_free(&text);
    free(path);
    if (s == SE_OK)
        s = se_comments_sync(c, list, SE_COMMENT_SPLIT);
    if (s == SE_OK)
        s = replace_first(c, list, SE_COMMENT_SPLIT);
    if (s == SE_OK)
        s = se_comments_write_state(c);
    return s == SE_OK ? remove_part(c, first.name) : s;
}

static se_status join_part(se_comments *c)
{
    se_comment_part first = c->part[0];
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
        s = se_comments_write_state(c);
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

/* Parts that were done with, but not removed before the job was stopped; then the folder itself. */
static se_status remove_work(const se_comments *c)
{
    char *names;
    int64_t n;
    se_status s = se_folder_list(c->work, &names, &n);
    if (s != SE_OK)
        return s;
    const char *name = names;
    for (int64_t i = 0; s == SE_OK && i < n; i++, name += strlen(name) + 1)
        if (strncmp(name, "part-", 5) == 0)
            s = remove_part(c, name);
    se_io_free(names);
    if (s == SE_OK)
        s = se_disk_remove(c->state_path);
    return s == SE_OK ? se_disk_remove(c->work) : s;
}

/* The test pairs get their name first: with the training pairs the job is finished. */
static se_status finish(se_comments *c)
{
    se_status s = SE_OK;
    for (int side = 1; s == SE_OK && side >= 0; side--) {
        char *to = se_path_join(c->out, se_path_name(c->pairs_path[side]));
        s = to ? SE_OK : SE_ERR_MEMORY;
        if (s == SE_OK && access(c->pairs_path[side], F_OK) == 0) {
            s = end_pairs(c, side);
            if (s == SE_OK)
                s = se_disk_rename(c->pairs_path[side], to);
        }
        free(to);
    }
    if (s == SE_OK)
        s = se_disk_sync_path(c->out);
    if (s == SE_OK)
        s = remove_work(c);
    c->done = s == SE_OK;
    return s;
}

se_status se_comments_join_step(se_comments *c)
{
    if (se_comments_ends(c))
        return finish(c);
    /* A thread larger than that stands alone at the last level, and is tried as it is. */
    if (c->part[0].bytes > c->options.memory / 3 && c->part[0].level < 4)
        return split_part(c);
    return join_part(c);
}
