-- The bridge to the C library, and the only file that requires 'ffi'. Everything else works with
-- tensors, Lua values, and the few calls below.
--
-- Axes count from 1 in Lua and from 0 in C: attribute() is where the one becomes the other.

local ffi = require 'ffi'
local fail = require 'sembed.fail'
local host = require 'sembed.host'

-- Pointers to handles stand in C arrays (`ins`) that the collector does not look into: what keeps a
-- handle alive until the C call is its slot on the interpreter's stack. Compiled code drops slots
-- that are not read again, so nothing that fills such an array is compiled (op.lua and graph.lua
-- say the same), and no call that uses one is a tail call out of the frame that holds the handles.
jit.off(true, true)

-- Enums become plain integers: LuaJIT would box the status of each call.
local declarations = host.embedded 'cdef'
ffi.cdef((declarations:gsub('typedef enum ([%w_]+) (%b{}) %1;', 'enum %2; typedef int32_t %1;')))
-- In a shared library that its host opened for itself, the engine's symbols are found by its path.
local path = host.shared_object()
local C = path and ffi.load(path) or ffi.C

local core = {
  C = C,
  new = ffi.new,
  cast = ffi.cast,
  gc = ffi.gc,
  text = ffi.string,
  fill = ffi.fill,
  sizeof = ffi.sizeof,
  copy = ffi.copy,
  typeof = ffi.typeof,
  null = ffi.cast('void *', nil),
  dtypes = { f32 = C.SE_F32, bf16 = C.SE_BF16, i32 = C.SE_I32, bool = C.SE_BOOL },
  dtype_names = {},
  dtype_list = { 'f32', 'bf16', 'i32', 'bool' },
}
for name, id in pairs(core.dtypes) do core.dtype_names[tonumber(id)] = name end

local OK, INTERRUPTED, MEMORY = C.SE_OK, C.SE_ERR_INTERRUPTED, C.SE_ERR_MEMORY
local place = fail.place

-- --- status ---

-- Raises a failed call's message at the recipe's line.
function core.check(status)
  if status == OK then return end
  if status == INTERRUPTED then fail.stop('interrupted') end
  local message = ffi.string(C.se_message())
  core.failed = { status = status, message = message } -- for embed.lua, which has a status to give
  fail.raise('%s', message)
end

local function try_twice(f, ...)
  local status = f(...)
  if status == MEMORY then
    collectgarbage()
    collectgarbage()
    status = f(...)
  end
  return status
end

-- Calls f(...); when memory is short, collects what Lua has dropped and tries once more.
function core.retry(f, ...) return core.check(try_twice(f, ...)) end

-- The same for what evaluates: assigns that found no memory twice are dropped.
function core.compute(f, ...)
  local status = try_twice(f, ...)
  if status == MEMORY then C.se_pending_drop() end
  return core.check(status)
end

-- Values dropped in Lua hold bytes that Lua's collector does not see: it runs when they have grown
-- by more than this since it last did.
local GROWTH = 32 * 2 ^ 20
local base = 0

function core.watch_memory()
  local live = tonumber(C.se_memory_live())
  if live < base then
    base = live
  elseif live - base > GROWTH then
    collectgarbage()
    base = tonumber(C.se_memory_live())
  end
end

-- --- tensors ---

-- A tensor in Lua is a struct around C's handle, not the pointer itself: x[1] on a pointer would be
-- C's indexing, which no metamethod sees.
ffi.cdef 'typedef struct { se_tensor *c; } se_lua_tensor;'
local handle = ffi.typeof 'se_lua_tensor'
local free_handle = C.se_tensor_free
local one = ffi.new 'se_tensor *[1]'
core.out = one -- where calls that make one tensor put it

-- true where the value is a tensor.
function core.is_tensor(value)
  return type(value) == 'cdata' and ffi.istype(handle, value)
end

-- Gives a handle from C to Lua's collector.
local own = handle
core.own = own

-- Another handle on the same value, and giving a handle back before the collector would.
function core.share(t)
  core.check(C.se_tensor_share(t.c, one))
  return own(one[0])
end

-- Called after the last use of memory that belongs to t: until then t is not collected.
function core.hold() end

function core.release(t)
  free_handle(t.c)
  t.c = nil
end

function core.metatype(table)
  table.__gc = core.release
  ffi.metatype(handle, table)
end

-- --- applying ops ---

local MOST = 512 -- SE_MAX_INPUTS of op.h
local ins, outs = ffi.new('se_tensor *[?]', MOST), ffi.new 'se_tensor *[4]'
local attrs = ffi.new 'se_attr[8]'
local numbers, n_numbers = ffi.new('se_tensor *[?]', MOST), 0

local function drop_numbers()
  for i = 0, n_numbers - 1 do free_handle(numbers[i]) end
  n_numbers = 0
end

local function wrong(name, what, ...)
  drop_numbers()
  fail.raise(name .. ': ' .. what, ...)
end

local function integer(name, attr, value)
  if type(value) ~= 'number' or value ~= math.floor(value) then
    wrong(name, '%s must be an integer: %s came', attr.name,
      type(value) == 'number' and tostring(value) or fail.kind(value))
  end
  if value < -2 ^ 63 or value >= 2 ^ 63 then
    wrong(name, '%s must be an integer of 64 bits: %s came', attr.name, tostring(value))
  end
  return value
end

local function axis(name, attr, value)
  value = integer(name, attr, value)
  if value == 0 then wrong(name, 'no %s 0: axes count from 1; -1 is the last', attr.name) end
  return value > 0 and value - 1 or value
end

