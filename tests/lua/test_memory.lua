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

-- A running sum holds its last value only, and its gradient still knows the way.
local a, y, rounds = se.zeros(512, 512), se.ones(512, 512), 300
worst = 0
for _ = 1, rounds do
  a = a + y
  se.eval(a)
  worst = math.max(worst, (se.memory()))
end
check.ok(worst <= 100e6, 'a running sum held %.0f MB', worst / 1e6)
local slope = se.grad(a:sum(), y)
check.equal(slope:mean():item(), rounds, 'the gradient of a running sum')

-- A computed value that an op waits for stays without a name, also when what it came from is gone.
local from = se.tensor { 1, 2, 3 }
local middle = from * 2
se.eval(middle)
local after_middle = middle + 1
middle = nil -- luacheck: ignore
collectgarbage()
collectgarbage()
from:assign(se.tensor { 0, 0, 0 })
se.eval()
check.equal(table.concat(after_middle:totable(), ' '), '3 5 7', 'a value that was waited for')
a, y, slope = nil, nil, nil -- luacheck: ignore
collectgarbage()
collectgarbage()

-- Live bytes outside the arena: the same at the end of step 50 and of step 1,000.
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
local function after(steps)
  for step, batch in se.train.steps(talk, { steps = steps, batch = 8, seed = 1 }) do
    local value, grads = run(batch.a, batch.b)
    adam:update(grads, { rate = 1e-3 })
    se.train.log { step = step, loss = value }
  end
  return held(), se.stats().nodes_alive
end
local bytes, nodes = after(50)
local bytes_later, nodes_later = after(950)
check.equal(bytes_later, bytes, 'live bytes after step 50 and 950 steps later')
check.equal(nodes_later, nodes, 'nodes after step 50 and 950 steps later')

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
