-- What the linear layers of a model compute in: 'f32', 'bf16' or 'int8'. Everything else is f32.
--
--   precision.now                  the one in force: what precision= said, else f32
--   precision.within(name, f, ...) the results of f(...), run with another one

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local precision = { now = 'f32', names = { 'f32', 'bf16', 'int8' } }

local C = core.C
local facts = core.new 'se_device_facts'

-- What C calls them.
local numbers = { f32 = C.SE_PRECISION_F32, bf16 = C.SE_PRECISION_BF16,
  int8 = C.SE_PRECISION_INT8 }
precision.numbers = numbers

-- An error where there is no such precision or this machine cannot compute in it.
function precision.check(name)
  if not numbers[name] then
    fail.raise('precision=%s: %s is wanted', tostring(name), table.concat(precision.names, ', '))
  end
  C.se_device_read(facts)
  if facts.shards > 0 then return name end -- XLA does it one way or another
  if C.se_precision_check(numbers[name]) ~= C.SE_OK then
    fail.raise('precision=%s: %s', name, core.text(C.se_message()))
  end
  return name
end

-- Puts one into force.
function precision.use(name) precision.now = precision.check(name) end

local function restore(before, ok, ...)
  precision.now = before
  if not ok then error((...), 0) end
  return ...
end

-- nil: the one in force.
function precision.within(name, f, ...)
  if name == nil or name == precision.now then return f(...) end
  local before = precision.now
  precision.use(name)
  return restore(before, pcall(f, ...))
end

-- The number that C knows it by.
function precision.number(name) return numbers[precision.check(name)] end

-- The name of C's number.
function precision.name(number)
  for name, known in pairs(numbers) do
    if known == number then return name end
  end
  return fail.raise('precision: 0 to %d is wanted, %d came', #precision.names - 1, number)
end

return precision
