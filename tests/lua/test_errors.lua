-- Mistakes: each gives a message with what is wrong, at this file's own line.
local se = require 'sembed'
local check = require 'check'

local function here() return debug.getinfo(2, 'l').currentline end
local FILE = debug.getinfo(1, 'S').source:match '^@(.*)$'

-- f(x) fails with the texts, and names the line that f says.
local function fails_at(line, f, ...)
  check.fails(f, ('%s:%d: '):format(FILE, line), ...)
end

-- Shapes and arguments of ops.
local a, b = se.zeros(2, 3), se.zeros(2, 3)
local line = here() + 1
fails_at(line, function() local _ = a:matmul(b) end, 'matmul', 'f32[2,3]')
line = here() + 1
fails_at(line, function() local _ = a + se.zeros(4, 5) end, 'add', 'f32[2,3]', 'f32[4,5]')
check.fails(function() local _ = se.sum(a, 0) end, 'sum', 'axes count from 1')
check.fails(function() local _ = se.sum(a, 3) end, 'sum', '3')
-- An op made of others, or of a kernel of its own, is named as it was called.
check.fails(function() return (se.cross_entropy(a, se.tensor({ 0, 3 }, 'i32')):item()) end,
  'test_errors.lua', ': cross_entropy: target 1 is 3')
check.fails(function()
  local x = se.tensor { { 0 / 0, 1 } }
  return (se.eval(se.guard(x:softmax())))
end, 'softmax (', 'made 2 NaN')
-- Sizes whose product no 64 bits hold, also where a size of 0 makes it nothing.
local none, big = se.zeros(0, 1, 1), 2 ^ 40
for what, f in pairs {
  zeros = function() return (se.zeros(0, big, big)) end,
  ['tensor: the sizes'] = function() return (se.zeros(big, big)) end,
  ['f32[1099511627776,0,1099511627776]'] = function() return (se.full({ big, 0, big }, 1)) end,
  ['full: size 1 is 1e+300'] = function() return (se.full({ 1e300 }, 1)) end,
  ['dims must be an integer of 64 bits'] = function() return (a:reshape(2 ^ 63)) end,
  reshape = function() return (none:reshape(0, big, big)) end,
  broadcast_to = function() return (none:broadcast_to(0, big, big)) end,
  expand = function() return (none:expand(0, big, big)) end,
  tile = function() return (none:tile(1, big, big)) end,
  pad = function() return (none:pad({ 0, big, big }, { 0, 0, 0 })) end,
  one_hot = function() return (none:expand(0, big, 1):i32():one_hot(2 ^ 30)) end,
  concat = function() local x = none:expand(0, big, 512); return (se.concat({ x, x }, 3)) end,
  outer = function() local x = se.tensor(1):expand(big); return (x:outer(x)) end,
  ['eye: n'] = function() return (se.eye(2 ^ 31)) end,
  eye = function() return (se.eye(2 ^ 31 - 1)) end,
  linspace = function() return (se.linspace(0, 1, 2 ^ 31)) end,
  iota = function() return (se.iota(big)) end,
  random_normal = function() return (se.random.normal(1, { 0, big, big })) end,
} do
  check.fails(f, what == 'zeros' and 'tensor: the sizes multiply to 1.21e+24' or what)
