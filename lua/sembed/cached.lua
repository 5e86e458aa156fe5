-- GradCache (Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
-- Setup"): a batch of any size in the memory of one chunk, with the gradients of the whole batch.
--   1. each chunk of texts is encoded, and only its vectors are kept;
--   2. the loss over all vectors, and its gradient with respect to them;
--   3. each chunk is encoded again, and its vectors' gradient is carried on to the parameters.
-- Dropout is a function of seed, step, text and place (core/kernels/threefry.h), so that the second
-- encoding draws what the first did. The last chunk is left to the step's own program.
-- Each program is guarded: a value that is not finite is found where it is made, not chunks later.

local core = require 'sembed.ffi'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions

-- Texts in parts of at most `size`.
local function parts_of(text, size)
  local parts = {}
  for first = 0, text.count - 1, size do
    parts[#parts + 1] = text:part(first, math.min(size, text.count - first))
  end
  return parts
end

-- All vectors of a text's parts as one leaf.
local function vectors_of(encode, parts, text)
  local list = {}
  for i, part in ipairs(parts) do
    list[i] = tensor.scope('chunk', function()
      local v = tensor.guard(tensor.keep(encode(part)))
      tensor.eval(v)
      return v
    end)
  end
  local all = tensor.keep(#list > 1 and f.concat(list, 1) or list[1])
  tensor.eval(all)
  if #list > 1 then
    for _, v in ipairs(list) do core.release(v) end
  end
  if all:is_varying() then tensor.vary(all, text.rows) end
  return all
end

-- The loss, its gradients with respect to the vectors, and those with respect to parameters that
-- the loss itself has (a learned scale), computed.
local function outer(loss, vectors, params)
  local value, seen = loss(vectors)
  local leaves = { unpack(vectors) }
  for i = 1, #params do leaves[#vectors + i] = params[i] end
  local all, dv, sums = tensor.grad(value, leaves), {}, { n = #params }
  local list = { tensor.guard(value) }
  for i = 1, #leaves do
    if all[i] then list[#list + 1] = tensor.guard(tensor.keep(all[i])) end
    if i <= #vectors then dv[i] = all[i] else sums[i - #vectors] = all[i] end
  end
  for _, t in pairs(seen or {}) do
    if core.is_tensor(t) then list[#list + 1] = t end
  end
  tensor.eval(list)
  return value, dv, sums, seen or {}
end

-- Adds the gradients that a part's vectors hand on; computed unless it is the last part.
local function add_part(encode, params, sums, part, dv, last)
  local function add()
    local rows = dv:rows(part.first + 1, part.first + part.count)
    local grads, computed = tensor.grad((encode(part) * rows):sum(), params), {}
    for i = 1, #params do
      local old, new = sums[i], grads[i]
      if new then
        if old then new = old + new end
        sums[i] = new
        if not last then computed[#computed + 1] = tensor.keep(new) end
      end
    end
    if not last and #computed > 0 then
      tensor.guard(f.global_norm(computed))
      tensor.eval(computed)
    end
  end
  if last then return add() end
  local before = {}
  for i = 1, #params do before[i] = sums[i] end
  tensor.scope('chunk', add)
  for i = 1, #params do
    if before[i] and before[i] ~= sums[i] then core.release(before[i]) end
  end
end

-- run(texts) -> value, grads, seen; at most `size` texts are encoded at once. loss: takes the list
-- of vectors.
return function(encode, loss, params, size, texts)
  local parts, vectors, left = {}, {}, 0
  for i, text in ipairs(texts) do
    parts[i] = parts_of(text, size)
    vectors[i] = vectors_of(encode, parts[i], text)
    left = left + #parts[i]
  end
  local value, dv, sums, seen = outer(loss, vectors, params)
  for i = 1, #texts do
    for _, part in ipairs(parts[i]) do
      left = left - 1
      if dv[i] then add_part(encode, params, sums, part, dv[i], left == 0) end
    end
  end
  return value, sums, seen
end
