-- How long texts of pairs take that are read again from their source: see bench/look_up.sh.
local se = require 'sembed'

local cfg = se.config { data = '', tokens = '', vocab = '../recipes/data/vocab.txt', batch = 64 }
local talk = se.data.pairs { cfg.data, tokenizer = se.tokenizer.open(se.run.path(cfg.vocab)),
  tokens = cfg.tokens }

local function milliseconds(f)
  local began = se.seconds()
  f()
  return (se.seconds() - began) * 1e3
end

local n, column = talk:count(), talk.columns[1]
local middle = milliseconds(function() return talk:text(column, math.floor(n / 2)) end)
local last = milliseconds(function() return talk:text(column, n) end)
talk:draw(cfg.batch)
local rows = milliseconds(function() return talk:rows_of(talk:drawn()) end)
print(('%s: one text of the middle %.1f ms, of the end %.1f ms, a batch of %d %.1f ms'):format(
  cfg.data:match '[^/]*$', middle, last, cfg.batch, rows))
