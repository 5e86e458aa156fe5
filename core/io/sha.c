#define _GNU_SOURCE
#include "io/sha.h"
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t left(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* FIPS 180-4, 6.1.2 */
static void block_sha1(uint32_t *h, const uint8_t *p)
{
    static const uint32_t K[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int t = 0; t < 80; t++)
        w[t] = t < 16 ? word(p + 4 * t) : left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++) {
        uint32_t f = t < 20   ? (b & c) ^ (~b & d)
                     : t < 40 ? b ^ c ^ d
                     : t < 60 ? (b & c) ^ (b & d) ^ (c & d)
                              : b ^ c ^ d;
        uint32_t next = left(a, 5) + f + e + K[t / 20] + w[t];
        e = d;
        d = c;
        c = left(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* FIPS 180-4, 6.2.2; the constants are those of 4.2.2. */
static void block_sha256(uint32_t *h, const uint8_t *p)
{
    static const uint32_t K[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64];
    for (int t = 0; t < 64; t++) {
        if (t < 16) {
            w[t] = word(p + 4 * t);
            continue;
        }
        uint32_t x = w[t - 15], y = w[t - 2];
        w[t] = (right(y, 17) ^ right(y, 19) ^ y >> 10) + w[t - 7] +
               (right(x, 7) ^ right(x, 18) ^ x >> 3) + w[t - 16];
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], last = h[7];
    for (int t = 0; t < 64; t++) {
        uint32_t t1 =
            last + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
        uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        last = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const uint32_t more[8] = {a, b, c, d, e, f, g, last};
    for (int i = 0; i < 8; i++)
        h[i] += more[i];
}

void se_sha_start(se_sha *s, se_sha_kind kind)
{
    static const uint32_t START[2][8] = {
        {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
        {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
         0x5be0cd19}};
    s->kind = kind;
    s->bytes = 0;
    memcpy(s->state, START[kind], sizeof s->state);
}

static void add_block(se_sha *s, const uint8_t *p)
{
    if (s->kind == SE_SHA1)
        block_sha1(s->state, p);
    else
        block_sha256(s->state, p);
}

void se_sha_add(se_sha *s, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    size_t have = s->bytes % 64;
    s->bytes += bytes;
    if (have) {
        size_t n = bytes < 64 - have ? bytes : 64 - have;
        memcpy(s->block + have, p, n);
        p += n;
        bytes -= n;
        if (have + n < 64)
            return;
        add_block(s, s->block);
    }
    for (; bytes >= 64; bytes -= 64, p += 64)
        add_block(s, p);
    if (bytes)
        memcpy(s->block, p, bytes);
}

void se_sha_finish(se_sha *s, char text[SE_SHA_TEXT])
{
    static const uint8_t ONE = 0x80, ZEROS[64];
    uint64_t bits = s->bytes * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    se_sha_add(s, &ONE, 1);
    se_sha_add(s, ZEROS, (size_t)((64 + 56 - s->bytes % 64) % 64));
    se_sha_add(s, length, sizeof length);
    for (int i = 0; i < (s->kind == SE_SHA1 ? 5 : 8); i++)
        snprintf(text + 8 * i, 9, "%08x", (unsigned)s->state[i]);
}

se_status se_file_hash(const char *path, bool git, char *text)
{
    enum { PIECE = 1 << 20 };
    struct stat st;
    se_sha sha;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        se_status bad = se_disk_fail(path, "cannot read");
        if (fd >= 0)
            close(fd);
        return bad;
    }
    se_sha_start(&sha, git ? SE_SHA1 : SE_SHA256);
    if (git) { /* git hashes "blob", the size and a 0 byte before the content */
        char head[40];
        int n = snprintf(head, sizeof head, "blob %lld", (long long)st.st_size);
        se_sha_add(&sha, head, (size_t)n + 1);
    }
    char *piece = se_malloc(PIECE);
    se_status s = piece ? SE_OK : SE_ERR_MEMORY;
    while (s == SE_OK) {
        ssize_t n = read(fd, piece, PIECE);
        if (se_interrupt_now())
            s = se_fail(SE_ERR_INTERRUPTED, "interrupted");
        else if (n < 0 && errno != EINTR)
            s = se_disk_fail(path, "cannot read");
        if (n == 0)
            break;
        if (n > 0)
            se_sha_add(&sha, piece, (size_t)n);
    }
    free(piece);
    close(fd);
    if (s == SE_OK)
        se_sha_finish(&sha, text);
    return s;
}
