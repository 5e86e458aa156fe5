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
local text = require 'sembed.text'

local f, C = op.functions, core.C
local cached = {}
local stats = core.new 'se_stats'

-- Texts in parts of at most `size` texts and `tokens` tokens; a single text may be longer.
local function parts_of(whole, size, tokens)
  local parts, first = {}, 0
  while first < whole.count do
    local last = first + 1
    while last < whole.count and last - first < size
      and whole:tokens_of(first, last + 1) <= tokens do
      last = last + 1
    end
    parts[#parts + 1] = whole:part(first, last - first)
    first = last
  end
  return parts
end

-- All vectors of a text's parts as one leaf.
local function vectors_of(encode, parts, whole)
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
  if all:is_varying() then tensor.vary(all, whole.rows) end
  return all
end

-- The vectors of a packed text as a leaf, computed in parts of at most `tokens` tokens.
function cached.vectors(encode, whole, tokens)
  return (vectors_of(encode, parts_of(whole, math.huge, tokens), whole))
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

-- Whether all texts can be encoded at once (options as below).
function cached.whole(options, texts)
  local chunk, tokens = options.chunk or 0, options.tokens or 0
  if chunk == 0 and tokens == 0 then return C.se_memory_limit_now() == 0 end
  for _, one in ipairs(texts) do
    local large = tokens > 0 and one:tokens_of(0, one.count) > tokens
    if large or chunk > 0 and one.count > chunk then return false end
  end
  return true
end

-- How many tokens can be encoded at once within `limit` bytes: a few texts are encoded and carried
-- back, and the room that the plan has for that tells what a token takes. Parameters, two moments
-- and two sets of gradients take the rest. The same numbers, and so the same bits, in every run.
local TEXTS, LENGTH, SHARE = 16, 32, 0.8 -- of the probe; how much of the room is used

local function tokens_within(encode, params, limit)
  local list, fixed = {}, 0
  for i = 1, TEXTS do
    list[i] = {}
    for k = 1, LENGTH do list[i][k] = k end
  end
  for i = 1, #params do
    local bytes = 4
    for _, n in ipairs(params[i]:shape()) do bytes = bytes * n end
    fixed = fixed + 5 * bytes
  end
  tensor.scope('probe', function()
    local vectors = encode(text.of_ids(list))
    local grads, computed = tensor.grad((vectors * vectors):sum(), params), {}
    for i = 1, #params do computed[#computed + 1] = grads[i] end
    tensor.eval(computed)
  end)
  C.se_stats_read(stats)
  local each = tonumber(stats.plan_arena_bytes) / (TEXTS * LENGTH)
  return math.max(1, math.floor(SHARE * (limit - fixed) / each))
end

-- options: params; chunk, tokens: at most so many texts and tokens are encoded at once (0 or nil:
-- no limit); without either, the memory limit of the run decides, if it has one. loss takes the
-- list of vectors. Gives value, grads, seen. `known` keeps what was found out for the next step.
function cached.run(encode, loss, options, known, texts)
  local params, parts, vectors, left = options.params, {}, {}, 0
  local limit = tonumber(C.se_memory_limit_now())
  local size, tokens = options.chunk or 0, options.tokens or 0
  if size == 0 and tokens == 0 and limit > 0 then
    if not known.tokens then
      known.tokens = tokens_within(encode, params, limit)
      io.stderr:write(('encoding %d tokens at once, for the memory limit of %.1f GB\n'):format(
        known.tokens, limit / 1e9))
    end
    tokens = known.tokens
  end
  size, tokens = size > 0 and size or math.huge, tokens > 0 and tokens or math.huge
  for i, whole in ipairs(texts) do
    parts[i] = parts_of(whole, size, tokens)
    vectors[i] = vectors_of(encode, parts[i], whole)
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

return cached
