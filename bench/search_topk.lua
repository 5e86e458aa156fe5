-- How fast se.search.topk is, next to the machine's matrix products:
--
--   sembed bench/search_topk.lua [rows=1000000] [dims=384] [queries=100] [k=10] [file=FILE.npy]
--
-- Makes file= (1.5 GB) where it is not there: random rows; bench/search_topk.py times numpy,
-- PyTorch and, where it is installed, faiss on the same file. Counted are 2 * rows * dims * queries
-- operations; the best of three runs from memory.
local se = require 'sembed'

local cfg = se.config { rows = 1000000, dims = 384, queries = 100, k = 10,
  file = '/tmp/search_topk.npy' }


if not se.files.exists(cfg.file) then
  local out = assert(io.open(cfg.file, 'wb'))
  out:write(se.npy.head('<f4', cfg.rows, cfg.dims))
  for first = 0, cfg.rows - 1, 10000 do
    local n = math.min(10000, cfg.rows - first)
    out:write((se.random.uniform(first, { n, cfg.dims }) - 0.5):bytes())
  end
  out:close()
end

local corpus = se.npy.open(cfg.file)
local peak = se.gemm_rate(1024, 1024, 1024, 1)
local function time(q)
  local queries, best = corpus:part(0, q), math.huge
  for _ = 1, 3 do
    local began = se.seconds()
    local scores, rows = se.search.topk(queries, corpus, cfg.k, { metric = 'dot' })
    best = math.min(best, se.seconds() - began)
    assert(#scores == q and rows:row(1):size(1) == cfg.k)
  end
  local rate = 2 * corpus.rows * corpus.dims * q / best / 1e9
  print(('%4d queries, %d rows of %d: %.3f s, %.1f GFLOP/s, %.2f of gemm_rate, %.1f GB/s'):format(q,
    corpus.rows, corpus.dims, best, rate, rate / peak, 4e-9 * corpus.rows * corpus.dims / best))
end
print(('gemm_rate %.1f GFLOP/s, %d threads, %s'):format(peak, se.threads(), se.isa()))
time(1)
time(cfg.queries)
