/* Programs of a plugin: compiling, saving, running. */
#include "pjrt_private.h"

#include <stdlib.h>
#include <string.h>

struct se_pjrt_program {
    se_pjrt *owner;
    pj_program *raw;
    int replicas, n_in, n_out;
    se_type *in, *out;
    int *donates;
    bool *donated; /* of each argument */
    bool looked;   /* the types of what came out were compared with `out` */
};

/* --- compile options --- */

/* Protocol buffers: a field is (number << 3 | kind), then its value; kind 0 is a number in groups
 * of seven bits, kind 2 a length and so many bytes. */
typedef struct message {
    unsigned char *at;
    size_t n;
} message;

static void put_number(message *m, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        m->at[m->n++] = (unsigned char)(v | 128);
    m->at[m->n++] = (unsigned char)v;
}

static void put_field(message *m, int field, int64_t v)
{
    put_number(m, (uint64_t)field << 3);
    put_number(m, (uint64_t)v);
}

/* Puts the bytes from `from` to the end into a field of their own. */
static void wrap(message *m, int field, size_t from)
{
    unsigned char head[32];
    message h = {head, 0};
    put_number(&h, (uint64_t)field << 3 | 2);
    put_number(&h, m->n - from);
    memmove(m->at + from + h.n, m->at + from, m->n - from);
    memcpy(m->at + from, head, h.n);
    m->n += h.n;
}

se_status se_pjrt_options(int replicas, const int32_t *id, char **bytes, size_t *size)
{
    message m = {se_malloc(128 + 10 * (size_t)replicas), 0};
    if (!m.at)
        return SE_ERR_MEMORY;
    put_field(&m, 1, -1); /* device_ordinal: none */
    put_field(&m, 4, replicas);
    put_field(&m, 5, 1); /* partitions */
    size_t assignment = m.n;
    put_field(&m, 1, replicas);
    put_field(&m, 2, 1);
    size_t computation = m.n;
    for (int i = 0; i < replicas; i++)
        put_number(&m, (uint64_t)id[i]);
    wrap(&m, 1, computation);
    wrap(&m, 3, computation);
    wrap(&m, 9, assignment);
    wrap(&m, 3, 0); /* executable_build_options */
    *bytes = (char *)m.at;
    *size = m.n;
    return SE_OK;
}

/* --- making programs --- */

void se_pjrt_program_free(se_pjrt_program *g)
{
    if (!g)
        return;
    pj_program_args args = PJ_NEW(pj_program_args, .program = g->raw);
    if (g->raw)
        se_pjrt_call(g->owner, PJ_PROGRAM_DESTROY, &args, SE_ERR_IO, "free");
    free(g->in);
    free(g->out);
    free(g->donates);
    free(g->donated);
    free(g);
}

static void *copy(const void *from, int n, size_t each)
{
    void *to = se_calloc((size_t)n + 1, each);
    if (to && n)
        memcpy(to, from, (size_t)n * each);
    return to;
}

static se_status check_schema(const se_pjrt *p, const se_pjrt_schema *c)
{
    char a[SE_TYPE_TEXT], b[SE_TYPE_TEXT];
    if (c->replicas < 1 || c->replicas > p->n_device)
        return se_fail(SE_ERR_ARG, "compile: %d replicas on %d devices", c->replicas, p->n_device);
    for (int i = 0; i < c->n_in + c->n_out; i++) {
        const se_type *t = i < c->n_in ? &c->in[i] : &c->out[i - c->n_in];
        if (!se_pjrt_dtype(t->dtype))
            return se_fail(SE_ERR_ARG, "compile: a type that no device has");
    }
    for (int k = 0; k < c->n_out; k++) {
        int i = c->donates[k];
        if (i < -1 || i >= c->n_in)
            return se_fail(SE_ERR_ARG, "compile: output %d takes over argument %d of %d", k, i,
                           c->n_in);
        if (i >= 0 && !se_type_same(&c->in[i], &c->out[k]))
            return se_fail(SE_ERR_ARG, "compile: %s cannot take over %s",
                           se_type_print(&c->out[k], a), se_type_print(&c->in[i], b));
        for (int j = 0; j < k; j++)
            if (i >= 0 && c->donates[j] == i)
                return se_fail(SE_ERR_ARG, "compile: outputs %d and %d both take over argument %d",
                               j, k, i);
    }
    return SE_OK;
}

