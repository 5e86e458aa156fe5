-- What every sentence encoder can do, whatever its layers: texts -> vectors, and saving.

local fail = require 'sembed.fail'
local folder_io = require 'sembed.model.folder'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local encoder = {}

-- Packed text -> one vector a text, as the folder's modules say: mean, then unit length.
local function vectors(self, text, normalize)
  local x = f.mean_pool(self(text), text.starts)
  if normalize then x = f.normalize(x) end
  return x
end

local function by_length(texts)
  local order = {}
  for i = 1, #texts do order[i] = i end
  table.sort(order, function(a, b)
    if #texts[a] ~= #texts[b] then return #texts[a] < #texts[b] end
    return a < b
  end)
  return order
end

-- One batch after another, each in a scope of its own, so that memory holds one of them.
local function encode_sorted(self, texts, order, batch, length, normalize)
  local parts, cut = {}, 0
  for first = 1, #order, batch do
    local some = {}
    for i = first, math.min(first + batch - 1, #order) do some[#some + 1] = texts[order[i]] end
    parts[#parts + 1] = tensor.scope('encode', function()
      local packed = self.tokenizer:pack(some, length)
      cut = cut + packed.texts_cut
      local x = tensor.keep(vectors(self, packed, normalize))
      tensor.eval(x)
      return x
    end)
  end
  return parts, cut
end

-- Puts rows that stand in `order` back to the order of the texts.
local function unsort(x, order)
  local back = {}
  for row, i in ipairs(order) do back[i] = row - 1 end
  return (f.take(x, tensor.make(back, 'i32')))
end

-- texts: a list of strings (or one string) -> f32[n, hidden] (or f32[hidden]), rows in the order of
-- the texts, and how many of them were cut to `length` tokens.
-- options: batch (64 texts at once), length (the model's), normalize (as the folder says).
local function encode(self, texts, options)
  options = options or {}
  if type(texts) == 'string' then
    local x, cut = encode(self, { texts }, options)
    return x:row(1), cut
  end
  local n, normalize = #texts, options.normalize
  if normalize == nil then normalize = self.normalize end
  if n == 0 then return tensor.zeros(0, self.config.hidden_size), 0 end
  local order = by_length(texts)
  local parts, cut = encode_sorted(self, texts, order, options.batch or 64,
    options.length or self.length, normalize)
  local x = unsort(tensor.join(parts), order)
  tensor.keep(x)
  tensor.eval(x)
  return x, cut
end

-- Writes a folder that sentence-transformers reads. Returns the files' names within it.
local function save(self, folder)
  fail.unless(type(folder) == 'string', 'save: a folder is wanted')
  return folder_io.save(self, folder)
end

-- Texts with their vectors, to be searched: local c = model:corpus(texts); c:search(query, k).
local function corpus(self, texts, options)
  return (require('sembed.search').texts(self, texts, options))
end

-- The k (10) best texts for a query; of a list of texts the vectors are made anew at each call.
local function search(self, query, texts, k, options)
  if getmetatable(texts) == nil then texts = corpus(self, texts) end
  return (texts:search(query, k, options))
end

function encoder.class()
  local class = { encode = encode, save = save, vectors = vectors, corpus = corpus,
    search = search }
  class.__index = class
  return class
end

return encoder
