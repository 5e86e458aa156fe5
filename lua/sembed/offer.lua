-- Ops from outside (define.lua, load.lua) under their names: se.NAME, x:NAME, `? NAME`.

local fail = require 'sembed.fail'
local op = require 'sembed.op'

local offer = {}

-- Stops where se.NAME or x:NAME mean something already. `replace`: but not at an op made in Lua.
function offer.check_free(what, name, replace)
  local se, there = require 'sembed', op.specs[name]
  if there and there.place then
    if replace and there.expand then return end
    fail.raise('%s: %s is there already, from %s%s', what, name, there.place,
      there.expand and '; replace = true takes its place' or '')
  elseif there then
    fail.raise('%s: %s is an op already: %s', what, name, there.doc)
  elseif rawget(se, name) ~= nil or getmetatable(se).loaders[name] then
    fail.raise('%s: se.%s is there already', what, name)
  elseif require('sembed.tensor').methods[name] then
    fail.raise('%s: tensors have a method %s already', what, name)
  end
end

-- `f` is what a call of the op runs; spec.place tells where the op comes from.
function offer.add(spec, f)
  local name = spec.name
  if not op.specs[name] then
    op.names[#op.names + 1] = name
    table.sort(op.names)
  end
  op.specs[name], op.functions[name] = spec, f
  require('sembed.tensor').methods[name] = f
  rawset(require 'sembed', name, f)
end

return offer
