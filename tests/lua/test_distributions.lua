-- What se.random draws is distributed as it says, and draws of neighbouring keys know nothing of
-- each other. Keys are fixed, so the numbers are the same in every run. Each test would fail with
-- probability ALARM if its numbers were truly random; there are some hundred of them, so that one
-- choice of keys in a hundred would fail one, while a distribution that is off by a few standard
-- deviations of the sample fails.
local se = require 'sembed'
local check = require 'check'

local ALARM, SIGMAS = 1e-4, 3.89 -- a normal number is beyond 3.89 deviations with probability 1e-4
local COUNT = 40000

local key = se.random.key

-- draw(1) .. draw(count), as Lua values.
local function many(count, draw)
  local list, part = {}, {}
  for i = 1, count do
    part[#part + 1] = draw(i)
    if #part == 400 or i == count then
      for _, v in ipairs(se.stack(part, 1):totable()) do list[#list + 1] = v end
      part = {}
    end
  end
  return list
end

-- --- statistics ---

local function erfc(x) return 1 - se.tensor(x):erf():item() end

-- P(X > x) of chi square with n degrees of freedom, by E. Wilson and M. Hilferty 1931.
local function chi_tail(x, n)
  local z = ((x / n) ^ (1 / 3) - (1 - 2 / (9 * n))) / math.sqrt(2 / (9 * n))
  return erfc(z / math.sqrt(2)) / 2
end

-- Counts against what is expected of each cell, at least 5.
local function fits(counts, expected, what)
  local sum, n = 0, -1
  for cell, e in pairs(expected) do
    check.ok(e >= 5, '%s: a cell with %g is too small', what, e)
    sum, n = sum + (((counts[cell] or 0) - e) ^ 2) / e, n + 1
  end
  for cell in pairs(counts) do
    check.ok(expected[cell], '%s: %s was drawn', what, tostring(cell))
  end
  local p = chi_tail(sum, n)
  check.ok(p > ALARM, '%s: chi square %g of %d degrees: probability %.2g', what, sum, n, p)
  -- Too good a fit is no chance either; counts are whole numbers, so few cells may be hit exactly.
  check.ok(n < 5 or p < 1 - ALARM, '%s: chi square %g of %d degrees fits too well', what, sum, n)
end

local function tally(list)
  local counts = {}
  for _, v in ipairs(list) do counts[v] = (counts[v] or 0) + 1 end
  return counts
end

-- n equal cells 0 .. n - 1
local function even(n, total)
  local expected = {}
  for cell = 0, n - 1 do expected[cell] = total / n end
  return expected
end

-- A. Kolmogorov: the largest distance between the share of numbers up to v and `share`, a list of
-- distribution(v) in the order of v, is beyond d / sqrt(n) with probability 2 exp(-2 d^2) at most.
local function follows(shares, what)
  table.sort(shares)
  local n, most = #shares, 0
  for i, share in ipairs(shares) do
    most = math.max(most, i / n - share, share - (i - 1) / n)
  end
  local p = 2 * math.exp(-2 * n * most ^ 2)
  check.ok(p > ALARM, '%s: off by %g, probability %.2g', what, most, p)
end

local function normal_shares(x) return ((x * math.sqrt(0.5)):erf() + 1) / 2 end

-- --- real numbers ---

for seed = 1, 3 do
  local x = se.random.uniform(seed, { COUNT })
  check.ok(x:min():item() >= 0 and x:max():item() < 1, 'uniform: from 0 up to 1')
  follows(x:totable(), 'uniform')
  local wide = se.random.uniform(seed, { COUNT / 8, 8 }, 1) -- neighbours along rows and down
  for name, y in pairs { along = wide, down = wide:t() } do
    local cells = (y * 10):floor():reshape(-1, 2):i32():totable()
    local pairs_of = {}
    for i, c in ipairs(cells) do pairs_of[i] = 10 * c[1] + c[2] end
    fits(tally(pairs_of), even(100, COUNT / 2), 'uniform neighbours ' .. name)
  end

  local z = se.random.normal(seed, { COUNT })
  follows(normal_shares(z):totable(), 'normal')
  -- Moments 1 to 4 are 0, 1, 0, 3; their variances are 1, 2, 15, 96 over the count.
  for k, m in ipairs { { 0, 1 }, { 1, 2 }, { 0, 15 }, { 3, 96 } } do
    local powers = (z:reshape(-1, 200) ^ k):mean(2):mean():item() -- short sums round little
    check.near(powers, m[1], SIGMAS * math.sqrt(m[2] / COUNT), 'normal, moment ' .. k)
  end

  for _, bounds in ipairs { { -2, 2 }, { 0.5, 1 }, { -math.huge, -1.5 }, { 1, 9 } } do
    local low, high = bounds[1], bounds[2]
    local t = se.random.truncated_normal(seed, { COUNT / 4 }, low, high)
    local what = ('truncated normal %g to %g'):format(low, high)
    check.ok(t:min():item() >= low and t:max():item() <= high, '%s: out of bounds', what)
    local a, b = normal_shares(se.tensor(low)):item(), normal_shares(se.tensor(high)):item()
    follows(((normal_shares(t) - a) / (b - a)):totable(), what)
  end
end

-- --- whole numbers ---

local function share_is(x, p, what)
  local n = x:size(1)
  check.near(x:sum():item() / n, p, SIGMAS * math.sqrt(p * (1 - p) / n), what)
end

for seed = 1, 3 do
  for _, p in ipairs { 0.001, 0.3, 0.5, 0.99 } do
    share_is(se.random.bernoulli(seed, { COUNT }, p), p, 'bernoulli of ' .. p)
  end
  local p = se.tensor { 0, 0.125, 0.5, 1 }
  local columns = se.random.bernoulli(key(seed, 5), { COUNT / 4, 4 }, p):t()
  for i, share in ipairs { 0, 0.125, 0.5, 1 } do
    share_is(columns[i], share, 'bernoulli of a tensor, ' .. share)
  end

  for _, r in ipairs { { 0, 2 }, { -3, 7 }, { 100, 197 } } do
    local drawn = (se.random.randint(seed, { COUNT }, r[1], r[2]) - r[1]):totable()
    fits(tally(drawn), even(r[2] - r[1], COUNT), ('randint %d to %d'):format(r[1], r[2]))
  end
  local all = se.random.randint(seed, { COUNT }, -2 ^ 31, 2 ^ 31):totable()
  local shares, low = {}, {}
  for i, v in ipairs(all) do shares[i], low[i] = (v + 2 ^ 31 + 0.5) / 2 ^ 32, v % 64 end
  follows(shares, 'randint of all')
  fits(tally(low), even(64, COUNT), 'randint of all, lowest bits')

  local logits = se.tensor { { 0, 1, -1, 0.5, -math.huge }, { 300, 298, 301, 299, 300 } }
  local weights = logits:softmax():totable()
  local rows = se.random.categorical(seed, logits, COUNT / 2):totable()
  for r, row in ipairs(rows) do
    local expected = {}
    for c, w in ipairs(weights[r]) do expected[c - 1] = w > 0 and w * #row or nil end
    fits(tally(row), expected, 'categorical, row ' .. r)
  end
  -- One draw for each of many rows: other numbers in every row.
  local each = se.random.categorical(key(seed, 1), se.zeros(COUNT / 8, 8))
  fits(tally(each:totable()), even(8, COUNT / 8), 'categorical, row by row')
end

-- --- permutations ---

local function is_permutation(list, n)
  local seen = {}
  for _, v in ipairs(list) do seen[v] = true end
  for i = 0, n - 1 do
    if not seen[i] then return false end
  end
  return #list == n
end

for _, n in ipairs { 0, 1, 2, 3, 17, 1000 } do
  local list = se.random.permutation(key(n), n):totable()
  check.ok(is_permutation(list, n), '%d numbers: no permutation', n)
end

-- All 24 orders of four, over keys that follow each other, are equally likely; so is each number
-- at each place of a longer one, and a place has nothing to do with the next.
se.scope('permutations', function()
  local orders, expected = {}, {}
  local made = many(4800, function(step) return (se.random.permutation(key(1, step), 4)) end)
  for _, list in ipairs(made) do
    check.ok(is_permutation(list, 4), 'no permutation')
    local name = table.concat(list, ',')
    orders[name], expected[name] = (orders[name] or 0) + 1, 200
  end
  local n = 0
  for _ in pairs(expected) do n = n + 1 end
  check.equal(n, 24, 'orders of four')
  fits(orders, expected, 'permutations of four')
end)
do
  local list, cells = se.random.permutation(key(2), COUNT):totable(), {}
  for i = 1, COUNT, 2 do
    cells[#cells + 1] = math.floor(list[i] / COUNT * 10) * 10 + math.floor(list[i + 1] / COUNT * 10)
  end
  fits(tally(cells), even(100, COUNT / 2), 'neighbours of a permutation')
  local fixed = 0 -- Poisson with mean 1: more than 7 with probability 1e-5
  for i, v in ipairs(list) do fixed = fixed + (v == i - 1 and 1 or 0) end
  check.ok(fixed <= 7, 'permutation: %d stay in place', fixed)
end

-- --- keys ---

-- Of independent numbers the correlation has the deviation 1 / sqrt(count), and the 100 cells of
-- pairs are equally full. Keys that differ in one bit, or by one, in any part of the key, or by
-- place, have to look like that.
local base = { 7, 3, 0 }
local function drawn_with(part, change)
  local k = { unpack(base) }
  if part then k[part] = k[part] + change end
  return se.random.uniform(key(unpack(k)), { COUNT })
end
local function independent(a, b, what)
  local cells = ((a * 10):floor() * 10 + (b * 10):floor()):i32()
  fits(tally(cells:totable()), even(100, COUNT), what)
  local product = ((a - 0.5) * (b - 0.5) * 12):mean():item()
  check.near(product, 0, SIGMAS / math.sqrt(COUNT), what .. ', correlation')
end
for part = 1, 3 do
  for _, change in ipairs { 1, 2, -1, 2 ^ 30 } do
    independent(drawn_with(), drawn_with(part, change), ('key part %d, %+d'):format(part, change))
  end
end
for place = 1, 3 do
  local other = se.random.uniform(key(unpack(base)), { COUNT }, place)
  independent(drawn_with(), other, 'place ' .. place)
end
independent(se.random.uniform { COUNT }, se.random.uniform { COUNT }, 'running keys')

-- The first number of each of many keys that follow each other.
se.scope('keys', function()
  local firsts = many(4000, function(step) return (se.random.uniform(key(1, step), {})) end)
  follows(firsts, 'first numbers of keys')
end)

-- --- explicit and running keys ---

local same = check.same

same(se.random.normal(9, { 5 }), se.random.normal(key(9, 0, 0), { 5 }), 'a seed is a key')
se.random.seed(9)
same(se.random.normal { 5 }, se.random.normal(key(9, 1, -1), { 5 }), 'the first running key')
same(se.random.uniform { 2, 3 }, se.random.uniform(key(9, 2, -1), { 2, 3 }), 'the second')
same(se.random.truncated_normal({ 3 }, 0, 1),
  se.random.truncated_normal(key(9, 3, -1), { 3 }, 0, 1), 'truncated normal')
same(se.random.randint({ 3 }, 0, 99), se.random.randint(key(9, 4, -1), { 3 }, 0, 99), 'randint')
same(se.random.bernoulli({ 9 }, 0.5), se.random.bernoulli(key(9, 5, -1), { 9 }, 0.5), 'bernoulli')
local p = se.random.uniform(1, { 2, 3 })
same(se.random.bernoulli(p), se.random.bernoulli(key(9, 6, -1), { 2, 3 }, p), 'shape of p')
same(se.random.categorical(p), se.random.categorical(key(9, 7, -1), p), 'categorical')
same(se.random.permutation(9), se.random.permutation(key(9, 8, -1), 9), 'permutation')
same(se.random.key(), key(9, 9, -1), 'the key itself')
se.random.seed(9)
same(se.random.normal { 5 }, se.random.normal(key(9, 1, -1), { 5 }), 'seeded again')
for seed, arguments in pairs { [1] = '', [5] = 'seed=5' } do
  local code = 'se = require [[sembed]]; print(unpack(se.random.key():totable()))'
  local text = check.run(('-e "%s" %s'):format(code, arguments))
  check.equal(text, ('%d\t1\t-1\n'):format(seed), 'the running key of a program')
end

-- --- mistakes ---

check.fails(function() se.random.normal(2, 3) end, 'test_distributions.lua', 'random.normal',
  'a list of sizes', 'number came')
check.fails(function() se.random.uniform() end, 'random.uniform', 'a list of sizes', 'nil came')
check.fails(function() se.random.seed 'x' end, 'random.seed', 'string', 'whole number')
check.fails(function() se.random.seed(0.5) end, 'random.seed', '0.5')
check.fails(function() se.random.key(2 ^ 31) end, 'random.key', 'seed', '2147483647')
check.fails(function() se.random.randint(1, { 3 }, 5, 5) end, 'random_integers',
  'low = 5, high = 5')
check.fails(function() se.random.randint(1, { 3 }, 5) end, 'random_integers', 'high is missing')
check.fails(function() se.random.randint(1, { 3 }, 0, 2 ^ 31 + 1) end, 'random_integers', 'i32')
check.fails(function() se.eval(se.random.bernoulli(1, { 3 }, 1.5)) end, 'random_bernoulli',
  'element 0 of p is 1.5', '0 to 1')
check.fails(function() se.random.bernoulli(1, { 3 }) end, 'random_bernoulli', 'p is missing')
check.fails(function() se.eval(se.random.categorical(1, se.tensor { 0, 0 / 0 })) end,
  'random_categorical', 'logit 1 of row 0 is nan')
check.fails(function() se.eval(se.random.categorical(1, se.full({ 2, 2 }, -math.huge))) end,
  'all logits of row 0')
check.fails(function() se.random.categorical(1, se.zeros(3, 0)) end, 'a last axis', 'f32[3,0]')
check.fails(function() se.random.truncated_normal(1, { 3 }, 4, 9) end, 'low = 4, high = 9',
  'hundredth')
check.fails(function() se.random.truncated_normal(1, { 3 }, 1, 0) end, 'low = 1, high = 0')
check.fails(function() se.random.permutation(1, -1) end, 'random_permutation', 'n = -1')
check.fails(function() se.random.permutation() end, 'random_permutation', 'n is missing')
check.fails(function() se.random.normal(se.tensor({ 1, 2 }, 'i32'), { 3 }) end, 'random_normal',
  'key has 2 values')

check.done()
