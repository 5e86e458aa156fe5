-- What a step of se.train.cached is called with: texts, and what goes to the loss as it is.

local fail = require 'sembed.fail'
local options = require 'sembed.loss.options'

-- The texts' numbers, in a table that tells whether the loss looked at them: notice.taken.
local function noticed(texts)
  local numbers, notice = options.same(unpack(texts)), {}
  if not numbers then return nil, notice end
  return setmetatable({}, { __index = function(_, key)
    notice.taken = notice.taken or key == 'same'
    return numbers[key]
  end }), notice
end

local function place_of(f)
  if type(f) ~= 'function' then return 'a table' end
  local info = debug.getinfo(f, 'S')
  return ('%s:%d'):format(info.short_src, info.linedefined)
end

local function refuse(loss)
  fail.raise("train.cached: the loss (%s) takes no notice of equal texts, which duplicates = "
    .. "'mask' tells of: their numbers come in a table { same = ... } behind its other arguments, "
    .. "and where they are equal a score is to be left out, as in se.loss.in_batch; duplicates = "
    .. "'skip' keeps equal texts out of a batch, 'off' lets them stand", place_of(loss))
end

-- The texts among the arguments of run, and a function that calls the loss with vectors in their
-- places; all else, such as labels or a teacher's vectors, goes to the loss as it is. Texts drawn
-- with duplicates = 'mask' send their numbers along, in a table behind all (se.loss.same), and a
-- loss that does not look there is refused.
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
  local numbers, notice
  if type(arguments[n]) ~= 'table' or arguments[n].starts then
    numbers, notice = noticed(texts)
    arguments[n + 1] = numbers
  end
  return texts, function(vectors)
    for k, i in ipairs(places) do arguments[i] = vectors[k] end
    local value, seen = loss(unpack(arguments, 1, numbers and n + 1 or n))
    if numbers and not notice.taken then refuse(loss) end
    return value, seen
  end
end
