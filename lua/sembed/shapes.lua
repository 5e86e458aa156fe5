-- Other shapes, made of ops: axes joined, pieces along an axis, elements repeated; tensors like
-- another one, and numbers at even distances.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'
local op = require 'sembed.op'

local f = op.functions
local shapes = {}

local MOST = 1000 -- results of one call
local floats = core.typeof 'float[?]'

local function want(what, x)
  if not core.is_tensor(x) then
    fail.raise('%s: a tensor is wanted: %s came', what, fail.kind(x))
  end
  return x
end

local function count_of(what, name, value)
  if type(value) ~= 'number' or value < 1 or value % 1 ~= 0 then
    fail.raise('%s: %s is %s: a whole number, 1 or more, is wanted', what, name,
      type(value) == 'number' and tostring(value) or fail.kind(value))
  end
  return value
end

-- An axis of x, counted from 1; -1 is the last.
local function axis_of(what, x, axis)
  local rank = want(what, x):rank()
  if type(axis) ~= 'number' or axis % 1 ~= 0 or axis == 0 or axis > rank or axis < -rank then
    fail.raise('%s: axis %s of a tensor with %d: 1 to %d or -1 to -%d is wanted', what,
      type(axis) == 'number' and tostring(axis) or fail.kind(axis), rank, rank, rank)
  end
  return axis < 0 and rank + axis + 1 or axis
end

-- x with the axes from `first` (1) to `last` (-1, the last one) made one.
function shapes.flatten(x, first, last)
  if want('flatten', x):rank() == 0 then return (x:reshape(1)) end
  first, last = axis_of('flatten', x, first or 1), axis_of('flatten', x, last or -1)
  if first > last then fail.raise('flatten: axis %d comes after axis %d', first, last) end
  local dims, joined = x:shape(), {}
  for i, d in ipairs(dims) do
    if i > first and i <= last then
      joined[first] = joined[first] * d
    else
      joined[#joined + 1] = d
    end
  end
  return (x:reshape { dims = joined })
end

-- x in n pieces along an axis (1), the last of what is left: as many as there are, at most n.
function shapes.chunk(x, n, axis)
  axis = axis_of('chunk', x, axis or 1)
  local size = math.ceil(x:size(axis) / count_of('chunk', 'n', n))
  return x:split(math.max(size, 1), axis)
end

-- The slices of x along an axis (1), without that axis: as many tensors as it is long.
function shapes.unbind(x, axis)
  axis = axis_of('unbind', x, axis or 1)
  local slices, n = {}, x:size(axis)
  fail.unless(n <= MOST, 'unbind: %d slices: %d at once are the most', n, MOST)
  for i = 1, n do
    slices[i] = f.squeeze(f.slice(x, axis, i - 1, i), axis)
  end
  return unpack(slices)
end

-- Each element n times, one after the other, along an axis; without one, x is made one axis first.
function shapes.repeat_interleave(x, n, axis)
  count_of('repeat_interleave', 'n', n)
  if axis == nil then x, axis = shapes.flatten(x), 1 end
  axis = axis_of('repeat_interleave', x, axis)
  local dims = x:shape()
  table.insert(dims, axis + 1, n)
  local wide = f.broadcast_to(f.unsqueeze(x, axis + 1), { dims = dims })
  dims[axis] = dims[axis] * table.remove(dims, axis + 1)
  return (wide:reshape { dims = dims })
end

-- A tensor of one value, with the shape and type of x.
function shapes.full_like(x, value)
  return (make.full(want('full_like', x):shape(), value, x:dtype()))
end

-- Zeros, or ones, with the shape and type of x.
function shapes.zeros_like(x) return (shapes.full_like(want('zeros_like', x), 0)) end
function shapes.ones_like(x) return (shapes.full_like(want('ones_like', x), 1)) end

local function check_number(name, value)
  if type(value) ~= 'number' or value ~= value or math.abs(value) == math.huge then
    fail.raise('arange: %s must be a number: %s came', name,
      type(value) == 'number' and tostring(value) or fail.kind(value))
  end
end

-- The numbers from `start` (0) up to `stop`, which is left out, at the distance `step` (1): i32 if
-- all three are whole, else f32: arange(5), arange(1, 5), arange(0, 1, 0.25).
function shapes.arange(start, stop, step)
  if stop == nil then start, stop = 0, start end
  step = step or 1
  check_number('start', start)
  check_number('stop', stop)
  check_number('step', step)
  local n, whole = math.max(math.ceil((stop - start) / step), 0), true
  for _, v in ipairs { start, stop, step } do
    whole = whole and v % 1 == 0 and math.abs(v) < 2 ^ 31
  end
  fail.unless(step ~= 0, 'arange: step is 0')
  fail.unless(n < 2 ^ 28, 'arange: %g numbers: at most 2^28 are possible', n)
  if whole then return (f.iota(n) * step + start) end
  local data = floats(math.max(n, 1))
  for i = 0, n - 1 do data[i] = start + i * step end
  return (make.from_memory('f32', { n }, data))
end

return shapes
