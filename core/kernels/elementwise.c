/* Elementwise kernels. Every value comes from its own operands alone, by operations that round once
 * or by straight-line functions of vmath.h, so blocks and vector remainders cannot change it. */
#include "kernels/vmath.h"

#if defined(__clang__) && defined(SE_LEVEL_f64) /* libm's functions do not vectorise */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

/* --- broadcasting ---
 *
 * Inputs are contiguous, so after adjacent axes are merged the innermost axis of each has stride 1
 * or 0: a function for runs of n elements with such strides is all that an op gives. */

typedef void (*run1)(int64_t n, void *o, const void *a);
typedef void (*run2)(int64_t n, void *o, const void *a, int sa, const void *b, int sb);

typedef struct grid {
    int rank, n_in;
    int64_t dim[SE_MAX_RANK], step[3][SE_MAX_RANK]; /* steps in elements */
} grid;

/* Step of input axis i (of the output's axes), 0 where it is stretched or missing. */
static void input_steps(const se_type *in, const se_type *out, int64_t *step)
{
    int64_t size = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int k = i - (out->rank - in->rank);
        int64_t dim = k >= 0 ? in->dim[k] : 1;
        step[i] = dim == 1 ? 0 : size;
        size *= dim;
    }
}

static bool can_merge(const grid *g, int i, int64_t step[3][SE_MAX_RANK], int64_t next, int axis)
{
    for (int k = 0; k < g->n_in; k++)
        if (step[k][axis] != g->step[k][i] * next)
            return false;
    return true;
}

/* Merges axes where every input goes on without a jump. Axis 0 of the grid is the innermost. */
static grid grid_of(const se_task *t)
{
    grid g = {.n_in = t->n_in, .dim = {1}};
    int64_t step[3][SE_MAX_RANK];
    const se_type *out = &t->out_type[0];
    for (int k = 0; k < g.n_in; k++)
        input_steps(&t->in_type[k], out, step[k]);
    for (int i = out->rank - 1; i >= 0; i--) {
        if (out->dim[i] == 1)
            continue;
        int last = g.rank - 1;
        if (g.rank && can_merge(&g, last, step, g.dim[last], i)) {
            g.dim[last] *= out->dim[i];
            continue;
        }
        for (int k = 0; k < g.n_in; k++)
            g.step[k][g.rank] = step[k][i];
        g.dim[g.rank++] = out->dim[i];
    }
    g.rank = g.rank ? g.rank : 1;
    return g;
}

/* A walk over the runs of the innermost axis that cover elements [at, hi) of the output. */
typedef struct walk {
    int64_t at, hi, length;              /* first element and length of the present run */
    int64_t index[SE_MAX_RANK], from[3]; /* from: element of each input where it begins */
} walk;

static walk walk_start(const grid *g, int64_t lo, int64_t hi)
{
    walk w = {.at = lo, .hi = hi};
    int64_t rest = lo;
    for (int i = 0; i < g->rank; i++) {
        w.index[i] = rest % g->dim[i];
        rest /= g->dim[i];
        for (int k = 0; k < g->n_in; k++)
            w.from[k] += w.index[i] * g->step[k][i];
    }
    int64_t left = g->dim[0] - w.index[0];
    w.length = left < hi - lo ? left : hi - lo;
    return w;
}

static void walk_next(const grid *g, walk *w)
{
    w->at += w->length;
    for (int k = 0; k < g->n_in; k++)
        w->from[k] -= w->index[0] * g->step[k][0];
    w->index[0] = 0;
    for (int i = 1; i < g->rank; i++) {
        bool wraps = ++w->index[i] == g->dim[i];
        for (int k = 0; k < g->n_in; k++)
            w->from[k] += wraps ? -(g->dim[i] - 1) * g->step[k][i] : g->step[k][i];
        if (!wraps)
            break;
        w->index[i] = 0;
    }
    w->length = g->dim[0] < w->hi - w->at ? g->dim[0] : w->hi - w->at;
}

