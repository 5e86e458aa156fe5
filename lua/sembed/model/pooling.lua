-- The hidden states of packed texts -> one vector a text, by sentence-transformers' modes.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local pooling = {}

local int32s = core.typeof 'int32_t[?]'

-- --- the modes: x (T, hidden), p = { starts, count, weights } -> (texts, hidden) ---

local function firsts(p) return (p.starts:slice(1, 0, p.count)) end
local function ends(p) return (p.starts:slice(1, 1, p.count + 1)) end

local function column(x) return (x:reshape { x:size(1), 1 }) end

-- 1, 2, ... within each text, f32[T, 1]
local function numbers(starts, total)
  local text = f.segment_ids(starts, { total = total })
  return column((f.iota(total) - f.take(starts, text) + 1):cast 'f32')
end

local modes = {}

function modes.cls(x, p) return (f.take(x, firsts(p))) end
function modes.lasttoken(x, p) return (f.take(x, ends(p) - 1)) end
function modes.mean(x, p) return (f.mean_pool(x, p.starts)) end
function modes.max(x, p) return (f.max_pool(x, p.starts)) end

function modes.mean_sqrt_len_tokens(x, p)
  local tokens = (ends(p) - firsts(p)):cast 'f32'
  return modes.mean(x, p) * column(tokens):sqrt()
end

function modes.weightedmean(x, p)
  local w = p.weights
  return f.mean_pool(x * w, p.starts) / f.mean_pool(w, p.starts)
end

-- In the order in which sentence-transformers puts the vectors of the older layout's switches.
local switches = {
  { 'pooling_mode_cls_token', 'cls' }, { 'pooling_mode_max_tokens', 'max' },
  { 'pooling_mode_mean_tokens', 'mean' },
  { 'pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens' },
  { 'pooling_mode_weightedmean_tokens', 'weightedmean' },
  { 'pooling_mode_lasttoken', 'lasttoken' },
}

-- --- prompts that are left out ---

-- The rows without the first `skip` tokens of each text; at least one token of a text stays.
local function without(x, text, skip, weights)
  local from, n = text.arrays.starts, text.count
  local kept, starts, at = int32s(math.max(x:size(1), 1)), int32s(n + 1), 0
  for i = 0, n - 1 do
    local first = math.min(from[i] + skip, math.max(from[i + 1] - 1, from[i]))
    for row = first, from[i + 1] - 1 do
      kept[at] = row
      at = at + 1
    end
    starts[i + 1] = at
  end
  if x:size(1) > text.tokens then at = x:size(1) end -- rows of no text stay, for few shapes
  local rows = tensor.from_memory('i32', { at }, kept)
  return f.take(x, rows), {
    starts = tensor.from_memory('i32', { n + 1 }, starts), count = n,
    weights = weights and f.take(weights, rows),
  }
end

-- --- the module ---

local Pooling = {}
Pooling.__index = Pooling

-- skip: how many tokens the prompt has, where the folder leaves prompts out.
function Pooling:__call(x, text, skip)
  local weights
  if self.uses.weightedmean then weights = numbers(text.starts, x:size(1)) end
  local p = { starts = text.starts, count = text.count, weights = weights }
  if skip and skip > 0 and not self.include_prompt then x, p = without(x, text, skip, weights) end
  local parts = {}
  for i, mode in ipairs(self.modes) do parts[i] = modes[mode](x, p) end
  if #parts == 1 then return parts[1] end
  return (f.concat(parts, 2))
end

-- What its config.json says, in the layout that every version of the library reads; an order of
-- modes that the switches cannot say needs the newer one.
function Pooling:config()
  local c = { word_embedding_dimension = self.size, include_prompt = self.include_prompt }
  local at, plain = 0, {}
  for _, s in ipairs(switches) do
    c[s[1]] = self.uses[s[2]] or false
    if self.uses[s[2]] then plain[#plain + 1] = s[2] end
  end
  for i, mode in ipairs(self.modes) do
    if plain[i] == mode then at = at + 1 end
  end
  if at == #self.modes and at == #plain then return c end
  return { embedding_dimension = self.size, include_prompt = self.include_prompt,
    pooling_mode = self.modes }
end

local function modes_of(c, where)
  local list = c.pooling_mode
  if type(list) == 'string' then list = { list } end
  if list ~= nil then
    local known = {}
    for name in pairs(modes) do known[#known + 1] = name end
    if type(list) ~= 'table' or #list == 0 then
      fail.raise('%s: pooling_mode: a name or a list of names is wanted', where)
    end
    for _, mode in ipairs(list) do
      if not modes[mode] then
        fail.raise('%s: pooling_mode: %s', where, fail.unknown('mode', mode, known))
      end
    end
    return list
  end
  local found, known = {}, {}
  for _, s in ipairs(switches) do
    known[s[1]] = true
    if c[s[1]] == true then found[#found + 1] = s[2] end
  end
  for key, value in pairs(c) do
    if value == true and key:match '^pooling_mode_' and not known[key] then
      fail.raise('%s: %s is not supported', where, key)
    end
  end
  return #found > 0 and found or { 'mean' }
end

-- c: what config.json says; size: of the hidden states.
function pooling.new(c, size, where)
  local said = c.word_embedding_dimension or c.embedding_dimension or size
  if said ~= size then
    fail.raise('%s: word_embedding_dimension is %s; the hidden states have %d numbers', where,
      tostring(said), size)
  end
  local self = { kind = 'Pooling', size = size, modes = modes_of(c, where), uses = {},
    include_prompt = c.include_prompt ~= false }
  for _, mode in ipairs(self.modes) do self.uses[mode] = true end
  self.dims = #self.modes * size
  return setmetatable(self, Pooling)
end

return pooling
