#include "call.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

/* What came, sorted: places on the stack, 0 where nothing came. Argument i by position is at
 * base + i. */
typedef struct sorted {
    lua_State *L;
    const se_bound *b;
    int base;
    int n_tensors;
    int list;   /* the place of a list of tensors, where one came in place of a row of them */
    int tensor; /* the place of the first tensor by position */
    int named[SE_NAMED_TENSORS], attr[SE_MAX_ATTRS];
    int attr_n[SE_MAX_ATTRS]; /* how many numbers stand there in a row: x:reshape(2, 3) */
} sorted;

/* What the op takes. Handles are borrowed from tensors on the stack; numbers get theirs last. */
typedef struct taken {
    se_tensor *in[SE_MAX_INPUTS];
    se_attr attr[SE_MAX_ATTRS];
    int n_numbers;
    struct {
        int at;
        double value;
    } number[SE_MAX_INPUTS];
} taken;

int se_lua_place(lua_State *L, const char **file)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline < 0 || strncmp(ar.source, "=sembed", 7) == 0)
            continue;
        *file = ar.source + (*ar.source == '@' || *ar.source == '=');
        return ar.currentline;
    }
    *file = NULL;
    return 0;
}

int se_lua_ctype(const void *data, int before)
{
    uint16_t id;
    memcpy(&id, (const char *)data - before, sizeof id);
    return id;
}

/* Where the handle of the tensor at that place is; NULL: it is no tensor. */
static se_tensor **tensor_at(const sorted *s, int at)
{
    if (lua_type(s->L, at) != s->b->lua_type)
        return NULL;
    const void *data = lua_topointer(s->L, at);
    return se_lua_ctype(data, s->b->before) == s->b->ctype ? (se_tensor **)(uintptr_t)data : NULL;
}

/* --- sorting --- */

/* Puts on the stack where to go on with lua_next behind what has a position. */
static void skip_positions(lua_State *L, int at)
{
    size_t n = lua_objlen(L, at);
    if (n)
        lua_pushinteger(L, (lua_Integer)n);
    else
        lua_pushnil(L);
}

/* A plain table with names; packed texts have a metatable. */
static bool is_options(lua_State *L, int at)
{
    if (!lua_istable(L, at))
        return false;
    if (lua_getmetatable(L, at)) {
        lua_pop(L, 1);
        return false;
    }
    skip_positions(L, at);
    while (lua_next(L, at)) {
        bool is = lua_type(L, -2) == LUA_TSTRING;
        lua_pop(L, is ? 2 : 1);
        if (is)
            return true;
    }
    return false;
}

static bool is_list_kind(int kind)
{
    return kind == SE_KIND_AXES || kind == SE_KIND_INTS;
}

/* The arguments by position, which end before `end`. */
static bool sort_positions(sorted *s, int end)
{
    lua_State *L = s->L;
    const se_signature *sig = s->b->signature;
    int next = s->base + 1;
    if (!sig->variadic) {
        s->n_tensors = sig->n_tensors;
        for (int i = 0; i < sig->n_tensors && next < end; i++)
            s->named[i] = next++;
    } else if (next < end && lua_istable(L, next) && !is_options(L, next)) {
        s->n_tensors = (int)lua_objlen(L, next);
        s->list = next++;
    } else {
        s->tensor = next;
        while (next < end && tensor_at(s, next))
            next++;
        s->n_tensors = next - s->tensor;
    }
    for (int i = 0; i < sig->n_attrs && next < end; i++) {
        bool last = i == sig->n_attrs - 1;
        s->attr[i] = next++;
        s->attr_n[i] = 1;
        if (last && is_list_kind(sig->attr[i].kind) && lua_type(L, next - 1) == LUA_TNUMBER) {
            s->attr_n[i] += end - next;
            next = end;
        }
    }
    return next == end && s->n_tensors <= SE_MAX_INPUTS;
}

/* Where the value of the named argument belongs. */
static int *named_place(sorted *s, const char *name)
{
    const se_signature *sig = s->b->signature;
    size_t n = strlen(name);
    for (int i = 0; i < sig->n_attrs; i++)
        if (strcmp(sig->attr[i].name, name) == 0) {
            s->attr_n[i] = 1;
            return &s->attr[i];
        }
    for (int i = 0; i < sig->n_tensors && !sig->variadic; i++)
        if (s->b->tensor[i].n == n && memcmp(s->b->op->args + s->b->tensor[i].at, name, n) == 0)
            return &s->named[i];
    return NULL;
}

