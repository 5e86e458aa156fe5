-- Which of a folder's layers a smaller model keeps: se.model.open(DIR, { layers = 4 }).

local fail = require 'sembed.fail'

-- How many are kept, spread evenly: each is the middle of its share, of 12 four are 2, 5, 8, 11.
local function spread(n, of)
  local list = {}
  for k = 1, n do list[k] = math.floor((k - 0.5) * of / n) + 1 end
  return list
end

-- wanted: how many, or a list of numbers from 1, in ascending order; of: how many there are.
return function(wanted, of, where)
  local list = wanted
  if type(wanted) == 'number' then
    fail.unless(wanted >= 1 and wanted % 1 == 0 and wanted <= of,
      '%s: layers=%s: 1 to %d is wanted', where, tostring(wanted), of)
    return spread(wanted, of)
  end
  fail.unless(type(list) == 'table' and #list > 0,
    '%s: layers: how many, or a list of their numbers from 1, is wanted: %s came', where,
    fail.kind(wanted))
  for i, k in ipairs(list) do
    local last = list[i - 1] or 0
    fail.unless(type(k) == 'number' and k % 1 == 0 and k > last and k <= of, '%s: layers: %s at '
      .. 'place %d: a number from %d to %d is wanted', where, tostring(k), i, last + 1, of)
  end
  return list
end
