-- Making tensors from Lua values and from C memory. Part of tensor.lua.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local C = core.C
local make = {}

local element = { f32 = 'float', i32 = 'int32_t', bool = 'uint8_t', bf16 = 'uint16_t' }
make.element = element
local array_of = {}
for name, ctype in pairs(element) do array_of[name] = core.typeof(ctype .. '[?]') end
local dims_array = core.typeof 'int64_t[?]'

function make.count(dims)
  local n = 1
  for _, d in ipairs(dims) do n = n * d end
  return n
end
local count = make.count

local function check_dtype(dtype)
  if not element[dtype] then
    fail.raise('tensor: %s', fail.unknown('dtype', dtype, { 'f32', 'bf16', 'i32', 'bool' }))
  end
end

-- parts: nil, or for so many devices, data of each behind that of the one before.
local function from_array(dtype, dims, data, parts)
  local rank = #dims
  fail.unless(rank <= C.SE_MAX_RANK, 'tensor: %d axes, the most is %d', rank, C.SE_MAX_RANK)
  local dim = dims_array(math.max(rank, 1))
  for i = 1, rank do
    fail.unless(type(dims[i]) == 'number' and dims[i] >= 0, 'tensor: size %d is %s', i,
      tostring(dims[i]))
    dim[i - 1] = dims[i]
  end
  if parts then
    core.retry(C.se_tensor_make_parts, core.dtypes[dtype], rank, dim, parts, data, core.out)
  else
    core.retry(C.se_tensor_make, core.dtypes[dtype], rank, dim, data, core.out)
  end
  local file, line = fail.place()
  C.se_tensor_place(core.out[0], file, line or 0)
  local t = core.own(core.out[0])
  core.watch_memory()
  return t
end

-- A tensor that copies count(dims) elements from C memory.
function make.from_memory(dtype, dims, data) return from_array(dtype, dims, data) end

-- The same; of n > 1 parts one for each device, that is a varying tensor.
function make.from_parts(dtype, dims, data, n)
  return from_array(dtype, dims, data, n > 1 and n or nil)
end

-- The sizes of nested lists, and a look that they are even.
local function measure(value, dims, depth)
  if type(value) ~= 'table' then return end
  fail.unless(depth <= C.SE_MAX_RANK, 'tensor: lists more than %d deep', C.SE_MAX_RANK)
  if dims[depth] == nil then
    dims[depth] = #value
  elseif dims[depth] ~= #value then
    fail.raise('tensor: lists of unequal length: %d came after %d', #value, dims[depth])
  end
  for _, v in ipairs(value) do measure(v, dims, depth + 1) end
end

local function flatten(value, data, at, convert)
  if type(value) ~= 'table' then
    data[at] = convert(value)
    return at + 1
  end
  for _, v in ipairs(value) do at = flatten(v, data, at, convert) end
  return at
end

local function first_leaf(value)
  for _ = 1, C.SE_MAX_RANK do
    if type(value) ~= 'table' then break end
    value = value[1]
  end
  return value
end

local function as_bool(v) return (v == true or (type(v) == 'number' and v ~= 0)) and 1 or 0 end

local function as_number(v)
  if type(v) == 'number' then return v end
  if type(v) == 'boolean' then return v and 1 or 0 end
  return fail.raise('tensor: numbers are wanted: %s came', fail.kind(v))
end

-- A tensor of numbers in nested lists: se.tensor {{1, 2}, {3, 4}}, se.tensor(1.5), se.tensor({1,
-- 2}, 'i32'). f32 unless a dtype is named, bool of booleans; of a tensor: as that dtype.
function make.make(value, dtype)
  if core.is_tensor(value) then return dtype and value:cast(dtype) or value end
  dtype = dtype or (type(first_leaf(value)) == 'boolean' and 'bool' or 'f32')
  check_dtype(dtype)
  if dtype == 'bf16' then return (make.make(value, 'f32'):cast 'bf16') end
  local dims = {}
  measure(value, dims, 1)
  local n = count(dims)
  local data = array_of[dtype](math.max(n, 1))
  local filled = flatten(value, data, 0, dtype == 'bool' and as_bool or as_number)
  fail.unless(filled == n, 'tensor: lists of unequal depth')
  return from_array(dtype, dims, data)
end

local function check_dims(what, dims)
  fail.unless(type(dims) == 'table', '%s: a list of sizes is wanted: %s came', what,
    fail.kind(dims))
  for i, d in ipairs(dims) do
    if type(d) ~= 'number' or d < 0 or d % 1 ~= 0 or d >= 2 ^ 63 then
      fail.raise('%s: size %d is %s: a whole number, 0 to 2^63 - 1, is wanted', what, i,
        type(d) == 'number' and tostring(d) or fail.kind(d))
    end
  end
  return dims
end

local function dims_of(what, ...)
  local first = ...
  return check_dims(what, type(first) == 'table' and first or { ... })
end

-- A tensor of f32 zeros: se.zeros(2, 3), or se.zeros {2, 3}; se.zeros() has no axes.
function make.zeros(...) return from_array('f32', dims_of('zeros', ...), nil) end

-- A tensor of one value: se.full({2, 3}, 0.5); f32 unless a dtype is named.
function make.full(dims, value, dtype)
  dtype = dtype or 'f32'
  check_dtype(dtype)
  check_dims('full', dims)
  value = dtype == 'bool' and as_bool(value) or as_number(value)
  if dtype == 'bf16' then return (make.full(dims, value):cast 'bf16') end
  local n = count(dims)
  if n >= 2 ^ 28 then -- Lua's arrays end there
    return (make.full({}, value, dtype):broadcast_to { dims = dims })
  end
  local data = array_of[dtype](math.max(n, 1))
  for i = 0, n - 1 do data[i] = value end
  return from_array(dtype, dims, data)
end

-- A tensor of f32 ones: se.ones(2, 3), or se.ones {2, 3}.
function make.ones(...) return make.full(dims_of('ones', ...), 1) end

return make
