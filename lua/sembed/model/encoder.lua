-- What every sentence encoder can do, whatever its layers:
--
--   model:encode(texts, options)   texts -> vectors
--   model:vectors(text, normalize, skip)   packed text -> vectors, for training, too
--   model:save(folder)             as sentence-transformers reads it; returns its files' names
--   model.modules                  what follows the layers: pooling, dense layers, unit length
--   model:prompt(name)             one of the folder's prompts; else an error with the nearest name
--   model:own_prompt(side)         the folder's prompt for a 'query' or a 'document', or nil
--   model.dims, .name, .prompts, .default_prompt (a name), .similarity, .normalize (unit length?)
--   model.card                     what the saved README.md is to tell (save.lua)

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local nn = require 'sembed.nn'
local op = require 'sembed.op'
local precision = require 'sembed.precision'
local save = require 'sembed.model.save'
local shard = require 'sembed.shard'
local tensor = require 'sembed.tensor'
local text_io = require 'sembed.text'

local f = op.functions
local encoder = {}

local int64s = core.typeof 'int64_t[?]'

local TOKENS = 2048 -- of a batch at most, unless one text alone has more; no bit depends on it

-- --- modules ---

-- Puts what a folder says (folder.lua) into the model; its modules' weights are trained, too.
function encoder.join(self, found)
  self.layer_params, self.params = self.params, nn.params()
  for i, t in ipairs(self.layer_params) do self.params:add(self.layer_params.names[i], t) end
  for _, key in ipairs { 'modules', 'prompts', 'default_prompt', 'similarity', 'name' } do
    self[key] = found[key]
  end
  for i, m in ipairs(self.modules) do
    if m.params then self.params:join(('%d_%s'):format(i, m.kind), m) end
  end
  local last = self.modules[#self.modules]
  self.dims = last and last.dims or self.config.hidden_size
  self.normalize = last ~= nil and last.kind == 'Normalize'
  self.card = {}
end

-- Packed text -> one vector a text, as the folder's modules say. normalize: true for unit length,
-- false to leave it out where it is the last module, nil as the folder says; skip: the tokens of a
-- prompt.
local function vectors(self, text, normalize, skip)
  local x, n = self(text), #self.modules
  if normalize == false and self.normalize then n = n - 1 end
  for i = 1, n do x = self.modules[i](x, text, skip) end
  if normalize and not self.normalize then x = f.normalize(x) end
  return x
end

-- --- prompts ---

-- A prompt of the folder by its name; an error with the nearest name for another.
local function named_prompt(self, name)
  local names = {}
  if self.prompts[name] then return self.prompts[name] end
  for known in pairs(self.prompts) do names[#names + 1] = known end
  return fail.raise('%s', fail.unknown('prompt', name, names))
end

-- The names that sentence-transformers' encode_query and encode_document look for, in their order.
local sides = { query = { 'query' }, document = { 'document', 'passage', 'corpus' } }

-- The folder's prompt for a 'query' or a 'document', nil where it has none.
local function own_prompt(self, side)
  for _, name in ipairs(sides[side] or {}) do
    if self.prompts[name] then return self.prompts[name] end
  end
end

local function prompt_of(self, options)
  if options.prompt then return options.prompt end
  local name = options.prompt_name or self.default_prompt
  return name and named_prompt(self, name) or ''
end

-- How many tokens of a text are the prompt's: all but the end's of the prompt alone.
local function prompt_tokens(self, prompt, length)
  if prompt == '' or self.modules[1].include_prompt then return 0 end
  return tonumber(self.tokenizer:batch({ prompt }, length).total) - 1
end

-- --- batches ---

-- Places (from 0) of the batch's texts, the shortest first, and their numbers of tokens.
local function by_length(batch)
  local order, tokens = {}, {}
  for i = 0, tonumber(batch.n) - 1 do
    order[i + 1], tokens[i] = i, tonumber(batch.starts[i + 1] - batch.starts[i])
  end
  table.sort(order, function(a, b)
    if tokens[a] ~= tokens[b] then return tokens[a] < tokens[b] end
    return a < b
  end)
  return order, tokens
end

-- Where the batch that begins at `first` of the order ends.
local function batch_end(order, tokens, first, most)
  local last, sum = first, tokens[order[first]]
  while last < #order and last - first + 1 < most do
    sum = sum + tokens[order[last + 1]]
    if sum > TOKENS then break end
    last = last + 1
  end
  return last
end

-- All texts are tokenised once; then one batch after another, each in a scope of its own, so that
-- memory holds the hidden states of one of them.
local function encode_sorted(self, texts, job)
  local tokenised = self.tokenizer:batch(texts, job.length)
  local order, tokens = by_length(tokenised)
  local parts, cut, first = {}, 0, 1
  while first <= #order do
    local last = batch_end(order, tokens, first, job.most)
    local which = int64s(last - first + 1)
    for i = first, last do which[i - first] = order[i] end
    parts[#parts + 1] = tensor.scope('encode', function()
      local packed = text_io.pack(tokenised, self.tokenizer.padding, which, last - first + 1)
      cut = cut + packed.texts_cut
      local x = vectors(self, packed, job.inner, job.skip)
      if job.dims then x = x:slice(2, 0, job.dims) end
      if job.outer then x = f.normalize(x) end
      tensor.keep(x)
      tensor.eval(x)
      return x
    end)
    first = last + 1
  end
  return parts, order, cut
end

-- Puts rows that stand in `order` back to the order of the texts.
local function unsort(x, order)
  local back = {}
  for row, i in ipairs(order) do back[i + 1] = row - 1 end
  return (f.take(x, tensor.make(back, 'i32')))
end

local function with_prompt(texts, prompt)
  if prompt == '' then return texts end
  local list = {}
  for i, text in ipairs(texts) do
    if type(text) ~= 'string' then fail.raise('encode: text %d is a %s', i, type(text)) end
    list[i] = prompt .. text
  end
  return list
end

-- A list of texts -> vectors, as encode has them, in this process.
local function encode_here(self, texts, options)
  local dims, normalize = options.dims, options.normalize
  if dims and (dims < 1 or dims % 1 ~= 0 or dims > self.dims) then
    fail.raise('encode: dims=%s: 1 to %d is wanted', tostring(dims), self.dims)
  end
  if #texts == 0 then return tensor.zeros(0, dims or self.dims), 0 end
  local length, prompt = options.length or self.length, prompt_of(self, options)
  local inner, outer = normalize, false
  if dims and normalize then inner, outer = nil, true end
  local job = {
    length = length, skip = prompt_tokens(self, prompt, length), dims = dims,
    most = options.batch or #texts, inner = inner, outer = outer,
  }
  local parts, order, cut = precision.within(options.precision, encode_sorted, self,
    with_prompt(texts, prompt), job)
  local x = unsort(tensor.join(parts), order)
  tensor.keep(x)
  tensor.eval(x)
  return x, cut
end

-- texts: a list of strings (or one string) -> f32[n, dims] (or f32[dims]), rows in the order of
-- the texts, and how many of them were cut to `length` tokens.
-- options: batch (texts at once, at most), length (the model's), normalize (as the folder says),
-- prompt (a string; '' for none), prompt_name (of model.prompts; else the folder's default),
-- dims (only the first so many numbers; `normalize = true` then makes unit length of those),
-- precision (of the linear layers: 'f32', 'bf16', 'int8'; else the one in force).
-- Several processes share the work: each encodes its part of the texts, all get all vectors.
local function encode(self, texts, options)
  options = options or {}
  if type(texts) == 'string' then
    local x, cut = encode_here(self, { texts }, options)
    return x:row(1), cut
  end
  if not shard.divides() or #texts < shard.count then
    return encode_here(self, texts, options)
  end
  local first, last = shard.range(#texts)
  local mine = {}
  for i = first + 1, last do mine[#mine + 1] = texts[i] end
  local x, cut = encode_here(self, mine, options)
  local all = tensor.keep(f.shard_gather(tensor.vary(x, #texts)))
  tensor.eval(all)
  return all, shard.meet('the texts that encode has cut', #texts, cut)
end

-- --- saving ---

-- Writes the model as a folder that sentence-transformers of every version reads; gives the names
-- of its files. A new folder is there whole or not at all.
local function save_folder(self, folder)
  fail.unless(type(folder) == 'string' and folder ~= '', 'save: a folder is wanted')
  return save.folder(self, folder)
end

-- Writes README.md alone anew, when model.card has grown.
local function write_card(self, folder) save.card(self, folder) end

-- --- searching ---

-- Texts with their vectors, to be searched: local c = model:corpus(texts); c:search(query, k).
local function corpus(self, texts, options)
  return (require('sembed.search').texts(self, texts, options))
end

-- The k (10) best texts for a query; of a list of texts the vectors are made anew at each call.
local function search(self, query, texts, k, options)
  if getmetatable(texts) == nil then texts = corpus(self, texts) end
  return (texts:search(query, k, options))
end

-- "mpnet all-mpnet-base-v2: 12 layers of width 768, 12 heads", then parameters and what comes out.
local function describe(self)
  local c, then_ = self.config, {}
  for i, m in ipairs(self.modules) do then_[i] = m.kind end
  return ('%s%s: %d layers of width %d, %d heads\nparameters: %s\nvectors: %d numbers of texts of '
    .. '%d tokens at most%s'):format(c.model_type,
    self.name and self.name ~= c.model_type and ' ' .. self.name or '', c.num_hidden_layers,
    c.hidden_size, c.num_attention_heads, tostring(self.params), self.dims, self.length,
    then_[1] and ', by ' .. table.concat(then_, ', ') or '')
end

function encoder.class()
  local class = { encode = encode, prompt = named_prompt, own_prompt = own_prompt,
    save = save_folder, vectors = vectors, restore = save.restore, write_card = write_card,
    corpus = corpus, search = search, __tostring = describe }
  class.__index = class
  return class
end

return encoder
