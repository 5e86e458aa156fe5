-- Parts of a tensor: rows by their numbers, pieces along an axis; and tensors put together again.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'
local op = require 'sembed.op'

local f = op.functions
local slices = {}

local function check_number(what, value)
  return fail.unless(type(value) == 'number' and value, '%s: a whole number is wanted: %s came',
    what, fail.kind(value))
end

-- Rows first..last, counted from 1, both included; x[i] is one row without its axis.
function slices.rows(x, first, last)
  local n = x:size(1)
  check_number('rows', first)
  if first < 0 then first = n + first + 1 end
  last = check_number('rows', last or n)
  if last < 0 then last = n + last + 1 end
  if first < 1 or last > n or last < first - 1 then
    fail.raise('rows: %s..%s are not within 1..%d', tostring(first), tostring(last), n)
  end
  return slices.slice_rows(x, first - 1, last - first + 1)
end

-- Row i without its axis, counted from 1; -1 is the last.
function slices.row(x, i)
  local n = x:rank() > 0 and x:size(1) or 0
  check_number('row', i)
  if x:rank() == 0 then fail.raise 'tensor: a scalar has no rows; x:item() is its number' end
  if i % 1 ~= 0 or i == 0 or i > n or i < -n then
    fail.raise('tensor: no row %s of %d: rows count from 1, -1 is the last', tostring(i), n)
  end
  return (x:rows(i, i):squeeze(1))
end

-- Several tensors along an axis: pieces of `sizes` items each, the last of what is left, or, of a
-- list, pieces of those sizes, which make up the axis.
function slices.split(x, sizes, axis)
  axis = axis or 1
  local n, list, at, parts = x:size(axis), sizes, 0, {}
  if type(sizes) == 'number' then
    if sizes < 1 or sizes % 1 ~= 0 then
      fail.raise('split: pieces of %s: a whole number, 1 or more, is wanted', tostring(sizes))
    end
    list = {}
    for first = 0, math.max(n - 1, 0), sizes do list[#list + 1] = math.min(sizes, n - first) end
  elseif type(sizes) ~= 'table' then
    fail.raise('split: a size or a list of sizes is wanted: %s came', fail.kind(sizes))
  end
  for i, size in ipairs(list) do
    if type(size) ~= 'number' or size < 0 or size % 1 ~= 0 then
      fail.raise('split: size %d is %s: a whole number, 0 or more, is wanted', i, tostring(size))
    end
    parts[i], at = f.slice(x, axis, at, at + size), at + size
  end
  if at ~= n then fail.raise('split: the sizes make up %d of %d items', at, n) end
  return unpack(parts)
end

-- A slice along the first axis, by C's counting; one place knows how the op is called.
function slices.slice_rows(x, from, n)
  return (x:slice(1, from, from + n))
end

-- Any number of tensors, one below the other.
function slices.join(list)
  local limit = 256 -- of what one op takes
  while #list > 1 do
    local longer = {}
    for first = 1, #list, limit do
      local last = math.min(first + limit - 1, #list)
      longer[#longer + 1] = f.concat({ unpack(list, first, last) }, 1)
    end
    list = longer
  end
  return list[1]
end

-- x[{1, -1}]: rows by their numbers, from 1; x[ids]: an i32 tensor of numbers from 0; x[mask]: what
-- a bool tensor chooses.
function slices.rows_at(x, key)
  if core.is_tensor(key) then
    if key:dtype() == 'bool' then return (x:masked_select(key)) end
    return (f.take(x, key))
  end
  local n, ids = x:size(1), {}
  for k, i in ipairs(key) do
    if type(i) ~= 'number' or i % 1 ~= 0 or i == 0 or i > n or i < -n then
      fail.raise('tensor: no row %s of %d: rows count from 1, -1 is the last', tostring(i), n)
    end
    ids[k] = i < 0 and n + i or i - 1
  end
  return (f.take(x, make.make(ids, 'i32')))
end

-- for i, row in ipairs(x): the rows without their axis.
function slices.each_row(x)
  local n = x:size(1)
  return function(_, i)
    if i < n then return i + 1, (slices.row(x, i + 1)) end
  end, x, 0
end

return slices
