-- Texts -> vectors: a float32 array (texts, dims) in numpy's format, rows in the input's order.
-- sembed encode model=DIR in=FILE.jsonl field=text out=FILE.npy
local se = require 'sembed'

local cfg = se.config { model = '', ['in'] = '-', field = 'text', out = '', batch = 64 }
if cfg.model == '' or cfg.out == '' then error('model=DIR and out=FILE.npy are wanted') end

local model = se.model.open(cfg.model)
local texts, cut = {}, 0
local writer = se.npy.create(cfg.out, model.config.hidden_size)

local function write()
  local vectors, n = model:encode(texts, { batch = cfg.batch })
  writer:add(vectors)
  texts, cut = {}, cut + n
end

local AT_ONCE = 4096 -- texts sorted by length together
for line, number in se.data.lines(cfg['in']) do
  local text = se.json.parse(line, ('%s:%d'):format(cfg['in'], number))[cfg.field]
  if type(text) ~= 'string' then
    error(('%s:%d: no text in "%s"'):format(cfg['in'], number, cfg.field))
  end
  texts[#texts + 1] = text
  if #texts == AT_ONCE then
    write()
    se.progress.line(('%d texts'):format(number))
  end
end
if #texts > 0 then write() end
se.progress.clear()
io.stderr:write(('%d texts, %d of them cut to %d tokens\n'):format(writer:close(), cut,
  model.length))
