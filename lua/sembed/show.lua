-- Values as text: tensors as type, corners and a summary; tables as Lua.

local core = require 'sembed.ffi'

local show = {}

local EDGE = 3 -- elements shown at either end of an axis

local function shape_text(t)
  return ('%s[%s]'):format(t:dtype(), table.concat(t:shape(), ','))
end

local function element_text(value)
  if type(value) == 'boolean' then return value and 'true' or 'false' end
  if value ~= value then return 'nan' end
  if value == math.floor(value) and math.abs(value) < 1e6 then return ('%d'):format(value) end
  return ('%.4g'):format(value)
end

local function axis_text(read, dims, axis, at)
  if axis > #dims then return element_text(read(at)) end
  local step, parts = 1, {}
  for i = axis + 1, #dims do step = step * dims[i] end
  local i, n = 1, dims[axis]
  while i <= n do
    if i == EDGE + 1 and n > 2 * EDGE then
      parts[#parts + 1], i = '...', n - EDGE + 1
    end
    parts[#parts + 1], i = axis_text(read, dims, axis + 1, at + (i - 1) * step), i + 1
  end
  local last = axis == #dims
  return '{' .. table.concat(parts, last and ', ' or ',\n' .. (' '):rep(axis)) .. '}'
end

-- Mean and spread of the finite elements, and how many are not; compiled, in place.
local function summary(data, n, wide)
  local sum, squares, bad, endless = 0, 0, 0, 0
  for i = 0, n - 1 do
    local v = wide and wide(data, i) or data[i]
    if v ~= v then
      bad = bad + 1
    elseif v == math.huge or v == -math.huge then
      endless = endless + 1
    else
      sum = sum + v
    end
  end
  local count = math.max(1, n - bad - endless)
  local mean = sum / count
  for i = 0, n - 1 do
    local v = wide and wide(data, i) or data[i]
    local d = v - mean
    if d == d and d ~= math.huge and d ~= -math.huge then squares = squares + d * d end
  end
  local head = bad + endless == n and 'no finite element'
    or ('mean %.4g spread %.4g'):format(mean, math.sqrt(squares / count))
  return head .. (bad > 0 and (' NaN %d'):format(bad) or '')
    .. (endless > 0 and (' inf %d'):format(endless) or '')
end

-- f32[8,768] mean 0.01 spread 0.3, then the corners. A value that differs between shards, or was
-- released, is described without being read.
function show.tensor(t)
  if core.C.se_tensor_released(t.c) or t:is_varying() then return t:describe() end
  local tensor = require 'sembed.tensor'
  local data, dims, dtype = tensor.read(t)
  local n = 1
  for _, d in ipairs(dims) do n = n * d end
  local function read(i) return tensor.lua_value(data, i, dtype) end
  if #dims == 0 then return ('%s %s'):format(shape_text(t), element_text(read(0))) end
  local head = shape_text(t)
  if n > 0 and dtype ~= 'bool' then
    local wide = dtype == 'bf16' and function(from, i) return tensor.lua_value(from, i, dtype) end
    head = head .. ' ' .. summary(data, n, wide)
  end
  local text = head .. '\n' .. axis_text(read, dims, 1, 0)
  core.hold(t)
  return text
end

local function key_text(key)
  if type(key) == 'string' and key:match '^[%a_][%w_]*$' then return key end
  return '[' .. show.value(key, 9) .. ']'
end

local function sorted_keys(value, n)
  local keys = {}
  for k in pairs(value) do
    if not (type(k) == 'number' and k >= 1 and k <= n and k == math.floor(k)) then
      keys[#keys + 1] = k
    end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local open = {} -- tables being shown: a table within itself

local function table_parts(value, depth)
  if depth > 3 then return '{...}' end
  local parts = {}
  for _, v in ipairs(value) do
    if #parts == 20 then break end
    parts[#parts + 1] = show.value(v, depth + 1)
  end
  if #value > 20 then parts[#parts + 1] = ('... %d in all'):format(#value) end
  for _, k in ipairs(sorted_keys(value, #value)) do
    parts[#parts + 1] = key_text(k) .. ' = ' .. show.value(value[k], depth + 1)
  end
  return '{' .. table.concat(parts, ', ') .. '}'
end

local function table_text(value, depth)
  if open[value] then return '{itself}' end
  open[value] = true
  local ok, text = pcall(table_parts, value, depth)
  open[value] = nil
  if not ok then error(text, 0) end
  return text
end

-- Any value as one would write it in Lua.
function show.value(value, depth)
  depth = depth or 0
  local meta = type(value) == 'table' and getmetatable(value)
  if meta and meta.__tostring then return tostring(value) end
  if type(value) == 'table' then return table_text(value, depth) end
  if type(value) == 'string' and depth > 0 then return ('%q'):format(value) end
  if core.is_tensor(value) and depth > 0 then return shape_text(value) end
  return tostring(value)
end

return show
