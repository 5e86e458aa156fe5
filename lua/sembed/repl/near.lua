-- What a message lacks: "attempt to call field 'flor' (a nil value)" does not say which name was
-- meant. The name is looked for on the line of the error, and what stands before it in the frame.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local near = {}

-- The keys that value[key] may have: of the table, of what its metatable leads to, of a namespace.
function near.keys(value)
  local names, seen = {}, {}
  local function add(t)
    if type(t) ~= 'table' or seen[t] then return end
    seen[t] = true
    for key in next, t do
      if type(key) == 'string' and not names[key] then
        names[key], names[#names + 1] = true, key
      end
    end
    local meta = getmetatable(t)
    if type(meta) == 'table' then
      if type(rawget(meta, 'loaders')) == 'table' then add(meta.loaders) end
      add(rawget(meta, '__index'))
    end
  end
  if core.is_tensor(value) then
    add(require('sembed.tensor').methods)
  elseif type(value) == 'table' then
    add(value)
  else
    local meta = debug.getmetatable(value)
    if type(meta) == 'table' then add(rawget(meta, '__index')) end
  end
  table.sort(names)
  return names
end

-- The names that a function sees at a level of the stack: locals, upvalues, globals. Gives a
-- function from name to value, and a list of all of them.
function near.scope(level, env)
  local values, names = {}, {}
  local function add(name, value)
    if name:match '^[%a_]' then values[name], names[#names + 1] = value, name end
  end
  local info = debug.getinfo(level + 1, 'f')
  for i = 1, 200 do
    local name, value = debug.getupvalue(info.func, i)
    if not name then break end
    add(name, value)
  end
  for i = 1, 250 do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    add(name, value)
  end
  local globals = debug.getfenv(info.func) or env
  for _, key in ipairs(near.keys(globals)) do names[#names + 1] = key end
  return function(name)
    if values[name] ~= nil then return values[name] end
    return globals[name]
  end, names
end

-- The value of "a.b.c" with look_up for "a"; nil where there is none.
function near.follow(path, look_up)
  local value
  local first = true
  for name in path:gmatch '[^.:]+' do
    if first then
      value, first = look_up(name), false
    else
      local ok, found = pcall(function() return value[name] end)
      if not ok then return nil end
      value = found
    end
    if value == nil then return nil end
  end
  return value
end

local function suggestion(name, known)
  local found = fail.nearest(name, known)
  return found and found ~= name and found or nil
end

-- For `path` (names with dots), whose value is nil: the name meant by its last part, or nil.
function near.of_path(path, look_up, names)
  local before, last = path:match '^(.*)[.:]([^.:]+)$'
  if not before then return suggestion(path, names) end
  local holder = near.follow(before, look_up)
  return holder ~= nil and suggestion(last, near.keys(holder)) or nil
end

-- The message with the name that was meant, where one is near. `line`: the source line of the
-- error, or nil.
function near.complete(message, line, look_up, names)
  local kind, name = message:match "(%a+) '([^']+)' %(a nil value%)$"
  local found
  if kind == 'global' or kind == 'local' or kind == 'upvalue' then
    found = suggestion(name, names)
  elseif name and line then
    for path in line:gmatch '[%a_][%w_.:]*' do
      if path:match '[.:]([^.:]+)$' == name then
        found = found or near.of_path(path, look_up, names)
      end
    end
  end
  return found and ('%s; did you mean "%s"?'):format(message, found) or message
end

return near
