-- The loader alone: pairs and tokens a second, from text (JSON lines -> a token file, as the first
-- use of a data set makes it) and from the token file (batches drawn and packed, as training takes
-- them). bench/loader.sh sets it beside training.
--
--   sembed bench/loader.lua [batch=1024] [batches=2000] [rounds=3] [data=FILE]
local se = require 'sembed'

local cfg = se.config {
  vocab = '../recipes/data/vocab.txt', data = '../recipes/data/train.jsonl.gz',
  batch = 1024, batches = 2000, rounds = 3, length = 128, folder = '',
}
if cfg.folder == '' then error('folder=DIR: where to write; what is there is written over') end

local tokenizer = se.tokenizer.open(se.run.path(cfg.vocab))
local packed = se.run.path(cfg.data)
local plain = cfg.folder .. '/plain.jsonl'
local lines = assert(io.open(plain, 'wb'))
for text in se.data.texts { packed, format = 'lines' } do lines:write(text, '\n') end
lines:close()

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

-- A line of the table, from the seconds of some rounds.
local function tell(what, pairs_done, tokens, seconds)
  local s = median(seconds)
  print(('%s: %.0f pairs/s, %.0f tokens/s (%.3f s; %.3f to %.3f)'):format(what, pairs_done / s,
    tokens / s, s, seconds[1], seconds[#seconds]))
end

-- Makes the token file of a source anew.
local function from_text(what, source)
  local seconds, pairs_done = {}, 0
  for i = 1, cfg.rounds do
    local path, made = se.data.tokens.make({ source }, {}, { tokenizer = tokenizer,
      length = cfg.length, tokens = cfg.folder .. '/tokens' })
    seconds[i], pairs_done = made.seconds, made.pairs
    se.files.remove(path)
  end
  return what, pairs_done, seconds
end

local talk = se.data.pairs { packed, tokenizer = tokenizer, length = cfg.length,
  tokens = cfg.folder .. '/kept' }
local tokens = 0
for _, name in ipairs(talk.columns) do tokens = tokens + talk:stats(name).tokens end
for _, source in ipairs { { 'from text, gzip', packed }, { 'from text, plain', plain } } do
  local what, n, seconds = from_text(source[1], source[2])
  tell(what, n, tokens, seconds)
end

local function tokens_of_batch()
  local n = 0
  for _, text in pairs(talk:draw(cfg.batch)) do n = n + text.tokens end
  return n
end

local seconds, drawn = {}, 0
for i = 1, cfg.rounds do
  local began, n = se.seconds(), 0
  for _ = 1, cfg.batches do
    n = n + se.scope('batch', tokens_of_batch)
  end
  seconds[i], drawn = se.seconds() - began, n
end
tell('from a token file', cfg.batch * cfg.batches, drawn, seconds)
