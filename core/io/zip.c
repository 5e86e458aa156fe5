#include "io/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Sizes and signatures by PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16. */
enum { LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56, COMMENT = 65535 };
static const uint32_t LOCAL_SIGN = 0x04034b50, CENTRAL_SIGN = 0x02014b50, END_SIGN = 0x06054b50,
                      LOCATOR_SIGN = 0x07064b50, END64_SIGN = 0x06064b50;

typedef struct reader {
    const char *data, *path;
    uint64_t bytes;
    uint64_t directory, directory_end; /* the central directory */
    uint64_t n;                        /* members */
} reader;

static uint64_t number(const char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return x;
}

#define BAD(r, at, format, ...)                                                                    \
    se_fail(SE_ERR_FORMAT, "%s: offset %" PRIu64 ": " format, (r)->path, (uint64_t)(at),           \
            __VA_ARGS__)

/* How a member is called in messages. */
#define NAME(m) (int)((m)->name_bytes < 80 ? (m)->name_bytes : 80), (m)->name

/* --- where the directory is --- */

/* The end record: the last bytes of the file but for a comment whose length it tells. */
static se_status find_end(const reader *r, uint64_t *out)
{
    uint64_t lowest = r->bytes > END + COMMENT ? r->bytes - END - COMMENT : 0;
    if (r->bytes >= END)
        for (uint64_t at = r->bytes - END;; at--) {
            const char *p = r->data + at;
            if (number(p, 4) == END_SIGN && at + END + number(p + 20, 2) == r->bytes) {
                *out = at;
                return SE_OK;
            }
            if (at == lowest)
                break;
        }
    return BAD(r, r->bytes, "%s",
               "no end record of a zip archive before this, expected one: the file is cut off");
}

static se_status read_end64(reader *r, uint64_t end, bool *found)
{
    *found = end >= LOCATOR && number(r->data + end - LOCATOR, 4) == LOCATOR_SIGN;
    if (!*found)
        return SE_OK;
    uint64_t locator = end - LOCATOR, at = number(r->data + locator + 8, 8);
    if (locator < END64 || at > locator - END64)
        return BAD(r, locator, "zip64 end record at %" PRIu64 ", expected it before this", at);
    const char *p = r->data + at;
    if (number(p, 4) != END64_SIGN)
        return BAD(r, at, "signature 0x%08" PRIx64 ", expected 0x%08" PRIx32 " (zip64 end record)",
                   number(p, 4), END64_SIGN);
    if (number(p + 16, 4) != 0 || number(p + 20, 4) != 0 || number(p + 24, 8) != number(p + 32, 8))
        return BAD(r, at, "%s", "an archive in several parts, expected one");
    r->n = number(p + 32, 8);
    uint64_t size = number(p + 40, 8);
    r->directory = number(p + 48, 8);
    if (r->directory > at || size > at - r->directory)
        return BAD(r, at, "directory of %" PRIu64 " bytes at %" PRIu64 ", expected it before this",
                   size, r->directory);
    r->directory_end = r->directory + size;
    return SE_OK;
}

static se_status find_directory(reader *r)
{
    uint64_t end = 0;
    bool wide = false;
    se_status s = find_end(r, &end);
    if (s == SE_OK)
        s = read_end64(r, end, &wide);
    if (s != SE_OK)
        return s;
    if (!wide) {
        const char *p = r->data + end;
        if (number(p + 4, 2) != 0 || number(p + 6, 2) != 0 || number(p + 8, 2) != number(p + 10, 2))
            return BAD(r, end, "%s", "an archive in several parts, expected one");
        uint64_t size = number(p + 12, 4);
        r->n = number(p + 10, 2);
        r->directory = number(p + 16, 4);
        if (r->directory > end || size > end - r->directory)
            return BAD(r, end,
                       "directory of %" PRIu64 " bytes at %" PRIu64 ", expected it before this",
                       size, r->directory);
        r->directory_end = r->directory + size;
    }
    uint64_t room = (r->directory_end - r->directory) / CENTRAL;
    if (r->n > room)
        return BAD(r, r->directory,
                   "%" PRIu64 " members, expected at most the %" PRIu64 " that the directory holds",
                   r->n, room);
    return SE_OK;
}

