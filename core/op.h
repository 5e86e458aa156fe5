/* What an op is. READ THIS FIRST to add one.
 *
 * An op is one constant `se_op` in core/ops/ and one word in core/ops/all.def, or in a shared
 * object of its own (SE_OP_EXPORT below; recipes/examples/snake.c). Lua functions, tensor methods,
 * help, argument checks and the generic tests (tests/test_ops.c) are derived from it.
 *
 * A primitive gives .cpu_rows or .cpu, .hlo or .hlo_name (for XLA), and .grad. A composite gives
 * .expand (itself, in other ops); it may add a fused .cpu_rows/.cpu and a .grad. Without a kernel
 * it is expanded when it is applied; without .hlo, when a program for XLA is written; without .grad
 * it is differentiated through its expansion; an op with neither .grad nor .expand refuses when the
 * gradient graph is built.
 *
 * Rules (.grad, .expand) only build graph nodes. No call inside a rule is checked: a null reference
 * in gives a null reference out, and the first message is kept by the builder. */
#ifndef SE_OP_H
#define SE_OP_H

#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SE_OP_VERSION = 1,   /* of this header, for ops loaded from shared objects */
    SE_MAX_INPUTS = 512, /* variadic ops: global_norm over all parameters */
    SE_MAX_OUTPUTS = 4,
    SE_MAX_ATTRS = 8
};

typedef struct se_node se_node;
typedef struct se_build se_build;

/* One output of one node. node == NULL is the null reference. */
typedef struct se_ref {
    se_node *node;
    int32_t out;
} se_ref;

#define SE_INT(v) ((se_attr){.i = (v)})
#define SE_NUM(v) ((se_attr){.f = (v)})

/* --- shape rule: types and attributes in, output types out --- */
typedef struct se_shape {
    const se_op *op;
    int n_in;
    const se_type *in; /* n_in types; dtype SE_NONE for an optional tensor left out */
    const se_attr *attr;
    se_type *out; /* op->n_out types to fill (dtype, rank, dim); varying and rows are set by the
                     caller */
} se_shape;

/* --- kernels --- */
typedef struct se_task {
    int n_in, n_out;
    const se_type *in_type, *out_type;
    struct se_buf *const
        *leaf;             /* the buffers of inputs that were there before the plan, else NULL */
    const void *const *in; /* contiguous, row-major; NULL for an optional tensor left out */
    void *const *out;
    const se_attr *attr;
    void *scratch; /* se_threads() pieces of scratch_bytes each, 64-byte aligned; see .scratch */
    int64_t scratch_bytes;
} se_task;

/* Computes rows [lo, hi) of the outputs (.cpu_rows), or everything, splitting the work itself
 * (.cpu: lo = 0, hi = rows). */
typedef void (*se_kernel_fn)(const se_task *t, int64_t lo, int64_t hi);

typedef enum se_level {
    SE_LEVEL_F64,
    SE_LEVEL_PORTABLE,
    SE_LEVEL_AVX2,
    SE_LEVEL_AVX512,
    SE_LEVELS
} se_level;
typedef struct se_kernel {
    se_kernel_fn level[SE_LEVELS]; /* a NULL level falls back to the portable one */
} se_kernel;

/* SE_KERNEL_DECLARE(tanh) on a line of its own, then .cpu_rows = SE_KERNEL(tanh); defined by
 * SE_ROWS(tanh) in core/kernels. */
#ifdef SE_X86
#define SE_KERNEL_DECLARE(name)                                                                    \
    void se_k_##name##_f64(const se_task *, int64_t, int64_t);                                     \
    void se_k_##name##_portable(const se_task *, int64_t, int64_t);                                \
    void se_k_##name##_avx2(const se_task *, int64_t, int64_t);                                    \
    void se_k_##name##_avx512(const se_task *, int64_t, int64_t)
#define SE_KERNEL(name)                                                                            \
    {                                                                                              \
        {                                                                                          \
            se_k_##name##_f64, se_k_##name##_portable, se_k_##name##_avx2, se_k_##name##_avx512    \
        }                                                                                          \
    }
#else
#define SE_KERNEL_DECLARE(name)                                                                    \
    void se_k_##name##_f64(const se_task *, int64_t, int64_t);                                     \
    void se_k_##name##_portable(const se_task *, int64_t, int64_t)
#define SE_KERNEL(name)                                                                            \
    {                                                                                              \
        {                                                                                          \
            se_k_##name##_f64, se_k_##name##_portable, NULL, NULL                                  \
        }                                                                                          \
    }
#endif

/* What .cpu_rows counts as a row of output 0. */
typedef enum se_split {
    SE_BY_ELEMENT, /* every element of output 0 (elementwise ops) */
    SE_BY_LAST,    /* count / last axis: norms, softmax */
    SE_BY_FIRST    /* first axis of output 0: texts, (n, ...) */
} se_split;