static se_status make(se_pjrt *p, const se_pjrt_schema *c, se_pjrt_program **out)
{
    se_status s = check_schema(p, c);
    if (s)
        return s;
    se_pjrt_program *g = se_calloc(1, sizeof *g);
    if (!g)
        return SE_ERR_MEMORY;
    g->owner = p;
    g->replicas = c->replicas;
    g->n_in = c->n_in;
    g->n_out = c->n_out;
    g->in = copy(c->in, c->n_in, sizeof *c->in);
    g->out = copy(c->out, c->n_out, sizeof *c->out);
    g->donates = copy(c->donates, c->n_out, sizeof *c->donates);
    g->donated = se_calloc((size_t)c->n_in + 1, sizeof *g->donated);
    if (!g->in || !g->out || !g->donates || !g->donated) {
        se_pjrt_program_free(g);
        return SE_ERR_MEMORY;
    }
    for (int k = 0; k < c->n_out; k++)
        if (c->donates[k] >= 0)
            g->donated[c->donates[k]] = true;
    *out = g;
    return SE_OK;
}

/* What a program is made of without being on a device; destroyed by code_free. */
static se_status code_of(const se_pjrt_program *g, pj_code **out)
{
    pj_program_code args = PJ_NEW(pj_program_code, .program = g->raw);
    se_status s = se_pjrt_call(g->owner, PJ_PROGRAM_CODE, &args, SE_ERR_IO, "compile");
    *out = args.code;
    return s;
}

static void code_free(const se_pjrt *p, pj_code *code)
{
    pj_code_args args = PJ_NEW(pj_code_args, .code = code);
    se_pjrt_call(p, PJ_CODE_DESTROY, &args, SE_ERR_IO, "free");
}

/* A run writes as many buffers as the program has outputs. */
static se_status check_outputs(const se_pjrt_program *g)
{
    pj_code *code;
    se_status s = code_of(g, &code);
    if (s)
        return s;
    pj_code_outputs args = PJ_NEW(pj_code_outputs, .code = code);
    s = se_pjrt_call(g->owner, PJ_CODE_OUTPUTS, &args, SE_ERR_IO, "compile");
    if (!s && args.n != (size_t)g->n_out)
        s = se_fail(SE_ERR_FORMAT, "compile: the program has %zu outputs, %d are wanted", args.n,
                    g->n_out);
    code_free(g->owner, code);
    return s;
}

/* A parser that calls itself for each bracket ends the process on tens of thousands of them. */
static se_status check_text(const char *text, size_t length)
{
    enum { MOST = 500 };
    int depth = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == 0)
            return se_fail(SE_ERR_FORMAT, "compile: byte %zu of the text is zero", i);
        depth += text[i] == '(' || text[i] == '[' || text[i] == '{';
        depth -= text[i] == ')' || text[i] == ']' || text[i] == '}';
        if (depth > MOST)
            return se_fail(SE_ERR_FORMAT, "compile: over %d brackets within each other at byte %zu",
                           MOST, i);
    }
    return SE_OK;
}

/* What a plugin made, if its outputs are those of the schema; else nothing is left of it. */
static se_status hand_out(se_pjrt_program *g, se_status s, se_pjrt_program **out)
{
    if (!s)
        s = check_outputs(g);
    if (s)
        se_pjrt_program_free(g);
    else
        *out = g;
    return s;
}

se_status se_pjrt_compile(se_pjrt *p, const char *text, size_t length, const se_pjrt_schema *schema,
                          se_pjrt_program **out)
{
    *out = NULL;
    se_pjrt_program *g = NULL;
    char *options = NULL;
    size_t size = 0;
    se_status s = check_text(text, length);
    if (!s)
        s = make(p, schema, &g);
    if (!s)
        s = se_pjrt_options(g->replicas, p->id, &options, &size);
    if (!s) {
        pj_text code = {.head = {.size = sizeof code},
                        .code = text,
                        .code_size = length,
                        .format = "mlir",
                        .format_size = 4};
        pj_compile_args args = PJ_NEW(pj_compile_args, .client = p->client, .text = &code,
                                      .options = options, .options_size = size);
        s = se_pjrt_call(p, PJ_CLIENT_COMPILE, &args, SE_ERR_FORMAT, "compile");
        g->raw = s ? NULL : args.program;
    }
    free(options);
    return hand_out(g, s, out);
}

