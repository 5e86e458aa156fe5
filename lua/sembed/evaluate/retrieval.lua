-- Retrieval from a BEIR folder (evaluate/beir.lua): each query searches the corpus, people's
-- judgements say what should have been found.
--
--   se.evaluate.retrieval(model, 'scifact', { split = 'test', similarity = 'dot' })
--
-- ndcg, map, recall, precision and mrr at 1, 3, 5, 10 and 100: means over the split's queries with
-- the definitions of BEIR (beir.retrieval.evaluation: trec_eval's ndcg_cut, map_cut, recall and P;
-- custom_metrics.mrr). sentence-transformers' InformationRetrievalEvaluator differs in four things:
-- its gains are 0 or 1; its map divides by the relevant documents or k, whichever is less, where
-- BEIR divides by all of them; a query without a relevant document does not count there, and counts
-- as 0 here; and a document with the id of the query counts as found there, and is passed over here
-- (BEIR's ignore_identical_ids).
-- Equal scores: the document that stands earlier in the corpus is the better one.
--
-- Memory: vectors of one block of documents, vectors and texts of the queries, 101 scores and
-- numbers for each of them, and the judgements; nothing grows with the corpus.

local Coder = require 'sembed.evaluate.coder'
local beir = require 'sembed.evaluate.beir'
local fail = require 'sembed.fail'
local metrics = require 'sembed.evaluate.metrics'
local records = require 'sembed.evaluate.records'
local semantic_search = require 'sembed.search'
local tensor = require 'sembed.tensor'

local BLOCK = 1024 -- documents encoded between two looks at the best
local CUTOFFS = { 1, 3, 5, 10, 100 }
local NAMES = { 'ndcg', 'map', 'recall', 'precision', 'mrr' }

local function encode_queries(coder, set, unit)
  local texts = {}
  for i, query in ipairs(set.queries) do texts[i] = query.text end
  return coder:encode(texts, 'query', unit)
end

-- The ids whose place in the corpus will be asked for: false until they come.
local function watched_ids(set)
  local place_of = {}
  for _, query in ipairs(set.queries) do
    place_of[query.id] = false
    for id in pairs(query.judged) do place_of[id] = false end
  end
  return place_of
end

-- Runs through the corpus. Returns the best documents (search.best), and place_of[id], from 0.
local function search(coder, set, unit)
  local queries = encode_queries(coder, set, unit)
  local best = semantic_search.best(queries, CUTOFFS[#CUTOFFS] + 1, 'dot')
  local place_of, texts, n = watched_ids(set), {}, 0
  local function flush()
    coder:expect(#texts)
    local x = tensor.scope('documents', function()
      return (coder:encode(texts, 'document', unit))
    end)
    best:add(x)
    texts = {}
  end
  for id, text, place in set:corpus() do
    if place_of[id] then fail.raise('%s: document "%s" is there twice', place, id) end
    if place_of[id] == false then place_of[id] = n end
    n, texts[#texts + 1] = n + 1, text
    if #texts == BLOCK then flush() end
  end
  if #texts > 0 then flush() end
  fail.unless(n > 0, '%s: no documents in it', set.documents.name)
  return best, place_of
end

-- One query's numbers, by NAME@CUTOFF.
local function numbers_of(found, judged)
  local values, relevant = {}, 0
  for _, r in ipairs(judged) do relevant = relevant + (r > 0 and 1 or 0) end
  for _, k in ipairs(CUTOFFS) do
    values['ndcg@' .. k] = metrics.ndcg(found, judged, k)
    values['map@' .. k] = metrics.average_precision(found, relevant, k)
    values['recall@' .. k] = metrics.recall(found, relevant, k)
    values['precision@' .. k] = metrics.precision(found, k)
    values['mrr@' .. k] = metrics.reciprocal_rank(found, k)
  end
  return values, relevant
end

-- The relevance of the n documents that a query found, best first; the one of its own id is passed
-- over.
local function relevance_of(query, documents, n, place_of)
  local at, judged, found = {}, {}, {}
  for id, relevance in pairs(query.judged) do
    judged[#judged + 1] = relevance
    if place_of[id] then at[place_of[id]] = relevance end
  end
  for i, place in ipairs(documents) do
    if i > n then break end
    if place ~= place_of[query.id] then found[#found + 1] = at[place] or 0 end
  end
  return found, judged
end

local function means(set, best, place_of)
  local sums, order, hopeless = {}, {}, 0
  for _, name in ipairs(NAMES) do
    for _, k in ipairs(CUTOFFS) do
      order[#order + 1] = ('%s@%d'):format(name, k)
      sums[order[#order]] = 0
    end
  end
  local n, _, rows = math.min(best.rows, CUTOFFS[#CUTOFFS] + 1), best:results()
  for i, documents in ipairs(rows:totable()) do
    local found, judged = relevance_of(set.queries[i], documents, n, place_of)
    local values, relevant = numbers_of(found, judged)
    for name, value in pairs(values) do sums[name] = sums[name] + value end
    if relevant == 0 then hopeless = hopeless + 1 end
  end
  for name, sum in pairs(sums) do sums[name] = sum / #set.queries end
  return sums, order, hopeless
end

-- Judged documents that the corpus does not hold; they count as relevant ones not found.
local function count_unknown(set, place_of)
  local seen, n = {}, 0
  for _, query in ipairs(set.queries) do
    for id in pairs(query.judged) do
      if not place_of[id] and not seen[id] then seen[id], n = true, n + 1 end
    end
  end
  return n
end

-- options: split, similarity, batch, length, dims, query_prompt, document_prompt and the same with
-- _name.
return function(model, path, options)
  options = options or {}
  local source, split = records.source(path), options.split or 'test'
  local similarity = Coder.similarity(options)
  local set = beir.open(source, split)
  local coder = Coder.new(model, options, 'beir', source)
  coder.source = set.documents -- what takes the time
  local best, place_of = search(coder, set, similarity == 'cosine' or nil)
  local values, order, hopeless = means(set, best, place_of)
  return (coder:report { task = 'beir', source = source.name, split = split,
    queries = #set.queries, documents = best.rows, similarity = similarity,
    unknown_documents = count_unknown(set, place_of), queries_without_relevant = hopeless,
    cutoffs = CUTOFFS, metrics = values, order = order })
end
