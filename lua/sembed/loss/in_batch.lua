-- The contrastive objective: every text should find its own partner among all of the batch.
--
-- a, b: unit vectors (my rows of the batch, dims), row i of a belongs to row i of b; any number of
-- further arguments are hard negatives, n1, n2, ... of the same shape, candidates for every row.
-- Scores are scale * a b^T over the gathered batch; the loss is cross entropy against the true
-- pairs, divided by the number of rows in the whole batch. Each maker gives loss(a, b, ...) ->
-- value, seen, where seen.accuracy is the share of rows of a whose own partner scores highest.
--
-- Options of all of them:
--   scale     20; a number, a tensor f32[], or se.loss.scale(20), which is learned
--   hardness  { others = 9, own = 5 }: to the score of a with each negative, strength * its cosine
--             is added as a constant, so that hard ones weigh more: others for the texts of other
--             pairs (Lan et al. 2025, "LLaVE", equation 5), own for the row's own hard negatives
--             (Schechter Vera et al. 2025, "EmbeddingGemma")
--
-- A table { same = numbers } behind the vectors masks equal texts (se.loss.same): pairs i and j
-- that have a text in common are no negatives of each other, and a hard negative is none of row i
-- when it equals a text of pair i. The own partner is never masked. So the loss sees what a batch
-- without duplicates would show it.
--
-- SimCSE (Gao et al. 2021) is one_way over two passes of one text with other dropout:
-- run(batch.a, batch.a:again()).
--
-- Facts and reference values: the training script of the model card (CE both ways for pairs, one
-- way for triplets), tests/data/tiny-mpnet, and, by sentence-transformers, tests/data/objectives.

local fail = require 'sembed.fail'
local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions
local in_batch = {}

local MASKED = -1e30 -- a score whose exp is 0 beside any other

local function either(x, y)
  if x and y then return (f.logical_or(x, y)) end
  return x or y
end

-- bool[m, n]: x[i] = y[j]
local function equal(x, y) return (f.equal(x:unsqueeze(2), y:unsqueeze(1))) end

