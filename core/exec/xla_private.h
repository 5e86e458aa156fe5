/* What the xla_*.c files share. */
#ifndef SE_XLA_PRIVATE_H
#define SE_XLA_PRIVATE_H

#include "pjrt.h"
#include "program.h"
#include "xla.h"

/* What is open. */
typedef struct se_xla {
    se_pjrt *device; /* NULL: nothing */
    int n;
    bool bf16;
    se_xla_counts counts;
} se_xla;
extern se_xla se_xla_now;

/* The copies of a buffer: one on each device. */
typedef struct se_copies {
    se_far far;   /* first */
    size_t bytes; /* of one */
    int shards;   /* 1: all are the same */
    bool lost;    /* a program had taken them over when it failed */
    se_pjrt_buf *on[];
} se_copies;

/* Copies without anything on the devices yet. NULL: no memory. */
se_copies *se_copies_new(size_t bytes, int shards);

/* Puts a buffer of that type on the devices, unless it is there. */
se_status se_copies_put(se_buf *b, const se_type *type);

/* The device copies of a plain number, which belong to a table. Trimming, between runs, empties the
 * table where it has more than `most` numbers. */
se_status se_copies_number(const se_node *n, se_copies **out);
void se_copies_trim(int most);

/* The compiled program of a text: made before, from the cache's folder, or compiled now. */
se_status se_xla_program(const se_hlo_program *p, se_pjrt_program **out);

/* Saved programs, files in XDG_CACHE_HOME/sembed/xla named by what a program depends on: text,
 * replicas, the bytes of the plugin's file, the processor. A file that cannot be read, is damaged
 * or that the plugin refuses counts as not there (NULL); what cannot be written is not saved. */
se_pjrt_program *se_xla_saved(const char *text, size_t length, const se_pjrt_schema *schema);
void se_xla_save(const char *text, size_t length, se_pjrt_program *g);

#endif
