-- The moving average of parameters over the steps, which often does better than the last values
-- (Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging"):
--   average = decay * average + (1 - decay) * p, after each step.
--
--   local ema = se.optim.ema(model.params, { decay = 0.999 })
--   for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam, also = { ema } }) do
--     ... adam:update(grads, { rate = rate(step) })
--     ema:update()
--   end
--   ema:with(function() evaluate(model) end)

local fail = require 'sembed.fail'
local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local EMA = {}
EMA.__index = EMA

-- The average begins with the parameters' values of now. options: decay (0.999), warmup: true takes
-- min(decay, (1 + t) / (10 + t)) in step t (from 1), so that the first values are soon forgotten.
local function ema(params, options)
  options = options or {}
  local decay = options.decay or 0.999
  fail.unless(type(decay) == 'number' and decay >= 0 and decay < 1,
    'ema: a decay of 0 or more and below 1 is wanted: %s came', tostring(decay))
  local self = setmetatable({
    params = params, decay = decay, warmup = options.warmup or false, average = {},
    t = tensor.full({}, 0),
  }, EMA)
  for i, p in ipairs(params) do
    self.average[i] = tensor.zeros(p:shape())
    tensor.assign(self.average[i], p)
  end
  tensor.eval()
  return self
end

-- Takes in the parameters' new values: behind an optimizer's update.
function EMA:update()
  local t, decay = self.t + 1, self.decay
  if self.warmup then decay = f.minimum((t + 1) / (t + 10), decay) end
  for i, p in ipairs(self.params) do
    local old = self.average[i]
    tensor.assign(old, old + (p - old) * (1 - decay))
  end
  tensor.assign(self.t, t)
end

-- Parameters and averages change places.
function EMA:swap()
  for i, p in ipairs(self.params) do
    local before = f.stop_grad(p) -- a use from before the assignment
    tensor.assign(p, self.average[i])
    tensor.assign(self.average[i], before)
  end
  tensor.eval()
end

-- What g(...) returns while the parameters have the averages as values; then they have their own
-- again, after an error, too.
function EMA:with(g, ...)
  self:swap()
  local result = { pcall(g, ...) }
  self:swap()
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2)
end

-- What a save holds: names and tensors, in order.
function EMA:state()
  local names, tensors = { 'ema.t' }, { self.t }
  for i, average in ipairs(self.average) do
    names[i + 1], tensors[i + 1] = 'ema.' .. groups.name(self.params, i), average
  end
  return names, tensors
end

return ema
