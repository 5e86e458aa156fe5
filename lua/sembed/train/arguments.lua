-- What a step of se.train.cached is called with: texts, and what goes to the loss as it is.

local fail = require 'sembed.fail'
local options = require 'sembed.loss.options'

-- The texts among the arguments of run, and a function that calls the loss with vectors in their
-- places; all else, such as labels or a teacher's vectors, goes to the loss as it is. Texts drawn
-- with duplicates = 'mask' send their numbers along, in a table behind all (se.loss.same).
return function(loss, ...)
  local arguments, texts, places = { ... }, {}, {}
  local n = select('#', ...)
  for i = 1, n do
    local value = arguments[i]
    if type(value) == 'table' and value.starts then
      texts[#texts + 1], places[#places + 1] = value, i
    end
  end
  fail.unless(#texts > 0, 'train.cached: run(text, ...): no packed text came')
  if type(arguments[n]) ~= 'table' or arguments[n].starts then
    arguments[n + 1] = options.same(unpack(texts))
  end
  return texts, function(vectors)
    for k, i in ipairs(places) do arguments[i] = vectors[k] end
    return loss(unpack(arguments))
  end
end
