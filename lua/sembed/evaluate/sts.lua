-- Sentence similarity: how well the similarity of two texts' vectors follows people's scores.
--
--   se.evaluate.sts(model, 'stsb.tsv', { columns = { 'sentence1', 'sentence2', 'score' } })
--
-- Pearson's r and Spearman's rho between the scores and cosine, dot product, negative Euclidean and
-- negative Manhattan distance, as sentence-transformers' EmbeddingSimilarityEvaluator. A number
-- that is not defined (all scores equal, one pair) is se.json.null. Memory: vectors of one block,
-- and five numbers a pair.

local Coder = require 'sembed.evaluate.coder'
local columns = require 'sembed.evaluate.columns'
local fail = require 'sembed.fail'
local json = require 'sembed.json'
local metrics = require 'sembed.evaluate.metrics'
local records = require 'sembed.evaluate.records'
local similarity = require 'sembed.evaluate.similarity'
local tensor = require 'sembed.tensor'

local BLOCK = 512 -- pairs
local USUAL = { { 'text1', 'text2', 'score' }, { 'sentence1', 'sentence2', 'score' },
  { 'sentence1', 'sentence2', 'similarity_score' } }

local function score_of(value, place, kind)
  local score = tonumber(value)
  if not score or score ~= score or math.abs(score) == math.huge then
    local header = kind == 'tsv' and place:match ':1$'
    fail.raise('%s: the score "%s" is no number%s', place, tostring(value),
      header and '; where the first line is a header, columns=A,B,SCORE names what to read' or '')
  end
  return score
end

local function compare(coder, first, second, into)
  coder:expect(2 * #first)
  tensor.scope('sts', function()
    local a, b = coder:encode(first, 'text'), coder:encode(second, 'text')
    for _, name in ipairs(similarity.names) do
      local list = into[name]
      for _, value in ipairs(similarity[name](a, b):totable()) do list[#list + 1] = value end
    end
  end)
end

local function correlations(scores, seen)
  local result, order = {}, {}
  local function set(what, name, value)
    order[#order + 1] = what .. '_' .. name
    result[what .. '_' .. name] = value or json.null
  end
  for _, name in ipairs(similarity.names) do
    set('pearson', name, metrics.pearson(scores, seen[name]))
    set('spearman', name, metrics.spearman(scores, seen[name]))
  end
  return result, order
end

-- options: columns, limit (the first N pairs), batch, length, dims, prompt, prompt_name.
return function(model, path, options)
  options = options or {}
  local source = records.source(path)
  local coder = Coder.new(model, options, 'sts', source)
  local pick = columns.picker { count = 3, columns = options.columns, usual = USUAL }
  local scores, seen, limit = {}, {}, (options.limit or 0) > 0 and options.limit or math.huge
  for _, name in ipairs(similarity.names) do seen[name] = {} end
  local first, second = {}, {}
  for record, place, kind in records.of(source) do
    local values = pick(record, place, kind)
    if values then
      first[#first + 1] = columns.text(values[1], place)
      second[#second + 1] = columns.text(values[2], place)
      scores[#scores + 1] = score_of(values[3], place, kind)
      if #first == BLOCK then
        compare(coder, first, second, seen)
        first, second = {}, {}
      end
      if #scores >= limit then break end
    end
  end
  if #first > 0 then compare(coder, first, second, seen) end
  fail.unless(#scores > 0, '%s: no pairs in it', source.name)
  local values, order = correlations(scores, seen)
  return (coder:report { task = 'sts', source = source.name, pairs = #scores, metrics = values,
    order = order })
end
