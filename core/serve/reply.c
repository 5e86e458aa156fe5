#include "serve/reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct se_reply {
    char *text;
    size_t bytes, room;
    bool failed;
};

se_reply *se_reply_new(void)
{
    return se_calloc(1, sizeof(se_reply));
}

void se_reply_free(se_reply *r)
{
    if (r)
        free(r->text);
    free(r);
}

int64_t se_reply_size(const se_reply *r)
{
    return (int64_t)r->bytes;
}

/* Where the next `bytes` bytes may be written; NULL once memory was short. */
static char *make_room(se_reply *r, size_t bytes)
{
    if (r->failed)
        return NULL;
    if (r->room - r->bytes < bytes) {
        size_t room = r->room < 512 ? 512 : r->room;
        while (room - r->bytes < bytes)
            room *= 2;
        char *text = se_realloc(r->text, room);
        if (!text) {
            r->failed = true;
            return NULL;
        }
        r->text = text;
        r->room = room;
    }
    return r->text + r->bytes;
}

char *se_reply_take(se_reply *r, size_t *bytes)
{
    if (r->failed || !make_room(r, 1))
        return NULL;
    char *text = r->text;
    *bytes = r->bytes;
    *r = (se_reply){0};
    return text;
}

void se_reply_add(se_reply *r, const char *text, size_t bytes)
{
    char *p = make_room(r, bytes);
    if (!p)
        return;
    memcpy(p, text, bytes);
    r->bytes += bytes;
}

/* --- strings --- */

/* How many bytes the UTF-8 sequence at p has, 0 where it is none (overlong forms, surrogates and
 * what lies beyond U+10FFFF are none). */
static size_t sequence(const unsigned char *p, size_t left)
{
    static const unsigned char least[5] = {0, 0, 0x80, 0xa0, 0x90}; /* of the second byte */
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (((p[0] == 0xe0 || p[0] == 0xf0) && p[1] < least[n]) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

void se_reply_string(se_reply *r, const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    char *start = make_room(r, 6 * bytes + 2), *out = start;
    if (!out)
        return;
    *out++ = '"';
    for (size_t i = 0; i < bytes;) {
        size_t n = sequence(p + i, bytes - i);
        if (n == 0) {
            out += sprintf(out, "\\ufffd");
            i++;
        } else if (p[i] == '"' || p[i] == '\\') {
            *out++ = '\\';
            *out++ = (char)p[i++];
        } else if (p[i] < 0x20) {
            out += sprintf(out, "\\u%04x", p[i++]);
        } else {
            memcpy(out, p + i, n);
            out += n;
            i += n;
        }
    }
    *out++ = '"';
    r->bytes += (size_t)(out - start);
}

/* --- numbers --- */

static const double POWER[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Does digits / 10^places read back as x? The quotient of two exact doubles is the double nearest
 * to the decimal number. One that lies so near to the middle of two floats that a reader without
 * the way over double could round otherwise is refused. */
static bool reads_back(double digits, int places, float x)
{
    double d = digits / POWER[places];
    return (float)(d * (1 - 4e-16)) == x && (float)(d * (1 + 4e-16)) == x;
}

static char *put(char *out, const char *text, int n)
{
    memcpy(out, text, (size_t)n);
    return out + n;
}

/* digits * 10^-places, written out or, below 1e-5, with an exponent; digits has no zero at its end.
 * Returns the end. By hand: sprintf takes several times as long as all the rest. */
static char *print_digits(uint32_t digits, int places, char *out)
{
    char d[10];
    int n = 0;
    for (uint32_t m = digits; m > 0; m /= 10)
        d[9 - n++] = (char)('0' + m % 10);
    const char *first = d + 10 - n;
    int point = n - places; /* digits before the point */
    if (places <= 0)
        return put(put(put(out, first, n), "000000000", -places), ".0", 2);
    if (point > 0)
        return put(put(put(out, first, point), ".", 1), first + point, places);
    if (point > -5)
        return put(put(put(out, "0.", 2), "00000", -point), first, n);
    out = put(out, first, 1);
    if (n > 1)
        out = put(put(out, ".", 1), first + 1, n - 1);
    char exponent[2] = {(char)('0' + (1 - point) / 10), (char)('0' + (1 - point) % 10)};
    return put(put(out, "e-", 2), exponent, 2);
}

int se_print_float(float x, char *out)
{
    if (x == 0)
        return sprintf(out, signbit(x) ? "-0.0" : "0.0");
    double a = fabs((double)x);
    if (!(a >= 1e-13 && a < 1e8)) /* the powers of ten below are exact within this only */
        return sprintf(out, "%.9g", (double)x);
    int size = (int)floor(log10(a)) + 1; /* 10^(size-1) <= a < 10^size, or one off */
    int places = 9 - size;
    double digits = rint(a * POWER[places]);
    /* Nine digits always read back; most floats need eight. */
    while (places > 0 && reads_back(rint(digits / 10), places - 1, (float)a)) {
        digits = rint(digits / 10);
        places--;
    }
    uint32_t m = (uint32_t)digits;
    while (m % 10 == 0) {
        m /= 10;
        places--;
    }
    *out = '-';
    return (int)(print_digits(m, places, out + (x < 0)) - out);
}

bool se_reply_floats(se_reply *r, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    char *start = make_room(r, 18 * (size_t)n + 2), *out = start;
    if (!out)
        return true;
    *out++ = '[';
    for (int64_t i = 0; i < n; i++) {
        if (i > 0)
            *out++ = ',';
        out += se_print_float(x[i], out);
    }
    *out++ = ']';
    r->bytes += (size_t)(out - start);
    return true;
}

void se_reply_base64(se_reply *r, const float *x, int64_t n)
{
    static const char code[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)x;
    size_t bytes = 4 * (size_t)n;
    char *start = make_room(r, (bytes + 2) / 3 * 4 + 2), *out = start;
    if (!out)
        return;
    *out++ = '"';
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t left = bytes - i > 3 ? 3 : (uint32_t)(bytes - i);
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        *out++ = code[v >> 18];
        *out++ = code[v >> 12 & 63];
        *out++ = left > 1 ? code[v >> 6 & 63] : '=';
        *out++ = left > 2 ? code[v & 63] : '=';
    }
    *out++ = '"';
    r->bytes += (size_t)(out - start);
}

/* --- vectors --- */

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

void se_reply_cut(const float *x, int64_t dims, bool unit, float *out)
{
    double norm = unit ? sqrt(dot(x, x, dims)) : 1;
    for (int64_t i = 0; i < dims; i++)
        out[i] = norm > 0 ? (float)(x[i] / norm) : 0;
}

double se_reply_cosine(const float *a, const float *b, int64_t n)
{
    double norm = sqrt(dot(a, a, n) * dot(b, b, n));
    return norm > 0 ? dot(a, b, n) / norm : 0;
}
