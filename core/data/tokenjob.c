/* Making a token file: the sources are read by one thread, parsed and tokenised by all, written
 * block by block to PATH.part, which is renamed when it is whole. */
#define _GNU_SOURCE
#include "data/blob.h"
#include "data/hash.h"
#include "data/reading.h"
#include "data/tokenfile.h"
#include "data/tokenlayout.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/json.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 4096, SYNC_BLOCKS = 256 };

struct se_token_job {
    char *path, *part, *facts;
    const se_tokenizer *tokenizer;
    int32_t max_tokens;
    bool wide, opened, done;
    bool unlocked; /* no locks here: another process may be at the same work */
    se_source *source;
    se_reading read[2]; /* read[turn] is to be written next; the other is read meanwhile */
    int turn;
    se_source_place place; /* where it begins */
    int fd;                /* of part; -1: not yet */
    int64_t at;            /* bytes written */
    int64_t pairs, resumed, blocks;
    uint64_t check;
    se_column_stats stats[SE_MAX_COLUMNS];
    se_blob offsets, places; /* int64_t, se_source_place: one a block */
    int64_t bucket[SE_TOKEN_BUCKETS];
    se_record *records;
    se_blob text, bytes,
        first; /* const char *, size_t: all texts of a block; uint32_t: its lists */
    se_token_batch batch;
    se_blob block;
};

/* --- opening --- */

/* Whether a whole file with these facts is there: then the job is done. A damaged one is made
 * again. */
static bool is_there(se_token_job *j)
{
    se_token_file *f;
    if (access(j->path, F_OK) != 0 || se_token_file_open(j->path, &f) != SE_OK)
        return false;
    j->done = se_token_file_has(f, j->facts);
    j->pairs = j->resumed = j->done ? se_token_file_count(f) : 0;
    se_token_file_free(f);
    return j->done;
}

static se_status name_file(se_token_job *j, const char *folder, const se_token_inputs *in)
{
    char name[128];
    se_status s = se_token_name(in, j->facts, name);
    if (s != SE_OK)
        return s;
    j->path = se_path_join(folder, name);
    j->part = j->path ? se_path_with(j->path, ".part") : NULL;
    return j->part ? SE_OK : SE_ERR_MEMORY;
}

/* Looks for the whole file, and for what jobs that were killed left behind. */
static se_status look_around(se_token_job *j, const char *folder)
{
    if (strncmp(se_path_name(j->path), SE_TOKEN_INPUT, strlen(SE_TOKEN_INPUT)) == 0)
        return se_token_remove_inputs(folder);
    if (is_there(j))
        se_token_remove_stray(j->part);
    return SE_OK;
}

se_status se_token_job_open(const char *folder, int32_t n_files, const char *const *files,
                            int32_t n_columns, const char *const *columns,
                            const se_tokenizer *tokenizer, int32_t max_tokens, se_token_job **out)
{
    *out = NULL;
    se_token_job *j = se_calloc(1, sizeof *j);
    if (!j)
        return SE_ERR_MEMORY;
    j->fd = -1;
    j->tokenizer = tokenizer;
    j->max_tokens = max_tokens;
    j->wide = se_tokenizer_vocab_size(tokenizer) > 65536;
    const se_token_inputs in = {n_files, n_columns, files, columns, tokenizer, max_tokens};
    se_status s = se_source_open(n_files, files, n_columns, columns, &j->source);
    if (s == SE_OK)
        s = se_token_facts(&in, &j->facts);
    if (s == SE_OK)
        s = name_file(j, folder, &in);
    if (s == SE_OK)
        s = look_around(j, folder);
    if (s == SE_OK && !j->done)
        s = se_folder_make(folder);
    if (s != SE_OK)
        se_token_job_free(j);
    else
        *out = j;
    return s;
}

void se_token_job_free(se_token_job *j)
{
    if (!j)
        return;
    if (j->opened && !j->done && j->blocks == 0)
        unlink(j->part); /* nothing in it to go on from */
    if (j->fd >= 0)
        close(j->fd);
    se_source_free(j->source);
    for (int i = 0; i < 2; i++)
        se_reading_free(&j->read[i]);
    se_blob_free(&j->offsets);
    se_blob_free(&j->places);
    se_blob_free(&j->block);
    se_token_batch_free(&j->batch);
    free(j->records);
    se_blob_free(&j->text);
    se_blob_free(&j->bytes);
    se_blob_free(&j->first);
    free(j->path);
    free(j->part);
    free(j->facts);
    free(j);
}

