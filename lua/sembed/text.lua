-- Packed texts: many texts as one list of tokens, without padding.
--
--   ids        i32[T]    token ids of all texts, one after another
--   positions  i32[T]    for the position embedding: 2, 3, ... within each text; <pad> has 1
--   starts     i32[n+1]  text i has the tokens starts[i] .. starts[i+1]-1
--   longest, count, tokens   numbers: most tokens of a text, texts, tokens of all
--   width      longest as attention takes it; where the device wants few shapes, it and T are
--              rounded up (device.lua), and the rows after starts[n] belong to no text
--   key, who   i32[3], i32[n]  what dropout draws from; only in texts of se.train.steps

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

-- i32[n]: first, first + 1, ...
local function numbers(first, n)
  local list = int32s(math.max(n, 1))
  for i = 0, n - 1 do list[i] = first + i end
  return (tensor.from_memory('i32', { n }, list))
end

-- `n` numbers as i32[rows], zeros behind them.
local function padded(n, list, rows)
  if rows == n then return (tensor.from_memory('i32', { n }, list)) end
  local all = int32s(math.max(rows, 1))
  core.copy(all, list, 4 * n)
  return (tensor.from_memory('i32', { rows }, all))
end

-- The same text with keys (seed, step, stream); `first` is the number, in the global batch, of the
-- first text here.
function Text:with_key(seed, step, stream, first)
  local other = setmetatable({}, Text)
  for k, v in pairs(self) do other[k] = v end
  other.key_parts = { seed, step, stream }
  other.key = key_tensor(other)
  other.first_text = first
  other.who = numbers(first, self.count)
  return other
end

-- The `count` texts from number `first` (from 0) on, as a packed text of their own.
function Text:part(first, count)
  local c = self.arrays
  local from, to = c.starts[first], c.starts[first + count]
  local starts, longest = int32s(count + 1), 0
  for i = 0, count do starts[i] = c.starts[first + i] - from end
  for i = 0, count - 1 do longest = math.max(longest, starts[i + 1] - starts[i]) end
  local rows = device.rows(to - from)
  local part = setmetatable({
    ids = padded(to - from, c.ids + from, rows),
    positions = padded(to - from, c.positions + from, rows),
    starts = tensor.from_memory('i32', { count + 1 }, starts),
    longest = longest, width = device.width(longest), count = count, tokens = to - from,
    first = first, key = self.key, key_parts = self.key_parts,
  }, Text)
  if self.first_text then part.who = numbers(self.first_text + first, count) end
  if self.rows then part:vary(0) end
  return part
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
  local rows = device.rows(total)
  return setmetatable({
    ids = padded(total, ids, rows),
    positions = padded(total, positions, rows),
    starts = tensor.from_memory('i32', { n + 1 }, starts),
    longest = measured.longest, width = device.width(measured.longest), count = n, tokens = total,
    texts_cut = tonumber(measured.truncated),
    arrays = { ids = ids, positions = positions, starts = starts }, -- for parts of it
  }, Text)
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
