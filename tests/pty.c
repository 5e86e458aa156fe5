/* Plays a transcript at the program's prompt through a pseudo terminal:
 *   pty PROGRAM TRANSCRIPT
 * A transcript has one step a line; "#" starts a comment. Nothing waits for a time: a step waits
 * until what it names has appeared.
 *
 *   run COMMAND        starts it, once; $SEMBED is the program, $FOLDER an empty folder and HOME
 *   size COLUMNS ROWS  of the terminal, 80 24 without it; may change later
 *   ready              waits until the program reads keys, with nothing typed behind its prompt
 *   type TEXT          ready, then types the text and Enter
 *   keys TEXT          types the text alone
 *   see TEXT           waits until the program has written it, behind what was seen before
 *   screen TEXT        waits until the terminal shows the text; \n is the end of a row
 *   never TEXT         the text has not been written so far
 *   count N TEXT       it has been written N times so far
 *   kill SIGNAL        sends a signal (a number)
 *   status N           waits for the program's end
 *
 * In texts: \e Escape, \r \n \t \\ and \xHH. Escape sequences of the program are left out of what
 * `see` looks through, and so is \r. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 100, COLUMNS = 400 };

/* Seconds: only a failure waits so long. PTY_PATIENCE sets another number. */
static int patience = 120;

static const char *transcript;
static int step_line;
static int terminal = -1;
static pid_t child;

/* What the program wrote, without escape sequences; all of it, and how much of it was seen. */
static char *output;
static size_t output_bytes, output_room, seen;

/* The terminal's screen: a byte a cell, so texts on it are compared as ASCII. */
static char cells[ROWS][COLUMNS];
static int rows = 24, columns = 80, row, column;
static bool wraps; /* the last column was written: the next character starts a row */

static void show_screen(FILE *to)
{
    for (int r = 0; r < rows; r++)
        fprintf(to, "|%.*s|\n", columns, cells[r]);
}

static void fail(const char *what, const char *text)
{
    size_t from = output_bytes > 3000 ? output_bytes - 3000 : 0;
    fprintf(stderr, "%s:%d: %s: %.300s\n--- the end of what was written:\n%s\n--- the screen:\n",
            transcript, step_line, what, text, output ? output + from : "");
    show_screen(stderr);
    if (child > 0)
        kill(child, SIGKILL);
    exit(1);
}

/* --- the terminal's side --- */

static void keep(char c)
{
    if (output_bytes + 2 > output_room) {
        output_room = output_room ? 2 * output_room : 1 << 16;
        output = realloc(output, output_room);
        if (!output)
            exit(2);
    }
    output[output_bytes++] = c;
    output[output_bytes] = 0;
}

static void next_row(void)
{
    if (++row < rows)
        return;
    row = rows - 1;
    memmove(cells[0], cells[1], sizeof cells[0] * (size_t)(rows - 1));
    memset(cells[rows - 1], ' ', sizeof cells[0]);
}

static void put(char c)
{
    if (wraps) {
        column = 0;
        next_row();
    }
    cells[row][column] = c;
    wraps = column == columns - 1;
    if (!wraps)
        column++;
}

static void plain(char c)
{
    if (c != '\r')
        keep(c);
    if (c == '\r')
        column = 0;
    else if (c == '\n')
        next_row();
    else if (c == '\b')
        column -= column > 0;
    else if ((unsigned char)c >= ' ' && ((unsigned char)c & 0xC0) != 0x80)
        put(c); /* a character of several bytes takes one cell */
    if (c == '\r' || c == '\n' || c == '\b')
        wraps = false;
}

static void clear_from(int r, int c)
{
    memset(cells[r] + c, ' ', (size_t)(COLUMNS - c));
    for (r++; r < ROWS; r++)
        memset(cells[r], ' ', sizeof cells[0]);
}

