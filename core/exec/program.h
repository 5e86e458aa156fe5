/* A plan as a program for XLA: StableHLO text, with what goes in and what comes out. */
#ifndef SE_PROGRAM_H
#define SE_PROGRAM_H

#include "exec/exec.h"
#include "hlo.h"

/* The references are borrowed from the plan's nodes. */
typedef struct se_hlo_program {
    char *text;
    size_t length;
    int n_in;
    se_ref *in; /* leaves, values computed before, plain numbers from Lua: the arguments in order */
    int n_out;
    se_ref *out;  /* what the plan computes and keeps, each once: kept values and guards in the
                     order of the plan, then the values of the pending assigns in their order */
    int *donates; /* for each output the argument whose memory it takes over, or -1 */
} se_hlo_program;

/* Writes the program of a plan. The text is the same for equal graphs: plain numbers from Lua are
 * arguments f32[] or i32[], only sizes and attributes are in it (and numbers that rules make of
 * them). Nothing to compute: n_out is 0, and text is NULL. Ops without an .hlo rule are written as
 * their expansion. An output takes over the memory of the leaf that it is assigned to where nobody
 * else holds that leaf or its buffer. Fails with the op's name and line where an op has neither. */
se_status se_hlo_program_make(const se_plan *plan, const se_hlo_options *o, se_hlo_program *out);
void se_hlo_program_free(se_hlo_program *p);

#endif
