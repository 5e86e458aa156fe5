-- The contrastive objective: every text should find its own partner among all of the batch.
--
-- a, b: unit vectors (my rows of the batch, dims), row i of a belongs to row i of b. Scores are
-- scale * a b^T over the gathered batch; the loss is cross entropy against the true pairs, divided
-- by the number of rows in the whole batch. Each maker gives loss(a, b, ...) -> value, seen, where
-- seen.accuracy is the share of rows whose own partner scores highest.
--
-- Facts and reference values: the training script of the model card (CE both ways for pairs, one
-- way for triplets) and tests/data/tiny-mpnet.

local op = require 'sembed.op'
local shard = require 'sembed.shard'

local f = op.functions
local in_batch = {}

local DEFAULT_SCALE = 20

local function options(cfg)
  return cfg and rawget(cfg, 'scale') or DEFAULT_SCALE
end

local function finish(total, scores, own, rows)
  local right = f.equal(scores:argmax(2), own):sum()
  return shard.sum(total) / rows, { accuracy = shard.sum(right) / rows }
end

-- Each text of either side looks for its partner: (CE(S) + CE(S^T)) / 2. cfg: scale.
function in_batch.symmetric(cfg)
  local scale = options(cfg)
  return function(a, b)
    local scores = a:matmul(shard.gather(b):t()) * scale
    local back = b:matmul(shard.gather(a):t()) * scale
    local own = shard.rows(a)
    local total = (f.cross_entropy(scores, own) + f.cross_entropy(back, own)):sum() / 2
    return finish(total, scores, own, a:global_rows())
  end
end

-- Each text of the first side looks for its partner: CE(S) alone. cfg: scale. Further arguments are
-- hard negatives, each (my rows, dims): S = a [b; n1; n2...]^T.
function in_batch.one_way(cfg)
  local scale = options(cfg)
  return function(a, b, ...)
    local candidates = { shard.gather(b) }
    for i = 1, select('#', ...) do candidates[i + 1] = shard.gather((select(i, ...))) end
    local all = #candidates > 1 and f.concat(candidates, 1) or candidates[1]
    local scores = a:matmul(all:t()) * scale
    local own = shard.rows(a)
    local total = f.cross_entropy(scores, own):sum()
    return finish(total, scores, own, a:global_rows())
  end
end

return in_batch
