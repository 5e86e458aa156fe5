/* Ops as functions of Lua. A call reads its arguments where they lie on Lua's stack and makes its
 * nodes without a table or a boxed value in between: a graph has thousands of them. */
#ifndef SE_CALL_H
#define SE_CALL_H

#include "op.h"
#include "sembed.h"

struct lua_State;

/* An op that Lua can call. `tensor` tells where in op->args the tensors' names are. */
enum { SE_NAMED_TENSORS = 32 }; /* node.h: SE_MAX_NAMED */
typedef struct se_bound {
    const se_op *op;
    int32_t lua_type, ctype, before; /* of a tensor: lua_type, se_lua_ctype */
    const se_signature *signature;
    int32_t n_out;
    struct {
        uint16_t at, n;
    } tensor[SE_NAMED_TENSORS];
} se_bound;

/* The upvalues of se_bound_call, in order. */
enum {
    SE_UP_BOUND = 1, /* userdata: se_bound */
    SE_UP_NEW,       /* new() -> a tensor without a handle */
    SE_UP_REFUSED,   /* refused(name, ...): raises what is wrong with the arguments */
    SE_UP_FAILED     /* failed(status): raises the message of a call that did not succeed */
};

/* name(tensors ..., attributes ..., {names = values}) -> a tensor for each output. What may come,
 * and in which form, is told in lua/sembed/op.lua. Arguments that cannot be taken are handed to
 * refused as they came, which knows the words; nothing is held while Lua runs. */
int se_bound_call(struct lua_State *L);

/* A tensor in Lua is a struct of FFI that holds a handle (NULL after it was given back): unlike
 * userdata these compare with numbers and have ipairs. LuaJIT's number for a C type stands before
 * the data (lj_obj.h, GCcdata), so many bytes before it; lua/sembed/ffi.lua looks which, if any. */
enum { SE_CTYPE_GC64 = 6, SE_CTYPE_GC32 = 2 };
int se_lua_ctype(const void *data, int before);

/* The line of the first frame that is neither sembed's own nor C, and its file; 0 where there is
 * none. The name lives as long as the frame. */
int se_lua_place(struct lua_State *L, const char **file);

/* Adds to the table on top of the stack:
 *   types_of(data) -> what stands before an FFI value: SE_CTYPE_GC64 and SE_CTYPE_GC32
 *   collect(tensor)  gives the handle back: what Lua's collector calls
 *   op_function(name, layout, new, refused, failed) -> the function of the op of that name;
 *                    layout: which result of types_of it is, 1 or 2 */
void se_lua_bind(struct lua_State *L);

#endif
