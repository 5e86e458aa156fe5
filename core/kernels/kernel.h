/* What every kernel file includes. Kernel files are compiled once for each level (f64, portable,
 * avx2, avx512): SE_LEVEL is the suffix, SE_REAL the element type of f32 tensors. Kernels are loops
 * over numbers; they know no graph.
 *
 * Rules: a row's bits never depend on how many rows stand beside it, nor on threads. So an
 * element's value must not depend on whether it fell into a vector body or a remainder: the build
 * has -ffp-contract=off; use FMA() where a fused multiply-add is meant, `#pragma omp simd` for
 * loops and reductions *within* a row (fixed length per row), and no reduction across a
 * thread-dependent split. */
#ifndef SE_KERNEL_H
#define SE_KERNEL_H

#include "op.h"
#include <omp.h>

typedef SE_REAL real;

#define SE_JOIN3_(a, b, c) a##b##_##c
#define SE_JOIN3(a, b, c) SE_JOIN3_(a, b, c)
#define SE_FN(name) SE_JOIN3(se_k_, name, SE_LEVEL)

/* Defines the kernel `name` of this level: SE_ROWS(tanh) { const real *x = SE_IN(0); ... for (i =
 * lo; i < hi; i++) ... } */
#define SE_ROWS(name)                                                                              \
    void SE_FN(name)(const se_task *t, int64_t lo, int64_t hi);                                    \
    void SE_FN(name)(const se_task *t, int64_t lo, int64_t hi)

#define SE_IN(i) (t->in[i])
#define SE_OUT(i) (t->out[i])

/* Defines the kernel `name` of one operand: each element is EXPR of the real x. */
#define SE_EACH(name, EXPR)                                                                        \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        const real *v = SE_IN(0);                                                                  \
        real *o = SE_OUT(0);                                                                       \
        _Pragma("omp simd") for (int64_t i = lo; i < hi; i++)                                      \
        {                                                                                          \
            real x = v[i];                                                                         \
            o[i] = (EXPR);                                                                         \
        }                                                                                          \
    }

/* This thread's piece of the task's scratch memory. */
static inline void *se_scratch(const se_task *t)
{
    return (char *)t->scratch + t->scratch_bytes * omp_get_thread_num();
}

#if defined(SE_LEVEL_avx2) || defined(SE_LEVEL_avx512)
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#endif
