/* A node as one line, a graph as text, a graph as dot. */
#define _GNU_SOURCE
#include "node.h"
#include "sembed.h"

#include <stdio.h>
#include <stdlib.h>

static const char *state_of(se_ref r)
{
    if (se_node_ready(r))
        return "";
    return r.node->overwritten_file ? " (overwritten)" : " (not computed)";
}

static void print_line(FILE *f, se_ref r)
{
    const se_node *n = r.node;
    char type[SE_TYPE_TEXT];
    fprintf(f, "%s %s", se_type_print(&n->type[r.out], type),
            n->op          ? n->op->name
            : n->is_number ? "number"
                           : "leaf");
    if (n->is_number)
        fprintf(f, " %g",
                n->type[0].dtype == SE_I32 ? (double)n->number.i
                : se_real_is_f64()         ? n->number.d
                                           : (double)n->number.f);
    if (n->type[r.out].varying)
        fputs(" varying", f);
    if (n->file)
        fprintf(f, " %s:%d", n->file, n->line);
    fputs(state_of(r), f);
}

char *se_tensor_describe(const se_tensor *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    se_ref r = se_tensor_ref(t);
    if (r.node)
        print_line(f, r);
    else
        fputs("released", f);
    fclose(f);
    return text;
}

/* Every node once, inputs first, found without recursion. */
static void print_graph(FILE *f, se_node *root, bool dot)
{
    int n = 0, room = 64;
    se_node **stack = se_malloc(sizeof *stack * (size_t)room);
    uint64_t stamp = se_node_stamp();
    if (stack)
        stack[n++] = root;
    while (stack && n) {
        se_node *x = stack[n - 1];
        bool waits = false;
        for (int i = 0; i < x->n_in && !waits; i++) {
            se_node *in = x->in[i].node;
            if (!in || in->stamp == stamp)
                continue;
            if (n == room) {
                se_node **more = se_realloc(stack, sizeof *stack * (size_t)(room *= 2));
                if (!more)
                    break;
                stack = more;
            }
            stack[n++] = in;
            waits = true;
        }
        if (waits)
            continue;
        n--;
        if (x->stamp == stamp)
            continue;
        x->stamp = stamp;
        fprintf(f, dot ? "  n%llu [label=\"" : "%%%llu = ", (unsigned long long)x->id);
        print_line(f, (se_ref){x, 0});
        if (dot)
            fputs("\"];\n", f);
        for (int i = 0; i < x->n_in; i++)
            if (x->in[i].node && dot)
                fprintf(f, "  n%llu -> n%llu;\n", (unsigned long long)x->in[i].node->id,
                        (unsigned long long)x->id);
            else if (x->in[i].node)
                fprintf(f, "%s%%%llu", i ? ", " : " of ", (unsigned long long)x->in[i].node->id);
        if (!dot)
            fputc('\n', f);
    }
    free(stack);
}

char *se_graph_text(const se_tensor *t, bool dot)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    if (dot)
        fputs("digraph graph {\n", f);
    if (se_tensor_ref(t).node)
        print_graph(f, se_tensor_ref(t).node, dot);
    if (dot)
        fputs("}\n", f);
    fclose(f);
    return text;
}

void se_text_free(char *text)
{
    free(text);
}
