-- Vectors whose first numbers are vectors by themselves (Kusupati et al. 2022, "Matryoshka
-- Representation Learning"; MatryoshkaLoss of sentence-transformers).

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local options = require 'sembed.loss.options'

local f = op.functions

local function check(settings)
  local dims, weights = settings.dims, settings.weights
  fail.unless(#dims > 0, 'loss.matryoshka: { dims = {768, 256, 64} } is wanted')
  for i = 1, weights and math.max(#dims, #weights) or 0 do
    fail.unless(dims[i] and type(weights[i]) == 'number', 'loss.matryoshka: a weight for each of '
      .. 'the %d dims is wanted: %d came', #dims, #weights)
  end
end

-- The tensors of the first one's shape cut to `dim` columns and to length 1; all else as it is.
local function cut(arguments, n, dim)
  local shape, list = arguments[1]:shape(), {}
  fail.unless(#shape == 2 and dim >= 1 and dim <= shape[2], 'loss.matryoshka: %s of the vectors\' '
    .. '%d dims cannot be taken', tostring(dim), shape[#shape] or 0)
  for i = 1, n do
    local x = arguments[i]
    list[i] = x
    if core.is_tensor(x) and x:dtype() == 'f32' and x:rank() == 2 and x:size(2) == shape[2] then
      list[i] = f.normalize(f.slice(x, 2, 0, dim))
    end
  end
  return list
end

-- Any loss around vectors cut to each of cfg.dims: loss(...) -> the sum of weight * inner(cut ...),
-- and what the inner one tells of the first of dims. Vectors are the matrices with as many columns
-- as the first argument has; each is cut to its first `dim` columns and to length 1. cfg: dims, a
-- list such as {768, 256, 64}; weights, as many numbers (1 each without it).
return function(inner, cfg)
  local settings = options.read('matryoshka', cfg, { dims = {}, weights = false })
  fail.unless(type(inner) == 'function', 'loss.matryoshka: matryoshka(loss, { dims = ... }): a '
    .. 'function is wanted: %s came', fail.kind(inner))
  check(settings)
  return function(...)
    options.arguments('matryoshka', 1, ...)
    local total, seen
    for i, dim in ipairs(settings.dims) do
      local list = cut({ ... }, select('#', ...), dim)
      local value, told = inner(unpack(list, 1, select('#', ...)))
      if settings.weights then value = value * settings.weights[i] end
      total = total and total + value or value
      if i == 1 then seen = told end
    end
    return total, seen
  end
end
