-- Sums of products, told by a letter for each axis:
--
--   se.einsum('bij,bjk->bik', a, b)      a letter that the result lacks is summed over
--   se.einsum('ii->i', a)                a letter twice in one tensor: its diagonal
--   se.einsum('...i,ij', x, w)           `...`: any axes, broadcast; without `->` the letters that
--                                        come once make the result, in alphabetical order
--
-- Two tensors at a time become one: letters of one alone are summed first, the others are put
-- together to a batched matmul, or to an elementwise product where nothing is summed.

local fail = require 'sembed.fail'
local letters_of = require 'sembed.einsum.letters'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions

-- --- one tensor: a term is { x = tensor, letters = list, size = {letter = number} } ---

local function places(letters)
  local at = {}
  for i, l in ipairs(letters) do at[l] = i end
  return at
end

-- The term's axes in the order of `letters`, which are its own.
local function ordered(term, letters)
  local at, axes, same = places(term.letters), {}, true
  for i, l in ipairs(letters) do
    axes[i] = at[l]
    same = same and at[l] == i
  end
  return same and term.x or f.permute(term.x, axes)
end

local function reshaped(x, dims)
  if table.concat(x:shape(), ' ') == table.concat(dims, ' ') then return x end
  return (f.reshape(x, { dims = dims }))
end

local function sizes_of(letters, size)
  local dims = {}
  for i, l in ipairs(letters) do dims[i] = size[l] end
  return dims
end

local function product_of(letters, size)
  local n = 1
  for _, l in ipairs(letters) do n = n * size[l] end
  return n
end

