-- Tensors as Lua values: reading them, operators and methods; making them is in make.lua, the graph
-- in graph.lua. Methods with the names of ops come from the op table (op.lua).

local arrays = require 'sembed.arrays'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local graph = require 'sembed.graph'
local make = require 'sembed.make'
local op = require 'sembed.op'
local shapes = require 'sembed.shapes'
local slices = require 'sembed.slices'

local C = core.C
local tensor = { is = core.is_tensor }

for _, part in ipairs { make, graph, arrays, shapes, slices } do
  for name, f in pairs(part) do tensor[name] = f end
end
local count = make.count

local pointer_to = {}
for name, ctype in pairs(make.element) do
  pointer_to[name] = core.typeof('const ' .. ctype .. ' *')
end

-- --- types ---

local type_box = core.new 'se_type'

local function type_of(t)
  core.check(C.se_tensor_type(t.c, type_box))
  return type_box
end

local methods = {}

-- The sizes as a list: {8, 768}.
function methods.shape(t)
  local ty, dims = type_of(t), {}
  for i = 1, ty.rank do dims[i] = tonumber(ty.dim[i - 1]) end
  return dims
end

-- The element type: 'f32', 'bf16', 'i32' or 'bool'.
function methods.dtype(t) return core.dtype_names[type_of(t).dtype] end

-- How many axes there are.
function methods.rank(t) return type_of(t).rank end

-- true where each shard has a part of its own.
function methods.is_varying(t) return type_of(t).varying end

-- The size of an axis, counted from 1; -1 is the last. #x is x:size(1).
function methods.size(t, axis)
  fail.unless(type(axis) == 'number', 'size: a whole number is wanted: %s came', fail.kind(axis))
  local dims = methods.shape(t)
  if axis < 0 then axis = #dims + axis + 1 end
  return fail.unless(dims[axis], 'size: no axis %s: the tensor has %d', tostring(axis), #dims)
end

-- Rows over all shards: what a loss over a batch divides by.
function methods.global_rows(t)
  local ty = type_of(t)
  if ty.rank == 0 then return 1 end
  return tonumber(ty.varying and ty.rows > 0 and ty.rows or ty.dim[0])
end

-- --- reading ---

local data_box = core.new 'const void *[1]'

-- Pointer to the elements, dims and dtype; the pointer lives as long as t (core.hold).
local function read(t, varying)
  local dims, dtype = methods.shape(t), methods.dtype(t)
  core.compute(C.se_tensor_data, t.c, varying == true, data_box)
  core.watch_memory()
  return core.cast(pointer_to[dtype], data_box[0]), dims, dtype
end
tensor.read = read

local widen = core.new 'union { float f; uint32_t u; }'
local function lua_value(data, i, dtype)
  if dtype == 'bool' then return data[i] ~= 0 end
  if dtype ~= 'bf16' then return tonumber(data[i]) end
  widen.u = data[i] * 65536
  return widen.f
end
tensor.lua_value = lua_value

-- The number in a tensor of one element.
function methods.item(t, varying)
  local data, dims, dtype = read(t, varying)
  fail.unless(count(dims) == 1, 'item: the tensor has %d elements, one is wanted', count(dims))
  local value = lua_value(data, 0, dtype)
  core.hold(t)
  return value
end

local function nest(data, dims, dtype, axis, at)
  local list, step = {}, 1
  if axis > #dims then return lua_value(data, at, dtype) end
  for i = axis + 1, #dims do step = step * dims[i] end
  for i = 1, dims[axis] do list[i] = nest(data, dims, dtype, axis + 1, at + (i - 1) * step) end
  return list
end

-- Nested Lua lists; `varying` true reads this shard's part of a varying tensor.
function methods.totable(t, varying)
  local data, dims, dtype = read(t, varying)
  local list = nest(data, dims, dtype, 1, 0)
  core.hold(t)
  return list
end

-- The elements as they lie in memory.
function methods.bytes(t, varying)
  local data, dims, dtype = read(t, varying)
  local bytes = core.text(data, count(dims) * core.sizeof(make.element[dtype]))
  core.hold(t)
  return bytes
end

-- The last two axes swapped: transpose.
function methods.t(x) return (x:transpose()) end

-- x as another dtype: x:f32(), x:bf16(), x:i32(), x:bool(). Rounding is that of cast.
function methods.f32(x) return (op.functions.cast(x, 'f32')) end
function methods.bf16(x) return (op.functions.cast(x, 'bf16')) end
function methods.i32(x) return (op.functions.cast(x, 'i32')) end
function methods.bool(x) return (op.functions.cast(x, 'bool')) end

-- The different values of x from the smallest to the largest, how often each comes, and for each
-- element of x the place of its value (from 0).
function methods.unique(x) return require('sembed.unique')(x) end

-- One line: type, shape and what made it, without computing anything.
function methods.describe(t)
  local text = C.se_tensor_describe(t.c)
  local line = core.text(text)
  C.se_text_free(text)
  return line
end

-- The graph behind it as text, inputs first; dot = true: as dot, for graphviz.
function methods.graph(t, dot)
  local text = C.se_graph_text(t.c, dot == true)
  local all = core.text(text)
  C.se_text_free(text)
  return all
end

-- --- the metatype ---

methods.assign, methods.keep = graph.assign, graph.keep
for _, name in ipairs { 'allclose', 'array_equal', 'is_close', 'masked_select', 'nonzero', 'chunk',
  'flatten', 'repeat_interleave', 'row', 'rows', 'split', 'unbind' } do
  methods[name] = tensor[name]
end
-- x.size('x') would hand C whatever stands in a field `c` of it.
for name, method in pairs(methods) do
  methods[name] = function(t, ...)
    if not core.is_tensor(t) then
      fail.raise('%s: a tensor is wanted: %s came', name, fail.kind(t))
    end
    return method(t, ...)
  end
end
for name, f in pairs(op.functions) do
  if not methods[name] then methods[name] = f end
end
tensor.methods = methods

-- Lua's < and <= give one boolean, whatever a metamethod returns: not what is meant.
local function no_order(less, greater)
  return function()
    fail.raise('tensor: < and > give one boolean in Lua: elements are compared by se.%s(a, b) and '
      .. 'se.%s(a, b)', less, greater)
  end
end

local f = op.functions
core.metatype {
  __index = function(t, key)
    local method = methods[key]
    if method then return method end
    if type(key) == 'number' then return tensor.row(t, key) end
    if type(key) == 'table' or core.is_tensor(key) then return tensor.rows_at(t, key) end
    local names = {}
    for name in pairs(methods) do names[#names + 1] = name end
    return fail.raise('tensor: %s', fail.unknown('method', key, names))
  end,
  __newindex = function()
    fail.raise 'tensor: elements cannot be set; x:assign(value) replaces the whole value'
  end,
  __add = f.add, __sub = f.sub, __mul = f.mul, __div = f.div, __pow = f.pow,
  __mod = f.mod,
  __unm = function(a) return (f.neg(a)) end, -- Lua gives the operand twice
  __eq = function(a, b) return core.is_tensor(a) and core.is_tensor(b) and a.c == b.c end,
  __lt = no_order('less', 'greater'), __le = no_order('less_equal', 'greater_equal'),
  __ipairs = tensor.each_row,
  __len = function(t) return methods.size(t, 1) end,
  __tostring = function(t) return require('sembed.show').tensor(t) end,
}

return tensor
