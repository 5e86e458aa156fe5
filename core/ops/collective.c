/* Ops between shards: what core/shard does, as nodes with gradients. With one shard, and for what
 * is the same on every shard already, gather, sum and broadcast are their input.
 *
 * The gradient of a value that is the same everywhere may vary: then it is a term, and the sum over
 * the shards is meant (grad.c). So what hands a gradient back to the shards asks which it is. */
#include "ops/collective_hlo.h"
#include "ops/compose.h"
#include "shard/shard.h"

#include <string.h>

SE_OP_EXTERN(concat);
SE_OP_EXTERN(equal);
SE_OP_EXTERN(shard_broadcast);
SE_OP_EXTERN(shard_gather);
SE_OP_EXTERN(shard_index);
SE_OP_EXTERN(shard_own);
SE_OP_EXTERN(shard_scatter);
SE_OP_EXTERN(shard_sum);
SE_OP_EXTERN(where);

/* --- what the rules share --- */

/* Rows [first, last) of `rows` are this shard's. */
static int64_t my_rows(int64_t rows, int64_t *first)
{
    int64_t last;
    se_shard_rows(rows, se_shard_index(), se_shard_count(), first, &last);
    return last - *first;
}

static bool varies(se_ref r)
{
    const se_type *t = se_ref_type(r);
    return t && t->varying;
}

static size_t row_bytes(const se_type *t)
{
    size_t bytes = se_dtype_size(t->dtype);
    for (int i = 1; i < t->rank; i++)
        bytes *= (size_t)t->dim[i];
    return bytes;
}

static se_number_kind kind_of(const se_type *t)
{
    return t->dtype == SE_I32 ? SE_SUM_I32 : se_real_is_f64() ? SE_SUM_F64 : SE_SUM_F32;
}

static se_status want_numbers(const se_shape *s, int i)
{
    se_dtype d = s->in[i].dtype;
    if (d != SE_F32 && d != SE_I32)
        return SE_SHAPE_FAIL(s, "%s cannot be added over shards: f32 or i32 is wanted",
                             se_dtype_name(d));
    return SE_OK;
}

static void copy(void *out, const void *in, size_t bytes)
{
    if (out != in && bytes)
        memcpy(out, in, bytes);
}

/* The gradient of a varying output as one: where it is a plain number spread over it, it has lost
 * its rows. */
static se_ref with_rows(se_build *b, se_ref dy, se_ref y)
{
    const se_type *t = se_ref_type(dy), *of = se_ref_type(y);
    if (!t || !of || (t->varying && t->rows == of->rows))
        return dy;
    return OP(b, shard_own, ATTRS(SE_INT(of->rows)), dy);
}

/* x, a whole gradient, as every shard's term of it. */
static se_ref as_terms(se_build *b, se_ref x)
{
    return se_shard_count() > 1 ? se_times(b, x, 1.0 / se_shard_count()) : x;
}

/* --- own: each shard's own, though all may have the same --- */

static se_status own_shape(const se_shape *s)
{
    s->out[0] = s->in[0];
    s->out[0].rows = s->attr[0].i;
    return SE_OK;
}

static void own_rule(se_build *b, const se_rule *g)
{
    (void)b;
    g->dx[0] = g->dy[0];
}

const se_op se_op_shard_own = {
    .name = "shard_own",
    .args = "x rows:int=0",
    .doc = "x as this shard's own: a part of `rows` rows over all shards (0: not known)",
    .shape = own_shape,
    .hlo = se_hlo_same,
    .grad = own_rule,
    .varies = true,
    .alias = true,
    .bf16 = true,
    .internal = true,
    .of = "shard_gather",
    .sample = "x:f32[2x3]; x:i32[5] rows=5; x:f32[211x200] rows=211",
};

/* --- gather --- */

