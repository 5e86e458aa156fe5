-- Sentence vectors from many data sets at once, each as often as its weight says.
--
--   sembed recipes/mixture.lua weights=DIR data=data_config.json
--
-- data_config.json is a list of { "name": file, "weight": number }, files relative to it: pairs of
-- texts that belong together. A batch is of one data set (P = weight / sum of weights), so that its
-- other texts are wrong answers of the same kind; mixed=true draws every pair anew. Each data set
-- has its own epochs, in which every pair comes exactly once.
--
--   sts=FILE pairs=FILE triplets=FILE   what to evaluate on (as sembed eval) before and after, and
--                      every evaluate=N steps; best=spearman, one_of_100 or accuracy: OUT/best
--   out=DIR save=N keep=K resume=auto chunk=N tokens=FOLDER   as in reddit_mpnet
local se = require 'sembed'

local cfg = se.config {
  weights = '',                       -- a model folder; '': random weights of the sizes below
  layers = 2, hidden = 128, heads = 4, vocab = 'data/vocab.txt',
  data = '', mixed = false, tokens = '',
  out = 'runs/mixture', resume = '', save = 0, keep = 1,
  batch = 128, chunk = 0, length = 128, -- chunk: how many texts are encoded at once, 0: all
  steps = 1600, warmup = 80, lr = 2e-3, scale = 20, dropout = 0.1,
  evaluate = 0, sts = '', pairs = '', triplets = '', best = '',
}
if cfg.data == '' then return se.run.print_manual() end

local model
if cfg.weights ~= '' then
  model = se.model.open(cfg.weights)
else
  model = se.model.mpnet { layers = cfg.layers, hidden = cfg.hidden, heads = cfg.heads,
    vocab = cfg.vocab, length = cfg.length, dropout = cfg.dropout, seed = cfg.seed }
end
model.length = math.min(model.length, cfg.length)
local talk = se.data.mixture.open { cfg.data, mixed = cfg.mixed, tokenizer = model.tokenizer,
  length = cfg.length, tokens = cfg.tokens, seed = cfg.seed }
print(('%d pairs in %d data sets'):format(talk:count(), #talk.files))
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })

local function encode(text)                         -- token ids -> unit vectors
  return (model:vectors(text, true))
end
local loss = se.loss.in_batch.symmetric(cfg)        -- each text of a pair looks for the other
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })

local anchor, partner = talk.columns[1], talk.columns[2]
for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam,
  evaluate = se.evaluate.files(model, cfg) }) do
  local value, grads, seen = run(batch[anchor], batch[partner])
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, accuracy = seen.accuracy, norm = norm,
    rate = rate(step) }
end
model:write_card(cfg.out)
print('the model is in ' .. cfg.out)
