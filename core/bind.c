/* What Lua gets of call.c: a function for each op, and what tensors need. */
#include "call.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static int types_of(lua_State *L)
{
    lua_pushinteger(L, se_lua_ctype(lua_topointer(L, 1), SE_CTYPE_GC64));
    lua_pushinteger(L, se_lua_ctype(lua_topointer(L, 1), SE_CTYPE_GC32));
    return 2;
}

/* Only the collector and ffi.lua have this one, and give it tensors. */
static int collect(lua_State *L)
{
    se_tensor **t = (se_tensor **)(uintptr_t)lua_topointer(L, 1);
    se_tensor_free(*t);
    *t = NULL;
    return 0;
}

/* Tensors stand before attributes, which have a colon: "x bias? axis:axis=-1". */
static void find_names(se_bound *b)
{
    const char *args = b->op->args;
    size_t at = 0;
    for (int i = 0; i < b->signature->n_tensors; i++) {
        if (i == SE_NAMED_TENSORS)
            SE_BUG("an op with more named tensors than a call has room for");
        at += strspn(args + at, " ");
        size_t n = strcspn(args + at, " ?*");
        b->tensor[i].at = (uint16_t)at;
        b->tensor[i].n = (uint16_t)n;
        at += strcspn(args + at, " ");
    }
}

static int op_function(lua_State *L)
{
    const se_op *op = se_op_find(luaL_checkstring(L, 1));
    if (!op)
        return luaL_error(L, "op_function: no op %s", lua_tostring(L, 1));
    se_bound *b = lua_newuserdata(L, sizeof *b);
    memset(b, 0, sizeof *b);
    b->op = op;
    b->signature = se_op_signature(op);
    b->n_out = se_op_outs(op);
    find_names(b);
    b->before = lua_tointeger(L, 2) == 1 ? SE_CTYPE_GC64 : SE_CTYPE_GC32;
    lua_pushvalue(L, 3);
    lua_call(L, 0, 1); /* a tensor, to know others by */
    b->lua_type = lua_type(L, -1);
    b->ctype = se_lua_ctype(lua_topointer(L, -1), b->before);
    lua_pop(L, 1);
    for (int i = 3; i <= 5; i++)
        lua_pushvalue(L, i);
    lua_pushcclosure(L, se_bound_call, SE_UP_FAILED);
    return 1;
}

void se_lua_bind(lua_State *L)
{
    static const luaL_Reg calls[] = {
        {"types_of", types_of}, {"collect", collect}, {"op_function", op_function}, {NULL, NULL}};
    luaL_register(L, NULL, calls);
}
