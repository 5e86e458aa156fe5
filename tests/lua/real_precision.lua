-- Real models in bf16 and int8 next to f32: the mean cosine of vectors of real texts, and of the
-- small model how often a comment finds its own reply among 100 (bench/README.md has more texts).
-- SEMBED_MODELS as in real_vectors.lua.
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'

local contexts, replies = {}, {}
for line in se.data.lines '../../recipes/data/test.jsonl.gz' do
  local pair = se.json.parse(line)
  contexts[#contexts + 1], replies[#replies + 1] = pair.context, pair.response
  if #contexts == 500 then break end
end
check.equal(#replies, 500, 'pairs')

local function encode(model, name, n)
  local options = { batch = 64, precision = name, normalize = true }
  return model:encode({ unpack(contexts, 1, n) }, options),
    model:encode({ unpack(replies, 1, n) }, options)
end

-- Least mean cosine; the hits of 500 may differ by 2.5 (half a point).
local bounds = { bf16 = 0.9999, int8 = 0.99 }
for folder, n in pairs { ['all-MiniLM-L6-v2'] = 500, ['all-mpnet-base-v2'] = 40 } do
  local model = se.model.open(('%s/%s'):format(models, folder))
  local a, b = encode(model, 'f32', n)
  for _, name in ipairs { 'bf16', 'int8' } do
    local there, why = pcall(se.precision.check, name)
    if there then
      local x, y = encode(model, name, n)
      local cosine = ((a * x):sum():item() + (b * y):sum():item()) / (2 * n)
      print(('%s %s: mean cosine %.5f'):format(folder, name, cosine))
      check.ok(cosine >= bounds[name], '%s %s: cosine %g', folder, name, cosine)
      if n >= 100 then
        check.near(se.evaluate.one_of(x, y), se.evaluate.one_of(a, b), 0.0051,
          name .. ', 1-of-100')
      end
    else
      print('skipped: ' .. why)
    end
  end
end
check.done()
