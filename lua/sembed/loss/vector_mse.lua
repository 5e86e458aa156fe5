-- A teacher's vectors (Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings
-- Multilingual using Knowledge Distillation"; MSELoss of sentence-transformers).

local fail = require 'sembed.fail'
local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions

-- loss(x1, ..., xn, t1, ..., tn) -> value: the mean of (x - t)^2 over columns of texts, rows and
-- elements. x: the student's vectors (my rows, dims), t: the teacher's of the same shape, which get
-- no gradient. It has no options.
return function(cfg)
  options.read('vector_mse', cfg, {})
  return function(...)
    local v = options.tensors('vector_mse', 2, ...)
    fail.unless(#v % 2 == 0, 'loss.vector_mse: as many vectors of the teacher as of the student '
      .. 'are wanted: %d tensors came', #v)
    options.check_vectors('vector_mse', v)
    local n, total = #v / 2, nil
    for i = 1, n do
      local part = f.square(v[i] - f.stop_grad(v[n + i])):sum()
      total = total and total + part or part
    end
    return shard.sum(total) / (v[1]:global_rows() * v[1]:size(2) * n)
  end
end