static void run_binary(const se_task *t, int64_t lo, int64_t hi, size_t in_size, size_t out_size,
                       run2 f)
{
    grid g = grid_of(t);
    const char *a = SE_IN(0), *b = SE_IN(1);
    char *o = SE_OUT(0);
    for (walk w = walk_start(&g, lo, hi); w.at < hi; walk_next(&g, &w))
        f(w.length, o + (size_t)w.at * out_size, a + (size_t)w.from[0] * in_size, (int)g.step[0][0],
          b + (size_t)w.from[1] * in_size, (int)g.step[1][0]);
}

static size_t size_of(const se_type *t)
{
    static const size_t size[SE_DTYPES] = {sizeof(real), 2, 4, 1};
    return size[t->dtype];
}

/* --- runs --- */

/* Defines a run of `O o = EXPR` over A a, b. The loops of the four stride pairs are written out so
 * that each vectorises; omp simd because o may be a or b. */
#define RUN2(name, A, O, EXPR)                                                                     \
    static void name(int64_t n, void *po, const void *pa, int sa, const void *pb, int sb)          \
    {                                                                                              \
        O *o = po;                                                                                 \
        const A *va = pa, *vb = pb;                                                                \
        if (sa && sb) {                                                                            \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                    \
            {                                                                                      \
                A a = va[i], b = vb[i];                                                            \
                o[i] = (O)(EXPR);                                                                  \
            }                                                                                      \
        } else if (sa) {                                                                           \
            A b = *vb;                                                                             \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                    \
            {                                                                                      \
                A a = va[i];                                                                       \
                o[i] = (O)(EXPR);                                                                  \
            }                                                                                      \
        } else if (sb) {                                                                           \
            A a = *va;                                                                             \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                    \
            {                                                                                      \
                A b = vb[i];                                                                       \
                o[i] = (O)(EXPR);                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            A a = *va, b = *vb;                                                                    \
            O y = (O)(EXPR);                                                                       \
            for (int64_t i = 0; i < n; i++)                                                        \
                o[i] = y;                                                                          \
        }                                                                                          \
    }

/* Arithmetic: f32 and i32 (which wraps around, so it is done unsigned where that matters). */
#define ARITHMETIC(name, REAL_EXPR, INT_EXPR)                                                      \
    RUN2(name##_real, real, real, REAL_EXPR)                                                       \
    RUN2(name##_i32, int32_t, int32_t, INT_EXPR)                                                   \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        bool is_int = t->out_type[0].dtype == SE_I32;                                              \
        size_t size = size_of(&t->out_type[0]);                                                    \
        run_binary(t, lo, hi, size, size, is_int ? name##_i32 : name##_real);                      \
    }

#define U(x) ((uint32_t)(x))
ARITHMETIC(add, a + b, U(a) + U(b))
ARITHMETIC(sub, a - b, U(a) - U(b))
ARITHMETIC(mul, a *b, U(a) * U(b))
ARITHMETIC(maximum, ((a > b) | (a != a)) ? a : b, a > b ? a : b)
ARITHMETIC(minimum, ((a < b) | (a != a)) ? a : b, a < b ? a : b)

RUN2(div_real, real, real, a / b)
SE_ROWS(div)
{
    run_binary(t, lo, hi, sizeof(real), sizeof(real), div_real);
}

/* libm's: at most 1 ulp off, whatever the exponent is. */
RUN2(pow_real, real, real, sizeof(real) == 8 ? pow(a, b) : powf((float)a, (float)b))
SE_ROWS(pow)
{
    run_binary(t, lo, hi, sizeof(real), sizeof(real), pow_real);
}

/* The remainder with the sign of b. What fmod gives is exact; it is moved into b's half where the
 * signs differ. An i32 b of 0 is refused before; -1 is kept from the one quotient that overflows.
 */
static inline real mod_of(real a, real b)
{
    real r = sizeof(real) == 8 ? (real)fmod(a, b) : (real)fmodf((float)a, (float)b);
    return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}
static inline int32_t mod_of_i32(int32_t a, int32_t b)
{
    int32_t r = b == -1 ? 0 : a % b;
    return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}
#define RUN_CALL(name, A, F)                                                                       \
    static void name(int64_t n, void *po, const void *pa, int sa, const void *pb, int sb)          \
    {                                                                                              \
        A *o = po;                                                                                 \
        const A *a = pa, *b = pb;                                                                  \
        for (int64_t i = 0; i < n; i++)                                                            \
            o[i] = F(a[i * sa], b[i * sb]);                                                        \
    }
RUN_CALL(mod_real, real, mod_of)
RUN_CALL(mod_i32, int32_t, mod_of_i32)
SE_ROWS(mod)
{
    size_t size = size_of(&t->out_type[0]);
    run_binary(t, lo, hi, size, size, t->out_type[0].dtype == SE_I32 ? mod_i32 : mod_real);
}

/* What is left without the remainder is a multiple of b, but for its last place: the nearest whole
 * number is meant. A b of 0 gives an infinity or nan, as the division does. */
static inline real floor_divide_of(real a, real b)
{
    real r = (real)fmod(a, b), q = (real)rint((a - r) / b);
    return b == 0 ? a / b : (r != 0 && ((r < 0) != (b < 0)) ? q - 1 : q);
}
static inline int32_t floor_divide_of_i32(int32_t a, int32_t b)
{
    if (b == -1)
        return (int32_t)(0u - U(a));
    return a / b - (a % b != 0 && ((a % b < 0) != (b < 0)));
}
RUN_CALL(floor_divide_real, real, floor_divide_of)
RUN_CALL(floor_divide_i32, int32_t, floor_divide_of_i32)
SE_ROWS(floor_divide)
{
    bool is_int = t->out_type[0].dtype == SE_I32;
    size_t size = size_of(&t->out_type[0]);
    run_binary(t, lo, hi, size, size, is_int ? floor_divide_i32 : floor_divide_real);
}

static inline real hypot_of(real x, real y)
{
    return (real)hypot(x, y);
}
RUN_CALL(hypot_real, real, hypot_of)
SE_ROWS(hypot)
{
    run_binary(t, lo, hi, sizeof(real), sizeof(real), hypot_real);
}

static inline real atan2_of(real y, real x)
{
    return (real)atan2(y, x);
}
RUN_CALL(atan2_real, real, atan2_of)
SE_ROWS(atan2)
{
    run_binary(t, lo, hi, sizeof(real), sizeof(real), atan2_real);
}

/* To bool, from any dtype but bf16. */
#define COMPARISON(name, EXPR)                                                                     \
    RUN2(name##_real, real, uint8_t, EXPR)                                                         \
    RUN2(name##_i32, int32_t, uint8_t, EXPR)                                                       \
    RUN2(name##_bool, uint8_t, uint8_t, EXPR)                                                      \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        static const run2 run[SE_DTYPES] = {name##_real, NULL, name##_i32, name##_bool};           \
        run_binary(t, lo, hi, size_of(&t->in_type[0]), 1, run[t->in_type[0].dtype]);               \
    }

COMPARISON(equal, a == b)
COMPARISON(not_equal, a != b)
COMPARISON(less, a < b)
COMPARISON(less_equal, a <= b)
COMPARISON(greater, a > b)
COMPARISON(greater_equal, a >= b)
COMPARISON(logical_and, (a != 0) & (b != 0))
COMPARISON(logical_or, (a != 0) | (b != 0))

/* where: moves elements of any size. A scalar operand of each run is read through its step. */
#define WHERE(T)                                                                                   \
    static void where_##T(int64_t n, T *o, const uint8_t *c, int64_t sc, const T *x, int64_t sx,   \
                          const T *y, int64_t sy)                                                  \
    {                                                                                              \
        if (sc && sx && sy) {                                                                      \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                    \
            {                                                                                      \
                T a = x[i], b = y[i];                                                              \
                o[i] = c[i] ? a : b;                                                               \
            }                                                                                      \
        } else if (sc && (sx || sy)) {                                                             \
            const T *v = sx ? x : y;                                                               \
            T other = sx ? *y : *x;                                                                \
            uint8_t flip = !sx;                                                                    \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                    \
            {                                                                                      \
                T a = v[i];                                                                        \
                o[i] = c[i] != flip ? a : other;                                                   \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                o[i] = c[i * sc] ? x[i * sx] : y[i * sy];                                          \
        }                                                                                          \
    }
WHERE(uint8_t)
WHERE(uint16_t)
WHERE(uint32_t)
WHERE(uint64_t)

SE_ROWS(where)
{
    grid g = grid_of(t);
    const uint8_t *c = SE_IN(0);
    const char *x = SE_IN(1), *y = SE_IN(2);
    char *o = SE_OUT(0);
    size_t size = size_of(&t->out_type[0]);
    for (walk w = walk_start(&g, lo, hi); w.at < hi; walk_next(&g, &w)) {
        void *to = o + (size_t)w.at * size;
        const uint8_t *p = c + w.from[0];
        const void *a = x + (size_t)w.from[1] * size, *b = y + (size_t)w.from[2] * size;
        int64_t sc = g.step[0][0], sx = g.step[1][0], sy = g.step[2][0];
        if (size == 8)
            where_uint64_t(w.length, to, p, sc, a, sx, b, sy);
        else if (size == 4)
            where_uint32_t(w.length, to, p, sc, a, sx, b, sy);
        else if (size == 2)
            where_uint16_t(w.length, to, p, sc, a, sx, b, sy);
        else
            where_uint8_t(w.length, to, p, sc, a, sx, b, sy);
    }
}

/* --- one operand --- */

SE_EACH(exp, se_exp(x))
SE_EACH(log, se_log(x))
SE_EACH(sqrt, se_sqrt(x))
SE_EACH(rsqrt, (real)1 / se_sqrt(x))
SE_EACH(tanh, se_tanh(x))
SE_EACH(erf, se_erf(x))
SE_EACH(sigmoid, se_sigmoid(x))
SE_EACH(relu, ((x > 0) | (x != x)) ? x : (real)0)

#define RUN1(name, A, O, EXPR)                                                                     \
    static void name(int64_t n, void *po, const void *pa)                                          \
    {                                                                                              \
        O *o = po;                                                                                 \
        const A *va = pa;                                                                          \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                        \
        {                                                                                          \
            A x = va[i];                                                                           \
            o[i] = (O)(EXPR);                                                                      \
        }                                                                                          \
    }

static void run_unary(const se_task *t, int64_t lo, int64_t hi, run1 f)
{
    size_t from = size_of(&t->in_type[0]), to = size_of(&t->out_type[0]);
    if (lo < hi)
        f(hi - lo, (char *)SE_OUT(0) + (size_t)lo * to, (const char *)SE_IN(0) + (size_t)lo * from);
}

#define UNARY_INT(name, REAL_EXPR, INT_EXPR)                                                       \
    RUN1(name##_real, real, real, REAL_EXPR)                                                       \
    RUN1(name##_i32, int32_t, int32_t, INT_EXPR)                                                   \
    SE_ROWS(name)                                                                                  \
    {                                                                                              \
        run_unary(t, lo, hi, t->out_type[0].dtype == SE_I32 ? name##_i32 : name##_real);           \
    }

UNARY_INT(neg, -x, 0u - U(x))
UNARY_INT(abs, se_abs(x), x < 0 ? 0u - U(x) : U(x))
UNARY_INT(sign, x > 0 ? (real)1 : (x < 0 ? (real)-1 : x), (x > 0) - (x < 0))

RUN1(is_finite_real, real, uint8_t, x - x == 0)
SE_ROWS(is_finite)
{
    run_unary(t, lo, hi, is_finite_real);
}

RUN1(logical_not_real, real, uint8_t, x == 0)
RUN1(logical_not_i32, int32_t, uint8_t, x == 0)
RUN1(logical_not_bool, uint8_t, uint8_t, x == 0)
SE_ROWS(logical_not)
{
    static const run1 run[SE_DTYPES] = {logical_not_real, NULL, logical_not_i32, logical_not_bool};
    run_unary(t, lo, hi, run[t->in_type[0].dtype]);
}

/* Bounds of i32 are applied in double, which holds every i32. */
SE_ROWS(clip)
{
    double low = t->attr[0].f, high = t->attr[1].f;
    if (t->out_type[0].dtype == SE_I32) {
        const int32_t *x = SE_IN(0);
        int32_t *o = SE_OUT(0);
        low = low < -2147483648.0 ? -2147483648.0 : (low > 2147483647.0 ? 2147483647.0 : low);
        high = high < -2147483648.0 ? -2147483648.0 : (high > 2147483647.0 ? 2147483647.0 : high);
        for (int64_t i = lo; i < hi; i++)
            o[i] = (int32_t)(x[i] < low ? ceil(low) : (x[i] > high ? floor(high) : x[i]));
        return;
    }
    const real *x = SE_IN(0);
    real *o = SE_OUT(0), a = (real)low, b = (real)high;
#pragma omp simd
    for (int64_t i = lo; i < hi; i++)
        o[i] = x[i] < a ? a : (x[i] > b ? b : x[i]);
}

SE_ROWS(iota)
{
    int32_t *o = SE_OUT(0);
    for (int64_t i = lo; i < hi; i++)
        o[i] = (int32_t)i;
}

/* --- cast --- */

static inline float bf16_to_float(uint16_t x)
{
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* To nearest, ties to even; a nan stays one. */
static inline uint16_t float_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return (uint16_t)(f != f ? (u >> 16) | 0x40u : rounded);
}

/* Towards zero; what does not fit becomes the nearest i32, nan becomes 0. */
static inline int32_t real_to_i32(real x)
{
    real low = (real)-2147483648.0, high = sizeof(real) == 8 ? (real)2147483647 : (real)2147483520;
    real y = x < low ? low : (x > high ? high : x);
    int32_t whole = (int32_t)(y != y ? (real)0 : y);
    return x > high ? INT32_MAX : whole;
}

RUN1(cast_0_0, real, real, x)
RUN1(cast_0_1, real, uint16_t, float_to_bf16((float)x))
RUN1(cast_0_2, real, int32_t, real_to_i32(x))
RUN1(cast_0_3, real, uint8_t, x != 0)
RUN1(cast_1_0, uint16_t, real, bf16_to_float(x))
RUN1(cast_1_1, uint16_t, uint16_t, x)
RUN1(cast_1_2, uint16_t, int32_t, real_to_i32((real)bf16_to_float(x)))
RUN1(cast_1_3, uint16_t, uint8_t, (x & 0x7fffu) != 0)
RUN1(cast_2_0, int32_t, real, x)
RUN1(cast_2_1, int32_t, uint16_t, float_to_bf16((float)x))
RUN1(cast_2_2, int32_t, int32_t, x)
RUN1(cast_2_3, int32_t, uint8_t, x != 0)
RUN1(cast_3_0, uint8_t, real, x)
RUN1(cast_3_1, uint8_t, uint16_t, float_to_bf16((float)x))
RUN1(cast_3_2, uint8_t, int32_t, x)
RUN1(cast_3_3, uint8_t, uint8_t, x)

SE_ROWS(cast)
{
    static const run1 run[SE_DTYPES][SE_DTYPES] = {{cast_0_0, cast_0_1, cast_0_2, cast_0_3},
                                                   {cast_1_0, cast_1_1, cast_1_2, cast_1_3},
                                                   {cast_2_0, cast_2_1, cast_2_2, cast_2_3},
                                                   {cast_3_0, cast_3_1, cast_3_2, cast_3_3}};
    run_unary(t, lo, hi, run[t->in_type[0].dtype][t->out_type[0].dtype]);
}
