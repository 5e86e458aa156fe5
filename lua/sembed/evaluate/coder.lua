-- Encodes an evaluation's texts and counts them: model:encode in batches, with progress between.
--
--   local coder = Coder.new(model, options, 'sts', source)   a source of records.lua
--   local x = coder:encode(texts, 'query')     f32[n, dims]; unit vectors with `true` behind
--   coder:report(result)                       texts, tokens, truncated, seconds, ...
--
-- Sides. 'text' has the prompt of the options prompt / prompt_name; 'query' and 'document' those of
-- query_prompt / query_prompt_name and document_prompt / document_prompt_name. Where neither is
-- given, a query has the folder's own prompt "query" and a document "document", "passage" or
-- "corpus" (the first there is), as sentence-transformers' encode_query and encode_document.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local progress = require 'sembed.progress'
local tensor = require 'sembed.tensor'

local f = op.functions
local Coder = {}
Coder.__index = Coder

local function seconds() return tonumber(core.C.se_seconds()) end

-- The text that stands before those of a side; '' is none, also as an option.
local function prompt_of(model, options, side)
  local key = side == 'text' and 'prompt' or side .. '_prompt'
  local text, name = options[key] or '', options[key .. '_name'] or ''
  if text ~= '' and name ~= '' then
    fail.raise('evaluate: %s and %s_name: one of them is enough', key, key)
  end
  if text ~= '' then return text end
  if name == '' then
    return model:own_prompt(side) or model.prompts[model.default_prompt or ''] or ''
  end
  return (model:prompt(name))
end

-- Options from the shell: 0 is as good as none.
local function count(options, key, least)
  local value = options[key] or 0
  fail.unless(value % 1 == 0 and (value == 0 or value >= least),
    'evaluate: %s=%s: a count of at least %d is wanted', key, tostring(value), least)
  return value > 0 and value or nil
end

-- How rankings score: 'cosine' or 'dot'.
function Coder.similarity(options)
  local name = options.similarity or 'cosine'
  if name ~= 'cosine' and name ~= 'dot' then
    fail.raise('evaluate: %s; cosine and dot are there',
      fail.unknown('similarity', name, { 'cosine', 'dot' }))
  end
  return name
end

function Coder.new(model, options, task, source)
  local prompts = {}
  for _, side in ipairs { 'text', 'query', 'document' } do
    prompts[side] = prompt_of(model, options, side)
  end
  count(options, 'limit', 1)
  return setmetatable({
    model = model, options = options, label = task .. ' ' .. source.name,
    source = source, batch = count(options, 'batch', 1) or 64,
    length = count(options, 'length', 2), dims = count(options, 'dims', 1), prompts = prompts,
    texts = 0, waiting = 0, done = 0, tokens = 0, cut = 0, spent = 0, started = seconds(),
    used = {},
  }, Coder)
end

-- So many texts were read and are going to be encoded: for the time that is left.
function Coder:expect(n) self.waiting = n end

-- "62 %, 1:40 left" of the file that is read, where its size is known.
function Coder:left()
  local read, size = 0, 0
  if self.source.read then read, size = self.source.read() end
  if read == 0 or size == 0 or (self.options.limit or 0) > 0 then return '' end
  local done = read / size * self.texts / (self.texts + self.waiting)
  done = math.max(self.done, done) -- files are read ahead, in pieces
  self.done = done
  local spent = seconds() - self.started
  return (', %d %%, %s left'):format(100 * done, progress.clock(spent * (1 / done - 1)))
end

function Coder:show()
  progress.on_terminal('%s: %d texts, %.0f tokens/s%s', self.label, self.texts,
    self.tokens / math.max(self.spent, 1e-9), self:left())
end

local function some(texts, first, n)
  local list = {}
  for i = first, math.min(first + n - 1, #texts) do list[#list + 1] = texts[i] end
  return list
end

function Coder:options_of(side, normalize)
  local prompt = self.prompts[side]
  if normalize == nil then normalize = self.options.normalize end
  self.used[side] = prompt
  return { batch = self.batch, length = self.length, dims = self.dims, normalize = normalize,
    prompt = prompt ~= '' and prompt or nil }
end

-- The tokens of the texts, the prompt among them, as the model sees them.
function Coder:count(texts, how)
  local list = texts
  if how.prompt then
    list = {}
    for i, text in ipairs(texts) do list[i] = how.prompt .. text end
  end
  return tonumber(self.model.tokenizer:batch(list, how.length or self.model.length).total)
end

function Coder:encode(texts, side, normalize)
  fail.unless(#texts > 0, '%s: no texts', self.label)
  local how, parts = self:options_of(side, normalize), {}
  for first = 1, #texts, self.batch do
    local list, start = some(texts, first, self.batch), seconds()
    local x, cut = self.model:encode(list, how)
    if self.dims and x:size(2) ~= self.dims then
      fail.raise('evaluate: dims=%d: the model gives vectors of %d numbers', self.dims, x:size(2))
    end
    parts[#parts + 1] = x
    self.spent = self.spent + seconds() - start
    self.texts, self.cut = self.texts + #list, self.cut + cut
    self.waiting = math.max(self.waiting - #list, 0)
    self.tokens = self.tokens + self:count(list, how)
    self:show()
  end
  local all = #parts == 1 and parts[1] or tensor.keep(tensor.join(parts))
  if not f.all(f.is_finite(all)):item() then
    fail.raise('%s: the model gives vectors that are not finite', self.label)
  end
  return all
end

-- Puts what was counted into a task's result.
function Coder:report(result)
  progress.clear()
  result.texts, result.tokens, result.truncated = self.texts, self.tokens, self.cut
  result.seconds = seconds() - self.started
  result.tokens_per_second = self.tokens / math.max(self.spent, 1e-9)
  result.prompts = self.used
  return result
end

return Coder
