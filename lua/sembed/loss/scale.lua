-- A learned factor of scores, 1 / temperature: exp of the parameter `log_scale`, as in CLIP
-- (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision"),
-- which began at 1 / 0.07.
--
--   local scale = se.loss.scale(20)
--   local params = se.nn.params()
--   params:join('model', model)
--   params:join('loss', scale)
--   local loss = se.loss.in_batch.symmetric { scale = scale }
--   ... se.train.steps(data, cfg, { model = model, adam = adam, also = { scale } }) ...

local fail = require 'sembed.fail'
local nn = require 'sembed.nn'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local Scale = {}
Scale.__index = Scale

-- The factor as it is now: f32[].
function Scale:__call() return (f.exp(self.params[1])) end

-- What a save holds.
function Scale:state() return { 'log_scale' }, { self.params[1] } end

-- A factor to learn, which begins at `first` (20 without it). scale() is the factor, scale.params
-- its parameter `log_scale`; losses take it as their option scale.
local function new(first)
  first = first or 20
  fail.unless(type(first) == 'number' and first > 0, 'loss.scale: a number above 0 is wanted: %s '
    .. 'came', tostring(first))
  local self = setmetatable({ params = nn.params() }, Scale)
  self.params:add('log_scale', tensor.keep(tensor.full({}, math.log(first))))
  return self
end

return new
