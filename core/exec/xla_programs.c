/* Compiled programs by their texts: those of this process, then those in files, then the compiler.
 */
#include "xla_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    uint64_t hash;
    size_t length;
    char *text;
    se_pjrt_program *program;
} entry;
static entry *list;
static int n_list, room_list;

/* FNV-1a over words; equal texts are compared in full. */
static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t h = 14695981039346656037ull ^ length, word;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, text + i, 8);
        h = (h ^ word) * 1099511628211ull;
        h ^= h >> 29;
    }
    for (; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211ull;
    return h;
}

static const entry *find(uint64_t hash, const char *text, size_t length)
{
    for (int i = 0; i < n_list; i++)
        if (list[i].hash == hash && list[i].length == length &&
            memcmp(list[i].text, text, length) == 0)
            return &list[i];
    return NULL;
}

static se_status keep(entry e, const char *text)
{
    if (n_list == room_list) {
        entry *more = se_realloc(list, sizeof *more * (size_t)(2 * room_list + 16));
        if (!more)
            return SE_ERR_MEMORY;
        list = more;
        room_list = 2 * room_list + 16;
    }
    e.text = se_malloc(e.length + 1);
    if (!e.text)
        return SE_ERR_MEMORY;
    memcpy(e.text, text, e.length);
    list[n_list++] = e;
    return SE_OK;
}

static se_status make(const se_hlo_program *p, se_pjrt_program **out)
{
    se_type *type = se_calloc((size_t)(p->n_in + p->n_out) + 1, sizeof *type);
    if (!type)
        return SE_ERR_MEMORY;
    for (int i = 0; i < p->n_in; i++)
        type[i] = p->in[i].node->type[p->in[i].out];
    for (int k = 0; k < p->n_out; k++)
        type[p->n_in + k] = p->out[k].node->type[p->out[k].out];
    se_pjrt_schema schema = {se_xla_now.n, p->n_in, p->n_out, type, type + p->n_in, p->donates};
    se_status s = SE_OK;
    *out = se_xla_saved(p->text, p->length, &schema);
    if (!*out) {
        s = se_pjrt_compile(se_xla_now.device, p->text, p->length, &schema, out);
        if (!s) {
            se_xla_now.counts.compiled++;
            se_xla_save(p->text, p->length, *out);
        }
    }
    free(type);
    return s;
}

se_status se_xla_program(const se_hlo_program *p, se_pjrt_program **out)
{
    entry e = {.hash = hash_of(p->text, p->length), .length = p->length};
    const entry *known = find(e.hash, p->text, p->length);
    if (known) {
        *out = known->program;
        return SE_OK;
    }
    double start = se_seconds();
    se_status s = make(p, &e.program);
    if (!s && (s = keep(e, p->text)))
        se_pjrt_program_free(e.program);
    if (s)
        return s;
    se_xla_now.counts.programs++;
    se_xla_now.counts.make_seconds += se_seconds() - start;
    *out = e.program;
    return SE_OK;
}
