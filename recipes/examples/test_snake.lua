-- The test of snake.c, which has to be compiled first: its head tells how.
local se = require 'sembed'

local snake = se.op.load 'snake.so'

local x = se.tensor { -1, 0, 1 }
local wanted = x + (x * 2):sin() ^ 2 / 2
assert((snake(x, 2) - wanted):abs():max():item() < 1e-6)
assert((x:snake { a = 2 } - wanted):abs():max():item() < 1e-6)

-- Types, threads, gradients against differences, odd sizes: drawn from .sample.
print(se.op.check 'snake')

-- Mistakes are told where they are made.
local ok, message = pcall(function() return x:snake(-1) end)
assert(not ok and message:find('test_snake.lua:15: snake: a must be positive: -1 came', 1, true))
