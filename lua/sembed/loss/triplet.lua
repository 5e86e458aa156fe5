-- Triplets: nearer to the right one than to the wrong one, by a margin (Reimers and Gurevych 2019,
-- "Sentence-BERT"; TripletLoss of sentence-transformers).

local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions

-- |x - y + 1e-6|: the small number, as in torch's pairwise_distance, keeps the gradient finite at
-- equal vectors.
local function euclidean(x, y) return (f.square(x - y + 1e-6):sum(2):sqrt()) end

-- loss(anchor, positive, negative) -> value: the mean of max(0, d(anchor, positive) - d(anchor,
-- negative) + margin). Vectors (my rows, dims). cfg: margin (5), distance, a function (x, y) ->
-- f32[my rows], the Euclidean one without it; of cosines: function(x, y) return 1 - se.cosine(x, y)
-- end.
return function(cfg)
  local settings = options.read('triplet', cfg, { margin = 5, distance = euclidean })
  return function(...)
    local v = options.tensors('triplet', 3, ...)
    local anchor, positive, negative = v[1], v[2], v[3]
    options.check_vectors('triplet', { anchor, positive, negative })
    local d = settings.distance
    local off = d(anchor, positive) - d(anchor, negative) + settings.margin
    return shard.sum(f.relu(off):sum()) / anchor:global_rows()
  end
end
