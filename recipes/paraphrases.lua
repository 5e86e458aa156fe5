-- The pairs of texts that say nearly the same, the nearest first.
--
--   sembed paraphrases model=DIR in=FILE out=FILE.jsonl [key=value]...
--
--   in=FILE,...        texts: lines, jsonl, tsv, csv; plain, gzip or zstd
--   vectors=FILE.npy   their vectors, as `sembed encode` wrote them: model= is not needed
--   prompt=TEXT        with model=: put before each text; else as the folder says
--   out=FILE.jsonl     {"score":, "rows": [a, b], "texts": [.., ..]} a line; rows count from 0;
--                      "-" for standard output
--   most=500000        pairs at most; threshold=-1: only pairs with at least this score
--   top=100            looked at of each text: its nearest
--   metric=cosine|dot  field=text column= header= format=: as in `sembed encode`
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', ['in'] = { '' }, vectors = '', out = '', most = 500000, threshold = -1, top = 100,
  metric = 'cosine', field = 'text', column = '', format = '', header = false, prompt = '',
}
if not given['in'] or cfg.out == '' then error('in=FILE and out=FILE.jsonl are wanted', 0) end
for _, key in ipairs { 'most', 'top' } do
  if cfg[key] < 1 or cfg[key] % 1 ~= 0 then error(key .. '=: a count is wanted', 0) end
end

se.search.check_out(cfg.out)
local texts, x = se.search.read(cfg)
local pairs_found = se.search.paraphrases(x, { most = cfg.most, top = cfg.top,
  metric = cfg.metric, threshold = given.threshold and cfg.threshold or nil,
  done = function(n, all) se.progress.show('paraphrases: %.0f of %.0f texts', n, all) end })
se.progress.clear()

local lines = {}
for i, pair in ipairs(pairs_found) do
  lines[i] = se.json.encode { score = pair.score, rows = se.json.array { pair.a, pair.b },
    texts = se.json.array { texts[pair.a + 1], texts[pair.b + 1] } } .. '\n'
end
se.search.put(cfg.out, lines)
io.stderr:write(('%d pairs of %d texts -> %s\n'):format(#lines, #texts, cfg.out))
