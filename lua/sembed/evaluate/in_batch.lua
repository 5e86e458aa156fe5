-- A training's own loss on texts that are held out: unit vectors (n, dims) go through it in batches
-- of `batch` rows, in order; rows beyond the last whole batch do not, unless there is none.
--
--   se.evaluate.in_batch(loss, cfg.batch, a, b)  ->  { loss = , accuracy = , rows = }
--
-- loss(a, b) -> value, seen, as se.train.cached takes it: beside the loss each number of `seen` is
-- given, too, as the mean over the batches.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local tensor = require 'sembed.tensor'

local function number(value) return core.is_tensor(value) and value:item() or value end

local function add(sums, name, value) sums[name] = (sums[name] or 0) + value end

return function(loss, batch, a, b)
  fail.unless(type(batch) == 'number' and batch >= 1 and batch % 1 == 0,
    'evaluate.in_batch: batch is %s: a count is wanted', tostring(batch))
  fail.unless(#a == #b and #a > 0, 'evaluate.in_batch: %d and %d rows', #a, #b)
  local rows = math.min(batch, #a)
  local parts = math.floor(#a / rows)
  local sums = {}
  for k = 0, parts - 1 do
    tensor.scope('evaluate.in_batch', function()
      local first, last = k * rows + 1, (k + 1) * rows
      local value, seen = loss(a:rows(first, last), b:rows(first, last))
      add(sums, 'loss', number(value))
      for name, v in pairs(seen or {}) do add(sums, name, number(v)) end
    end)
  end
  for name, sum in pairs(sums) do sums[name] = sum / parts end
  sums.rows = rows * parts
  return sums
end
