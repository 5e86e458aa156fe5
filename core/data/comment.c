#include "data/comment.h"
#include "data/hash.h"
#include "data/record.h"
#include "io/md5.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* --- parsing --- */

/* Copies an id without any "t<digit>_" in it; returns the bytes. */
static size_t plain_id(const char *id, size_t bytes, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes;)
        if (i + 2 < bytes && id[i] == 't' && id[i + 1] >= '0' && id[i + 1] <= '9' &&
            id[i + 2] == '_')
            i += 3;
        else
            out[n++] = id[i++];
    return n;
}

static se_status take(const se_json *root, const char *key, const char *file, int64_t number,
                      const char **text, size_t *bytes)
{
    const se_json *v = se_json_get(root, key);
    if (!v)
        return se_record_missing(root, key, file, number);
    *text = se_json_string(v, bytes);
    if (*text && *bytes < UINT32_MAX / 8)
        return SE_OK;
    return se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": \"%s\" is %s, expected a string", file, number,
                   key, se_record_kind(v));
}

static se_status take_fields(se_comment *c, const char *file, int64_t number, bool all)
{
    static const char *const KEY[SE_COMMENT_FIELDS] = {"id",     "link_id",   "parent_id",
                                                       "author", "subreddit", "body"};
    const char *text[SE_COMMENT_FIELDS] = {"", "", "", "", "", ""};
    size_t bytes[SE_COMMENT_FIELDS] = {0};
    for (int i = 0; i < SE_COMMENT_FIELDS; i++) {
        if (!all && (i == SE_COMMENT_AUTHOR || i == SE_COMMENT_SUBREDDIT))
            continue;
        se_status s = take(c->root, KEY[i], file, number, &text[i], &bytes[i]);
        if (s != SE_OK)
            return s;
    }
    c->ids =
        se_malloc(bytes[SE_COMMENT_ID] + bytes[SE_COMMENT_THREAD] + bytes[SE_COMMENT_PARENT] + 1);
    if (!c->ids)
        return SE_ERR_MEMORY;
    char *to = c->ids;
    for (int i = 0; i < SE_COMMENT_FIELDS; i++) {
        c->text[i] = text[i];
        if (i <= SE_COMMENT_PARENT) {
            bytes[i] = plain_id(text[i], bytes[i], to);
            c->text[i] = to;
            to += bytes[i];
        }
        c->bytes[i] = (uint32_t)bytes[i];
    }
    return SE_OK;
}

se_status se_comment_parse(const char *line, size_t bytes, const char *file, int64_t number,
                           bool all, se_comment *out)
{
    memset(out, 0, sizeof *out);
    se_status s = se_record_json(line, bytes, file, number, &out->root);
    if (s == SE_OK && se_json_type(out->root) != SE_JSON_OBJECT)
        s = se_fail(SE_ERR_FORMAT, "%s:%" PRId64 ": %s, expected a comment as a JSON object", file,
                    number, se_record_kind(out->root));
    if (s == SE_OK)
        s = take_fields(out, file, number, all);
    if (s != SE_OK)
        se_comment_free(out);
    return s;
}

void se_comment_free(se_comment *c)
{
    se_json_free(c->root);
    free(c->ids);
    free(c->body);
    memset(c, 0, sizeof *c);
}

/* --- the rules --- */

/* A letter, digit or other number, as Python's str.isalnum has it. */
static bool is_word(int32_t point)
{
    utf8proc_category_t k = utf8proc_category(point);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

static size_t point_at(const char *text, size_t bytes, int32_t *point)
{
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)bytes, point);
    return n > 0 ? (size_t)n : 1;
}

/* Bytes of the longest beginning of at most `longest` code points that ends where a word ends or
 * begins; all of the text where it is not longer. *points counts no further than longest + 1. */
static size_t cut(const char *text, size_t bytes, int32_t longest, int64_t *points)
{
    size_t at = 0, border = 0;
    bool before = false;
    *points = 0;
    while (at < bytes && *points <= longest) {
        int32_t point = 0;
        size_t n = point_at(text + at, bytes - at, &point);
        bool word = is_word(point);
        if (*points > 0 && word != before)
            border = at;
        before = word;
        at += n;
        ++*points;
    }
    return *points <= longest ? bytes : border;
}

static bool is_text(const se_comment *c, const char *text)
{
    return c->bytes[SE_COMMENT_BODY] == strlen(text) &&
           memcmp(c->text[SE_COMMENT_BODY], text, strlen(text)) == 0;
}

void se_comment_judge(se_comment *c, const se_comments_options *o)
{
    int64_t points;
    size_t bytes = cut(c->text[SE_COMMENT_BODY], c->bytes[SE_COMMENT_BODY], o->longest, &points);
    c->skip = points > o->longest || points < o->shortest || is_text(c, "[deleted]") ||
              is_text(c, "[removed]");
    c->bytes[SE_COMMENT_BODY] = c->skip && o->contexts == 0 ? 0 : (uint32_t)bytes;
}

bool se_comment_trains(const char *thread, size_t bytes)
{
    uint8_t digest[16];
    se_md5(thread, bytes, digest);
    int32_t part = (digest[14] & 15) << 8 | digest[15];
    return (1 + part) / 4096.0 < 0.9;
}

uint64_t se_comment_thread(const se_comment *c)
{
    return se_hash_text(c->text[SE_COMMENT_THREAD], c->bytes[SE_COMMENT_THREAD], 0);
}

/* --- partitions --- */

typedef struct stored {
    uint32_t bytes[SE_COMMENT_FIELDS];
    uint32_t skip;
    uint32_t total; /* bytes of the texts, filled up to 8 */
} stored;

se_status se_comment_write(const se_comment *c, se_blob *to)
{
    static const char zeros[8];
    stored h = {.skip = c->skip};
    memcpy(h.bytes, c->bytes, sizeof h.bytes);
    size_t n = 0;
    for (int i = 0; i < SE_COMMENT_FIELDS; i++)
        n += c->bytes[i];
    h.total = (uint32_t)((n + 7) / 8 * 8);
    se_status s = se_blob_reserve(to, sizeof h + h.total);
    if (s == SE_OK)
        s = se_blob_add(to, &h, sizeof h);
    for (int i = 0; s == SE_OK && i < SE_COMMENT_FIELDS; i++)
        s = se_blob_add(to, c->text[i], c->bytes[i]);
    return s == SE_OK ? se_blob_add(to, zeros, h.total - n) : s;
}

size_t se_comment_read(const char *data, size_t bytes, se_comment *out)
{
    stored h;
    if (bytes < sizeof h)
        return 0;
    memcpy(&h, data, sizeof h);
    uint64_t n = 0;
    for (int i = 0; i < SE_COMMENT_FIELDS; i++)
        n += h.bytes[i];
    if (n > h.total || h.total > bytes - sizeof h || h.total % 8)
        return 0;
    memset(out, 0, sizeof *out);
    out->skip = h.skip != 0;
    const char *at = data + sizeof h;
    for (int i = 0; i < SE_COMMENT_FIELDS; i++) {
        out->text[i] = at;
        out->bytes[i] = h.bytes[i];
        at += h.bytes[i];
    }
    return sizeof h + h.total;
}
