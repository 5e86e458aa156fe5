/* The public header, in two parts.
 *
 * First, model folders for other programs: open a folder, turn texts into vectors, close it. These
 * calls may be made from any number of threads at once, on one model or several; they are carried
 * out one after another, each by as many threads as se_threads_set says (base.h: memory, threads,
 * and se_interrupt_set, which makes calls fail until se_interrupt_clear).
 *
 *     cc program.c $(pkg-config --cflags --libs sembed)
 *
 * Second, the engine: tensors as handles on a lazy graph. A call makes graph nodes and checks
 * shapes at once; data is computed by se_eval. All of this part belongs to one thread at a time,
 * and to none while a call of the first part runs. What stands between the marker lines is also
 * LuaJIT's cdef. */
#ifndef SEMBED_H
#define SEMBED_H

#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- model folders: any thread --- */

/* An opened folder. A call that fails returns another status than SE_OK, and se_message() says why
 * to the thread that made it; the model stays usable. */
typedef struct se_model se_model;

/* Opens a sentence-transformers folder. Free with se_model_close. */
SE_API se_status se_model_open(const char *folder, se_model **out);

/* No other thread may be in a call on the model, or make one later. NULL is allowed. */
SE_API void se_model_close(se_model *model);

/* Numbers in a vector; most tokens of a text, what is beyond them is cut. 0 for NULL. */
SE_API int64_t se_model_dims(const se_model *model);
SE_API int64_t se_model_tokens(const se_model *model);

/* sembed-cdef-begin */
/* How to encode. Zero in a field is what the folder says, so {.size = sizeof options} changes
 * nothing. */
typedef struct se_encode_options {
    size_t size;             /* sizeof(se_encode_options): later versions may have more fields */
    const char *prompt;      /* put before each text */
    const char *prompt_name; /* the same, by a name that the folder has a prompt for */
    int64_t dims;            /* only the first so many numbers of each vector */
    int64_t tokens;          /* cut texts to so many tokens */
    int64_t batch;           /* texts computed at once: memory and speed, never the vectors */
    int32_t normalize;       /* 1: to unit length; -1: not */
    int32_t precision;       /* SE_PRECISION_BF16, ..: of the linear layers; 0: f32 */
} se_encode_options;
/* sembed-cdef-end */

/* Encodes n texts in UTF-8 to `out`: n vectors of se_model_dims numbers (options->dims where that
 * is set), one after another. bytes[i] is the size of texts[i], which may hold zero bytes; bytes
 * NULL: each text ends at its first zero byte. options may be NULL. *cut, where cut is not NULL, is
 * the number of texts that were cut. A text's vector has the same bits whatever stands beside it
 * and whichever thread asks. */
SE_API se_status se_model_encode(se_model *model, int64_t n, const char *const *texts,
                                 const size_t *bytes, const se_encode_options *options, float *out,
                                 int64_t *cut);

/* --- the engine: one thread at a time --- */

/* sembed-cdef-begin */
/* A handle on one output of one graph node. Every function that gives one gives a reference that
 * se_tensor_free returns. */
typedef struct se_tensor se_tensor;

SE_API const char *se_version(void);

/* --- the op table --- */
typedef struct se_op_info {
    const se_op *op;
    const char *name, *doc, *args, *outs; /* see op.h; outs is NULL for one output */
    int32_t n_out;
    bool internal, composite;
    const char *sample;           /* NULL where there is none */
    bool differentiable, rowwise; /* its gradient is asked for; row i comes from row i */
    bool doubles;                 /* it says how doubles are computed, as checks of gradients do */
} se_op_info;
SE_API int32_t se_op_list(void);                        /* how many */
SE_API void se_op_describe(int32_t i, se_op_info *out); /* 0 <= i < se_op_list() */

/* --- ops from shared objects --- */

