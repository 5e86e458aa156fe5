-- Lua functions made from the op table: nothing about an op is written here a second time.
--
-- A call gives the tensors in order, then the attributes in order; a table at the end may name any
-- of them, or go on in order: se.sum(x, 1), x:sum { axes = 1, keep = true }, x:sum { 1, keep = true
-- }, se.attention(q, k, v, starts, { heads = 4, longest = 12, bias = b }). Where any number of
-- tensors is taken: se.concat({ a, b }, 1).

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local signature = require 'sembed.signature'

jit.off(true, true) -- see ffi.lua

local op = { specs = {}, functions = {}, names = {} }

local is_tensor, apply, apply2 = core.is_tensor, core.apply, core.apply2

-- A plain table with names holds options; a packed text does not.
local function is_options(value)
  if type(value) ~= 'table' or getmetatable(value) then return false end
  for key in pairs(value) do
    if type(key) == 'string' then return true end
  end
  return false
end

local function known_names(parsed)
  local names = {}
  for _, t in ipairs(parsed.tensors) do names[#names + 1] = t.name end
  for _, a in ipairs(parsed.attrs) do names[#names + 1] = a.name end
  return names
end

local function place_options(spec, options, tensors, values)
  local parsed = spec.signature
  for key, value in pairs(options) do
    local at = parsed.at[key]
    local by_position = type(key) == 'number' and key >= 1 and key <= #options and key % 1 == 0
    if not at and not by_position then
      fail.raise('%s: %s', spec.name, fail.unknown('argument', tostring(key), known_names(parsed)))
    elseif at then
      local into = at > 0 and values or tensors
      at = math.abs(at)
      if into[at] ~= nil then
        fail.raise('%s: %s comes twice, by its position and by its name', spec.name, key)
      end
      into[at] = value
    end
  end
end

local function is_list_kind(attr)
  return attr.kind == 'ints' or attr.kind == 'axes'
end

-- Sorts what came by position into tensors and attributes; returns the number of tensors.
local function place_arguments(spec, args, n, tensors, values)
  local parsed, next_arg = spec.signature, 1
  local count = #parsed.tensors
  if parsed.variadic then
    local first = args[1]
    if type(first) == 'table' and not is_options(first) then
      count, next_arg = #first, 2
      for i = 1, count do tensors[i] = first[i] end
    else
      count = 0
      while next_arg <= n and is_tensor(args[next_arg]) do
        count = count + 1
        tensors[count], next_arg = args[next_arg], next_arg + 1
      end
    end
  else
    for i = 1, count do tensors[i] = args[i] end
    next_arg = count + 1
  end
  for i, attr in ipairs(parsed.attrs) do
    local value = args[next_arg]
    if type(value) == 'number' and is_list_kind(attr) and i == #parsed.attrs and n > next_arg then
      value = {} -- x:reshape(2, 3)
      while next_arg <= n do
        value[#value + 1], next_arg = args[next_arg], next_arg + 1
      end
    end
    values[i], next_arg = value, next_arg + 1
  end
  if next_arg <= n then
    fail.raise('%s: too many arguments: %d came; it is %s', spec.name, n,
      signature.call(spec.name, parsed))
  end
  return count
end

-- What came, sorted: tensors by position, how many, attributes by position.
local function arguments(spec, n, args)
  local tensors, values = {}, {}
  local options = n > 0 and is_options(args[n]) and args[n]
  if options then -- what stands in it without a name comes first: x:sum { 1, keep = true }
    args[n], n = nil, n - 1
    for i = 1, #options do args[n + i] = options[i] end
    n = n + #options
  end
  local count = place_arguments(spec, args, n, tensors, values)
  if options then place_options(spec, options, tensors, values) end
  return tensors, count, values
end
op.arguments = arguments

local function call(spec, n, args)
  local tensors, count, values = arguments(spec, n, args)
  return apply(spec, tensors, count, values)
end

-- Parsing all signatures takes a millisecond: each is parsed at its first use.
local function ready(spec)
  local parsed = signature.parse(spec.args)
  parsed.at = {}
  for i, t in ipairs(parsed.tensors) do parsed.at[t.name] = -i end
  for i, a in ipairs(parsed.attrs) do parsed.at[a.name] = i end
  spec.signature = parsed
end

-- The arguments of an op as signature.lua reads them; spec: of op.specs.
function op.signature_of(spec)
  if not spec.signature then ready(spec) end
  return spec.signature
end

local function make(spec)
  return function(...)
    if not spec.signature then ready(spec) end
    return (call(spec, select('#', ...), { ... }))
  end
end

local function make_many(spec)
  return function(...)
    if not spec.signature then ready(spec) end
    return call(spec, select('#', ...), { ... })
  end
end

-- Arithmetic: two tensors or numbers and nothing else.
local function make_binary(spec)
  return function(a, b, ...)
    if not spec.signature then ready(spec) end
    if select('#', ...) > 0 then return (call(spec, 2 + select('#', ...), { a, b, ... })) end
    return (apply2(spec, a, b))
  end
end

local function maker(spec)
  if spec.n_out > 1 then return make_many end
  return spec.args == 'x y' and make_binary or make
end

-- What a se_op_info tells: { name, doc, args, outs, n_out, internal, composite, op }
function op.spec_of(info)
  return {
    op = info.op, name = core.text(info.name), args = core.text(info.args),
    doc = info.doc ~= nil and core.text(info.doc) or '',
    outs = info.outs ~= nil and core.text(info.outs) or nil,
    n_out = info.n_out, internal = info.internal, composite = info.composite,
    sample = info.sample ~= nil and core.text(info.sample) or nil,
    differentiable = info.differentiable, rowwise = info.rowwise,
    doubles = info.doubles,
  }
end

-- What se.NAME and x:NAME are for an op of the table: a function with its argument checks.
function op.function_of(spec) return maker(spec)(spec) end

local info = core.new 'se_op_info'
for i = 0, core.C.se_op_list() - 1 do
  core.C.se_op_describe(i, info)
  local spec = op.spec_of(info)
  if not spec.internal then
    op.specs[spec.name] = spec
    op.names[#op.names + 1] = spec.name
    op.functions[spec.name] = op.function_of(spec)
  end
end
table.sort(op.names)

-- --- ops from outside ---

-- se.op.define { name = ..., args = ..., expand = function(x, ...) ... end }: an op made in Lua.
function op.define(fields) return (require('sembed.define')(fields)) end

-- se.op.load 'my_ops.so': the ops of a shared object.
function op.load(path) return require('sembed.load')(path) end

-- se.op.check 'softmax': tests an op from its sample.
function op.check(name) return (require('sembed.check')(name)) end

return op
