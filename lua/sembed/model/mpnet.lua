-- MPNet: se.model.mpnet 'FOLDER' opens a model folder, se.model.mpnet { vocab = 'vocab.txt', hidden
-- = 256, layers = 2, heads = 4 } makes one with random weights. Either gives a callable model:
--
--   model(text)        packed text (text.lua) -> hidden states (T, hidden)
--   model.params       the trained tensors with .names; the pooler is kept for saving but not in it
--   model.tokenizer, model.config (as in config.json), model.length (most tokens of a text)
--   model:encode(texts, options), model:save(folder)

local encoder = require 'sembed.model.encoder'
local fail = require 'sembed.fail'
local folder_io = require 'sembed.model.folder'
local json = require 'sembed.json'
local nn = require 'sembed.nn'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'
local tokenizer = require 'sembed.tokenizer'

local f = op.functions
local Model = encoder.class()

-- --- the bias by distance ---

-- T5's buckets: half for each direction; distances below `half / 2` have one each, those beyond
-- share in logarithmic steps up to 128. For 32: 0..7, then from 8, 12, 16, 23, 32, 46, 64, 91.
local function bucket_of(distance, buckets)
  local half = buckets / 2
  local exact = half / 2
  local d = math.abs(distance)
  local b = d
  if d >= exact then
    -- The 1e-6 keeps exact powers, where the logarithm may land just below an integer, in theirs.
    local steps = math.log(d / exact) / math.log(128 / exact) * (half - exact)
    b = math.min(half - 1, exact + math.floor(steps + 1e-6))
  end
  return distance > 0 and b + half or b
end