end
check.fails(function() local _ = a:sum { 1, axes = 2 } end, 'axes comes twice')
check.fails(function() local _ = a:sum(1, { axes = 2 }) end, 'axes comes twice')
check.fails(function() local _ = a:sum { 1, true, 3, keep = true } end, 'sum: too many arguments')
check.fails(function() local _ = a:sum { keep = true, [7] = 1 } end, 'unknown argument "7"')
check.fails(function() local _ = a:sum { keap = true } end, 'unknown argument "keap"', '"keep"')
check.fails(function() local _ = a:matmull(b) end, 'unknown method "matmull"', '"matmul"')
check.fails(function() local _ = se.sofmax(a) end, 'unknown name "sofmax"', '"softmax"')
check.fails(function() local _ = a:matmul() end, 'matmul', 'b is missing')
check.fails(function() local _ = a:add('x') end, 'add', 'string came')
check.fails(function() local _ = a:cast 'f31' end, 'unknown dtype "f31"')
check.fails(function() a[1] = 2 end, 'cannot be set')
check.fails(function() se.tensor { { 1, 2 }, { 3 } } end, 'unequal length')
check.fails(function() se.tensor({ 1, 'x' }) end, 'numbers are wanted')
check.fails(function() a:item() end, 'item', '6 elements')
check.fails(function() se.keep(7) end, 'keep: a tensor is wanted: number came')
check.fails(function() se.grad(a, { {} }) end, 'grad: a tensor is wanted: table came')
check.equal(#a, 2, 'rows')
check.fails(function() return a < b end, 'se.less(a, b)')
check.fails(function() return a >= 2 end, 'se.greater_equal(a, b)')
local sums = {}
for i, row in ipairs(se.tensor { { 1, 2 }, { 3, 4 } }) do sums[i] = row:sum():item() end
check.equal(table.concat(sums, ' '), '3 7', 'rows in a loop')

-- Inside model code the recipe's line is named, not the library's.
local model = se.model.mpnet(check.data 'tiny-mpnet')
line = here() + 1
fails_at(line, function() local _ = model(se.text.of_ids { { 0, 5000, 2 } }):totable() end, '5000')
check.fails(function() model.params:get 'encoder.layer.0.attention.attn.q.weigth' end,
  'did you mean "encoder.layer.0.attention.attn.q.weight"')

-- A handle used after its step; a varying value read; an overwritten parameter differentiated.
local kept
se.scope('step 3', function() kept = a + 1 end)
line = here() + 1
fails_at(line, function() local _ = kept + 1 end, 'step 3')
local varying = se.vary(se.zeros(4, 2), 4)
line = here() + 1
fails_at(line, function() varying:totable() end, 'shard')
local p, q = se.tensor { 1, 2 }, se.tensor { 3, 4 }
local y = (p * q):sum()
se.eval(y)
se.optim.sgd({ p }):update(se.grad((p * p):sum(), { p }), { rate = 0.1 }) -- writes over p's bytes
se.eval()
line = here() + 1
fails_at(line, function() se.eval(se.grad(y, q)) end, ('%s:%d'):format(FILE, line - 3), 'assign')

-- A value that is not finite: the op and its line, the assigns dropped.
local before = p:totable()
local bad = (p * 0) / (p * 0)
local bad_line = here() - 1
p:assign(p + bad)
se.guard(bad:sum())
check.fails(function() se.eval() end, 'div', ('%s:%d'):format(FILE, bad_line))
check.equal(p:totable()[1], before[1], 'the parameter is unharmed')

-- Memory: over the limit is an error, and all lives on.
local core_limit = check.run('-e "local se = require [[sembed]]; local t = {} for i = 1, 300 do '
  .. 't[i] = se.zeros(1024, 256) end" memory=200M')
check.ok(core_limit:find('-e:1: ', 1, true), 'the line is named: %s', core_limit)
check.ok(core_limit:find('memory=200M', 1, true), 'the limit is named: %s', core_limit)

-- In an evaluation: the assigns are dropped, the parameter keeps its value.
local starved = check.run('-e "local se = require [[sembed]]; local p = se.ones(4); '
  .. 'p:assign(p + se.iota(60e6):cast([[f32]]):sum()); print(pcall(se.eval)); '
  .. 'print(p:totable()[1], se.stats().nodes_alive < 9)" memory=200M')
check.ok(starved:find('false\t-e:1: ', 1, true) and starved:find('memory=200M', 1, true)
  and starved:find('\n1\ttrue\n', 1, true), 'assigns without memory: %s', starved)

-- Files.
check.fails(function() se.model.mpnet '/nowhere/at-all' end, '/nowhere/at-all', 'no such model')
check.fails(function() se.safetensors.open '/nowhere/x.safetensors' end, '/nowhere/x.safetensors',
  'No such file')
local folder = check.folder()
local whole = check.read(check.data 'tiny-mpnet/model.safetensors')
local cut = check.write(folder .. '/cut.safetensors', whole:sub(1, 2000))
check.fails(function() se.safetensors.open(cut) end, 'cut.safetensors')
local lie = check.write(folder .. '/lie.safetensors',
  '\255\255\255\255\255\255\0\0' .. whole:sub(9))
check.fails(function() se.safetensors.open(lie) end, 'lie.safetensors')
local lines = check.write(folder .. '/bad.jsonl',
  '{"context": "a b c", "response": "d"}\n{"context": "x", "response"\n')
check.fails(function() se.data.pairs { lines, tokenizer = model.tokenizer } end, 'bad.jsonl:2')
local latin = check.write(folder .. '/latin.jsonl', '{"context": "caf\233", "response": "d"}\n')
check.fails(function() se.data.pairs { latin, tokenizer = model.tokenizer } end, 'latin.jsonl:1')
local empty = check.write(folder .. '/empty.jsonl', '')
check.fails(function() se.data.pairs { empty, tokenizer = model.tokenizer } end, 'empty.jsonl',
  'no pairs')
check.fails(function() model.tokenizer:encode 'caf\233' end, 'UTF-8')
local many = {}
for i = 1, 600 do many[i] = se.zeros(1) end
check.fails(function() se.concat(many, 1) end, 'concat: 600 tensors; 512')
check.done()
