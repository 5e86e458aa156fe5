/* attention over packed texts, and its gradient. The expansion gathers the texts to [n, longest]
 * and scatters the result back; the kernels stay packed. */
#include "kernels/attention.h"
#include "ops/compose.h"
#include "ops/texts.h"
#include <math.h>

SE_OP_EXTERN(attention);
SE_OP_EXTERN(attention_grad);
SE_OP_EXTERN(dropout_grid);
SE_OP_EXTERN(softmax_last);
SE_OP_EXTERN(matmul);
SE_OP_EXTERN(less);
SE_OP_EXTERN(less_equal);
SE_OP_EXTERN(logical_and);
SE_OP_EXTERN(where);
SE_KERNEL_DECLARE(attention);
SE_KERNEL_DECLARE(attention_grad);

enum { HEADS, LONGEST, RATE, PLACE, CAUSAL }; /* attributes of both */

/* Places of the inputs; attention_grad has dy between v and starts. */
typedef struct places {
    int starts, bias, key, who;
} places;
static const places forward_places = {3, 4, 5, 6}, backward_places = {4, 5, 6, 7};

static se_status want_dropout(const se_shape *s, places at)
{
    const se_type *key = &s->in[at.key], *who = &s->in[at.who];
    se_status status = se_want_rate(s, s->attr[RATE].f);
    if (status || (key->dtype == SE_NONE && who->dtype == SE_NONE))
        return status;
    if (key->dtype == SE_NONE || who->dtype == SE_NONE)
        return SE_SHAPE_FAIL(s, "key and who come together or not at all");
    status = se_want_key(s, at.key);
    return status ? status : se_want_who(s, at.who, s->in[at.starts].dim[0] - 1);
}

/* The bias by distance, or by query and key. */
static se_type bias_type(int64_t heads, int64_t longest, bool matrix)
{
    return matrix ? se_type_make(SE_F32, 3, (int64_t[]){heads, longest, longest})
                  : se_type_make(SE_F32, 2, (int64_t[]){2 * longest - 1, heads});
}

static bool is_matrix(const se_type *bias)
{
    return bias && bias->dtype != SE_NONE && bias->rank == 3;
}

static se_status want_bias(const se_shape *s, const se_type *bias)
{
    char came[SE_TYPE_TEXT], near[SE_TYPE_TEXT], full[SE_TYPE_TEXT];
    int64_t heads = s->attr[HEADS].i, longest = s->attr[LONGEST].i;
    se_type by_distance = bias_type(heads, longest, false), each = bias_type(heads, longest, true);
    if (bias->dtype == SE_NONE || se_type_same(bias, &by_distance) || se_type_same(bias, &each))
        return SE_OK;
    return SE_SHAPE_FAIL(s, "bias has the wrong type: %s came, %s or %s is wanted",
                         se_type_print(bias, came), se_type_print(&by_distance, near),
                         se_type_print(&each, full));
}

/* q, k, v and what stands before starts are alike: f32[T, heads * d]. */
static se_status want_inputs(const se_shape *s, places at)
{
    int64_t heads = s->attr[HEADS].i, longest = s->attr[LONGEST].i;
    char came[SE_TYPE_TEXT], first[SE_TYPE_TEXT];
    se_status status = se_shape_want(s, 0, SE_F32, 2);
    for (int i = 1; !status && i < at.starts; i++) {
        if (!se_type_same(&s->in[i], &s->in[0])) {
            return SE_SHAPE_FAIL(s, "tensor %d is not like q: %s and %s", i + 1,
                                 se_type_print(&s->in[i], came), se_type_print(&s->in[0], first));
        }
    }
    if (status || (status = se_want_starts(s, at.starts)))
        return status;
    if (heads < 1 || s->in[0].dim[1] % heads != 0)
        return SE_SHAPE_FAIL(s, "%lld heads do not divide %s", (long long)heads,
                             se_type_print(&s->in[0], first));
    if (longest < 1 || longest > INT32_MAX)
        return SE_SHAPE_FAIL(s, "longest is %lld: 1 to 2147483647 is wanted", (long long)longest);
    status = want_bias(s, &s->in[at.bias]);
    return status ? status : want_dropout(s, at);
}

