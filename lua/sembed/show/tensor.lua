-- A tensor as text: its type, what its elements are like, and the corners.

local core = require 'sembed.ffi'

local EDGE = 3    -- elements shown at either end of an axis
local LINES = 50  -- of elements at most
local DIGITS = 10 -- of a number in a column, sign and point among them; else they are not evened

local function shape_text(t)
  return ('%s[%s]'):format(t:dtype(), table.concat(t:shape(), ','))
end

local function element_text(value, dtype)
  if type(value) == 'boolean' then return value and 'true' or 'false' end
  if value ~= value then return 'nan' end
  if dtype == 'i32' or value == math.floor(value) and math.abs(value) < 1e6 then
    return ('%d'):format(value)
  end
  return ('%.4g'):format(value)
end

-- How many elements of each axis to show at the beginning and at the end. Where that is too many
-- lines, the axis with the most of them shows one less, the outermost first.
local function edges_of(dims)
  local shown, edges = {}, {}
  for i, n in ipairs(dims) do shown[i] = math.min(n, 2 * EDGE) end
  while true do
    local lines, most = 1, nil
    for i = 1, #dims - 1 do
      lines = lines * (shown[i] < dims[i] and shown[i] + 1 or dims[i])
      if shown[i] > 1 and (not most or shown[i] > shown[most]) then most = i end
    end
    if lines <= LINES or not most then break end
    shown[most] = shown[most] - 1
  end
  for i, n in ipairs(shown) do edges[i] = { math.ceil(n / 2), math.floor(n / 2) } end
  return edges
end

-- Calls item(i) for the elements of an axis that are shown, gap() for those that are not.
local function each(n, edge, item, gap)
  local i = 0
  while i < n do
    if i == edge[1] and n > edge[1] + edge[2] then
      gap()
      i = n - edge[2]
    end
    if i < n then item(i) end
    i = i + 1
  end
end

local function strides_of(dims)
  local strides, step = {}, 1
  for i = #dims, 1, -1 do strides[i], step = step, step * dims[i] end
  return strides
end

-- The rows of elements that are shown, one after the other.
local function rows_of(read, dims, edges)
  local rows, strides = {}, strides_of(dims)
  local function walk(axis, at)
    local row = {}
    each(dims[axis], edges[axis], function(i)
      local here = at + i * strides[axis]
      if axis == #dims then row[#row + 1] = read(here) else walk(axis + 1, here) end
    end, function() end)
    if axis == #dims then rows[#rows + 1] = row end
  end
  walk(1, 0)
  return rows
end

-- How many decimals show five digits of the largest number in a column and two of the smallest, but
-- not more than each number alone would be written with. nil where that would be too wide.
local function decimals_of(column, texts)
  local most, least, needed, before = 0, math.huge, 0, 1
  for i, value in ipairs(column) do
    local v = math.abs(value)
    if v < math.huge then
      local whole, rest = texts[i]:match '^(-?%d+)%.?(%d*)$'
      needed = math.max(needed, whole and #rest or DIGITS)
      before = math.max(before, #('%.0f'):format(value))
      most, least = math.max(most, v), v > 0 and math.min(least, v) or least
    end
  end
  if needed == 0 or most == 0 then return 0 end
  most = tonumber(('%.4g'):format(most)) -- 0.99999 will be written 1.000
  local wanted = math.max(4 - math.floor(math.log10(most)), 1 - math.floor(math.log10(least)), 1)
  local decimals = math.min(wanted, needed)
  return before + 1 + decimals <= DIGITS and decimals or nil
end

-- A column's numbers, one below the other.
local function even(column, dtype)
  local texts, wide = {}, 0
  for i, value in ipairs(column) do texts[i] = element_text(value, dtype) end
  local decimals = dtype ~= 'bool' and dtype ~= 'i32' and decimals_of(column, texts) or 0
  for i, value in ipairs(column) do
    if decimals > 0 and math.abs(value) < math.huge then
      texts[i] = ('%.' .. decimals .. 'f'):format(value)
    end
    wide = math.max(wide, #texts[i])
  end
  for i in ipairs(column) do texts[i] = (' '):rep(wide - #texts[i]) .. texts[i] end
  return texts
end

local function columns_evened(rows, dtype)
  local texts = {}
  for i in ipairs(rows) do texts[i] = {} end
  for j = 1, #(rows[1] or {}) do
    local column = {}
    for i, row in ipairs(rows) do column[i] = row[j] end
    if #rows == 1 then
      texts[1][j] = element_text(column[1], dtype)
    else
      for i, text in ipairs(even(column, dtype)) do texts[i][j] = text end
    end
  end
  return texts
end

local function corners(read, dims, dtype)
  local edges = edges_of(dims)
  local rows = columns_evened(rows_of(read, dims, edges), dtype)
  local at = 0
  local function walk(axis)
    local parts, row, k = {}, nil, 0
    if axis == #dims then
      at = at + 1
      row = rows[at]
    end
    each(dims[axis], edges[axis], function()
      k = k + 1
      parts[#parts + 1] = row and row[k] or walk(axis + 1)
    end, function() parts[#parts + 1] = '...' end)
    return '{' .. table.concat(parts, row and ', ' or ',\n' .. (' '):rep(axis)) .. '}'
  end
  return walk(1)
end

local box = core.new 'se_summary'

local function summary(t, dtype)
  core.compute(core.C.se_tensor_summary, t.c, false, box)
  local n, nan, inf = tonumber(box.n), tonumber(box.nan), tonumber(box.inf)
  if n == 0 then return '' end
  if dtype == 'bool' then return (' true %d'):format(box.mean * n + 0.5) end
  local text = nan + inf == n and ' no finite element'
    or (' mean %.4g spread %.4g'):format(box.mean, box.spread)
  if nan > 0 then text = text .. (' NaN %d'):format(nan) end
  return inf > 0 and text .. (' inf %d'):format(inf) or text
end

-- f32[8,768] mean 0.01 spread 0.3, then the corners. A value that differs between shards, or was
-- released, is described without being read. brief: only the type.
return function(t, brief)
  if core.C.se_tensor_released(t.c) or t:is_varying() and not brief then return t:describe() end
  if brief then return shape_text(t) end
  local tensor = require 'sembed.tensor'
  local data, dims, dtype = tensor.read(t)
  local function read(i) return tensor.lua_value(data, i, dtype) end
  local text = shape_text(t)
  if #dims == 0 then
    text = text .. ' ' .. element_text(read(0), dtype)
  else
    text = text .. summary(t, dtype) .. '\n' .. corners(read, dims, dtype)
  end
  core.hold(t)
  return text
end