/* A shared object built against op.h that exports ops (SE_OP_EXPORT). Opening it looks at the
 * version and at every op: its fields, that its name is free; the table stays as it is. `take` puts
 * the ops at the end of the table (they are numbers se_op_list() - n to se_op_list() - 1) and frees
 * the handle; the file stays open for as long as the process lives. `close` gives back what was not
 * taken; NULL is allowed. */
typedef struct se_op_file se_op_file;
SE_API se_status se_op_file_open(const char *path, se_op_file **out);
SE_API int32_t se_op_file_list(const se_op_file *f); /* how many ops */
SE_API void se_op_file_describe(const se_op_file *f, int32_t i, se_op_info *out);
SE_API se_status se_op_file_take(se_op_file *f);
SE_API void se_op_file_close(se_op_file *f);

/* Applies an op: in[i] may be NULL where an optional tensor is left out; attr holds all attributes
 * in order. file and line are the recipe's place (file is copied once and shared). Fills op.n_out
 * handles in out. */
SE_API se_status se_call(const se_op *op, int32_t n_in, se_tensor *const *in, const se_attr *attr,
                         const char *file, int32_t line, se_tensor **out);

/* --- where graphs run --- */

/* "cpu", or "xla:N": N devices of a PJRT plugin, which the environment's SEMBED_PJRT_PLUGIN names
 * or which lies where pip puts it. Stays until the process ends. `bf16` rounds the inputs of matrix
 * products to bf16 there. */
SE_API se_status se_device_use(const char *name, bool bf16);

typedef struct se_device_facts {
    int32_t shards;           /* devices; 0: graphs run on the CPU */
    int64_t programs;         /* made so far */
    int64_t compiled;         /* those of them that had to be compiled: no file had them */
    double make_seconds;      /* for all of them */
    const char *about, *kind; /* the plugin; "cpu", "cuda", "tpu"; NULL where shards is 0 */
} se_device_facts;
SE_API void se_device_read(se_device_facts *out);

/* --- making and reading --- */

/* A leaf holding a copy of `data` (row-major; f32 as float, i32 as int32_t, bool as bytes 0/1, bf16
 * as uint16_t), or zeros where data is NULL. */
SE_API se_status se_tensor_make(int32_t dtype, int32_t rank, const int64_t *dim, const void *data,
                                se_tensor **out);

/* A plain number: f32[] that is an input of the program and adapts to the dtype it meets. */
SE_API se_status se_tensor_number(double value, se_tensor **out);

/* Says at which place of a recipe a leaf was made, for messages. */
SE_API void se_tensor_place(se_tensor *t, const char *file, int32_t line);

/* Marks a leaf as varying: this shard's part of `rows` rows over all shards. */
SE_API se_status se_tensor_vary(se_tensor *t, int64_t rows);

/* A varying leaf of so many parts, one for each device: `dim` is the shape of a part, `data` holds
 * one after another. */
SE_API se_status se_tensor_make_parts(int32_t dtype, int32_t rank, const int64_t *dim,
                                      int32_t parts, const void *data, se_tensor **out);

/* Another handle on the same value; the type; whether the handle was released (its scope closed).
 */
SE_API se_status se_tensor_share(se_tensor *t, se_tensor **out);
SE_API se_status se_tensor_type(const se_tensor *t, se_type *out);
SE_API bool se_tensor_released(const se_tensor *t);
SE_API void se_tensor_free(se_tensor *t);

/* Computes the tensors and all pending assigns in one plan; after SE_OK each t[i] has data. On any
 * other status no assign took place: after SE_ERR_MEMORY they are still pending, so that the caller
 * can free memory and try again (or se_pending_drop); after the others they are dropped, and the
 * assigned handles mean their old values again. */
SE_API se_status se_eval(int32_t n, se_tensor *const *t);

/* The data of t, computed first when it is not there yet; valid while the handle lives and is not
 * assigned. A varying value is refused unless `varying` is true (tests, saving). */
SE_API se_status se_tensor_data(se_tensor *t, bool varying, const void **data);

