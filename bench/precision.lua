-- What precision= changes, in one run, taking turns: the rate of products, texts in batches, one
-- short text next to the time to read the weights once.
--
--   sembed bench/precision.lua model=DIR [data=FILE] [texts=256] [tokens=10] [rounds=5]
--
-- The time to read: bytes of the encoder's matrices at the rate at which all threads sum up 1 GB.
local se = require 'sembed'

local cfg = se.config { model = '', data = '../recipes/data/train.jsonl.gz', texts = 256,
  tokens = 10, rounds = 5 }
local model = se.model.open(cfg.model)

local names = {}
for _, name in ipairs(se.precision.names) do
  if pcall(se.precision.check, name) then names[#names + 1] = name end
end

local texts, short = {}, {}
for line in se.data.lines(cfg.data) do
  local text = se.json.parse(line).response
  local tokens = tonumber(model.tokenizer:batch({ text }, model.length).total)
  if #texts < cfg.texts then texts[#texts + 1] = text end
  if tokens == cfg.tokens and #short < 20 then short[#short + 1] = text end
  if #texts == cfg.texts and #short == 20 then break end
end
local tokens = tonumber(model.tokenizer:batch(texts, model.length).total)

local weights = 0 -- numbers in the matrices of the layers
for i, name in ipairs(model.params.names) do
  local dims = model.params[i]:shape()
  if name:match '^encoder%.layer' and #dims == 2 then weights = weights + dims[1] * dims[2] end
end
local bytes = { f32 = 4, bf16 = 2, int8 = 1 }

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function timed(f)
  local start = se.seconds()
  f()
  return se.seconds() - start
end

local large = se.keep(se.ones(1024, 1024, 256))
se.eval(large)
local function read_rate()
  local best = math.huge
  for _ = 1, 3 do best = math.min(best, timed(function() return large:sum():item() end)) end
  return 4 * 2 ^ 28 / best / 1e9
end

local got = {}
for _, name in ipairs(names) do got[name] = { gemm = {}, batch = {}, one = {}, share = {} } end
local reads = {}
for round = 0, cfg.rounds do -- the first one warms up
  for _, name in ipairs(names) do
    local options = { precision = name, batch = 64 }
    local function one()
      local times = {}
      for i, text in ipairs(short) do
        times[i] = timed(function() model:encode({ text }, options) end)
      end
      return median(times)
    end
    one() -- packs the weights anew
    local rate, gemm = read_rate(), se.gemm_rate(2048, 3072, 768, 0.5, name)
    local batch, single = timed(function() model:encode(texts, options) end), one()
    if round > 0 then
      local g, n = got[name], round
      reads[#reads + 1] = rate
      g.gemm[n], g.batch[n], g.one[n] = gemm, tokens / batch, 1e3 * single
      g.share[n] = single / (weights * bytes[name] / (rate * 1e9))
    end
  end
end

print(('%s, %d threads; %d texts, %d tokens; %.1f million numbers in matrices; reading %.1f GB/s'):
  format(se.isa(), se.threads(), #texts, tokens, weights / 1e6, median(reads)))
print '| | products, GFLOP/s | tokens/s | to f32 | of the products | one text, ms | / reading |'
print '|---|---|---|---|---|---|---|'
local first = median(got.f32.batch)
for _, name in ipairs(names) do
  local g = got[name]
  local batch, gemm = median(g.batch), median(g.gemm)
  print(('| %s | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |'):format(name, gemm, batch,
    batch / first, batch * 2 * weights / 1e9 / gemm, median(g.one), median(g.share)))
end
