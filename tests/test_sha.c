/* SHA-1 and SHA-256 against the examples of NIST (FIPS 180-4 and the CAVP short-message files), MD5
 * against those of RFC 1321. */
#define _GNU_SOURCE
#include "io/files.h"
#include "io/md5.h"
#include "io/sha.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *hash(se_sha_kind kind, const void *data, size_t bytes, size_t piece)
{
    static char text[SE_SHA_TEXT];
    se_sha s;
    se_sha_start(&s, kind);
    for (size_t i = 0; i < bytes; i += piece)
        se_sha_add(&s, (const char *)data + i, bytes - i < piece ? bytes - i : piece);
    se_sha_finish(&s, text);
    return text;
}

static const struct {
    const char *text, *sha1, *sha256;
} CASES[] = {
    {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmno"
     "pqrsmnopqrstnopqrstu",
     "a49b2446a02c645bf419f995b67091253a04a259",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t piece = 1; piece < 130; piece += 7) {
            size_t n = strlen(CASES[i].text);
            assert_string_equal(hash(SE_SHA1, CASES[i].text, n, piece), CASES[i].sha1);
            assert_string_equal(hash(SE_SHA256, CASES[i].text, n, piece), CASES[i].sha256);
        }
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    assert_string_equal(hash(SE_SHA1, a, 1000000, 999), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_string_equal(hash(SE_SHA256, a, 1000000, 4096),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(a);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/sembed_test_sha.XXXXXX", text[SE_SHA_TEXT];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hello\n", 6), 6);
    close(fd);
    assert_int_equal(se_file_hash(path, false, text), SE_OK);
    assert_string_equal(text, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    assert_int_equal(se_file_hash(path, true, text), SE_OK); /* git hash-object */
    assert_string_equal(text, "ce013625030ba8dba906f756967f9e9ca394464a");
    se_interrupt_set();
    assert_int_equal(se_file_hash(path, true, text), SE_ERR_INTERRUPTED);
    se_interrupt_clear();
    unlink(path);
    assert_int_equal(se_file_hash(path, true, text), SE_ERR_IO);
}

static void test_md5(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t digest[16];
        char text[33];
        se_md5(cases[i][0], strlen(cases[i][0]), digest);
        for (int k = 0; k < 16; k++)
            snprintf(text + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples),
                                       cmocka_unit_test(test_files), cmocka_unit_test(test_md5)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
