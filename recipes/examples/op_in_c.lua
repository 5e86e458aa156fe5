-- An op in C from outside of sembed's tree: snake.c tells how it is compiled.
local se = require 'sembed'

local snake = se.op.load 'snake.so'

local x = se.tensor { -1, 0, 1 }
print(snake(x, 2))
print(x:snake { a = 2 })
print(se.grad(x:snake(2):sum(), x))
