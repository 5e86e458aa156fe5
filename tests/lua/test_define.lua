-- Ops made in Lua: they are called, explained, checked and differentiated like those of the table.
local se = require 'sembed'
local check = require 'check'

local swish = se.op.define {
  name = 'swish', args = 'x beta:num=1', doc = 'x * sigmoid(beta * x)',
  expand = function(x, beta) return x * (x * beta):sigmoid() end,
}

-- Every way to call it.
local x = se.tensor { { -1, 0.5 }, { 2, -3 } }
local wanted = x * (x * 2):sigmoid()
check.same(se.swish(x, 2), wanted, 'se.swish')
check.same(x:swish(2), wanted, 'x:swish')
check.same(x:swish { beta = 2 }, wanted, 'by name')
check.same(swish(x, 2), wanted, 'what define returns')
check.same(x:swish(), x * x:sigmoid(), 'the default')
check.near(se.swish(2):item(), 2 / (1 + math.exp(-2)), 1e-6, 'of a plain number')
check.near(se.grad(x:swish(2):sum(), x), se.grad(wanted:sum(), x), 0, 'gradient')
local double = se.grad(se.grad(x:swish():sum(), x):sum(), x)
check.near(double, se.grad(se.grad((x * x:sigmoid()):sum(), x):sum(), x), 1e-6, 'second gradient')

-- Help, and the same refusals as any op's.
check.equal(require('sembed.help') 'swish':match '^(.-)\n', 'swish(x, beta = 1)', '? swish')
check.fails(function() x:swish { bta = 2 } end, 'test_define.lua:', 'swish: unknown argument "bta"',
  'did you mean "beta"')
check.fails(function() x:swish 'much' end, 'swish: beta must be a number: string came')
check.fails(function() x:swish(1, 2) end, 'swish: too many arguments: 3 came; it is swish(x, beta')
check.fails(function() se.swish() end, 'test_define.lua:', 'swish: x is missing')
check.fails(function() se.swish 'x' end, 'swish: x must be a tensor or a number: string came')
check.fails(function() x:swihs() end, 'did you mean "swish"')

-- Axes count from 1; lists, optional and repeated tensors, several outputs.
se.op.define {
  name = 'centered', args = 'x bias? axes:axes=-1 scale:num=1', doc = 'x minus its mean, plus bias',
  outs = 'y mean',
  expand = function(t, bias, axes, scale)
    local mean = t:mean { axes = axes, keep = true }
    local y = (t - mean) * scale
    return bias and y + bias or y, mean
  end,
}
local y, mean = x:centered()
check.near(mean, se.tensor { { -0.25 }, { -0.5 } }, 1e-7, 'mean')
check.near(y, x - mean, 0, 'centered')
check.near(x:centered(se.tensor { 1, 1 }, 1, 2), (x - x:mean(1)) * 2 + 1, 1e-6, 'axis 1, bias')
check.near(x:centered { axes = { 1, 2 } }, x - x:mean(), 1e-6, 'both axes')
check.fails(function() x:centered { axes = 0 } end, 'centered', 'axes count from 1')
check.equal(require('sembed.help') 'centered':match '^(.-)\n',
  'centered(x, [bias], axes = -1, scale = 1) -> y, mean', '? centered')
se.op.define {
  name = 'total', args = 'first rest*', doc = 'the sum of all',
  expand = function(first, rest)
    for _, t in ipairs(rest) do first = first + t end
    return first
  end,
}
check.near(se.total(x, x, x), x * 3, 1e-6, 'several tensors')
check.near(se.total({ x, x }), x * 2, 1e-6, 'a list of them')
check.fails(function() se.total(x) end, 'total: rest is missing')

-- A mistake in a definition.
local function define(change)
  local fields = { name = 'other', args = 'x', doc = 'a doc', expand = function(t) return t end }
  for key, value in pairs(change) do fields[key] = value or nil end
  return function() se.op.define(fields) end
end
local function refused(change, ...) check.fails(define(change), 'test_define.lua:', ...) end
refused({ name = 'softmax' }, 'op.define: softmax is an op already')
refused({ name = 'swish' }, 'op.define: swish is there already, from', 'test_define.lua:5',
  'replace = true')
refused({ name = 'train' }, 'op.define: se.train is there already')
refused({ name = 'shape' }, 'op.define: tensors have a method shape already')
refused({ name = 'My op' }, 'name must be small letters', '"My op" came')
refused({ expnd = print }, 'op.define: unknown field "expnd"; did you mean "expand"')
refused({ doc = false }, 'op.define: doc is missing')
refused({ doc = 'two\nlines' }, 'other: doc must be one line')
refused({ expand = 'x' }, 'op.define: expand must be a function: string came')
refused({ args = 'x beta:' }, 'other: args cannot be read at "beta:"')
refused({ args = 'x beta:nun=1' }, 'other: args: beta: unknown kind "nun"; did you mean "num"')
refused({ args = 'beta:num x' }, 'other: args: tensors come first')
refused({ args = 'x x' }, 'args: "x" comes twice')
refused({ args = 'xs* y' }, 'args: xs* must be the last tensor')
refused({ args = 'x? y' }, 'args: y comes after x?')
refused({ args = 'x n:int=1.5' }, 'other: n must be an integer: 1.5 came')
refused({ args = 'x axis:axis=0' }, 'other: no axis 0: axes count from 1')
refused({ args = 'a:int b:int c:int d:int e:int f:int g:int h:int i:int' }, '9 attributes')
refused({ outs = 'y, z' }, 'other: outs: "y," is no name')
refused({ outs = 'a b c d e' }, 'outs has 5 names')
check.fails(function() se.op.define 'swish' end, 'op.define: a table of fields is wanted')
check.ok(rawget(se, 'other') == nil, 'a refused op left nothing behind')

-- An expansion that gives no tensor.
local gives = {}
define { name = 'broken', expand = function() return unpack(gives, 1, gives.n or #gives) end } ()
check.fails(function() x:broken() end, 'test_define.lua:',
  'broken: expand must return a tensor: nothing came')
gives = { 3 }
check.fails(function() x:broken() end, 'broken: expand must return a tensor: number came')
gives = { x, x }
check.fails(function() x:broken() end, 'broken: expand gave 2 values; 1 is wanted')
gives = { x }
check.same(x:broken(), x, 'mended')

-- Made anew, as one does at the prompt.
define { name = 'broken', replace = true, expand = function(t) return t + 1 end } ()
check.same(x:broken(), x + 1, 'made anew')
check.fails(define { name = 'exp', replace = true }, 'exp is an op already')

check.done()
