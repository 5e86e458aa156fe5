#include "tokenizer_private.h"
#include "unicode_tables.h"

#include <string.h>

/* unicode_stage2 holds one number for each code point: what becomes of it. */
enum {
    KEEP,         /* itself, a letter to the splitter */
    PUNCTUATION,  /* itself, a word of its own */
    DROP,         /* nothing: a control or format character, or a mark with a combining class */
    DROP_STARTER, /* nothing: a mark of class 0, which ends a run of marks */
    SPACE,        /* one space */
    IDEOGRAPH,    /* itself between two spaces */
    HANGUL,       /* its two or three jamo */
    MAP = 8,      /* unicode_map[number - MAP], up to the first 0 */
    COMBINING = 0x8000 /* a flag: some of the result has a combining class that is not 0 */
};

static inline uint32_t number_of(uint32_t c)
{
    return unicode_stage2[(uint32_t)unicode_stage1[c >> 7] << 7 | (c & 127)];
}

se_char_class se_char_class_of(uint32_t c)
{
    uint32_t number = number_of(c) & ~(uint32_t)COMBINING;
    return number == PUNCTUATION ? SE_CHAR_PUNCTUATION
           : number == SPACE     ? SE_CHAR_SPACE
                                 : SE_CHAR_WORD;
}

