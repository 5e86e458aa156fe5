/* Ops from shared objects (declared in sembed.h). */
#define _GNU_SOURCE
#include "tensor.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct se_op_file {
    void *library;
    const se_op_exports *ops;
    se_signature *signature; /* of each op */
    char path[];
};

static const char SYMBOL[] = "se_op_exported";

/* --- one op --- */

/* What is being looked at, for messages. */
typedef struct look {
    const char *path;
    const se_op *op;
} look;

static se_status refuse(const look *l, const char *format, ...) SE_PRINTF(2, 3);
static se_status refuse(const look *l, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return se_fail(SE_ERR_ARG, "op.load: %s: %s: %s", l->path, l->op->name, text);
}

static bool is_name(const char *s)
{
    if (!islower((unsigned char)*s))
        return false;
    while (islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '_')
        s++;
    return *s == 0;
}

static se_status check_name(const look *l, const se_op_exports *all, int at)
{
    if (!is_name(l->op->name))
        return refuse(l, "a name must be small letters, digits and _, first a letter");
    const se_op *there = se_op_find(l->op->name);
    if (there)
        return refuse(l, "is an op already: %s", there->doc);
    for (int i = 0; i < at; i++)
        if (strcmp(all->op[i]->name, l->op->name) == 0)
            return refuse(l, "comes twice in the file");
    return SE_OK;
}

static bool has_level(const se_kernel *k)
{
    for (int i = 0; i < SE_LEVELS; i++)
        if (k->level[i])
            return true;
    return false;
}

static se_status check_functions(const look *l)
{
    const se_op *op = l->op;
    bool rows = op->cpu_rows.level[SE_LEVEL_PORTABLE], whole = op->cpu.level[SE_LEVEL_PORTABLE];
    if (!op->shape)
        return refuse(l, ".shape is missing: it gives the types of the outputs "
                         "(se_shape_like_first where they are those of the first input)");
    if ((has_level(&op->cpu_rows) && !rows) || (has_level(&op->cpu) && !whole))
        return refuse(l, "a kernel for every machine, level[SE_LEVEL_PORTABLE], is missing");
    if (!rows && !whole && !op->run && !op->alias && !op->expand)
        return refuse(l, "neither a kernel (.cpu_rows or .cpu) nor .expand is given");
    if ((unsigned)op->split > SE_BY_FIRST)
        return refuse(l, ".split is %d, which is no se_split", (int)op->split);
    return SE_OK;
}

static se_status check_outputs(const look *l)
{
    const se_op *op = l->op;
    int names = 0;
    if (op->n_out < 0 || op->n_out > SE_MAX_OUTPUTS)
        return refuse(l, ".n_out is %d, 1 to %d are wanted", op->n_out, SE_MAX_OUTPUTS);
    for (const char *p = op->outs ? op->outs : ""; *(p += strspn(p, " ")); p += strcspn(p, " "))
        names++;
    if ((op->outs || se_op_outs(op) > 1) && names != se_op_outs(op))
        return refuse(l, ".outs names %d outputs, .n_out says %d", names, se_op_outs(op));
    return SE_OK;
}

/* Fields that count inputs. */
static se_status check_indices(const look *l, const se_signature *s)
{
    const se_op *op = l->op;
    int n = s->n_tensors;
    if (op->alias && n == 0)
        return refuse(l, ".alias is set, but there is no input");
    if (op->texts > n)
        return refuse(l, ".texts is %d, there are %d inputs", op->texts, n);
    if (op->inplace >> (n < 8 ? n : 8))
        return refuse(l, ".inplace is 0x%x, there are %d inputs", op->inplace, n);
    for (int i = 0; i < SE_MAX_OUTPUTS; i++)
        if (op->overwrites[i] < 0 || op->overwrites[i] > n ||
            (op->overwrites[i] && i >= se_op_outs(op)))
            return refuse(l, ".overwrites[%d] is %d, there are %d inputs and %d outputs", i,
                          op->overwrites[i], n, se_op_outs(op));
    return SE_OK;
}

static se_status check_op(const look *l, const se_op_exports *all, int at, se_signature *signature)
{
    const se_op *op = l->op;
    char why[256];
    if (!op || !op->name)
        return se_fail(SE_ERR_ARG, "op.load: %s: op %d has no name", l->path, at + 1);
    se_status s = check_name(l, all, at);
    if (s)
        return s;
    if (!op->doc || !*op->doc || strchr(op->doc, '\n'))
        return refuse(l, ".doc must be one line that says what the op does");
    if (!op->args)
        return refuse(l, ".args is missing: the names of its tensors and attributes");
    if (!se_signature_read(op->args, signature, why, sizeof why))
        return refuse(l, "%s", why);
    s = check_functions(l);
    if (!s)
        s = check_outputs(l);
    return s ? s : check_indices(l, signature);
}

