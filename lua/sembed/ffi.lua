-- The bridge to the C library, and the only file that requires 'ffi'. Everything else works with
-- tensors, Lua values, and the few calls below.

local ffi = require 'ffi'
local fail = require 'sembed.fail'
local host = require 'sembed.host'

-- Pointers to handles stand in C arrays that the collector does not look into: what keeps a handle
-- alive until the C call is its slot on the interpreter's stack. Compiled code drops slots that are
-- not read again, so nothing that fills such an array is compiled (graph.lua says the same), and no
-- call that uses one is a tail call out of the frame that holds the handles.
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
local NONFINITE = C.SE_ERR_NONFINITE

-- --- status ---

-- Raises a failed call's message at the recipe's line. While a training runs, on_nonfinite(message)
-- is told of a guarded value that is not finite, and gives what to say.
function core.check(status)
  if status == OK then return end
  if status == INTERRUPTED then fail.stop('interrupted') end
  local message = ffi.string(C.se_message())
  if status == NONFINITE and core.on_nonfinite then message = core.on_nonfinite(message) end
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

-- The same for what evaluates: assigns that found no memory twice are dropped. While a training
-- runs, before_compute() looks whether its loop was left; so it does before a scope is opened.
function core.compute(f, ...)
  if core.before_compute then core.before_compute() end
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

-- Gives a handle from C to Lua's collector; core.own() is a tensor without one.
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
  table.__gc = host.collect
  ffi.metatype(handle, table)
end

-- A plain number as a tensor.
function core.number(value)
  core.retry(C.se_tensor_number, value, one)
  return (own(one[0]))
end

-- core/call.c reads tensors where they lie on Lua's stack, and tells them from other data by what
-- LuaJIT writes before it, in one of two places.
local function layout()
  local found = { true, true }
  for _, value in ipairs { handle(), ffi.new 'int64_t' } do
    for i, id in ipairs { host.types_of(value) } do
      found[i] = found[i] and id == tonumber(ffi.typeof(value))
    end
  end
  return found[1] and 1 or found[2] and 2
    or error('sembed: this LuaJIT keeps its data in another form than the known ones', 0)
end
core.layout = layout()

return core
