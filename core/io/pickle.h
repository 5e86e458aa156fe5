/* A reader of those pickles that PyTorch writes for a dict of tensors, and of nothing else. A
 * pickle is a program for a stack machine that may call anything; here only the words that build
 * dicts, lists, tuples, numbers, texts and the descriptions of tensors are known, any other is an
 * error that names it and its offset, and nothing is ever called. */
#ifndef SE_IO_PICKLE_H
#define SE_IO_PICKLE_H

#include "base.h"

typedef enum se_pickle_kind {
    SE_PICKLE_NONE,
    SE_PICKLE_BOOL,
    SE_PICKLE_INTEGER,
    SE_PICKLE_REAL,
    SE_PICKLE_TEXT,
    SE_PICKLE_TUPLE,
    SE_PICKLE_LIST,
    SE_PICKLE_DICT,
    SE_PICKLE_CLASS,
    SE_PICKLE_STORAGE,
    SE_PICKLE_TENSOR,
    SE_PICKLE_KINDS
} se_pickle_kind;

/* What a pickle may ask for by name. */
typedef struct se_pickle_class {
    const char *module, *name;
    enum {
        SE_PICKLE_ORDERED_DICT,
        SE_PICKLE_REBUILD_TENSOR,
        SE_PICKLE_REBUILD_PARAMETER,
        SE_PICKLE_STORAGE_CLASS
    } what;
    const char *dtype; /* of a storage class, as safetensors calls it: "F32", "BF16", "I64", ... */
    int bytes;         /* of an element */
} se_pickle_class;

typedef struct se_pickle_value {
    se_pickle_kind kind;
    int64_t integer;  /* BOOL, INTEGER; a REAL's value is not kept */
    const char *text; /* TEXT: bytes in the pickle, not ended by a 0 byte */
    size_t bytes;
    const se_pickle_class *class; /* CLASS, STORAGE */
    /* TUPLE, LIST; DICT: key, value, key, value, ... as they were set, the same key perhaps twice;
     * STORAGE: "storage", its class, TEXT key, TEXT device, INTEGER number of elements;
     * TENSOR: STORAGE, INTEGER offset, TUPLE of INTEGER sizes, as many strides, ... */
    struct se_pickle_value **item;
    size_t n, room;
    struct se_pickle_value *next; /* of all values, in the order of freeing */
} se_pickle_value;

/* "a dict", "an integer", ... for messages */
const char *se_pickle_kind_name(se_pickle_kind kind);

/* Reads the pickle `data`, which begins at offset `at` of the file `path`. The result, and all that
 * is in it, is freed by se_pickle_free(*all), also after a failure; texts point into data. Values
 * may hold each other in circles. */
se_status se_pickle_read(const char *data, size_t bytes, const char *path, uint64_t at,
                         se_pickle_value **out, se_pickle_value **all);
void se_pickle_free(se_pickle_value *all);

/* --- what a pickle may ask for: pickle_torch.c --- */

/* The class or function of that name; NULL: it is not among the few that are known. */
const se_pickle_class *se_pickle_find(const char *module, size_t module_bytes, const char *name,
                                      size_t name_bytes);

/* What a persistent id stands for, and what a CLASS gives for a TUPLE of arguments: fills the fresh
 * value *out, whose items are lent by the arguments. Gives NULL, or what is wrong. */
const char *se_pickle_storage(const se_pickle_value *id, se_pickle_value *out);
const char *se_pickle_call(const se_pickle_value *f, const se_pickle_value *args,
                           se_pickle_value *out);

#endif
