-- The test of hardest.lua.
local se = require 'sembed'
local loss = require 'hardest' (0.5)

-- By hand. Cosines {0.6, 0}, {0.8, 1}: the first text misses nothing, the second 0.8 - 1 + 0.5.
local a, b = se.tensor { { 1, 0 }, { 0, 1 } }, se.tensor { { 0.6, 0.8 }, { 0, 1 } }
local value, seen = loss(a, b)
assert(math.abs(value:item() - 0.3 / 2) < 1e-6)
assert(seen.accuracy:item() == 1)

-- The gradient is that of differences.
local slope = se.grad(value, a):totable()
for row = 1, 2 do
  for column = 1, 2 do
    local step = se.tensor { { 0, 0 }, { 0, 0 } }:totable()
    step[row][column] = 0.01
    local up, down = loss(a + se.tensor(step), b), loss(a - se.tensor(step), b)
    assert(math.abs((up - down):item() / 0.02 - slope[row][column]) < 1e-4)
  end
end
print 'hardest: value and gradient are right'
