#include "io/md5.h"

#include <math.h>
#include <string.h>

static uint32_t left(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* RFC 1321, 3.4: T[i] is the integer part of 2^32 |sin(i + 1)|. */
static void block(uint32_t *h, const uint8_t *p)
{
    static const uint8_t SHIFT[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3];
    for (int i = 0; i < 64; i++) {
        uint32_t f = i < 16   ? (b & c) | (~b & d)
                     : i < 32 ? (b & d) | (c & ~d)
                     : i < 48 ? b ^ c ^ d
                              : c ^ (b | ~d);
        int k = i < 16 ? i : i < 32 ? (5 * i + 1) % 16 : i < 48 ? (3 * i + 5) % 16 : 7 * i % 16;
        uint32_t t = (uint32_t)(int64_t)(4294967296.0 * fabs(sin(i + 1.0)));
        uint32_t next = b + left(a + f + word(p + 4 * k) + t, SHIFT[i / 16 * 4 + i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
}

void se_md5(const void *data, size_t bytes, uint8_t digest[16])
{
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint8_t *p = data;
    uint8_t end[128] = {0};
    size_t whole = bytes / 64 * 64, rest = bytes - whole, n = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64)
        block(h, p + i);
    if (rest)
        memcpy(end, p + whole, rest);
    end[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        end[n - 8 + (size_t)i] = (uint8_t)((uint64_t)bytes * 8 >> 8 * i);
    for (size_t i = 0; i < n; i += 64)
        block(h, end + i);
    for (int i = 0; i < 16; i++)
        digest[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
}
