/* The program: opens a Lua state with the embedded library and a few calls that Lua has not by
 * itself, and hands over to lua/sembed/program.lua. */
#define _POSIX_C_SOURCE 200809L
#include "embed.h"

#include "terminal.h"

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

/* Inside host_guarded the hook stays: code that catches the first error (a loop around pcall) gets
 * another GRACE instructions later, and then at every instruction until the command has ended. The
 * grace lets the library put its own things in order. */
enum { GRACE = 10000 };
static bool is_guarded;
static int stops;

static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (is_guarded)
        lua_sethook(L, stop_hook, LUA_MASKCOUNT, stops++ ? 1 : GRACE);
    else
        lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted");
}

/* The first signal asks: a training step is finished, anything else ends between two ops or two
 * lines of Lua. A second one before the first was taken notice of ends the process. */
static bool launcher_stops;

static void on_signal(int number)
{
    if (se_interrupted()) {
        if (launcher_stops) /* its signals come one after another, the last is SIGKILL */
            return;
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    last_signal = number;
    se_interrupt_set();
    if (se_interrupt_now())
        lua_sethook(state, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* OpenMPI's mpirun, told to stop, sends SIGCONT, after odls_base_sigkill_timeout seconds SIGTERM,
 * and after as many more SIGKILL: the first is where the time to save begins. */
static void on_continue(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (info->si_pid != getppid())
        return;
    launcher_stops = true;
    on_signal(SIGTERM);
}

static void watch_launcher(void)
{
    struct sigaction action = {.sa_sigaction = on_continue, .sa_flags = SA_SIGINFO};
    if (getenv("OMPI_COMM_WORLD_SIZE"))
        sigaction(SIGCONT, &action, NULL);
}

/* --- Lua's memory --- */

/* The memory of the machine bounds what Lua takes, or the kernel would end the process. The prompt
 * itself may use RESERVE more than a command, so that it can go on when a command found none. */
enum { RESERVE = 32 << 20 };
static lua_Alloc plain_alloc;
static void *plain_data;
static size_t lua_bytes, lua_most;

static void *bounded_alloc(void *data, void *old, size_t old_bytes, size_t bytes)
{
    (void)data;
    size_t most = is_guarded ? lua_most : lua_most + RESERVE;
    if (bytes > old_bytes && bytes - old_bytes > most - (lua_bytes < most ? lua_bytes : most))
        return NULL;
    void *p = plain_alloc(plain_data, old, old_bytes, bytes);
    if (p || bytes == 0)
        lua_bytes += bytes - old_bytes;
    return p;
}

/* memory_most(bytes) sets what Lua may use, up to the machine's memory; memory_most() -> it. */
static int host_memory_most(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushnumber(L, (double)lua_most);
        return 1;
    }
    double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double most = luaL_checknumber(L, 1);
    lua_most = (size_t)(most < all ? most : all);
    if (!plain_alloc) {
        lua_bytes = (size_t)lua_gc(L, LUA_GCCOUNT, 0) << 10;
        plain_alloc = lua_getallocf(L, &plain_data);
        lua_setallocf(L, bounded_alloc, NULL);
    }
    return 0;
}

/* --- what Lua calls: more of "sembed.host" --- */

/* The command is over: its handler and what follows run undisturbed. */
static int call_handler(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* guarded(f, handler) -> as xpcall, for a command of the prompt: Ctrl-C stops f and nothing else,
 * whatever f catches. Outside of it a signal only sets the flag. */
static int host_guarded(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushcclosure(L, call_handler, 1);
    lua_insert(L, 1);
    stops = 0;
    is_guarded = true;
    se_interrupt_defer(false);
    int rc = lua_pcall(L, 0, LUA_MULTRET, 1);
    se_interrupt_defer(true);
    lua_sethook(L, NULL, 0, 0);
    is_guarded = false;
    lua_pushboolean(L, rc == 0);
    lua_replace(L, 1);
    return lua_gettop(L);
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

/* tell(text): to standard error, whatever io.stderr has become. */
static int host_tell(lua_State *L)
{
    fputs(luaL_checkstring(L, 1), stderr);
    return 0;
}

/* --- start --- */

/* Runs with everything on Lua's stack, so that an error here is a message too. */
static int start(lua_State *L)
{
    static const luaL_Reg calls[] = {{"guarded", host_guarded},
                                     {"memory_most", host_memory_most},
                                     {"facts", host_facts},
                                     {"tell", host_tell},
                                     {NULL, NULL}};
    char **argv = lua_touserdata(L, 1);
    se_lua_open(L);
    luaL_register(L, NULL, calls);
    se_terminal_functions(L);
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
    watch_launcher();
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