-- i32[2 * longest - 1]: the bucket of key - query = -(longest - 1) .. longest - 1.
local function buckets_for(longest, buckets)
  local list = {}
  for distance = 1 - longest, longest - 1 do list[#list + 1] = bucket_of(distance, buckets) end
  return (tensor.make(list, 'i32'))
end

-- --- the layers ---

-- take(name, dims, kind) gives a weight: from a file, or fresh.
local function linear(take, name, n_out, n_in)
  return nn.linear(take(name .. '.weight', { n_out, n_in }, 'normal'),
    take(name .. '.bias', { n_out }, 'zeros'))
end

local function norm(take, name, c)
  return nn.layer_norm(take(name .. '.weight', { c.hidden_size }, 'ones'),
    take(name .. '.bias', { c.hidden_size }, 'zeros'), c.layer_norm_eps)
end

local function layer(take, name, c, place)
  local h, inner = c.hidden_size, c.intermediate_size
  local attn = name .. '.attention.attn.'
  return {
    q = linear(take, attn .. 'q', h, h), k = linear(take, attn .. 'k', h, h),
    v = linear(take, attn .. 'v', h, h), o = linear(take, attn .. 'o', h, h),
    attention_norm = norm(take, name .. '.attention.LayerNorm', c),
    wide = linear(take, name .. '.intermediate.dense', inner, h),
    narrow = linear(take, name .. '.output.dense', h, inner),
    norm = norm(take, name .. '.output.LayerNorm', c),
    place = place(),
    attention_drop = nn.dropout(c.hidden_dropout_prob, place()),
    drop = nn.dropout(c.hidden_dropout_prob, place()),
  }
end

local function build(c, take)
  local place, pad = nn.places(), c.pad_token_id or 1
  local self = {
    config = c, layers = {},
    words = nn.embedding(take('embeddings.word_embeddings.weight',
      { c.vocab_size, c.hidden_size }, 'normal'), pad),
    positions = nn.embedding(take('embeddings.position_embeddings.weight',
      { c.max_position_embeddings, c.hidden_size }, 'normal'), pad),
    norm = norm(take, 'embeddings.LayerNorm', c),
    drop = nn.dropout(c.hidden_dropout_prob, place()),
  }
  for i = 1, c.num_hidden_layers do
    self.layers[i] = layer(take, 'encoder.layer.' .. i - 1, c, place)
  end
  self.bias = nn.embedding(take('encoder.relative_attention_bias.weight',
    { c.relative_attention_num_buckets, c.num_attention_heads }, 'normal'))
  self.pooler = linear(take, 'pooler.dense', c.hidden_size, c.hidden_size)
  return setmetatable(self, Model)
end

-- --- forward ---

local function run_layer(self, l, x, text, bias)
  local c = self.config
  local a = f.attention(l.q(x), l.k(x), l.v(x), text.starts, {
    bias = bias, key = text.key, who = text.who, heads = c.num_attention_heads,
    longest = text.longest, rate = text.key and c.attention_probs_dropout_prob or 0,
    place = l.place,
  })
  local h = l.attention_norm(x + l.attention_drop(l.o(a), text))
  return l.norm(h + l.drop(l.narrow(f.gelu(l.wide(h))), text))
end

-- The hidden states before the first layer and after each one: a list of layers + 1 tensors.
function Model:states(text)
  local c = self.config
  if text.longest > c.max_position_embeddings - 2 then
    fail.raise('mpnet: a text of %d tokens; this model takes %d at most', text.longest,
      c.max_position_embeddings - 2)
  end
  local bias = self.bias(buckets_for(math.max(text.longest, 1), c.relative_attention_num_buckets))
  local x = self.norm(self.words(text.ids) + self.positions(text.positions))
  local states = { self.drop(x, text) }
  for i, l in ipairs(self.layers) do states[i + 1] = run_layer(self, l, states[i], text, bias) end
  return states
end

function Model:__call(text)
  local states = self:states(text)
  return states[#states]
end

-- --- constructors ---

local function check_config(c, where)
  local function must(key, value)
    if c[key] ~= nil and c[key] ~= value then
      fail.raise('%s: %s is %s; %s is what there is', where, key, tostring(c[key]), tostring(value))
    end
  end
  must('model_type', 'mpnet')
  must('hidden_act', 'gelu')
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
  number('relative_attention_num_buckets', 4, 2 ^ 20, true, true)
  number('hidden_dropout_prob', 0, 0.99, false, true)
  number('attention_probs_dropout_prob', 0, 0.99, false, true)
  if c.hidden_size % c.num_attention_heads ~= 0 then
    fail.raise('%s: hidden size %d does not divide by %d heads', where, c.hidden_size,
      c.num_attention_heads)
  end
  c.relative_attention_num_buckets = c.relative_attention_num_buckets or 32
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

local function load(path)
  local files = folder_io.open(path, 'mpnet')
  local c = check_config(files.config, files.path .. '/config.json')
  local take, params, kept = collecting(files.take)
  local self = build(c, take)
  self.params, self.kept = params, kept
  self.tokenizer = tokenizer.open(files.path)
  self.length = math.min(files.length or c.max_position_embeddings - 2,
    c.max_position_embeddings - 2)
  self.normalize = files.normalize
  return self
end

-- Options of a fresh model and the keys of config.json they fill.
local sizes = { hidden = 'hidden_size', layers = 'num_hidden_layers', inner = 'intermediate_size',
  heads = 'num_attention_heads' }

-- options: vocab (a vocab.txt or a model folder), hidden, layers, heads, inner (4 * hidden), length
-- (128), dropout (0.1), seed (1), spread (0.02: standard deviation of the weights)
local function fresh(options)
  local known = { vocab = 1, length = 1, dropout = 1, seed = 1, spread = 1 }
  for key in pairs(sizes) do known[key] = 1 end
  local names = {}
  for key in pairs(known) do names[#names + 1] = key end
  for key in pairs(options) do
    if not known[key] then fail.raise('mpnet: %s', fail.unknown('option', key, names)) end
  end
  fail.unless(options.vocab, 'mpnet: vocab is missing')
  local tok, rate = tokenizer.open(options.vocab), options.dropout or 0.1
  local c = {
    architectures = { 'MPNetModel' }, model_type = 'mpnet', hidden_act = 'gelu',
    vocab_size = tok.size, max_position_embeddings = 514, layer_norm_eps = 1e-5,
    hidden_dropout_prob = rate, attention_probs_dropout_prob = rate,
    initializer_range = options.spread or 0.02, relative_attention_num_buckets = 32,
    bos_token_id = tok.bos, eos_token_id = tok.eos, pad_token_id = tok.pad,
  }
  for key, name in pairs(sizes) do c[name] = options[key] end
  c.intermediate_size = c.intermediate_size or 4 * c.hidden_size
  check_config(c, 'mpnet')
  local draw = nn.fresh(options.seed or 1, c.initializer_range)
  local take, params, kept = collecting(function(_, dims, kind) return draw(kind, dims) end)
  local self = build(c, take)
  self.params, self.kept, self.tokenizer = params, kept, tok
  self.length, self.normalize = options.length or 128, true
  return self
end

-- `bucket_of` is here for the test that compares it with the reference.
return setmetatable({ bucket_of = bucket_of }, {
  __call = function(_, what)
    if type(what) == 'string' then return load(what) end
    fail.unless(type(what) == 'table', 'mpnet: a folder or a table of sizes is wanted')
    return fresh(what)
  end,
})