/* --- reading --- */

static se_status parse_line(se_token_job *j, const se_reading *r, int64_t i, se_record *out)
{
    const char *text;
    const se_reading_line *l = se_reading_line_at(r, i, &text);
    return se_source_parse(j->source, text, l->bytes, l->file, l->number, out);
}

/* --- the beginning of the file --- */

/* Whether a whole block of the .part file stands at j->at. */
static bool is_block(const se_token_job *j, const se_map *map, const se_token_head *h)
{
    const se_token_block *b = (const void *)(map->data + j->at);
    int64_t left = (int64_t)map->bytes - j->at, lists = PAIRS * (int64_t)h->columns;
    if (left < (int64_t)sizeof *b || b->magic != SE_TOKEN_BLOCK_MAGIC || b->number != j->blocks ||
        b->pairs != PAIRS || b->tokens < 0 || b->bytes > left || b->texts < 0 || b->texts > left ||
        (!h->lists && b->texts != lists))
        return false;
    int64_t bytes = se_token_place(b->texts, h->lists ? lists : 0, b->tokens, j->wide).bytes;
    return b->bytes == bytes &&
           b->check == se_hash_text(b + 1, (size_t)bytes - sizeof *b, j->check);
}

static se_status take_block(se_token_job *j, const se_map *map, const se_token_head *h)
{
    const se_token_block *b = (const void *)(map->data + j->at);
    int64_t lists = PAIRS * (int64_t)h->columns;
    se_token_offsets o = se_token_place(b->texts, h->lists ? lists : 0, b->tokens, j->wide);
    const uint64_t *hash = (const void *)(map->data + j->at + o.hash);
    const uint32_t *first = (const void *)(map->data + j->at + o.first);
    for (int64_t i = 0; i < lists; i += h->columns)
        j->bucket[se_token_bucket(hash[h->lists ? first[i] : i])]++;
    se_status s = se_blob_add(&j->offsets, &j->at, sizeof j->at);
    if (s == SE_OK)
        s = se_blob_add(&j->places, &j->place, sizeof j->place);
    j->place = b->after;
    memcpy(j->stats, b->stats, sizeof j->stats);
    j->check = b->check;
    j->at += b->bytes;
    j->pairs += b->pairs;
    j->blocks++;
    return s;
}

/* A .part file's blocks that are whole and belong to these facts are kept: the rest is cut off. */
static se_status take_up(se_token_job *j, const se_map *map)
{
    const se_token_head *h = (const void *)map->data;
    const char *text = (const char *)(h + 1);
    size_t facts = strlen(j->facts);
    if (map->bytes < sizeof *h || h->magic != SE_TOKEN_MAGIC || h->version != SE_TOKEN_VERSION ||
        h->pairs_in_block != PAIRS || h->facts != facts || h->text <= facts ||
        h->text > map->bytes - sizeof *h || h->columns < 1 || h->columns > SE_MAX_COLUMNS ||
        memcmp(text, j->facts, facts) != 0)
        return SE_OK;
    se_json *names;
    se_status s = se_json_parse(text + facts, h->text - facts, j->part, &names);
    se_columns *columns = se_source_columns(j->source);
    for (int64_t i = 0; s == SE_OK && columns->n < (int32_t)h->columns; i++) {
        const char *name = se_json_string(se_json_at(names, i), NULL);
        s = se_columns_add(columns, name ? name : "?");
    }
    columns->lists = h->lists != 0;
    columns->decided = true;
    se_json_free(names);
    j->at = (int64_t)((sizeof *h + h->text + SE_TOKEN_ALIGN - 1) / SE_TOKEN_ALIGN * SE_TOKEN_ALIGN);
    while (s == SE_OK && is_block(j, map, h))
        s = take_block(j, map, h);
    j->resumed = j->pairs;
    return s == SE_OK && j->blocks > 0 ? se_source_go(j->source, &j->place) : s;
}

static se_status append(se_token_job *j, const void *data, size_t bytes)
{
    se_status s = se_disk_write(j->fd, data, bytes, j->part);
    j->at += s == SE_OK ? (int64_t)bytes : 0;
    return s;
}

