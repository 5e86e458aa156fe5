-- BERT: se.model.bert 'FOLDER', se.model.bert { vocab = ..., hidden = ..., layers = ..., heads =
-- ... }: all as in se.model.mpnet. A text alone is of token type 0; positions count from 0.

local nn = require 'sembed.nn'
local transformer = require 'sembed.model.transformer'

local bert = {
  name = 'bert', first = 0,
  attention = { q = 'attention.self.query', k = 'attention.self.key', v = 'attention.self.value',
    o = 'attention.output.dense', norm = 'attention.output.LayerNorm' },
  defaults = { type_vocab_size = 2, layer_norm_eps = 1e-12 },
  fresh = { architectures = { 'BertModel' }, max_position_embeddings = 512, type_vocab_size = 2,
    layer_norm_eps = 1e-12 },
}

function bert.build(self, take, c)
  local h = c.hidden_size
  self.words = nn.embedding(take('embeddings.word_embeddings.weight', { c.vocab_size, h },
    'normal'), c.pad_token_id or 0)
  self.positions = nn.embedding(take('embeddings.position_embeddings.weight',
    { c.max_position_embeddings, h }, 'normal'))
  self.types = take('embeddings.token_type_embeddings.weight', { c.type_vocab_size, h }, 'normal')
end

function bert.finish() end

function bert.embed(self, text)
  return self.words(text.ids) + self.types:rows(1, 1) + self.positions(text.positions)
end

return transformer.constructor(bert)
