-- What MPNet and BERT share: layers with the norm after the sum, the checks of config.json, and how
-- a folder or fresh weights become a model. An architecture is a table:
--
--   name          model_type in config.json, and the prefix that some files put before names
--   attention     names of a layer's q, k, v and o within "encoder.layer.N."
--   first         the position of a text's first token
--   defaults      keys of config.json that may be missing
--   embed(self, text)   what the first layer gets; bias(self, text)  added to the scores, or nil
--   build(self, take, c)   takes the weights of its own

local encoder = require 'sembed.model.encoder'
local fail = require 'sembed.fail'
local fewer = require 'sembed.model.fewer'
local folder_io = require 'sembed.model.folder'
local json = require 'sembed.json'
local nn = require 'sembed.nn'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'
local tokenizer = require 'sembed.tokenizer'

local f = op.functions
local transformer = {}

-- --- the layers ---

-- take(name, dims, kind) gives a weight: from a file, or fresh.
function transformer.linear(take, name, n_out, n_in)
  return nn.linear(take(name .. '.weight', { n_out, n_in }, 'normal'),
    take(name .. '.bias', { n_out }, 'zeros'))
end

function transformer.norm(take, name, c)
  return nn.layer_norm(take(name .. '.weight', { c.hidden_size }, 'ones'),
    take(name .. '.bias', { c.hidden_size }, 'zeros'), c.layer_norm_eps)
end

local function layer(take, name, c, names, place)
  local h, inner, linear, norm = c.hidden_size, c.intermediate_size, transformer.linear,
    transformer.norm
  return {
    q = linear(take, name .. names.q, h, h), k = linear(take, name .. names.k, h, h),
    v = linear(take, name .. names.v, h, h), o = linear(take, name .. names.o, h, h),
    attention_norm = norm(take, name .. names.norm, c),
    wide = linear(take, name .. 'intermediate.dense', inner, h),
    narrow = linear(take, name .. 'output.dense', h, inner),
    norm = norm(take, name .. 'output.LayerNorm', c),
    place = place(),
    attention_drop = nn.dropout(c.hidden_dropout_prob, place()),
    drop = nn.dropout(c.hidden_dropout_prob, place()),
  }
end

local function build(architecture, c, take)
  local place = nn.places()
  local self = { config = c, layers = {}, activation = nn.activations[c.hidden_act or 'gelu'] }
  architecture.build(self, take, c)
  self.norm = transformer.norm(take, 'embeddings.LayerNorm', c)
  self.drop = nn.dropout(c.hidden_dropout_prob, place())
  for i = 1, c.num_hidden_layers do
    self.layers[i] = layer(take, ('encoder.layer.%d.'):format(i - 1), c, architecture.attention,
      place)
  end
  architecture.finish(self, take, c)
  self.pooler = transformer.linear(take, 'pooler.dense', c.hidden_size, c.hidden_size)
  return setmetatable(self, architecture.class)
end

-- --- forward ---

local function run_layer(self, l, x, text, bias)
  local c = self.config
  local a = f.attention(l.q(x), l.k(x), l.v(x), text.starts, {
    bias = bias, key = text.key, who = text.who, heads = c.num_attention_heads,
    longest = text.width or text.longest, rate = text.key and c.attention_probs_dropout_prob or 0,
    place = l.place,
  })
  local h = l.attention_norm(x + l.attention_drop(l.o(a), text))
  return l.norm(h + l.drop(l.narrow(self.activation(l.wide(h))), text))
end

