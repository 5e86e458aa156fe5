-- Stochastic gradient descent with momentum, as in torch:
--   g = gradient + decay * p;  b = momentum * b + g;  p -= rate * b
--   nesterov: p -= rate * (g + momentum * b)

local clip = require 'sembed.optim.clip'
local fail = require 'sembed.fail'
local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local parts = require 'sembed.optim.parts'

local f = op.functions
local SGD = {}
SGD.__index = SGD

-- options: momentum (0), decay (0), nesterov (false), groups: as adamw has them.
local function sgd(params, options)
  options = options or {}
  local momentum, decay = options.momentum or 0, options.decay or 0
  local self = {
    params = params, momentum = momentum, nesterov = options.nesterov or false,
    groups = groups.read('sgd', params, options.groups, decay),
  }
  fail.unless(momentum > 0 or not self.nesterov, 'sgd: nesterov needs a momentum above 0')
  self.parts = parts(params, self.groups, momentum ~= 0 and { 'b' } or {})
  return setmetatable(self, SGD)
end

-- What a part moves by, with its momentum, and the momentum's new value.
local function with_momentum(self, part, scale, ok)
  local g = scale and part.g * scale or part.g
  if part.decay ~= 0 then g = g + part.p * part.decay end
  local b = part.b * self.momentum + g
  return self.nesterov and g + b * self.momentum or b, { b = f.where(ok, b, part.b) }
end

-- One step. grads as se.grad gives them (a parameter without one is left as it is); options: rate,
-- clip (limit of the global norm) or clip_value (limit of each element). Returns the norm before
-- clipping. Where it is not finite the step changes nothing, and its eval fails.
function SGD:update(grads, options)
  local which, list = clip.present('sgd', self.params, grads, self.groups)
  options = clip.options('sgd', options)
  local open = self.parts:open(which, list)
  local norm, scale, ok = clip.apply(self.parts, open, options)
  for _, part in ipairs(open) do
    local rate = part.rate == 1 and options.rate or options.rate * part.rate
    local g, values, rest = part.g, {}, { scale = scale, ok = ok, decay = part.decay }
    if part.b then
      g, values = with_momentum(self, part, scale, ok)
      rest = { ok = ok }
    end
    self.parts:close(part, f.sgd(part.p, g, rate, rest), values)
  end
  return norm
end

-- What a save holds: names and tensors, in order; empty without momentum.
function SGD:state()
  return self.parts:state({}, {})
end

-- Takes what a save holds: get(name) -> tensor.
function SGD:restore(get) self.parts:restore(get) end

return sgd