/* --- graph rules --- */
typedef struct se_rule {
    const se_op *op;
    const se_attr *attr;
    int n_in;
    const se_ref *x; /* inputs */
    se_ref *y;       /* .grad: the node's outputs, to be used. .expand: to be filled */
    const se_ref
        *dy;    /* .grad: gradients of the outputs; null reference where an output is unused */
    se_ref *dx; /* .grad: to be filled; a null reference means zero */
    const bool *want; /* .grad: want[i] is false where dx[i] is not needed */
} se_rule;

/* The writer of a program for XLA, and what .hlo is given: hlo.h. */
typedef struct se_hlo se_hlo;
typedef struct se_hlo_rule se_hlo_rule;

struct se_op {
    const char *name;
    const char *doc;  /* one line, shown by `? name` */
    const char *args; /* "x axis:axis=-1 keep:bool=false": tensors first (`bias?` optional, `xs*`
                         any number, last), then attributes name:kind=default; kinds int num bool
                         dtype axis axes ints. An attribute without a default must be given. Axes
                         count from 1 in Lua and from 0 here; negative ones from the end: -1 is the
                         last (se_axis resolves them). */
    int n_out;        /* 0 means 1 */
    const char *outs; /* names of the outputs where there are several: "y mean rstd" */
    se_status (*shape)(const se_shape *s);
    se_kernel cpu_rows, cpu;
    se_status (*run)(const se_task *t); /* in the place of .cpu for what may fail: it talks to other
                                           shards */
    se_split split;
    int64_t (*scratch)(const se_task *t); /* bytes for each thread (in_type, out_type, attr are set,
                                             data is not) */
    se_status (*check)(const se_task *t); /* refuses values no shape shows (ids out of range),
                                             before the kernel runs; in[i] of floats may be NULL:
                                             only a device has them */
    void (*simplify)(
        se_ref *in,
        se_attr *attr); /* rewrites inputs before the node is made: matmul takes a transpose in */
    void (*grad)(se_build *b, const se_rule *g);
    void (*expand)(se_build *b, const se_rule *g);
    void (*hlo)(se_hlo *h, const se_hlo_rule *r); /* writes it as StableHLO (hlo.h); an op without
                                                     it is written as its expansion */
    const char *hlo_name; /* instead of .hlo: the one operation on elements that it is there */
    const char *sample;   /* what the generic tests draw: `? adding` tells how it is written */
    bool promote; /* bring all tensors to one dtype first (bool < i32 < bf16 < f32; plain numbers
                     adapt) */
    bool floats;  /* integers and bools are converted to f32 first: x / 2, exp of a count */
    bool bf16;    /* the kernel takes bf16; else bf16 inputs are converted and the result converted
                     back */
    bool
        rowwise; /* row i of the output comes from row i of the first varying input: keeps `rows` */
    uint8_t texts;  /* 1 + the index of `starts`: output 0 has a row a text, as many over all shards
                       as it says */
    bool sets_rows; /* .shape sets `rows` of what varies itself */
    bool replicates; /* the output is the same on every shard whatever the inputs are */
    bool varies;     /* it differs between shards whatever they are; .shape sets `rows` */
    bool alias;      /* output 0 is input 0 with another shape: no data moves. With .run: but where
                        there are several shards and input 0 varies */
    bool internal;   /* not offered to Lua (gradients of fused ops) */
    const char *of;  /* of an internal op: the op that callers know, which messages name instead */
    uint8_t inplace; /* bit i: output 0 may overwrite input i (same bytes; element i is read before
                        it is written) */
    int8_t overwrites[SE_MAX_OUTPUTS]; /* output o is written over input overwrites[o] - 1
                                          (optimizers); 0 = none */
    double (*work)(const se_task *t);  /* multiplications and additions of a run, for profiles;
                                          NULL where reading and writing is most of the work */
};

/* The table: every op of core/ops/all.def, then those that were loaded. */
SE_API int se_op_count(void);
SE_API const se_op *se_op_at(int i);
SE_API const se_op *se_op_find(const char *name); /* NULL when there is none */
SE_API int se_op_outs(const se_op *op);
SE_API const char *se_op_known_as(const se_op *op); /* its name in messages */

/* sembed-cdef-begin */
/* Tests: composites are expanded even where they have a kernel. */
SE_API void se_prefer_expansion(bool on);
/* sembed-cdef-end */

/* `args`, parsed. */
typedef enum se_attr_kind {
    SE_KIND_INT,
    SE_KIND_NUM,
    SE_KIND_BOOL,
    SE_KIND_DTYPE,
    SE_KIND_AXIS,
    SE_KIND_AXES,
    SE_KIND_INTS
} se_attr_kind;
typedef struct se_signature {
    int n_tensors, n_required; /* named tensors; those before the first optional one */
    bool variadic;             /* the last tensor name stands for any number >= 1 */
    int n_attrs;
    struct {
        char name[24];
        uint8_t kind; /* se_attr_kind */
        bool has_default;
        se_attr value;
    } attr[SE_MAX_ATTRS];
} se_signature;
SE_API const se_signature *se_op_signature(const se_op *op); /* NULL: the table has no such op */

/* --- calls for shape rules --- */

