-- Principal components: the directions in which vectors differ most.
--
--   local components, share = se.pca(x, 128)      x: f32[n, dims]; components: f32[128, dims]
--   x:matmul(components:t())                      f32[n, 128]
--
-- The rows of `components` are unit vectors at right angles, the direction of the largest variance
-- first; share: how much of all the variance they keep, 0 to 1. n must be above the number of
-- components, and some times `dims` for directions that hold for other vectors as well.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'
local tensor = require 'sembed.tensor'

local doubles = core.typeof 'double[?]'

local SWEEPS, EXACT = 60, 1e-10 -- at most; the cosine of two rows that counts as a right angle

-- Rows p and q (offsets) turned in their plane until they are at right angles. True if they were.
local function turn(a, n, p, q, least)
  local pp, qq, pq = 0, 0, 0
  for i = 0, n - 1 do
    local x, y = a[p + i], a[q + i]
    pp, qq, pq = pp + x * x, qq + y * y, pq + x * y
  end
  if math.abs(pq) <= EXACT * math.sqrt(pp * qq) or math.min(pp, qq) <= least then return true end
  local t = (qq - pp) / (2 * pq)
  t = (t < 0 and -1 or 1) / (math.abs(t) + math.sqrt(1 + t * t))
  local c = 1 / math.sqrt(1 + t * t)
  local s = c * t
  for i = 0, n - 1 do
    local x, y = a[p + i], a[q + i]
    a[p + i], a[q + i] = c * x - s * y, s * x + c * y
  end
  return false
end

-- One-sided Jacobi (Hestenes 1958, "Inversion of Matrices by Biorthogonalization and Related
-- Results"): turns the rows of the symmetric matrix a, n by n, until all are at right angles. Of
-- a = V L V^T the rows of V^T a are then left: each is an eigenvector times its eigenvalue.
local function orthogonalise(a, n)
  local least = 0 -- squared lengths that are rounding
  for i = 0, n * n - 1 do least = least + a[i] * a[i] end
  least = least * 1e-24
  for _ = 1, SWEEPS do
    local still = true
    for p = 0, n - 2 do
      for q = p + 1, n - 1 do
        if not turn(a, n, p * n, q * n, least) then still = false end
      end
    end
    if still then return end
  end
end

-- The rows' lengths, which are the eigenvalues, and their order from the largest on.
local function lengths(a, n)
  local long, order = {}, {}
  for p = 0, n - 1 do
    local sum = 0
    for i = p * n, p * n + n - 1 do sum = sum + a[i] * a[i] end
    long[p], order[p + 1] = math.sqrt(sum), p
  end
  table.sort(order, function(p, q)
    if long[p] ~= long[q] then return long[p] > long[q] end
    return p < q
  end)
  return long, order
end

-- The covariance of the rows of x, as doubles.
local function covariance(x)
  local rows, n = x:size(1), x:size(2)
  local off = x - x:mean(1, true)
  local data = tensor.read(off:t():matmul(off) / rows)
  local a = doubles(n * n)
  for i = 0, n - 1 do
    for k = 0, i do -- both halves alike: sums of products may round differently
      a[i * n + k] = data[i * n + k]
      a[k * n + i] = data[i * n + k]
    end
  end
  return a
end

return function(x, k)
  fail.unless(core.is_tensor(x) and x:rank() == 2 and x:dtype() == 'f32',
    'pca: vectors f32[n, dims] are wanted: %s came', core.is_tensor(x) and x:describe()
    or fail.kind(x))
  local n = x:size(2)
  fail.unless(type(k) == 'number' and k >= 1 and k <= n and k % 1 == 0,
    'pca: %s components: 1 to %d are wanted', tostring(k), n)
  fail.unless(x:size(1) > k, 'pca: %d components of %d vectors: more vectors are wanted', k,
    x:size(1))
  local a, list, all, kept = covariance(x), {}, 0, 0
  orthogonalise(a, n)
  local long, order = lengths(a, n)
  for i = 1, n do all = all + long[order[i]] end
  fail.unless(long[order[k]] > 1e-6 * long[order[1]], 'pca: the vectors differ in fewer than %d '
    .. 'directions', k)
  for i = 1, k do
    local p = order[i]
    kept, list[i] = kept + long[p], {}
    for j = 0, n - 1 do list[i][j + 1] = a[p * n + j] / long[p] end
  end
  return make.make(list), kept / all
end