static void control(const char *sequence)
{
    int n = atoi(sequence), length = (int)strlen(sequence);
    n = n > 0 ? n : 1;
    wraps = false;
    switch (sequence[length - 1]) {
    case 'A':
        row = row > n ? row - n : 0;
        break;
    case 'B':
        row = row + n < rows ? row + n : rows - 1;
        break;
    case 'C':
        column = column + n < columns ? column + n : columns - 1;
        break;
    case 'D':
        column = column > n ? column - n : 0;
        break;
    case 'H':
        row = column = 0;
        break;
    case 'J':
        clear_from(*sequence == '2' ? 0 : row, *sequence == '2' ? 0 : column);
        break;
    default:
        break;
    }
}

static void take(const char *bytes, size_t n)
{
    static char sequence[64];
    static int length, state; /* 0: text, 1: after Escape, 2: within a sequence */
    for (size_t i = 0; i < n; i++) {
        char c = bytes[i];
        if (state == 0 && c == 27) {
            state = 1;
        } else if (state == 0) {
            plain(c);
        } else if (state == 1) {
            state = c == '[' ? 2 : 0;
            length = 0;
        } else if (length < (int)sizeof sequence - 1) {
            sequence[length++] = c;
            sequence[length] = 0;
            if (c >= '@' && c <= '~') {
                control(sequence);
                state = 0;
            }
        }
    }
}

