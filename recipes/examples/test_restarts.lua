-- The test of restarts.lua.
local rate = require 'restarts' { lr = 2, cycle = 10 }

for step, wanted in pairs { [1] = 2, [6] = 1, [11] = 2, [21] = 1, [31] = 2, [51] = 1 } do
  assert(math.abs(rate(step) - wanted) < 1e-12, step)
end
assert(rate(10) < 0.1 and rate(30) < 0.1)
print 'restarts: the rates are right'
