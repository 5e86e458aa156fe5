-- Groups of parameters by their names, for all optimizers.

local fail = require 'sembed.fail'

local groups = {}

local KEYS = { 'pattern', 'decay', 'rate', 'frozen' }

local function check_group(name, i, group)
  fail.unless(type(group) == 'table' and type(group.pattern) == 'string',
    '%s: group %d: { pattern = \'bias$\', ... } is wanted', name, i)
  for key, value in pairs(group) do
    local kind = key == 'pattern' and 'string' or key == 'frozen' and 'boolean' or 'number'
    local known = false
    for _, other in ipairs(KEYS) do known = known or other == key end
    if not known then
      fail.raise('%s: group %d: %s', name, i, fail.unknown('key', tostring(key), KEYS))
    end
    fail.unless(type(value) == kind, '%s: group %d: %s must be a %s: %s came', name, i, key, kind,
      type(value))
  end
end

-- What holds for each parameter: a list of { decay, rate, frozen }. list: groups { pattern, decay,
-- rate, frozen }, or nil; the first whose Lua pattern is found in the parameter's name decides:
-- decay in the place of `decay`, rate a factor of the rate (1), frozen = true leaves it as it is.
-- A pattern that decides for no parameter is an error.
function groups.read(name, params, list, decay)
  fail.unless(type(params) == 'table', '%s: a list of parameters is wanted: %s came', name,
    fail.kind(params))
  list = list or {}
  fail.unless(#list == 0 or params.names, '%s: groups need names: the parameters are a plain list, '
    .. 'not one of se.nn.params()', name)
  local used, all = {}, {}
  for i, group in ipairs(list) do check_group(name, i, group) end
  for k = 1, #params do
    all[k] = { decay = decay, rate = 1, frozen = false }
    for i, group in ipairs(list) do
      if params.names[k]:find(group.pattern) then
        used[i] = true
        for key in pairs(all[k]) do
          if group[key] ~= nil then all[k][key] = group[key] end
        end
        break
      end
    end
  end
  for i, group in ipairs(list) do
    fail.unless(used[i], '%s: group %d: "%s" decides for no parameter', name, i, group.pattern)
  end
  return all
end

-- A parameter's name in a save.
function groups.name(params, i) return params.names and params.names[i] or tostring(i) end

return groups
