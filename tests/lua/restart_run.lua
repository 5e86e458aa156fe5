-- A small training for kill_at_random.sh, full_disk.sh and test_same_bits.lua, with everything that
-- a restart could lose: two data sets by weight, dropout, a batch in chunks, noise from the running
-- key and from math.random, a best save.
local se = require 'sembed'
local cfg = se.config {
  out = '', steps = 200, batch = 24, chunk = 7, lr = 1e-2, warmup = 5, scale = 20, resume = '',
  save = 5, keep = 2, tokens = '', name_best = true,
}
local tiny, talk = se.run.path '../data/tiny-mpnet', se.run.path '../../recipes/data/test.jsonl.gz'
local model = se.model.mpnet { vocab = tiny .. '/vocab.txt', layers = 1, hidden = 32, heads = 2,
  length = 32, dropout = 0.1, seed = cfg.seed }
local data = se.data.mixture.open {
  { tiny .. '/pairs.jsonl', weight = 1, columns = { 'a', 'b' } }, { talk, weight = 2 },
  tokenizer = model.tokenizer, length = 32, tokens = cfg.tokens, seed = cfg.seed }
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })
local function encode(text) return (se.normalize(se.mean_pool(model(text), text))) end
local symmetric = se.loss.in_batch.symmetric(cfg)
local noise
local function loss(a, b)
  local value, seen = symmetric(a, b)
  return value * noise, seen
end
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })
local first, second = data.columns[1], data.columns[2]

for step, batch in se.train.steps(data, cfg, { model = model, adam = adam }) do
  noise = 1 + 0.1 * se.random.uniform({ 1 }):sum() + 0.1 * math.random()
  local value, grads, seen = run(batch[first], batch[second])
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { loss = value, accuracy = seen.accuracy, norm = norm, rate = rate(step) }
  if cfg.name_best and step % 3 == 0 then se.train.best(-value) end
end
