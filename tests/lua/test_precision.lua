-- precision=: what the linear layers compute in. The tiny model's vectors next to the same
-- arithmetic done another way (the portable kernels), the same bits whatever stands beside a text,
-- refusals, gradients.
local se = require 'sembed'
local check = require 'check'
local core = require 'sembed.ffi'

local C = core.C
local model = se.model.open(check.data 'tiny-mpnet')
local texts = {}
for i = 1, 70 do texts[i] = ('text %d of them, %s'):format(i, ('and more '):rep(i % 9)) end

-- The vectors at an instruction set of the machine; those that have no kernels round and compute in
-- f32.
local function at(isa, precision)
  local before = se.isa()
  core.check(C.se_isa_use(isa))
  se.precision.now = precision
  local x = model:encode(texts, { batch = 64 })
  se.precision.now = 'f32'
  core.check(C.se_isa_use(before))
  return x
end

local exact = model:encode(texts)

-- Smallest cosine of the rows, which have unit length.
local function nearness(a, b) return (a * b):sum(2):min():item() end

-- How far from f32 a vector may be, and from the same arithmetic done another way. bf16 rounds away
-- 2^-9 of a number, int8 1/254 of a row's largest; what the order of sums changes in f32 (bf16's
-- own, and norms and attention before the next layer) can only move a number that is rounded again
-- from one step to the next.
local bounds = { bf16 = { from_f32 = 0.9998, from_portable = 2e-3 },
  int8 = { from_f32 = 0.999, from_portable = 4e-3 } }

local computed = {}
for name, bound in pairs(bounds) do
  local portable = at('portable', name)
  check.ok(nearness(portable, exact) > bound.from_f32, '%s: cosine to f32 is %g', name,
    nearness(portable, exact))
  check.ok(check.distance(portable, exact) > 1e-6, '%s: the very vectors of f32', name)
  for _, isa in ipairs { 'avx2', 'avx512' } do
    if C.se_isa_use(isa) == C.SE_OK then
      check.near(at(isa, name), portable, bound.from_portable, name .. ' at ' .. isa)
    end
  end
  if C.se_precision_check(se.precision.numbers[name]) ~= C.SE_OK then
    print(('skipped: %s: %s'):format(name, core.text(C.se_message())))
    check.fails(function() model:encode(texts, { precision = name }) end, 'precision=' .. name,
      'this machine lacks')
  else
    computed[#computed + 1] = name
  end
end

for _, name in ipairs(computed) do
  local options = { precision = name, batch = 64 }
  C.se_threads_set(1)
  local whole = model:encode(texts, options)
  C.se_threads_set(3)
  for round = 1, 5 do -- the weights are packed once they were wanted often enough
    check.same(model:encode(texts, options), whole, name .. ': threads, round ' .. round)
  end
  for i = 1, #texts, 9 do
    check.same(model:encode({ texts[i] }, options), whole:rows(i, i), name .. ': alone')
  end
  C.se_threads_set(0)
  check.equal(se.precision.now, 'f32', 'after encode')
  check.same(model:encode(texts), exact, 'f32 again')
  check.same(model:encode(texts, options), whole, name .. ' again')
end

check.fails(function() model:encode(texts, { precision = 'f16' }) end, 'precision=f16',
  'is wanted')
check.equal(se.precision.now, 'f32', 'after a refusal')
local function boom() error('no', 0) end
for _, name in ipairs(computed) do
  check.fails(function() se.precision.within(name, boom) end, 'no')
  check.equal(se.precision.now, 'f32', 'after an error')
end

-- The program's key, with an instruction set that lacks it.
local program = ('SEMBED_ISA=portable %s -e "print(require[[sembed]].precision.now)" '):format(
  se.run.program)
local function shell(keys)
  local pipe = io.popen(program .. keys .. ' 2>&1')
  local text = pipe:read '*a'
  pipe:close()
  return text
end
check.equal(shell 'precision=f32', 'f32\n', 'precision=f32')
check.equal(shell 'precision=int8', 'int8\n', 'precision=int8')
check.ok(shell('precision=bf16'):find('precision=bf16: AVX-512 BF16', 1, true), 'bf16 refused: %s',
  shell 'precision=bf16')

-- int8 refuses to be trained.
local layer = se.nn.linear(se.ones(3, 5), se.zeros(3))
local function train() return (se.grad(layer(se.ones(2, 5)):sum(), layer.params)) end
check.fails(function() se.precision.within('int8', train) end,
  'linear_int8: has no gradient: int8 is for encoding', 'test_precision.lua')

-- Gradients of a product of rounded numbers: products of rounded numbers, too.
local function rounded(x) return x:cast('bf16'):cast('f32') end
local key = se.random.key(3)
local x, w, dy = se.random.normal(key, { 19, 37 }, 1), se.random.normal(key, { 23, 37 }, 2),
  se.random.normal(key, { 19, 23 }, 3)
local dx, dw = unpack(se.grad((se.linear(x, w, nil, { bf16 = true }) * dy):sum(), { x, w }))
check.near(dx, rounded(dy):matmul(rounded(w)), 1e-5, 'gradient of x')
check.near(dw, rounded(dy):t():matmul(rounded(x)), 1e-5, 'gradient of weight')
check.ok(check.distance(dx, dy:matmul(w)) > 1e-4, 'the gradient was not rounded')
check.done()
