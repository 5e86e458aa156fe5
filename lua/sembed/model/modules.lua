-- The modules behind the layers, as modules.json lists them: Pooling first, then any number of
-- Dense, LayerNorm and Normalize. Each is callable, x -> x, with .kind and .dims (what it gives),
-- :config() (its config.json, if it has one) and .params (its weights, if it has any).

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local nn = require 'sembed.nn'
local op = require 'sembed.op'
local pooling = require 'sembed.model.pooling'

local f = op.functions
local modules = {}

local function same(x) return x end

-- By the names of PyTorch's classes.
local activations = {
  Identity = same, Tanh = f.tanh, ReLU = f.relu, GELU = f.gelu, Sigmoid = f.sigmoid,
  SiLU = nn.activations.silu,
}

local function class(call)
  local c = { __call = call }
  c.__index = c
  return c
end

-- The vectors of whole texts are what a module takes and gives here.
local function check_names(c, where)
  for _, key in ipairs { 'module_input_name', 'module_output_name' } do
    local value = c[key]
    if value ~= nil and value ~= json.null and value ~= 'sentence_embedding' then
      fail.raise('%s: %s is "%s"; sentence_embedding is what there is', where, key,
        tostring(value))
    end
  end
end

local function weight(weights, name, dims)
  local t = weights:get(name)
  local got, wanted = table.concat(t:shape(), ','), table.concat(dims, ',')
  if got ~= wanted then
    fail.raise('%s: tensor %s has the shape [%s]; config.json makes it [%s]', weights.path, name,
      got, wanted)
  end
  return t
end

local function size_of(c, key, where)
  local n = c[key]
  if type(n) ~= 'number' or n < 1 or n % 1 ~= 0 then
    fail.raise('%s: "%s": a count is wanted', where, key)
  end
  return n
end

local function check_size(n, dims, key, where)
  if n ~= dims then
    fail.raise('%s: %s is %d; the vectors that come have %d numbers', where, key, n, dims)
  end
end

-- --- the kinds ---

local kinds = {}

local Normalize = class(function(_, x) return (f.normalize(x)) end)

function kinds.Normalize(c, dims, where)
  check_names(c, where)
  return setmetatable({ kind = 'Normalize', dims = dims }, Normalize)
end

local Dense = class(function(self, x)
  local y = f.matmul(x, self.weight:t())
  if self.bias then y = y + self.bias end
  return (self.activation(y))
end)

function Dense:config() return self.said end

function kinds.Dense(c, dims, where, open)
  check_names(c, where)
  local n_in, n_out = size_of(c, 'in_features', where), size_of(c, 'out_features', where)
  check_size(n_in, dims, 'in_features', where)
  if c.use_residual == true then fail.raise('%s: use_residual is not supported', where) end
  local named = c.activation_function or 'torch.nn.modules.activation.Tanh'
  local activation = activations[tostring(named):match '^torch%..-([^.]+)$' or '']
  if not activation then
    fail.raise('%s: activation_function %s is not supported', where, tostring(named))
  end
  local weights, params = open(), nn.params()
  local self = { kind = 'Dense', dims = n_out, activation = activation, params = params }
  self.weight = params:add('linear.weight', weight(weights, 'linear.weight', { n_out, n_in }))
  if c.bias ~= false then
    self.bias = params:add('linear.bias', weight(weights, 'linear.bias', { n_out }))
  end
  self.said = { in_features = n_in, out_features = n_out, bias = c.bias ~= false,
    activation_function = named }
  return setmetatable(self, Dense)
end

local LayerNorm = class(function(self, x) return (self.norm(x)) end)

function LayerNorm:config() return { dimension = self.dims } end

function kinds.LayerNorm(c, dims, where, open)
  check_size(size_of(c, 'dimension', where), dims, 'dimension', where)
  local weights, params = open(), nn.params()
  local norm = nn.layer_norm(params:add('norm.weight', weight(weights, 'norm.weight', { dims })),
    params:add('norm.bias', weight(weights, 'norm.bias', { dims })), 1e-5)
  return setmetatable({ kind = 'LayerNorm', dims = dims, norm = norm, params = params }, LayerNorm)
end

-- --- reading ---

local function config_of(where)
  return files.exists(where) and json.load(where, 'an object') or {}
end

-- list: { type, path } of what follows the layers; size: of the hidden states.
function modules.open(folder, list, size)
  local made, dims = {}, size
  for i, m in ipairs(list) do
    local at = m.path ~= '' and folder .. '/' .. m.path or folder
    local where = at .. '/config.json'
    local config = m.path ~= '' and config_of(where) or {}
    if m.kind == 'Pooling' and i == 1 then
      made[i] = pooling.new(config, size, where)
    elseif i > 1 and kinds[m.kind] then
      made[i] = kinds[m.kind](config, dims, where, function()
        return (require('sembed.weights').open(at))
      end)
    else
      fail.raise('%s/modules.json: module %s is not supported at place %d', folder, m.type, i)
    end
    dims = made[i].dims
  end
  return made
end

-- Mean and, where asked for, unit length: what a model without a folder does.
function modules.standard(size, normalize)
  local list = { pooling.new({}, size, '') }
  if normalize then list[2] = kinds.Normalize({}, size, '') end
  return list
end

return modules
