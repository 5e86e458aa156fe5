-- se.op.check: ops are tested from their samples, and what is wrong is found.
local se = require 'sembed'
local check = require 'check'

-- Ops of every kind that come with sembed: with attributes, several outputs, optional and repeated
-- tensors, integers, fused kernels, NaN, nothing to differentiate.
for _, name in ipairs { 'where', 'softmax', 'concat', 'layer_norm', 'topk', 'take', 'argmax',
  'mean_pool', 'cross_entropy', 'matmul', 'dropout', 'cumsum', 'iota', 'reshape', 'std',
  'bce_with_logits' } do
  local line = se.op.check(name)
  check.ok(line:match('^' .. name .. ': %d+ cases, %d+ gradients, %d+ second derivatives$')
    or line == name .. ': 9 cases; it has no gradient' and name == 'argmax'
    or line == name .. ': 3 cases; it has no gradient' and name == 'iota', line)
end

-- An op made in Lua.
local count = 0
local function define(change)
  count = count + 1
  local name = 'checked_' .. count
  local fields = { name = name, args = 'x beta:num=1', doc = 'x * sigmoid(beta x)',
    expand = function(x, beta) return x * (x * beta):sigmoid() end,
    sample = 'x:f32[2x3] -> f32[2x3]; x:f32[1]@1..2 beta=-2; x:f32[]; x:f32[0x4] beta=2' }
  for key, value in pairs(change) do fields[key] = value or nil end
  se.op.define(fields)
  return name
end
check.equal(se.op.check(define {}), 'checked_1: 4 cases, 8 gradients, 8 second derivatives', 'line')

local function found(change, ...)
  local name = define(change)
  check.fails(function() se.op.check(name) end, 'test_check.lua:', 'op.check: ' .. name, ...)
  check.equal(se.tensor({ 0.1 }):bytes(), se.tensor({ 0.1 }):f32():bytes(), 'f32 is float again')
end

-- A gradient that is cut off, and one that is a step's.
found({ expand = function(x) return x * se.stop_grad(x) end },
  '(x:f32[2x3] -> f32[2x3]): gradient of x at element 1: ', ', by differences ')
found({ expand = function(x, beta) return x * beta + se.stop_grad(x * x) end, sample = 'x:f32[3]' },
  '(x:f32[3]): gradient of x at element 1: ')
local function cut(x) return x * se.stop_grad(x) end
local name = define { expand = cut, sample = 'x:f32[3] -grad' }
check.equal(se.op.check(name), name .. ': 1 cases, 0 gradients, 0 second derivatives', '-grad')
name = define { expand = cut, sample = 'x:f32[3]!' }
check.equal(se.op.check(name), name .. ': 1 cases, 0 gradients, 0 second derivatives', '!')

-- Other bits with each call; another type than the sample says; axes count from 1.
found({ expand = function(x) return x * os.clock() end }, '1 and 2 threads give different bits')
found({ sample = 'x:f32[2x3] -> f32[3x2]' }, 'output 1 is f32[2x3], not f32[3x2]')
found({ sample = 'x:f32[2x3] -> f32[2x3] i32[]' }, 'output 2 is nothing, not i32[]')
name = define { args = 'x axis:axis=1', expand = function(x, axis) return x:sum(axis) end,
  sample = 'x:f32[2x3] axis=2 -> f32[2]' }
check.equal(se.op.check(name), name .. ': 1 cases, 6 gradients, 6 second derivatives', 'an axis')

-- A tensor from before cannot be used in double; a scope that went wrong leaves nothing behind.
local half = se.tensor { 0.5 }
local function scaled(x) return x * half end
name = define { expand = scaled, sample = 'x:f32[3]' }
check.fails(function() se.op.check(name) end, 'a tensor of floats meets doubles')
check.same(se.tensor { 2 } * half, se.tensor { 1 }, 'it is there still')

-- What Lua itself says where other types come is no message for a reader.
found({ expand = function(x) return x * (x:rank() > 0 and 1 or nil + 1) end, sample = 'x:f32[3]' },
  'other types and sizes give no message of its own', 'attempt to')

-- Samples that cannot be read.
local function unread(text, ...) found({ sample = text }, 'cannot read', ...) end
unread('x:f64[2]', '"x:f64[2]": NAME:f32[2x3] is wanted, of f32, i32, bool or bf16')
unread('x:f32[2y3]', '"x:f32[2y3]"')
unread('x:f32[2]@1', 'the end of "x:f32[2]@1"')
unread('x:f32[2]=a', 'the end of "x:f32[2]=a"')
unread('x:f32[2] beta=much', '"beta=much"')
unread('x:f32[2] ~small', '"~small"')
found({ sample = 'x:f32[2] gamma=1' }, 'no attribute in "gamma=1"')
found({ sample = 'x:f32[2] bta=1' }, 'no attribute in "bta=1"; did you mean "beta"?')
found({ sample = 'x:f32[2] y:f32[2]' }, 'there is no tensor "y"')
found({ sample = false }, 'has no sample')
found({ sample = ' ; ' }, 'has no sample')
check.fails(function() se.op.check 'sofmax' end, 'test_check.lua:',
  'op.check: unknown op "sofmax"; did you mean "softmax"')
check.fails(function() se.op.check(se.exp) end, 'op.check: a name is wanted: function came')

-- Pending assigns are carried out, in float.
local p = se.tensor { 1, 2 }
p:assign(p * 3)
se.op.check 'exp'
check.same(p, se.tensor { 3, 6 }, 'assigned')

check.done()
