-- What all optimizers share: gradients by parameter, their norm, and the factor that clips it.

local fail = require 'sembed.fail'
local op = require 'sembed.op'
local shard = require 'sembed.shard'
local tensor = require 'sembed.tensor'

local f = op.functions
local clip = {}

-- The parameters that have a gradient: lists of their numbers and of the gradients, summed over the
-- shards.
function clip.present(name, params, grads)
  local which, list = {}, {}
  for i = 1, #params do
    local g = grads[i]
    if g then
      which[#which + 1] = i
      list[#list + 1] = g:is_varying() and shard.sum(g) or g
    end
  end
  if #list == 0 then fail.raise('%s: no parameter has a gradient', name) end
  return which, list
end

-- The norm over all gradients (guarded: the step fails if it is not finite), the factor
-- min(1, limit / (norm + 1e-6)) as torch's clip_grad_norm_ has it (nil without a limit), and
-- whether the norm is finite.
function clip.norm(grads, limit)
  local norm = f.global_norm(grads)
  tensor.guard(norm)
  local ok = f.is_finite(norm)
  local scale = limit and f.minimum(limit / (norm + 1e-6), 1) or nil
  return norm, scale, ok
end

-- The rate as a tensor: a number becomes an input of the program.
function clip.rate(name, options)
  local rate = options and options.rate
  fail.unless(rate ~= nil, '%s: update needs { rate = ... }', name)
  return rate
end

return clip
