-- Going on at a late step over a token file of millions of pairs: how long from the start of the
-- program to the first batch. bench/resume.sh makes the data and takes the times.
--
--   sembed bench/resume.lua make=true folder=DIR [pairs=3000000] [common=0.002] [step=500000]
--   sembed bench/resume.lua folder=DIR             the loader alone, going on after that step
--   sembed bench/resume.lua folder=DIR run=true    the card's run: mpnet-base, AdamW, its save
--
-- common: the share of the pairs whose context is one and the same text. A batch takes one of them,
-- the others wait in the queue that a save holds.
local se = require 'sembed'

local cfg = se.config {
  make = false, run = false, folder = '', pairs = 3000000, common = 0.002, step = 500000,
  vocab = '../recipes/data/vocab.txt', batch = 1024, length = 128,
  steps = 540000, save = 0, out = '', resume = '',
}
if cfg.folder == '' then error('folder=DIR is missing') end
local vocab = se.run.path(cfg.vocab)
local source, place = cfg.folder .. '/talk.jsonl', cfg.folder .. '/place.json'
cfg.out = cfg.run and cfg.folder .. '/run' or ''

local function write_pairs()
  local file = assert(io.open(source, 'wb'))
  local step = math.floor(1 / cfg.common)
  for i = 1, cfg.pairs do
    file:write(('["%s", "and this is what somebody answered to number %d"]\n'):format(
      i % step == 0 and 'what everybody says' or 'somebody said that number ' .. i, i))
  end
  assert(file:close())
end

local function open_pairs(tokenizer)
  return (se.data.pairs { source, tokenizer = tokenizer, length = cfg.length,
    tokens = cfg.folder .. '/tokens' })
end

-- The position after the step: an epoch before it is drawn, so that the queue is as it would be.
local function go_to_step(talk)
  local state = se.json.parse(talk:state())
  local set = state.sets[1]
  set.epoch = math.max(0, math.floor(cfg.step * cfg.batch / cfg.pairs) - 1)
  state.batches = math.floor(set.epoch * cfg.pairs / cfg.batch)
  set.queue = se.json.array {}
  talk:restore(se.json.encode(state))
  for _ = state.batches + 1, cfg.step do
    talk:draw(cfg.batch, 0, 0)
    talk:done()
  end
  local text = talk:state()
  se.files.write(place, text)
  set = se.json.parse(text).sets[1]
  print(('%d pairs; after step %d: epoch %d, pair %d of it, %d in the queue, %d bytes'):format(
    cfg.pairs, cfg.step, set.epoch, set.index, #set.queue, #text))
end

-- weights: as se.model.mpnet takes them.
local function model_and_adam(weights)
  local model = se.model.mpnet(weights)
  return model, se.optim.adamw(model.params, { eps = 1e-6 })
end

-- A run of one small step, whose save then gets the late step and position.
local function make_save(talk, state)
  local model, adam = model_and_adam { layers = 12, hidden = 768, heads = 12, vocab = vocab }
  local out = cfg.folder .. '/run'
  local first = { steps = 1, batch = 2, out = out, save = 0, keep = 1 }
  for _, batch in se.train.steps(talk, first, { model = model, adam = adam }) do
    local loss = model:vectors(batch[talk.columns[1]], true):sum()
    adam:update(se.grad(loss, model.params), { rate = 1e-9 })
  end
  local saved = se.json.load(out .. '/save-1/run.json')
  saved.step, saved.data, saved.finished = cfg.step, state, false
  se.files.write(out .. '/save-1/run.json', se.json.encode(saved))
  local name = 'save-' .. cfg.step
  se.files.rename(out .. '/save-1', out .. '/' .. name)
  assert(os.execute(('ln -sfn %s %q/last'):format(name, out)) == 0)
end

if cfg.make then
  write_pairs()
  local tokenizer = se.tokenizer.open(vocab)
  go_to_step(open_pairs(tokenizer))
  make_save(open_pairs(tokenizer), se.files.read(place))
elseif cfg.run then
  local model, adam = model_and_adam(cfg.folder .. '/run/last')
  local talk = open_pairs(model.tokenizer)
  local step, batch = se.train.steps(talk, cfg, { model = model, adam = adam })()
  print(('step %d: %d tokens'):format(step, batch.context.tokens + batch.response.tokens))
else
  local talk = open_pairs(se.tokenizer.open(vocab))
  talk:restore(se.files.read(place))
  local batch = talk:draw(cfg.batch)
  print(('%d pairs, %d tokens'):format(cfg.batch, batch[talk.columns[1]].tokens
    + batch[talk.columns[2]].tokens))
end