se_status se_pjrt_save(se_pjrt_program *g, char **bytes, size_t *size)
{
    *bytes = NULL;
    pj_code *code;
    se_status s = code_of(g, &code);
    if (s)
        return s;
    pj_save_args args = PJ_NEW(pj_save_args, .code = code);
    s = se_pjrt_call(g->owner, PJ_CODE_SAVE, &args, SE_ERR_IO, "save a program");
    if (!s) {
        *size = args.size;
        *bytes = copy(args.bytes, 1, args.size);
        if (!*bytes)
            s = SE_ERR_MEMORY;
        if (args.release)
            args.release(args.holder);
    }
    code_free(g->owner, code);
    return s;
}

se_status se_pjrt_load(se_pjrt *p, const char *bytes, size_t size, const se_pjrt_schema *schema,
                       se_pjrt_program **out)
{
    *out = NULL;
    se_pjrt_program *g = NULL;
    se_status s = make(p, schema, &g);
    if (s)
        return s;
    pj_load_args args = PJ_NEW(pj_load_args, .client = p->client, .bytes = bytes, .size = size);
    s = se_pjrt_call(p, PJ_PROGRAM_LOAD, &args, SE_ERR_FORMAT, "load a program");
    g->raw = s ? NULL : args.program;
    return hand_out(g, s, out);
}

/* --- running --- */

/* Plugins take a wrong type of the same size in silence, and end the process for a missing buffer,
 * or when one replica is refused while others wait for it. */
static se_status check_arguments(const se_pjrt_program *g, se_pjrt_buf *const *in)
{
    static int64_t runs;
    char came[SE_TYPE_TEXT], wanted[SE_TYPE_TEXT];
    for (int r = 0; r < g->replicas; r++) {
        int64_t seen = ++runs;
        for (int pass = 0; pass < 2; pass++) /* what is donated first: nobody else may have it */
            for (int i = 0; i < g->n_in; i++) {
                se_pjrt_buf *b = in[r * g->n_in + i];
                if (g->donated[i] == (pass == 1))
                    continue;
                if (!b || !b->raw)
                    return se_fail(SE_ERR_STATE, "run: argument %d of replica %d is %s", i, r,
                                   b ? "taken over by another program" : "missing");
                if (b->owner != g->owner || b->device != r)
                    return se_fail(SE_ERR_STATE, "run: argument %d of replica %d is on device %d",
                                   i, r, b->device);
                if (!se_type_same(&b->type, &g->in[i]))
                    return se_fail(SE_ERR_ARG,
                                   "run: argument %d of replica %d: %s came, %s is wanted", i, r,
                                   se_type_print(&b->type, came), se_type_print(&g->in[i], wanted));
                if (b->mark == seen)
                    return se_fail(SE_ERR_STATE,
                                   "run: argument %d of replica %d is given twice and taken over",
                                   i, r);
                if (g->donated[i])
                    b->mark = seen;
            }
    }
    return SE_OK;
}

/* The arguments whose memory a program has taken over are gone, after a failure those that the
 * plugin calls deleted. */
static void take_over(const se_pjrt_program *g, se_pjrt_buf *const *in, bool failed)
{
    for (int i = 0; i < g->replicas * g->n_in; i++) {
        se_pjrt_buf *b = in[i];
        if (!g->donated[i % g->n_in])
            continue;
        pj_buffer_deleted args = PJ_NEW(pj_buffer_deleted, .buffer = b->raw, .deleted = true);
        if (failed && !se_pjrt_call(g->owner, PJ_BUFFER_DELETED, &args, SE_ERR_IO, "run") &&
            !args.deleted)
            continue;
        pj_buffer_args gone = PJ_NEW(pj_buffer_args, .buffer = b->raw);
        se_pjrt_call(g->owner, PJ_BUFFER_DESTROY, &gone, SE_ERR_IO, "run");
        b->raw = NULL;
    }
}

