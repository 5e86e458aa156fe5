-- Layers: callable tables with .params, an ordered list of tensors with .names beside it.

local device = require 'sembed.device'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local precision = require 'sembed.precision'
local random = require 'sembed.random'
local tensor = require 'sembed.tensor'

local nn = {}
local f = op.functions

-- --- lists of parameters ---

local Params = {}
Params.__index = Params

-- An empty list; :add(name, tensor) and :join(prefix, layer) fill it.
function nn.params()
  return setmetatable({ names = {}, index = {} }, Params)
end

-- Puts a tensor behind the others under a name that is not there yet; gives the tensor.
function Params:add(name, t)
  fail.unless(not self.index[name], 'params: "%s" is there twice', name)
  self[#self + 1] = t
  self.names[#self] = name
  self.index[name] = #self
  return t
end

-- Adds a layer's parameters as PREFIX.NAME; gives the layer.
function Params:join(prefix, layer)
  for i, t in ipairs(layer.params) do self:add(prefix .. '.' .. layer.params.names[i], t) end
  return layer
end

-- The tensor of a name.
function Params:get(name)
  local at = self.index[name]
  if not at then fail.raise('params: %s', fail.unknown('parameter', name, self.names)) end
  return self[at]
end

-- How many numbers all of them hold together.
function Params:count()
  local total = 0
  for _, t in ipairs(self) do
    local n = 1
    for _, d in ipairs(t:shape()) do n = n * d end
    total = total + n
  end
  return total
end

-- "16 tensors of 109486464 numbers, 437.9 MB"
function Params:__tostring()
  local bytes = 0
  for _, t in ipairs(self) do
    local n = (t:dtype() == 'bf16' and 2 or t:dtype() == 'bool' and 1 or 4)
    for _, d in ipairs(t:shape()) do n = n * d end
    bytes = bytes + n
  end
  local size = bytes < 1e5 and ('%d bytes'):format(bytes) or ('%.1f MB'):format(bytes / 1e6)
  return ('%d tensor%s of %d numbers, %s'):format(#self, #self == 1 and '' or 's', self:count(),
    size)
end

-- --- layers ---

local function layer(class, self, ...)
  self.params = nn.params()
  for i = 1, select('#', ...) do
    local name = select(i, ...)
    self.params:add(name, self[name])
  end
  return setmetatable(self, class)
end

local function class(call)
  local c = { __call = call }
  c.__index = c
  return c
end

local Linear = class(function(self, x)
  if precision.now == 'int8' then return (f.linear_int8(x, self.weight, self.bias)) end
  return (f.linear(x, self.weight, self.bias, { bf16 = precision.now == 'bf16' }))
end)

-- weight [out, in], bias [out]: x times the transposed weight, plus bias; computed in the precision
-- in force (precision=).
function nn.linear(weight, bias)
  return layer(Linear, { weight = weight, bias = bias }, 'weight', 'bias')
end

local Embedding = class(function(self, ids)
  return (f.embedding(self.weight, ids, { padding = self.padding }))
end)

-- Rows of a table by their numbers: weight [how many, size]; ids count from 0; the row `padding`,
-- if any, gets no gradient.
function nn.embedding(weight, padding)
  return layer(Embedding, { weight = weight, padding = padding or -1 }, 'weight')
end

local LayerNorm = class(function(self, x)
  return (f.layer_norm(x, self.weight, self.bias, { eps = self.eps }))
end)

-- weight, bias [size]: (x - mean) / sqrt(variance + eps) * weight + bias over the last axis; eps
-- 1e-5.
function nn.layer_norm(weight, bias, eps)
  return layer(LayerNorm, { weight = weight, bias = bias, eps = eps or 1e-5 }, 'weight', 'bias')
end

-- --- activations ---

-- The approximation that BERT's first code used.
local function gelu_tanh(x) return (f.gelu(x, { approximate = true })) end

-- Activations by the names that config.json files have (hidden_act).
nn.activations = {
  gelu = f.gelu, relu = f.relu, gelu_new = gelu_tanh, gelu_pytorch_tanh = gelu_tanh,
  silu = f.silu, swish = f.silu, tanh = f.tanh,
}

-- --- dropout ---

-- Every dropout of a model draws other numbers: its place in the model tells them apart, given out
-- in the order of construction.
function nn.places()
  local last = 0
  return function()
    last = last + 1
    return last
  end
end

local Dropout = class(function(self, x, text)
  if self.rate == 0 or text == nil then return x end
  local options = { rate = self.rate, place = self.place }
  if tensor.is(text) then return (f.dropout(x, text, options)) end
  if not text.key then return x end
  return (f.dropout(x, text.key, text.who, text.starts, options))
end)

-- Dropout of a share `rate`; place: nn.places. layer(x, text) acts if and only if the packed text
-- carries a key, as the texts of se.train.steps do. layer(x, key) takes a key where there is no
-- text.
function nn.dropout(rate, place)
  return setmetatable({ rate = rate, place = place, params = nn.params() }, Dropout)
end

-- --- fresh weights ---

-- A maker of fresh weights, whose normal ones have the deviation `spread`: fresh('normal', dims),
-- fresh('ones', dims), fresh('zeros', dims): each call draws other numbers, numbered in the order
-- of the calls, so the same seed gives the same model.
function nn.fresh(seed, spread)
  local place, key = 0, random.key(seed)
  return function(kind, dims)
    if kind == 'ones' then return (tensor.ones(dims)) end
    if kind == 'zeros' then return (tensor.zeros(dims)) end
    place = place + 1
    local t = random.normal(key, dims, place) * spread
    tensor.keep(t)
    if device.shards() == 0 then tensor.eval(t) end -- elsewhere each would be a program of its own
    return t
  end
end

return nn