/* Fails with "NAME: " and the text. */
#define SE_SHAPE_FAIL(s, ...) se_shape_fail((s)->op, __VA_ARGS__)
SE_API se_status se_shape_fail(const se_op *op, const char *format, ...) SE_PRINTF(2, 3);

/* out[0] = in[0]. Broadcast of all inputs. */
SE_API se_status se_shape_like_first(const se_shape *s);
SE_API se_status se_shape_broadcast(const se_shape *s);

/* Checks that input i has dtype and, when rank >= 0, that rank; message with the argument's name.
 */
SE_API se_status se_shape_want(const se_shape *s, int i, se_dtype dtype, int rank);

/* Resolves an axis in -rank..rank-1; fails with the range in Lua's counting. */
SE_API se_status se_axis(const se_shape *s, int64_t axis, int rank, int *out);

/* --- calls for .grad and .expand --- */

/* Output 0 of a new node; attr gives all attributes in order, or NULL for the defaults. */
SE_API se_ref se_op_apply(se_build *b, const se_op *op, const se_attr *attr, int n_in,
                          const se_ref *in);
SE_API se_ref se_out(se_ref r, int out);     /* another output of the same node */
SE_API const se_type *se_ref_type(se_ref r); /* NULL for the null reference */
SE_API bool se_ref_ok(se_ref r);
SE_API const se_op *se_ref_op(se_ref r);            /* NULL for a leaf */
SE_API se_ref se_ref_input(se_ref r, int i);        /* input i of the node; borrowed */
SE_API const se_attr *se_ref_attr(se_ref r);        /* NULL for the null reference */
SE_API se_ref se_number(se_build *b, double value); /* f32[], a constant of the program */
SE_API se_ref se_number_i32(se_build *b, int64_t value);
SE_API se_ref se_zeros(se_build *b, const se_type *t);
SE_API se_ref
se_sum_to(se_build *b, se_ref x,
          const se_type *t); /* sums x over the axes that broadcasting t had stretched */
SE_API se_ref se_reshape_to(se_build *b, se_ref x, int rank, const int64_t *dim);
SE_API se_ref se_add_grads(se_build *b, se_ref a,
                           se_ref c); /* a + c, where a null reference is zero */

/* For a .grad that refuses: the gradient graph is not built, and the message says why. */
SE_API void se_no_gradient(se_build *b, const se_rule *g, const char *why);

/* Gradients of sum(y[i] * dy[i]) with respect to x[j], through the graph between them. Lets a fused
 * gradient op give as its .expand the derivative of the forward op's expansion. */
SE_API void se_grad_between(se_build *b, int n_y, const se_ref *y, const se_ref *dy, int n_x,
                            const se_ref *x, se_ref *dx);

/* The expansion of op itself even if it has a kernel (for se_grad_between); fills y. */
SE_API void se_op_expanded(se_build *b, const se_op *op, const se_attr *attr, int n_in,
                           const se_ref *in, se_ref *y);

/* --- ops in a shared object of their own --- */

/* What such a file exports: made by SE_OP_EXPORT(&an_op, &another), once in a file, after the ops.
 * se.op.load (se_op_file_open) refuses it where version or size are not its own. The file is
 * linked to nothing: cc -shared -fPIC my_op.c -o my_op.so $(pkg-config --cflags sembed). */
typedef struct se_op_exports {
    int32_t version, op_size; /* SE_OP_VERSION and sizeof(se_op) that the file was compiled with */
    int32_t count;
    const se_op *const *op;
} se_op_exports;
extern SE_API const se_op_exports se_op_exported;

#define SE_OP_EXPORT(...)                                                                          \
    static const se_op *const se_op_exported_list[] = {__VA_ARGS__};                               \
    const se_op_exports se_op_exported = {                                                         \
        SE_OP_VERSION, (int32_t)sizeof(se_op),                                                     \
        (int32_t)(sizeof se_op_exported_list / sizeof *se_op_exported_list), se_op_exported_list}

/* .cpu_rows or .cpu of such an op: a kernel over floats and the same one over doubles (with which
 * gradients are compared with differences). Nothing but f32 may reach it: `.floats = true` converts
 * integers and bools, a shape rule refuses them (se_shape_want). */
#define SE_KERNEL_OF(f32, f64)                                                                     \
    {                                                                                              \
        {                                                                                          \
            f64, f32                                                                               \
        }                                                                                          \
    }

#define SE_OP_EXTERN(name) extern const se_op se_op_##name
#define OP(b, name, attr, ...)                                                                     \
    se_op_apply(b, &se_op_##name, attr, (int)(sizeof((se_ref[]){__VA_ARGS__}) / sizeof(se_ref)),   \
                (se_ref[]){__VA_ARGS__})
#define OP1(b, name, x) OP(b, name, NULL, x)
#define OP2(b, name, x, y) OP(b, name, NULL, x, y)
#define OP3(b, name, x, y, z) OP(b, name, NULL, x, y, z)
#define ATTRS(...) ((const se_attr[]){__VA_ARGS__})

#ifdef __cplusplus
}
#endif

#endif
