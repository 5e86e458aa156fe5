/* Random expressions over the op table next to what numpy says: values on every instruction set of
 * the machine, with and without fused kernels, and `f64`: values and gradients in double.
 *
 *     test_random_graphs [f64] [FILE]      FILE: tests/data/random_graphs/cases.txt
 *     test_random_graphs table             the op table, for tests/check_random_graphs.py
 *
 * FILE is written by tests/check_random_graphs.py, which tells where the references and the allowed
 * differences come from. Items of a graph are counted from 0:
 *
 *     case 17                         a graph, and the seed that makes it again
 *     leaf f32 2x3 = 0.5 -1 ...       row-major; "num" is a plain number
 *     op softmax 0 axis=1             an op, its inputs (2.1: output 1 of item 2; - left out),
 *                                     axes from 0
 *     out 0 f32 2x3 = 0.25~1e-8 ...   output 0 of the op before it: values~allowed differences
 *     grad 0 = 0.5~1e-9 ...           d sum(w out) / d item 0 for the last op's f32 outputs, where
 *                                     w[k] = k * 37 % 64 / 32 - 1
 *
 * The last op alone is computed, as a user would. When it is wrong, all are: the first op that is
 * wrong is the smallest expression that fails, for its inputs are right. */
#include "ops_sample.h"

#include "kernels/isa.h"

enum { ITEMS = 64, INPUTS = 8 };

typedef struct values {
    bool given;
    se_type type;
    int64_t n;
    double *v, *allowed;
} values;

typedef struct item {
    const se_op *op; /* NULL: a leaf or a number, whose value is out[0] */
    bool number;
    int n_in, in[INPUTS], in_out[INPUTS];
    se_attr attr[SE_MAX_ATTRS];
    char text[160];
    values out[SE_MAX_OUTPUTS], grad;
} item;

typedef struct graph {
    char seed[32];
    int n;
    item item[ITEMS];
} graph;

static const char *path = SE_TEST_DATA "/random_graphs/cases.txt";
static int line_number, graphs, compared, gradients, failures;

/* --- reading --- */

static _Noreturn void unreadable(const char *what)
{
    fail_msg("%s:%d: %s", path, line_number, what);
    abort();
}

static void read_dims(se_type *t, const char *p)
{
    while (*p && *p != '-') { /* "-": a scalar */
        char *end;
        if (t->rank == SE_MAX_RANK)
            unreadable("too many axes");
        t->dim[t->rank++] = strtoll(p, &end, 10);
        if (end == p)
            unreadable("sizes are wanted");
        p = *end == 'x' ? end + 1 : end;
    }
}

static void read_numbers(values *v, char *text)
{
    char *p = text ? text : (char[]){""};
    v->given = true;
    v->n = se_type_count(&v->type);
    v->v = calloc((size_t)v->n + 1, sizeof *v->v);
    v->allowed = calloc((size_t)v->n + 1, sizeof *v->allowed);
    for (int64_t i = 0; i < v->n; i++) {
        char *end;
        v->v[i] = strtod(p, &end);
        if (end == p)
            unreadable("too few numbers");
        if (*end == '~')
            v->allowed[i] = strtod(end + 1, &end);
        p = end;
    }
    if (p[strspn(p, " \n")])
        unreadable("too many numbers");
}

static void read_typed(values *v, const char *dtype, const char *dims, char *numbers)
{
    if (!dtype || !dims)
        unreadable("a type is wanted");
    bool number = strcmp(dtype, "num") == 0;
    v->type = (se_type){.dtype = (uint8_t)(number ? SE_F32 : se_dtype_of(dtype))};
    if (v->type.dtype == SE_NONE)
        unreadable("no such dtype");
    read_dims(&v->type, dims);
    read_numbers(v, numbers);
}

static void read_attr(item *x, const char *word)
{
    static sample_case c; /* the form is that of samples */
    memcpy(c.attr, x->attr, sizeof x->attr);
    sample_read_attr(x->op, &c, word);
    memcpy(x->attr, c.attr, sizeof x->attr);
}