static se_status attention_shape(const se_shape *s)
{
    se_status status = want_inputs(s, forward_places);
    return status ? status : se_shape_like_first(s);
}

static se_status attention_check(const se_task *t)
{
    return se_check_starts(&t->in_type[3], t->in[3], t->in_type[0].dim[0], t->attr[LONGEST].i);
}

/* Products of `each` kinds over all pairs of a query and a key that see each other. */
static double products(const se_task *t, places at, int each)
{
    const int32_t *starts = t->in[at.starts];
    double pairs = 0;
    for (int64_t i = 0; i + 1 < t->in_type[at.starts].dim[0]; i++) {
        double n = (double)(starts[i + 1] - starts[i]);
        pairs += t->attr[CAUSAL].i ? n * (n + 1) / 2 : n * n;
    }
    return 2.0 * each * pairs * (double)t->in_type[0].dim[1];
}

/* q k' and p v. */
static double attention_work(const se_task *t)
{
    return products(t, forward_places, 2);
}

static int64_t attention_scratch(const se_task *t)
{
    int64_t d = t->in_type[0].dim[1] / t->attr[HEADS].i;
    return se_attention_tiles(t->attr[LONGEST].i, d, false) * (int64_t)se_dtype_size(SE_F32);
}

/* Attributes are the same; inputs in the order that each takes. */
static void attention_rule(se_build *b, const se_rule *g)
{
    const se_ref *x = g->x;
    se_ref d = OP(b, attention_grad, g->attr, x[0], x[1], x[2], g->dy[0], x[3], x[4], x[5], x[6]);
    for (int i = 0; i < 3; i++)
        g->dx[i] = se_out(d, i);
    g->dx[4] = se_ref_ok(x[4]) ? se_out(d, 3) : (se_ref){0};
}

/* --- the expansion --- */

/* Index tensors of a batch: from tokens to [n, longest] and back. */
typedef struct grid {
    int64_t n, longest, heads, d, rows;
    se_ref token;  /* i32[n, longest]: the row of token i of text j; 0 where there is none */
    se_ref real;   /* bool[n, longest] */
    se_ref back;   /* i32[rows]: where in [n * longest] a row stands; 0 for rows of no text */
    se_ref inside; /* bool[rows, 1]: the row belongs to a text */
} grid;

static grid grid_of(se_build *b, se_ref q, se_ref starts, const se_attr *attr)
{
    const se_type *t = se_ref_type(q);
    grid g = {.n = se_ref_type(starts)->dim[0] - 1, .longest = attr[LONGEST].i};
    g.heads = attr[HEADS].i;
    g.d = t->dim[1] / g.heads;
    g.rows = t->dim[0];
    se_ref zero = se_number_i32(b, 0), first = se_with_last(b, se_rows_of(b, starts, 0, g.n));
    se_ref position = se_iota(b, g.longest);
    g.real = OP2(b, less, position, se_with_last(b, se_text_lengths(b, starts)));
    g.token = OP3(b, where, g.real, OP2(b, add, first, position), zero);
    se_ref text = se_text_of_row(b, starts, g.rows);
    se_ref inside = OP2(b, less, text, se_number_i32(b, g.n));
    se_ref within = OP2(b, sub, se_iota(b, g.rows), se_take_rows(b, starts, text));
    se_ref place = OP2(b, add, OP2(b, mul, text, se_number_i32(b, g.longest)), within);
    g.back = OP3(b, where, inside, place, zero);
    g.inside = se_with_last(b, inside);
    return g;
}

static se_ref permute_4(se_build *b, se_ref x, int p, int q, int r, int s)
{
    return se_permute(b, x, 4, (const int64_t[]){p, q, r, s});
}