-- What is masked because texts are equal. pair: bool[my rows, batch]: pairs i and j have a text in
-- common and are two; hard[k]: negative k of pair j equals a text of pair i.
local function masks_of(self, same)
  if not same then return { hard = {} } end
  fail.unless(#same == #self.hard + 2, 'loss.in_batch: numbers of %d columns of texts came: there '
    .. 'are %d', #same, #self.hard + 2)
  local a, b = f.take(same[1], self.rows), f.take(same[2], self.rows)
  local function shares(text) return either(equal(a, text), equal(b, text)) end
  local masks = { hard = {} }
  masks.pair = f.logical_and(either(shares(same[1]), shares(same[2])), f.logical_not(self.own))
  for k = 1, #self.hard do masks.hard[k] = shares(same[k + 2]) end
  return masks
end

local function open(name, settings, ...)
  local v, extra = options.arguments(name, 2, ...)
  options.check_vectors(name, v)
  local self = { a = v[1], b = v[2], hard = {}, settings = settings, rows = shard.rows(v[1]) }
  self.scale = settings.scale
  if type(self.scale) == 'table' then self.scale = self.scale() end
  for k = 3, #v do self.hard[k - 2] = shard.gather(v[k]) end
  self.all_a, self.all_b = shard.gather(self.a), shard.gather(self.b)
  self.own = equal(self.rows, f.iota(self.all_b:size(1))) -- bool[my rows, batch]
  self.masks = masks_of(self, extra.same)
  return self
end

-- Scores (my rows, batch) of x with the texts y. strength: what hardness adds, (my rows, batch).
local function block(self, x, y, mask, strength)
  local cosine = x:matmul(y:t())
  local scores = cosine * self.scale
  if strength then scores = scores + f.stop_grad(cosine) * strength end
  return mask and f.masked_fill(scores, mask, MASKED) or scores
end

-- Scores of a with all candidates: (my rows, batch) of the partners, then of each hard negative.
local function forward(self)
  local hardness, of_pairs, of_hard = self.settings.hardness, nil, nil
  if hardness then
    of_pairs = f.where(self.own, 0, hardness.others)
    of_hard = f.where(self.own, hardness.own, hardness.others)
  end
  local blocks = { block(self, self.a, self.all_b, self.masks.pair, of_pairs) }
  for k, n in ipairs(self.hard) do
    blocks[k + 1] = block(self, self.a, n, self.masks.hard[k], of_hard)
  end
  return blocks
end

local function join(blocks)
  return #blocks > 1 and f.concat(blocks, 2) or blocks[1]
end

local function backward(self) return (block(self, self.b, self.all_a, self.masks.pair)) end

local function finish(self, total, scores)
  local right, rows = f.equal(scores:argmax(2), self.rows):sum(), self.a:global_rows()
  return shard.sum(total) / rows, { accuracy = shard.sum(right) / rows }
end

local function settings_of(name, cfg, more)
  local defaults = { scale = 20, hardness = false }
  for key, value in pairs(more or {}) do defaults[key] = value end
  local settings = options.read(name, cfg, defaults)
  if settings.hardness then
    settings.hardness = options.read(name .. ': hardness', settings.hardness,
      { others = 0, own = 0 })
  end
  return settings
end

-- Each text of either side looks for its partner: (CE(S) + CE(S'^T)) / 2, where S = a [b; n1;
-- ...]^T and S' = a b^T. cfg: scale, hardness (of S).
function in_batch.symmetric(cfg)
  local settings = settings_of('in_batch.symmetric', cfg)
  return function(...)
    local self = open('in_batch.symmetric', settings, ...)
    local scores, back = join(forward(self)), backward(self)
    local total = f.cross_entropy(scores, self.rows) + f.cross_entropy(back, self.rows)
    return finish(self, total:sum() / 2, scores)
  end
end

-- Each text of the first side looks for its partner: CE(S) alone, S = a [b; n1; n2...]^T. cfg:
-- scale, hardness.
function in_batch.one_way(cfg)
  local settings = settings_of('in_batch.one_way', cfg)
  return function(...)
    local self = open('in_batch.one_way', settings, ...)
    local scores = join(forward(self))
    return finish(self, f.cross_entropy(scores, self.rows):sum(), scores)
  end
end

-- One softmax over several kinds of negatives (Li et al. 2023, "Towards General Text Embeddings
-- with Multi-stage Contrastive Learning", the improved contrastive loss;
-- MultipleNegativesRankingLoss of sentence-transformers with partition_mode "joint"): row i has the
-- scores of
--   a_i with every b_j and every hard negative          always
--   a_i with the other a_j                              cfg.a_with_a
--   b_i with every a_j                                  cfg.b_with_a
--   b_i with the texts b_j and negatives of other pairs cfg.b_with_b
-- and its target is the first's own partner. All kinds unless cfg says false; scale, hardness too.
function in_batch.joint(cfg)
  local settings = settings_of('in_batch.joint', cfg,
    { a_with_a = true, b_with_a = true, b_with_b = true })
  return function(...)
    local self = open('in_batch.joint', settings, ...)
    local blocks, masks = forward(self), self.masks
    local scores = join(blocks)
    local function add(x, y, mask) blocks[#blocks + 1] = block(self, x, y, mask) end
    if settings.a_with_a then add(self.a, self.all_a, either(self.own, masks.pair)) end
    if settings.b_with_a then add(self.b, self.all_a, masks.pair) end
    if settings.b_with_b then
      add(self.b, self.all_b, either(self.own, masks.pair))
      for k, n in ipairs(self.hard) do add(self.b, n, either(self.own, masks.hard[k])) end
    end
    return finish(self, f.cross_entropy(join(blocks), self.rows):sum(), scores)
  end
end

return in_batch