/* --- members --- */

/* The zip64 extra field holds, in this order, those of the three that the header says are there. */
static se_status read_extra(const reader *r, uint64_t at, uint64_t bytes, uint64_t *wide[3])
{
    const char *p = r->data + at;
    bool needed = wide[0] || wide[1] || wide[2];
    while (needed && bytes >= 4) {
        uint64_t id = number(p, 2), n = number(p + 2, 2);
        if (n > bytes - 4)
            break;
        if (id == 1) {
            const char *q = p + 4;
            for (int i = 0; i < 3; i++) {
                if (!wide[i])
                    continue;
                if (n < 8)
                    return BAD(r, at, "%s", "zip64 field cut short, expected 8 bytes for a size");
                *wide[i] = number(q, 8);
                q += 8;
                n -= 8;
            }
            return SE_OK;
        }
        p += 4 + n;
        bytes -= 4 + n;
    }
    if (needed)
        return BAD(r, at, "%s", "no zip64 field, expected one for a size of 0xffffffff");
    return SE_OK;
}

/* Where the data begin is told by the local header alone. */
static se_status read_local(const reader *r, se_zip_member *m)
{
    if (m->header > r->directory || r->directory - m->header < LOCAL)
        return BAD(r, m->header,
                   "member '%.*s' begins here, expected before the directory at %" PRIu64, NAME(m),
                   r->directory);
    const char *p = r->data + m->header;
    if (number(p, 4) != LOCAL_SIGN)
        return BAD(r, m->header,
                   "signature 0x%08" PRIx64 ", expected 0x%08" PRIx32 " (member '%.*s')",
                   number(p, 4), LOCAL_SIGN, NAME(m));
    uint64_t name = number(p + 26, 2), extra = number(p + 28, 2);
    m->at = m->header + LOCAL + name + extra;
    if (m->at > r->directory || m->bytes > r->directory - m->at)
        return BAD(r, m->header,
                   "member '%.*s' has %" PRIu64 " bytes, expected at most the %" PRIu64
                   " before the directory",
                   NAME(m), m->bytes, m->at > r->directory ? 0 : r->directory - m->at);
    if (name != m->name_bytes || memcmp(p + LOCAL, m->name, m->name_bytes) != 0)
        return BAD(r, m->header, "a member of another name, expected '%.*s' as the directory says",
                   NAME(m));
    if (number(p + 8, 2) != 0)
        return BAD(r, m->header, "member '%.*s' is compressed, expected it stored", NAME(m));
    return SE_OK;
}

/* The entry at *at, which is moved behind it. */
static se_status read_central(const reader *r, uint64_t *at, se_zip_member *m)
{
    const char *p = r->data + *at;
    uint64_t left = r->directory_end - *at;
    if (left < CENTRAL || number(p, 4) != CENTRAL_SIGN)
        return BAD(r, *at, "%s", "no entry of the zip directory, expected one");
    uint64_t name = number(p + 28, 2), extra = number(p + 30, 2), comment = number(p + 32, 2);
    if (name + extra + comment > left - CENTRAL)
        return BAD(r, *at, "%s", "an entry that goes beyond the zip directory");
    m->name = p + CENTRAL;
    m->name_bytes = (size_t)name;
    if (number(p + 8, 2) & 1)
        return BAD(r, *at, "member '%.*s' is encrypted, expected it plain", NAME(m));
    if (number(p + 10, 2) != 0)
        return BAD(r, *at,
                   "member '%.*s' is compressed (method %" PRIu64
                   "), expected it stored (method 0) as PyTorch writes it",
                   NAME(m), number(p + 10, 2));
    uint64_t packed = number(p + 20, 4);
    m->crc = (uint32_t)number(p + 16, 4);
    m->bytes = number(p + 24, 4);
    m->header = number(p + 42, 4);
    se_status s = read_extra(r, *at + CENTRAL + name, extra,
                             (uint64_t *[]){m->bytes == UINT32_MAX ? &m->bytes : NULL,
                                            packed == UINT32_MAX ? &packed : NULL,
                                            m->header == UINT32_MAX ? &m->header : NULL});
    if (s != SE_OK)
        return s;
    if (packed != m->bytes)
        return BAD(r, *at,
                   "member '%.*s' takes %" PRIu64 " bytes, expected the %" PRIu64
                   " of a stored member",
                   NAME(m), packed, m->bytes);
    *at += CENTRAL + name + extra + comment;
    return read_local(r, m);
}

