-- Packed texts: many texts as one list of tokens, without padding.
--
--   ids        i32[T]    token ids of all texts, one after another
--   positions  i32[T]    for the position embedding: 2, 3, ... within each text; <pad> has 1
--   starts     i32[n+1]  text i has the tokens starts[i] .. starts[i+1]-1
--   longest, count, tokens   numbers: most tokens of a text, texts, tokens of all
--   width      longest as attention takes it; where the device wants few shapes, it and T are
--              rounded up (device.lua), and the rows after starts[n] belong to no text
--   key, who   i32[3], i32[n]  what dropout draws from; only in texts of se.train.steps
--
-- Divided among devices (Text:divide), the tensors have a part for each of them, of one shape, and
-- count and the numbers of texts are those of a part.

local core = require 'sembed.ffi'
local device = require 'sembed.device'
local tensor = require 'sembed.tensor'

local C = core.C
local text = {}
local Text = {}
Text.__index = Text

local int32s = core.typeof 'int32_t[?]'

local REPEAT = 64 -- streams of one repeat: more than a batch has columns

local function key_tensor(self)
  local k = self.key_parts
  return (tensor.make({ k[1], k[2], k[3] }, 'i32'))
end

-- i32[n] for each device: first, first + 1, ... where `firsts` says for each what to add.
local function numbers(first, firsts, n)
  local list = int32s(math.max(n * #firsts, 1))
  for r, more in ipairs(firsts) do
    for i = 0, n - 1 do list[(r - 1) * n + i] = first + more + i end
  end
  return (tensor.from_parts('i32', { n }, list, #firsts))
end

-- Tensors of the `count` texts from number `first` on that each device has: its own begin with text
-- firsts[r] of the arrays. All parts have the shape of the largest; zeros stand behind the others.
local function lay_out(arrays, firsts, first, count)
  local from, to, n, longest = {}, {}, 0, 0
  local starts = int32s((count + 1) * #firsts)
  for r, more in ipairs(firsts) do
    from[r] = arrays.starts[more + first]
    to[r] = arrays.starts[more + first + count]
    n = math.max(n, to[r] - from[r])
    for i = 0, count do
      local at = (r - 1) * (count + 1) + i
      starts[at] = arrays.starts[more + first + i] - from[r]
      if i > 0 then longest = math.max(longest, starts[at] - starts[at - 1]) end
    end
  end
  local rows, tokens = device.rows(n), 0
  local ids, positions = int32s(math.max(rows * #firsts, 1)), int32s(math.max(rows * #firsts, 1))
  for r = 1, #firsts do
    local size = 4 * (to[r] - from[r])
    core.copy(ids + (r - 1) * rows, arrays.ids + from[r], size)
    core.copy(positions + (r - 1) * rows, arrays.positions + from[r], size)
    tokens = tokens + to[r] - from[r]
  end
  return setmetatable({
    ids = tensor.from_parts('i32', { rows }, ids, #firsts),
    positions = tensor.from_parts('i32', { rows }, positions, #firsts),
    starts = tensor.from_parts('i32', { count + 1 }, starts, #firsts),
    longest = longest, width = device.width(longest), count = count, tokens = tokens,
    arrays = arrays, firsts = firsts,
  }, Text)
end

-- The same text with keys (seed, step, stream); `first` is the number, in the global batch, of the
-- first text here.
function Text:with_key(seed, step, stream, first)
  local other = setmetatable({}, Text)
  for k, v in pairs(self) do other[k] = v end
  other.key_parts = { seed, step, stream }
  other.key = key_tensor(other)
  other.first_text = first
  other.who = numbers(first, self.firsts, self.count)
  return other
end

-- The `count` texts from number `first` (from 0) on, as a packed text of their own.
function Text:part(first, count)
  local part = lay_out(self.arrays, self.firsts, first, count)
  part.arrays, part.first = nil, first
  part.key, part.key_parts = self.key, self.key_parts
  if self.first_text then part.who = numbers(self.first_text + first, self.firsts, count) end
  if self.rows then part:vary(0) end
  return part
end

-- The same texts, divided evenly among n devices, in order.
function Text:divide(n)
  if n <= 1 then return self end
  local each, firsts = self.count / n, {}
  for r = 1, n do firsts[r] = (r - 1) * each end
  return (lay_out(self.arrays, firsts, 0, each))
end

-- Tokens of the texts from number `first` on and before `last`, on the device that has most.
function Text:tokens_of(first, last)
  local starts, most = self.arrays.starts, 0
  for _, more in ipairs(self.firsts) do
    most = math.max(most, starts[more + last] - starts[more + first])
  end
  return most
end

-- A second stream of the same texts: other dropout, all else equal (SimCSE).
function Text:again()
  if not self.key_parts then return self end
  local k = self.key_parts
  local other = setmetatable({}, Text)
  for name, v in pairs(self) do other[name] = v end
  other.key_parts = { k[1], k[2], k[3] + REPEAT }
  other.key = key_tensor(other)
  return other
end

-- This shard's part of a batch of `rows` texts.
function Text:vary(rows)
  self.rows = rows
  tensor.vary(self.ids, 0)
  tensor.vary(self.positions, 0)
  tensor.vary(self.starts, rows)
  if self.who then tensor.vary(self.who, rows) end
  return self
end

local measured = core.new 'se_packed'

-- Packs what `fill(measured, ids, starts, positions)` knows: one call measures, one fills.
function text.fill(fill)
  core.check(fill(measured, nil, nil, nil))
  local n, total = tonumber(measured.texts), tonumber(measured.tokens)
  local ids, positions = int32s(math.max(total, 1)), int32s(math.max(total, 1))
  local starts = int32s(n + 1)
  core.check(fill(measured, ids, starts, positions))
  local packed = lay_out({ ids = ids, positions = positions, starts = starts }, { 0 }, 0, n)
  packed.texts_cut = tonumber(measured.truncated)
  return packed
end

-- A batch that the tokenizer made, or the `n` texts of it whose numbers (from 0, int64_t) `which`
-- has. `pad` is the id that takes no position; -1: positions are 0, 1, ... of all tokens.
function text.pack(batch, pad, which, n)
  return text.fill(function(out, ids, starts, positions)
    return C.se_pack_batch(batch, which and n or batch.n, which, pad, out, ids, starts, positions)
  end)
end

-- Lists of token ids (from 0) -> one packed text.
function text.of_ids(lists, pad)
  local n, total, at = #lists, 0, 0
  for _, list in ipairs(lists) do total = total + #list end
  local ids, starts, cuts = int32s(math.max(total, 1)), int32s(n + 1), int32s(n + 1)
  for i, list in ipairs(lists) do
    for _, id in ipairs(list) do
      ids[at] = id
      at = at + 1
    end
    starts[i] = at
  end
  local batch = core.new 'se_token_batch'
  batch.n, batch.total, batch.ids, batch.starts, batch.cuts = n, total, ids, starts, cuts
  local packed = text.pack(batch, pad or 1)
  core.hold(ids, starts, cuts) -- the struct's pointers alone do not keep them
  return packed
end

return text
