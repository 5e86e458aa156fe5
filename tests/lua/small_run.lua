-- A small training run for runs.lua: sembed tests/lua/small_run.lua out=DIR steps=12 ...
-- stop=N sends itself SIGTERM in step N; bad=N multiplies the loss of step N by by=nan, or with
-- at=encode the vectors. apart=true: each process makes parameters of its own.
-- eval=true evaluates; stop_in=N sends SIGTERM while it does so after step N.
local se = require 'sembed'
local cfg = se.config {
  out = '', steps = 12, batch = 16, lr = 1e-2, warmup = 2, scale = 20, resume = '', save = 0,
  stop = 0, bad = 0, by = 'nan', at = 'loss', chunk = 0, loss_limit = 1e6, eval = false,
  evaluate = 0, stop_in = -1, apart = false, keep = 1, best = '', tiny = '../data/tiny-mpnet',
}
local folder = se.run.path(cfg.tiny)
local model = se.model.mpnet { vocab = folder .. '/vocab.txt', layers = 1, hidden = 32, heads = 2,
  length = 32, seed = cfg.seed + (cfg.apart and se.shard.index():item(true) or 0) }
local talk = se.data.pairs { folder .. '/pairs.jsonl', columns = { 'a', 'b' }, seed = cfg.seed,
  tokenizer = model.tokenizer, length = 32 }
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })
local now -- the step
local function spoilt(x, where)
  if now ~= cfg.bad or where ~= cfg.at then return x end
  return (x * tonumber(cfg.by))
end
local function encode(text)
  return (spoilt(se.normalize(se.mean_pool(model(text), text)), 'encode'))
end
local symmetric = se.loss.in_batch.symmetric(cfg)
local function loss(a, b)
  local value, seen = symmetric(a, b)
  return spoilt(value, 'loss'), seen
end
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })

local a, b = talk:texts('a', 1, 40), talk:texts('b', 1, 40)
local function evaluate(step)
  local x, y = model:encode(a, { normalize = true }), model:encode(b, { normalize = true })
  if step == cfg.stop_in then os.execute 'kill -TERM $PPID' end
  local held = se.evaluate.in_batch(symmetric, cfg.batch, x, y)
  return { loss = held.loss, accuracy = held.accuracy, one_of = se.evaluate.one_of(x, y, 20),
    near_5 = -math.abs(step - 5) }
end

for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam,
    evaluate = cfg.eval and evaluate or nil }) do
  now = step
  local value, grads, seen = run(batch.a, batch.b)
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, accuracy = seen.accuracy, norm = norm,
    rate = rate(step) }
  if step == cfg.stop then os.execute 'kill -TERM $PPID' end
end
print(('weights %s'):format(model.params[1]:bytes():sub(1, 4) ~= '' and 'there' or 'gone'))
