-- What is asked of the numbers in a tensor and so computes it at once: are two alike, where is one
-- not zero; what a mask chooses; and grids of coordinates.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'
local op = require 'sembed.op'

local f = op.functions
local arrays = {}

local function tensor_of(what, name, value)
  if core.is_tensor(value) then return value end
  local is_list = type(value) == 'table' and type((next(value))) ~= 'string'
  if not is_list and type(value) ~= 'number' and type(value) ~= 'boolean' then
    fail.raise('%s: %s must be a tensor, a number or a list: %s came', what, name,
      fail.kind(value))
  end
  return (make.make(value))
end

local function type_of(x) return x:describe():match '^%S+' end -- f32[2,3]

local function is_whole(x)
  local dtype = x:dtype()
  return dtype == 'i32' or dtype == 'bool'
end

-- |a - b|, as f32: of whole numbers computed as such, so that none is rounded before.
local function distance(a, b)
  if not (is_whole(a) and is_whole(b)) then return f.abs(f.sub(a:f32(), b:f32())) end
  local d = f.sub(f.maximum(a:i32(), b:i32()), f.minimum(a:i32(), b:i32()))
  return f.where(f.less(d, 0), 2 ^ 32, d) -- too large for an i32
end

local known = { rtol = 'number', atol = 'number', equal_nan = 'boolean' }

local function tolerances(rtol, atol)
  local o = type(rtol) == 'table' and rtol or { rtol = rtol, atol = atol }
  for name, value in pairs(o) do
    if not known[name] then
      fail.raise('is_close: %s', fail.unknown('argument', name, { 'rtol', 'atol', 'equal_nan' }))
    elseif type(value) ~= known[name] then
      fail.raise('is_close: %s must be a %s: %s came', name, known[name], fail.kind(value))
    end
  end
  return o.rtol or 1e-5, o.atol or 1e-8, o.equal_nan
end

-- true where |x - y| <= atol + rtol |y|, after broadcasting; rtol is 1e-5, atol 1e-8. Infinities
-- must be equal; nan equals nothing, unless equal_nan = true: x:is_close(y, 1e-3), x:is_close(y, {
-- equal_nan = true }).
function arrays.is_close(x, y, rtol, atol)
  local nan_too
  x, y = tensor_of('is_close', 'x', x), tensor_of('is_close', 'y', y)
  rtol, atol, nan_too = tolerances(rtol, atol)
  local near = f.less_equal(distance(x, y), f.add(f.mul(f.abs(y:f32()), rtol), atol))
  local close = f.logical_or(f.equal(x, y), f.logical_and(near, f.is_finite(y)))
  if nan_too then close = f.logical_or(close, f.logical_and(f.is_nan(x), f.is_nan(y))) end
  return (close)
end

-- Is x near y everywhere? The answer is true or false; what near is: ? se.is_close.
-- x:allclose(y, 1e-3), x:allclose(y, { equal_nan = true }).
function arrays.allclose(x, y, rtol, atol)
  return (f.all(arrays.is_close(x, y, rtol, atol)):item())
end

-- Have x and y the same shape and equal elements? nan equals nothing.
function arrays.array_equal(x, y)
  x, y = tensor_of('array_equal', 'x', x), tensor_of('array_equal', 'y', y)
  local a, b = x:shape(), y:shape()
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return (f.all(f.equal(x, y)):item())
end

-- The places, in row-major order, of what is not zero, as a Lua list of numbers from 0.
local function places(x)
  local flags, list, n = x:bool(), {}, 0
  local data, dims = require('sembed.tensor').read(flags)
  for i = 0, make.count(dims) - 1 do
    if data[i] ~= 0 then
      n = n + 1
      list[n] = i
    end
  end
  core.hold(flags)
  return list
end

-- Where x is not zero: i32[count, axes], a row for each such element, from 0, in row-major order.
function arrays.nonzero(x)
  x = tensor_of('nonzero', 'x', x)
  local dims, rows = x:shape(), places(x)
  for k, place in ipairs(rows) do
    local row = {}
    for i = #dims, 1, -1 do
      row[i], place = place % dims[i], math.floor(place / dims[i])
    end
    rows[k] = row
  end
  if not rows[1] or not dims[1] then return (make.zeros(#rows, #dims):i32()) end
  return (make.make(rows, 'i32'))
end

-- What a bool mask chooses: x[mask]. The mask has the sizes of x, or of its first axes; the result
-- has one axis for them, and those that are left. Gradients flow to what was chosen.
function arrays.masked_select(x, mask)
  x, mask = tensor_of('masked_select', 'x', x), tensor_of('masked_select', 'mask', mask)
  local dims, own, rest, count = x:shape(), mask:shape(), {}, 1
  local fits = mask:dtype() == 'bool' and #own > 0 and #own <= #dims
  for i, d in ipairs(own) do
    fits, count = fits and d == dims[i], count * d
  end
  if not fits then
    fail.raise('masked_select: a bool mask with the sizes of x, or of its first axes, is wanted: '
      .. '%s and %s came', type_of(x), type_of(mask))
  end
  rest[1] = count
  for i = #own + 1, #dims do rest[#rest + 1] = dims[i] end
  return (f.take(x:reshape { dims = rest }, make.make(places(mask), 'i32')))
end

-- Of n vectors n grids of n axes: entry [i, j, ..] of the k-th holds the k-th vector's element for
-- that place. { indexing = 'xy' } at the end exchanges the first two axes, as numpy does.
function arrays.meshgrid(...)
  local vectors, n, options = { ... }, select('#', ...), {}
  if n > 0 and type(vectors[n]) == 'table' then options, n = vectors[n], n - 1 end
  local indexing = options.indexing or 'ij'
  for name in pairs(options) do
    if name ~= 'indexing' then
      fail.raise('meshgrid: %s', fail.unknown('argument', name, { 'indexing' }))
    end
  end
  if indexing ~= 'ij' and indexing ~= 'xy' then
    fail.raise("meshgrid: indexing is 'ij' or 'xy': %s came", tostring(indexing))
  end
  fail.unless(n > 0 and n <= core.C.SE_MAX_RANK, 'meshgrid: %d vectors: 1 to %d are wanted', n,
    core.C.SE_MAX_RANK)
  local place, dims = {}, {}
  for k = 1, n do
    local x = vectors[k]
    if not core.is_tensor(x) or x:rank() ~= 1 then
      fail.raise('meshgrid: vector %d: a tensor of one axis is wanted: %s came', k,
        core.is_tensor(x) and type_of(x) or fail.kind(x))
    end
    place[k] = indexing == 'xy' and n > 1 and k <= 2 and 3 - k or k
    dims[place[k]] = x:size(1)
  end
  local grids = {}
  for k = 1, n do
    local own = {}
    for i = 1, n do own[i] = i == place[k] and dims[i] or 1 end
    grids[k] = vectors[k]:reshape { dims = own }:broadcast_to { dims = dims }
  end
  return unpack(grids, 1, n)
end

return arrays
