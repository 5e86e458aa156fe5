-- The test of power_mean.lua.
local se = require 'sembed'
require 'power_mean'

local x = se.tensor { { 1, 2 }, { 3, 4 } }
assert((x:power_mean(1, 1) - x:mean(1)):abs():max():item() < 1e-6)
assert(math.abs(x:power_mean { axis = 2, p = 2 }[1]:item() - math.sqrt(2.5)) < 1e-6)

-- Types, threads, gradients against differences, odd sizes: drawn from `sample`.
print(se.op.check 'power_mean')