int se_utf8_read(const uint8_t *s, size_t bytes, uint32_t *c)
{
    if (bytes == 0)
        return 0;
    uint8_t b = s[0];
    int n = b < 0x80 ? 1 : b < 0xC2 ? 0 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : b < 0xF5 ? 4 : 0;
    if (n == 0 || (size_t)n > bytes)
        return 0;
    uint32_t value = n == 1 ? b : b & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    if ((n == 3 && value < 0x800) || (n == 4 && (value < 0x10000 || value > 0x10FFFF)) ||
        (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *c = value;
    return n;
}

size_t se_utf8_valid(const char *text, size_t bytes)
{
    size_t at = 0;
    uint32_t c;
    int n;
    while ((n = se_utf8_read((const uint8_t *)text + at, bytes - at, &c)) > 0)
        at += (size_t)n;
    return at;
}

int se_utf8_write(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)((0xF00 >> n) & 0xFF) | (uint8_t)c;
    return n;
}

/* Unicode 3.12. */
static int jamo_of(uint32_t c, uint32_t out[3])
{
    uint32_t s = c - 0xAC00;
    out[0] = 0x1100 + s / 588;
    out[1] = 0x1161 + s % 588 / 28;
    out[2] = 0x11A7 + s % 28;
    return s % 28 ? 3 : 2;
}

/* What `number` makes of c, at most three code points; fewer than c has bytes in UTF-8. */
static inline int result_of(uint32_t number, uint32_t c, uint32_t out[3])
{
    switch (number) {
    case KEEP:
    case PUNCTUATION:
        out[0] = c;
        return 1;
    case DROP:
    case DROP_STARTER:
        return 0;
    case SPACE:
        out[0] = ' ';
        return 1;
    case IDEOGRAPH:
        out[0] = out[2] = ' ';
        out[1] = c;
        return 3;
    case HANGUL:
        return jamo_of(c, out);
    default:
        memcpy(out, unicode_map[number - MAP], 3 * sizeof *out);
        return 1 + (out[1] != 0) + (out[2] != 0);
    }
}

static uint32_t combining_class(uint32_t c)
{
    size_t lo = 0, hi = sizeof unicode_class / sizeof *unicode_class;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (unicode_class[mid][1] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof unicode_class / sizeof *unicode_class && unicode_class[lo][0] <= c
               ? unicode_class[lo][2]
               : 0;
}

/* --- text with marks that stay ---
 *
 * NFD sorts a run of marks by combining class. Where all marks are dropped anyway that cannot be
 * seen, so se_normalize leaves it out until a mark turns up that stays. Sorting moves characters,
 * while the library gives out the places in the text in their old order: the k-th character of the
 * run that came with a place of its own gets the k-th place, and the later part of a decomposition
 * the place given out last. */
enum {
    CLASS_SHIFT = 21,
    LATER_PART = 1 << 29,
    DROPPED = 1 << 30,
    CODE_POINT = (1 << 21) - 1,
};

typedef struct marks {
    uint32_t *chars, *sources, *spare; /* chars: code point, class and the two flags above */
    int64_t n, run;                    /* run: where the present run of marks began */
} marks;

static void settle_run(marks *m)
{
    int64_t n = m->n - m->run, count[257] = {0}, places = 0;
    uint32_t *chars = m->chars + m->run, *sources = m->sources + m->run;
    if (n < 2)
        return;
    for (int64_t i = 0; i < n; i++) {
        count[(chars[i] >> CLASS_SHIFT & 0xFF) + 1]++;
        if (!(chars[i] & LATER_PART))
            sources[places++] = sources[i];
    }
    for (int k = 0; k < 256; k++)
        count[k + 1] += count[k];
    for (int64_t i = 0; i < n; i++)
        m->spare[count[chars[i] >> CLASS_SHIFT & 0xFF]++] = chars[i];
    memcpy(chars, m->spare, (size_t)n * sizeof *chars);
    /* Backwards, for at least as many characters as places lie before any character. */
    for (int64_t i = n - 1; i >= 0; i--) {
        if (!(chars[i] & LATER_PART))
            sources[i] = sources[--places];
        else
            sources[i] = places ? sources[places - 1] : m->run ? m->sources[m->run - 1] : 0;
    }
}

static void put_mark_or_starter(marks *m, uint32_t c, uint32_t source, uint32_t flags)
{
    uint32_t class = combining_class(c);
    if (class == 0)
        settle_run(m);
    m->chars[m->n] = c | class << CLASS_SHIFT | flags;
    m->sources[m->n++] = source;
    if (class == 0)
        m->run = m->n;
}

/* se_normalize with marks sorted; the text is valid UTF-8 as far as the first mark that stays. */
static int64_t normalize_with_marks(const uint8_t *text, size_t bytes, marks *m,
                                    int32_t *code_points, size_t *bad)
{
    uint32_t place = 0;
    for (size_t at = 0; at < bytes; place++) {
        uint32_t c, out[3];
        int size = se_utf8_read(text + at, bytes - at, &c);
        if (size == 0) {
            *bad = at;
            return -1;
        }
        at += (size_t)size;
        uint32_t number = number_of(c) & ~(uint32_t)COMBINING;
        int n = result_of(number, c, out);
        for (int i = 0; i < n; i++)
            put_mark_or_starter(m, out[i], place, i ? LATER_PART : 0);
        if (number == DROP_STARTER || (number == DROP && combining_class(c)))
            put_mark_or_starter(m, c, place, DROPPED);
    }
    settle_run(m);
    int64_t kept = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (!(m->chars[i] & DROPPED)) {
            m->chars[kept] = m->chars[i] & CODE_POINT;
            m->sources[kept++] = m->sources[i];
        }
    *code_points = (int32_t)place;
    return kept;
}

int64_t se_normalize(const uint8_t *text, size_t bytes, uint32_t *chars, uint32_t *sources,
                     uint32_t *spare, int32_t *code_points, size_t *bad)
{
    int64_t n = 0;
    uint32_t place = 0;
    for (size_t at = 0; at < bytes; place++) {
        uint32_t c, out[3];
        int size = se_utf8_read(text + at, bytes - at, &c);
        if (size == 0) {
            *bad = at;
            return -1;
        }
        at += (size_t)size;
        uint32_t number = number_of(c);
        if (number & COMBINING) {
            marks m = {chars, sources, spare, 0, 0};
            return normalize_with_marks(text, bytes, &m, code_points, bad);
        }
        int count = result_of(number, c, out);
        for (int i = 0; i < count; i++) {
            chars[n] = out[i];
            sources[n++] = place;
        }
    }
    *code_points = (int32_t)place;
    return n;
}
