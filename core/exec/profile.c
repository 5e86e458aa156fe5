#define _GNU_SOURCE
#include "exec/profile.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 4096 };

typedef struct entry {
    const se_op *op;
    const char *file;
    int32_t line;
    int64_t calls;
    double seconds, bytes;
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

void se_profile_add(const se_node *n, double seconds)
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
}

static int slowest_first(const void *a, const void *b)
{
    double x = ((const entry *)a)->seconds, y = ((const entry *)b)->seconds;
    return x > y ? -1 : x < y;
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
    double total = not_listed;
    for (int i = 0; sorted && table && i < SLOTS; i++)
        if (table[i].op) {
            sorted[n++] = table[i];
            total += table[i].seconds;
        }
    if (n)
        qsort(sorted, (size_t)n, sizeof *sorted, slowest_first);
    fprintf(f, "%9s %7s %9s %8s  %s\n", "seconds", "share", "calls", "GB/s", "op and recipe line");
    for (int i = 0; i < n; i++)
        fprintf(f, "%9.4f %5.1f %% %9lld %8.2f  %s %s:%d\n", sorted[i].seconds,
                100 * sorted[i].seconds / total, (long long)sorted[i].calls,
                sorted[i].bytes / sorted[i].seconds / 1e9, sorted[i].op->name,
                sorted[i].file ? sorted[i].file : "-", sorted[i].line);
    if (not_listed > 0)
        fprintf(f, "%9.4f %5.1f %%  further lines\n", not_listed, 100 * not_listed / total);
    free(sorted);
    fclose(f);
    return text;
}