static se_status check_part(const se_shape *s, const se_type *x, int64_t *rows)
{
    int64_t first, count = se_shard_count();
    *rows = x->varying && x->rows ? x->rows : x->dim[0];
    if (!x->varying || (count == 1 && !x->rows))
        return SE_OK;
    if (count == 1 && x->rows > x->dim[0])
        return SE_SHAPE_FAIL(s, "x has %lld rows of %lld over all shards: this is the only shard",
                             (long long)x->dim[0], (long long)x->rows);
    if (!x->rows)
        return SE_SHAPE_FAIL(s, "x does not know how many rows all shards have: what is made row "
                                "by row from a batch does");
    int64_t mine = my_rows(x->rows, &first);
    if (x->dim[0] != mine)
        return SE_SHAPE_FAIL(s, "x has %lld rows: shard %d of %d has %lld of %lld",
                             (long long)x->dim[0], se_shard_index(), se_shard_count(),
                             (long long)mine, (long long)x->rows);
    return SE_OK;
}

static se_status gather_shape(const se_shape *s)
{
    const se_type *x = &s->in[0];
    if (x->rank == 0)
        return SE_SHAPE_FAIL(s, "x has no rows: a scalar came");
    int64_t rows;
    se_status status = check_part(s, x, &rows);
    s->out[0] = se_type_make(x->dtype, x->rank, x->dim);
    s->out[0].dim[0] = rows;
    return status;
}

static se_status gather_run(const se_task *t)
{
    int64_t first, rows = t->out_type[0].dim[0];
    size_t bytes = row_bytes(&t->out_type[0]);
    int64_t mine = my_rows(rows, &first);
    copy((char *)t->out[0] + (size_t)first * bytes, t->in[0], (size_t)mine * bytes);
    return se_shard_gather(t->out[0], rows, (int64_t)bytes);
}

static void gather_rule(se_build *b, const se_rule *g)
{
    bool moved = se_shard_count() > 1 && varies(g->x[0]);
    g->dx[0] = moved ? OP1(b, shard_scatter, g->dy[0]) : g->dy[0];
}

const se_op se_op_shard_gather = {
    .name = "shard_gather",
    .args = "x",
    .doc = "the rows of all shards, in order; its gradient is summed over the shards",
    .shape = gather_shape,
    .hlo = se_shard_gather_hlo,
    .run = gather_run,
    .grad = gather_rule,
    .replicates = true,
    .alias = true,
    .bf16 = true,
    .sample = "x:f32[2x3]; x:i32[5]; x:f32[211x200]",
};

/* --- scatter: gather's gradient --- */

static se_status scatter_shape(const se_shape *s)
{
    const se_type *x = &s->in[0];
    if (x->rank == 0)
        return SE_SHAPE_FAIL(s, "x has no rows: a scalar came");
    int64_t first, mine = my_rows(x->dim[0], &first);
    s->out[0] = se_type_make(x->dtype, x->rank, x->dim);
    s->out[0].dim[0] = mine;
    s->out[0].rows = x->dim[0];
    return want_numbers(s, 0);
}

static se_status scatter_run(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    se_piece all = {t->in[0], se_type_count(x), !x->varying};
    int64_t unit = x->dim[0] ? all.count / x->dim[0] : 0;
    return se_shard_reduce_scatter(kind_of(x), unit ? unit : 1, 1, &all, t->out[0]);
}

static void scatter_rule(se_build *b, const se_rule *g)
{
    se_ref all = OP1(b, shard_gather, with_rows(b, g->dy[0], g->y[0]));
    g->dx[0] = varies(g->x[0]) ? all : as_terms(b, all);
}

const se_op se_op_shard_scatter = {
    .name = "shard_scatter",
    .args = "x",
    .doc = "my rows of the sum of x over all shards (where all have the same x: of x)",
    .shape = scatter_shape,
    .hlo = se_shard_scatter_hlo,
    .run = scatter_run,
    .grad = scatter_rule,
    .varies = true,
    .sample = "x:f32[2x3]; x:i32[5]; x:f32[0x2]; x:f32[211x200]",
};

/* --- sum, mean --- */

static se_status sum_shape(const se_shape *s)
{
    se_status status = want_numbers(s, 0);
    return status ? status : se_shape_like_first(s);
}

static se_status sum_run(const se_task *t)
{
    copy(t->out[0], t->in[0], se_type_bytes(&t->out_type[0]));
    return se_shard_sum(kind_of(&t->out_type[0]), t->out[0], se_type_count(&t->out_type[0]));
}

