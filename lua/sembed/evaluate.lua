-- How good a model's vectors are, each task a file in evaluate/:
--
--   se.evaluate.sts(model, FILE, options)         sts.lua: correlation with people's scores
--   se.evaluate.pairs(model, FILE, options)       pairs.lua: 1-of-100, MRR, recall
--   se.evaluate.triplets(model, FILE, options)    triplets.lua: accuracy
--   se.evaluate.retrieval(model, FOLDER, options) retrieval.lua: nDCG, MAP, recall, MRR (BEIR)
--   se.evaluate.one_of(a, b)                      1-of-100 of vectors that are there already
--   se.evaluate.in_batch(loss, batch, a, b)       in_batch.lua: a training's loss of such vectors
--   se.evaluate.files(model, cfg)                 what a training is watched by: files, see there
--   se.evaluate.metrics                           the numbers as pure functions
--   se.evaluate.report                            results as a table, as JSON
--
-- A task gives a table: task, source, sizes, texts, tokens, truncated (texts cut), seconds,
-- tokens_per_second, prompts, metrics (by name; shares are 0..1), order (their names in order).

local metrics = require 'sembed.evaluate.metrics'
local pairs_task = require 'sembed.evaluate.pairs'

local evaluate = {
  in_batch = require 'sembed.evaluate.in_batch',
  metrics = metrics,
  pairs = pairs_task.evaluate,
  report = require 'sembed.evaluate.report',
  retrieval = require 'sembed.evaluate.retrieval',
  sts = require 'sembed.evaluate.sts',
  triplets = require 'sembed.evaluate.triplets',
}

-- 1-of-N accuracy (PolyAI's conversational-datasets): in blocks of `block` pairs (100), in order,
-- each context ranks the block's responses; it is right when its own response ranks first (among
-- equals the earliest does). a, b: unit vectors (n, dims). Returns the share of right ones and how
-- many pairs counted: pairs beyond the last whole block do not, unless there is none.
function evaluate.one_of(a, b, block)
  block = block or 100
  local n, all = #a, {}
  local used = n >= block and n - n % block or n
  for first = 1, used, block do
    local last = math.min(first + block - 1, used)
    local ranks = pairs_task.ranks(a:rows(first, last), b:rows(first, last))
    for _, rank in ipairs(ranks) do all[#all + 1] = rank end
  end
  return metrics.share_within(all, 1) or 0, used
end

-- What se.train.steps calls to evaluate `model` on the files that cfg names: a function that gives
-- { spearman = , one_of_100 = , mrr = , accuracy = }. cfg.sts: Spearman's rho of the cosine; pairs:
-- 1-of-100 and mean reciprocal rank; triplets: how often the positive is nearer, by cosine. ''
-- or nil: not that one; nil comes back where there is none at all.
function evaluate.files(model, cfg)
  local function named(key) return cfg[key] ~= nil and cfg[key] ~= '' and cfg[key] end
  if not (named 'sts' or named 'pairs' or named 'triplets') then return nil end
  return function()
    local result = {}
    if named 'sts' then
      result.spearman = evaluate.sts(model, cfg.sts).metrics.spearman_cosine
    end
    if named 'pairs' then
      local found = evaluate.pairs(model, cfg.pairs).metrics
      result.one_of_100, result.mrr = found.accuracy, found.mrr
    end
    if named 'triplets' then
      result.accuracy = evaluate.triplets(model, cfg.triplets).metrics.accuracy_cosine
    end
    return result
  end
end

return evaluate
