/* Model folders for other programs (declared in sembed.h): each opened folder has a Lua state of
 * its own, in which lua/sembed/embed.lua does the work. All of it runs on the engine's thread. */
#define _GNU_SOURCE
#include "embed.h"

#include "call.h"
#include "tokenizer.h"
#include "turn.h"

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct se_embedded {
    const char *name;
    const unsigned char *bytes;
    size_t n;
};
extern const struct se_embedded se_embedded[]; /* written by lua/embed.lua */
int luaopen_lpeg(lua_State *L);

/* --- what Lua calls: the module "sembed.host" --- */

/* embedded(name) -> bytes or nil; embedded() -> the names. */
static int host_embedded(lua_State *L)
{
    const char *name = luaL_optstring(L, 1, NULL);
    if (!name)
        lua_newtable(L);
    for (int i = 0; se_embedded[i].name; i++) {
        if (!name) {
            lua_pushstring(L, se_embedded[i].name);
            lua_rawseti(L, -2, i + 1);
        } else if (strcmp(name, se_embedded[i].name) == 0) {
            lua_pushlstring(L, (const char *)se_embedded[i].bytes, se_embedded[i].n);
            return 1;
        }
    }
    if (name)
        lua_pushnil(L);
    return 1;
}

/* place() -> file, line of the recipe; nothing where there is none. */
static int host_place(lua_State *L)
{
    const char *file;
    int line = se_lua_place(L, &file);
    if (!file)
        return 0;
    lua_pushstring(L, file);
    lua_pushinteger(L, line);
    return 2;
}

