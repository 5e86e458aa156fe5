-- Pairs of texts in memory (core/data/pairs.h): se.data.pairs without a tokenizer, and what
-- split holds out.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local progress = require 'sembed.progress'

local C = core.C
local text_pairs = {}
local Pairs = {}
Pairs.__index = Pairs

local strings = core.typeof 'const char *[?]'
local pairs_box = core.new 'se_pairs *[1]'
local done_box, size_box = core.new 'bool[1]', core.new 'size_t[1]'

local LINES = 20000 -- between two looks at the clock and at Ctrl-C

-- Gives a C list of pairs, wholly loaded, to Lua.
function text_pairs.of(handle)
  local self = setmetatable({ handle = handle, n = tonumber(C.se_pairs_count(handle)),
    columns = {} }, Pairs)
  for i = 0, C.se_pairs_columns(handle) - 1 do
    self.columns[i + 1] = core.text(C.se_pairs_column_name(handle, i))
  end
  return self
end

-- How many pairs there are.
function Pairs:count() return self.n end

-- A text of the i-th pair, as it stands in its file.
function Pairs:text(column, i)
  for k, name in ipairs(self.columns) do
    if name == column then
      if i < 1 or i > self.n then fail.raise('pairs: there is no pair %d of %d', i, self.n) end
      local s = C.se_pairs_text(self.handle, k - 1, i - 1, size_box)
      return core.text(s, size_box[0])
    end
  end
  return fail.raise('pairs: %s', fail.unknown('column', column, self.columns))
end

-- Texts first..last of a column as a list of strings.
function Pairs:texts(column, first, last)
  local list = {}
  for i = first or 1, last or self.n do list[#list + 1] = self:text(column, i) end
  return list
end

local function c_strings(list)
  local array = strings(math.max(#list, 1))
  for i, s in ipairs(list) do array[i - 1] = s end
  return array
end

-- Loads files. columns: names, in order; none: the first line decides.
function text_pairs.load(names, columns)
  core.check(C.se_pairs_open(#names, c_strings(names), #columns, c_strings(columns), pairs_box))
  local handle = core.gc(pairs_box[0], C.se_pairs_free)
  repeat
    core.check(C.se_pairs_step(handle, LINES, done_box))
    progress.show('reading %s: %d %%', names[1], 100 * C.se_pairs_progress(handle))
  until done_box[0]
  progress.clear()
  return (text_pairs.of(handle))
end

return text_pairs
