-- AdamW in the forms of Hugging Face (the default) and of torch:
--   hf:    p -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps); p -= rate * decay * p
--   torch: p -= rate * decay * p; p -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
-- The moments and the count of steps are tensors, saved with the run.

local clip = require 'sembed.optim.clip'
local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local AdamW = {}
AdamW.__index = AdamW

-- options: beta1 (0.9), beta2 (0.999), eps (1e-6; 1e-8 in torch's form), decay (0), torch (true for
-- torch's form), groups: for parameters by their names, the first that matches decides:
-- { { pattern = 'bias$', decay = 0 }, { pattern = '^embeddings', rate = 0.1 }, { pattern =
-- 'layer.0.', frozen = true } }; rate is a factor.
local function adamw(params, options)
  options = options or {}
  local decay = options.decay or 0
  local self = {
    params = params, m = {}, v = {}, t = tensor.full({}, 0),
    groups = groups.read('adamw', params, options.groups, decay),
    settings = {
      beta1 = options.beta1 or 0.9, beta2 = options.beta2 or 0.999,
      eps = options.eps or (options.torch and 1e-8 or 1e-6), torch = options.torch or false,
    },
  }
  for i, p in ipairs(params) do
    if not self.groups[i].frozen then
      self.m[i], self.v[i] = tensor.zeros(p:shape()), tensor.zeros(p:shape())
    end
  end
  return setmetatable(self, AdamW)
end

-- The norm over all gradients, as update has it.
function AdamW:norm(grads)
  local _, list = clip.present('adamw', self.params, grads, self.groups)
  return (f.global_norm(list))
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm) or clip_value (limit of each element). Returns the norm before
-- clipping. Where it is not finite the step changes nothing, and its eval fails.
function AdamW:update(grads, options)
  local which, list = clip.present('adamw', self.params, grads, self.groups)
  options = clip.options('adamw', options)
  local norm, scale, ok = clip.apply(list, options)
  local t = f.where(ok, self.t + 1, self.t)
  local s = self.settings
  for k, i in ipairs(which) do
    local group = self.groups[i]
    local rate = group.rate == 1 and options.rate or options.rate * group.rate
    local p, m, v = f.adamw(self.params[i], self.m[i], self.v[i], list[k], rate, t, {
      scale = scale, ok = ok, beta1 = s.beta1, beta2 = s.beta2, eps = s.eps, decay = group.decay,
      torch = s.torch,
    })
    tensor.assign(self.params[i], p)
    tensor.assign(self.m[i], m)
    tensor.assign(self.v[i], v)
  end
  tensor.assign(self.t, t)
  return norm
end

-- What a save holds: names and tensors, in order.
function AdamW:state()
  local names, tensors = { 't' }, { self.t }
  for i = 1, #self.params do
    if self.m[i] then
      local name = groups.name(self.params, i)
      names[#names + 1], tensors[#tensors + 1] = 'm.' .. name, self.m[i]
      names[#names + 1], tensors[#tensors + 1] = 'v.' .. name, self.v[i]
    end
  end
  return names, tensors
end

return adamw