static se_status check_output(const se_pjrt_program *g, const se_pjrt_buf *b)
{
    pj_buffer_dtype dtype = PJ_NEW(pj_buffer_dtype, .buffer = b->raw);
    pj_buffer_dims dims = PJ_NEW(pj_buffer_dims, .buffer = b->raw);
    char text[SE_TYPE_TEXT];
    se_status s = se_pjrt_call(g->owner, PJ_BUFFER_DTYPE, &dtype, SE_ERR_IO, "run");
    if (!s)
        s = se_pjrt_call(g->owner, PJ_BUFFER_DIMS, &dims, SE_ERR_IO, "run");
    if (s)
        return s;
    bool same = dtype.dtype == se_pjrt_dtype(b->type.dtype) && dims.n == b->type.rank;
    for (size_t i = 0; same && i < dims.n; i++)
        same = dims.dim[i] == b->type.dim[i];
    return same ? SE_OK
                : se_fail(SE_ERR_FORMAT, "run: an output is not %s, as the program's maker said",
                          se_type_print(&b->type, text));
}

/* Gives the raw outputs owners; all or none. */
static se_status own_outputs(se_pjrt_program *g, pj_buffer *const *raw, se_pjrt_buf **out)
{
    se_status s = SE_OK;
    int n = g->replicas * g->n_out;
    for (int i = 0; i < n; i++) {
        out[i] = se_pjrt_buf_of(g->owner, raw[i], &g->out[i % g->n_out], i / g->n_out);
        if (!out[i])
            s = SE_ERR_MEMORY;
        else if (!s && !g->looked)
            s = check_output(g, out[i]);
    }
    g->looked = true;
    for (int i = 0; s && i < n; i++) {
        se_pjrt_buf_free(out[i]);
        out[i] = NULL;
    }
    return s;
}

/* All arrays of a run in one block: what each device takes and gives, and its event. */
typedef struct launch {
    pj_buffer **in, **out, ***out_of;
    pj_buffer *const **in_of;
    pj_event **done;
} launch;

static void *launch_make(const se_pjrt_program *g, se_pjrt_buf *const *in, launch *l)
{
    size_t n_in = (size_t)g->replicas * (size_t)g->n_in;
    size_t n_out = (size_t)g->replicas * (size_t)g->n_out, n = (size_t)g->replicas;
    void **block = se_calloc(n_in + n_out + 3 * n, sizeof *block);
    if (!block)
        return NULL;
    l->in = (pj_buffer **)block;
    l->out = (pj_buffer **)(block + n_in);
    l->in_of = (pj_buffer *const **)(block + n_in + n_out);
    l->out_of = (pj_buffer ***)(block + n_in + n_out + n);
    l->done = (pj_event **)(block + n_in + n_out + 2 * n);
    for (size_t i = 0; i < n_in; i++)
        l->in[i] = in[i]->raw;
    for (int r = 0; r < g->replicas; r++) {
        l->in_of[r] = l->in + r * g->n_in;
        l->out_of[r] = l->out + r * g->n_out;
    }
    return block;
}

se_status se_pjrt_run(se_pjrt_program *g, se_pjrt_buf *const *in, se_pjrt_buf **out)
{
    memset(out, 0, sizeof *out * (size_t)(g->replicas * g->n_out));
    launch l;
    se_status s = check_arguments(g, in);
    if (s)
        return s;
    void *block = launch_make(g, in, &l);
    if (!block)
        return SE_ERR_MEMORY;
    pj_run_options options = PJ_NEW(pj_run_options, .later = {0});
    pj_run_args args = PJ_NEW(pj_run_args, .program = g->raw, .options = &options, .in = l.in_of,
                              .n_device = (size_t)g->replicas, .n_in = (size_t)g->n_in,
                              .out = l.out_of, .done = l.done);
    s = se_pjrt_call(g->owner, PJ_PROGRAM_RUN, &args, SE_ERR_IO, "run");
    bool launched = !s;
    for (int r = 0; launched && r < g->replicas; r++) {
        se_status one = se_pjrt_wait(g->owner, l.done[r], SE_ERR_IO, "run");
        s = s ? s : one;
    }
    take_over(g, in, !launched);
    if (launched && s) {
        for (int i = 0; i < g->replicas * g->n_out; i++)
            se_pjrt_buf_free(se_pjrt_buf_of(g->owner, l.out[i], &g->out[i % g->n_out], 0));
    } else if (!s) {
        s = own_outputs(g, l.out, out);
    }
    free(block);
    return s;
}
