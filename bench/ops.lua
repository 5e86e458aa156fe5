-- Ops a second of a chain of 30, computed at its end or op by op, and microseconds that building a
-- node takes: sembed bench/ops.lua [seconds=1]. Lines of three words, for ops.sh.
local se = require 'sembed'
local cfg = se.config { seconds = 1 }

local function link(y, x) return ((y + x) * 0.5):tanh() end

local function at_once(x)
  local y = x
  for _ = 1, 10 do y = link(y, x) end
  se.eval(y)
end

local function one_by_one(x)
  local y = x
  for _ = 1, 10 do
    y = y + x
    se.eval(y)
    y = y * 0.5
    se.eval(y)
    y = y:tanh()
    se.eval(y)
  end
end

-- Calls of f a second, within about cfg.seconds.
local function rate(f, ...)
  local start, calls = se.seconds(), 0
  f(...)
  repeat
    for _ = 1, 10 do f(...) end
    calls = calls + 10
  until se.seconds() - start > cfg.seconds
  return calls / (se.seconds() - start)
end

for _, dims in ipairs { { 64, 64 }, { 1000, 768 } } do
  local x = se.random.normal(se.random.key(1), dims)
  se.eval(x)
  local size = table.concat(dims, 'x')
  print(('sembed,one_eval %s %.0f'):format(size, 30 * rate(at_once, x)))
  print(('sembed,own_evals %s %.0f'):format(size, 30 * rate(one_by_one, x)))
end

-- Building alone: processor time, the best of 5 passes, since neighbours take the caches. Dropped
-- nodes are collected meanwhile.
local x, y = se.ones(64, 64), se.ones(64, 64)
local builds = {
  { 'x:exp()', function() return x:exp() end },
  { 'x+y', function() return x + y end },
  { 'x*2', function() return x * 2 end },
  { 'x:sum(1,true)', function() return x:sum(1, true) end },
  { 'x:sum{axes=1}', function() return x:sum { axes = 1 } end },
  { 'x:reshape(16,256)', function() return x:reshape(16, 256) end },
  { 'x:matmul(y)', function() return x:matmul(y) end },
}
local function best(f)
  local least = math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start = os.clock()
    local nodes = f()
    least = math.min(least, (os.clock() - start) / nodes * 1e6)
  end
  return least
end
for _, build in ipairs(builds) do
  local f = build[2]
  print(('build %s %.3f'):format(build[1], best(function()
    for _ = 1, 20000 do f() end
    return 20000
  end)))
end

-- A gradient's nodes are made in C by the ops' rules.
print(('build chain+gradient %.3f'):format(best(function()
  collectgarbage 'stop'
  local before, grads = se.stats().nodes_alive, {}
  for i = 1, 50 do
    local z = x
    for _ = 1, 30 do z = link(z, y) end
    grads[i] = se.grad(z:sum(), x)
  end
  local nodes = se.stats().nodes_alive - before
  collectgarbage 'restart'
  return nodes, grads
end)))