/* What the elements of t are like, computed first as by se_tensor_data and looked at by all
 * threads, whose number changes no bit: how many there are, how many are NaN or infinite, and mean
 * and spread (the root of the mean square distance from the mean) of the finite ones, 0 where there
 * are none. */
typedef struct se_summary {
    int64_t n, nan, inf;
    double mean, spread;
} se_summary;
SE_API se_status se_tensor_summary(se_tensor *t, bool varying, se_summary *out);

/* True when t has data already. A value that was computed stays while a handle means it or a node
 * that has not run yet reads it; whatever needs it later (a gradient) computes it anew. */
SE_API bool se_tensor_ready(const se_tensor *t);

/* --- gradients and assignment --- */

/* out[i] = d sum(loss) / d params[i], as graph nodes; NULL where no path leads from params[i] to
 * loss. */
SE_API se_status se_grad(se_tensor *loss, int32_t n, se_tensor *const *params, se_tensor **out);

/* From now on `target` means `value` (same type); the old value stays what graphs built before use.
 * Carried out by the next se_eval, after everything else; several assigns of one target before that
 * keep the last. */
SE_API se_status se_assign(se_tensor *target, se_tensor *value, const char *file, int32_t line);

/* The next se_eval computes t and fails with SE_ERR_NONFINITE, all assigns dropped, when an element
 * is not finite; the message names the first op, with its recipe line, that made such a value. */
SE_API se_status se_guard(se_tensor *t);

/* Forgets pending assigns and guards; assigned handles mean their old values again. */
SE_API void se_pending_drop(void);

/* --- scopes --- */

/* Handles made from here on belong to the scope; closing it releases those that were not kept.
 * `label` ("step 12") names the scope in the message for a handle that is used afterwards. Scopes
 * nest; close takes the depth that open gave and closes deeper ones too. Leave does as much, but
 * releases nothing: the handles go over to the enclosing scope. */
SE_API int32_t se_scope_open(const char *label);
SE_API void se_scope_close(int32_t depth);
SE_API void se_scope_leave(int32_t depth);

/* Moves the handle to the enclosing scope and makes its value a leaf once it is computed, so that
 * it holds no old graph. The next eval that carries assigns computes it, too. */
SE_API se_status se_keep(se_tensor *t);

/* --- looking --- */

/* One line: "f32[8,768] matmul recipe.lua:12 (not computed)". The graph behind t as text or as dot.
 * Freed by se_text_free. */
SE_API char *se_tensor_describe(const se_tensor *t);
SE_API char *se_graph_text(const se_tensor *t, bool dot);
SE_API void se_text_free(char *text);

typedef struct se_stats {
    int64_t nodes_alive, handles_alive;
    int64_t arena_bytes;                  /* of the executor's arena, part of se_memory_live */
    int64_t plan_nodes, plan_arena_bytes; /* of the last plan */
    double plan_seconds, run_seconds;     /* of the last se_eval */
} se_stats;
SE_API void se_stats_read(se_stats *out);

/* Per-op times: from se_profile_start on, every node that runs is timed. The table (one line for
 * each op and recipe line, the slowest first) is freed by se_text_free. */
SE_API void se_profile_start(void);
SE_API char *se_profile_table(void);

/* Gives the arena's memory back (it grows to the largest plan otherwise). */
SE_API void se_arena_trim(void);

/* "portable", "avx2", "avx512": the instruction set in use; forcing one fails when the machine
 * lacks it. */
SE_API const char *se_isa_used(void);
SE_API se_status se_isa_use(const char *name);

/* SE_OK where products of that precision have kernels on this machine with the instruction set in
 * use; else the message says what is lacking. */
SE_API se_status se_precision_check(int32_t precision);

/* GFLOP/s of matrix products of m x n x k with all threads, the best of `seconds` seconds: what
 * training and encoding are held against. */
SE_API double se_gemm_rate(int32_t precision, int64_t m, int64_t n, int64_t k, double seconds);
/* sembed-cdef-end */

#ifdef __cplusplus
}
#endif

#endif
