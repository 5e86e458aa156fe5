-- The arguments of an op as Lua gives them: sorted for ops made in Lua (define.lua), and looked
-- through for what is wrong with them when a call of an op was refused (core/call.c reads the same
-- arguments in the same order and has no words).

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local signature = require 'sembed.signature'

local arguments = {}

local is_tensor = core.is_tensor
local MOST = 512 -- SE_MAX_INPUTS of op.h
local MOST_AXES = core.C.SE_MAX_RANK

-- The parsed argument string, with the place of each name: at.axis = 2 is the second attribute,
-- at.x = -1 the first tensor. Parsing all takes a millisecond: each is parsed at its first use.
function arguments.signature_of(spec)
  if not spec.signature then
    local parsed = signature.parse(spec.args)
    parsed.at = {}
    for i, t in ipairs(parsed.tensors) do parsed.at[t.name] = -i end
    for i, a in ipairs(parsed.attrs) do parsed.at[a.name] = i end
    spec.signature = parsed
  end
  return spec.signature
end

-- --- attributes ---

local function integer(name, attr, value)
  if type(value) ~= 'number' or value ~= math.floor(value) then
    fail.raise('%s: %s must be an integer: %s came', name, attr.name,
      type(value) == 'number' and tostring(value) or fail.kind(value))
  end
  if value < -2 ^ 63 or value >= 2 ^ 63 then
    fail.raise('%s: %s must be an integer of 64 bits: %s came', name, attr.name, tostring(value))
  end
end

local function axis(name, attr, value)
  integer(name, attr, value)
  if value == 0 then
    fail.raise('%s: no %s 0: axes count from 1; -1 is the last', name, attr.name)
  end
end

local function list(name, attr, value, element)
  if type(value) == 'number' then value = { value } end
  if type(value) ~= 'table' then
    fail.raise('%s: %s must be a list of integers: %s came', name, attr.name, fail.kind(value))
  end
  local n = #value
  if n > MOST_AXES then
    fail.raise('%s: %s has %d entries, the most is %d', name, attr.name, n, MOST_AXES)
  end
  for i = 1, n do element(name, attr, rawget(value, i)) end
end

local checks = {
  int = integer,
  axis = axis,
  num = function(name, attr, value)
    if type(value) ~= 'number' then
      fail.raise('%s: %s must be a number: %s came', name, attr.name, fail.kind(value))
    end
  end,
  bool = function(name, attr, value)
    if type(value) ~= 'boolean' then
      fail.raise('%s: %s must be true or false: %s came', name, attr.name, tostring(value))
    end
  end,
  dtype = function(name, attr, value)
    if not core.dtypes[value] then
      fail.raise('%s: %s: %s', name, attr.name, fail.unknown('dtype', value, core.dtype_list))
    end
  end,
  ints = function(name, attr, value) list(name, attr, value, integer) end,
  axes = function(name, attr, value) list(name, attr, value, axis) end,
}

arguments.kinds = {}
for kind in pairs(checks) do arguments.kinds[#arguments.kinds + 1] = kind end
table.sort(arguments.kinds)

-- Raises where the value is none for attribute i.
function arguments.check_attribute(spec, i, value)
  local attr = spec.signature.attrs[i]
  if value == nil then fail.raise('%s: %s is missing', spec.name, attr.name) end
  checks[attr.kind](spec.name, attr, value)
end

-- --- sorting ---

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
    elseif at and at < 0 and parsed.variadic then
      fail.raise('%s: %s cannot be named: tensors come first; it is %s', spec.name, key,
        signature.call(spec.name, parsed))
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
      for i = 1, count do tensors[i] = rawget(first, i) end
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
      for k = next_arg, n do integer(spec.name, attr, args[k]) end -- x:reshape(2, 3)
      value, next_arg = { unpack(args, next_arg, n) }, n
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
function arguments.sort(spec, n, args)
  arguments.signature_of(spec)
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

-- --- tensors ---

-- What came for tensor i as a tensor, or nil where an optional one was left out.
function arguments.tensor(spec, i, value)
  if is_tensor(value) then return value end
  if type(value) == 'number' then return (core.number(value)) end
  local names = spec.signature.tensors
  local name = names[i] or names[#names]
  if value == nil or value == false then
    if name.optional then return nil end
    fail.raise('%s: %s is missing', spec.name, name.name)
  end
  -- A packed text stands for its starts: se.mean_pool(model(text), text).
  if name.name == 'starts' and type(value) == 'table' and is_tensor(value.starts) then
    return value.starts
  end
  return fail.raise('%s: %s must be a tensor or a number: %s came', spec.name, name.name,
    fail.kind(value))
end

-- Says what is wrong with a call that was refused.
function arguments.refuse(spec, ...)
  local tensors, n, values = arguments.sort(spec, select('#', ...), { ... })
  if n > MOST then fail.raise('%s: %d tensors; %d at once are the most', spec.name, n, MOST) end
  for i = 1, n do
    local t = arguments.tensor(spec, i, tensors[i])
    if t and t.c == nil then
      fail.raise('%s: tensor %d was given back', spec.name, i)
    end
  end
  for i, attr in ipairs(spec.signature.attrs) do
    local value = values[i]
    if value ~= nil or attr.default == nil then arguments.check_attribute(spec, i, value) end
  end
end

return arguments
