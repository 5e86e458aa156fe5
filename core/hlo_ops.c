/* Operations with attributes or regions: folds, matrix products, rows by number, sorting. */
#include "hlo.h"

/* --- over axes --- */

se_hval se_hlo_reduce(se_hlo *h, const char *name, se_hval x, uint32_t axes, se_hval start)
{
    int64_t gone[SE_H_RANK], dim[SE_H_RANK];
    int n = 0, rank = 0;
    for (int i = 0; i < x.rank; i++)
        if (axes >> i & 1)
            gone[n++] = i;
        else
            dim[rank++] = x.dim[i];
    if (n == 0)
        return x;
    se_hval v = se_hlo_value(h, x.dtype, rank, dim);
    se_hlo_write(h, "    %v = stablehlo.reduce(%v init: %v) applies stablehlo.%s", &v, &x, &start,
                 name);
    se_hlo_write(h, " across dimensions = [%l] : (%t, %t) -> %t\n", n, gone, &x, &start, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_sum(se_hlo *h, se_hval x, uint32_t axes)
{
    return se_hlo_reduce(h, "add", x, axes, se_hlo_number(h, x.dtype, 0));
}

se_hval se_hlo_dot(se_hlo *h, se_hval x, se_hval y, int batch, int64_t axis_x, int64_t axis_y,
                   bool bf16)
{
    int64_t dim[SE_H_RANK], lead[SE_H_RANK];
    int rank = 0;
    const char *precision = "HIGHEST";
    for (int i = 0; i < batch; i++) {
        lead[i] = i;
        dim[rank++] = x.dim[i];
    }
    for (int i = batch; i < x.rank; i++)
        if (i != axis_x)
            dim[rank++] = x.dim[i];
    for (int i = batch; i < y.rank; i++)
        if (i != axis_y)
            dim[rank++] = y.dim[i];
    if (bf16 || se_hlo_options_of(h)->bf16) {
        x = se_hlo_convert(h, x, SE_BF16);
        y = se_hlo_convert(h, y, SE_BF16);
        precision = "DEFAULT";
    }
    se_hval v = se_hlo_value(h, SE_F32, rank, dim);
    se_hlo_write(h, "    %v = \"stablehlo.dot_general\"(%v, %v) {dot_dimension_numbers = ", &v, &x,
                 &y);
    se_hlo_write(h, "#stablehlo.dot<lhs_batching_dimensions = [%l], rhs_batching_dimensions = [%l]",
                 batch, lead, batch, lead);
    se_hlo_write(h, ", lhs_contracting_dimensions = [%i], rhs_contracting_dimensions = [%i]>",
                 axis_x, axis_y);
    se_hlo_write(h,
                 ", precision_config = [#stablehlo<precision %s>, #stablehlo<precision %s>]} : "
                 "(%t, %t) -> %t\n",
                 precision, precision, &x, &y, &v);
    return se_hlo_done(h, v);
}

/* --- rows by number --- */

se_hval se_hlo_take(se_hlo *h, se_hval x, se_hval ids)
{
    int64_t dim[SE_H_RANK], window[SE_H_RANK], size[SE_H_RANK];
    int rank = 0, rest = x.rank - 1;
    for (int i = 0; i < ids.rank; i++)
        dim[rank++] = ids.dim[i];
    size[0] = 1;
    for (int i = 1; i < x.rank; i++) {
        window[i - 1] = rank;
        size[i] = dim[rank++] = x.dim[i];
    }
    if (x.dim[0] == 0) /* then there are no ids */
        return se_hlo_fill(h, x.dtype, 0, rank, dim);
    se_hval v = se_hlo_value(h, x.dtype, rank, dim);
    se_hlo_write(h, "    %v = \"stablehlo.gather\"(%v, %v) {dimension_numbers = #stablehlo.gather<",
                 &v, &x, &ids);
    se_hlo_write(h,
                 "offset_dims = [%l], collapsed_slice_dims = [0], start_index_map = [0], "
                 "index_vector_dim = %i>, slice_sizes = array<i64: %l>, indices_are_sorted = "
                 "false} : (%t, %t) -> %t\n",
                 rest, window, (int64_t)ids.rank, (int)x.rank, size, &x, &ids, &v);
    return se_hlo_done(h, v);
}

void se_hlo_write_region(se_hlo *h, const char *name, int dtype)
{
    se_hval one = {.dtype = (uint8_t)dtype};
    se_hlo_write(h, "({\n      ^bb0(%%a: %t, %%b: %t):\n", &one, &one);
    se_hlo_write(h, "        %%r = stablehlo.%s %%a, %%b : %t\n", name, &one);
    se_hlo_write(h, "        \"stablehlo.return\"(%%r) : (%t) -> ()\n    })", &one);
}

se_hval se_hlo_scatter(se_hlo *h, const char *name, se_hval x, se_hval ids, int64_t rows,
                       se_hval start)
{
    int64_t dim[SE_H_RANK], window[SE_H_RANK];
    int rank = 0, rest = x.rank - ids.rank;
    dim[rank++] = rows;
    for (int i = 0; i < rest; i++) {
        window[i] = ids.rank + i;
        dim[rank++] = x.dim[ids.rank + i];
    }
    start = se_hlo_stretch(h, start, rank, dim);
    se_hval v = se_hlo_value(h, x.dtype, rank, dim);
    se_hlo_write(h, "    %v = \"stablehlo.scatter\"(%v, %v, %v) ", &v, &start, &ids, &x);
    se_hlo_write_region(h, name, x.dtype);
    se_hlo_write(h,
                 " {scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [%l], "
                 "inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], "
                 "index_vector_dim = %i>, indices_are_sorted = false, unique_indices = false} : "
                 "(%t, %t, %t) -> %t\n",
                 rest, window, (int64_t)ids.rank, &start, &ids, &x, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_against(se_hlo *h, const char *way, se_hval ids, int64_t n)
{
    int64_t dim[SE_H_RANK], at[SE_H_RANK];
    for (int i = 0; i < ids.rank; i++) {
        dim[i] = ids.dim[i];
        at[i] = i;
    }
    dim[ids.rank] = n;
    se_hval each = se_hlo_spread(h, ids, ids.rank + 1, dim, at);
    return se_hlo_compare(h, way, each, se_hlo_iota(h, SE_I32, ids.rank + 1, dim, ids.rank));
}

/* How many texts end at or before the row. */
se_hval se_hlo_text_of_row(se_hlo *h, se_hval starts, int64_t rows)
{
    se_hval ends = se_hlo_slice(h, starts, 0, 1, starts.dim[0], 1);
    return se_hlo_sum(h, se_hlo_convert(h, se_hlo_against(h, "LE", ends, rows), SE_I32), 1);
}

/* [dims.., n] of n index tensors. */
static se_hval index_vectors(se_hlo *h, int n, const se_hval *ids)
{
    int64_t dim[SE_H_RANK];
    se_hval part[SE_H_RANK];
    for (int i = 0; i < ids[0].rank; i++)
        dim[i] = ids[0].dim[i];
    dim[ids[0].rank] = 1;
    for (int i = 0; i < n; i++)
        part[i] = se_hlo_reshape(h, ids[i], ids[0].rank + 1, dim);
    return n == 1 ? part[0] : se_hlo_concat(h, n, part, ids[0].rank);
}

static bool empty(const se_hval *x)
{
    bool none = false;
    for (int i = 0; i < x->rank; i++)
        none |= x->dim[i] == 0;
    return none;
}

se_hval se_hlo_pick(se_hlo *h, se_hval x, const se_hval *ids)
{
    int64_t axes[SE_H_RANK], ones[SE_H_RANK];
    for (int i = 0; i < x.rank; i++) {
        axes[i] = i;
        ones[i] = 1;
    }
    if (empty(&x))
        return se_hlo_fill(h, x.dtype, 0, ids[0].rank, ids[0].dim);
    se_hval at = index_vectors(h, x.rank, ids), v = se_hlo_value_like(h, x.dtype, ids[0]);
    se_hlo_write(h,
                 "    %v = \"stablehlo.gather\"(%v, %v) {dimension_numbers = #stablehlo.gather<"
                 "collapsed_slice_dims = [%l], start_index_map = [%l], index_vector_dim = %i>, "
                 "slice_sizes = array<i64: %l>, indices_are_sorted = false} : (%t, %t) -> %t\n",
                 &v, &x, &at, (int)x.rank, axes, (int)x.rank, axes, (int64_t)ids[0].rank,
                 (int)x.rank, ones, &x, &at, &v);
    return se_hlo_done(h, v);
}

se_hval se_hlo_add_at(se_hlo *h, se_hval y, const se_hval *ids, int rank, const int64_t *dim)
{
    int64_t axes[SE_H_RANK];
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    se_hval at = index_vectors(h, rank, ids), zero = se_hlo_fill(h, y.dtype, 0, rank, dim);
    se_hval v = se_hlo_value(h, y.dtype, rank, dim);
    se_hlo_write(h, "    %v = \"stablehlo.scatter\"(%v, %v, %v) ", &v, &zero, &at, &y);
    se_hlo_write_region(h, "add", y.dtype);
    se_hlo_write(h,
                 " {scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [%l], "
                 "scatter_dims_to_operand_dims = [%l], index_vector_dim = %i>, indices_are_sorted "
                 "= false, unique_indices = false} : (%t, %t, %t) -> %t\n",
                 rank, axes, rank, axes, (int64_t)ids[0].rank, &zero, &at, &y, &v);
    return se_hlo_done(h, v);
}

/* --- order --- */

/* The bits of a float >= 0 rise with it; those of one below 0 fall, and are turned round. */
se_hval se_hlo_key(se_hlo *h, se_hval x)
{
    if (x.dtype != SE_F32)
        return se_hlo_convert(h, x, SE_I32);
    se_hval zero = se_hlo_compare_with(h, "EQ", x, 0);
    x = se_hlo_select(h, zero, se_hlo_like(h, x, 0), x);
    se_hval bits = se_hlo_bits(h, x, SE_I32), below = se_hlo_compare_with(h, "LT", bits, 0);
    se_hval turned = se_hlo_with(h, "xor", bits, INT32_MAX);
    se_hval key = se_hlo_select(h, below, turned, bits);
    se_hval number = se_hlo_compare(h, "EQ", x, x);
    return se_hlo_select(h, number, key, se_hlo_like(h, key, INT32_MAX));
}

se_hval se_hlo_unkey(se_hlo *h, se_hval key)
{
    se_hval below = se_hlo_compare_with(h, "LT", key, 0);
    se_hval turned = se_hlo_with(h, "xor", key, INT32_MAX);
    return se_hlo_bits(h, se_hlo_select(h, below, turned, key), SE_F32);
}

static void write_comparator(se_hlo *h, int n, const se_hval *x, bool down, bool second)
{
    const char *way = down ? "GT" : "LT", *bool_2 = "(tensor<i32>, tensor<i32>) -> tensor<i1>\n";
    se_hlo_write(h, "({\n      ^bb0(");
    for (int i = 0; i < n; i++) {
        se_hval one = {.dtype = x[i].dtype};
        se_hlo_write(h, "%s%%a%i: %t, %%b%i: %t", i ? ", " : "", (int64_t)i, &one, (int64_t)i,
                     &one);
    }
    se_hlo_write(h, "):\n        %%r = stablehlo.compare %s, %%a0, %%b0, SIGNED : %s", way, bool_2);
    if (second)
        se_hlo_write(h,
                     "        %%e = stablehlo.compare EQ, %%a0, %%b0, SIGNED : %s"
                     "        %%f = stablehlo.compare LT, %%a1, %%b1, SIGNED : %s"
                     "        %%g = stablehlo.and %%e, %%f : tensor<i1>\n"
                     "        %%s = stablehlo.or %%r, %%g : tensor<i1>\n",
                     bool_2, bool_2);
    se_hlo_write(h, "        \"stablehlo.return\"(%%%s) : (tensor<i1>) -> ()\n    })",
                 second ? "s" : "r");
}

void se_hlo_sort(se_hlo *h, int n, const se_hval *x, int axis, bool down, bool second, se_hval *y)
{
    for (int i = 0; i < n; i++)
        y[i] = se_hlo_value_like(h, x[i].dtype, x[i]);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v" : "    %v", &y[i]);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %v" : " = \"stablehlo.sort\"(%v", &x[i]);
    se_hlo_write(h, ") ");
    write_comparator(h, n, x, down, second);
    se_hlo_write(h, " {dimension = %i : i64, is_stable = true} : ", (int64_t)axis);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %t" : "(%t", &x[i]);
    for (int i = 0; i < n; i++)
        se_hlo_write(h, i ? ", %t" : ") -> (%t", &x[i]);
    se_hlo_write(h, ")\n");
}
