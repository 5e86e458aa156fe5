-- CoSENT (Su 2022, kexue.fm/archives/8847; CoSENTLoss of sentence-transformers): pairs with a
-- higher label should have a higher cosine.

local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions
local MASKED = -1e30

-- loss(a, b, labels) -> value: log(1 + sum of exp(scale * (cos_j - cos_i)) over all i, j of the
-- whole batch with labels[i] > labels[j]). a, b: (my rows, dims); labels: f32[my rows], of any
-- range. cfg: scale (20; a tensor or se.loss.scale, too).
return function(cfg)
  local settings = options.read('cosent', cfg, { scale = 20 })
  return function(...)
    local v = options.tensors('cosent', 3, ...)
    local a, b, labels = v[1], v[2], v[3]
    options.check_vectors('cosent', { a, b })
    options.check_labels('cosent', labels, a:size(1))
    local scale = settings.scale
    if type(scale) == 'table' then scale = scale() end
    local mine = f.cosine(a, b) * scale
    local all, labels_of_all = shard.gather(mine), shard.gather(labels)
    -- Row i, mine: the terms of all j with a lower label; then the log of the sum over all rows and
    -- of the 1, from the largest on.
    local lower = f.greater(labels:unsqueeze(2), labels_of_all:unsqueeze(1))
    local terms = f.where(lower, all:unsqueeze(1) - mine:unsqueeze(2), MASKED)
    local rows = f.logsumexp(terms, 2)
    local largest = f.stop_grad(f.maximum(shard.gather(rows):max(), 0))
    local sum = shard.sum((rows - largest):exp():sum()) + (-largest):exp()
    return sum:log() + largest
  end
end
