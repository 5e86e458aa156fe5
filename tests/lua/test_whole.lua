-- Questions about whole tensors (allclose, array_equal), masks, and what is refused.
local se = require 'sembed'
local check = require 'check'

local function is(answer, wanted, what) check.equal(answer, wanted, what) end

local nan, inf = 0 / 0, math.huge
local x = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }

-- The bound is atol + rtol |y|: numpy's and PyTorch's, with their defaults.
is(se.allclose(x, x), true, 'itself')
is(se.allclose(x, x + 9e-6), true, 'within the bound of the smallest')
is(se.allclose(x, x + 1e-4), false, 'beyond the bound of all')
is(se.allclose(x, x + 4e-5), false, 'beyond the bound of the smallest')
is(x:allclose(x + 0.4, 0, 0.5), true, 'atol')
is(x:allclose(x + 0.6, 0, 0.5), false, 'beyond atol')
is(x:allclose(x * 1.09, { rtol = 0.1 }), true, 'rtol')
is(x:allclose(x * 1.12, { rtol = 0.1 }), false, 'beyond rtol, which counts from y')
is(se.allclose(100, 91, { rtol = 0.1 }), true, 'rtol of y')
is(se.allclose(91, 89, { rtol = 0, atol = 1 }), false, 'numbers')
is(x:allclose { 1, 2, 3 }, false, 'a list, broadcast')
is(x:rows(1, 1):allclose { 1, 2, 3 }, true, 'a list')
is(se.zeros(0, 3):allclose(1), true, 'nothing')
is(se.allclose({ inf, -inf }, { inf, -inf }), true, 'infinities')
is(se.allclose({ inf }, { -inf }), false, 'of another sign')
is(se.allclose({ 1 }, { inf }), false, 'a number and inf')
is(se.allclose({ inf }, { 1 }), false, 'inf and a number')
is(se.allclose({ nan }, { nan }), false, 'nan')
is(se.allclose({ nan, 1 }, { nan, 1 }, { equal_nan = true }), true, 'equal nan')
is(se.allclose({ nan, 1 }, { 1, 1 }, { equal_nan = true }), false, 'nan and a number')
local whole = se.tensor({ 16777217, 2147483647, -5 }, 'i32')
is(se.allclose(whole, whole - 1, 0, 0), false, 'whole numbers that f32 cannot tell apart')
is(se.allclose(whole, whole - 1, 0, 1), true, 'whole numbers, one apart')
is(se.allclose(se.tensor({ 2147483647 }, 'i32'), se.tensor({ -2147483648 }, 'i32'), 0.9), false,
  'whole numbers, too far apart for a whole number')
is(se.allclose(se.tensor { true, false }, se.tensor { 1, 0 }), true, 'bool and f32')
is(se.allclose(se.tensor { true }, se.tensor { false }), false, 'bool')
is(se.allclose(x:bf16(), x), true, 'bf16')

is(se.array_equal(x, x + 0), true, 'equal')
is(x:array_equal(x:i32()), true, 'equal as another dtype')
is(x:array_equal(x:rows(1, 1)), false, 'another shape, though it could be broadcast')
is(x:array_equal(x:reshape(3, 2)), false, 'another shape')
is(se.array_equal(x, 1), false, 'another rank')
is(se.array_equal({ 1, nan }, { 1, nan }), false, 'nan')
is(se.array_equal(whole, whole - 1), false, 'whole numbers')
is(se.array_equal({ 0 }, { -0 }), true, 'zeros')
is(se.array_equal(se.zeros(0, 3), se.zeros(0, 3)), true, 'nothing')

check.fails(function() x:allclose() end, 'test_whole.lua', 'is_close', 'y', 'nil came')
check.fails(function() x:allclose { rtol = 1 } end, 'is_close', 'y', 'table came')
check.fails(function() x:allclose(x, { rotl = 1 }) end, 'is_close', 'rotl', 'rtol')
check.fails(function() x:allclose(x, 'a') end, 'is_close', 'rtol must be a number', 'string came')
check.fails(function() x:allclose(se.ones(4)) end, 'shapes do not fit', 'f32[2,3]', 'f32[4]')
check.fails(function() x:array_equal(print) end, 'array_equal', 'y', 'function came')
check.fails(function() se.meshgrid(x) end, 'meshgrid', 'vector 1', 'one axis', 'f32[2,3]')
check.fails(function() se.meshgrid() end, 'meshgrid: 0 vectors')
check.fails(function() se.meshgrid(x[1], { indexing = 'yx' }) end, "'ij' or 'xy'", 'yx')
check.fails(function() se.meshgrid(x[1], { indexin = 'xy' }) end, 'indexin', 'indexing')

-- Masks: data/ops/cases.json has their values; here is what a gradient and a chain make of them.
local w = se.tensor { { 1, -2 }, { -3, 4 } }
check.same(se.grad((w[se.greater(w, 0)] * 3):sum(), w), se.tensor { { 3, 0 }, { 0, 3 } },
  'gradient')
check.same(w[se.tensor { false, true }], w:rows(2, 2), 'a mask of rows')
check.equal(#w[se.less(w, -9)], 0, 'none chosen')
check.same(w:nonzero(), se.tensor({ { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } }, 'i32'), 'nonzero')

check.fails(function() return x[se.tensor { true, false, true }] end, 'test_whole.lua',
  'masked_select', 'f32[2,3] and bool[3] came')
check.fails(function() x:masked_select(x) end, 'a bool mask', 'f32[2,3] and f32[2,3] came')
check.fails(function() x:masked_select(print) end, 'masked_select', 'mask', 'function came')
check.fails(function() x:masked_select(true) end, 'f32[2,3] and bool[] came')
check.fails(function() se.nonzero 'a' end, 'nonzero', 'x', 'string came')

check.done()
