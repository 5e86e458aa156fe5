#include "data/pairs.h"
#include "data/blob.h"
#include "data/hash.h"
#include "data/lines.h"
#include "data/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A column. Text i: texts[text_starts[i] .. text_starts[i+1]), tokens likewise. */
typedef struct column {
    se_blob texts, text_starts; /* bytes; int64_t [n + 1] */
    se_blob hashes;             /* uint64_t [n] */
    se_blob ids, id_starts;     /* uint16_t or int32_t; int64_t [n + 1] */
    se_blob cut;                /* uint8_t [n] */
    se_column_stats stats;
} column;

struct se_pairs {
    char **file;
    int32_t n_files, now; /* file[now] is being read */
    se_lines *lines;
    int64_t in_file; /* pairs of that file so far */
    int64_t bytes_before, bytes_all;
    const se_tokenizer *tokenizer;
    int32_t max_tokens;
    bool wide; /* ids need more than 16 bits */
    se_columns columns;
    int64_t n;
    column column[SE_MAX_COLUMNS];
    se_token_batch batch;
};

/* Opens every file once, so that a missing one is known before a long load. */
static se_status look_at_files(se_pairs *p)
{
    for (int32_t i = 0; i < p->n_files; i++) {
        se_lines *l;
        if (strcmp(p->file[i], "-") == 0)
            continue;
        se_status s = se_lines_open(p->file[i], &l);
        if (s != SE_OK)
            return s;
        p->bytes_all += se_lines_size(l);
        se_lines_close(l);
    }
    return SE_OK;
}

se_status se_pairs_open(int32_t n_files, const char *const *files, int32_t n_columns,
                        const char *const *columns, const se_tokenizer *tokenizer,
                        int32_t max_tokens, se_pairs **out)
{
    *out = NULL;
    if (n_files < 1)
        return se_fail(SE_ERR_ARG, "pairs: no files: expected at least one");
    se_pairs *p = se_calloc(1, sizeof *p);
    if (!p)
        return SE_ERR_MEMORY;
    p->tokenizer = tokenizer;
    p->max_tokens = max_tokens;
    p->wide = tokenizer && se_tokenizer_vocab_size(tokenizer) > 65536;
    p->file = se_calloc((size_t)n_files, sizeof *p->file);
    se_status s = p->file ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < n_files; i++) {
        p->file[i] = se_strdup(files[i]);
        s = p->file[i] ? SE_OK : SE_ERR_MEMORY;
        p->n_files = i + 1;
    }
    for (int32_t i = 0; s == SE_OK && i < n_columns; i++)
        s = se_columns_add(&p->columns, columns[i]);
    if (s == SE_OK)
        s = look_at_files(p);
    if (s != SE_OK)
        se_pairs_free(p);
    else
        *out = p;
    return s;
}

void se_pairs_free(se_pairs *p)
{
    if (!p)
        return;
    for (int32_t c = 0; c < SE_MAX_COLUMNS; c++) {
        se_blob_free(&p->column[c].texts);
        se_blob_free(&p->column[c].text_starts);
        se_blob_free(&p->column[c].hashes);
        se_blob_free(&p->column[c].ids);
        se_blob_free(&p->column[c].id_starts);
        se_blob_free(&p->column[c].cut);
    }
    se_token_batch_free(&p->batch);
    se_lines_close(p->lines);
    for (int32_t i = 0; i < p->n_files; i++)
        free(p->file[i]);
    free(p->file);
    se_columns_free(&p->columns);
    free(p);
}

static int64_t start_at(const se_blob *starts, int64_t i)
{
    return ((const int64_t *)(const void *)starts->data)[i];
}

static se_status add_start(se_blob *starts, int64_t at)
{
    return se_blob_add(starts, &at, sizeof at);
}

/* Appends a line's texts and their hashes. */
static se_status add_record(se_pairs *p, const se_record *r)
{
    se_status s = SE_OK;
    for (int32_t i = 0; s == SE_OK && i < p->columns.n; i++) {
        column *c = &p->column[i];
        uint64_t hash = se_hash_text(r->text[i], r->bytes[i], 0);
        if (c->text_starts.bytes == 0)
            s = add_start(&c->text_starts, 0);
        if (s == SE_OK)
            s = se_blob_add(&c->texts, r->text[i], r->bytes[i]);
        if (s == SE_OK)
            s = add_start(&c->text_starts, (int64_t)c->texts.bytes);
        if (s == SE_OK)
            s = se_blob_add(&c->hashes, &hash, sizeof hash);
        c->stats.bytes = (int64_t)c->texts.bytes;
    }
    return s;
}

