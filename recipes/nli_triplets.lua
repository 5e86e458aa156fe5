-- Sentence vectors from triplets, such as entailment data has: an anchor, a text that follows from
-- it, and one or more that look alike and do not (hard negatives).
--
--   sembed recipes/nli_triplets.lua weights=DIR data=FILE
--
--   data=FILE          lines of [anchor, positive, negative] or {"query", "pos", "neg"},
--                      or a tsv or csv file: columns=anchor,positive,negative of its header line
--   weights=DIR        the model folder to start from
--   chunk=N            encode N texts at once: a batch of any size in the memory of N (GradCache)
--   sts=FILE triplets=FILE pairs=FILE   what to evaluate on (as sembed eval) before and after, and
--                      every evaluate=N steps; best=spearman, accuracy or one_of_100: OUT/best
--   out=DIR save=N keep=K resume=auto tokens=FOLDER   as in reddit_mpnet
local se = require 'sembed'

local cfg = se.config {
  weights = '', data = '', columns = {}, tokens = '', out = 'runs/nli_triplets', resume = '',
  save = 0, keep = 1, evaluate = 0, sts = '', triplets = '', pairs = '', best = '',
  batch = 128, chunk = 0, length = 128, steps = 4000, warmup = 400, lr = 2e-5, scale = 20,
}
if cfg.weights == '' or cfg.data == '' then return se.run.print_manual() end

local model = se.model.open(cfg.weights)
model.length = math.min(model.length, cfg.length)
local data = se.data.pairs { cfg.data, columns = cfg.columns, tokenizer = model.tokenizer,
  length = cfg.length, seed = cfg.seed, tokens = cfg.tokens }
if #data.columns < 3 then error(cfg.data .. ': pairs, triplets are wanted', 0) end
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })

local function encode(text) return (model:vectors(text, true)) end -- token ids -> unit vectors
-- An anchor should find its own positive among all positives and all hard negatives of the batch.
local loss = se.loss.in_batch.one_way(cfg)
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })

for step, batch in se.train.steps(data, cfg, { model = model, adam = adam,
  evaluate = se.evaluate.files(model, cfg) }) do
  local texts = {}
  for i, column in ipairs(data.columns) do texts[i] = batch[column] end
  local value, grads, seen = run(unpack(texts))
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, accuracy = seen.accuracy, norm = norm,
    rate = rate(step) }
end
model:write_card(cfg.out)
print('the model is in ' .. cfg.out)
