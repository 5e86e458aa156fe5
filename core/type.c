#include "type.h"

#include <stdio.h>
#include <string.h>

static const char *const names[SE_DTYPES] = {"f32", "bf16", "i32", "bool"};
static bool real_f64;

void se_real_set_f64(bool on)
{
    real_f64 = on;
}

bool se_real_is_f64(void)
{
    return real_f64;
}

se_type se_type_make(se_dtype dtype, int rank, const int64_t *dim)
{
    se_type t = {.dtype = (uint8_t)dtype, .rank = (uint8_t)rank};
    for (int i = 0; i < rank; i++)
        t.dim[i] = dim[i];
    return t;
}

se_type se_type_scalar(se_dtype dtype)
{
    return se_type_make(dtype, 0, NULL);
}

const char *se_dtype_name(se_dtype dtype)
{
    return (unsigned)dtype < SE_DTYPES ? names[dtype] : "none";
}

se_dtype se_dtype_of(const char *name)
{
    for (int i = 0; i < SE_DTYPES; i++)
        if (strcmp(name, names[i]) == 0)
            return (se_dtype)i;
    return SE_NONE;
}

size_t se_dtype_size(se_dtype dtype)
{
    switch (dtype) {
    case SE_F32:
        return real_f64 ? 8 : 4;
    case SE_I32:
        return 4;
    case SE_BF16:
        return 2;
    case SE_BOOL:
        return 1;
    default:
        return 0;
    }
}

int64_t se_type_count(const se_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

double se_type_span(const se_type *t)
{
    double n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i] > 1 ? (double)t->dim[i] : 1.0;
    return n;
}

size_t se_type_bytes(const se_type *t)
{
    return (size_t)se_type_count(t) * se_dtype_size(t->dtype);
}

int64_t se_type_last(const se_type *t)
{
    return t->rank ? t->dim[t->rank - 1] : 1;
}

int64_t se_type_rows(const se_type *t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t->rank; i++)
        n *= t->dim[i];
    return n;
}

bool se_shape_same_dims(const se_type *a, const se_type *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, sizeof(int64_t) * a->rank) == 0;
}

bool se_type_same(const se_type *a, const se_type *b)
{
    return a->dtype == b->dtype && se_shape_same_dims(a, b);
}

bool se_type_broadcast(const se_type *a, const se_type *b, se_type *out)
{
    se_type r = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= r.rank; i++) {
        int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1;
        int64_t y = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        r.dim[r.rank - i] = x == 1 ? y : x;
    }
    *out = r;
    return true;
}

const char *se_type_print(const se_type *t, char text[SE_TYPE_TEXT])
{
    if (t->dtype == SE_NONE)
        return "none";
    int n = snprintf(text, SE_TYPE_TEXT, "%s[", se_dtype_name(t->dtype));
    for (int i = 0; i < t->rank && n < SE_TYPE_TEXT - 2; i++)
        n += snprintf(text + n, (size_t)(SE_TYPE_TEXT - n), "%s%lld", i ? "," : "",
                      (long long)t->dim[i]);
    if (n > SE_TYPE_TEXT - 2)
        n = SE_TYPE_TEXT - 2;
    text[n] = ']';
    text[n + 1] = 0;
    return text;
}