/* x [T, heads * d] -> [n, heads, longest, d] */
static se_ref to_grid(se_build *b, const grid *g, se_ref x)
{
    se_ref rows = se_take_rows(b, x, g->token);
    rows = se_reshape_to(b, rows, 4, (int64_t[]){g->n, g->longest, g->heads, g->d});
    return permute_4(b, rows, 0, 2, 1, 3);
}

/* key - query + longest - 1, i32[longest, longest] */
static se_ref distances(se_build *b, const grid *g)
{
    se_ref key = se_iota(b, g->longest), query = se_with_last(b, key);
    return OP2(b, sub, OP2(b, add, key, se_number_i32(b, g->longest - 1)), query);
}

/* bias[distance, head] as [heads, longest, longest] */
static se_ref bias_grid(se_build *b, const grid *g, se_ref bias)
{
    if (is_matrix(se_ref_type(bias)))
        return bias;
    return se_permute(b, se_take_rows(b, bias, distances(b, g)), 3, (const int64_t[]){2, 0, 1});
}

/* [n, heads, longest, d] -> [T, heads * d]; rows of no text are zero. */
static se_ref from_grid(se_build *b, const grid *g, se_ref x)
{
    se_ref rows = permute_4(b, x, 0, 2, 1, 3);
    rows = se_reshape_to(b, rows, 2, (int64_t[]){g->n * g->longest, g->heads * g->d});
    return OP3(b, where, g->inside, se_take_rows(b, rows, g->back), se_number(b, 0));
}

static se_ref turned(se_build *b, se_ref x)
{
    return permute_4(b, x, 0, 1, 3, 2);
}

static se_ref dropped(se_build *b, const se_rule *r, places at, se_ref p)
{
    if (!se_ref_ok(r->x[at.key]) || r->attr[RATE].f == 0)
        return p;
    return OP(b, dropout_grid, ATTRS(r->attr[RATE], r->attr[PLACE]), p, r->x[at.key], r->x[at.who]);
}

/* Probabilities [n, heads, longest, longest] of q and k, which are in the grid's form. */
static se_ref probabilities(se_build *b, const grid *g, se_ref q, se_ref k, se_ref bias,
                            bool causal)
{
    se_ref scores = se_times(b, OP2(b, matmul, q, turned(b, k)), 1 / sqrt((double)g->d));
    if (se_ref_ok(bias))
        scores = OP2(b, add, scores, bias_grid(b, g, bias));
    se_ref real = se_reshape_to(b, g->real, 4, (int64_t[]){g->n, 1, 1, g->longest});
    if (causal) {
        se_ref key = se_iota(b, g->longest);
        real = OP2(b, logical_and, real, OP2(b, less_equal, key, se_with_last(b, key)));
    }
    return OP1(b, softmax_last, OP3(b, where, real, scores, se_number(b, -1e30)));
}

static void attention_expand(se_build *b, const se_rule *r)
{
    const places at = forward_places;
    grid g = grid_of(b, r->x[0], r->x[at.starts], r->attr);
    se_ref q = to_grid(b, &g, r->x[0]), k = to_grid(b, &g, r->x[1]), v = to_grid(b, &g, r->x[2]);
    se_ref p = dropped(b, r, at, probabilities(b, &g, q, k, r->x[at.bias], r->attr[CAUSAL].i));
    r->y[0] = from_grid(b, &g, OP2(b, matmul, p, v));
}

