-- What all optimizers share: gradients by parameter, their norm, and how they are clipped.

local fail = require 'sembed.fail'
local op = require 'sembed.op'
local shard = require 'sembed.shard'
local tensor = require 'sembed.tensor'

local f = op.functions
local clip = {}

local OPTIONS = { 'rate', 'clip', 'clip_value' }

-- The parameters that have a gradient and are not frozen: lists of their numbers and of the
-- gradients; each shard's own where the optimizer's parts add them up, else summed over the shards.
-- groups: as groups.read gives them.
function clip.present(name, params, grads, groups)
  local which, list = {}, {}
  for i = 1, #params do
    local g = grads[i]
    if g and not groups[i].frozen then
      which[#which + 1] = i
      list[#list + 1] = g:is_varying() and not shard.divides() and shard.sum(g) or g
    end
  end
  if #list == 0 then fail.raise('%s: no parameter has a gradient', name) end
  return which, list
end

-- An update's options: rate, a number or a tensor, and clip or clip_value or neither.
function clip.options(name, options)
  options = options or {}
  for key in pairs(options) do
    local known = false
    for _, other in ipairs(OPTIONS) do known = known or other == key end
    if not known then fail.raise('%s: update: %s', name, fail.unknown('option', key, OPTIONS)) end
  end
  fail.unless(options.rate ~= nil, '%s: update needs { rate = ... }', name)
  fail.unless(not (options.clip and options.clip_value),
    '%s: update: clip or clip_value, not both', name)
  return options
end

-- The norm over the gradients of all parts (guarded: the step fails if it is not finite), the
-- factor min(1, clip / (norm + 1e-6)) as torch's clip_grad_norm_ has it (nil without a clip), and
-- whether the norm is finite. clip_value: the elements of each part's gradient become those within
-- -clip_value and clip_value, as by torch's clip_grad_value_.
function clip.apply(parts, open, options)
  local norm = parts:norm(open)
  tensor.guard(norm)
  local ok, limit, most = f.is_finite(norm), options.clip, options.clip_value
  for _, part in ipairs(most and open or {}) do
    part.g = f.minimum(f.maximum(part.g, -most), most)
  end
  local scale = limit and f.minimum(limit / (norm + 1e-6), 1) or nil
  return norm, scale, ok
end

return clip
