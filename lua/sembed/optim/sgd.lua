-- Stochastic gradient descent with momentum: b = momentum * b + g; p -= rate * (b + decay * p).

local clip = require 'sembed.optim.clip'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local SGD = {}
SGD.__index = SGD

-- options: momentum (0), decay (0).
local function sgd(params, options)
  options = options or {}
  local self = {
    params = params, momentum = options.momentum or 0, decay = options.decay or 0, b = {},
  }
  if self.momentum ~= 0 then
    for i, p in ipairs(params) do self.b[i] = tensor.zeros(p:shape()) end
  end
  return setmetatable(self, SGD)
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm). Returns the norm before clipping. Where it is not finite the
-- step changes nothing, and its eval fails.
function SGD:update(grads, options)
  local which, list = clip.present('sgd', self.params, grads)
  local rate = clip.rate('sgd', options)
  local norm, scale, ok = clip.norm(list, options.clip)
  for k, i in ipairs(which) do
    local p, g = self.params[i], list[k]
    local factor = scale
    if self.momentum ~= 0 then
      g, factor = self.b[i] * self.momentum + (scale and g * scale or g), nil
      tensor.assign(self.b[i], f.where(ok, g, self.b[i]))
    end
    tensor.assign(p, f.sgd(p, g, rate, { scale = factor, ok = ok, decay = self.decay }))
  end
  return norm
end

-- What a save holds: names and tensors, in order; empty without momentum.
function SGD:state()
  local names, tensors = {}, {}
  for i, b in ipairs(self.b) do
    names[i] = 'b.' .. (self.params.names and self.params.names[i] or tostring(i))
    tensors[i] = b
  end
  return names, tensors
end

return sgd