/* Reads what comes within a second; false at the end. */
static bool read_more(void)
{
    struct pollfd in = {.fd = terminal, .events = POLLIN};
    char bytes[4096];
    if (poll(&in, 1, 1000) <= 0)
        return true;
    ssize_t n = read(terminal, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    take(bytes, (size_t)n);
    return true;
}

/* --- steps --- */

static size_t unescape(char *text)
{
    char *to = text;
    for (char *from = text; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        static const char names[] = "ernt\\", values[] = "\033\r\n\t\\";
        const char *at = strchr(names, *++from);
        if (*from == 'x' && isxdigit(from[1]) && isxdigit(from[2])) {
            char digits[3] = {from[1], from[2], 0};
            *to++ = (char)strtol(digits, NULL, 16);
            from += 2;
        } else if (*from && at) {
            *to++ = values[at - names];
        } else {
            fail("an escape that is none", from);
        }
    }
    *to = 0;
    return (size_t)(to - text);
}

static void type(const char *text, size_t n)
{
    while (n > 0) {
        struct pollfd out = {.fd = terminal, .events = POLLIN | POLLOUT};
        poll(&out, 1, 1000);
        if (out.revents & POLLIN)
            read_more(); /* a program that waits for room to write does not read */
        size_t part = n < 1024 ? n : 1024;
        ssize_t done = out.revents & POLLOUT ? write(terminal, text, part) : 0;
        if (done < 0 && errno != EAGAIN && errno != EINTR)
            fail("cannot type", strerror(errno));
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
    }
}

static bool is_seen(const char *text)
{
    char *at = output ? strstr(output + seen, text) : NULL;
    if (at)
        seen = (size_t)(at - output) + strlen(text);
    return at != NULL;
}

/* The rows of the screen without the blanks at their ends. */
static bool is_on_screen(const char *text)
{
    static char all[ROWS * (COLUMNS + 1) + 1];
    size_t n = 0;
    for (int r = 0; r < rows; r++) {
        int last = columns;
        while (last > 0 && cells[r][last - 1] == ' ')
            last--;
        memcpy(all + n, cells[r], (size_t)last);
        n += (size_t)last;
        all[n++] = '\n';
    }
    all[n] = 0;
    return strstr(all, text) != NULL;
}

/* The row of the cursor holds "> " or ">> " alone, and the terminal hands out each key. */
static bool is_ready(const char *unused)
{
    (void)unused;
    struct termios t;
    int at = cells[row][0] == '>' && cells[row][1] == '>';
    return tcgetattr(terminal, &t) == 0 && !(t.c_lflag & ICANON) && column == at + 2 &&
           cells[row][at] == '>' && cells[row][at + 1] == ' ';
}

static void wait_until(bool (*holds)(const char *), const char *what, const char *text)
{
    time_t last = time(NULL) + patience;
    while (!holds(text)) {
        if (!read_more() && !holds(text))
            fail("the program ended without", text);
        if (time(NULL) > last && !holds(text))
            fail(what, text);
    }
}

static int times(const char *text)
{
    int n = 0;
    for (char *at = output; at && (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

static void set_size(const char *text)
{
    if (sscanf(text, "%d %d", &columns, &rows) != 2 || columns > COLUMNS || rows > ROWS)
        fail("COLUMNS ROWS are wanted", text);
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (terminal >= 0)
        ioctl(terminal, TIOCSWINSZ, &size);
}

static void start(const char *command)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    memset(cells, ' ', sizeof cells);
    child = forkpty(&terminal, NULL, NULL, &size);
    if (child < 0)
        fail("no pseudo terminal", strerror(errno));
    if (child == 0) {
        setenv("TERM", "xterm", 1);
        char *line = NULL;
        if (asprintf(&line, "exec %s", command) > 0)
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    fcntl(terminal, F_SETFL, O_NONBLOCK);
}

static void wait_for_end(int wanted)
{
    int status = 0;
    pid_t ended = 0;
    time_t last = time(NULL) + patience;
    while (read_more() && time(NULL) <= last)
        ;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && time(NULL) <= last)
        poll(NULL, 0, 20);
    if (ended != child)
        fail("the program does not end", "");
    child = 0;
    int got = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char text[64];
    snprintf(text, sizeof text, "%d came, %d is wanted", got, wanted);
    if (got != wanted)
        fail("status", text);
}

static void play(const char *verb, char *text)
{
    if (strcmp(verb, "run") == 0)
        return start(text);
    if (strcmp(verb, "size") == 0)
        return set_size(text);
    size_t n = unescape(text);
    if (terminal < 0)
        fail("run is wanted first", verb);
    if (strcmp(verb, "ready") == 0 || strcmp(verb, "type") == 0)
        wait_until(is_ready, "is not ready", verb);
    if (strcmp(verb, "type") == 0) {
        type(text, n);
        type("\r", 1);
    } else if (strcmp(verb, "keys") == 0) {
        type(text, n);
    } else if (strcmp(verb, "see") == 0) {
        wait_until(is_seen, "was not written", text);
    } else if (strcmp(verb, "screen") == 0) {
        wait_until(is_on_screen, "is not on the screen", text);
    } else if (strcmp(verb, "never") == 0) {
        if (times(text) > 0)
            fail("was written", text);
    } else if (strcmp(verb, "count") == 0) {
        char *rest;
        long wanted = strtol(text, &rest, 10);
        if (times(rest + (*rest == ' ')) != wanted)
            fail("was written another number of times", text);
    } else if (strcmp(verb, "kill") == 0) {
        kill(child, atoi(text));
    } else if (strcmp(verb, "status") == 0) {
        wait_for_end(atoi(text));
    } else if (strcmp(verb, "ready") != 0) {
        fail("no such step", verb);
    }
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/sembed_pty_XXXXXX", line[1 << 14], program[4096];
    FILE *steps = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!steps || !realpath(argv[1], program) || !mkdtemp(folder)) {
        fprintf(stderr, "usage: pty PROGRAM TRANSCRIPT\n");
        return 2;
    }
    transcript = argv[2];
    if (getenv("PTY_PATIENCE"))
        patience = atoi(getenv("PTY_PATIENCE"));
    signal(SIGPIPE, SIG_IGN);
    setenv("SEMBED", program, 1);
    setenv("FOLDER", folder, 1);
    setenv("HOME", folder, 1);
    unsetenv("NO_COLOR");
    while (fgets(line, sizeof line, steps)) {
        step_line++;
        line[strcspn(line, "\n")] = 0;
        char *text = line + strcspn(line, " ");
        if (*line == '#' || !*line)
            continue;
        if (*text)
            *text++ = 0;
        play(line, text);
    }
    fclose(steps);
    if (child > 0)
        fail("a transcript ends with", "status");
    char command[64];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    free(output);
    return system(command) != 0;
}
