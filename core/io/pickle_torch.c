#include "io/pickle.h"

#include <string.h>

static const se_pickle_class CLASSES[] = {
    {"collections", "OrderedDict", SE_PICKLE_ORDERED_DICT, NULL, 0},
    {"torch._utils", "_rebuild_tensor_v2", SE_PICKLE_REBUILD_TENSOR, NULL, 0},
    {"torch._utils", "_rebuild_parameter", SE_PICKLE_REBUILD_PARAMETER, NULL, 0},
    {"torch", "FloatStorage", SE_PICKLE_STORAGE_CLASS, "F32", 4},
    {"torch", "HalfStorage", SE_PICKLE_STORAGE_CLASS, "F16", 2},
    {"torch", "BFloat16Storage", SE_PICKLE_STORAGE_CLASS, "BF16", 2},
    {"torch", "DoubleStorage", SE_PICKLE_STORAGE_CLASS, "F64", 8},
    {"torch", "LongStorage", SE_PICKLE_STORAGE_CLASS, "I64", 8},
    {"torch", "IntStorage", SE_PICKLE_STORAGE_CLASS, "I32", 4},
    {"torch", "ShortStorage", SE_PICKLE_STORAGE_CLASS, "I16", 2},
    {"torch", "CharStorage", SE_PICKLE_STORAGE_CLASS, "I8", 1},
    {"torch", "ByteStorage", SE_PICKLE_STORAGE_CLASS, "U8", 1},
    {"torch", "BoolStorage", SE_PICKLE_STORAGE_CLASS, "BOOL", 1},
};

const char *se_pickle_kind_name(se_pickle_kind k)
{
    static const char *const NAMES[SE_PICKLE_KINDS] = {
        "None",   "a bool", "an integer", "a real number", "a text",  "a tuple",
        "a list", "a dict", "a class",    "a storage",     "a tensor"};
    return NAMES[k];
}

static bool is(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

const se_pickle_class *se_pickle_find(const char *module, size_t module_bytes, const char *name,
                                      size_t name_bytes)
{
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++)
        if (is(module, module_bytes, CLASSES[i].module) && is(name, name_bytes, CLASSES[i].name))
            return &CLASSES[i];
    return NULL;
}

const char *se_pickle_storage(const se_pickle_value *id, se_pickle_value *out)
{
    static const char *const WRONG =
        "a persistent id that is not ('storage', class, key, device, number of elements)";
    se_pickle_value **of = id->item;
    if (id->kind != SE_PICKLE_TUPLE || id->n != 5)
        return WRONG;
    if (of[0]->kind != SE_PICKLE_TEXT || !is(of[0]->text, of[0]->bytes, "storage"))
        return WRONG;
    if (of[1]->kind != SE_PICKLE_CLASS || of[1]->class->what != SE_PICKLE_STORAGE_CLASS)
        return WRONG;
    if (of[2]->kind != SE_PICKLE_TEXT || of[3]->kind != SE_PICKLE_TEXT)
        return WRONG;
    if (of[4]->kind != SE_PICKLE_INTEGER || of[4]->integer < 0)
        return WRONG;
    out->kind = SE_PICKLE_STORAGE;
    out->class = of[1]->class;
    out->item = of;
    return NULL;
}

static bool is_tuple_of_integers(const se_pickle_value *v)
{
    if (v->kind != SE_PICKLE_TUPLE)
        return false;
    for (size_t i = 0; i < v->n; i++)
        if (v->item[i]->kind != SE_PICKLE_INTEGER)
            return false;
    return true;
}

/* (storage, offset, sizes, strides, requires_grad, backward_hooks[, metadata]) */
static const char *rebuild_tensor(const se_pickle_value *args, se_pickle_value *out)
{
    se_pickle_value **of = args->item;
    if (args->n < 6 || args->n > 7 || of[0]->kind != SE_PICKLE_STORAGE ||
        of[1]->kind != SE_PICKLE_INTEGER || !is_tuple_of_integers(of[2]) ||
        !is_tuple_of_integers(of[3]) || of[2]->n != of[3]->n)
        return "_rebuild_tensor_v2 with other arguments than (storage, offset, sizes, strides, "
               "requires_grad, hooks)";
    out->kind = SE_PICKLE_TENSOR;
    out->item = of;
    return NULL;
}

const char *se_pickle_call(const se_pickle_value *f, const se_pickle_value *args,
                           se_pickle_value *out)
{
    switch (f->class->what) {
    case SE_PICKLE_ORDERED_DICT:
        if (args->n)
            return "OrderedDict with arguments, expected none";
        out->kind = SE_PICKLE_DICT;
        return NULL;
    case SE_PICKLE_REBUILD_TENSOR:
        return rebuild_tensor(args, out);
    case SE_PICKLE_REBUILD_PARAMETER: /* (tensor, requires_grad, backward_hooks) */
        if (args->n != 3 || args->item[0]->kind != SE_PICKLE_TENSOR)
            return "_rebuild_parameter with other arguments than (tensor, requires_grad, hooks)";
        out->kind = SE_PICKLE_TENSOR;
        out->item = args->item[0]->item;
        return NULL;
    default:
        return "a storage class is called, expected it only to name a kind of storage";
    }
}