static void read_op(graph *g, item *x, char *rest)
{
    char *state = NULL, *word = strtok_r(rest, " \n", &state);
    if (!word || !(x->op = se_op_find(word)))
        unreadable("no such op");
    const se_signature *s = se_op_signature(x->op);
    for (int i = 0; i < s->n_attrs; i++)
        x->attr[i] = s->attr[i].value;
    while ((word = strtok_r(NULL, " \n", &state))) {
        if (strchr(word, '=')) {
            read_attr(x, word);
            continue;
        }
        if (x->n_in == INPUTS)
            unreadable("too many inputs");
        char *end;
        int i = x->n_in++;
        x->in[i] = *word == '-' ? -1 : (int)strtol(word, &end, 10);
        x->in_out[i] = *word != '-' && *end == '.' ? atoi(end + 1) : 0;
        if (x->in[i] >= g->n - 1 || x->in_out[i] >= SE_MAX_OUTPUTS)
            unreadable("an input that is not there yet");
    }
}

static item *next_item(graph *g, const char *line)
{
    if (g->n == ITEMS)
        unreadable("too many items");
    item *x = &g->item[g->n++];
    *x = (item){0};
    snprintf(x->text, sizeof x->text, "%.*s", (int)strcspn(line, "=\n"), line);
    if (strncmp(line, "op ", 3) == 0)
        snprintf(x->text, sizeof x->text, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    return x;
}

static void read_line(graph *g, char *line)
{
    char copy[200], *state = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    char *equals = strchr(line, '='), *kind = strtok_r(copy, " \n", &state);
    char *first = strtok_r(NULL, " \n", &state);
    char *second = strtok_r(NULL, " \n", &state), *third = strtok_r(NULL, " \n", &state);
    if (!kind || *kind == '#')
        return;
    item *last = g->n ? &g->item[g->n - 1] : NULL;
    if (!first)
        unreadable("an incomplete line");
    if (strcmp(kind, "leaf") == 0 && equals) {
        item *x = next_item(g, line);
        x->number = strcmp(first, "num") == 0;
        read_typed(&x->out[0], first, second, equals + 1);
    } else if (strcmp(kind, "op") == 0) {
        item *x = next_item(g, line);
        read_op(g, x, line + 3);
    } else if (strcmp(kind, "out") == 0 && last && equals && atoi(first) < SE_MAX_OUTPUTS) {
        read_typed(&last->out[atoi(first)], second, third, equals + 1);
    } else if (strcmp(kind, "grad") == 0 && equals && atoi(first) < g->n) {
        item *x = &g->item[atoi(first)];
        x->grad.type = x->out[0].type;
        read_numbers(&x->grad, equals + 1);
    } else {
        unreadable("an unknown line");
    }
}

static void graph_free(graph *g)
{
    for (int i = 0; i < g->n; i++) {
        for (int k = 0; k < SE_MAX_OUTPUTS; k++) {
            free(g->item[i].out[k].v);
            free(g->item[i].out[k].allowed);
        }
        free(g->item[i].grad.v);
        free(g->item[i].grad.allowed);
    }
    g->n = 0;
}

/* --- computing --- */

typedef struct built {
    se_tensor *t[ITEMS][SE_MAX_OUTPUTS];
    int at; /* the item that was made last */
} built;

/* NULL, or what is wrong with item b->at. */
static const char *build(const graph *g, built *b)
{
    *b = (built){0};
    for (int i = 0; i < g->n; i++) {
        const item *x = &g->item[i];
        se_tensor *in[INPUTS];
        b->at = i;
        if (x->number) {
            if (se_tensor_number(x->out[0].v[0], &b->t[i][0]))
                return se_message();
            sample_hold(b->t[i][0]);
        } else if (!x->op) {
            b->t[i][0] = tensor_of(&x->out[0].type, x->out[0].v);
        } else {
            for (int k = 0; k < x->n_in; k++)
                in[k] = x->in[k] < 0 ? NULL : b->t[x->in[k]][x->in_out[k]];
            if (sample_call(x->op, x->n_in, in, x->attr, i + 1, b->t[i]))
                return se_message();
        }
    }
    return NULL;
}

/* Whether a type of the graph has 8 bits only: then errors do not shrink with the reals. */
static bool has_bf16(const graph *g, const built *b)
{
    for (int i = 0; i < g->n; i++) {
        se_type type;
        if (!se_tensor_type(b->t[i][0], &type) && type.dtype == SE_BF16)
            return true;
    }
    return false;
}

static bool fits(double x, double wanted, double allowed)
{
    return x == wanted || isinf(allowed) || fabs(x - wanted) <= allowed;
}

/* scale: of the allowed differences. */
static const char *compare(se_tensor *t, const values *v, double scale)
{
    static char text[300];
    char came[SE_TYPE_TEXT], wanted[SE_TYPE_TEXT];
    se_type type;
    const void *data = NULL;
    if (se_tensor_type(t, &type) || se_tensor_data(t, true, &data))
        return se_message();
    if (!se_type_same(&type, &v->type)) {
        snprintf(text, sizeof text, "%s came, %s is wanted", se_type_print(&type, came),
                 se_type_print(&v->type, wanted));
        return text;
    }
    for (int64_t i = 0; i < v->n; i++) {
        double x = element_of(&type, data, i), allowed = v->allowed[i] * scale;
        compared++;
        if (!fits(x, v->v[i], allowed)) {
            snprintf(text, sizeof text, "element %lld is %.9g, %.9g is wanted (allowed: %.2g)",
                     (long long)i, x, v->v[i], allowed);
            return text;
        }
    }
    return NULL;
}

static double scale_of(const graph *g, const built *b)
{
    return se_real_is_f64() && !has_bf16(g, b) ? 0x1p-26 : 1;
}

/* The outputs of item i that the file knows: *bad is the message of the first that is wrong. */
static bool right(const graph *g, const built *b, int i, const char **bad)
{
    for (int k = 0; k < SE_MAX_OUTPUTS; k++)
        if (g->item[i].op && g->item[i].out[k].given &&
            (*bad = compare(b->t[i][k], &g->item[i].out[k], scale_of(g, b))))
            return false;
    return true;
}

/* --- telling --- */

static void say(const graph *g, const char *what, int at, const char *why)
{
    failures++;
    print_error("seed %s, %s: item %d: %s\n", g->seed, what, at, why);
    for (int i = 0; i <= at; i++)
        print_error("  %2d  %s\n", i, g->item[i].text);
}

/* All items in one plan; the first that is wrong. */
static void find_first(const graph *g, const char *what, const char *why)
{
    built b;
    const char *bad = build(g, &b);
    if (bad) {
        say(g, what, b.at, bad);
        return;
    }
    se_tensor *all[ITEMS * SE_MAX_OUTPUTS];
    int n = 0;
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < SE_MAX_OUTPUTS; k++)
            if (b.t[i][k] && !se_tensor_ready(b.t[i][k]))
                all[n++] = b.t[i][k];
    if (se_eval(n, all))
        bad = se_message();
    for (int i = 0; i < g->n && !bad; i++)
        if (!right(g, &b, i, &bad)) {
            say(g, what, i, bad);
            return;
        }
    char text[900];
    snprintf(text, sizeof text, "%s (computed together, all items are right%s%s)", why,
             bad ? "; no: " : "", bad ? bad : "");
    say(g, what, g->n - 1, text);
}

