/* A job's state on disk. What lies behind the lengths that it tells is cut off when the job goes
 * on. */
#define _GNU_SOURCE
#include "data/commentjob.h"
#include "io/disk.h"
#include "io/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static se_status set_integer(se_json *v, const char *key, int64_t x)
{
    return se_json_set(v, key, se_json_of_integer(x));
}

static se_status put_parts(const se_comments *c, se_json *v)
{
    se_json *list = se_json_new_array();
    se_status s = list ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < c->n_parts; i++) {
        const se_comment_part *p = &c->part[i];
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

se_status se_comments_write_state(se_comments *c)
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
    if (n > SE_COMMENT_PARTS * SE_COMMENT_SPLIT)
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

bool se_comments_ends(const se_comments *c)
{
    return c->now.joining && c->n_parts == 0;
}

se_status se_comments_cut(const se_comments *c)
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
    for (int side = 0; s == SE_OK && side < 2; side++) {
        bool there =
            access(c->pairs_path[side], F_OK) == 0; /* at the very end it is not any more */
        if (there || (c->bytes[side] > 0 && !se_comments_ends(c)))
            s = se_file_truncate(c->pairs_path[side], c->bytes[side]);
    }
    return s;
}

static se_status take_state(se_comments *c, const se_json *v)
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
        s = se_comments_cut(c);
    return s == SE_OK && !c->now.joining ? se_source_go(c->source, &c->place) : s;
}

se_status se_comments_read_state(se_comments *c, bool *there)
{
    se_json *v;
    *there = access(c->state_path, F_OK) == 0;
    if (!*there)
        return SE_OK;
    se_status s = se_json_load(c->state_path, &v);
    if (s != SE_OK)
        return s;
    s = take_state(c, v);
    se_json_free(v);
    return s;
}