local function list(name, attr, value, element, into)
  if type(value) == 'number' then value = { value } end
  if type(value) ~= 'table' then
    wrong(name, '%s must be a list of integers: %s came', attr.name, fail.kind(value))
  end
  if #value > C.SE_MAX_RANK then
    wrong(name, '%s has %d entries, the most is %d', attr.name, #value, C.SE_MAX_RANK)
  end
  into.n = #value
  for i, v in ipairs(value) do into.list[i - 1] = element(name, attr, v) end
end

local set = {
  int = function(name, attr, value, into) into.i = integer(name, attr, value) end,
  axis = function(name, attr, value, into) into.i = axis(name, attr, value) end,
  num = function(name, attr, value, into)
    if type(value) ~= 'number' then
      wrong(name, '%s must be a number: %s came', attr.name, fail.kind(value))
    end
    into.f = value
  end,
  bool = function(name, attr, value, into)
    if type(value) ~= 'boolean' then
      wrong(name, '%s must be true or false: %s came', attr.name, tostring(value))
    end
    into.i = value and 1 or 0
  end,
  dtype = function(name, attr, value, into)
    local id = core.dtypes[value]
    if not id then
      wrong(name, '%s: %s', attr.name, fail.unknown('dtype', value, core.dtype_list))
    end
    into.i = id
  end,
  ints = function(name, attr, value, into) list(name, attr, value, integer, into) end,
  axes = function(name, attr, value, into) list(name, attr, value, axis, into) end,
}

-- Defaults stand in the op table, in C's counting.
local function set_default(attr, into)
  local value = attr.default
  if attr.kind == 'num' then
    into.f = value
  elseif attr.kind == 'bool' then
    into.i = value and 1 or 0
  elseif attr.kind == 'dtype' then
    into.i = core.dtypes[value]
  elseif type(value) == 'table' then
    into.n = #value
    for i, v in ipairs(value) do into.list[i - 1] = v end
  else
    into.i = value
  end
end

local function defaults_of(spec)
  local all = ffi.new 'se_attr[8]'
  for i, attr in ipairs(spec.signature.attrs) do
    if attr.default ~= nil then set_default(attr, all[i - 1]) end
  end
  return all
end

local attr_size = ffi.sizeof 'se_attr'

-- The attributes of a call: the defaults where no value came.
local function fill_attributes(spec, values)
  spec.defaults = spec.defaults or defaults_of(spec)
  local wanted = spec.signature.attrs
  ffi.copy(attrs, spec.defaults, #wanted * attr_size)
  for i = 1, #wanted do
    local attr, value = wanted[i], values[i]
    if value ~= nil then
      set[attr.kind](spec.name, attr, value, attrs[i - 1])
    elseif attr.default == nil then
      wrong(spec.name, '%s is missing', attr.name)
    end
  end
end

local function number(value)
  core.retry(C.se_tensor_number, value, one)
  numbers[n_numbers] = one[0]
  n_numbers = n_numbers + 1
  return one[0]
end

local istype = ffi.istype

local function input(spec, i, value)
  if type(value) == 'cdata' and istype(handle, value) then return value.c end
  if type(value) == 'number' then return number(value) end
  local names = spec.signature.tensors
  local tensor = names[i] or names[#names]
  if value == nil or value == false then
    if tensor.optional then return nil end
    wrong(spec.name, '%s is missing', tensor.name)
  end
  -- A packed text stands for its starts: se.mean_pool(model(text), text).
  if tensor.name == 'starts' and type(value) == 'table' and value.starts then
    return value.starts.c
  end
  wrong(spec.name, '%s must be a tensor or a number: %s came', tensor.name, fail.kind(value))
end

-- `...` are the inputs: they stay on the stack while C uses them.
local function call(spec, n, ...) -- luacheck: ignore 212
  local file, line = place()
  local status = try_twice(C.se_call, spec.op, n, ins, attrs, file, line or 0, outs)
  if n_numbers > 0 then drop_numbers() end
  if status ~= OK then core.check(status) end
  if spec.n_out == 1 then return own(outs[0]) end
  local results = {}
  for i = 1, spec.n_out do results[i] = own(outs[i - 1]) end
  return unpack(results, 1, spec.n_out)
end

core.kinds = {}
for kind in pairs(set) do core.kinds[#core.kinds + 1] = kind end
table.sort(core.kinds)

-- Applies the op; `tensors` has n entries (nil where one is left out), `values` the attributes by
-- position, nil for the default. Returns one handle for each output.
function core.apply(spec, tensors, n, values)
  if n > MOST then wrong(spec.name, '%d tensors; %d at once are the most', n, MOST) end
  for i = 1, n do ins[i - 1] = input(spec, i, tensors[i]) end
  if spec.signature.attrs[1] then fill_attributes(spec, values) end
  return call(spec, n, tensors)
end

-- For ops made in Lua: the same looks at what came. An attribute is as Lua gave it; a tensor
-- argument becomes a tensor, or nil where an optional one was left out.
function core.check_attribute(spec, i, value)
  local attr = spec.signature.attrs[i]
  if value == nil then wrong(spec.name, '%s is missing', attr.name) end
  set[attr.kind](spec.name, attr, value, attrs[0])
end

function core.tensor_input(spec, i, value)
  if core.is_tensor(value) then return value end
  local c = input(spec, i, value)
  if type(value) == 'number' then
    n_numbers = 0
    return own(c)
  end
  return c ~= nil and value.starts or nil
end

-- The same for two tensors and no attributes: most of the calls of a model.
function core.apply2(spec, a, b)
  ins[0], ins[1] = input(spec, 1, a), input(spec, 2, b)
  return call(spec, 2, a, b)
end

return core