static void sum_rule(se_build *b, const se_rule *g)
{
    bool terms = varies(g->x[0]) && varies(g->dy[0]);
    g->dx[0] = terms ? OP1(b, shard_sum, g->dy[0]) : g->dy[0];
}

const se_op se_op_shard_sum = {
    .name = "shard_sum",
    .args = "x",
    .doc = "the sum of x over all shards (where all have the same x: x); its gradient is that of "
           "the sum, on every shard",
    .shape = sum_shape,
    .hlo = se_shard_sum_hlo,
    .run = sum_run,
    .grad = sum_rule,
    .replicates = true,
    .alias = true,
    .inplace = 1,
    .sample = "x:f32[2x3]; x:f32[]; x:i32[4]; x:f32[211x200]",
};

static se_status mean_run(const se_task *t)
{
    se_status status = sum_run(t);
    int64_t n = se_type_count(&t->out_type[0]);
    double part = 1.0 / se_shard_count();
    if (kind_of(&t->out_type[0]) == SE_SUM_F64)
        for (int64_t i = 0; i < n; i++)
            ((double *)t->out[0])[i] *= part;
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)t->out[0])[i] *= (float)part;
    return status;
}

static void mean_rule(se_build *b, const se_rule *g)
{
    sum_rule(b, g);
    if (varies(g->x[0]))
        g->dx[0] = as_terms(b, g->dx[0]);
}

static se_status mean_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    return status ? status : se_shape_like_first(s);
}

const se_op se_op_shard_mean = {
    .name = "shard_mean",
    .args = "x",
    .doc = "the mean of x over all shards",
    .shape = mean_shape,
    .run = mean_run,
    .grad = mean_rule,
    .hlo = se_shard_mean_hlo,
    .replicates = true,
    .alias = true,
    .inplace = 1,
    .sample = "x:f32[2x3]; x:f32[]; x:f32[211x200]",
};

/* --- broadcast --- */

static se_status broadcast_shape(const se_shape *s)
{
    int64_t from = s->attr[0].i;
    if (from < 0 || from >= se_shard_count())
        return SE_SHAPE_FAIL(s, "from = %lld: shards are numbered from 0, and there are %d",
                             (long long)from, se_shard_count());
    return se_shape_like_first(s);
}

static se_status broadcast_run(const se_task *t)
{
    size_t bytes = se_type_bytes(&t->out_type[0]);
    copy(t->out[0], t->in[0], bytes);
    return se_shard_broadcast(t->out[0], (int64_t)bytes, (int32_t)t->attr[0].i);
}

static void broadcast_rule(se_build *b, const se_rule *g)
{
    g->dx[0] = g->dy[0];
    if (!varies(g->x[0]) || se_shard_count() == 1)
        return;
    se_ref me = se_op_apply(b, &se_op_shard_index, NULL, 0, NULL);
    se_ref source = OP2(b, equal, me, se_number_i32(b, g->attr[0].i));
    se_ref total = varies(g->dy[0]) ? OP1(b, shard_sum, g->dy[0]) : g->dy[0];
    g->dx[0] = OP3(b, where, source, total, se_number(b, 0));
}

const se_op se_op_shard_broadcast = {
    .name = "shard_broadcast",
    .args = "x from:int=0",
    .doc = "x of shard `from` (they count from 0), on every shard",
    .shape = broadcast_shape,
    .hlo = se_shard_broadcast_hlo,
    .run = broadcast_run,
    .grad = broadcast_rule,
    .replicates = true,
    .alias = true,
    .bf16 = true,
    .inplace = 1,
    .sample = "x:f32[2x3]; x:i32[5]; x:f32[] from=0; x:f32[211x200]",
};

/* --- index, rows --- */

static se_status index_shape(const se_shape *s)
{
    s->out[0] = se_type_scalar(SE_I32);
    return SE_OK;
}

static se_status index_run(const se_task *t)
{
    *(int32_t *)t->out[0] = se_shard_index();
    return SE_OK;
}

