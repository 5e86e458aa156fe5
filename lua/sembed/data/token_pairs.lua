-- Pairs as token files, and batches drawn from them (core/data/tokenfile.h, order.h): the one
-- reader of training. Made by se.data.pairs and se.data.mixture.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local tensor = require 'sembed.tensor'
local text = require 'sembed.text'
local text_pairs = require 'sembed.data.text_pairs'

local C = core.C
local Pairs = {}
Pairs.__index = Pairs

local BUCKETS = C.SE_TOKEN_BUCKETS
local HELD = 10000 -- pairs of a held-out part whose texts are read

local int64s, int32s = core.typeof 'int64_t[?]', core.typeof 'int32_t[?]'
local doubles, file_list = core.typeof 'double[?]', core.typeof 'const se_token_file *[?]'
local order_box, pairs_box = core.new 'se_order *[1]', core.new 'se_pairs *[1]'
local text_box, stats = core.new 'char *[1]', core.new 'se_column_stats'

local DUPLICATES = { 'skip', 'mask', 'off' }

local function check_duplicates(value)
  for _, name in ipairs(DUPLICATES) do
    if value == name then return value end
  end
  return fail.raise('data: %s', fail.unknown('duplicates', tostring(value), DUPLICATES))
end

-- files: open token files; weights: as many numbers, or nil; options: those of se.data.pairs.
local function new(files, weights, options)
  local self = setmetatable({
    files = files, weights = weights, options = options,
    seed = options.seed or 1, pad = options.tokenizer.padding, columns = {},
    low = 0, high = BUCKETS, duplicates = check_duplicates(options.duplicates or 'skip'),
  }, Pairs)
  for i = 0, C.se_token_file_columns(files[1]) - 1 do
    self.columns[i + 1] = core.text(C.se_token_file_column_name(files[1], i))
  end
  return self
end

-- How many pairs there are (of a part made by split: in it).
function Pairs:count()
  local n = 0
  for _, file in ipairs(self.files) do
    n = n + tonumber(C.se_token_file_part(file, self.low, self.high))
  end
  return n
end

-- A column's number in the file, from 0, by its name; an error with the nearest name for another.
function Pairs:column(name)
  for i, column in ipairs(self.columns) do
    if column == name then return i - 1 end
  end
  return fail.raise('pairs: %s', fail.unknown('column', name, self.columns))
end

-- What a column holds, all files together and nothing held out: texts, tokens, bytes, truncated
-- (texts), cut (tokens), longest.
function Pairs:stats(column)
  local s, index = { texts = 0, tokens = 0, bytes = 0, truncated = 0, cut = 0, longest = 0 },
    self:column(column)
  for _, file in ipairs(self.files) do
    core.check(C.se_token_file_stats(file, index, stats))
    for key, value in pairs(s) do
      local more = tonumber(stats[key])
      s[key] = key == 'longest' and math.max(value, more) or value + more
    end
  end
  return s
end

-- The i-th pair's place in its file, which is given, too.
local function locate(self, i)
  local left = i - 1
  for _, file in ipairs(self.files) do
    local n = tonumber(C.se_token_file_count(file))
    if left >= 0 and left < n then return left, file end
    left = left - n
  end
  return fail.raise('pairs: there is no pair %s of %d', tostring(i), i - 1 - left)
end

