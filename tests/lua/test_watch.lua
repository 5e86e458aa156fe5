-- Evaluation while training: when it comes, what it gives, that the training does not notice it;
-- stopping and going on around it.
local se = require 'sembed'
local check = require 'check'
local runs = require 'runs'

local base, small, log_of, same_training = runs.base, runs.small, runs.log, runs.same

local function same_evaluations(a, b)
  local _, x, in_a = log_of(a)
  local _, y, in_b = log_of(b)
  check.equal(in_a, in_b, a .. ' and ' .. b .. ': lines')
  for i = 1, #x do
    for name, value in pairs(x[i].evaluation) do
      check.equal(y[i].evaluation[name], value, ('%s and %s: %s'):format(a, b, name))
    end
  end
end

small 'plain'
local text = small('watched', 'eval=true evaluate=5')
check.ok(text:find('step 5/12  evaluation: accuracy ', 1, true), 'shown: %s', text)
same_training('plain', 'watched')
local steps, found, order = log_of 'watched'
check.equal(order, 'e0 1 2 3 4 5 e5 6 7 8 9 10 e10 11 12 e12', 'lines')
check.ok(found[4].evaluation.loss < found[1].evaluation.loss, 'the loss fell')
check.ok(found[2].seconds > 0 and found[2].elapsed >= steps[5].elapsed, 'times')
small('ends', 'eval=true')
check.equal(select(3, log_of 'ends'), 'e0 1 2 3 4 5 6 7 8 9 10 11 12 e12', 'before and after')

-- What is measured is what the model of that step gives.
local model = se.model.open(base .. '/watched')
local talk = se.data.pairs { check.data 'tiny-mpnet/pairs.jsonl', columns = { 'a', 'b' } }
local x = model:encode(talk:texts('a', 1, 40), { normalize = true })
local y = model:encode(talk:texts('b', 1, 40), { normalize = true })
local last = found[4].evaluation
check.equal(last.one_of, (se.evaluate.one_of(x, y, 20)), '1 of 20')
local scores = x:rows(1, 16):matmul(y:rows(1, 16):t()) * 20
local other = x:rows(17, 32):matmul(y:rows(17, 32):t()) * 20
local own = se.arange(0, 16):cast 'i32'
local sum = 0
for _, s in ipairs { scores, scores:t(), other, other:t() } do
  sum = sum + se.cross_entropy(s, own):mean():item()
end
check.near(last.loss, sum / 4, 1e-5, 'loss of two batches of 16') -- sums in f32
local few = se.evaluate.in_batch(se.loss.in_batch.symmetric(), 100, x, y)
check.equal(few.rows, 40, 'fewer than a batch')

-- Stopped in a step after which it is due, before, within and after it.
for _, stop in ipairs { 'stop=5', 'stop_in=5', 'stop_in=0', 'stop=12', 'stop_in=12', 'stop=7' } do
  local out = stop:gsub('=', '')
  text = small(out, 'eval=true evaluate=5 ' .. stop, 143)
  check.ok(text:find('resume=auto', 1, true), 'how to go on: %s', text)
  small(out, 'eval=true evaluate=5 resume=auto')
  same_training('plain', out)
  same_evaluations('watched', out)
end
small('watched', 'eval=true evaluate=5 resume=auto')
same_evaluations('watched', 'stop7')

-- OUT/best is the best save by the number that cfg.best names; so it is when the run was stopped
-- before, in or after the evaluation that found it, or went on from the save before it.
local function best_of(out)
  return check.read(('%s/%s/best/model.safetensors'):format(base, out))
end
local function step_of(out)
  return se.json.load(('%s/%s/best/run.json'):format(base, out)).step
end
check.ok(not se.files.exists(base .. '/watched/best'), 'none without best=')
small('near', 'eval=true evaluate=5 best=near_5')
same_training('plain', 'near')
check.equal(step_of 'near', 5, 'the step with the largest')
check.ok(best_of 'near' ~= check.read(base .. '/near/model.safetensors'), 'not the last')
small('far', 'eval=true evaluate=5 best=-near_5')
check.equal(step_of 'far', 12, 'the step with the least')
for _, stop in ipairs { 'stop=5', 'stop_in=5', 'stop_in=0', 'stop=7', 'stop_in=10', 'stop=12' } do
  local out = 'near_' .. stop:gsub('=', '')
  small(out, 'eval=true evaluate=5 best=near_5 ' .. stop, 143)
  small(out, 'eval=true evaluate=5 best=near_5 resume=auto')
  same_training('plain', out)
  check.equal(step_of(out), 5, out .. ': the step of the best')
  check.ok(best_of(out) == best_of 'near', '%s: the best is another', out)
end
-- Gone on with another measure: what was best by the first says nothing.
small('other', 'eval=true evaluate=5 best=near_5 stop=7', 143)
text = small('other', 'eval=true evaluate=5 best=-loss resume=auto')
check.ok(text:find('going on with best=-loss; it was near_5', 1, true), '%s', text)
local at_10, at_12 = found[3].evaluation.loss, found[4].evaluation.loss -- those after step 7
check.equal(step_of 'other', at_12 < at_10 and 12 or 10, 'the least loss')
text = small('wrong', 'eval=true evaluate=5 best=nea_5', 1)
check.ok(text:find('best=nea_5: ', 1, true) and text:find('did you mean "near_5"', 1, true), '%s',
  text)
check.ok(not text:find('step 1/12', 1, true), 'before the first step: %s', text)

-- What is no evaluation.
local data = se.data.pairs { check.data 'tiny-mpnet/pairs.jsonl', columns = { 'a', 'b' },
  tokenizer = model.tokenizer, length = 32 }
local cfg = { steps = 1, batch = 4, seed = 1 }
local function with(evaluate, every)
  cfg.evaluate = every
  for _ in se.train.steps(data, cfg, { evaluate = evaluate }) do end
end
check.fails(function() with(7) end, 'evaluate is a number', 'function')
check.fails(function() with(function() end, -1) end, 'evaluate=-1')
check.fails(function() with(function() return 3 end) end, 'gave a number')
check.fails(function() with(function() return { loss = 'low' } end) end, 'loss is a string')
check.fails(function() with(function() error 'mine' end) end, 'mine')
check.fails(function() return se.evaluate.in_batch(print, 0, x, y) end, 'batch is 0')
check.fails(function() return se.evaluate.in_batch(print, 4, x, y:rows(1, 3)) end, '40 and 3 rows')
with(function() end)
cfg.evaluate, cfg.best = nil, true
check.fails(function() with(function() return { loss = 1 } end) end, 'best is a boolean')
cfg.best = nil
local list, seen = se.train.steps(data, cfg, { evaluate = function(s) return { s = s } end })
for _ in list do end
check.equal(seen.first.s, 0, 'first')
check.equal(seen.last.step, 1, 'last')

-- What an evaluation draws is not missing in the training.
local function draws(evaluate)
  se.random.seed(3)
  local drawn = {}
  local loop = se.train.steps(data, { steps = 3, batch = 4, seed = 1, evaluate = 1 },
    { evaluate = evaluate })
  for step in loop do drawn[step] = se.random.uniform({ 1 }):totable()[1] end
  return table.concat(drawn, ' ')
end
check.equal(draws(function() return { x = se.random.uniform({ 5 }):totable()[1] } end), draws(),
  'random numbers')
check.done()
