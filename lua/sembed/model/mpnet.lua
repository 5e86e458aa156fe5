-- MPNet: se.model.mpnet 'FOLDER' opens a model folder, se.model.mpnet { vocab = 'vocab.txt', hidden
-- = 256, layers = 2, heads = 4 } makes one with random weights. More options: inner (4 * hidden),
-- length (128), dropout (0.1), seed (1), spread (0.02: standard deviation of the weights). Either
-- gives a callable model:
--
--   model(text)        packed text (text.lua) -> hidden states (T, hidden)
--   model.params       the trained tensors with .names; the pooler is kept for saving but not in it
--   model.tokenizer, model.config (as in config.json), model.length (most tokens of a text)
--   model:encode(texts, options), model:save(folder)   see encoder.lua

local nn = require 'sembed.nn'
local tensor = require 'sembed.tensor'
local transformer = require 'sembed.model.transformer'

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

-- --- the architecture ---

local mpnet = {
  name = 'mpnet', first = 2,
  attention = { q = 'attention.attn.q', k = 'attention.attn.k', v = 'attention.attn.v',
    o = 'attention.attn.o', norm = 'attention.LayerNorm' },
  defaults = { relative_attention_num_buckets = 32 },
  fresh = { architectures = { 'MPNetModel' }, max_position_embeddings = 514, layer_norm_eps = 1e-5,
    relative_attention_num_buckets = 32 },
}

function mpnet.build(self, take, c)
  local pad, h = c.pad_token_id or 1, c.hidden_size
  self.words = nn.embedding(take('embeddings.word_embeddings.weight', { c.vocab_size, h },
    'normal'), pad)
  self.positions = nn.embedding(take('embeddings.position_embeddings.weight',
    { c.max_position_embeddings, h }, 'normal'), pad)
end

-- One table of biases for all layers.
function mpnet.finish(self, take, c)
  self.bias = nn.embedding(take('encoder.relative_attention_bias.weight',
    { c.relative_attention_num_buckets, c.num_attention_heads }, 'normal'))
end

function mpnet.bias(self, text)
  return (self.bias(buckets_for(math.max(text.width or text.longest, 1),
    self.config.relative_attention_num_buckets)))
end

function mpnet.embed(self, text)
  return self.words(text.ids) + self.positions(text.positions)
end

-- `bucket_of` is here for the test that compares it with the reference.
return transformer.constructor(mpnet, { bucket_of = bucket_of })