static int host_is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* shared_object() -> the shared object that holds the engine; nil where ffi.C, which looks among
 * what the program was linked with, finds the engine: not in a library that the program opened for
 * itself (Python's ctypes, plugins) or beside another copy of the engine. */
static int host_shared_object(lua_State *L)
{
    Dl_info info;
    void *mine = (void *)(uintptr_t)se_version, *program = dlopen(NULL, RTLD_LAZY);
    bool found = program && dlsym(program, "se_version") == mine;
    if (program)
        dlclose(program);
    if (found || !dladdr(mine, &info))
        return 0;
    lua_pushstring(L, info.dli_fname);
    return 1;
}

static int open_host(lua_State *L)
{
    static const luaL_Reg calls[] = {{"embedded", host_embedded},
                                     {"place", host_place},
                                     {"is_terminal", host_is_terminal},
                                     {"shared_object", host_shared_object},
                                     {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, calls);
    se_lua_bind(L);
    return 1;
}

void se_lua_open(lua_State *L)
{
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_lpeg);
    lua_setfield(L, -2, "lpeg");
    lua_pushcfunction(L, open_host);
    lua_setfield(L, -2, "sembed.host");
    lua_pushcfunction(L, host_embedded);
    lua_pushliteral(L, "sembed.loader");
    lua_call(L, 1, 1);
    size_t n;
    const char *bytes = lua_tolstring(L, -1, &n);
    if (luaL_loadbuffer(L, bytes, n, "=sembed.loader") != 0)
        lua_error(L);
    lua_call(L, 0, 0);
    lua_pop(L, 3);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sembed.host");
    lua_call(L, 1, 1);
}

/* --- model folders --- */

struct se_model {
    lua_State *L; /* its stack: the table of embed.lua */
    int64_t dims, tokens;
};

typedef struct request {
    const char *folder;
    se_model *model;
    se_encode_job encode;
} request;

/* Calls one of embed.lua's functions, which lies below its n arguments and gives a status and
 * either its message or `results` values, which stay on the stack. */
static se_status call(lua_State *L, int n, int results)
{
    int rc = lua_pcall(L, n, 1 + results, 0);
    if (rc) { /* outside the function's own net: only memory gives out there */
        const char *why = lua_tostring(L, -1);
        return se_fail(rc == LUA_ERRMEM ? SE_ERR_MEMORY : SE_ERR_STATE, "model: %s",
                       why ? why : "an error without a message");
    }
    se_status status = (se_status)lua_tointeger(L, -1 - results);
    if (status) {
        const char *why = lua_tostring(L, -results);
        return se_fail(status, "%s", why ? why : "");
    }
    return SE_OK;
}

/* Runs protected, with embed.lua's table as its result. */
static int load(lua_State *L)
{
    se_lua_open(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sembed.embed");
    lua_call(L, 1, 1);
    return 1;
}

static se_status open_folder(request *q)
{
    lua_State *L = q->model->L;
    lua_pushcfunction(L, load);
    if (lua_pcall(L, 0, 1, 0))
        return se_fail(SE_ERR_STATE, "model: %s", lua_tostring(L, -1));
    lua_getfield(L, 1, "open");
    lua_pushstring(L, q->folder);
    se_status status = call(L, 1, 2);
    if (!status) {
        q->model->dims = (int64_t)lua_tonumber(L, -2);
        q->model->tokens = (int64_t)lua_tonumber(L, -1);
    }
    lua_settop(L, 1);
    return status;
}

static se_status work_open(void *data)
{
    request *q = data;
    q->model->L = luaL_newstate();
    if (!q->model->L)
        return se_fail(SE_ERR_MEMORY, "model: out of memory: no room for a Lua state");
    return open_folder(q);
}

static se_status work_close(void *data)
{
    if (((se_model *)data)->L)
        lua_close(((se_model *)data)->L);
    se_arena_trim();
    return SE_OK;
}

void se_model_close(se_model *model)
{
    if (!model)
        return;
    se_turn(work_close, model);
    free(model);
}

se_status se_model_open(const char *folder, se_model **out)
{
    if (!out)
        return se_fail(SE_ERR_ARG, "model: NULL came where the model is to be put");
    *out = NULL;
    if (!folder)
        return se_fail(SE_ERR_ARG, "model: NULL came where a folder is wanted");
    if (strncmp(folder, "hf:", 3) != 0 && access(folder, F_OK) != 0)
        return se_fail(SE_ERR_IO, "%s: %s", folder, strerror(errno));
    se_model *model = se_calloc(1, sizeof *model);
    if (!model)
        return SE_ERR_MEMORY;
    request q = {.folder = folder, .model = model};
    se_status status = se_turn(work_open, &q);
    if (status)
        se_model_close(model);
    else
        *out = model;
    return status;
}

int64_t se_model_dims(const se_model *model)
{
    return model ? model->dims : 0;
}

int64_t se_model_tokens(const se_model *model)
{
    return model ? model->tokens : 0;
}

static se_status work_encode(void *data)
{
    request *q = data;
    lua_State *L = q->model->L;
    lua_getfield(L, 1, "encode");
    lua_pushlightuserdata(L, &q->encode);
    se_status status = call(L, 1, 1);
    lua_settop(L, 1);
    return status;
}

/* The caller's options as this version knows them. A program compiled for a later version may have
 * more fields; one that sets them wants what is not there. */
static se_status take_options(const se_encode_options *from, se_encode_options *to)
{
    *to = (se_encode_options){.size = sizeof *to};
    if (!from)
        return SE_OK;
    if (from->size < sizeof from->size)
        return se_fail(SE_ERR_ARG, "encode: options.size is %zu: sizeof options, %zu, is wanted",
                       from->size, sizeof *to);
    for (size_t i = sizeof *to; i < from->size; i++)
        if (((const char *)from)[i])
            return se_fail(SE_ERR_ARG,
                           "encode: an option is set that this version (%s) does not know: byte "
                           "%zu of %zu",
                           se_version(), i, from->size);
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    to->size = sizeof *to;
    if (to->dims < 0 || to->tokens < 0 || to->batch < 0)
        return se_fail(SE_ERR_ARG, "encode: dims, tokens and batch count: %lld, %lld and %lld came",
                       (long long)to->dims, (long long)to->tokens, (long long)to->batch);
    if (to->precision < 0 || to->precision >= SE_PRECISIONS)
        return se_fail(SE_ERR_ARG, "encode: precision is an se_precision: %d came", to->precision);
    if (to->normalize < -1 || to->normalize > 1)
        return se_fail(SE_ERR_ARG, "encode: normalize is 1, 0 or -1: %d came", to->normalize);
    return SE_OK;
}

/* All texts before the first is encoded, so that a mistake is named by the caller's own count. */
static se_status check_texts(int64_t n, const char *const *texts, const size_t *bytes,
                             const float *out)
{
    if (n < 0)
        return se_fail(SE_ERR_ARG, "encode: %lld texts came", (long long)n);
    if (n > 0 && (!texts || !out))
        return se_fail(SE_ERR_ARG, "encode: NULL came where %s",
                       texts ? "room for the vectors is wanted" : "texts are wanted");
    for (int64_t i = 0; i < n; i++) {
        if (!texts[i])
            return se_fail(SE_ERR_ARG, "encode: texts[%lld] of %lld is NULL", (long long)i,
                           (long long)n);
        size_t size = bytes ? bytes[i] : strlen(texts[i]), good = se_utf8_valid(texts[i], size);
        if (good < size)
            return se_fail(
                SE_ERR_ARG, "encode: texts[%lld] of %lld is not UTF-8: byte 0x%02X at offset %zu",
                (long long)i, (long long)n, (unsigned)(unsigned char)texts[i][good], good);
    }
    return SE_OK;
}

enum { AT_ONCE = 64 };

/* A batch is one turn, so that a caller with many texts lets others in between. */
se_status se_model_encode(se_model *model, int64_t n, const char *const *texts, const size_t *bytes,
                          const se_encode_options *options, float *out, int64_t *cut)
{
    se_encode_options o;
    if (!model)
        return se_fail(SE_ERR_ARG, "encode: NULL came where a model is wanted");
    se_status status = check_texts(n, texts, bytes, out);
    if (!status)
        status = take_options(options, &o);
    if (!status && o.dims > model->dims)
        status = se_fail(SE_ERR_ARG, "encode: dims=%lld: the model's vectors have %lld numbers",
                         (long long)o.dims, (long long)model->dims);
    int64_t dims = !status && o.dims ? o.dims : model->dims, all_cut = 0;
    int64_t step = !status && o.batch ? o.batch : AT_ONCE;
    for (int64_t i = 0; i < n && !status; i += step) {
        request q = {.model = model,
                     .encode = {.n = n - i < step ? n - i : step,
                                .texts = texts + i,
                                .bytes = bytes ? bytes + i : NULL,
                                .options = &o,
                                .out = out + i * dims}};
        status = se_turn(work_encode, &q);
        all_cut += q.encode.cut;
    }
    if (cut)
        *cut = status ? 0 : all_cut;
    return status;
}
