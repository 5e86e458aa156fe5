-- The different values of a tensor. Their number depends on the values, so x is computed here.
--
--   local values, counts, places = se.unique(x)
--
-- values [n] from the smallest to the largest; counts i32[n], how often each stands in x; places
-- i32, of x's shape: values[places] is x. Every NaN is a value of its own, at the end.

local make = require 'sembed.make'
local op = require 'sembed.op'

local f = op.functions

return function(x)
  local flat = f.stop_grad(f.reshape(x, -1))
  local n = flat:size(1)
  local empty = make.full({ 0 }, 0, 'i32')
  if n == 0 then return flat, empty, empty:reshape { dims = x:shape() } end
  local sorted, order = f.sort(flat)
  local differs = f.not_equal(f.slice(sorted, 1, 1, n), f.slice(sorted, 1, 0, n - 1))
  local group = f.concat({ make.full({ 1 }, 0, 'i32'), f.cumsum(differs) }, 1) -- of sorted[i]
  local first = f.concat({ make.full({ 1 }, true, 'bool'), differs }, 1)
  local count = f.slice(group, 1, -1, n):item() + 1
  local starts = f.slice(f.argsort(first, 1, true), 1, 0, count)
  local ends = f.concat({ f.slice(starts, 1, 1, count), make.full({ 1 }, n, 'i32') }, 1)
  local places = f.take(group, f.argsort(order))
  return f.take(sorted, starts), f.sub(ends, starts), f.reshape(places, { dims = x:shape() })
end