/* --- the file --- */

static se_status check_version(const char *path, const se_op_exports *ops)
{
    if (ops->version != SE_OP_VERSION)
        return se_fail(SE_ERR_ARG,
                       "op.load: %s: built with version %d of op.h, this sembed has version %d: "
                       "compile it with this sembed's headers",
                       path, (int)ops->version, SE_OP_VERSION);
    if (ops->op_size != (int32_t)sizeof(se_op))
        return se_fail(SE_ERR_ARG,
                       "op.load: %s: built with version %d of op.h and ops of %d bytes, this "
                       "sembed has version %d and ops of %d bytes: compile it with this sembed's "
                       "headers",
                       path, (int)ops->version, (int)ops->op_size, SE_OP_VERSION,
                       (int)sizeof(se_op));
    if (ops->count < 1)
        return se_fail(SE_ERR_ARG, "op.load: %s: exports no ops", path);
    return SE_OK;
}

/* Opens the file for its exports. Binding at once would stop at a function that only another
 * version of op.h has, before anything could be said about versions: so the first look is lazy. */
static se_status open_library(const char *path, int mode, void **library, const se_op_exports **ops)
{
    *library = dlopen(path, mode | RTLD_LOCAL);
    if (!*library) {
        const char *why = dlerror();
        bool named = strncmp(why, path, strlen(path)) == 0;
        if (strstr(why, "undefined symbol"))
            return se_fail(SE_ERR_FORMAT, "op.load: %s; this sembed has op.h of version %d", why,
                           SE_OP_VERSION);
        return se_fail(SE_ERR_FORMAT, "op.load: %s%s%s", named ? "" : path, named ? "" : ": ", why);
    }
    *ops = dlsym(*library, SYMBOL);
    se_status s = *ops ? check_version(path, *ops)
                       : se_fail(SE_ERR_FORMAT,
                                 "op.load: %s: exports no ops: it has no symbol %s, which "
                                 "SE_OP_EXPORT(...) of op.h makes",
                                 path, SYMBOL);
    if (s)
        dlclose(*library);
    return s;
}

/* An op's file finds the engine among what the whole process sees, in which a library that its host
 * opened for itself (Python's ctypes, plugins) does not stand until it is put there. */
static se_status be_found(const char *path)
{
    void *mine = (void *)(uintptr_t)se_op_apply, *process = dlopen(NULL, RTLD_LAZY);
    Dl_info info;
    if (process && !dlsym(process, "se_op_apply") && dladdr(mine, &info))
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    bool found = process && dlsym(process, "se_op_apply") == mine;
    if (process)
        dlclose(process);
    return found ? SE_OK
                 : se_fail(SE_ERR_STATE,
                           "op.load: %s: its ops would belong to another copy of sembed in this "
                           "process",
                           path);
}

se_status se_op_file_open(const char *path, se_op_file **out)
{
    *out = NULL;
    if (access(path, R_OK) != 0)
        return se_fail(SE_ERR_IO, "op.load: %s: there is no such file to read", path);
    /* Without a "/" the loader would search its own folders. */
    se_op_file *f = se_calloc(1, sizeof *f + strlen(path) + 3);
    if (!f)
        return SE_ERR_MEMORY;
    sprintf(f->path, "%s%s", strchr(path, '/') ? "" : "./", path);
    se_status s = be_found(path);
    if (!s)
        s = open_library(f->path, RTLD_LAZY, &f->library, &f->ops);
    if (!s) {
        dlclose(f->library);
        s = open_library(f->path, RTLD_NOW, &f->library, &f->ops);
    }
    if (s) {
        free(f);
        return s;
    }
    f->signature = se_calloc((size_t)f->ops->count, sizeof *f->signature);
    if (!f->signature)
        s = SE_ERR_MEMORY;
    for (int i = 0; i < f->ops->count && !s; i++)
        s = check_op(&(look){f->path, f->ops->op[i]}, f->ops, i, &f->signature[i]);
    if (s)
        se_op_file_close(f);
    else
        *out = f;
    return s;
}

int32_t se_op_file_list(const se_op_file *f)
{
    return f->ops->count;
}

void se_op_file_describe(const se_op_file *f, int32_t i, se_op_info *out)
{
    se_op_info_of(f->ops->op[i], out);
}

se_status se_op_file_take(se_op_file *f)
{
    se_status s = se_ops_add(f->ops->count, f->ops->op, f->signature);
    if (s)
        return se_fail_prefix(s, "op.load: %s: ", f->path);
    free(f->signature); /* the library stays: nodes point to its ops */
    free(f);
    return SE_OK;
}

void se_op_file_close(se_op_file *f)
{
    if (!f)
        return;
    dlclose(f->library);
    free(f->signature);
    free(f);
}
