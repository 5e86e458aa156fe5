-- Pairs of texts -> token files, ahead of a training that reads them (it makes them itself on first
-- use). On all cores; a run that was stopped goes on where it was, and one that finds another at
-- work on the same file waits for it.
--
--   sembed tokens model=DIR in=PAIRS.jsonl.gz              one file, or several: in=A,B
--   sembed tokens model=DIR in=data_config.json            every data set that it names
--   sembed tokens model=DIR in=PAIRS.jsonl check=true      compares all of it with its check sums
--
-- length=N: the most tokens of a text, as the training has it. tokens=FOLDER: where the files go;
-- else $XDG_CACHE_HOME/sembed/tokens or ~/.cache/sembed/tokens. columns=a,b: the keys of the texts;
-- else the first line decides. JSON lines, tsv, csv, left.txt+right.txt, plain, gzip or zstd.
local se = require 'sembed'

local cfg = se.config {
  model = '', ['in'] = {}, length = 128, tokens = '', columns = {}, check = false,
}
if cfg.model == '' or #cfg['in'] == 0 then return se.run.print_manual() end

local options = { tokenizer = se.tokenizer.open(cfg.model), length = cfg.length,
  tokens = cfg.tokens }
local sources = {}
for _, path in ipairs(cfg['in']) do
  if path == '-' then error 'in=-: what comes from standard input is not kept: name a file' end
  if path:match '%.json$' then
    for _, set in ipairs(se.data.mixture.read(path)) do sources[#sources + 1] = set end
  else
    sources[#sources + 1] = { path = se.data.tokens.source_path(path, se.run.path) }
  end
end

for _, set in ipairs(sources) do
  local source = set.path
  local path, made = se.data.tokens.make({ source }, set.columns or cfg.columns, options)
  if cfg.check then se.data.tokens.verify(path) end
  print(('%s: %d pairs in %s (%.1f MB)%s%s'):format(source, made.pairs, path,
    se.files.size(path) / 1e6,
    made.made > 0 and (', %d of them made now, %.0f pairs/s'):format(made.made,
      made.made / math.max(1e-3, made.seconds)) or ', there already',
    cfg.check and ', as it was written' or ''))
end
