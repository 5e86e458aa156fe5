/* Every op of the table, tested from its `.sample`:
 *
 *   shape rule = shape produced; no crash on wrong counts, ranks, dtypes and attributes; expansion =
 *   kernel; every instruction set of the machine = portable; 1 thread = 4 threads bit for bit; a row
 *   alone = the row among others bit for bit (`rowwise` ops); `test_ops f64`: gradients = central
 *   differences in double, second derivatives too.
 *
 * A sample is one or more cases separated by ';'. A case is words separated by spaces:
 *
 *   x:f32[2x3]             a tensor named as in `args`: dtype f32 bf16 i32 bool; [] is a scalar, [0x3]
 *                          is empty. f32 and bf16 are drawn from -2 to 2, i32 from 0 up to 3, bool.
 *   x:f32[2x3]@0.5..3      drawn from 0.5 up to 3; whole numbers with 0.5 <= v < 3 for i32
 *   starts:i32[4]=0,2,2,5  these values, row-major (floats too)
 *   w:f32[3]!              as before, but no gradient is checked for this input
 *   n:i32                  a tensor named as an optional one that is left out is simply not mentioned;
 *                          a variadic one (xs) is repeated, once for each tensor
 *   axis=-1 keep=true low=-0.5 dtype=i32 axes={0,2}
 *                          an attribute (0-based axes); those not mentioned have their default
 *   ~1e-4                  tolerance of this case between levels and against the expansion, relative to
 *                          the largest value of the output (default 4e-6)
 *   -grad -rows -expand    leaves out that test for this case
 *
 * "x:f32[2x3] y:f32[3]; x:f32[300x100] y:f32[]" is a sample with two cases. One case should have more
 * than 40,000 elements, so that the work is split; gradients are then checked at random places.
 * Dims of inputs that are not split by rows should differ from the number of rows of the output. */