static bool try_values(const graph *g, const char *what)
{
    built b;
    const char *bad = build(g, &b);
    if (!bad && right(g, &b, g->n - 1, &bad))
        return true;
    char why[400];
    snprintf(why, sizeof why, "%s", bad);
    find_first(g, what, why);
    return false;
}

static void try_levels(const graph *g)
{
    se_level before = se_isa_level();
    bool fine = true;
    for (int level = SE_LEVEL_PORTABLE; level < SE_LEVELS && fine; level++)
        if (se_isa_has((se_level)level) && !se_isa_force((se_level)level))
            fine = try_values(g, se_isa_name((se_level)level));
    se_isa_force(before);
}

static se_tensor *loss_of(const graph *g, const built *b)
{
    se_tensor *total = NULL;
    const item *x = &g->item[g->n - 1];
    for (int i = 0; i < SE_MAX_OUTPUTS; i++) {
        se_tensor *t = b->t[g->n - 1][i];
        if (!t || !x->out[i].given || x->out[i].type.dtype != SE_F32)
            continue;
        double *w = calloc((size_t)x->out[i].n + 1, sizeof *w);
        for (int64_t k = 0; k < x->out[i].n; k++)
            w[k] = (double)(k * 37 % 64) / 32 - 1;
        se_tensor *pair[] = {t, tensor_of(&x->out[i].type, w)}, *part[1], *sum[1];
        free(w);
        if (sample_call(se_op_find("mul"), 2, pair, NULL, 1, part) ||
            sample_call(se_op_find("sum"), 1, part, NULL, 1, sum))
            return NULL;
        se_tensor *both[] = {total, sum[0]};
        if (total && sample_call(se_op_find("add"), 2, both, NULL, 1, sum))
            return NULL;
        total = sum[0];
    }
    return total;
}

