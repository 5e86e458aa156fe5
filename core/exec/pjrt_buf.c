/* Tensors on devices: from the host, and back. */
#include "pjrt_private.h"

#include <stdlib.h>

int32_t se_pjrt_dtype(uint8_t dtype)
{
    static const int32_t number[SE_DTYPES] = {
        [SE_F32] = PJ_F32, [SE_BF16] = PJ_BF16, [SE_I32] = PJ_S32, [SE_BOOL] = PJ_PRED};
    return dtype < SE_DTYPES ? number[dtype] : 0;
}

static void destroy(const se_pjrt *p, pj_buffer *raw)
{
    pj_buffer_args args = PJ_NEW(pj_buffer_args, .buffer = raw);
    if (raw)
        se_pjrt_call(p, PJ_BUFFER_DESTROY, &args, SE_ERR_IO, "free");
}

se_pjrt_buf *se_pjrt_buf_of(se_pjrt *p, pj_buffer *raw, const se_type *type, int device)
{
    se_pjrt_buf *b = se_calloc(1, sizeof *b);
    if (!b) {
        destroy(p, raw);
        return NULL;
    }
    *b = (se_pjrt_buf){.owner = p, .raw = raw, .type = *type, .device = device};
    return b;
}

void se_pjrt_buf_free(se_pjrt_buf *b)
{
    if (b)
        destroy(b->owner, b->raw);
    free(b);
}

bool se_pjrt_buf_there(const se_pjrt_buf *b)
{
    return b->raw != NULL;
}

/* An unknown type of elements ends the process in a plugin. */
static se_status want_type(const se_type *type, const char *what)
{
    char text[SE_TYPE_TEXT];
    bool good = se_pjrt_dtype(type->dtype) && type->rank <= SE_MAX_RANK;
    for (int i = 0; good && i < type->rank; i++)
        good = type->dim[i] >= 0;
    if (!good || se_type_span(type) > SE_MAX_SPAN)
        return se_fail(SE_ERR_ARG, "%s: no tensor for a device: %s", what,
                       good ? se_type_print(type, text) : "its type");
    if (type->dtype == SE_F32 && se_real_is_f64())
        return se_fail(SE_ERR_STATE, "%s: doubles, in which gradients are checked, stay on the CPU",
                       what);
    return SE_OK;
}

se_status se_pjrt_put(se_pjrt *p, int device, const se_type *type, const void *data,
                      se_pjrt_buf **out)
{
    *out = NULL;
    se_status s = want_type(type, "to the device");
    if (s)
        return s;
    if (device < 0 || device >= p->n_device)
        return se_fail(SE_ERR_ARG, "to the device: device %d of %d", device, p->n_device);
    pj_put_args args =
        PJ_NEW(pj_put_args, .client = p->client, .data = data, .dtype = se_pjrt_dtype(type->dtype),
               .dim = type->dim, .n_dim = type->rank, .reading = PJ_DURING_CALL,
               .device = p->device[device]);
    s = se_pjrt_call(p, PJ_BUFFER_PUT, &args, SE_ERR_IO, "to the device");
    if (s)
        return s;
    s = se_pjrt_wait(p, args.done, SE_ERR_IO, "to the device");
    if (s) {
        destroy(p, args.buffer);
        return s;
    }
    *out = se_pjrt_buf_of(p, args.buffer, type, device);
    return *out ? SE_OK : SE_ERR_MEMORY;
}

se_status se_pjrt_get(se_pjrt_buf *b, void *data, size_t bytes)
{
    if (!b->raw)
        return se_fail(SE_ERR_STATE, "from the device: the memory belongs to a program now");
    if (bytes != se_type_bytes(&b->type))
        return se_fail(SE_ERR_ARG, "from the device: %zu bytes for a tensor of %zu", bytes,
                       se_type_bytes(&b->type));
    pj_get_args args = PJ_NEW(pj_get_args, .buffer = b->raw, .data = data, .size = bytes);
    se_status s = se_pjrt_call(b->owner, PJ_BUFFER_GET, &args, SE_ERR_IO, "from the device");
    return s ? s : se_pjrt_wait(b->owner, args.done, SE_ERR_IO, "from the device");
}