/* Values of options stay on the stack. */
static bool sort_options(sorted *s, int at)
{
    lua_State *L = s->L;
    skip_positions(L, at);
    while (lua_next(L, at)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return false;
        int *place = named_place(s, lua_tostring(L, -2));
        if (!place || (*place && !lua_isnil(L, *place)))
            return false;
        lua_insert(L, -2);
        *place = lua_gettop(L) - 1;
    }
    return true;
}

/* --- taking: what is at that place, checked --- */

static bool is_starts(const se_bound *b, int i)
{
    return b->tensor[i].n == 6 && memcmp(b->op->args + b->tensor[i].at, "starts", 6) == 0;
}

static bool take_tensor(sorted *s, taken *t, int i, int at)
{
    lua_State *L = s->L;
    se_tensor **handle = tensor_at(s, at);
    t->in[i] = handle ? *handle : NULL;
    if (handle)
        return *handle != NULL;
    if (lua_type(L, at) != LUA_TNUMBER)
        return false;
    t->number[t->n_numbers].at = i;
    t->number[t->n_numbers++].value = lua_tonumber(L, at);
    return true;
}

static bool take_named_tensor(sorted *s, taken *t, int i)
{
    lua_State *L = s->L;
    int at = s->named[i];
    if (at && is_starts(s->b, i) && lua_istable(L, at)) {
        lua_getfield(L, at, "starts"); /* of a packed text; it stays on the stack */
        return tensor_at(s, -1) && take_tensor(s, t, i, -1);
    }
    if (at && lua_toboolean(L, at))
        return take_tensor(s, t, i, at);
    t->in[i] = NULL;
    return i >= s->b->signature->n_required;
}

