/* What tests of files share: a folder of their own, paths in it, and what is said of a failure. The
 * including file defines _GNU_SOURCE before its first include. */
#ifndef FOLDER_HELP_H
#define FOLDER_HELP_H

#include "io/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/sembed_test.XXXXXX";

static inline void ok(se_status s)
{
    if (s)
        fail_msg("status %d: %s", (int)s, se_message());
}

/* The last message must hold a text. */
static inline void message_is(const char *want)
{
    if (!strstr(se_message(), want))
        fail_msg("'%s' is not in: %s", want, se_message());
}

/* A path in the folder; four of them live at a time. */
static inline const char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    char *text = path[turn++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", home, name);
    return text;
}

/* Writes a file of the folder. */
static inline void put(const char *name, const char *text, size_t bytes)
{
    ok(se_file_write(at(name), text, bytes));
}

static inline void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* The set-up and the tear-down of a group of tests. */
static inline int make_home(void **state)
{
    (void)state;
    return mkdtemp(home) ? 0 : -1;
}

static inline int remove_home(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

#endif