const se_op se_op_attention = {
    .name = "attention",
    .args = "q k v starts bias? key? who? heads:int longest:int rate:num=0 place:int=0 "
            "causal:bool=false",
    .doc =
        "softmax(q k' / sqrt(d) + bias) v within each packed text, for each of `heads` pieces of "
        "d columns; text j is rows starts[j] to starts[j + 1] - 1, `longest` the most rows of one; "
        "bias[key - query + longest - 1, head] or bias[head, query, key]; causal: no key after the "
        "query; with key and who, dropout of a share `rate` of the probabilities",
    .shape = attention_shape,
    .cpu = SE_KERNEL(attention),
    .scratch = attention_scratch,
    .work = attention_work,
    .check = attention_check,
    .grad = attention_rule,
    .expand = attention_expand,
    .rowwise = true,
    .sample =
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] starts:i32[5]=0,3,3,4,8 heads=2 longest=4 -rows; "
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] starts:i32[5]=0,3,3,4,8 bias:f32[11x2] heads=2 longest=6 "
        "-rows; "
        "q:f32[9x8] k:f32[9x8] v:f32[9x8] starts:i32[4]=0,3,5,9 bias:f32[9x2] key:i32[3]=1,2,0 "
        "who:i32[3]=5,0,8 heads=2 longest=5 rate=0.3 place=7 -rows; "
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] starts:i32[5]=0,3,3,4,8 heads=2 longest=4 causal=true "
        "-rows; "
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] starts:i32[5]=0,3,3,4,8 bias:f32[2x4x4] heads=2 "
        "longest=4 -rows; "
        "q:f32[9x8] k:f32[9x8] v:f32[9x8] starts:i32[4]=0,3,5,9 bias:f32[2x5x5] key:i32[3]=1,2,0 "
        "who:i32[3]=5,0,8 heads=2 longest=5 rate=0.3 place=7 causal=true -rows; "
        "q:f32[71x640] k:f32[71x640] v:f32[71x640] starts:i32[5]=0,17,18,58,70 bias:f32[10x40x40] "
        "heads=10 longest=40 causal=true ~1e-5 -rows; "
        "q:f32[71x640] k:f32[71x640] v:f32[71x640] starts:i32[5]=0,17,18,58,70 bias:f32[79x10] "
        "key:i32[3]=1,2,0 who:i32[4]=5,0,8,9 heads=10 longest=40 rate=0.1 ~1e-5 -rows",
};

/* --- attention_grad --- */

static se_status attention_grad_shape(const se_shape *s)
{
    se_status status = want_inputs(s, backward_places);
    if (status)
        return status;
    for (int o = 0; o < 3; o++)
        s->out[o] = se_type_make(SE_F32, 2, s->in[0].dim);
    s->out[3] = bias_type(s->attr[HEADS].i, s->attr[LONGEST].i, is_matrix(&s->in[5]));
    return SE_OK;
}

static se_status attention_grad_check(const se_task *t)
{
    return se_check_starts(&t->in_type[4], t->in[4], t->in_type[0].dim[0], t->attr[LONGEST].i);
}

/* q k' again, dy v', and what gives dq, dk and dv. */
static double attention_grad_work(const se_task *t)
{
    return products(t, backward_places, 5);
}

/* The partial sums of dbias lie behind all threads' tiles. */
static int64_t attention_grad_scratch(const se_task *t)
{
    int64_t heads = t->attr[HEADS].i, longest = t->attr[LONGEST].i, size = se_dtype_size(SE_F32);
    int64_t tiles = se_attention_tiles(longest, t->in_type[0].dim[1] / heads, true);
    int64_t shared =
        se_attention_partials(longest, heads, is_matrix(&t->in_type[5])) / se_threads() + 1;
    return ((tiles + shared) * size + 63) / 64 * 64;
}

/* dbias: sums of the scores' gradients [n, heads, longest, longest], over texts and, by distance,
 * over the pairs that are so far apart. */
static se_ref sum_bias(se_build *b, const grid *g, se_ref ds, bool matrix)
{
    int64_t pairs = g->longest * g->longest;
    se_ref by_head = OP(b, sum, ATTRS({.n = 1, .list = {0}}, SE_INT(0)), ds);
    if (matrix)
        return by_head;
    by_head = se_reshape_to(b, by_head, 2, (int64_t[]){g->heads, pairs});
    se_ref each = se_permute(b, by_head, 2, (const int64_t[]){1, 0});
    se_ref distance = se_reshape_to(b, distances(b, g), 1, &pairs);
    return se_add_by_row(b, each, distance, 2 * g->longest - 1);
}

