-- reload 'NAME': loads a module anew without losing state. The module's table stays the one that
-- others hold: its functions become the new ones wherever tables or functions refer to the old
-- ones. Tables of the module and tables local to it stay, with what they hold, and get what is new;
-- a local number or text is the new file's. A module that cannot be loaded leaves the old one.

local fail = require 'sembed.fail'

-- The upvalues of a function by name: their places.
local function upvalues(f)
  local list, i = {}, 1
  while true do
    local name = debug.getupvalue(f, i)
    if not name then return list end
    list[name], i = i, i + 1
  end
end

local match_value

local function match_function(old, new, map)
  if map[old] then return end
  map[old] = new
  local before, after = upvalues(old), upvalues(new)
  for name, i in pairs(after) do
    local j = before[name]
    local _, was = debug.getupvalue(old, j or 0)
    local _, is = debug.getupvalue(new, i)
    if j and was ~= is and not (name == 'core' or name == 'fail') then
      if type(was) == 'table' and type(is) == 'table' then
        match_value(was, is, map)
        debug.setupvalue(new, i, was)
      elseif type(was) == 'function' and type(is) == 'function' then
        match_value(was, is, map)
      end
    end
  end
end

local function match_table(old, new, map)
  if map[new] then return end
  map[new] = old
  for key, value in next, new do
    local was = rawget(old, key)
    if type(value) == 'function' and type(was) == 'function' then
      match_function(was, value, map)
      rawset(old, key, value)
    elseif type(value) == 'table' and type(was) == 'table' and was ~= value then
      match_table(was, value, map)
    elseif was == nil or (type(value) == 'function' and type(was) ~= 'table') then
      rawset(old, key, value)
    end
  end
end

function match_value(old, new, map)
  if type(old) == 'function' then return match_function(old, new, map) end
  return match_table(old, new, map)
end

-- Everything that refers to an old function refers to the new one from here on.
local function replace(map)
  local seen, stack = { [map] = true }, { debug.getregistry(), _G }
  local function visit(value)
    local kind = type(value)
    if (kind == 'table' or kind == 'function') and not seen[value] then
      stack[#stack + 1] = value
    end
  end
  while stack[1] do
    local value = table.remove(stack)
    if not seen[value] then
      seen[value] = true
      if type(value) == 'table' then
        for key, held in next, value do
          if type(held) == 'function' and map[held] then
            rawset(value, key, map[held])
          end
          visit(rawget(value, key))
        end
        visit(debug.getmetatable(value))
      else
        visit(debug.getfenv(value))
        for _, i in pairs(upvalues(value)) do
          local _, held = debug.getupvalue(value, i)
          if type(held) == 'function' and map[held] then debug.setupvalue(value, i, map[held]) end
          visit((select(2, debug.getupvalue(value, i))))
        end
      end
    end
  end
end

return function(name)
  fail.unless(type(name) == 'string', "reload: a module's name is wanted: %s came", type(name))
  local old = package.loaded[name]
  fail.unless(old ~= nil, 'reload: "%s" is not loaded', name)
  package.loaded[name] = nil
  local ok, new = pcall(require, name)
  package.loaded[name] = old
  if not ok then fail.raise('reload: the old module stays: %s', tostring(new)) end
  if type(old) ~= type(new) or (type(old) ~= 'table' and type(old) ~= 'function') then
    package.loaded[name] = new
    return new
  end
  local map = {}
  match_value(old, new, map)
  replace(map)
  return package.loaded[name]
end
