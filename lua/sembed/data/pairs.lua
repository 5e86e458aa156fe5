-- Pairs of texts from JSON-lines files, tokenised and in memory, drawn in an order that each epoch
-- shuffles anew (core/data/pairs.h, order.h).
--
--   local talk = se.data.pairs { 'talk.jsonl.gz', tokenizer = model.tokenizer, length = 128 }
--   talk:count(), talk:text('context', i), talk:pack('context', { 1, 2, 3 })   pairs count from 1
--   local train, held = talk:split(0.01)

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local progress = require 'sembed.progress'
local run = require 'sembed.run'
local text = require 'sembed.text'

local C = core.C
local Pairs = {}
Pairs.__index = Pairs

local strings, int64s = core.typeof 'const char *[?]', core.typeof 'int64_t[?]'
local pairs_box, order_box = core.new 'se_pairs *[1]', core.new 'se_order *[1]'
local done_box, size_box = core.new 'bool[1]', core.new 'size_t[1]'
local text_box, stats_box = core.new 'char *[1]', core.new 'se_column_stats'

local LINES = 20000 -- between two looks at the clock and at Ctrl-C

local function c_strings(list)
  local array = strings(math.max(#list, 1))
  for i, s in ipairs(list) do array[i - 1] = s end
  return array
end

local function load(options)
  local names, tok = {}, options.tokenizer
  for i, path in ipairs(options) do names[i] = run.path(path) end
  fail.unless(#names > 0, 'data.pairs: a file is missing')
  local columns = options.columns or {}
  core.check(C.se_pairs_open(#names, c_strings(names), #columns, c_strings(columns),
    tok and tok.handle or nil, options.length or 0, pairs_box))
  local handle = core.gc(pairs_box[0], C.se_pairs_free)
  repeat
    core.check(C.se_pairs_step(handle, LINES, done_box))
    progress.show('reading %s: %d %%', names[1], 100 * C.se_pairs_progress(handle))
  until done_box[0]
  progress.clear()
  return handle
end

-- `subset`: C array of pair numbers, or nil for all.
local function new(handle, options, subset, n)
  local self = setmetatable({
    handle = handle, options = options, seed = options.seed or 1,
    pad = options.tokenizer and options.tokenizer.padding or -1,
    subset = subset, n = n or tonumber(C.se_pairs_count(handle)), columns = {},
  }, Pairs)
  for i = 0, C.se_pairs_columns(handle) - 1 do
    self.columns[i + 1] = core.text(C.se_pairs_column_name(handle, i))
  end
  return self
end

-- How many pairs there are (of a part made by split: in it).
function Pairs:count() return self.n end

-- A column's number in the file, from 0, by its name; an error with the nearest name for another.
function Pairs:column(name)
  local i = C.se_pairs_column(self.handle, name)
  if i < 0 then fail.raise('pairs: %s', fail.unknown('column', name, self.columns)) end
  return i
end

-- The number within the file of my i-th pair.
function Pairs:number(i)
  if i < 1 or i > self.n then fail.raise('pairs: there is no pair %d of %d', i, self.n) end
  return self.subset and self.subset[i - 1] or i - 1
end

-- The text of pair i (from 1) in a column: talk:text('context', 1).
function Pairs:text(column, i)
  local s = C.se_pairs_text(self.handle, self:column(column), self:number(i), size_box)
  return core.text(s, size_box[0])
end

-- Texts first..last of a column as a list of strings.
function Pairs:texts(column, first, last)
  local list = {}
  for i = first or 1, last or self.n do list[#list + 1] = self:text(column, i) end
  return list
end

local function pack(self, column, which, n)
  local index = self:column(column)
  return text.fill(function(out, ids, starts, positions)
    return C.se_pairs_pack(self.handle, index, n, which, self.pad, out, ids, starts, positions)
  end)
end

-- The column's texts of a list of pairs (from 1) as one packed text.
function Pairs:pack(column, list)
  local which = int64s(math.max(#list, 1))
  for i, k in ipairs(list) do which[i - 1] = self:number(k) end
  return pack(self, column, which, #list)
end

-- What a column holds: tokens, bytes, truncated (texts), cut (tokens), longest.
function Pairs:stats(column)
  core.check(C.se_pairs_stats(self.handle, self:column(column), stats_box))
  local s = {}
  for _, key in ipairs { 'tokens', 'bytes', 'truncated', 'cut', 'longest' } do
    s[key] = tonumber(stats_box[key])
  end
  return s
end

-- Two parts, the second of about `fraction` of the pairs; equal texts are never in both.
function Pairs:split(fraction)
  local room, parts = tonumber(C.se_pairs_count(self.handle)), {}
  for i, held in ipairs { false, true } do
    local list = int64s(math.max(room, 1))
    local n = C.se_pairs_split(self.handle, fraction, self.seed, held, list, room)
    parts[i] = new(self.handle, self.options, list, tonumber(n))
  end
  return parts[1], parts[2]
end

-- --- the order ---

local function order(self)
  if not self.order_handle then
    core.check(C.se_order_new(self.handle, self.seed, self.subset, self.n, order_box))
    self.order_handle = core.gc(order_box[0], C.se_order_free)
  end
  return self.order_handle
end

-- The next global batch: { context = packed text, ... } of its rows first..last (counted from 0,
-- last not included; all of them without these).
function Pairs:draw(batch, first, last)
  local which = int64s(batch)
  core.check(C.se_order_next(order(self), batch, which))
  first, last = first or 0, last or batch
  local columns = {}
  for _, name in ipairs(self.columns) do
    columns[name] = pack(self, name, which + first, last - first)
  end
  return columns
end

-- The step of the last batch is complete.
function Pairs:done() C.se_order_done(order(self)) end

-- The position after the last completed step, as text: for Pairs:restore.
function Pairs:state()
  core.check(C.se_order_state(order(self), text_box))
  local s = core.text(text_box[0])
  C.se_io_free(text_box[0])
  return s
end

-- Goes on where `state`, as Pairs:state gave it, was taken: the next draw is the one that came
-- then.
function Pairs:restore(state)
  core.check(C.se_order_restore(order(self), state, #state))
end

-- options: the files (a list, or one path), tokenizer and length (tokens of a text at most; without
-- a tokenizer there are texts only), columns (names of the two; else the file's own), seed (1).
return function(options)
  if type(options) == 'string' then options = { options } end
  return new(load(options), options)
end
