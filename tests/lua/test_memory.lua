-- Memory: dropped tensors are collected in time, steps leave nothing behind, the limit is an error.
local se = require 'sembed'
local check = require 'check'

-- 3,000 dropped tensors of 1 MiB never hold more than 100 MB.
local worst = 0
for i = 1, 3000 do
  local t = se.zeros(512, 512)
  if i % 3 == 0 then
    t = t + 1
    se.eval(t)
  end
  worst = math.max(worst, (se.memory()))
end
check.ok(worst <= 100e6, 'dropped tensors held %.0f MB', worst / 1e6)

-- Live bytes outside the arena: the same at the end of step 50 and of step 300.
local model = se.model.mpnet { vocab = check.data 'tiny-mpnet/vocab.txt', layers = 1, hidden = 32,
  heads = 2, length = 32 }
local talk = se.data.pairs { check.data 'tiny-mpnet/pairs.jsonl', columns = { 'a', 'b' },
  tokenizer = model.tokenizer, length = 32 }
local adam = se.optim.adamw(model.params)
local run = se.train.cached(function(text)
  return (se.normalize(se.mean_pool(model(text), text)))
end, se.loss.in_batch.symmetric(), { params = model.params })
local function held()
  return (se.memory()) - se.stats().arena_bytes
end
local at, nodes = {}, {}
for step, batch in se.train.steps(talk, { steps = 301, batch = 8, seed = 1 }) do
  -- The step before was just closed; this one has made its batch only.
  at[step], nodes[step] = held(), se.stats().nodes_alive
  local value, grads = run(batch.a, batch.b)
  adam:update(grads, { rate = 1e-3 })
  se.train.log { loss = value }
end
local function spread(list)
  local low, high = math.huge, 0
  for step = 50, 301 do low, high = math.min(low, list[step]), math.max(high, list[step]) end
  return high - low
end
-- Batches differ in length: a batch of 8 texts of at most 32 tokens is under 10 kB.
check.ok(spread(at) < 10e3, 'live bytes moved by %d between steps 50 and 301', spread(at))
check.ok(spread(nodes) == 0, 'nodes moved by %d between steps 50 and 301', spread(nodes))

-- Numbers from Lua, operators, errors in between: nothing stays.
collectgarbage()
collectgarbage()
local before = se.stats().handles_alive
local x = se.zeros(4, 4)
for _ = 1, 1000 do
  x = (x + 1) * 2 - 3
  pcall(function() return x:matmul(se.zeros(3, 3)) end)
  x = x:clip(-1, 1)
  se.eval(x)
end
x = nil
collectgarbage()
collectgarbage()
check.equal(x, nil, 'dropped')
check.equal(se.stats().handles_alive, before, 'handles')
check.done()
