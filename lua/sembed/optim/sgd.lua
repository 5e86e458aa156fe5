-- Stochastic gradient descent with momentum, as in torch:
--   g = gradient + decay * p;  b = momentum * b + g;  p -= rate * b
--   nesterov: p -= rate * (g + momentum * b)

local clip = require 'sembed.optim.clip'
local fail = require 'sembed.fail'
local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local SGD = {}
SGD.__index = SGD

-- options: momentum (0), decay (0), nesterov (false), groups: as adamw has them.
local function sgd(params, options)
  options = options or {}
  local momentum, decay = options.momentum or 0, options.decay or 0
  local self = {
    params = params, momentum = momentum, nesterov = options.nesterov or false, b = {},
    groups = groups.read('sgd', params, options.groups, decay),
  }
  fail.unless(momentum > 0 or not self.nesterov, 'sgd: nesterov needs a momentum above 0')
  for i, p in ipairs(momentum ~= 0 and params or {}) do
    if not self.groups[i].frozen then self.b[i] = tensor.zeros(p:shape()) end
  end
  return setmetatable(self, SGD)
end

-- The gradient of parameter i with its momentum, whose new value is assigned.
local function with_momentum(self, i, g, scale, ok)
  local p, decay = self.params[i], self.groups[i].decay
  if scale then g = g * scale end
  if decay ~= 0 then g = g + p * decay end
  local b = self.b[i] * self.momentum + g
  tensor.assign(self.b[i], f.where(ok, b, self.b[i]))
  return self.nesterov and g + b * self.momentum or b
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm) or clip_value (limit of each element). Returns the norm before
-- clipping. Where it is not finite the step changes nothing, and its eval fails.
function SGD:update(grads, options)
  local which, list = clip.present('sgd', self.params, grads, self.groups)
  options = clip.options('sgd', options)
  local norm, scale, ok = clip.apply(list, options)
  for k, i in ipairs(which) do
    local p, g, group = self.params[i], list[k], self.groups[i]
    local rate = group.rate == 1 and options.rate or options.rate * group.rate
    local rest = { scale = scale, ok = ok, decay = group.decay }
    if self.b[i] then
      g, rest = with_momentum(self, i, g, scale, ok), { ok = ok }
    end
    tensor.assign(p, f.sgd(p, g, rate, rest))
  end
  return norm
end

-- What a save holds: names and tensors, in order; empty without momentum.
function SGD:state()
  local names, tensors = {}, {}
  for i = 1, #self.params do
    if self.b[i] then
      names[#names + 1] = 'b.' .. groups.name(self.params, i)
      tensors[#tensors + 1] = self.b[i]
    end
  end
  return names, tensors
end

return sgd
