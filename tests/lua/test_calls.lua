-- Calls of ops from Lua (core/call.c): every form of the arguments, a message at the recipe's line
-- for each that cannot be taken, and no handle lost or used too late while Lua collects.
local se = require 'sembed'
local check = require 'check'

-- --- forms ---

local x = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
local function same(a, b, what)
  check.equal(table.concat(a:shape(), 'x'), table.concat(b:shape(), 'x'), what)
  check.equal(a:bytes(), b:bytes(), what)
end

same(se.sum(x, 1, true), x:sum { axes = 1, keep = true }, 'attributes by position and by name')
same(se.sum(x, { 1, 2 }), se.sum { x = x, axes = { -1, -2 } }, 'a tensor by name')
same(x:reshape(3, 2), x:reshape { dims = { 3, 2 } }, 'numbers in a row')
same(x:reshape(3, 2), x:reshape { 3, 2 }, 'a list')
same(x:sum { 1, keep = true }, x:sum(1, true), 'positions, then names, in one table')
same(se.concat { x, x, axis = 2 }, se.concat({ x, x }, 2), 'tensors and a name in one table')
same(x:sum(nil, true), x:sum { keep = true }, 'nil is the default')
same(se.concat({ x, x }, 1), se.concat(x, x, 1), 'a list of tensors and a row of them')
same(se.where(x:bool(), x, 7), se.where { x = x, y = 7, cond = x:bool() }, 'three names')
same(2 + x, x + 2, 'a number on the left')
same(-x, x * -1, 'minus')
local values, ids = x:topk { k = 2 }
check.equal(values:dtype() .. ids:dtype(), 'f32i32', 'two outputs')
check.equal(select('#', x:topk(2)), 2, 'two outputs')
check.equal(select('#', x:exp()), 1, 'one output')
local text = setmetatable({ starts = se.tensor({ 0, 1, 2 }, 'i32') }, { __index = {} })
same(se.mean_pool(x, text), x, 'a packed text stands for its starts')
check.equal(x, x, 'a tensor is itself')
check.ok(x ~= x + 0 and x ~= 1 and x ~= nil, 'and nothing else')
local key = { [x] = 'found' }
check.equal(key[x], 'found', 'a key of a table')
check.ok(not pcall(se.exp, 5LL) and not pcall(se.exp, 0LL), 'other data of FFI is no tensor')

-- --- what cannot be taken ---

local function message(f)
  local ok, text_ = pcall(f)
  check.ok(not ok, 'taken')
  return tostring(text_)
end
local function refused(wanted, f)
  local here = debug.getinfo(f, 'S')
  local got = message(f)
  check.equal(got, ('%s:%d: %s'):format(here.source:sub(2), here.linedefined, wanted), wanted)
end

refused('exp: x is missing', function() se.exp() end)
refused('exp: x must be a tensor or a number: string came', function() se.exp 'x' end)
refused('add: y is missing', function() se.add(x) end)
refused('add: y must be a tensor or a number: userdata came', function() return x + io.stdout end)
refused('exp: too many arguments: 2 came; it is exp(x)', function() x:exp(1) end)
refused('sum: axes must be an integer: 0.5 came', function() x:sum(0.5) end)
refused('sum: axes must be an integer: string came', function() x:sum { '1' } end)
refused('sum: no axes 0: axes count from 1; -1 is the last', function() x:sum(0) end)
refused('sum: axes has 7 entries, the most is 6', function() x:sum { 1, 2, 3, 4, 5, 6, 7 } end)
refused('sum: keep must be true or false: 1 came', function() x:sum(1, 1) end)
refused('sum: unknown argument "axs"; did you mean "axes"?', function() x:sum { axs = 1 } end)
check.ok(message(function() x:sum(1, true, { keep = true }) end)
  :find ': sum: keep comes twice, by its position and by its name$', 'twice')
local zeroth = { [0] = 1, keep = true }
refused('sum: unknown argument "0"', function() x:sum(zeroth) end)
refused('reshape: dims must be an integer: nil came', function() x:reshape(2, nil, 3) end)
refused('cast: dtype: unknown dtype "f23"; did you mean "f32"?', function() x:cast 'f23' end)
refused('cast: dtype is missing', function() x:cast() end)
refused('topk: k must be an integer of 64 bits: inf came', function() x:topk(math.huge) end)
refused('softmax: axis must be an integer: tensor came', function() x:softmax(x) end)
refused('concat: xs must be a tensor or a number: table came', function() se.concat { x, {} } end)
check.ok(message(function() x:matmul(x) end):find '%.lua:%d+: matmul: ', 'of C')

-- The line is right in a loop that has been compiled, too.
local function in_loop()
  local y = x
  for i = 1, 500 do
    y = i < 499 and y + x or y:matmul(x)
  end
end
check.ok(message(in_loop):find(':' .. debug.getinfo(in_loop, 'S').linedefined + 3 .. ': matmul'),
  'the place within a hot loop')

-- --- collection ---

local pause, multiplier = collectgarbage('setpause', 1), collectgarbage('setstepmul', 1000)
local function sums(n)
  local total = se.tensor(0)
  for i = 1, n do
    local list = { se.tensor { i }, se.tensor { i, i } * 1, se.tensor { i } + i }
    total = total + se.concat(list, 1):sum() + se.mean_pool(x + i, { starts = se.tensor({ 0, 2 },
      'i32') }):sum { axes = { 1, 2 } } + (i + (x * 2)):topk { k = 1 }:sum()
    if i % 50 == 0 then se.eval(total) end
  end
  return total:item()
end
local wanted = 0
for i = 1, 300 do wanted = wanted + 5 * i + (10.5 + 3 * i) + (i + 6 + i + 12) end
check.equal(sums(300), wanted, 'sums while Lua collects at every step')
collectgarbage('setpause', pause)
collectgarbage('setstepmul', multiplier)

-- A finaliser that empties a list while the call that got it makes room.
local hits = 0
for _ = 1, 300 do
  local list = { x + 1, x + 2 }
  local trap = newproxy(true)
  getmetatable(trap).__gc = function()
    hits = hits + 1
    list[1], list[2] = nil, nil
    collectgarbage()
  end
  trap = nil -- luacheck: ignore
  for _ = 1, 100 do
    local ok, y = pcall(se.concat, list, 1)
    if ok then y:shape() end
  end
end
check.ok(hits > 0, 'finalisers ran')

-- --- nothing stays ---

collectgarbage()
collectgarbage()
local before = se.stats()
for _ = 1, 200 do
  pcall(function() return x:matmul(x + 1) end)
  pcall(function() return se.concat({ x, x + 1, 3, 'no' }, 1) end)
  pcall(function() return x:sum { axes = x + 1 } end)
  local _ = (1 + x) * 2 ^ x
end
collectgarbage()
collectgarbage()
check.equal(se.stats().handles_alive, before.handles_alive, 'handles')
check.equal(se.stats().nodes_alive, before.nodes_alive, 'nodes')
check.done()
