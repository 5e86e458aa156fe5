-- Texts -> token ids, one JSON object a line on standard output:
-- sembed tokenize model=DIR in=FILE.jsonl field=text truncate=true
-- in=- reads standard input. Offsets are [start, end) in characters.
local se = require 'sembed'

local cfg = se.config { model = '', ['in'] = '-', field = 'text', truncate = true }
if cfg.model == '' then error('model=DIR is missing') end

local tokenizer = se.tokenizer.open(cfg.model)
local length = cfg.truncate and se.model.folder.length(cfg.model) or 0

for line, number in se.data.lines(cfg['in']) do
  local object = se.json.parse(line, ('%s:%d'):format(cfg['in'], number))
  local text = object[cfg.field]
  if type(text) ~= 'string' then
    error(('%s:%d: no text in "%s"'):format(cfg['in'], number, cfg.field))
  end
  local ids, offsets = tokenizer:encode(text, length)
  for i, pair in ipairs(offsets) do offsets[i] = ('[%d,%d]'):format(pair[1], pair[2]) end
  io.write('{"ids":[', table.concat(ids, ','), '],"offsets":[', table.concat(offsets, ','), ']}\n')
end
