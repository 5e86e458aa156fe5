-- AdamW in the forms of Hugging Face (the default) and of torch:
--   hf:    p -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps); p -= rate * decay * p
--   torch: p -= rate * decay * p; p -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
-- The moments and the count of steps are tensors, saved with the run.

local clip = require 'sembed.optim.clip'
local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local parts = require 'sembed.optim.parts'
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
    params = params, t = tensor.full({}, 0),
    groups = groups.read('adamw', params, options.groups, decay),
    settings = {
      beta1 = options.beta1 or 0.9, beta2 = options.beta2 or 0.999,
      eps = options.eps or (options.torch and 1e-8 or 1e-6), torch = options.torch or false,
    },
  }
  self.parts = parts(params, self.groups, { 'm', 'v' })
  return setmetatable(self, AdamW)
end

-- The norm over all gradients, as update has it.
function AdamW:norm(grads)
  local which, list = clip.present('adamw', self.params, grads, self.groups)
  return (self.parts:norm(self.parts:open(which, list)))
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm) or clip_value (limit of each element). Returns the norm before
-- clipping. Where it is not finite the step changes nothing, and its eval fails.
function AdamW:update(grads, options)
  local which, list = clip.present('adamw', self.params, grads, self.groups)
  options = clip.options('adamw', options)
  local open = self.parts:open(which, list)
  local norm, scale, ok = clip.apply(self.parts, open, options)
  local t = f.where(ok, self.t + 1, self.t)
  local s = self.settings
  for _, part in ipairs(open) do
    local rate = part.rate == 1 and options.rate or options.rate * part.rate
    local p, m, v = f.adamw(part.p, part.m, part.v, part.g, rate, t, {
      scale = scale, ok = ok, beta1 = s.beta1, beta2 = s.beta2, eps = s.eps, decay = part.decay,
      torch = s.torch,
    })
    self.parts:close(part, p, { m = m, v = v })
  end
  tensor.assign(self.t, t)
  return norm
end

-- What a save holds: names and tensors, in order.
function AdamW:state()
  return self.parts:state({ 't' }, { self.t })
end

-- Takes what a save holds: get(name) -> tensor.
function AdamW:restore(get)
  tensor.assign(self.t, get 't')
  self.parts:restore(get)
end

return adamw