const se_op se_op_shard_index = {
    .name = "shard_index",
    .args = "",
    .doc = "the number of this shard, from 0",
    .shape = index_shape,
    .hlo = se_shard_index_hlo,
    .run = index_run,
    .varies = true,
    .sample = "-grad",
};

static se_status rows_shape(const se_shape *s)
{
    const se_type *x = &s->in[0];
    if (x->rank == 0)
        return SE_SHAPE_FAIL(s, "x has no rows: a scalar came");
    s->out[0] = se_type_make(SE_I32, 1, x->dim);
    int64_t rows;
    return check_part(s, x, &rows);
}

static se_status rows_run(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    int64_t first = 0, n = t->out_type[0].dim[0];
    if (x->varying)
        my_rows(x->rows ? x->rows : n, &first);
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)t->out[0])[i] = (int32_t)(first + i);
    return SE_OK;
}

const se_op se_op_shard_rows = {
    .name = "shard_rows",
    .args = "x",
    .doc = "where the rows of x stand among those of all shards: i32, from 0",
    .shape = rows_shape,
    .hlo = se_shard_rows_hlo,
    .run = rows_run,
    .rowwise = true,
    .sample = "x:f32[2x3] -rows; x:i32[5] -rows; x:f32[211x200] -rows",
};

/* --- many tensors as one vector, of which each shard has a part --- */

static se_status divide_shape(const se_shape *s)
{
    int64_t total = 0, first;
    for (int i = 0; i < s->n_in; i++) {
        se_status status = se_shape_want(s, i, SE_F32, -1);
        if (status)
            return status;
        total += se_type_count(&s->in[i]);
    }
    int64_t mine = my_rows(total, &first);
    s->out[0] = se_type_make(SE_F32, 1, &mine);
    s->out[0].rows = total;
    return SE_OK;
}

static se_status divide_run(const se_task *t)
{
    se_piece piece[SE_MAX_INPUTS];
    for (int i = 0; i < t->n_in; i++)
        piece[i] = (se_piece){t->in[i], se_type_count(&t->in_type[i]), !t->in_type[i].varying};
    return se_shard_reduce_scatter(kind_of(&t->out_type[0]), 1, t->n_in, piece, t->out[0]);
}

static void divide_rule(se_build *b, const se_rule *g)
{
    se_ref all = OP1(b, shard_gather, with_rows(b, g->dy[0], g->y[0]));
    int64_t at = 0;
    for (int i = 0; i < g->n_in; i++) {
        const se_type *x = se_ref_type(g->x[i]);
        if (!x)
            return;
        int64_t end = at + se_type_count(x);
        if (g->want[i]) {
            se_ref part = se_reshape_to(b, se_rows_of(b, all, at, end), x->rank, x->dim);
            g->dx[i] = x->varying ? part : as_terms(b, part);
        }
        at = end;
    }
}

static void divide_expand(se_build *b, const se_rule *g)
{
    se_ref flat[SE_MAX_INPUTS];
    for (int i = 0; i < g->n_in; i++) {
        const se_type *x = se_ref_type(g->x[i]);
        if (!x)
            return;
        int64_t n = se_type_count(x);
        flat[i] = se_reshape_to(b, g->x[i], 1, &n);
        if (!x->varying)
            flat[i] = as_terms(b, flat[i]);
    }
    se_ref all =
        g->n_in > 1 ? se_op_apply(b, &se_op_concat, ATTRS(SE_INT(0)), g->n_in, flat) : flat[0];
    g->y[0] = OP1(b, shard_scatter, OP1(b, shard_own, all));
}

const se_op se_op_shard_divide = {
    .name = "shard_divide",
    .args = "xs*",
    .doc = "my part of all elements of xs, one tensor after another; those that differ between "
           "shards are summed over them",
    .shape = divide_shape,
    .run = divide_run,
    .grad = divide_rule,
    .expand = divide_expand,
    .varies = true,
    .sample = "xs:f32[2x3]; xs:f32[2x3] xs:f32[] xs:f32[0x3] xs:f32[5]; xs:f32[211x200] xs:f32[7]",
};

