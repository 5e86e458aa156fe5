-- GradCache: the gradients of a batch in chunks are those of the whole batch, dropout on; and a
-- training in chunks follows the one without.
local se = require 'sembed'
local check = require 'check'
local C = require('sembed.ffi').C

local LITTLE = 20 * 2 ^ 20 -- bytes: about half of the batch below fits

local folder = check.data 'tiny-mpnet'
local function fresh()
  return (se.model.mpnet { vocab = folder .. '/vocab.txt', layers = 2, hidden = 64, heads = 4,
    length = 128, dropout = 0.1, seed = 3 })
end
local model = fresh()
local talk = se.data.pairs { folder .. '/pairs.jsonl', columns = { 'a', 'b' },
  tokenizer = model.tokenizer, length = 128 }
local function encoder(m)
  return function(text) return (se.normalize(se.mean_pool(m(text), text))) end
end
local loss = se.loss.in_batch.symmetric()

local function gradients(chunk, batch, tokens)
  local run = se.train.cached(encoder(model), loss, { params = model.params, chunk = chunk,
    tokens = tokens })
  local value, grads, seen = run(batch.a, batch.b)
  local list = {}
  for i = 1, #model.params do list[i] = grads[i] end
  se.eval(value, seen.accuracy)
  se.eval(list)
  return value:item(), seen.accuracy:item(), list
end

-- Chunks of every kind: one text, some with a remainder, nearly all.
for step, batch in se.train.steps(talk, { steps = 1, batch = 150, seed = 5 }) do
  check.equal(step, 1, 'step')
  local value, accuracy, whole = gradients(nil, batch)
  for _, how in ipairs { { 1 }, { 7 }, { 16 }, { 47 }, { 0, 100 }, { 0, 1 }, { 9, 120 },
    { 0, 0 } } do
    local name = ('chunks of %d texts, %d tokens'):format(how[1], how[2] or 0)
    if how[2] == 0 then C.se_memory_limit(LITTLE) end -- the limit decides
    local v, a, list = gradients(how[1], batch, how[2])
    if how[2] == 0 then C.se_memory_limit(0) end
    check.close(v, value, 1e-6, name .. ', loss')
    check.equal(a, accuracy, name .. ', accuracy')
    local apart, all = 0, 0
    for i, g in ipairs(whole) do
      local d = list[i] - g
      apart = apart + (d * d):sum():item(true)
      all = all + (g * g):sum():item(true)
    end
    -- Sums over texts are grouped differently: float32 rounding, nothing else.
    check.ok(math.sqrt(apart) <= 1e-6 * math.sqrt(all), '%s: gradients are off by %g', name,
      math.sqrt(apart / all))
  end
end

-- Some steps of training, and nothing left behind.
local function train(chunk, steps)
  local m = fresh()
  local adam = se.optim.adamw(m.params)
  local run = se.train.cached(encoder(m), loss, { params = m.params, chunk = chunk })
  local data = se.data.pairs { folder .. '/pairs.jsonl', columns = { 'a', 'b' },
    tokenizer = m.tokenizer, length = 128 }
  local losses = {}
  for step, batch in se.train.steps(data, { steps = steps, batch = 32, seed = 1 }) do
    local value, grads = run(batch.a, batch.b)
    adam:update(grads, { rate = 1e-3, clip = 1 })
    se.eval(value)
    losses[step] = value:item()
  end
  return losses
end
local whole, chunked = train(0, 6), train(5, 6)
for step, value in ipairs(whole) do
  check.close(chunked[step], value, 1e-5, 'loss of step ' .. step)
end
collectgarbage()
collectgarbage()
local nodes = se.stats().nodes_alive
train(5, 3)
collectgarbage()
collectgarbage()
check.equal(se.stats().nodes_alive, nodes, 'nodes')
check.done()
