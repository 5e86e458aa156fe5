#include "kernels/isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SE_LEVELS] = {"f64", "portable", "avx2", "avx512"};
static int chosen = -1; /* -1: not picked yet */

bool se_isa_has(se_level level)
{
    if (level == SE_LEVEL_F64 || level == SE_LEVEL_PORTABLE)
        return true;
#ifdef SE_X86
    if (level == SE_LEVEL_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (level == SE_LEVEL_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return false;
}

static se_level best(void)
{
    se_level level = SE_LEVEL_PORTABLE;
    for (int i = SE_LEVEL_PORTABLE; i < SE_LEVELS; i++)
        if (se_isa_has((se_level)i))
            level = (se_level)i;
    return level;
}

const char *se_isa_name(se_level level)
{
    return (unsigned)level < SE_LEVELS ? names[level] : "unknown";
}

se_status se_isa_force(se_level level)
{
    if ((unsigned)level >= SE_LEVELS || level == SE_LEVEL_F64)
        return se_fail(SE_ERR_ARG, "instruction set: %s cannot be chosen", se_isa_name(level));
    if (!se_isa_has(level))
        return se_fail(SE_ERR_ARG, "instruction set: this machine lacks %s: the best it has is %s",
                       se_isa_name(level), se_isa_name(best()));
    chosen = (int)level;
    return SE_OK;
}

/* The level that SEMBED_ISA names; where it names none that can run, the best, with a line that
 * says so. */
static se_level pick(void)
{
    const char *name = getenv("SEMBED_ISA");
    if (!name || !*name)
        return best();
    for (int i = SE_LEVEL_PORTABLE; i < SE_LEVELS; i++)
        if (strcmp(name, names[i]) == 0 && se_isa_has((se_level)i))
            return (se_level)i;
    fprintf(stderr,
            "sembed: SEMBED_ISA=%s: not an instruction set of this machine (portable, avx2, "
            "avx512): using %s\n",
            name, se_isa_name(best()));
    return best();
}

se_level se_isa_level(void)
{
    if (se_real_is_f64())
        return SE_LEVEL_F64;
    if (chosen < 0)
        chosen = (int)pick();
    return (se_level)chosen;
}

static bool has_bf16(void)
{
#ifdef SE_X86
    return se_isa_has(SE_LEVEL_AVX512) && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool se_isa_bf16(void)
{
    return se_isa_level() == SE_LEVEL_AVX512 && has_bf16();
}

bool se_isa_vnni(void)
{
#ifdef SE_X86
    return se_isa_level() == SE_LEVEL_AVX512 && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

se_status se_isa_computes(se_precision p)
{
    if (p != SE_PRECISION_BF16 || se_isa_bf16())
        return SE_OK;
    if (has_bf16())
        return se_fail(SE_ERR_ARG,
                       "AVX-512 BF16 is wanted: this machine has it, but %s is the instruction "
                       "set in use (SEMBED_ISA)",
                       se_isa_name(se_isa_level()));
    return se_fail(
        SE_ERR_ARG,
        "AVX-512 BF16 (avx512_bf16 in /proc/cpuinfo) is wanted, which this machine lacks: "
        "the best it has is %s",
        se_isa_name(best()));
}

se_kernel_fn se_kernel_pick(const se_kernel *k)
{
    se_kernel_fn f = k->level[se_isa_level()];
    return f ? f : k->level[SE_LEVEL_PORTABLE];
}
