-- Runs of small_run.lua in a folder of their own, for the tests of the training loop: what they
-- print and log, and whether two are the same training.

local se = require 'sembed'
local check = require 'check'

local runs = { recipe = se.run.folder .. '/small_run.lua', base = check.folder() }

-- Runs it with out=BASE/out and more keys; it must end with `status` (0). Gives what it printed.
function runs.small(out, keys, status)
  local text, got = check.run(('%s out=%s/%s %s'):format(runs.recipe, runs.base, out, keys or ''))
  check.equal(got, status or 0, ('%s %s: status (%s)'):format(out, keys or '', text))
  return text
end

-- The values of a file of JSON lines.
function runs.lines(path)
  local list = {}
  for line in se.data.lines(path) do list[#list + 1] = se.json.parse(line) end
  return list
end

-- A run's log: the lines of steps, those of evaluations, and the order of all: "e0 1 2 e2".
function runs.log(out)
  local steps, found, order = {}, {}, {}
  for _, record in ipairs(runs.lines(('%s/%s/log.jsonl'):format(runs.base, out))) do
    local list = record.evaluation and found or steps
    list[#list + 1] = record
    order[#order + 1] = (record.evaluation and 'e' or '') .. record.step
  end
  return steps, found, table.concat(order, ' ')
end

-- The same steps and the same state at the end, bit for bit.
function runs.same(a, b)
  local x, y = runs.log(a), runs.log(b)
  check.equal(#x, #y, a .. ' and ' .. b .. ': steps')
  for i = 1, #x do
    check.equal(x[i].step, i, 'step')
    check.equal(x[i].loss, y[i].loss, ('%s and %s: loss of step %d'):format(a, b, i))
    check.equal(x[i].norm, y[i].norm, ('%s and %s: norm of step %d'):format(a, b, i))
  end
  for _, name in ipairs { 'model.safetensors', 'last/optimizer.safetensors' } do
    check.ok(check.read(('%s/%s/%s'):format(runs.base, a, name))
      == check.read(('%s/%s/%s'):format(runs.base, b, name)), '%s and %s: %s differs', a, b, name)
  end
end

return runs
