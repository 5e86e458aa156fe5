-- Gradients of what stands within a graph: of views that a product takes in, too.
local se = require 'sembed'
local check = require 'check'

local function values(x) return se.json.encode(x:totable()) end

local x = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
local w = se.tensor { { 1, -1, 2 }, { 0, 3, 1 }, { 2, 2, -2 }, { 5, 1, 1 } }
local v = w:t()
local share = se.tensor { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } }
local by_product = x:t():matmul(share) -- the gradient of (x v . share) in v

-- matmul takes w in, transposed, instead of v: v is no ancestor of the product.
local loss = (x:matmul(v) * share):sum()
check.equal(values(se.grad(loss, v)), values(by_product), 'a transpose alone')
check.equal(values(se.grad(loss, w)), values(by_product:t()), 'what it is a view of')
local both = se.grad(loss, { w, v })
check.equal(values(both[1]), values(by_product:t()), 'both: w')
check.equal(values(both[2]), values(by_product), 'both: v')

-- On two ways.
local two = loss + (v * v):sum()
check.equal(values(se.grad(two, v)), values(by_product + v * 2), 'two ways: v')
check.equal(values(se.grad(two, w)), values((by_product + v * 2):t()), 'two ways: w')

-- As the first factor; a transpose of a transpose; two of one tensor are two.
check.equal(values(se.grad((v:matmul(w) * 1):sum(), v)), values(se.ones(3, 3):matmul(w:t())),
  'the first factor')
local again = v:t()
check.equal(values(se.grad((again:matmul(v) * 1):sum(), again)),
  values(se.ones(4, 4):matmul(w)), 'turned twice')
local other = w:permute(2, 1)
check.equal(values(se.grad(x:matmul(other):sum(), other)), values(x:t():matmul(se.ones(2, 4))),
  'permute')
check.equal(se.grad(x:matmul(other):sum(), v), nil, 'not this view')
check.done()