-- A letter that is there twice: the places where both axes agree.
local function take_diagonals(x, letters)
  local i = 1
  while i <= #letters do
    local twin
    for j = i + 1, #letters do twin = twin or (letters[j] == letters[i] and j) end
    if not twin then
      i = i + 1
    else
      local rest, axes, dims, n = {}, {}, {}, x:size(i)
      for k = 1, #letters do
        if k ~= i and k ~= twin then
          rest[#rest + 1], axes[#axes + 1], dims[#dims + 1] = letters[k], k, x:size(k)
        end
      end
      axes[#axes + 1], axes[#axes + 2], dims[#dims + 1] = i, twin, n * n
      x = f.slice(reshaped(f.permute(x, axes), dims), -1, 0, n * n, n + 1)
      rest[#rest + 1] = letters[i]
      letters, i = rest, 1
    end
  end
  return x, letters
end

-- Sums over the letters that are not in `wanted`.
local function summed(term, wanted)
  local rest, axes = {}, {}
  for i, l in ipairs(term.letters) do
    if wanted[l] then rest[#rest + 1] = l else axes[#axes + 1] = i end
  end
  if #axes == 0 then return term end
  return { x = f.sum(term.x, axes), letters = rest }
end

-- --- two tensors ---

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, l in ipairs(list) do all[#all + 1] = l end
  end
  return all
end

local function same_list(a, b)
  return table.concat(a, ' ') == table.concat(b, ' ')
end

-- batch: in both, and kept; inner: in both, summed over; left and right: in one alone.
local function parted(a, b, wanted)
  local in_a, in_b = places(a.letters), places(b.letters)
  local p = { batch = {}, inner = {}, left = {}, right = {} }
  for _, l in ipairs(a.letters) do
    local list = not in_b[l] and p.left or (wanted[l] and p.batch or p.inner)
    list[#list + 1] = l
  end
  for _, l in ipairs(b.letters) do
    if not in_a[l] then p.right[#p.right + 1] = l end
  end
  return p
end

-- The term as [batch, rows, columns], and whether it lies as [batch, columns, rows].
local function matrix(term, batch, rows, columns, size)
  local turned = #columns > 0 and same_list(term.letters, joined(batch, columns, rows))
  if turned then rows, columns = columns, rows end
  local dims = { product_of(rows, size), product_of(columns, size) }
  if #batch > 0 then table.insert(dims, 1, product_of(batch, size)) end
  return reshaped(ordered(term, joined(batch, rows, columns)), dims), turned
end

-- [batch, left, 1, inner] times [batch, 1, right, inner]
local function elementwise(a, b, p, size)
  local n = product_of(p.batch, size)
  local m, inner = product_of(p.left, size), product_of(p.inner, size)
  local x = reshaped(ordered(a, joined(p.batch, p.left, p.inner)), { n, m, 1, inner })
  local y = reshaped(ordered(b, joined(p.batch, p.right, p.inner)),
    { n, 1, product_of(p.right, size), inner })
  return #p.inner > 0 and (x * y):sum(4) or x * y
end

local function contract(a, b, wanted, size)
  local p = parted(a, b, wanted)
  local letters = joined(p.batch, p.left, p.right)
  local y
  local whole = a.x:dtype() ~= 'f32' and a.x:dtype() ~= 'bf16' and b.x:dtype() ~= 'f32'
    and b.x:dtype() ~= 'bf16' -- matmul is for real numbers
  if #p.inner == 0 or whole or (#p.batch > 0 and #p.left == 0 and #p.right == 0) then
    y = elementwise(a, b, p, size)
  else
    local x, ta = matrix(a, p.batch, p.left, p.inner, size)
    local z, tb = matrix(b, p.batch, p.inner, p.right, size)
    y = f.matmul(x, z, { ta = ta, tb = tb })
  end
  return { x = reshaped(y, sizes_of(letters, size)), letters = letters }
end

-- --- all of them ---

-- What is still needed when terms i and j are joined: by the result and by the other terms.
local function wanted_by(terms, result, i, j)
  local wanted = {}
  for _, l in ipairs(result) do wanted[l] = true end
  for k, term in ipairs(terms) do
    if k ~= i and k ~= j then
      for _, l in ipairs(term.letters) do wanted[l] = true end
    end
  end
  return wanted
end

-- The pair whose product is smallest, compared with what it takes the place of.
local function best_pair(terms, result, size)
  local best_i, best_j, least = 1, 2, math.huge
  for i = 1, #terms do
    for j = i + 1, #terms do
      local p = parted(terms[i], terms[j], wanted_by(terms, result, i, j))
      local cost = product_of(joined(p.batch, p.left, p.right), size)
        - product_of(terms[i].letters, size) - product_of(terms[j].letters, size)
      if cost < least then best_i, best_j, least = i, j, cost end
    end
  end
  return best_i, best_j
end

-- Sizes of the letters over all operands; size 1 gives way to another.
local function measure(terms)
  local size, from = {}, {}
  for k, term in ipairs(terms) do
    for i, l in ipairs(term.letters) do
      local n = term.x:size(i)
      if size[l] and size[l] ~= n and (size[l] ~= 1 or from[l] == k) and (n ~= 1 or from[l] == k)
      then
        fail.raise('einsum: %s is %d in operand %d and %d in operand %d (%s)',
          l:match '%a' and 'letter ' .. l or 'an axis of "..."', size[l], from[l], n, k,
          letters_of.type(term.x))
      end
      if not size[l] or size[l] == 1 then size[l], from[l] = n, k end
    end
  end
  return size
end

-- Axes of size 1 that stand for longer ones are left out: broadcasting does the same.
local function without_ones(term, size)
  local rest, dims = {}, {}
  for i, l in ipairs(term.letters) do
    local n = term.x:size(i)
    if n == size[l] then rest[#rest + 1], dims[#dims + 1] = l, n end
  end
  if #rest == #term.letters then return term end
  return { x = reshaped(term.x, dims), letters = rest }
end

local function terms_of(inputs, operands)
  local terms, dots = {}, 0
  for k, x in ipairs(operands) do
    local letters, own = letters_of.operand(inputs[k], x:rank(), k, x)
    terms[k], dots = { x = x, letters = letters }, math.max(dots, own)
  end
  return terms, dots
end

local function evaluate(spec, operands)
  local inputs, right = letters_of.text(spec)
  fail.unless(#inputs == #operands, 'einsum: "%s" is for %d tensors: %d came', spec, #inputs,
    #operands)
  local terms, dots = terms_of(inputs, operands)
  local size, seen = measure(terms), {}
  for _, term in ipairs(terms) do
    for _, l in ipairs(term.letters) do seen[l] = (seen[l] or 0) + 1 end
  end
  local result = letters_of.result(right, seen, dots)
  for k, term in ipairs(terms) do
    term.x, term.letters = take_diagonals(term.x, term.letters)
    terms[k] = without_ones(term, size)
  end
  for k = 1, #terms do terms[k] = summed(terms[k], wanted_by(terms, result, k)) end
  while #terms > 1 do
    local i, j = best_pair(terms, result, size)
    local wanted = wanted_by(terms, result, i, j)
    local y = contract(terms[i], terms[j], wanted, size)
    table.remove(terms, j)
    terms[i] = summed(y, wanted)
  end
  return ordered(terms[1], result)
end

return function(spec, ...)
  local operands = { ... }
  if #operands == 1 and type(operands[1]) == 'table' then operands = operands[1] end
  if type(spec) ~= 'string' then
    fail.raise('einsum: letters such as "ij,jk->ik" are wanted first: %s came', fail.kind(spec))
  end
  for k, x in ipairs(operands) do
    if not tensor.is(x) then
      fail.raise('einsum: operand %d must be a tensor: %s came', k, fail.kind(x))
    end
  end
  return (evaluate(spec, operands))
end
