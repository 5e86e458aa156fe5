-- Collectives between processes next to the expression over all rows that one process has:
-- mpirun -n 3 sembed tests/lua/mpi_collectives.lua. Every process checks; an error ends all.
local se = require 'sembed'
local n, me = se.shard.count, se.shard.index():item(true)
local B, D = 7, 3 -- uneven: 2, 2, 3 rows of 3 shards
local first, last = math.floor(me * B / n), math.floor((me + 1) * B / n)
assert(n == (tonumber(se.run.words[1]) or n), 'the number of shards is ' .. n)

local function wave(rows, columns, phase) -- the same on every shard
  local list = {}
  for i = 1, rows do
    list[i] = {}
    for k = 1, columns do list[i][k] = math.sin(i * 1.3 + k * 0.7 + phase) end
  end
  return (se.tensor(list))
end

local function mine(x) -- my rows, as those of a batch
  return (se.vary(se.tensor(x:rows(first + 1, last):totable()), B))
end

local function close(a, b, what)
  local x, y = a:flatten():totable(true), b:flatten():totable(true)
  assert(#x == #y, ('%s: %d and %d elements'):format(what, #x, #y))
  for i = 1, #x do
    assert(math.abs(x[i] - y[i]) <= 2e-6 * math.max(1, math.abs(y[i])),
      ('%s: element %d is %.9g, not %.9g'):format(what, i, x[i], y[i]))
  end
end

local X, W, U = wave(B, D, 0), wave(D, D, 1), wave(B, B, 2)
local x = mine(X)
local u = mine(U)

-- --- values ---
close(se.shard.gather(x), X, 'gather')
close(se.shard.sum(x:sum()), X:sum(), 'sum')
close(se.shard.mean(x:sum()), X:sum() / n, 'mean')
close(se.shard.gather(X), X, 'gather of what is whole')
close(se.shard.sum(X), X, 'sum of what is whole')
close(se.shard.rows(x):f32(), se.iota(B):f32():rows(first + 1, last), 'rows')
local index = se.shard.index():f32()
local scaled = X * (index + 1) -- differs between shards, all rows on each
local weight = n * (n + 1) / 2
close(se.shard_scatter(scaled), X:rows(first + 1, last) * weight, 'scatter')
close(se.shard_broadcast(scaled, n - 1), X * n, 'broadcast')
local flat = X:flatten()
local divided = se.shard_divide { scaled, W }
local from, to = math.floor(me * 30 / n), math.floor((me + 1) * 30 / n)
local both = se.concat({ flat * weight, W:flatten() }, 1)
close(divided, both:rows(from + 1, to), 'divide: what differs is summed, what does not counts once')
close(se.shard_part(divided, 5, 27), both:rows(6, 27), 'part')
local large = se.ones { 300, 1000 } * (index + 1) -- beyond what goes by a tree
close(se.shard.sum(large):max(), se.tensor(weight), 'the sum of a large tensor')
close(se.shard.sum(large):min(), se.tensor(weight), 'the sum of a large tensor')

-- --- gradients of a replicated w: shards' terms are added by shard.sum, as an optimizer does ---
local function whole(g) return g:is_varying() and se.shard.sum(g) or g end

local function compare(what, here, one_process)
  local w = W * 1
  local a, b = se.grad(here(w), { w })[1], se.grad(one_process(w), { w })[1]
  close(whole(a), b, what)
end

compare('in-batch scores', function(w)
  local y = x:matmul(w)
  return se.shard.sum((y:matmul(se.shard.gather(y):t()) * u):tanh():sum())
end, function(w)
  local y = X:matmul(w)
  return (y:matmul(y:t()) * U):tanh():sum()
end)
compare('a sum within a sum', function(w)
  local total = se.shard.sum(x:matmul(w):sum())
  return se.shard.sum((u * total):tanh():sum())
end, function(w)
  return (U * X:matmul(w):sum()):tanh():sum()
end)
compare('a mean', function(w) return se.shard.mean((x:matmul(w) ^ 2):sum()) end,
  function(w) return (X:matmul(w) ^ 2):sum() / n end)
compare('with a penalty that all shards have', function(w)
  return se.shard.sum((x:matmul(w) ^ 2):sum()) + (w * w):sum()
end, function(w)
  return (X:matmul(w) ^ 2):sum() + (w * w):sum()
end)
compare('a penalty on every row', function(w)
  return se.shard.sum(((x:matmul(w)) + w:sum()):sum())
end, function(w) return (X:matmul(w) + w:sum()):sum() end)
compare('the penalty alone', function(w) return (w * w):sum() end,
  function(w) return (w * w):sum() end)
compare('a gathered value alone', function(w) return (se.shard.gather(x:matmul(w)) ^ 2):sum() end,
  function(w) return (X:matmul(w) ^ 2):sum() end)
compare('scatter', function(w)
  local y = se.shard_scatter(X:matmul(w) * (index + 1))
  return se.shard.sum((y * y):sum())
end, function(w) return ((X:matmul(w) * weight) ^ 2):sum() end)
compare('scatter of what is whole', function(w)
  return se.shard.sum((se.shard_scatter(X:matmul(w)) ^ 2):sum())
end, function(w) return (X:matmul(w) ^ 2):sum() end)
compare('broadcast', function(w)
  local y = se.shard_broadcast(w * (index + 1), n - 1)
  return se.shard.sum((x:matmul(y) ^ 2):sum())
end, function(w) return (X:matmul(w * n) ^ 2):sum() end)
compare('divide', function(w)
  local y = se.shard_divide { w * (index + 1), w, w:sum() * 1 }
  return se.shard.sum((y * y):sum())
end, function(w)
  return ((w * weight) ^ 2):sum() + (w * w):sum() + w:sum() * w:sum()
end)
compare('part', function(w)
  return (se.shard_part(se.shard_divide { w }, 2, 7) ^ 2):sum()
end, function(w) return (w:flatten():rows(3, 7) ^ 2):sum() end)

-- --- what an optimizer's step moves, as counted, next to the formula ---
local function part_bytes(count, shard)
  shard = shard % n
  return 4 * (math.floor((shard + 1) * count / n) - math.floor(shard * count / n))
end
local params = { se.ones { 40, 30 }, se.ones { 17 } }
local N = 40 * 30 + 17
local adam = se.optim.adamw(params)
local function step()
  local value = se.shard.sum((params[1] * (index + 1)):sum() + (params[2] * params[2]):sum())
  adam:update(se.grad(value, params), { rate = 0.1 })
  se.eval()
end
step()
local before = se.shard.moved()
step()
local after = se.shard.moved()
if n > 1 then
  assert(after.reduce_scatter - before.reduce_scatter == 4 * N - part_bytes(N, me),
    'gradients: all but my part is sent')
  assert(after.gather - before.gather == 4 * N - part_bytes(N, me + 1),
    'parameters: all but the next shard\'s part is sent')
end
close(params[1]:max(), params[1]:min(), 'equal gradients move equally')

-- The same step with a parameter left out: it and its moments stay.
local first_before, second_before = params[1]:totable(), params[2]:totable()
adam:update({ se.grad(se.shard.sum((params[1] * index):sum()), { params[1] })[1] }, { rate = 0.1 })
se.eval()
assert(params[1]:totable()[1][1] ~= first_before[1][1], 'it moved')
for i, value in ipairs(params[2]:totable()) do assert(value == second_before[i], 'it stays') end

-- --- what is refused ---
local function fails(what, f)
  local ok, problem = pcall(f)
  assert(not ok and tostring(problem):find(what, 1, true),
    ('%s: %s'):format(what, tostring(problem)))
end
if n > 1 then
  fails('does not know how many rows', function() return se.shard.gather(x:t()) end)
  fails('shards are numbered from 0', function() return se.shard_broadcast(x, n) end)
  fails('differs between shards', function() return x:sum():item() end)
end
print(('collectives of %d shards are right; shard 0 sent %d bytes'):format(n, se.shard.moved().all))