static se_status part_shape(const se_shape *s)
{
    int64_t from = s->attr[0].i, to = s->attr[1].i, rows;
    se_status status = se_shape_want(s, 0, SE_F32, 1);
    if (status || (status = check_part(s, &s->in[0], &rows)))
        return status;
    if (from < 0 || from > to || to > rows)
        return SE_SHAPE_FAIL(s, "elements %lld to %lld are not within the %lld of all shards",
                             (long long)from, (long long)to, (long long)rows);
    int64_t n = to - from;
    s->out[0] = se_type_make(SE_F32, 1, &n);
    return SE_OK;
}

/* Every shard that has some of the elements hands them to all. */
static se_status part_run(const se_task *t)
{
    const se_type *x = &t->in_type[0];
    int64_t from = t->attr[0].i, to = t->attr[1].i, size = (int64_t)se_dtype_size(SE_F32);
    int32_t n = x->varying ? se_shard_count() : 1;
    for (int32_t i = 0; i < n; i++) {
        int64_t first = 0, last = x->dim[0];
        if (n > 1)
            se_shard_rows(x->rows, i, n, &first, &last);
        int64_t low = first > from ? first : from, high = last < to ? last : to;
        if (low >= high)
            continue;
        char *out = (char *)t->out[0] + (low - from) * size;
        if (n == 1 || i == se_shard_index())
            copy(out, (const char *)t->in[0] + (low - first) * size, (size_t)((high - low) * size));
        se_status status = n > 1 ? se_shard_broadcast(out, (high - low) * size, i) : SE_OK;
        if (status)
            return status;
    }
    return SE_OK;
}

static void part_expand(se_build *b, const se_rule *g)
{
    g->y[0] = se_rows_of(b, OP1(b, shard_gather, g->x[0]), g->attr[0].i, g->attr[1].i);
}

const se_op se_op_shard_part = {
    .name = "shard_part",
    .args = "x from:int to:int",
    .doc = "elements from, ..., to - 1 (from 0) of a vector that is divided among the shards, on "
           "every shard",
    .shape = part_shape,
    .run = part_run,
    .expand = part_expand,
    .replicates = true,
    .sample = "x:f32[7] from=2 to=5; x:f32[7] from=0 to=7; x:f32[7] from=3 to=3; "
              "x:f32[50000] from=100 to=49000",
};

/* --- fill_from: a parameter takes its elements out of the gathered vector --- */

static se_status fill_shape(const se_shape *s)
{
    se_status status = se_shape_want(s, 0, SE_F32, -1);
    if (status || (status = se_shape_want(s, 1, SE_F32, 1)))
        return status;
    int64_t at = s->attr[0].i, n = se_type_count(&s->in[0]);
    if (at < 0 || at > s->in[1].dim[0] - n)
        return SE_SHAPE_FAIL(s,
                             "at = %lld: %lld elements from there on are not within the %lld of "
                             "flat",
                             (long long)at, (long long)n, (long long)s->in[1].dim[0]);
    return se_shape_like_first(s);
}

static se_status fill_run(const se_task *t)
{
    size_t at = (size_t)t->attr[0].i * se_dtype_size(SE_F32);
    copy(t->out[0], (const char *)t->in[1] + at, se_type_bytes(&t->out_type[0]));
    return SE_OK;
}

static void fill_expand(se_build *b, const se_rule *g)
{
    const se_type *p = se_ref_type(g->x[0]);
    int64_t at = g->attr[0].i;
    if (p)
        g->y[0] =
            se_reshape_to(b, se_rows_of(b, g->x[1], at, at + se_type_count(p)), p->rank, p->dim);
}

const se_op se_op_fill_from = {
    .name = "fill_from",
    .args = "p flat at:int",
    .doc = "a tensor like p whose elements are those of flat from number `at` (from 0) on",
    .shape = fill_shape,
    .run = fill_run,
    .expand = fill_expand,
    .overwrites = {1},
    .sample = "p:f32[2x3]! flat:f32[10] at=3; p:f32[]! flat:f32[1] at=0; p:f32[0x2]! flat:f32[4] "
              "at=4; p:f32[211x200]! flat:f32[50000] at=77",
};
