-- AdamW in the forms of Hugging Face (the default) and of torch:
--   hf:    p -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps); p -= rate * decay * p
--   torch: p -= rate * decay * p; p -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
-- The moments and the count of steps are tensors, saved with the run.

local clip = require 'sembed.optim.clip'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local AdamW = {}
AdamW.__index = AdamW

-- options: beta1 (0.9), beta2 (0.999), eps (1e-6; 1e-8 in torch's form), decay (0), torch (true for
-- torch's form).
local function adamw(params, options)
  options = options or {}
  local self = {
    params = params, m = {}, v = {}, t = tensor.full({}, 0),
    settings = {
      beta1 = options.beta1 or 0.9, beta2 = options.beta2 or 0.999,
      eps = options.eps or (options.torch and 1e-8 or 1e-6),
      decay = options.decay or 0, torch = options.torch or false,
    },
  }
  for i, p in ipairs(params) do
    self.m[i], self.v[i] = tensor.zeros(p:shape()), tensor.zeros(p:shape())
  end
  return setmetatable(self, AdamW)
end

-- The norm over all gradients, as update has it.
function AdamW:norm(grads)
  local _, list = clip.present('adamw', self.params, grads)
  return (f.global_norm(list))
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm). Returns the norm before clipping. Where it is not finite the
-- step changes nothing, and its eval fails.
function AdamW:update(grads, options)
  local which, list = clip.present('adamw', self.params, grads)
  local rate = clip.rate('adamw', options)
  local norm, scale, ok = clip.norm(list, options.clip)
  local t = f.where(ok, self.t + 1, self.t)
  local s = self.settings
  for k, i in ipairs(which) do
    local p, m, v = f.adamw(self.params[i], self.m[i], self.v[i], list[k], rate, t, {
      scale = scale, ok = ok, beta1 = s.beta1, beta2 = s.beta2, eps = s.eps, decay = s.decay,
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
    local name = self.params.names and self.params.names[i] or tostring(i)
    names[#names + 1], tensors[#tensors + 1] = 'm.' .. name, self.m[i]
    names[#names + 1], tensors[#tensors + 1] = 'v.' .. name, self.v[i]
  end
  return names, tensors
end

return adamw
