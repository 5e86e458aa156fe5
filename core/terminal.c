#define _GNU_SOURCE
#include "terminal.h"

#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static struct termios usual; /* as the terminal was before raw(true) */
static bool is_raw;
static volatile sig_atomic_t must_redraw;

static void on_change(int number)
{
    (void)number;
    must_redraw = 1;
}

static void set_raw(void)
{
    struct termios t = usual;
    t.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    t.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(0, TCSADRAIN, &t);
}

static int host_raw(lua_State *L)
{
    bool on = lua_toboolean(L, 1);
    if (on && !is_raw && tcgetattr(0, &usual) == 0) {
        struct sigaction action = {.sa_handler = on_change, .sa_flags = SA_RESTART};
        sigaction(SIGWINCH, &action, NULL);
        sigaction(SIGCONT, &action, NULL);
        setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth; numbers stay as in C */
        set_raw();
        is_raw = true;
        struct pollfd in = {.fd = 0, .events = POLLIN};
        lua_pushboolean(L, poll(&in, 1, 0) > 0);
        return 1;
    } else if (!on && is_raw) {
        tcsetattr(0, TCSADRAIN, &usual);
        is_raw = false;
    }
    return 0;
}

static int no_keys(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* Signals are let in only while it waits, so that none comes between a look at its flag and the
 * waiting. */
static int wait_for_keys(const struct timespec *most)
{
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGWINCH);
    sigaddset(&held, SIGCONT);
    sigprocmask(SIG_BLOCK, &held, &before);
    struct pollfd in = {.fd = 0, .events = POLLIN};
    int n = 0;
    if (!must_redraw && !se_interrupted())
        n = ppoll(&in, 1, most, &before);
    int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return n;
}

static int host_read_keys(lua_State *L)
{
    char keys[4096];
    bool waits = lua_isnoneornil(L, 1);
    double seconds = luaL_optnumber(L, 1, 0);
    struct timespec most = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    fflush(stdout);
    for (;;) {
        int n = wait_for_keys(waits ? NULL : &most);
        if (se_interrupted())
            return no_keys(L, "interrupted");
        if (must_redraw) {
            must_redraw = 0;
            set_raw(); /* a shell may have changed it meanwhile */
            return no_keys(L, "redraw");
        }
        if (n < 0 && errno != EINTR)
            return no_keys(L, "end");
        if (n == 0 && !waits)
            return no_keys(L, "none");
        if (n <= 0)
            continue;
        ssize_t got = read(0, keys, sizeof keys);
        if (got > 0) {
            lua_pushlstring(L, keys, (size_t)got);
            return 1;
        }
        if (got == 0 || (errno != EINTR && errno != EAGAIN))
            return no_keys(L, "end"); /* the terminal is gone */
    }
}

static int host_pause(lua_State *L)
{
    (void)L;
    kill(0, SIGTSTP);
    return 0;
}

static int host_terminal_size(lua_State *L)
{
    struct winsize size = {0};
    bool known = ioctl(1, TIOCGWINSZ, &size) == 0;
    lua_pushinteger(L, known && size.ws_col > 1 ? size.ws_col : 80);
    lua_pushinteger(L, known && size.ws_row > 1 ? size.ws_row : 24);
    return 2;
}

static int host_width(lua_State *L)
{
    lua_pushinteger(L, wcwidth((wchar_t)luaL_checkinteger(L, 1)));
    return 1;
}

static int host_read_line(lua_State *L)
{
    char *line = NULL;
    size_t room = 0;
    if (isatty(0)) { /* it hands out whole lines, one at a time */
        fflush(stdout);
        while (!se_interrupted() && wait_for_keys(NULL) <= 0)
            must_redraw = 0;
        if (se_interrupted())
            return 0;
    }
    ssize_t n = getline(&line, &room, stdin);
    if (n > 0 && line[n - 1] == '\n')
        n--;
    if (n >= 0)
        lua_pushlstring(L, line, (size_t)n);
    free(line);
    if (n < 0)
        clearerr(stdin); /* a signal is no end */
    return n >= 0;
}

static int host_append(lua_State *L)
{
    size_t n;
    const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &n);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    bool good = file >= 0 && write(file, text, n) == (ssize_t)n;
    int why = errno;
    if (file >= 0)
        close(file);
    lua_pushboolean(L, good);
    lua_pushfstring(L, "%s: %s", path, good ? "" : strerror(why));
    return 2;
}

static int host_list(lua_State *L)
{
    const char *folder = luaL_checkstring(L, 1);
    DIR *dir = opendir(folder);
    lua_newtable(L);
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat facts;
        const char *path = lua_pushfstring(L, "%s/%s", folder, entry->d_name);
        bool is_folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
        lua_pop(L, 1);
        lua_pushfstring(L, "%s%s", entry->d_name, is_folder ? "/" : "");
        lua_rawseti(L, -2, ++n);
    }
    if (dir)
        closedir(dir);
    return 1;
}

void se_terminal_functions(lua_State *L)
{
    static const luaL_Reg calls[] = {{"raw", host_raw},
                                     {"read_keys", host_read_keys},
                                     {"pause", host_pause},
                                     {"terminal_size", host_terminal_size},
                                     {"width", host_width},
                                     {"read_line", host_read_line},
                                     {"append", host_append},
                                     {"list", host_list},
                                     {NULL, NULL}};
    luaL_register(L, NULL, calls);
}