static se_status add_ids(se_pairs *p, column *c, const int32_t *ids, int64_t n)
{
    if (p->wide)
        return se_blob_add(&c->ids, ids, (size_t)n * sizeof *ids);
    se_status s = se_blob_reserve(&c->ids, (size_t)n * sizeof(uint16_t));
    if (s != SE_OK)
        return s;
    uint16_t *to = (uint16_t *)(void *)(c->ids.data + c->ids.bytes);
    for (int64_t i = 0; i < n; i++)
        to[i] = (uint16_t)ids[i];
    c->ids.bytes += (size_t)n * sizeof *to;
    return SE_OK;
}

/* Appends the tokens of the texts p->n .. p->n + n - 1 of a column, which p->batch holds. */
static se_status add_tokens(se_pairs *p, column *c, int64_t n)
{
    const se_token_batch *b = &p->batch;
    int64_t before = c->stats.tokens;
    se_status s = c->id_starts.bytes ? SE_OK : add_start(&c->id_starts, 0);
    if (s == SE_OK)
        s = add_ids(p, c, b->ids, b->total);
    for (int64_t i = 0; s == SE_OK && i < n; i++) {
        uint8_t cut = b->cuts[i] > 0;
        int32_t tokens = b->starts[i + 1] - b->starts[i];
        c->stats.longest = tokens > c->stats.longest ? tokens : c->stats.longest;
        s = add_start(&c->id_starts, before + b->starts[i + 1]);
        if (s == SE_OK)
            s = se_blob_add(&c->cut, &cut, sizeof cut);
    }
    c->stats.tokens += b->total;
    c->stats.truncated += b->n_cut;
    c->stats.cut += b->cut;
    return s;
}

/* Tokenises the n pairs that were appended since p->n. */
static se_status tokenise(se_pairs *p, int64_t n)
{
    const char **text = se_malloc((size_t)n * sizeof *text);
    size_t *bytes = se_malloc((size_t)n * sizeof *bytes);
    se_status s = text && bytes ? SE_OK : SE_ERR_MEMORY;
    for (int32_t i = 0; s == SE_OK && i < p->columns.n; i++) {
        column *c = &p->column[i];
        for (int64_t j = 0; j < n; j++) {
            int64_t begin = start_at(&c->text_starts, p->n + j);
            text[j] = c->texts.data ? c->texts.data + begin : "";
            bytes[j] = (size_t)(start_at(&c->text_starts, p->n + j + 1) - begin);
        }
        s = se_tokenizer_encode_batch(p->tokenizer, text, bytes, n, p->max_tokens, false,
                                      &p->batch);
        if (s == SE_OK)
            s = add_tokens(p, c, n);
    }
    free(text);
    free(bytes);
    return s;
}

static bool blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* Closes the file that is read; it must have held pairs. */
static se_status end_of_file(se_pairs *p)
{
    const char *file = p->file[p->now];
    if (p->in_file == 0)
        return se_fail(SE_ERR_FORMAT,
                       "%s: no pairs: %s, expected a JSON object or array of texts on each line",
                       file, se_lines_number(p->lines) ? "blank lines only" : "the file is empty");
    p->bytes_before += se_lines_size(p->lines);
    se_lines_close(p->lines);
    p->lines = NULL;
    p->in_file = 0;
    p->now++;
    return SE_OK;
}

/* Reads a line into the columns; *got tells whether it was a pair. */
static se_status step_line(se_pairs *p, bool *got)
{
    const char *text;
    size_t bytes;
    se_record r;
    se_status s = SE_OK;
    *got = false;
    if (!p->lines)
        s = se_lines_open(p->file[p->now], &p->lines);
    if (s == SE_OK)
        s = se_lines_next(p->lines, &text, &bytes);
    if (s != SE_OK)
        return s;
    if (!text)
        return end_of_file(p);
    if (blank(text, bytes))
        return SE_OK;
    s = se_record_parse(text, bytes, p->file[p->now], se_lines_number(p->lines), &p->columns, &r);
    if (s != SE_OK)
        return s;
    s = add_record(p, &r);
    se_record_free(&r);
    p->in_file++;
    *got = true;
    return s;
}

