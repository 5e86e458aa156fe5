-- se.einsum next to numpy's (tests/make/einsum.py): every number is exact in f32.

local se = require 'sembed'
local check = require 'check'

local function operand(k, dims)
  local n = 1
  for _, d in ipairs(dims) do n = n * d end
  if n == 0 then return se.zeros(dims) end
  local list = {}
  for i = 0, n - 1 do list[i + 1] = ((7 * i + 3 * k) % 11 - 5) / 4 end
  return (se.tensor(list):reshape { dims = dims })
end

local cases = se.json.parse(check.read(check.data 'einsum/einsum.json'))
check.ok(#cases > 40, 'only %d cases', #cases)
for _, case in ipairs(cases) do
  local operands, whole = {}, {}
  for k, dims in ipairs(case.shapes) do
    operands[k] = operand(k - 1, dims)
    whole[k] = (operands[k] * 4):cast 'i32'
  end
  local y = se.einsum(case.spec, unpack(operands))
  check.equal(table.concat(y:shape(), ','), table.concat(case.dims, ','), case.spec)
  local values = y:reshape(-1):totable()
  for i, v in ipairs(case.values) do check.equal(values[i], v, case.spec) end
  -- The same in whole numbers, which take another way.
  values = se.einsum(case.spec, unpack(whole)):reshape(-1):totable()
  for i, v in ipairs(case.values) do check.equal(values[i], v * 4 ^ #operands, case.spec) end
end

-- --- size 1 stands for any size, as in PyTorch ---

local a, b = operand(0, { 2, 1 }), operand(1, { 3, 4 })
check.near(se.einsum('ij,jk->ik', a, b), a:expand(2, 3):matmul(b), 0, 'size 1')

-- --- products of matrices are matmuls, transposed ones without a copy ---

local q, k = operand(0, { 2, 2, 3, 4 }), operand(1, { 2, 2, 5, 4 })
local text = se.einsum('bhqd,bhkd->bhqk', q, k):graph()
check.ok(text:find('matmul', 1, true), 'no matmul in %s', text)
check.ok(not text:find('permute', 1, true), 'a copy in %s', text)

-- --- gradients ---

local x, y, w = operand(0, { 2, 3 }), operand(1, { 3, 4 }), operand(2, { 2, 4 })
local g = se.grad((se.einsum('ij,jk->ik', x, y) * w):sum(), { x, y })
check.near(g[1], w:matmul(y:t()), 0, 'gradient of the first')
check.near(g[2], x:t():matmul(w), 0, 'gradient of the second')
local s = operand(3, { 3, 3 })
check.near(se.grad(se.einsum('ii', s), { s })[1], se.one_hot(se.iota(3), 3), 0,
  'gradient of the trace')

-- --- mistakes ---

local function fails(wanted, ...)
  local arguments = { ... }
  check.fails(function() return (se.einsum(unpack(arguments))) end, 'test_einsum.lua', wanted)
end
fails('letter j is 3 in operand 1 and 2 in operand 2 (f32[2,3])', 'ij,jk', x, x)
fails('letter l of the result is in no operand', 'ij->il', x)
fails('"ijk" names 3 axes, f32[2,3] has 2', 'ijk', x)
fails('";" in operand 1 of "i;j"', 'i;j', x)
fails('"ij,jk" is for 2 tensors: 1 came', 'ij,jk', x)
fails('letter i comes twice in the result', 'ij->ii', x)
fails('letter i is 2 in operand 1 and 3 in operand 1', 'ii', x)
fails('"..." comes twice in operand 1', '...i...', x)
fails('operand 2 must be a tensor: number came', 'ij,', x, 3)
fails('letters such as', x)

check.done()
