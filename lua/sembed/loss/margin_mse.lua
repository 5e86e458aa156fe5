-- A teacher's margins (Hofstaetter et al. 2020, "Improving Efficient Neural Ranking Models with
-- Cross-Architecture Knowledge Distillation"; MarginMSELoss of sentence-transformers).

local op = require 'sembed.op'
local options = require 'sembed.loss.options'
local shard = require 'sembed.shard'

local f = op.functions

local function dot(x, y) return ((x * y):sum(2)) end

-- labels -> the teacher's margins, (my rows, negatives).
local function margins_of(labels, rows, negatives)
  if labels:rank() == 1 and negatives == 1 then
    return options.check_labels('margin_mse', labels, rows):unsqueeze(2)
  elseif labels:rank() == 2 and labels:size(2) == negatives + 1 then
    options.check_labels('margin_mse', labels, rows, negatives + 1)
    return labels:slice(2, 0, 1) - labels:slice(2, 1, negatives + 1)
  end
  return options.check_labels('margin_mse', labels, rows, negatives)
end

-- loss(query, positive, n1, n2, ..., labels) -> value: the mean, over rows and negatives, of
-- (s(query, positive) - s(query, n) - the teacher's margin)^2. Vectors (my rows, dims); labels, the
-- last tensor: the margins, f32[my rows] for one negative or f32[my rows, negatives], or the
-- teacher's scores of the positive and of each negative, f32[my rows, 1 + negatives]. cfg:
-- similarity, a function (x, y) -> f32[my rows], the dot product of rows without it.
return function(cfg)
  local s = options.read('margin_mse', cfg, { similarity = dot }).similarity
  return function(...)
    local v = options.tensors('margin_mse', 4, ...)
    local labels = table.remove(v)
    options.check_vectors('margin_mse', v)
    local right, margins = s(v[1], v[2]), {}
    for k = 3, #v do margins[k - 2] = (right - s(v[1], v[k])):unsqueeze(2) end
    local all = #margins > 1 and f.concat(margins, 2) or margins[1]
    local off = all - margins_of(labels, v[1]:size(1), #margins)
    return shard.sum(f.square(off):sum()) / (v[1]:global_rows() * #margins)
  end
end
