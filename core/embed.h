/* sembed's Lua in a state: what main.c and the C API share. */
#ifndef SE_EMBED_H
#define SE_EMBED_H

#include "sembed.h"

/* sembed-cdef-begin */
/* What se_model_encode hands to lua/sembed/embed.lua: n texts, and room for their vectors. */
typedef struct se_encode_job {
    int64_t n;
    const char *const *texts;
    const size_t *bytes; /* NULL: each text ends at its zero byte */
    const se_encode_options *options;
    float *out;
    int64_t cut; /* filled: how many texts were cut */
} se_encode_job;
/* sembed-cdef-end */

/* Gives the state Lua's own library, lpeg, the embedded modules of lua/sembed, and the module
 * "sembed.host", which it leaves on the stack. Errors are Lua errors. */
struct lua_State;
void se_lua_open(struct lua_State *L);

#endif
