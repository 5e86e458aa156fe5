-- Sentence vectors from Reddit-like talk: a comment should find its own reply in the batch.
--
--   sembed recipes/reddit_mpnet.lua                  a small MPNet from random weights, in minutes
--   sembed recipes/reddit_mpnet.lua preset=tune weights=DIR           fine-tunes a model gently
--   sembed recipes/reddit_mpnet.lua preset=card weights=DIR data=FILE the model card's run
--
--   data=FILE test=FILE   pairs: lines of {"context": ..., "response": ...} or [a, b], gzipped
--                      or not; with own data and no test= 1 % of it is held out
--   layers= hidden= heads= vocab= dropout=   the model, where there is no weights=
--   chunk=N            encode N texts at once: a batch of any size in the memory of N (GradCache)
--   out=DIR save=N keep=K resume=auto   where to; save every N steps, K saves stay; go on from
--                      the last, if any. A finished run is moved aside; an unfinished one tells how
--   evaluate=N sts=FILE   every N steps, not only before and after: held-out loss, accuracy in a
--                      batch, 1-of-100; with sts= Spearman's rho of FILE, too (as sembed eval)
--   best=one_of_100    which of these OUT/best is the best save of: best=spearman, best=-loss
--   eval=0, dry=true   no evaluation; only look
local se = require 'sembed'

local presets = {
  card = { batch = 1024, chunk = 64, length = 128, steps = 540000, warmup = 500, lr = 2e-5,
    save = 10000 },
  tune = { batch = 64, length = 128, steps = 500, warmup = 50, lr = 2e-5 },
}
local cfg, given = se.config {
  preset = '', presets = presets,
  weights = '', -- a model folder; '': random weights of the sizes below
  layers = 2, hidden = 128, heads = 4, vocab = 'data/vocab.txt',
  data = 'data/train.jsonl.gz', test = 'data/test.jsonl.gz',
  out = 'runs/reddit_mpnet', resume = '', save = 0, keep = 1,
  batch = 128, chunk = 0, length = 128,
  steps = 1600, warmup = 80, lr = 2e-3, scale = 20, dropout = 0.1,
  evaluate = 0, sts = '', best = 'one_of_100', eval = true, dry = false,
}

local function open_model()
  if cfg.weights == '' then
    if cfg.preset ~= '' then error('preset=' .. cfg.preset .. ': weights=DIR is missing') end
    return se.model.mpnet { layers = cfg.layers, hidden = cfg.hidden, heads = cfg.heads,
      vocab = cfg.vocab, length = cfg.length, dropout = cfg.dropout, seed = cfg.seed }
  end
  for _, key in ipairs { 'layers', 'hidden', 'heads', 'vocab', 'dropout' } do
    if given[key] then error(key .. '= does not go with weights=: the folder says it') end
  end
  return (se.model.open(cfg.weights))
end

local model = open_model()
model.length = math.min(model.length, cfg.length)
local talk = se.data.pairs { cfg.data, tokenizer = model.tokenizer, length = cfg.length,
  seed = cfg.seed }
local test
if given.data and not given.test then
  talk, test = talk:split(0.01)
  print(('held out for the test: %d of %d pairs'):format(test.of, talk:count() + test.of))
else
  test = se.data.pairs { cfg.test }
end
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(model.params, { eps = 1e-6 })

-- The parentheses after `return` keep this file's line in error messages: a tail call loses it.
local function encode(text)                         -- token ids -> unit vectors
  return (model:vectors(text, true))                -- the mean of the tokens, or as weights= says
end
local function loss(reply, comment)                 -- both (my rows of the batch, hidden)
  local scores = reply:matmul(se.shard.gather(comment):t()) * cfg.scale
  local back   = comment:matmul(se.shard.gather(reply):t()) * cfg.scale
  local own    = se.shard.rows(reply)               -- where my rows stand in the gathered batch
  local total  = (se.cross_entropy(scores, own) + se.cross_entropy(back, own)):sum()
  local right  = se.equal(scores:argmax(2), own):sum()
  local rows   = reply:global_rows()                -- of all shards
  return se.shard.sum(total) / (2 * rows), { accuracy = se.shard.sum(right) / rows }
end
local run = se.train.cached(encode, loss, { params = model.params, chunk = cfg.chunk })

if cfg.dry then
  se.train.dry(talk, cfg, model.tokenizer, function(batch)
    local value, grads = run(batch.response, batch.context)
    return { value, adam:norm(grads) }
  end)
  return
end

-- The first 2,000 test pairs: the training's loss, and 1-of-100; the vectors serve below, too.
local n = math.min(2000, test:count())
local counted, context, reply = n < 100 and n or n - n % 100, nil, nil
local function evaluate()
  context = se.keep(model:encode(test:texts('context', 1, n), { normalize = true }))
  reply = se.keep(model:encode(test:texts('response', 1, n), { normalize = true }))
  local held = se.evaluate.in_batch(loss, cfg.batch, reply, context)
  local result = { loss = held.loss, accuracy = held.accuracy,
    one_of_100 = se.evaluate.one_of(context, reply) }
  if cfg.sts ~= '' then
    result.spearman = tonumber(se.evaluate.sts(model, cfg.sts).metrics.spearman_cosine)
  end
  return result
end

local steps, found = se.train.steps(talk, cfg, { model = model, adam = adam,
  evaluate = cfg.eval and n > 0 and evaluate or nil })
for step, batch in steps do
  local value, grads, seen = run(batch.response, batch.context)
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, accuracy = seen.accuracy, norm = norm,
    rate = rate(step) }
end

local before, after = found.first, found.last
if before then                                      -- for the card in the model's folder
  model.card.results = {}
  for when, result in pairs { before = before, after = after } do
    model.card.results['1-of-100 ' .. when] = ('%.1f %% (%d pairs)'):format(
      100 * result.one_of_100, counted)
  end
end
model:write_card(cfg.out)

print('the model is in ' .. cfg.out)
for i = 1, reply and math.min(3, n) or 0 do -- what it would answer; an echo does not count
  local said, best = test:text('context', i), nil
  local scores = context:rows(i, i):matmul(reply:t()):totable()[1]
  for j, score in ipairs(scores) do
    local echo = test:text('response', j) == said
    if not echo and (not best or score > scores[best]) then best = j end
  end
  print(('\n  %s\n    best reply: %s'):format(said, best and test:text('response', best) or '-'))
end
print(('\nnext: %s encode model=%s in=TEXTS.jsonl field=text out=VECTORS.npy'):format(se.run.called,
  cfg.out))
if after then
  print(('1-of-100: before %.1f %% after %.1f %% (%d pairs)'):format(100 * before.one_of_100,
    100 * after.one_of_100, counted))
else
  print('1-of-100: not run')
end
