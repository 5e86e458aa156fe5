-- Labels as the target of the cosine (CosineSimilarityLoss of sentence-transformers; Reimers and
-- Gurevych 2019, "Sentence-BERT").

local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions

-- loss(a, b, labels) -> value: the mean of (cos(a_i, b_i) - labels[i])^2 over the whole batch.
-- a, b: (my rows, dims); labels: f32[my rows]. It has no options.
return function(cfg)
  options.read('cosine_mse', cfg, {})
  return function(...)
    local v = options.tensors('cosine_mse', 3, ...)
    local a, b, labels = v[1], v[2], v[3]
    options.check_vectors('cosine_mse', { a, b })
    options.check_labels('cosine_mse', labels, a:size(1))
    return shard.sum(f.square(f.cosine(a, b) - labels):sum()) / a:global_rows()
  end
end
