-- How alike row i of a is to row i of b: f32[n] from two f32[n, dims], larger is more alike. The
-- definitions of sentence-transformers (util.pairwise_cos_sim and its neighbours): distances count
-- negative. A zero vector has the cosine 0 with everything.

local op = require 'sembed.op'

local f = op.functions
local similarity = { names = { 'cosine', 'dot', 'euclidean', 'manhattan' } }

function similarity.dot(a, b) return (a * b):sum(2) end

function similarity.cosine(a, b) return (similarity.dot(f.normalize(a), f.normalize(b))) end

function similarity.euclidean(a, b)
  return (-f.sqrt(f.square(a - b):sum(2)))
end

function similarity.manhattan(a, b)
  return (-f.abs(a - b):sum(2))
end

return similarity
