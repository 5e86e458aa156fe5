/* Kernels of cross_entropy. A row's loss is log(sum exp(x - top)) + (top - x[target]): the largest
 * score cancels before anything is rounded. */
#include "kernels/lanes.h"
#include "kernels/vmath.h"

/* scores targets -> loss lse. An output element stands for a whole row, so the rows are split here.
 */
SE_ROWS(cross_entropy)
{
    const real *scores = SE_IN(0);
    const int32_t *targets = SE_IN(1);
    real *loss = SE_OUT(0), *lse = SE_OUT(1);
    int64_t n = se_type_last(&t->in_type[0]);
#pragma omp parallel for num_threads(se_threads()) schedule(static)
    for (int64_t r = lo; r < hi; r++) {
        const real *row = scores + r * n;
        real top = se_row_max(row, n), rest = se_log(se_row_exp_sum(row, top, n));
        loss[r] = rest + (top - row[targets[r]]);
        lse[r] = rest + top;
    }
}

/* scores targets lse dy -> dy (softmax - one at the target) */
SE_ROWS(cross_entropy_grad)
{
    const real *scores = SE_IN(0), *lse = SE_IN(2), *dy = SE_IN(3);
    const int32_t *targets = SE_IN(1);
    real *dx = SE_OUT(0);
    int64_t n = se_type_last(&t->in_type[0]);
    for (int64_t r = lo; r < hi; r++) {
        real target = scores[r * n + targets[r]];
        for (int64_t i = 0; i < n; i++)
            dx[r * n + i] = dy[r] * se_exp(scores[r * n + i] - lse[r]);
        dx[r * n + targets[r]] = dy[r] * (se_exp(target - lse[r]) - 1);
    }
}
