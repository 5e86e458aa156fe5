-- A loss: each text should be nearer to its partner than to the nearest other text of the batch, by
-- a margin ("batch hard", Hermans et al. 2017, arXiv:1703.07737). In recipes/reddit_mpnet.lua:
--
--   local loss = require 'hardest' (0.2)
--
-- a, b: unit vectors (my rows of the batch, dims); row i of a belongs to row i of b.
local se = require 'sembed'

return function(margin)
  return function(a, b)
    local scores = a:matmul(se.shard.gather(b):t())         -- cosines: from -1 to 1
    local own = se.one_hot(se.shard.rows(a), scores:size(2))
    local partner = (scores * own):sum(2)
    local other = (scores - own * 4):max(2)                 -- none is below -1
    local missing = (other - partner + margin):relu():sum()
    local right = se.less(other, partner):sum()
    local rows = a:global_rows()
    return se.shard.sum(missing) / rows, { accuracy = se.shard.sum(right) / rows }
  end
end