se_status se_pairs_step(se_pairs *p, int64_t max_lines, bool *done)
{
    se_status s = SE_OK;
    int64_t n = 0;
    bool got;
    for (int64_t i = 0; s == SE_OK && i < max_lines && p->now < p->n_files; i++) {
        if (se_interrupt_now()) {
            s = se_fail(SE_ERR_INTERRUPTED, "pairs: interrupted after %" PRId64 " pairs", p->n + n);
            break;
        }
        s = step_line(p, &got);
        n += got;
    }
    /* What was read before an interrupt counts; behind a bad line nothing is of use. */
    if ((s == SE_OK || s == SE_ERR_INTERRUPTED) && n > 0) {
        se_status t = p->tokenizer ? tokenise(p, n) : SE_OK;
        s = t != SE_OK ? t : s;
        p->n += t == SE_OK ? n : 0;
    }
    *done = s == SE_OK && p->now == p->n_files;
    if (*done)
        se_token_batch_free(&p->batch);
    return s;
}

double se_pairs_progress(const se_pairs *p)
{
    if (p->now == p->n_files)
        return 1;
    int64_t at = p->bytes_before + (p->lines ? se_lines_read(p->lines) : 0);
    return p->bytes_all > 0 ? (double)at / (double)p->bytes_all : 0;
}

int64_t se_pairs_count(const se_pairs *p)
{
    return p->n;
}

int32_t se_pairs_columns(const se_pairs *p)
{
    return p->columns.n;
}

const char *se_pairs_column_name(const se_pairs *p, int32_t i)
{
    return i >= 0 && i < p->columns.n ? p->columns.name[i] : NULL;
}

int32_t se_pairs_column(const se_pairs *p, const char *name)
{
    for (int32_t i = 0; i < p->columns.n; i++)
        if (strcmp(p->columns.name[i], name) == 0)
            return i;
    return -1;
}

/* NULL with a message where there is no such column. */
static const column *find_column(const se_pairs *p, int32_t i)
{
    if (i >= 0 && i < p->columns.n)
        return &p->column[i];
    se_fail(SE_ERR_ARG, "pairs: column %d: there are %d", i, p->columns.n);
    return NULL;
}

se_status se_pairs_stats(const se_pairs *p, int32_t i, se_column_stats *out)
{
    const column *c = find_column(p, i);
    if (!c)
        return SE_ERR_ARG;
    *out = c->stats;
    return SE_OK;
}

const char *se_pairs_text(const se_pairs *p, int32_t i, int64_t pair, size_t *bytes)
{
    *bytes = 0;
    if (i < 0 || i >= p->columns.n || pair < 0 || pair >= p->n)
        return NULL;
    const column *c = &p->column[i];
    int64_t begin = start_at(&c->text_starts, pair);
    *bytes = (size_t)(start_at(&c->text_starts, pair + 1) - begin);
    return c->texts.data ? c->texts.data + begin : "";
}

uint64_t se_pairs_hash(const se_pairs *p, int32_t i, int64_t pair)
{
    if (i < 0 || i >= p->columns.n || pair < 0 || pair >= p->n)
        return 0;
    return ((const uint64_t *)(const void *)p->column[i].hashes.data)[pair];
}

se_status se_pairs_pack(const se_pairs *p, int32_t i, int64_t n, const int64_t *which, int32_t pad,
                        se_packed *out, int32_t *ids, int32_t *starts, int32_t *positions)
{
    const column *c = find_column(p, i);
    if (!c)
        return SE_ERR_ARG;
    if (!p->tokenizer)
        return se_fail(SE_ERR_STATE, "pairs: loaded without a tokenizer: there are no tokens");
    const void *tokens = c->ids.data;
    se_pack_source from = {.texts = p->n,
                           .ids16 = p->wide ? NULL : tokens,
                           .ids32 = p->wide ? tokens : NULL,
                           .starts64 = (const int64_t *)(const void *)c->id_starts.data,
                           .cut8 = (const uint8_t *)c->cut.data};
    return se_pack(&from, n, which, pad, out, ids, starts, positions);
}

int64_t se_pairs_split(const se_pairs *p, double fraction, int64_t seed, bool held, int64_t *out,
                       int64_t room)
{
    int64_t n = 0;
    uint64_t key = se_hash_mix((uint64_t)seed + 0x9e3779b97f4a7c15u);
    for (int64_t i = 0; i < p->n; i++) {
        double u = (double)(se_hash_mix(se_pairs_hash(p, 0, i) ^ key) >> 11) * 0x1p-53;
        if ((u < fraction) != held)
            continue;
        if (n < room)
            out[n] = i;
        n++;
    }
    return n;
}