/* The head, once the first record has told the columns. */
static se_status write_head(se_token_job *j)
{
    const se_columns *c = se_source_columns(j->source);
    se_json *names;
    char *line_of_names = NULL;
    se_status s = se_token_names(c, &names);
    if (s != SE_OK)
        return s;
    s = se_token_line(names, &line_of_names);
    se_json_free(names);
    if (s != SE_OK)
        return s;
    size_t facts = strlen(j->facts), more = strlen(line_of_names);
    se_token_head h = {.magic = SE_TOKEN_MAGIC,
                       .version = SE_TOKEN_VERSION,
                       .pairs_in_block = PAIRS,
                       .columns = (uint32_t)c->n,
                       .wide = j->wide,
                       .facts = facts,
                       .lists = c->lists,
                       .text = facts + more};
    static const char zeros[SE_TOKEN_ALIGN];
    s = append(j, &h, sizeof h);
    if (s == SE_OK)
        s = append(j, j->facts, facts);
    if (s == SE_OK)
        s = append(j, line_of_names, more);
    if (s == SE_OK)
        s = append(j, zeros, (size_t)(-j->at & (SE_TOKEN_ALIGN - 1)));
    free(line_of_names);
    return s;
}

/* Takes the lock on PATH.part; *got is false where another process has it. */
static se_status lock_part(se_token_job *j, bool *got)
{
    *got = false;
    if (j->fd < 0) {
        se_status s = se_disk_create(j->part, true, &j->fd);
        if (s != SE_OK)
            return s;
    }
    se_lock_state lock = se_disk_lock(j->fd);
    j->unlocked = lock == SE_LOCK_NONE;
    if (lock == SE_LOCK_OTHERS)
        return SE_OK;
    /* The one that had it may have renamed it away meanwhile. */
    *got = se_disk_is_at(j->fd, j->part);
    if (!*got) {
        close(j->fd);
        j->fd = -1;
    }
    return SE_OK;
}

/* Where to go on, and the first block's records. */
static se_status begin(se_token_job *j)
{
    se_map *map;
    se_record first;
    se_status s = se_map_open(j->part, &map);
    if (s != SE_OK)
        return s;
    s = take_up(j, map);
    se_map_release(map);
    if (s == SE_OK && j->blocks == 0)
        j->at = 0;
    if (s == SE_OK)
        s = se_disk_truncate(j->part, j->at);
    if (s != SE_OK)
        return s;
    se_reading *r = &j->read[j->turn];
    se_reading_fill(r, j->source, PAIRS);
    if (r->status != SE_OK && r->n == 0)
        return se_reading_tell(r);
    if (r->n > 0) {
        s = parse_line(j, r, 0, &first); /* decides about the columns */
        if (s != SE_OK)
            return s;
        se_record_free(&first);
    }
    if (j->blocks == 0)
        s = write_head(j);
    if (s == SE_OK && !j->records)
        j->records = se_calloc(PAIRS, sizeof *j->records);
    return s == SE_OK && !j->records ? SE_ERR_MEMORY : s;
}

/* --- blocks --- */

/* Parses the records of a block, while the next ones are read. The first bad one is told. */
static se_status parse_block(se_token_job *j, const se_reading *r, se_reading *next)
{
    int64_t bad = r->n;
    se_status status = SE_OK;
    char *message = NULL;
#pragma omp parallel num_threads(se_threads())
    {
#pragma omp single nowait
        if (!r->last && r->status == SE_OK)
            se_reading_fill(next, j->source, PAIRS);
#pragma omp for schedule(dynamic, 64)
        for (int64_t i = 0; i < r->n; i++) {
            se_status s = parse_line(j, r, i, &j->records[i]);
            if (s == SE_OK)
                continue;
#pragma omp critical(se_token_job_bad)
            if (i < bad) {
                bad = i;
                status = s;
                free(message);
                message = se_strdup(se_message());
            }
        }
    }
    if (status != SE_OK)
        se_fail(status, "%s", message ? message : "");
    free(message);
    return status;
}

static void free_records(se_token_job *j, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        se_record_free(&j->records[i]);
}

static void count_text(se_column_stats *s, int64_t tokens, int64_t bytes, int64_t cut)
{
    s->texts++;
    s->tokens += tokens;
    s->bytes += bytes;
    s->truncated += cut > 0;
    s->cut += cut;
    s->longest = tokens > s->longest ? tokens : s->longest;
}

