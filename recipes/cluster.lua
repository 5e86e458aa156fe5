-- Groups of texts that are near to a common centre, the largest group first.
--
--   sembed cluster model=DIR in=FILE out=FILE.jsonl [key=value]...
--
--   in=FILE,...        texts: lines, jsonl, tsv, csv; plain, gzip or zstd
--   vectors=FILE.npy   their vectors, as `sembed encode` wrote them: model= is not needed
--   prompt=TEXT        with model=: put before each text; else as the folder says
--   out=FILE.jsonl     {"size":, "rows": [centre, ...], "texts": [...]} a line; rows count from
--                      0; "-" for standard output
--   threshold=0.75     the least cosine with the centre
--   least=10           texts of a group
--   field=text column= header= format=   as in `sembed encode`
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', ['in'] = { '' }, vectors = '', out = '', threshold = 0.75, least = 10,
  field = 'text', column = '', format = '', header = false, prompt = '',
}
if not given['in'] or cfg.out == '' then error('in=FILE and out=FILE.jsonl are wanted', 0) end
if cfg.least < 1 or cfg.least % 1 ~= 0 then error('least=: a count is wanted', 0) end

se.search.check_out(cfg.out)
local texts, x = se.search.read(cfg)
local groups = se.search.clusters(x, { threshold = cfg.threshold, least = cfg.least,
  done = function(n, all) se.progress.show('clusters: %.0f of %.0f texts', n, all) end })
se.progress.clear()

local lines, grouped = {}, 0
for i, rows in ipairs(groups) do
  local members, numbers = se.json.array {}, se.json.array {}
  for j, row in ipairs(rows) do members[j], numbers[j] = texts[row + 1], row end
  lines[i] = se.json.encode { size = #rows, rows = numbers, texts = members } .. '\n'
  grouped = grouped + #rows
end
se.search.put(cfg.out, lines)
io.stderr:write(('%d groups with %d of %d texts -> %s\n'):format(#lines, grouped, #texts, cfg.out))