/* --- the whole --- */

static int compare_names(const char *a, size_t n, const char *b, size_t m)
{
    int d = memcmp(a, b, n < m ? n : m);
    return d ? d : n < m ? -1 : n > m;
}

static int by_name(const void *a, const void *b)
{
    const se_zip_member *x = a, *y = b;
    return compare_names(x->name, x->name_bytes, y->name, y->name_bytes);
}

static int by_place(const void *a, const void *b)
{
    const se_zip_member *x = a, *y = b;
    return x->header < y->header ? -1 : x->header > y->header;
}

static se_status check_members(const reader *r, se_zip *z)
{
    if (!z->n)
        return SE_OK;
    qsort(z->member, (size_t)z->n, sizeof *z->member, by_place);
    for (int64_t i = 1; i < z->n; i++) {
        const se_zip_member *a = &z->member[i - 1], *b = &z->member[i];
        if (b->header < a->at + a->bytes)
            return BAD(r, b->header,
                       "member '%.*s' begins inside '%.*s', expected it at %" PRIu64 " or later",
                       NAME(b), NAME(a), a->at + a->bytes);
    }
    qsort(z->member, (size_t)z->n, sizeof *z->member, by_name);
    for (int64_t i = 1; i < z->n; i++)
        if (by_name(&z->member[i - 1], &z->member[i]) == 0)
            return BAD(r, z->member[i].header, "a second member '%.*s', expected one",
                       NAME(&z->member[i]));
    return SE_OK;
}

se_status se_zip_read(const char *data, size_t bytes, const char *path, se_zip *out)
{
    reader r = {.data = data, .bytes = bytes, .path = path};
    *out = (se_zip){0};
    se_status s = find_directory(&r);
    if (s != SE_OK)
        return s;
    out->member = se_calloc((size_t)r.n + 1, sizeof *out->member);
    if (!out->member)
        return SE_ERR_MEMORY;
    uint64_t at = r.directory;
    for (; s == SE_OK && out->n < (int64_t)r.n; out->n++)
        s = read_central(&r, &at, &out->member[out->n]);
    if (s == SE_OK && at != r.directory_end)
        s = BAD(&r, at,
                "%" PRIu64 " bytes behind the last entry, expected the directory to end here",
                r.directory_end - at);
    if (s == SE_OK)
        s = check_members(&r, out);
    if (s != SE_OK)
        se_zip_free(out);
    return s;
}

void se_zip_free(se_zip *z)
{
    free(z->member);
    *z = (se_zip){0};
}

const se_zip_member *se_zip_find(const se_zip *z, const char *name, size_t bytes)
{
    int64_t low = 0, high = z->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const se_zip_member *m = &z->member[middle];
        int d = compare_names(name, bytes, m->name, m->name_bytes);
        if (d == 0)
            return m;
        if (d < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

se_status se_zip_check(const char *data, const se_zip_member *m, const char *path)
{
    uLong crc = crc32_z(0, (const Bytef *)data + m->at, (z_size_t)m->bytes);
    if (crc == m->crc)
        return SE_OK;
    return se_fail(SE_ERR_FORMAT,
                   "%s: offset %" PRIu64
                   ": member '%.*s' has the checksum %08lx, expected %08" PRIx32
                   ": the file is damaged",
                   path, m->at, NAME(m), crc, m->crc);
}
