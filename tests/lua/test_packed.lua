-- Weights that are used again and again are packed once: same bits, and a weight that was assigned
-- is never read from its old copy. The copy goes with the weight.
local se = require 'sembed'
local check = require 'check'

local function held()
  return (se.memory()) - se.stats().arena_bytes
end
local function draw(seed, ...)
  local x = se.random.normal(se.random.key(seed), { ... })
  se.keep(x)
  se.eval(x)
  return x
end

local x, packs = draw(1, 7, 90), se.isa() ~= 'portable'
do
  local w, b = draw(2, 130, 90), draw(3, 130)
  local before, all = held(), {}
  for i = 1, 5 do
    all[i] = se.keep(se.linear(x, w, b))
    se.eval(all[i])
  end
  for i = 2, 5 do check.same(all[i], all[1], 'the product, time ' .. i) end
  local more = held() - before - 5 * 7 * 130 * 4
  if packs then
    check.ok(more >= 130 * 90 * 4, 'the weight was not packed: %d bytes more', more)
    check.ok(more <= 2 * 130 * 90 * 4, 'packing took %d bytes', more)
  else
    check.equal(more, 0, 'bytes of a weight that has no packed form')
  end

  -- A new value, made by an optimizer in the memory of the old one and by a plain assign.
  local adam = se.optim.adamw { w }
  for step = 1, 4 do
    local loss = se.linear(x, w, b):sum()
    adam:update(se.grad(loss, { w }), { rate = 0.1 })
    se.eval(loss)
    local got = se.keep(se.linear(x, w, b))
    se.eval(got)
    check.near(got, x:matmul(w:t()) + b, 1e-4, 'the product after step ' .. step)
  end
  local other = draw(4, 130, 90)
  se.assign(w, other)
  for i = 1, 4 do
    local got = se.keep(se.linear(x, w, b))
    se.eval(got)
    check.near(got, x:matmul(other:t()) + b, 1e-4, 'the product after an assign, time ' .. i)
  end
end
collectgarbage()
collectgarbage()
check.ok(held() <= 2 * 7 * 90 * 4, '%d bytes are left', held())
check.done()
