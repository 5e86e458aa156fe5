/* What the prompt needs of a terminal: keys as they come, its size, the widths of characters. The
 * editing itself is Lua (lua/sembed/repl/). */
#ifndef SE_TERMINAL_H
#define SE_TERMINAL_H

#include <lua.h>

/* Adds these functions to the table on top of the stack ("sembed.host"):
 *   raw(on)         true: keys come one by one and unseen; false: as before;
 *                   gives whether something was typed before
 *   read_keys(seconds)  the bytes that have come, at least one; nil and "end", "interrupted",
 *                   "redraw" (another size, or the process was stopped and goes on), or "none"
 *                   (in these seconds; without a number it waits)
 *   pause()         stops the process as Ctrl-Z does; returns when it goes on
 *   terminal_size() columns, rows
 *   width(code)     columns that a Unicode character takes: 0, 1 or 2; -1: it cannot be shown
 *   read_line()     a line of standard input without its end, with any bytes; nil at the end
 *   append(path, text)  adds to a file that only its owner reads; false and why where it cannot
 *   list(folder)    the names in a folder, those of folders with a "/" behind them */
void se_terminal_functions(lua_State *L);

#endif
