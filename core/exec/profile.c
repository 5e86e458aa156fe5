#define _GNU_SOURCE
#include "exec/profile.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 4096, LINES = 60 };

typedef struct entry {
    const se_op *op;
    const char *file;
    int32_t line;
    int64_t calls;
    double seconds, bytes, work;
} entry;

static entry *table; /* open addressing */
static int used;
static double not_listed; /* seconds of what found no slot any more */

bool se_profile_on(void)
{
    return table != NULL;
}

void se_profile_begin(void)
{
    free(table);
    table = se_calloc(SLOTS, sizeof *table);
    used = 0;
    not_listed = 0;
}

static double bytes_of(const se_node *n)
{
    double bytes = 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i].node)
            bytes += (double)se_type_bytes(&n->in[i].node->type[n->in[i].out]);
    for (int i = 0; i < n->n_out; i++)
        bytes += (double)se_type_bytes(&n->type[i]);
    return bytes;
}

void se_profile_add(const se_node *n, double seconds, double work)
{
    size_t h =
        ((uintptr_t)n->op / 16 * 31 + (uintptr_t)n->file / 8 + (size_t)n->line * 2654435761u) %
        SLOTS;
    while (table[h].op &&
           (table[h].op != n->op || table[h].file != n->file || table[h].line != n->line))
        h = (h + 1) % SLOTS;
    if (!table[h].op) {
        if (used == SLOTS - 1) {
            not_listed += seconds;
            return;
        }
        used++;
        table[h] = (entry){.op = n->op, .file = n->file, .line = n->line};
    }
    table[h].calls++;
    table[h].seconds += seconds;
    table[h].bytes += bytes_of(n);
    table[h].work += work;
}

static int slowest_first(const void *a, const void *b)
{
    double x = ((const entry *)a)->seconds, y = ((const entry *)b)->seconds;
    return x > y ? -1 : x < y;
}

/* The rate of products is that of their arithmetic, of all else the bytes taken and given. */
static void print_entry(FILE *f, const entry *e, double total)
{
    double amount = e->work > 0 ? e->work : e->bytes;
    double rate = e->seconds > 0 ? amount / e->seconds / 1e9 : 0;
    fprintf(f, "%9.4f %5.1f %% %9lld %12.1f %9.2f %-7s  %s %s:%d\n", e->seconds,
            total > 0 ? 100 * e->seconds / total : 0, (long long)e->calls,
            1e6 * e->seconds / (double)e->calls, rate, e->work > 0 ? "GFLOP/s" : "GB/s",
            e->op->name, e->file ? e->file : "-", e->line);
}

char *se_profile_print(void)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    entry *sorted = se_calloc(SLOTS, sizeof *sorted);
    int n = 0;
    double total = not_listed, rest = not_listed;
    for (int i = 0; sorted && table && i < SLOTS; i++)
        if (table[i].op) {
            sorted[n++] = table[i];
            total += table[i].seconds;
        }
    if (n)
        qsort(sorted, (size_t)n, sizeof *sorted, slowest_first);
    fprintf(f, "%9s %7s %9s %12s %9s %-7s  %s\n", "seconds", "share", "calls", "us a call", "rate",
            "", "op and recipe line");
    for (int i = 0; i < n; i++) {
        if (i < LINES)
            print_entry(f, &sorted[i], total);
        else
            rest += sorted[i].seconds;
    }
    if (n > LINES || not_listed > 0)
        fprintf(f, "%9.4f %5.1f %%  further lines\n", rest, total > 0 ? 100 * rest / total : 0);
    free(sorted);
    fclose(f);
    return text;
}
