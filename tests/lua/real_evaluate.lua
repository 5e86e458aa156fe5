-- Real models on the first test pairs of recipes/data: the 1-of-100 of sentence-transformers
-- (tests/data/eval/real.json, tests/make/eval.py). SEMBED_MODELS names the folder that
-- tests/get_models.sh filled; without it the test is skipped (exit status 77).
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'

local reference = se.json.load(check.data 'eval/real.json')
for _, name in ipairs { 'all-mpnet-base-v2', 'all-MiniLM-L6-v2' } do
  local wanted = reference[name]
  local result = se.evaluate.pairs(se.model.open(models .. '/' .. name),
    se.run.folder .. '/../../recipes/data/test.jsonl.gz', { limit = wanted.pairs })
  check.equal(result.used, wanted.pairs, 'pairs')
  for metric, value in pairs(wanted.metrics) do -- f32 on both sides: one pair may swap two ranks
    check.near(result.metrics[metric], value, 1.01 / wanted.pairs, name .. ', ' .. metric)
  end
  print(('%s: 1-of-100 %.4f, %.0f tokens/s'):format(name, result.metrics.accuracy,
    result.tokens_per_second))
end
check.done()
