-- JSON <-> Lua, over core/io/json.h. null is json.null (nil would vanish from lists).

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local C = core.C
local json = {}

-- What null is in Lua: a value of its own, since nil would vanish from lists.
json.null = setmetatable({}, { __tostring = function() return 'null' end })

local Array = {}

-- Marks a table as a list: an empty Lua table is an object, se.json.array {} is [].
function json.array(list) return setmetatable(list, Array) end

-- --- reading ---

local box, size_box = core.new 'se_json *[1]', core.new 'size_t[1]'
local to_lua

local function read_array(v)
  local list = json.array {}
  for i = 0, tonumber(C.se_json_size(v)) - 1 do list[i + 1] = to_lua(C.se_json_at(v, i)) end
  return list
end

local function read_object(v)
  local object, it = {}, C.se_json_first(v)
  while it ~= nil do
    object[core.text(C.se_json_key(it))] = to_lua(C.se_json_value(it))
    it = C.se_json_next(v, it)
  end
  return object
end

local readers = {
  [C.SE_JSON_NULL] = function() return json.null end,
  [C.SE_JSON_BOOL] = function(v) return C.se_json_bool(v) end,
  [C.SE_JSON_INTEGER] = function(v) return C.se_json_number(v) end,
  [C.SE_JSON_REAL] = function(v) return C.se_json_number(v) end,
  [C.SE_JSON_STRING] = function(v)
    local text = C.se_json_string(v, size_box)
    return core.text(text, size_box[0])
  end,
  [C.SE_JSON_ARRAY] = read_array,
  [C.SE_JSON_OBJECT] = read_object,
}

function to_lua(v) return readers[C.se_json_type(v)](v) end

local function take(root)
  local owned = core.gc(root, C.se_json_free)
  local value = to_lua(owned)
  C.se_json_free(core.gc(owned, nil))
  return value
end

-- JSON text -> Lua; `source` names it in messages. What is no JSON is an error with its place.
function json.parse(text, source)
  core.check(C.se_json_parse(text, #text, source or 'JSON', box))
  return take(box[0])
end

-- JSON of `bytes` bytes at a C pointer -> Lua, or nil and the message.
function json.try(pointer, bytes, source)
  if C.se_json_parse(pointer, bytes, source, box) ~= C.SE_OK then
    return nil, core.text(C.se_message())
  end
  return take(box[0])
end

local function kind_of(value)
  if value == json.null then return 'null' end
  if type(value) ~= 'table' then return 'a ' .. type(value) end
  return getmetatable(value) == Array and 'a list' or 'an object'
end

-- The JSON of a file -> Lua; `kind`, where it is given, is what it has to be: 'an object' or 'a
-- list'.
function json.load(path, kind)
  core.check(C.se_json_load(path, box))
  local value = take(box[0])
  if kind and kind_of(value) ~= kind then
    fail.raise('%s: it holds %s; %s is wanted', path, kind_of(value), kind)
  end
  return value
end

-- --- writing ---

local from_lua

-- true for a table that is written as a list: marked as one, or with a first item.
function json.is_list(t)
  return getmetatable(t) == Array or t[1] ~= nil
end
local is_list = json.is_list

local function must(v)
  if v == nil then fail.raise('%s', core.text(C.se_message())) end
  return v
end

local function write_object(t, order)
  local object, done = must(C.se_json_new_object()), {}
  local function set(key)
    done[key] = true
    core.check(C.se_json_set(object, key, from_lua(t[key])))
  end
  for _, key in ipairs(order or {}) do
    if t[key] ~= nil then set(key) end
  end
  local rest = {}
  for key in pairs(t) do
    if not done[key] then rest[#rest + 1] = key end
  end
  table.sort(rest)
  for _, key in ipairs(rest) do set(key) end
  return object
end

function from_lua(value, order)
  if value == json.null then return must(C.se_json_new_null()) end
  local kind = type(value)
  if kind == 'boolean' then return must(C.se_json_of_bool(value)) end
  if kind == 'number' then return must(C.se_json_of_number(value)) end
  if kind == 'string' then return must(C.se_json_of_string(value, #value)) end
  if kind ~= 'table' then fail.raise('json: a %s has no JSON form', kind) end
  if not is_list(value) then return write_object(value, order) end
  local array = must(C.se_json_new_array())
  for _, v in ipairs(value) do core.check(C.se_json_append(array, from_lua(v))) end
  return array
end

local text_box = core.new 'char *[1]'

-- Lua -> JSON text. options: indent (spaces; none: one line), order (a list of keys that come
-- first; the others follow in byte order).
function json.encode(value, options)
  options = options or {}
  local root = core.gc(from_lua(value, options.order), C.se_json_free)
  core.check(C.se_json_dump(root, options.indent or 0, false, text_box, size_box))
  local text = core.text(text_box[0], size_box[0])
  C.se_io_free(text_box[0])
  return text
end

return json