-- Packs the column's texts of a list of pairs of one file. Pairs are counted over all files, held
-- out or not.
function Pairs:pack(column, list)
  local index, which, from = self:column(column), int64s(math.max(#list, 1)), self.files[1]
  for i, k in ipairs(list) do
    local number, file = locate(self, k)
    if i > 1 and file ~= from then fail.raise 'pairs: pack takes pairs of one data set' end
    which[i - 1], from = number, file
  end
  return text.fill(function(out, ids, starts, positions)
    return C.se_token_file_pack(from, index, #list, which, self.pad, out, ids, starts, positions)
  end)
end

-- The texts of some pairs (C array, ascending) of a file, in memory.
local function read_texts(file, n, which)
  core.check(C.se_token_file_texts(file, n, which, pairs_box))
  return (text_pairs.of(core.gc(pairs_box[0], C.se_pairs_free)))
end

-- Texts first..last of a column, which are of one file, from their source: at once from a plain
-- one; a packed one is read from its beginning, so one call for many texts is better than many.
function Pairs:texts(column, first, last)
  first, last = first or 1, last or self:count()
  if last < first then return {} end
  local number, file = locate(self, first)
  if select(2, locate(self, last)) ~= file then
    fail.raise 'pairs: texts takes pairs of one data set'
  end
  local n = last - first + 1
  local which = int64s(n)
  for i = 0, n - 1 do which[i] = number + i end
  return (read_texts(file, n, which):texts(column))
end

-- A text of the i-th pair.
function Pairs:text(column, i) return self:texts(column, i, i)[1] end

-- Two parts that have no first text in common: the pairs to train on, and texts in memory that are
-- held out, of about `fraction` of the pairs: the first 10,000 of them (held.of: how many there
-- are). Which pairs are held out depends on their first texts alone.
function Pairs:split(fraction)
  fail.unless(type(fraction) == 'number' and fraction >= 0 and fraction < 1,
    'split: a fraction of 0 or more and below 1 is wanted: %s came', tostring(fraction))
  fail.unless(#self.files == 1, 'split: it takes one data set; there are %d', #self.files)
  local edge = math.ceil(fraction * BUCKETS)
  local file = self.files[1]
  local of = tonumber(C.se_token_file_part(file, 0, edge))
  local room = math.min(of, HELD)
  local which = int64s(math.max(room, 1))
  local n = tonumber(C.se_token_file_pairs(file, 0, edge, which, room))
  local held = read_texts(file, n, which)
  held.of = of
  local train = new(self.files, self.weights, self.options)
  train.low = edge
  return train, held
end

-- --- what was drawn, as texts ---

-- file's pairs (numbers from 0, ascending, each once) by number: { column = text, ... } from the
-- source, or as the tokens say where that cannot be read. before: pairs of the files before it.
local function look_up(self, file, numbers, before)
  local n, found = #numbers, {}
  local which = int64s(n)
  for i, number in ipairs(numbers) do which[i - 1] = number end
  local there, texts = pcall(read_texts, file, n, which)
  for i, number in ipairs(numbers) do
    local row = { decoded = not there or nil }
    for _, name in ipairs(self.columns) do
      if there then
        row[name] = texts:text(name, i)
      else
        local packed = self:pack(name, { before + number + 1 })
        row[name] = self.options.tokenizer:decode(packed.arrays.ids, true, packed.tokens)
      end
    end
    found[number] = row
  end
  return found
end

-- The pairs of a batch (of drawn()) in its order: { column = text, ..., pair = number, set = number
-- of the data set }, both from 1; pair counts over all sets, as pack does.
function Pairs:rows_of(drawn)
  local rows, before = {}, 0
  for k, file in ipairs(self.files) do
    local numbers, seen = {}, {}
    for i = 0, drawn.n - 1 do
      local number = tonumber(drawn.pair[i])
      if drawn.file[i] == k - 1 and not seen[number] then
        numbers[#numbers + 1], seen[number] = number, true
      end
    end
    table.sort(numbers)
    local found = #numbers > 0 and look_up(self, file, numbers, before) or {}
    for i = 0, drawn.n - 1 do
      if drawn.file[i] == k - 1 then
        local number = tonumber(drawn.pair[i])
        local row = { pair = before + number + 1, set = #self.files > 1 and k or nil }
        for name, value in pairs(found[number]) do row[name] = value end
        rows[i + 1] = row
      end
    end
    before = before + tonumber(C.se_token_file_count(file))
  end
  return rows
end

-- --- batches ---

local function order(self)
  if self.order_handle then return self.order_handle end
  local n = #self.files
  local list, weight = file_list(n), self.weights and doubles(n)
  for i, file in ipairs(self.files) do
    list[i - 1] = file
    if weight then weight[i - 1] = self.weights[i] end
  end
  local how = core.new 'se_order_options'
  how.seed, how.low, how.high = self.seed, self.low, self.high
  how.mixed = self.options.mixed or false
  how.repeats = self.duplicates ~= 'skip'
  core.check(C.se_order_new(n, list, weight, how, order_box))
  self.order_handle = core.gc(order_box[0], C.se_order_free)
  return self.order_handle
end

-- Numbers of the texts of the whole batch, equal ones alike: i32[batch] for each column.
local function add_numbers(self, columns, batch, pair, file)
  local n = #self.columns
  local numbers = int32s(n * batch)
  core.check(C.se_order_same(order(self), batch, pair, file, numbers))
  for i, name in ipairs(self.columns) do
    columns[name].same = tensor.from_memory('i32', { batch }, numbers + (i - 1) * batch)
  end
end

-- Packs a column (from 0) of `count` drawn pairs (C arrays).
local function pack_drawn(self, column, count, pair, file)
  return text.fill(function(out, ids, starts, positions)
    return C.se_order_pack(order(self), column, count, pair, file, self.pad, out, ids, starts,
      positions)
  end)
end

-- The next global batch: { context = packed text, ... } of its rows first..last (counted from 0,
-- last not included; all of them without these). duplicates = 'mask': each packed text has .same,
-- i32[batch]: equal texts of the batch, in any column, have equal numbers.
function Pairs:draw(batch, first, last)
  local pair, file = int64s(batch), int32s(batch)
  core.check(C.se_order_next(order(self), batch, pair, file))
  self.last = { n = batch, pair = pair, file = file }
  first, last = first or 0, last or batch
  local columns = {}
  for i, name in ipairs(self.columns) do
    columns[name] = pack_drawn(self, i - 1, last - first, pair + first, file + first)
    columns[name].drawn = { pair = pair + first, file = file + first, all = self.last }
  end
  if self.duplicates == 'mask' then add_numbers(self, columns, batch, pair, file) end
  return columns
end

-- Which pairs the last batch was: for rows_of.
function Pairs:drawn() return self.last end

-- The texts of `packed`, a column of a batch that another reader of the same files drew, in this
-- reader's tokens, for a model with another tokenizer; no dropout acts on them. rows: a list of
-- numbers from 0, of some of them.
function Pairs:like(packed, column, rows)
  local n, drawn, index = packed.count, packed.drawn, self:column(column)
  if not rows then
    local other = pack_drawn(self, index, n, drawn.pair, drawn.file)
    return packed.rows and other:vary(packed.rows) or other
  end
  local pair, file = int64s(#rows), int32s(#rows)
  for k, i in ipairs(rows) do pair[k - 1], file[k - 1] = drawn.pair[i], drawn.file[i] end
  return (pack_drawn(self, index, #rows, pair, file))
end

-- Names of the texts of `packed`, a column of a batch, from [0] on: equal for equal texts alone.
function Pairs:names(packed, column)
  local names, drawn, index = {}, packed.drawn, self:column(column)
  for i = 0, packed.count - 1 do
    names[i] = tostring(C.se_token_file_hash(self.files[drawn.file[i] + 1], index, drawn.pair[i]))
  end
  return names
end

-- The step of the last batch is complete.
function Pairs:done() C.se_order_done(order(self)) end

-- The position after the last completed step, as text, and back.
function Pairs:state()
  core.check(C.se_order_state(order(self), text_box))
  local s = core.text(text_box[0])
  C.se_io_free(text_box[0])
  return s
end

-- Goes on at such a position; an error where it belongs to other data.
function Pairs:restore(state)
  core.check(C.se_order_restore(order(self), state, #state))
end

return new