-- Methods of an architecture's models.
local function class_of(architecture)
  local Model = encoder.class()

  -- The hidden states before the first layer and after each one: a list of layers + 1 tensors.
  function Model:states(text)
    local most = self.config.max_position_embeddings - architecture.first
    if text.longest > most then
      fail.raise('%s: a text of %d tokens; this model takes %d at most', architecture.name,
        text.longest, most)
    end
    local bias = architecture.bias and architecture.bias(self, text)
    local states = { self.drop(self.norm(architecture.embed(self, text)), text) }
    for i, l in ipairs(self.layers) do
      states[i + 1] = run_layer(self, l, states[i], text, bias)
    end
    return states
  end

  function Model:__call(text)
    local states = self:states(text)
    return states[#states]
  end

  return Model
end

-- --- constructors ---

local function check_config(architecture, c, where)
  local function must(key, value)
    if c[key] ~= nil and c[key] ~= value then
      fail.raise('%s: %s is %s; %s is what there is', where, key, tostring(c[key]), tostring(value))
    end
  end
  must('model_type', architecture.name)
  if not nn.activations[c.hidden_act or 'gelu'] then
    local names = {}
    for name in pairs(nn.activations) do names[#names + 1] = name end
    table.sort(names)
    fail.raise('%s: hidden_act is %s; %s are known', where, tostring(c.hidden_act),
      table.concat(names, ', '))
  end
  must('position_embedding_type', 'absolute')
  must('is_decoder', false)
  for key, value in pairs(architecture.defaults) do
    if c[key] == nil or c[key] == json.null then c[key] = value end
  end
  local function number(key, low, high, whole, optional)
    local x = c[key]
    if optional and (x == nil or x == json.null) then
      c[key] = nil
      return
    end
    if x == nil then fail.raise('%s: "%s" is missing', where, key) end
    if type(x) ~= 'number' or not (x >= low and x <= high) or (whole and x % 1 ~= 0) then
      fail.raise('%s: "%s" is %s; %s from %s to %s is wanted', where, key, tostring(x),
        whole and 'an integer' or 'a number', low, high)
    end
  end
  for _, key in ipairs { 'vocab_size', 'hidden_size', 'num_hidden_layers', 'num_attention_heads',
    'intermediate_size', 'max_position_embeddings' } do
    number(key, key == 'max_position_embeddings' and 3 or 1, 2 ^ 31 - 1, true)
  end
  number('layer_norm_eps', 1e-30, 1)
  number('pad_token_id', 0, c.vocab_size - 1, true, true)
  number('type_vocab_size', 1, 2 ^ 20, true, true)
  number('relative_attention_num_buckets', 4, 2 ^ 20, true, true)
  number('hidden_dropout_prob', 0, 0.99, false, true)
  number('attention_probs_dropout_prob', 0, 0.99, false, true)
  if c.hidden_size % c.num_attention_heads ~= 0 then
    fail.raise('%s: hidden size %d does not divide by %d heads', where, c.hidden_size,
      c.num_attention_heads)
  end
  c.hidden_dropout_prob = c.hidden_dropout_prob or 0.1
  c.attention_probs_dropout_prob = c.attention_probs_dropout_prob or 0.1
  return c
end

-- Collects what build takes into model.params, the pooler apart: no vector depends on it.
local function collecting(source)
  local params, kept = nn.params(), nn.params()
  return function(name, dims, kind)
    local into = name:match '^pooler%.' and kept or params
    return into:add(name, source(name, dims, kind))
  end, params, kept
end

-- BERT's positions count every token, MPNet's skip padding (core/data/pack.h).
local function tokenizer_of(architecture, path)
  local tok = tokenizer.open(path)
  tok.padding = architecture.first - 1
  return tok
end

-- take of a folder, for a model of some of its layers (numbers from 1) in their order.
local function take_some(take, layers)
  return function(name, dims)
    local number, rest = name:match '^encoder%.layer%.(%d+)(%..*)$'
    if number then name = ('encoder.layer.%d%s'):format(layers[number + 1] - 1, rest) end
    return take(name, dims)
  end
end

local function load(architecture, path, options)
  local found = folder_io.open(path, architecture.name, function(config, where)
    return check_config(architecture, config, where)
  end)
  local c = found.config
  local source = found.take
  if options.layers then
    local layers = fewer(options.layers, c.num_hidden_layers, found.path)
    c.num_hidden_layers, source = #layers, take_some(source, layers)
  end
  local take, params, kept = collecting(source)
  local self = build(architecture, c, take)
  self.params, self.kept = params, kept
  self.tokenizer = tokenizer_of(architecture, found.path)
  local most = c.max_position_embeddings - architecture.first
  local said = found.length or self.tokenizer.max_length
  self.length = math.min(said and said > 0 and said or most, most)
  encoder.join(self, found)
  return self
end

-- Options of a fresh model and the keys of config.json they fill.
local sizes = { hidden = 'hidden_size', layers = 'num_hidden_layers', inner = 'intermediate_size',
  heads = 'num_attention_heads' }

local function fresh(architecture, options)
  local known = { vocab = 1, length = 1, dropout = 1, seed = 1, spread = 1 }
  for key in pairs(sizes) do known[key] = 1 end
  local names = {}
  for key in pairs(known) do names[#names + 1] = key end
  for key in pairs(options) do
    if not known[key] then
      fail.raise('%s: %s', architecture.name, fail.unknown('option', key, names))
    end
  end
  fail.unless(options.vocab, '%s: vocab is missing', architecture.name)
  local tok, rate = tokenizer_of(architecture, options.vocab), options.dropout or 0.1
  local c = {
    model_type = architecture.name, hidden_act = 'gelu',
    vocab_size = tok.size, hidden_dropout_prob = rate, attention_probs_dropout_prob = rate,
    initializer_range = options.spread or 0.02,
    bos_token_id = tok.bos, eos_token_id = tok.eos, pad_token_id = tok.pad,
  }
  for key, value in pairs(architecture.fresh) do c[key] = value end
  for key, name in pairs(sizes) do c[name] = options[key] end
  c.intermediate_size = c.intermediate_size or c.hidden_size and 4 * c.hidden_size
  check_config(architecture, c, architecture.name)
  local draw = nn.fresh(options.seed or 1, c.initializer_range)
  local take, params, kept = collecting(function(_, dims, kind) return draw(kind, dims) end)
  local self = build(architecture, c, take)
  self.params, self.kept, self.tokenizer = params, kept, tok
  self.length = options.length or 128
  encoder.join(self, folder_io.standard(c.hidden_size))
  tensor.eval(params)
  return self
end

-- A callable table: architecture('FOLDER', { layers = }) or architecture { sizes }.
function transformer.constructor(architecture, extra)
  architecture.class = class_of(architecture)
  return setmetatable(extra or {}, {
    __call = function(_, what, options)
      if type(what) == 'string' then return load(architecture, what, options or {}) end
      fail.unless(type(what) == 'table', '%s: a folder or a table of sizes is wanted',
        architecture.name)
      return fresh(architecture, what)
    end,
  })
end

return transformer
