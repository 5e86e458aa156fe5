-- What a person can reach from `se`: reach(f) calls f(path, value) for each module and function,
-- 'se.train.steps', found by walking the tables themselves.

local se = require 'sembed'

return function(f)
  local seen = {}
  local function walk(path, value)
    if seen[value] then return end
    seen[value] = true
    f(path, value)
    if type(value) ~= 'table' then return end
    local meta = getmetatable(value)
    for key in pairs(meta and meta.loaders or {}) do walk(path .. '.' .. key, value[key]) end
    for key, member in pairs(value) do
      if type(key) == 'string' and type(member) == 'function' and key:sub(1, 2) ~= '__'
        and path ~= 'se.session' then walk(path .. '.' .. key, member) end
    end
  end
  walk('se', se)
end