/* The hashes of a block's texts, and what they hold. */
static void count_block(se_token_job *j, uint64_t *hash, int64_t lists)
{
    const char *const *text = (const void *)j->text.data;
    const size_t *bytes = (const void *)j->bytes.data;
    const uint32_t *first = (const void *)j->first.data;
    const se_token_batch *b = &j->batch;
    int32_t columns = se_source_columns(j->source)->n;
#pragma omp parallel for schedule(static) num_threads(se_threads())
    for (int64_t i = 0; i < first[lists]; i++)
        hash[i] = se_hash_text(text[i], bytes[i], 0);
    for (int64_t l = 0; l < lists; l++) {
        for (int64_t i = first[l]; i < first[l + 1]; i++)
            count_text(&j->stats[l % columns], b->starts[i + 1] - b->starts[i], (int64_t)bytes[i],
                       b->cuts[i]);
        j->bucket[se_token_bucket(hash[first[l]])] += l % columns == 0;
    }
}

/* Fills the arrays of a block from the batch. */
static void fill_block(se_token_job *j, const se_token_offsets *o, int64_t lists, int64_t texts)
{
    char *data = j->block.data;
    const se_token_batch *b = &j->batch;
    uint32_t *start = (uint32_t *)(void *)(data + o->start);
    count_block(j, (uint64_t *)(void *)(data + o->hash), lists);
    for (int64_t i = 0; i < texts; i++) {
        start[i] = (uint32_t)b->starts[i];
        data[o->cut + i] = b->cuts[i] > 0;
    }
    start[texts] = (uint32_t)b->total;
    if (se_source_columns(j->source)->lists)
        memcpy(data + o->first, j->first.data, (size_t)(lists + 1) * sizeof(uint32_t));
    if (j->wide)
        memcpy(data + o->ids, b->ids, (size_t)b->total * 4);
    uint16_t *ids = (uint16_t *)(void *)(data + o->ids);
    for (int64_t i = 0; !j->wide && i < b->total; i++)
        ids[i] = (uint16_t)b->ids[i];
}

static se_status write_block(se_token_job *j, const se_reading *r)
{
    const se_columns *c = se_source_columns(j->source);
    int64_t lists = r->n * c->n, texts = (int64_t)(j->text.bytes / sizeof(char *));
    se_token_offsets o = se_token_place(texts, c->lists ? lists : 0, j->batch.total, j->wide);
    j->block.bytes = 0;
    se_status s = se_blob_reserve(&j->block, (size_t)o.bytes);
    if (s != SE_OK)
        return s;
    memset(j->block.data, 0, (size_t)o.bytes);
    fill_block(j, &o, lists, texts);
    se_token_block *b = (void *)j->block.data;
    *b = (se_token_block){.magic = SE_TOKEN_BLOCK_MAGIC,
                          .number = j->blocks,
                          .pairs = r->n,
                          .tokens = j->batch.total,
                          .bytes = o.bytes,
                          .texts = texts,
                          .after = r->after};
    b->check = se_hash_text(b + 1, (size_t)o.bytes - sizeof *b, j->check);
    memcpy(b->stats, j->stats, sizeof b->stats);
    s = se_blob_add(&j->offsets, &j->at, sizeof j->at);
    if (s == SE_OK)
        s = se_blob_add(&j->places, &j->place, sizeof j->place);
    if (s == SE_OK)
        s = append(j, b, (size_t)o.bytes);
    if (s == SE_OK && (j->blocks + 1) % SYNC_BLOCKS == 0)
        s = se_disk_sync(j->fd, j->part);
    j->check = b->check;
    j->place = r->after;
    j->pairs += r->n;
    j->blocks++;
    return s;
}

/* All texts of the records, list by list. */
static se_status gather(se_token_job *j, const se_reading *r)
{
    int32_t columns = se_source_columns(j->source)->n;
    uint32_t n = 0;
    j->text.bytes = j->bytes.bytes = j->first.bytes = 0;
    se_status s = se_blob_add(&j->first, &n, sizeof n);
    for (int64_t l = 0; s == SE_OK && l < r->n * columns; l++) {
        const se_record *record = &j->records[l / columns];
        int32_t c = (int32_t)(l % columns);
        for (int64_t k = 0; s == SE_OK && k < se_record_count(record, c); k++, n++) {
            size_t bytes;
            const char *text = se_record_text(record, c, k, &bytes);
            s = se_blob_add(&j->text, &text, sizeof text);
            if (s == SE_OK)
                s = se_blob_add(&j->bytes, &bytes, sizeof bytes);
        }
        if (s == SE_OK)
            s = se_blob_add(&j->first, &n, sizeof n);
    }
    return s;
}

