-- Bytes of tensors that one process of several holds after three steps of AdamW:
-- mpirun -n 4 sembed bench/shard_memory.lua
local se = require 'sembed'
local dir = se.run.path '../tests/data/tiny-mpnet/'
local model = se.model.mpnet { vocab = dir .. 'vocab.txt', layers = 6, hidden = 512, heads = 8,
  length = 32, seed = 1 }
local talk = se.data.pairs { dir .. 'pairs.jsonl', columns = { 'a', 'b' }, seed = 1,
  tokenizer = model.tokenizer, length = 32 }
local adam = se.optim.adamw(model.params, { eps = 1e-6 })
local loss = se.loss.in_batch.symmetric { scale = 20 }
local run = se.train.cached(function(text) return model:vectors(text, true) end, loss,
  { params = model.params })
local cfg = { steps = 3, batch = 16 }
for _, batch in se.train.steps(talk, cfg, { model = model, adam = adam }) do
  local _, grads = run(batch.a, batch.b)
  adam:update(grads, { rate = 1e-3 })
end
local live, arena = (se.memory()), se.stats().arena_bytes
print(('%d shards: %d parameters, %.0f MB; %.0f MB are held, without an arena of %.0f MB'):format(
  se.shard.count, model.params:count(), 4 * model.params:count() / 1e6, (live - arena) / 1e6,
  arena / 1e6))
