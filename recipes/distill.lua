-- A small model learns the vectors of a large one: its teacher (Reimers and Gurevych 2020, "Making
-- Monolingual Sentence Embeddings Multilingual using Knowledge Distillation").
--
--   sembed recipes/distill.lua teacher=DIR            half of its layers, on the talk that is here
--   sembed recipes/distill.lua teacher=DIR layers=3 data=FILE
--   sembed recipes/distill.lua teacher=DIR weights=DIR data=FILE      any model learns
--   sembed recipes/distill.lua teacher=DIR hidden=128 layers=2 heads=4      one of random weights
--
--   teacher=DIR        a model folder; hf:sentence-transformers/all-MiniLM-L6-v2 is fetched
--   data=FILE          lines of text (.txt), or of pairs and more texts, as in reddit_mpnet; no
--                      labels are needed. columns=NAME,...: which texts of a line are learned
--   parallel=true      the columns are translations: each learns the teacher's vector of the first
--   layers=N           of the teacher's layers N are kept, evenly spread; 0: half of them
--   Narrower vectors than the teacher's learn its principal components (PCA of up to fit=N texts).
--   out=DIR save=N keep=K resume=auto chunk=N tokens=FOLDER   as in reddit_mpnet
--   evaluate=N sts=FILE   every N steps, not only before and after: distance and cosine to the
--                      teacher on held-out texts; of pairs 1-of-100; with sts= Spearman's rho
--   best=-mse          OUT/best is the save with the least mse; best=spearman: the largest
--   dry=true           only look
local se = require 'sembed'

local cfg, given = se.config {
  teacher = '', weights = '', layers = 0, hidden = 0, heads = 4,
  data = 'data/train.jsonl.gz', columns = {}, parallel = false, held = 0.01, fit = 5000,
  out = 'runs/distill', resume = '', save = 0, keep = 1, tokens = '',
  batch = 64, chunk = 0, length = 128, steps = 1000, warmup = 100, lr = 1e-4,
  evaluate = 0, sts = '', best = '-mse', dry = false,
}
if cfg.teacher == '' then return se.run.print_manual() end
for _, key in ipairs(cfg.weights ~= '' and { 'layers', 'hidden', 'heads' } or {}) do
  if given[key] then error(key .. '= does not go with weights=: the folder says it', 0) end
end

local teacher = se.model.open(cfg.teacher)
local function open_student()
  if cfg.weights ~= '' then return (se.model.open(cfg.weights)) end
  local layers = cfg.layers
  if layers == 0 then layers = math.ceil(teacher.config.num_hidden_layers / 2) end
  if cfg.hidden == 0 then return (se.model.open(cfg.teacher, { layers = layers })) end
  return se.model[teacher.config.model_type] { hidden = cfg.hidden, layers = layers,
    heads = cfg.heads, vocab = cfg.teacher, seed = cfg.seed }
end
local student = open_student()
for _, model in ipairs { teacher, student } do model.length = math.min(model.length, cfg.length) end

local lesson = se.train.teacher(teacher, student, { cfg.data, columns = cfg.columns, fit = cfg.fit,
  seed = cfg.seed, tokens = cfg.tokens })
local data, held = lesson.data:split(cfg.held)
local columns = data.columns
local rate = se.schedule.warmup_linear(cfg)
local adam = se.optim.adamw(student.params, { eps = 1e-6 })

local function encode(text) return (student:vectors(text)) end
local loss = se.loss.vector_mse()                   -- (x1, x2, ...; the teacher's t1, t2, ...)
local run = se.train.cached(encode, loss, { params = student.params, chunk = cfg.chunk })

local function learn(batch)
  local texts, wanted = {}, {}
  for i, column in ipairs(columns) do
    texts[i] = batch[column]
    wanted[i] = cfg.parallel and wanted[1] or lesson:vectors(batch, column)
  end
  for _, t in ipairs(wanted) do texts[#texts + 1] = t end
  return run(unpack(texts))
end

if cfg.dry then
  se.train.dry(data, cfg, student.tokenizer, function(batch)
    local value, grads = learn(batch)
    return { value, adam:norm(grads) }
  end)
  return
end

-- What the vectors of held-out texts, by column, are good for.
local n, wanted = math.min(1000, held:count()), {}
local function use_of(model, x)
  local result = {}
  if #columns > 1 and not cfg.parallel then
    result.one_of_100 = se.evaluate.one_of(se.normalize(x[1]), se.normalize(x[2]))
  end
  if cfg.sts ~= '' then
    result.spearman = tonumber(se.evaluate.sts(model, cfg.sts).metrics.spearman_cosine)
  end
  return result
end
local function evaluate()
  local mine, mse, cosine = {}, 0, 0
  for i, column in ipairs(columns) do
    local texts = held:texts(column, 1, n)
    mine[i] = student:encode(texts, { prompt = '' })
    wanted[i] = wanted[i] or cfg.parallel and wanted[1] or se.keep(lesson:encode(texts))
    mse = mse + loss(mine[i], wanted[i]):item() / #columns
    cosine = cosine + se.cosine(mine[i], wanted[i]):mean():item() / #columns
  end
  local result = use_of(student, mine)
  result.mse, result.cosine = mse, cosine
  return result
end

local steps, found = se.train.steps(data, cfg, { model = student, adam = adam,
  evaluate = n > 0 and evaluate or nil })
for step, batch in steps do
  local value, grads = learn(batch)
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  se.train.log { step = step, loss = value, norm = norm, rate = rate(step) }
end

student.card.title = ('A sentence encoder that learned from %s'):format(teacher.name or cfg.teacher)
student.card.results = {}
local of_teacher = wanted[1] and use_of(teacher, wanted) or {}
for _, name in ipairs { 'mse', 'cosine', 'one_of_100', 'spearman' } do
  if found.last and found.last[name] then
    local line = ('%.4g before, %.4g after'):format(found.first[name], found.last[name])
    if of_teacher[name] then line = ('%s; the teacher %.4g'):format(line, of_teacher[name]) end
    student.card.results[name] = line
    print(('%-11s %s'):format(name, line))
  end
end
student:write_card(cfg.out)
print('the model is in ' .. cfg.out)