static void try_gradient(const graph *g, const built *b, se_tensor *loss, int i)
{
    char what[64];
    const values *v = &g->item[i].grad;
    se_tensor *x = b->t[i][0], *dx = NULL;
    const char *bad = se_grad(loss, 1, &x, &dx) ? se_message() : NULL;
    snprintf(what, sizeof what, "gradient of item %d", i);
    if (!bad && sample_hold(dx))
        bad = compare(dx, v, 1);
    for (int64_t k = 0; k < v->n && !bad && !dx; k++)
        bad = fits(0, v->v[k], v->allowed[k]) ? NULL : "there is none";
    if (bad)
        say(g, what, g->n - 1, bad);
    gradients++;
}

static void try_gradients(const graph *g)
{
    built b;
    se_tensor *loss = build(g, &b) ? NULL : loss_of(g, &b);
    for (int i = 0; i < g->n; i++) {
        if (!g->item[i].grad.given)
            continue;
        if (loss)
            try_gradient(g, &b, loss, i);
        else
            say(g, "gradients", g->n - 1, "there is no loss");
    }
}

static void try_graph(graph *g)
{
    if (!g->n)
        return;
    graphs++;
    int mark = sample_open();
    if (se_real_is_f64() && try_values(g, "f64"))
        try_gradients(g);
    if (!se_real_is_f64())
        try_levels(g);
    se_prefer_expansion(true);
    try_values(g, se_real_is_f64() ? "f64, expansions" : "expansions");
    se_prefer_expansion(false);
    sample_close(mark);
    graph_free(g);
}

static void test_graphs(void **state)
{
    static graph g;
    char *line = NULL;
    size_t room = 0;
    (void)state;
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s cannot be opened", path);
    while (getline(&line, &room, f) >= 0) {
        line_number++;
        if (strncmp(line, "case ", 5) == 0) {
            try_graph(&g);
            snprintf(g.seed, sizeof g.seed, "%.*s", (int)strcspn(line + 5, "\n"), line + 5);
        } else {
            read_line(&g, line);
        }
    }
    try_graph(&g);
    free(line);
    fclose(f);
    print_message("%d graphs: %d elements, %d gradients; %d differ\n", graphs, compared, gradients,
                  failures);
    assert_int_equal(failures, 0);
    assert_true(graphs > 0 && compared > 0 && (gradients > 0 || !se_real_is_f64()));
}

/* A new op takes its line in the script that draws expressions. */
static void test_names(void **state)
{
    static const char script[] = SE_SOURCE_DIR "/tests/check_random_graphs.py";
    static char text[1 << 18], line[64];
    (void)state;
    FILE *f = fopen(script, "r");
    if (!f)
        fail_msg("%s cannot be opened", script);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    assert_true(n < sizeof text - 1);
    int missing = 0;
    for (int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        snprintf(line, sizeof line, "\n    \"%s\": ", op->name);
        if (op->internal || strstr(text, line))
            continue;
        print_error("%s: tests/check_random_graphs.py has no line for it in OPS (how it is drawn, "
                    "and what it is in numpy), and none in WITHOUT that says why\n",
                    op->name);
        missing++;
    }
    assert_int_equal(missing, 0);
}

static int table(void)
{
    for (int i = 0; i < se_op_count(); i++) {
        const se_op *op = se_op_at(i);
        if (!op->internal)
            printf("%s|%d|%d|%d|%s\n", op->name, se_op_outs(op), op->promote, op->floats, op->args);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs), cmocka_unit_test(test_names)};
    bool f64 = argc > 1 && strcmp(argv[1], "f64") == 0;
    if (argc > 1 && strcmp(argv[1], "table") == 0)
        return table();
    if (argc > 1 + f64)
        path = argv[1 + f64];
    se_real_set_f64(f64);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
