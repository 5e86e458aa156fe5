-- Several things that a save holds as one: an optimizer, a moving average, a learned scale.

local fail = require 'sembed.fail'
local tensor = require 'sembed.tensor'

-- parts: objects with :state() -> names, tensors; nil where there are none. Gives one whose state
-- is that of all; an error where a name comes twice.
return function(parts)
  if #parts == 0 then return end
  for i, part in ipairs(parts) do
    fail.unless(type(part) == 'table' and part.state, 'train.steps: part %d of what is to be saved '
      .. 'has no :state()', i)
  end
  local all = {}
  function all.state()
    local names, tensors, seen = {}, {}, {}
    for _, part in ipairs(parts) do
      local more, values = part:state()
      for i, name in ipairs(more) do
        fail.unless(not seen[name], 'train.steps: "%s" is to be saved twice', name)
        seen[name] = true
        names[#names + 1], tensors[#tensors + 1] = name, values[i]
      end
    end
    return names, tensors
  end
  -- Takes what a save holds: get(name) -> tensor.
  function all.restore(_, get)
    for _, part in ipairs(parts) do
      if part.restore then
        part:restore(get)
      else
        local names, tensors = part:state()
        for i, name in ipairs(names) do tensor.assign(tensors[i], get(name)) end
      end
    end
  end
  all.state() -- names that come twice are told now, not at the first save
  return all
end
