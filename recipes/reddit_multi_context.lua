-- Sentence vectors from talk and what came before it: a reply should find its comment, to which the
-- older comments of the thread are joined.
--
--   sembed pairs in=RC_2015-01.zst out=DIR contexts=9
--   sembed recipes/reddit_multi_context.lua weights=DIR data=DIR/train.jsonl.gz
--
--   data=FILE          lines of {"context":, "response":, "context/0":, "context/1":, ...}
--   contexts=9         how many older comments to join, where there are so many
--   weights=DIR        the model folder to start from
--   chunk=N            encode N texts at once: a batch of any size in the memory of N (GradCache)
--   held=0.001         the share of pairs that is held out: their 1-of-100 is told before and
--                      after, and every evaluate=N steps; OUT/best is the best save by it
--   out=DIR save=N keep=K resume=auto tokens=FOLDER   as in reddit_mpnet
local se = require 'sembed'

local cfg = se.config {
  weights = '', data = '', contexts = 9, tokens = '', out = 'runs/reddit_multi_context',
  resume = '', save = 0, keep = 1, held = 0.001, evaluate = 0, best = 'one_of_100',
  batch = 1024, chunk = 64, length = 128, steps = 540000, warmup = 500, lr = 2e-5, scale = 20,
}
if cfg.weights == '' or cfg.data == '' then return se.run.print_manual() end

-- The newest first: context/0 is what the context answers, context/1 what that answers. Texts are
-- cut at their end, so that a long history loses its oldest part and never the comment itself.
local keys = { 'context' }
for i = 1, cfg.contexts do keys[i + 1] = 'context/' .. i - 1 end
local context = table.concat(keys, '+') -- one column: these texts with spaces between

local model = se.model.open(cfg.weights)
model.length = math.min(model.length, cfg.length)
local talk = se.data.pairs { cfg.data, columns = { context, 'response' },
  tokenizer = model.tokenizer, length = cfg.length, seed = cfg.seed, tokens = cfg.tokens }
local held
if cfg.held > 0 then talk, held = talk:split(cfg.held) end
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })

local function encode(text) return (model:vectors(text, true)) end -- token ids -> unit vectors
local loss = se.loss.in_batch.symmetric(cfg)
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })

local n = held and math.min(2000, held:count()) or 0
local function evaluate()
  local a = model:encode(held:texts(context, 1, n), { normalize = true })
  local b = model:encode(held:texts('response', 1, n), { normalize = true })
  return { one_of_100 = (se.evaluate.one_of(a, b)) }
end

for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam,
  evaluate = n > 0 and evaluate or nil }) do
  local value, grads, seen = run(batch.response, batch[context])
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, accuracy = seen.accuracy, norm = norm,
    rate = rate(step) }
end
model:write_card(cfg.out)
print('the model is in ' .. cfg.out)
