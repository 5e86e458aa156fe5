-- Triplets (anchor, positive, negative): how often the anchor is more like the positive.
--
--   se.evaluate.triplets(model, 'nli.jsonl')
--
-- The share of triplets with sim(anchor, positive) > sim(anchor, negative), by cosine, dot product,
-- negative Euclidean and negative Manhattan distance, as sentence-transformers' TripletEvaluator: a
-- tie is wrong. Of lists ("pos": [...], "neg": [...]) every positive is set against every negative.
-- The anchor is encoded as a query, the others as documents. Memory: the vectors of one block.

local Coder = require 'sembed.evaluate.coder'
local columns = require 'sembed.evaluate.columns'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local records = require 'sembed.evaluate.records'
local similarity = require 'sembed.evaluate.similarity'
local tensor = require 'sembed.tensor'

local BLOCK = 384 -- triplets
local USUAL = { { 'anchor', 'positive', 'negative' }, { 'query', 'pos', 'neg' },
  { 'query', 'positive', 'negative' }, { 'context', 'response', 'negative' },
  { 'sentence1', 'sentence2', 'sentence3' }, { 'text1', 'text2', 'text3' } }

local function compare(coder, block, right)
  coder:expect(3 * #block[1])
  tensor.scope('triplets', function()
    local anchor = coder:encode(block[1], 'query')
    local positive = coder:encode(block[2], 'document')
    local negative = coder:encode(block[3], 'document')
    for _, name in ipairs(similarity.names) do
      local like = similarity[name]
      local better = op.functions.greater(like(anchor, positive), like(anchor, negative))
      right[name] = (right[name] or 0) + better:sum():item()
    end
  end)
end

-- Adds the record's triplets; returns how many.
local function add(block, values, place)
  local anchor, n = columns.text(values[1], place), 0
  for _, positive in ipairs(columns.texts(values[2], place)) do
    for _, negative in ipairs(columns.texts(values[3], place)) do
      for i, text in ipairs { anchor, positive, negative } do
        block[i][#block[i] + 1] = text
      end
      n = n + 1
    end
  end
  return n
end

-- options: columns, limit (the first N records), batch, length, dims, query_prompt, document_prompt
-- and the same with _name.
return function(model, path, options)
  options = options or {}
  local source = records.source(path)
  local coder = Coder.new(model, options, 'triplets', source)
  local pick = columns.picker { count = 3, columns = options.columns, usual = USUAL }
  local limit = (options.limit or 0) > 0 and options.limit or math.huge
  local right, block, n, read = {}, { {}, {}, {} }, 0, 0
  for record, place, kind in records.of(source) do
    local values = pick(record, place, kind)
    if values then
      n, read = n + add(block, values, place), read + 1
      if #block[1] >= BLOCK then
        compare(coder, block, right)
        block = { {}, {}, {} }
      end
      if read >= limit then break end
    end
  end
  if #block[1] > 0 then compare(coder, block, right) end
  fail.unless(n > 0, '%s: no triplets in it', source.name)
  local values, order = {}, {}
  for i, name in ipairs(similarity.names) do
    order[i] = 'accuracy_' .. name
    values[order[i]] = right[name] / n
  end
  return (coder:report { task = 'triplets', source = source.name, triplets = n, metrics = values,
    order = order })
end
