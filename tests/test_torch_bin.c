/* pytorch_model.bin: what PyTorch wrote is read bit for bit; pickles that want to run something,
 * archives that lie, cut and damaged files are errors. */
#define _GNU_SOURCE
#include "io/files.h"
#include "io/safetensors.h"
#include "io/torch_bin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA SE_TEST_DATA "/torch_bin/"

static char home[] = "/tmp/sembed_test_torch_bin.XXXXXX";
static char path[128];

static void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

static void message_is(const char *want)
{
    if (!strstr(se_message(), want))
        fail_msg("'%s' is not in: %s", want, se_message());
}

/* Without a sync: thousands of them would take minutes on a disk. */
static void put(const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

/* Opens the file and reads all weights: whatever it holds, that must end in a status. */
static se_status read_all(const char *name)
{
    se_torch_bin *f;
    se_status s = se_torch_bin_open(name, &f);
    if (s != SE_OK) {
        assert_null(f);
        return s;
    }
    for (int64_t i = 0; i < se_torch_bin_count(f); i++) {
        se_tensor *t;
        const void *data;
        se_type type;
        se_status one = se_torch_bin_weight(f, i, &t);
        assert_non_null(se_torch_bin_name(f, i));
        if (one == SE_OK) {
            volatile uint8_t sum = 0;
            ok(se_tensor_type(t, &type));
            ok(se_tensor_data(t, true, &data));
            for (size_t k = 0; k < se_type_bytes(&type); k++)
                sum = (uint8_t)(sum + ((const uint8_t *)data)[k]);
            se_tensor_free(t);
        }
        s = s == SE_OK ? one : s;
    }
    se_torch_bin_close(f);
    return s;
}

static void refused(const char *message)
{
    assert_int_equal(read_all(path), SE_ERR_FORMAT);
    assert_memory_equal(se_message(), path, strlen(path));
    message_is("offset ");
    message_is(message);
}

/* --- what PyTorch wrote --- */

/* Every tensor of the safetensors file is in the other one, with the same type and bits. */
static int64_t same_as(const char *name, const char *expected)
{
    se_torch_bin *f;
    se_safetensors *e;
    ok(se_torch_bin_open(name, &f));
    ok(se_safetensors_open(expected, &e));
    int64_t n = se_safetensors_count(e), found = 0;
    for (int64_t i = 0; i < n; i++) {
        se_tensor *a, *b;
        se_type ta, tb;
        const void *da, *db;
        int64_t at = se_torch_bin_find(f, se_safetensors_name(e, i));
        if (at < 0)
            continue;
        found++;
        ok(se_torch_bin_weight(f, at, &a));
        ok(se_safetensors_weight(e, i, &b));
        ok(se_tensor_type(a, &ta));
        ok(se_tensor_type(b, &tb));
        if (!se_type_same(&ta, &tb))
            fail_msg("%s: another type", se_torch_bin_name(f, at));
        ok(se_tensor_data(a, true, &da));
        ok(se_tensor_data(b, true, &db));
        if (se_type_bytes(&ta) && memcmp(da, db, se_type_bytes(&ta)) != 0)
            fail_msg("%s: other numbers", se_torch_bin_name(f, at));
        se_tensor_free(a);
        se_tensor_free(b);
    }
    se_safetensors_close(e);
    se_torch_bin_close(f);
    return found;
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(same_as(DATA "kinds.bin", DATA "expected.safetensors"), 23);
    assert_int_equal(same_as(DATA "protocol4.bin", DATA "expected.safetensors"), 4);
    assert_int_equal(same_as(DATA "sharded/pytorch_model-00001-of-00002.bin",
                             DATA "expected_shards.safetensors"),
                     1);
}

static void weight_refused(const se_torch_bin *f, const char *name, const char *message)
{
    se_tensor *t;
    int64_t i = se_torch_bin_find(f, name);
    assert_true(i >= 0);
    assert_int_equal(se_torch_bin_weight(f, i, &t), SE_ERR_FORMAT);
    assert_null(t);
    message_is(DATA "kinds.bin: offset ");
    message_is(message);
}

static void test_list(void **state)
{
    (void)state;
    se_torch_bin *f;
    se_tensor *t;
    ok(se_torch_bin_open(DATA "kinds.bin", &f));
    assert_int_equal(se_torch_bin_count(f), 31);
    assert_string_equal(se_torch_bin_name(f, 0), "0.weight");
    assert_string_equal(se_torch_bin_dtype(f, 0), "F32");
    int64_t ids = se_torch_bin_find(f, "embeddings.position_ids");
    assert_string_equal(se_torch_bin_dtype(f, ids), "I64");
    weight_refused(f, "embeddings.position_ids",
                   "'embeddings.position_ids': dtype I64, weights are F32, F16, BF16 or F64");
    weight_refused(f, "yes", "dtype BOOL");
    weight_refused(f, "expanded", "12 elements, expected at most the 3 of its storage");
    weight_refused(f, "seven_axes", "7 axes, expected at most 6");
    assert_int_equal(se_torch_bin_find(f, "none"), -1);
    assert_null(se_torch_bin_name(f, 31));
    assert_null(se_torch_bin_dtype(f, -1));
    assert_int_equal(se_torch_bin_weight(f, 31, &t), SE_ERR_ARG);
    /* row-major f32 is the mapped file, whatever its place in the storage; a view is copied */
    static const struct {
        const char *name;
        int64_t bytes;
    } COPIES[] = {{"f32", 0}, {"shared.row", 0}, {"transposed", 96}, {"f64", 24}, {"column", 16}};
    for (size_t i = 0; i < sizeof COPIES / sizeof *COPIES; i++) {
        int64_t live = se_memory_live();
        ok(se_torch_bin_weight(f, se_torch_bin_find(f, COPIES[i].name), &t));
        assert_int_equal(se_memory_live() - live, COPIES[i].bytes);
        se_tensor_free(t);
    }
    /* a tensor outlives the open file */
    const void *data;
    float first;
    ok(se_torch_bin_weight(f, se_torch_bin_find(f, "scalar"), &t));
    se_torch_bin_close(f);
    ok(se_tensor_data(t, true, &data));
    memcpy(&first, data, sizeof first);
    assert_true(first == 2.5f);
    se_tensor_free(t);
}

static void test_other_files(void **state)
{
    (void)state;
    se_torch_bin *f;
    assert_int_equal(se_torch_bin_open(DATA "legacy.bin", &f), SE_ERR_FORMAT);
    message_is("legacy.bin: offset 0: PyTorch's format from before version 1.6");
    message_is("python -c \"import torch; torch.save(torch.load('");
    assert_int_equal(se_torch_bin_open(DATA "checkpoint.bin", &f), SE_ERR_FORMAT);
    message_is("'epoch' is an integer, expected a tensor");
    assert_int_equal(se_torch_bin_open(DATA "script.bin", &f), SE_ERR_FORMAT);
    message_is("'__main__.Made' is asked for, expected only what tensors need");
    assert_int_equal(se_torch_bin_open(DATA "expected.safetensors", &f), SE_ERR_FORMAT);
    message_is("offset 0: the file begins with bytes");
    assert_int_equal(se_torch_bin_open(DATA "none", &f), SE_ERR_IO);
    message_is("none: cannot read: No such file or directory");
    assert_int_equal(se_torch_bin_open(home, &f), SE_ERR_IO);
    put("PK", 2);
    refused("offset 0: the file has 2 bytes");
}

/* --- archives of our own --- */

/* What an archive may lie about; 0 where it does not. */
typedef struct lies {
    uint32_t method, flags, size, packed, header; /* of the directory's entry `of` */
    int of;
    uint32_t local_method, local_name;    /* in the local header of `of` */
    uint32_t count, directory, dir_bytes; /* in the end record */
    uint32_t disk, crc;
} lies;

static char archive[4 << 20];
static size_t archive_bytes;

static void add(uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        archive[archive_bytes++] = (char)(i < 8 ? x >> 8 * i : 0);
}

static void add_bytes(const void *data, size_t n)
{
    memcpy(archive + archive_bytes, data, n);
    archive_bytes += n;
}

static uint32_t crc_of(const char *data, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

typedef struct part {
    const char *name, *data;
    size_t bytes;
} part;

static uint32_t either(uint32_t lie, size_t truth)
{
    return lie ? lie : (uint32_t)truth;
}

/* Writes the archive of these members to the file. */
static void put_archive(const part *p, int n, lies lie)
{
    size_t header[8];
    archive_bytes = 0;
    for (int i = 0; i < n; i++) {
        lies l = i == lie.of ? lie : (lies){0};
        header[i] = archive_bytes;
        add(0x04034b50, 4);
        add(0, 4);
        add(l.local_method, 2);
        add(0, 16);
        add(either(l.local_name, strlen(p[i].name)), 2);
        add(0, 2);
        add_bytes(p[i].name, strlen(p[i].name));
        add_bytes(p[i].data, p[i].bytes);
    }
    size_t directory = archive_bytes;
    for (int i = 0; i < n; i++) {
        lies l = i == lie.of ? lie : (lies){0};
        add(0x02014b50, 4);
        add(0, 4);
        add(l.flags, 2);
        add(l.method, 2);
        add(0, 4);
        add(either(l.crc, crc_of(p[i].data, p[i].bytes)), 4);
        add(either(l.packed ? l.packed : l.size, p[i].bytes), 4);
        add(either(l.size, p[i].bytes), 4);
        add(strlen(p[i].name), 2);
        add(0, 12);
        add(either(l.header, header[i]), 4);
        add_bytes(p[i].name, strlen(p[i].name));
    }
    size_t bytes = archive_bytes - directory;
    add(0x06054b50, 4);
    add(lie.disk, 4);
    add(either(lie.count, (size_t)n), 2);
    add(either(lie.count, (size_t)n), 2);
    add(either(lie.dir_bytes, bytes), 4);
    add(either(lie.directory, directory), 4);
    add(0, 2);
    put(archive, archive_bytes);
}

/* A storage and a tensor over it in pickle's words; memo entry 0 is free to use. */
#define STORAGE(class, key, count)                                                                 \
    "(X\7\0\0\0storagectorch\n" class "\nX\1\0\0\0" key "X\3\0\0\0cpuK" count "tQ"
#define TENSOR(storage, offset, shape, stride)                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset shape stride "\x89)tR"
#define HEAD "\x80\2}(X\1\0\0\0a"
#define TAIL "u."
#define TWO TENSOR(STORAGE("FloatStorage", "0", "\2"), "K\0", "K\2\x85", "K\1\x85")

static const char NUMBERS[8] = {0, 0, 0x20, 0x40, 0, 0, 0x80, (char)0xbf}; /* 2.5, -1 */

/* An archive with that pickle and two floats. */
static void put_pickle(const char *pickle, size_t bytes)
{
    const part p[] = {{"m/data.pkl", pickle, bytes}, {"m/data/0", NUMBERS, 8}};
    put_archive(p, 2, (lies){0});
}

#define PICKLE(text) put_pickle(text, sizeof(text) - 1)
#define PICKLE_REFUSED(text, message) (PICKLE(text), refused(message))

static void test_pickle(void **state)
{
    (void)state;
    PICKLE(HEAD TWO TAIL);
    ok(read_all(path));
    PICKLE("\x80\2}.");
    ok(read_all(path));
    /* forbidden calls, each way of making one */
    PICKLE_REFUSED("\x80\2cos\nsystem\nX\2\0\0\0id\x85R.", "pickle: 'os.system' is asked for");
    PICKLE_REFUSED("\x80\2cposix\nsystem\nX\2\0\0\0id\x85R.", "'posix.system' is asked for");
    PICKLE_REFUSED("\x80\2c__builtin__\neval\nX\1\0\0\0001\x85R.", "'__builtin__.eval'");
    PICKLE_REFUSED("\x80\4\x8c\2os\x8c\6system\x93\x8c\2id\x85R.", "'os.system' is asked for");
    PICKLE_REFUSED("\x80\2(X\2\0\0\0idios\nsystem\n.", "opcode 0x69 (INST)");
    PICKLE_REFUSED("\x80\2(NX\2\0\0\0ido.", "opcode 0x6f (OBJ)");
    PICKLE_REFUSED("\x80\2ccollections\nOrderedDict\n)\x81.", "opcode 0x81 (NEWOBJ)");
    PICKLE_REFUSED("\x80\2\x82\1.", "opcode 0x82 (EXT1)");
    PICKLE_REFUSED("\x80\2Pid\n.", "opcode 0x50 (PERSID)");
    PICKLE_REFUSED("\x80\2\xff.", "opcode 0xff (unknown here)");
    PICKLE_REFUSED("\x80\2ctorch\nFloatStorage\n)R.", "a storage class is called");
    PICKLE_REFUSED("\x80\2ctorch.storage\nUntypedStorage\n.", "'torch.storage.UntypedStorage'");
    PICKLE_REFUSED("\x80\2ccollections\nOrderedDict\nK\1\x85R.", "OrderedDict with arguments");
    PICKLE_REFUSED("\x80\2K\1)R.", "an integer is called with a tuple");
    PICKLE_REFUSED("\x80\2]}b.", "a list gets a dict as its attributes");
    /* the stack and the memo */
    PICKLE_REFUSED("\x80\2.", "0 values and 0 marks on the stack at the end");
    PICKLE_REFUSED("\x80\2((.", "0 values and 2 marks");
    PICKLE_REFUSED("\x80\2}}.", "2 values and 0 marks");
    PICKLE_REFUSED("\x80\2R.", "0 values on the stack, the opcode needs 2");
    PICKLE_REFUSED("\x80\2}(s.", "0 values on the stack, the opcode needs 2");
    PICKLE_REFUSED("\x80\2}u.", "no mark on the stack");
    PICKLE_REFUSED("\x80\2(u.", "nothing on the stack");
    PICKLE_REFUSED("\x80\2}(Nu.", "a key without a value");
    PICKLE_REFUSED("\x80\2](NNu.", "something is put into a list, expected a dict");
    PICKLE_REFUSED("\x80\2}Na.", "something is put into a dict, expected a list");
    PICKLE_REFUSED("\x80\2h\7.", "memo entry 7 is read, nothing was put there");
    PICKLE_REFUSED("\x80\2}r\xff\xff\xff\xff.", "memo entry 4294967295, expected less than 9");
    PICKLE_REFUSED("\x80\2q\1.", "nothing on the stack, the opcode needs a value");
    PICKLE_REFUSED("\x80\x09.", "protocol 9, expected 2 to 5");
    PICKLE_REFUSED("\x80\2}", "0 bytes left, the opcode needs 1: the pickle is cut off");
    PICKLE_REFUSED("\x80\2X\xff\xff\xff\x7f"
                   "ab.",
                   "a text of 2147483647 bytes, 3 are left");
    PICKLE_REFUSED("\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "a text of 18446744073709551615");
    PICKLE_REFUSED("\x80\2\x8a\xff.", "an integer of 255 bytes");
    PICKLE_REFUSED("\x80\2cos", "a name without an end of line");
    PICKLE_REFUSED("\x80\2K\1.", "data.pkl holds an integer, expected a dict of tensors");
    /* values that hold themselves */
    PICKLE_REFUSED("\x80\2]q\0h\0a.", "data.pkl holds a list");
    PICKLE_REFUSED("\x80\2}q\0X\1\0\0\0ah\0s.", "'a' is a dict, expected a tensor");
    PICKLE_REFUSED("\x80\2}K\1" TWO "s.", "a name that is an integer");
    PICKLE_REFUSED("\x80\2}X\3\0\0\0a\0b" TWO "s.", "expected a text without 0 bytes");
    PICKLE_REFUSED(HEAD TWO "X\1\0\0\0a" TWO TAIL, "two tensors are called 'a'");
}

/* A pickle whose values would take much more memory than it has bytes. */
static void test_pickle_bomb(void **state)
{
    (void)state;
    enum { N = 3000000 };
    char *text = malloc(N);
    memset(text, ')', N);
    memcpy(text, "\x80\2", 2);
    put_pickle(text, N);
    refused("pickle: more than 2000000 values");
    memset(text + 2, 'N', N - 2);
    memset(text + 2, '(', N / 2);
    put_pickle(text, N);
    refused("the pickle is cut off");
    free(text);
    put_archive((part[]){{"m/data.pkl", "", 0}}, 1, (lies){0});
    refused("0 bytes left, the opcode needs 1: the pickle is cut off");
}

#define VIEW_REFUSED(offset, shape, stride, message)                                               \
    PICKLE_REFUSED(HEAD TENSOR(STORAGE("FloatStorage", "0", "\2"), offset, shape, stride) TAIL,    \
                   message)

static void test_views(void **state)
{
    (void)state;
    VIEW_REFUSED("K\1", "K\2\x85", "K\1\x85", "1 axes from element 1 on go beyond the 2 elements");
    VIEW_REFUSED("K\2", ")", ")", "0 axes from element 2 on go beyond");
    VIEW_REFUSED("K\0", "K\2\x85", "K\2\x85", "go beyond the 2 elements");
    VIEW_REFUSED("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85", "go beyond");
    VIEW_REFUSED("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85", "size 2 and stride -1, expected none");
    VIEW_REFUSED("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85", "size -1 and stride 1");
    VIEW_REFUSED("K\0", "K\2K\2\x86", "K\1\x85", "_rebuild_tensor_v2 with other arguments");
    VIEW_REFUSED("K\0", "N\x85", "K\1\x85", "_rebuild_tensor_v2 with other arguments");
    VIEW_REFUSED("K\0", "K\2", "K\1", "_rebuild_tensor_v2 with other arguments");
    VIEW_REFUSED("K\0", "K\4K\4\x86", "K\0K\0\x86", "16 elements, expected at most the 2");
    VIEW_REFUSED("K\0", "\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86", "K\0K\0\x86",
                 "go beyond");
    VIEW_REFUSED("K\0", "K\0\x8a\x08\0\0\0\0\0\0\0\x7f\x8a\x08\0\0\0\0\0\0\0\x7f\x87",
                 "K\1K\1K\1\x87", "go beyond");
    VIEW_REFUSED("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\2\x85", "K\1\x85", "go beyond");
    VIEW_REFUSED("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1t",
                 "(K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "17 axes");
    PICKLE_REFUSED(HEAD TENSOR(STORAGE("FloatStorage", "7", "\2"), "K\0", ")", ")") TAIL,
                   "its storage '7' is not in the archive");
    PICKLE_REFUSED(HEAD TENSOR(STORAGE("FloatStorage", "0", "\3"), "K\0", ")", ")") TAIL,
                   "storage '0' has 8 bytes, expected 3 elements of 4 bytes for tensor 'a'");
    PICKLE_REFUSED(HEAD TENSOR(STORAGE("FloatStorage", "0", "\1"), "K\0", ")", ")") TAIL,
                   "storage '0' has 8 bytes, expected 1 elements");
    PICKLE_REFUSED(HEAD TENSOR("K\1", "K\0", ")", ")") TAIL, "with other arguments");
    PICKLE_REFUSED(HEAD TENSOR("K\1Q", "K\0", ")", ")") TAIL, "a persistent id that is not");
    /* an empty tensor asks for nothing of its storage */
    PICKLE(HEAD TENSOR(STORAGE("FloatStorage", "0", "\2"), "K\7", "K\0\x85", "K\1\x85") TAIL);
    ok(read_all(path));
}

static void zip_refused(lies l, const char *message)
{
    static const char GOOD[] = HEAD TWO TAIL;
    const part p[] = {
        {"m/data.pkl", GOOD, sizeof GOOD - 1}, {"m/data/0", NUMBERS, 8}, {"m/version", "3\n", 2}};
    put_archive(p, 3, l);
    refused(message);
}

static void test_archives(void **state)
{
    (void)state;
    static const char GOOD[] = HEAD TWO TAIL;
    size_t n = sizeof GOOD - 1;
    zip_refused((lies){.method = 8, .of = 1}, "'m/data/0' is compressed (method 8)");
    zip_refused((lies){.local_method = 8, .of = 1}, "'m/data/0' is compressed");
    zip_refused((lies){.flags = 1, .of = 1}, "'m/data/0' is encrypted");
    zip_refused((lies){.size = 4000, .of = 1}, "'m/data/0' has 4000 bytes, expected at most the");
    zip_refused((lies){.size = 4, .of = 1}, "storage '0' has 4 bytes, expected 2 elements");
    zip_refused((lies){.size = 30, .of = 1}, "'m/version' begins inside 'm/data/0'");
    zip_refused((lies){.packed = 9, .of = 1}, "takes 9 bytes, expected the 8 of a stored member");
    zip_refused((lies){.size = UINT32_MAX, .of = 1}, "no zip64 field");
    zip_refused((lies){.header = UINT32_MAX, .of = 1}, "no zip64 field");
    zip_refused((lies){.header = 7, .of = 1}, "offset 7: signature 0x");
    zip_refused((lies){.header = 100000, .of = 1}, "offset 100000: member 'm/data/0' begins here");
    zip_refused((lies){.header = 0x7fffffff, .of = 1},
                "begins here, expected before the directory");
    zip_refused((lies){.local_name = 65535, .of = 1}, "'m/data/0' has 8 bytes, expected at most");
    zip_refused((lies){.local_name = 4, .of = 1}, "a member of another name");
    zip_refused((lies){.count = 2}, "bytes behind the last entry");
    zip_refused((lies){.count = 4}, "4 members, expected at most the 3");
    zip_refused((lies){.count = 60000}, "60000 members, expected at most");
    zip_refused((lies){.directory = 100000}, "directory of");
    zip_refused((lies){.directory = 3}, "no entry of the zip directory");
    zip_refused((lies){.dir_bytes = 100000}, "directory of 100000 bytes");
    zip_refused((lies){.disk = 1}, "an archive in several parts");
    zip_refused((lies){.crc = 77}, "'m/data.pkl' has the checksum");

    const part twice[] = {{"m/data.pkl", GOOD, n}, {"m/data/0", NUMBERS, 8}, {"m/data/0", "", 0}};
    put_archive(twice, 3, (lies){0});
    refused("a second member 'm/data/0'");
    const part two[] = {{"m/data.pkl", GOOD, n}, {"m/data/0", NUMBERS, 8}, {"n/data.pkl", "", 0}};
    put_archive(two, 3, (lies){0});
    refused("a second data.pkl");
    const part none[] = {{"data.pkl", GOOD, n}, {"m/n/data.pkl", GOOD, n}};
    put_archive(none, 2, (lies){0});
    refused("a zip archive without NAME/data.pkl");
    const part big[] = {
        {"m/data.pkl", GOOD, n}, {"m/byteorder", "big", 3}, {"m/data/0", NUMBERS, 8}};
    put_archive(big, 3, (lies){0});
    refused("byteorder is 'big', expected 'little'");
    put_archive(twice, 2, (lies){0});
    ok(read_all(path));
    /* a member that is another one again */
    zip_refused((lies){.header = 1, .of = 0}, "offset 1: signature");
    put("PK\3\4", 4);
    refused("no end record of a zip archive");
}

/* The zip64 records of a real file, each number of them wrong in turn. */
static void test_zip64(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    ok(se_file_read(DATA "protocol4.bin", &text, &bytes));
    size_t locator = bytes - 22 - 20, end = locator - 56;
    assert_memory_equal(text + locator, "PK\6\7", 4);
    assert_memory_equal(text + end, "PK\6\6", 4);
    static const struct {
        size_t at, size;
        const char *message;
    } FIELDS[] = {{0, 4, "expected 0x06064b50 (zip64 end record)"},
                  {16, 4, "several parts"},
                  {20, 4, "several parts"},
                  {24, 8, "several parts"},
                  {32, 8, "several parts"},
                  {40, 8, "expected it before this"},
                  {48, 8, "expected it before this"},
                  {56 + 8, 8, "expected it before this"}};
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        char saved[8];
        memcpy(saved, text + end + FIELDS[i].at, 8);
        memset(text + end + FIELDS[i].at, 0xff, FIELDS[i].size);
        put(text, bytes);
        refused(FIELDS[i].message);
        memcpy(text + end + FIELDS[i].at, saved, 8);
    }
    memset(text + end + 24, 0x70, 16);
    put(text, bytes);
    refused("members, expected at most the");
    se_io_free(text);
}

/* --- damage --- */

static void cut(const char *name, size_t step)
{
    char *text;
    size_t bytes;
    ok(se_file_read(name, &text, &bytes));
    for (size_t n = 0; n < bytes; n += step) {
        put(text, n);
        assert_int_equal(read_all(path), SE_ERR_FORMAT);
    }
    se_io_free(text);
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    cut(DATA "sharded/pytorch_model-00001-of-00002.bin", 1);
    cut(DATA "kinds.bin", 13);
}

/* Bits of the whole file, of the pickle alone (its checksum made right again), of the directory. */
static void damage(const char *name, size_t from, size_t to, bool mend, int tries, bool most)
{
    char *text;
    size_t bytes;
    int refusals = 0;
    uint32_t random = 12345;
    ok(se_file_read(name, &text, &bytes));
    const char *pickle = memmem(text, bytes, "\x80\x02", 2), *entry = NULL;
    size_t length = 0;
    for (size_t at = 0; mend && at + 4 < bytes && !entry; at++)
        if (memcmp(text + at, "PK\1\2", 4) == 0)
            entry = text + at;
    if (mend) {
        uint32_t n;
        memcpy(&n, entry + 24, 4);
        length = n;
        from = (size_t)(pickle - text);
        to = from + length;
    }
    to = to ? to : bytes;
    from = from < bytes ? from : 0;
    char *copy = malloc(bytes);
    for (int i = 0; i < tries; i++) {
        memcpy(copy, text, bytes);
        random = random * 1664525u + 1013904223u;
        for (int k = 1 + (int)(random >> 30); k > 0; k--) {
            random = random * 1664525u + 1013904223u;
            copy[from + (random >> 8) % (to - from)] ^= (char)(1 << (random & 7));
        }
        if (mend) {
            uint32_t crc = crc_of(copy + (pickle - text), length);
            memcpy(copy + (entry - text) + 16, &crc, 4);
        }
        put(copy, bytes);
        se_status s = read_all(path);
        if (s != SE_OK && s != SE_ERR_FORMAT)
            fail_msg("try %d: status %d: %s", i, (int)s, se_message());
        refusals += s != SE_OK;
    }
    assert_true(refusals > (most ? tries / 2 : tries / 10));
    free(copy);
    se_io_free(text);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    ok(se_file_read(DATA "sharded/pytorch_model-00001-of-00002.bin", &text, &bytes));
    const char *directory = memmem(text, bytes, "PK\1\2", 4);
    size_t at = (size_t)(directory - text);
    se_io_free(text);
    const char *small = DATA "sharded/pytorch_model-00001-of-00002.bin";
    damage(small, 0, 0, false, 1000, false);
    damage(small, at, 0, false, 1000, true);
    damage(small, 0, 0, true, 2000, true);
    damage(DATA "kinds.bin", 0, 0, true, 1000, true);
}

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(home))
        return -1;
    snprintf(path, sizeof path, "%s/x.bin", home);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_pickle),
        cmocka_unit_test(test_pickle_bomb),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_archives),
        cmocka_unit_test(test_zip64),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
