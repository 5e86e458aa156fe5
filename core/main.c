/* The program: opens a Lua state with the embedded library and a few calls that Lua has not by
 * itself, and hands over to lua/sembed/program.lua. */
#define _POSIX_C_SOURCE 200809L
#include "embed.h"

#include <editline/readline.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lua_State *state;
static volatile sig_atomic_t last_signal;

/* --- signals --- */

static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted");
}

/* The first signal asks: a training step is finished, anything else ends between two ops or two
 * lines of Lua. A second one before the first was taken notice of ends the process. */
static void on_signal(int number)
{
    if (se_interrupted()) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    last_signal = number;
    se_interrupt_set();
    if (se_interrupt_now())
        lua_sethook(state, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* --- what Lua calls: more of "sembed.host" --- */

/* read_line(prompt) -> a line typed with editing, or nil at the end of input. */
static int host_read_line(lua_State *L)
{
    char *line = readline(luaL_checkstring(L, 1));
    if (!line)
        return 0;
    lua_pushstring(L, line);
    free(line);
    return 1;
}

/* history("read" | "write" | "add", file or entry) */
static int host_history(lua_State *L)
{
    const char *what = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
    if (*what == 'r')
        read_history(text);
    else if (*what == 'w')
        write_history(text);
    else
        add_history(text);
    return 0;
}

/* facts() -> the last signal's number (0: none came), the program's path. */
static int host_facts(lua_State *L)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    lua_pushinteger(L, last_signal);
    lua_pushlstring(L, path, n > 0 ? (size_t)n : 0);
    return 2;
}

/* --- start --- */

/* Runs with everything on Lua's stack, so that an error here is a message too. */
static int start(lua_State *L)
{
    static const luaL_Reg calls[] = {{"read_line", host_read_line},
                                     {"history", host_history},
                                     {"facts", host_facts},
                                     {NULL, NULL}};
    char **argv = lua_touserdata(L, 1);
    se_lua_open(L);
    luaL_register(L, NULL, calls);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sembed.program");
    lua_call(L, 1, 1);
    lua_newtable(L);
    for (int i = 0; argv[i]; i++) { /* 0: how the program was called */
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 1, 1);
    return 1;
}

int main(int argc, char **argv)
{
    (void)argc;
    /* libgomp reads its waiting policy when it is loaded. Busy waiting slows down neighbours, but a
     * thread that sleeps takes 20 us to wake and a short text has a hundred regions: so threads
     * spin for about 12 us before they sleep. */
    if (!getenv("OMP_WAIT_POLICY") && setenv("OMP_WAIT_POLICY", "passive", 1) == 0 &&
        setenv("GOMP_SPINCOUNT", "300", 0) == 0)
        execv("/proc/self/exe", argv);
    state = luaL_newstate();
    if (!state) {
        fputs("sembed: out of memory\n", stderr);
        return 1;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    lua_pushcfunction(state, start);
    lua_pushlightuserdata(state, argv);
    int status = 1;
    if (lua_pcall(state, 1, 1, 0) == 0)
        status = (int)lua_tointeger(state, -1);
    else {
        fprintf(stderr, "sembed: %s\n", lua_tostring(state, -1));
        status = last_signal ? 128 + (int)last_signal : 1; /* stopped before there was a program */
    }
    lua_close(state);
    return status;
}