/* Written out, not derived from attention's expansion: q, k and v may be one tensor, whose
 * gradients would come as one. Queries of no token have dy = 0. */
static void attention_grad_expand(se_build *b, const se_rule *r)
{
    const places at = backward_places;
    grid g = grid_of(b, r->x[0], r->x[at.starts], r->attr);
    se_ref q = to_grid(b, &g, r->x[0]), k = to_grid(b, &g, r->x[1]), v = to_grid(b, &g, r->x[2]);
    se_ref real = se_reshape_to(b, g.real, 4, (int64_t[]){g.n, 1, g.longest, 1});
    se_ref dy = OP3(b, where, real, to_grid(b, &g, r->x[3]), se_number(b, 0));
    se_ref p = probabilities(b, &g, q, k, r->x[at.bias], r->attr[CAUSAL].i);
    se_ref dp = dropped(b, r, at, OP2(b, matmul, dy, turned(b, v)));
    se_ref ds = OP2(b, mul, p, OP2(b, sub, dp, se_sum_last(b, OP2(b, mul, p, dp))));
    se_ref scaled = se_times(b, ds, 1 / sqrt((double)g.d));
    r->y[0] = from_grid(b, &g, OP2(b, matmul, scaled, k));
    r->y[1] = from_grid(b, &g, OP2(b, matmul, turned(b, scaled), q));
    r->y[2] = from_grid(b, &g, OP2(b, matmul, turned(b, dropped(b, r, at, p)), dy));
    if (se_ref_ok(r->x[at.bias])) {
        r->y[3] = sum_bias(b, &g, ds, is_matrix(se_ref_type(r->x[at.bias])));
    } else {
        se_type none = bias_type(g.heads, g.longest, false);
        r->y[3] = se_zeros(b, &none);
    }
}

const se_op se_op_attention_grad = {
    .name = "attention_grad",
    .of = "attention",
    .args = "q k v dy starts bias? key? who? heads:int longest:int rate:num=0 place:int=0 "
            "causal:bool=false",
    .doc = "gradient of attention; dbias is zero without a bias",
    .n_out = 4,
    .outs = "dq dk dv dbias",
    .shape = attention_grad_shape,
    .cpu = SE_KERNEL(attention_grad),
    .scratch = attention_grad_scratch,
    .work = attention_grad_work,
    .check = attention_grad_check,
    .expand = attention_grad_expand,
    .internal = true,
    .sample =
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] dy:f32[9x6] starts:i32[5]=0,3,3,4,8 heads=2 longest=4; "
        "q:f32[9x8] k:f32[9x8] v:f32[9x8] dy:f32[9x8] starts:i32[4]=0,3,5,9 bias:f32[9x2] "
        "key:i32[3]=1,2,0 who:i32[3]=5,0,8 heads=2 longest=5 rate=0.3 place=7; "
        "q:f32[9x8] k:f32[9x8] v:f32[9x8] dy:f32[9x8] starts:i32[4]=0,3,5,9 bias:f32[2x5x5] "
        "key:i32[3]=1,2,0 who:i32[3]=5,0,8 heads=2 longest=5 rate=0.3 place=7 causal=true; "
        "q:f32[9x6] k:f32[9x6] v:f32[9x6] dy:f32[9x6] starts:i32[5]=0,3,3,4,8 heads=2 longest=4 "
        "causal=true; "
        "q:f32[71x640] k:f32[71x640] v:f32[71x640] dy:f32[71x640] starts:i32[5]=0,17,18,58,70 "
        "bias:f32[10x40x40] heads=10 longest=40 ~1e-5; "
        "q:f32[71x640] k:f32[71x640] v:f32[71x640] dy:f32[71x640] starts:i32[5]=0,17,18,58,70 "
        "bias:f32[79x10] key:i32[3]=1,2,0 who:i32[4]=5,0,8,9 heads=10 longest=40 rate=0.1 ~1e-5",
};
