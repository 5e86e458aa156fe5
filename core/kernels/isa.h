/* Which instruction set the kernels use: picked once at start, or forced by
 * SEMBED_ISA=portable|avx2|avx512. */
#ifndef SE_ISA_H
#define SE_ISA_H

#include "op.h"

/* The level in use; SE_LEVEL_F64 while se_real_is_f64(). */
se_level se_isa_level(void);
const char *se_isa_name(se_level level);

/* Whether this machine has the level; levels SE_LEVEL_PORTABLE.. in order. */
bool se_isa_has(se_level level);

/* Forces a level (tests). SE_ERR_ARG when the machine lacks it. */
se_status se_isa_force(se_level level);

/* Whether there are kernels for a precision at the level in use, and if not a message that says
 * what is lacking. What has none is computed another way: slowly. */
se_status se_isa_computes(se_precision p);

/* Whether AVX-512 BF16, AVX-512 VNNI may be used at the level in use. */
bool se_isa_bf16(void);
bool se_isa_vnni(void);

/* The function of k for the level in use (portable where that level has none); NULL when k is
 * empty. */
se_kernel_fn se_kernel_pick(const se_kernel *k);

#endif