static bool take_tensors(sorted *s, taken *t)
{
    for (int i = 0; i < s->n_tensors; i++) {
        bool ok;
        if (s->list) {
            lua_rawgeti(s->L, s->list, i + 1);
            ok = take_tensor(s, t, i, -1);
            lua_pop(s->L, 1);
        } else if (s->tensor) {
            ok = take_tensor(s, t, i, s->tensor + i);
        } else {
            ok = take_named_tensor(s, t, i);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* Axes count from 1 in Lua and from 0 in C; negative ones are the same. */
static bool take_integer(lua_State *L, int at, bool axis, int64_t *out)
{
    if (lua_type(L, at) != LUA_TNUMBER)
        return false;
    double v = lua_tonumber(L, at);
    if (!(v >= -0x1p63 && v < 0x1p63) || v != (double)(int64_t)v || (axis && v == 0))
        return false;
    *out = (int64_t)v - (axis && v > 0);
    return true;
}

static bool take_list(lua_State *L, int at, int n, bool axes, se_attr *into)
{
    bool table = lua_istable(L, at), ok = true;
    if (table)
        n = (int)lua_objlen(L, at);
    if (n > SE_MAX_RANK)
        return false;
    into->n = n;
    for (int i = 0; i < n && ok; i++) {
        if (table)
            lua_rawgeti(L, at, i + 1);
        ok = take_integer(L, table ? -1 : at + i, axes, &into->list[i]);
        if (table)
            lua_pop(L, 1);
    }
    return ok;
}

static bool take_attr(lua_State *L, int at, int n, int kind, se_attr *into)
{
    switch (kind) {
    case SE_KIND_INT:
    case SE_KIND_AXIS:
        return take_integer(L, at, kind == SE_KIND_AXIS, &into->i);
    case SE_KIND_NUM:
        into->f = lua_tonumber(L, at);
        return lua_type(L, at) == LUA_TNUMBER;
    case SE_KIND_BOOL:
        into->i = lua_toboolean(L, at);
        return lua_isboolean(L, at);
    case SE_KIND_DTYPE:
        into->i = lua_type(L, at) == LUA_TSTRING ? se_dtype_of(lua_tostring(L, at)) : SE_NONE;
        return into->i != SE_NONE;
    default:
        return take_list(L, at, n, kind == SE_KIND_AXES, into);
    }
}

static bool take_attrs(sorted *s, taken *t)
{
    const se_signature *sig = s->b->signature;
    for (int i = 0; i < sig->n_attrs; i++) {
        int at = s->attr[i];
        t->attr[i] = sig->attr[i].value;
        if (at && !lua_isnil(s->L, at)) {
            if (!take_attr(s->L, at, s->attr_n[i], sig->attr[i].kind, &t->attr[i]))
                return false;
        } else if (!sig->attr[i].has_default) {
            return false;
        }
    }
    return true;
}

/* --- the call --- */

static se_status apply(lua_State *L, const se_bound *b, taken *t, int n_in, int results)
{
    const char *file;
    int line = se_lua_place(L, &file), made = 0;
    se_tensor *out[SE_MAX_OUTPUTS] = {0};
    se_status status = SE_OK;
    for (; made < t->n_numbers && !status; made++)
        status = se_tensor_number(t->number[made].value, &t->in[t->number[made].at]);
    if (!status)
        status = se_call(b->op, n_in, t->in, t->attr, file, line, out);
    for (int i = 0; i < made; i++)
        se_tensor_free(t->in[t->number[i].at]);
    for (int i = 0; i < b->n_out; i++)
        if (status)
            se_tensor_free(out[i]);
        else
            *(se_tensor **)(uintptr_t)lua_topointer(L, results + i) = out[i];
    return status;
}

/* Options may begin with values by position, x:sum { 1, keep = true }: copies of all arguments by
 * position, in one row. Gives the end of it. */
static int one_row(sorted *s, int n)
{
    lua_State *L = s->L;
    int more = (int)lua_objlen(L, n);
    if (!more)
        return n;
    luaL_checkstack(L, n + more + SE_NAMED_TENSORS + SE_MAX_ATTRS + 8, s->b->op->name);
    s->base = lua_gettop(L);
    for (int i = 1; i < n; i++)
        lua_pushvalue(L, i);
    for (int i = 1; i <= more; i++)
        lua_rawgeti(L, n, i);
    return s->base + n + more;
}

/* Sorts, takes and applies with n arguments and the results after them. False: refused. */
static bool try_call(lua_State *L, const se_bound *b, int n, se_status *status)
{
    sorted s = {.L = L, .b = b};
    taken t;
    t.n_numbers = 0;
    bool options = n > 0 && is_options(L, n);
    int end = options ? one_row(&s, n) : n + 1;
    if (!sort_positions(&s, end) || (options && !sort_options(&s, n)) || !take_tensors(&s, &t) ||
        !take_attrs(&s, &t))
        return false;
    *status = apply(L, b, &t, s.n_tensors, n + 1);
    return true;
}

/* The results are made first: nothing is allocated in Lua while handles are borrowed from it. */
int se_bound_call(lua_State *L)
{
    const se_bound *b = lua_touserdata(L, lua_upvalueindex(SE_UP_BOUND));
    int n = lua_gettop(L);
    se_status status = SE_OK;
    luaL_checkstack(L, SE_MAX_OUTPUTS + SE_NAMED_TENSORS + SE_MAX_ATTRS + 8, b->op->name);
    for (int i = 0; i < b->n_out; i++) {
        lua_pushvalue(L, lua_upvalueindex(SE_UP_NEW));
        lua_call(L, 0, 1);
    }
    bool ok = try_call(L, b, n, &status);
    if (ok && status == SE_ERR_MEMORY) { /* once more without what Lua has dropped */
        lua_settop(L, n + b->n_out);
        lua_gc(L, LUA_GCCOLLECT, 0);
        lua_gc(L, LUA_GCCOLLECT, 0);
        ok = try_call(L, b, n, &status);
    }
    if (!ok) {
        lua_settop(L, n);
        lua_pushvalue(L, lua_upvalueindex(SE_UP_REFUSED));
        lua_insert(L, 1);
        lua_pushstring(L, b->op->name);
        lua_insert(L, 2);
        lua_call(L, n + 1, 0);
        return luaL_error(L, "%s: arguments that cannot be taken", b->op->name);
    }
    if (status) {
        lua_pushvalue(L, lua_upvalueindex(SE_UP_FAILED));
        lua_pushinteger(L, status);
        lua_call(L, 1, 0);
    }
    lua_settop(L, n + b->n_out);
    return b->n_out;
}
