-- Which fields of a record are meant: by the user's `columns` (all names, or all numbers from 1),
-- or by names that such files usually have, or the first ones in order.
--
--   local pick = columns.picker { count = 2, columns = {}, usual = { { 'context', 'response' } } }
--   pick(record, place, kind)    the fields; nil for a TSV's header
--
-- A TSV whose columns are named has a header; named by numbers it has none; without `columns` the
-- first line is a header when it holds usual names. {"texts": [...]} stands for the list in it.

local fail = require 'sembed.fail'
local json = require 'sembed.json'
local records = require 'sembed.evaluate.records'

local columns = {}

local function index_of(list, name)
  for i, other in ipairs(list) do
    if other == name then return i end
  end
end

local function in_order(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- Lists of numbers from lists of their texts; nil where one is no number.
local function numbers(names)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = tonumber(name)
    if not list[i] then return nil end
    fail.unless(list[i] >= 1 and list[i] % 1 == 0, 'columns: %s: columns count from 1', name)
  end
  return list
end

local function all_of(names, has)
  for _, name in ipairs(names) do
    if not has(name) then return false end
  end
  return true
end

local function keys_of(object)
  local keys = {}
  for key in pairs(object) do keys[#keys + 1] = key end
  table.sort(keys)
  return records.list(keys)
end

-- --- TSV ---

local function header_places(names, record, place)
  local at = {}
  for i, name in ipairs(names) do
    at[i] = index_of(record, name)
    if not at[i] then
      fail.raise('%s: no column "%s": the columns are %s', place, name, records.list(record))
    end
  end
  return at
end

-- Looks at the first line: where the columns stand, and whether it is a header.
local function open_tsv(want, record, place)
  if want.places then return want.places, false end
  if want.names then return header_places(want.names, record, place), true end
  for _, names in ipairs(want.usual) do
    if all_of(names, function(name) return index_of(record, name) end) then
      return header_places(names, record, place), true
    end
  end
  return in_order(want.count), false
end

local function from_list(at, record, place, what)
  local values = {}
  for i, column in ipairs(at) do
    values[i] = record[column]
    if values[i] == nil then
      fail.raise('%s: %d %s%s, at least %d are wanted', place, #record, what,
        #record == 1 and '' or 's', math.max(unpack(at)))
    end
  end
  return values
end

-- --- JSON ---

local function names_in(want, record, place)
  for _, names in ipairs(want.names and { want.names } or want.usual) do
    if all_of(names, function(name) return record[name] ~= nil end) then return names end
  end
  if want.names then
    for _, name in ipairs(want.names) do
      if record[name] == nil then
        fail.raise('%s: no "%s": the keys are %s', place, name, keys_of(record))
      end
    end
  end
  return fail.raise('%s: no names that are known here: the keys are %s: columns=... says which',
    place, keys_of(record))
end

local function from_json(want, record, place)
  if not want.names and type(record.texts) == 'table' then record = record.texts end
  if record[1] ~= nil or next(record) == nil then
    return (from_list(want.places or in_order(want.count), record, place, 'item'))
  end
  local values = {}
  for i, name in ipairs(names_in(want, record, place)) do values[i] = record[name] end
  return values
end

function columns.picker(options)
  local given = options.columns
  local want = { count = options.count, usual = options.usual }
  if given and #given > 0 then
    fail.unless(#given == want.count, 'columns=%s: %d are wanted', table.concat(given, ','),
      want.count)
    want.places = numbers(given)
    want.names = not want.places and given or nil
  end
  local at
  return function(record, place, kind)
    if kind == 'json' then return (from_json(want, record, place)) end
    if not at then
      local is_header
      at, is_header = open_tsv(want, record, place)
      if is_header then return nil end
    end
    return (from_list(at, record, place, 'column'))
  end
end

-- A text, or a message.
function columns.text(value, place)
  if type(value) == 'string' then return value end
  local kind = value == json.null and 'null' or type(value)
  return fail.raise('%s: a text is wanted: %s came', place, kind)
end

-- One text or a list of them, as a list.
function columns.texts(value, place)
  if type(value) ~= 'table' or value == json.null then return { columns.text(value, place) } end
  fail.unless(#value > 0, '%s: an empty list, a text is wanted', place)
  for _, v in ipairs(value) do columns.text(v, place) end
  return value
end

return columns