/* Records -> tokens -> a block of the file. */
static se_status tokenise_block(se_token_job *j, const se_reading *r)
{
    se_status s = gather(j, r);
    if (s == SE_OK)
        s = se_tokenizer_encode_batch(
            j->tokenizer, (const void *)j->text.data, (const void *)j->bytes.data,
            (int64_t)(j->text.bytes / sizeof(char *)), j->max_tokens, false, &j->batch);
    return s == SE_OK ? write_block(j, r) : s;
}

/* --- the end of the file --- */

static se_status write_tail(se_token_job *j)
{
    int64_t bytes = se_token_tail(j->blocks);
    char *tail = se_calloc(1, (size_t)bytes);
    if (!tail)
        return SE_ERR_MEMORY;
    int64_t *offset = (int64_t *)(void *)tail;
    memcpy(offset, j->offsets.data, (size_t)j->blocks * 8);
    offset[j->blocks] = j->at;
    memcpy(offset + j->blocks + 1, j->places.data, j->places.bytes);
    memcpy(tail + (j->blocks + 1) * 8 + j->places.bytes, j->bucket, sizeof j->bucket);
    se_token_end e = {.pairs = j->pairs,
                      .blocks = j->blocks,
                      .tail = j->at,
                      .check = j->check,
                      .magic = SE_TOKEN_MAGIC};
    e.tail_check = se_hash_text(tail, (size_t)bytes, e.check ^ (uint64_t)e.pairs);
    se_status s = append(j, tail, (size_t)bytes);
    free(tail);
    return s == SE_OK ? append(j, &e, sizeof e) : s;
}

static se_status finish(se_token_job *j)
{
    se_status s = write_tail(j);
    if (s == SE_OK)
        s = se_disk_sync(j->fd, j->part);
    if (s == SE_OK)
        s = se_disk_rename(j->part, j->path);
    if (s != SE_OK)
        return s;
    char *folder = se_path_parent(j->path);
    s = folder ? se_disk_sync_path(folder) : SE_ERR_MEMORY;
    free(folder);
    j->done = s == SE_OK;
    return s;
}

/* --- steps --- */

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
}

static se_status open_part(se_token_job *j, bool *waiting)
{
    bool got;
    se_status s = lock_part(j, &got);
    if (s != SE_OK)
        return s;
    if (is_there(j)) /* made by another process meanwhile */
        return got ? se_disk_remove(j->part) : SE_OK;
    if (!got) {
        *waiting = true;
        wait_a_little();
        return SE_OK;
    }
    j->opened = true;
    return begin(j);
}

static se_status step(se_token_job *j)
{
    se_reading *now = &j->read[j->turn], *next = &j->read[1 - j->turn];
    se_status s = parse_block(j, now, next);
    if (s == SE_OK && now->n > 0)
        s = tokenise_block(j, now);
    free_records(j, now->n);
    if (s == SE_OK)
        s = se_reading_tell(now);
    j->turn = 1 - j->turn;
    return s == SE_OK && now->last ? finish(j) : s;
}

se_status se_token_job_step(se_token_job *j, bool *done, bool *waiting)
{
    *waiting = false;
    se_status s = SE_OK;
    if (se_interrupt_now())
        s = se_fail(SE_ERR_INTERRUPTED, "pairs: interrupted after %" PRId64 " pairs", j->pairs);
    else if (!j->done)
        s = j->opened ? step(j) : open_part(j, waiting);
    *done = s == SE_OK && j->done;
    return s;
}

const char *se_token_job_path(const se_token_job *j)
{
    return j->path;
}

int64_t se_token_job_pairs(const se_token_job *j)
{
    return j->pairs;
}

int64_t se_token_job_resumed(const se_token_job *j)
{
    return j->resumed;
}

int64_t se_token_job_other(const se_token_job *j)
{
    return j->fd >= 0 ? se_disk_lock_holder(j->fd) : 0;
}

bool se_token_job_unlocked(const se_token_job *j)
{
    return j->unlocked;
}

double se_token_job_progress(const se_token_job *j)
{
    return j->done ? 1 : se_source_progress(j->source);
}
