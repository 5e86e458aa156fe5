-- The vector of a text has the same bits alone, in batches of 64, in any order, with 1 and with 2
-- threads: 500 real texts through the real models. SEMBED_MODELS as in real_vectors.lua.
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'
local C = require('sembed.ffi').C

local texts = {}
for line in se.data.lines '../../recipes/data/test.jsonl.gz' do
  local pair = se.json.parse(line)
  texts[#texts + 1] = pair.context
  texts[#texts + 1] = pair.response
  if #texts == 500 then break end
end
check.equal(#texts, 500, 'texts')

-- A fixed shuffle: 211 has no divisor in common with 500.
local order, shuffled = {}, {}
for i = 1, #texts do
  order[i] = i * 211 % #texts + 1
  shuffled[i] = texts[order[i]]
end

for _, name in ipairs { 'all-MiniLM-L6-v2', 'all-mpnet-base-v2' } do
  local model = se.model.open(('%s/%s'):format(models, name))
  C.se_threads_set(2)
  local whole = model:encode(texts, { batch = 64 })
  local mixed = model:encode(shuffled, { batch = 64 })
  for i = 1, #texts do
    check.same(mixed:rows(i, i), whole:rows(order[i], order[i]), name .. ': another order')
    check.same(model:encode { texts[i] }, whole:rows(i, i), name .. ': alone')
  end
  C.se_threads_set(1)
  check.same(model:encode(texts, { batch = 64 }), whole, name .. ': one thread')
  for i = 1, #texts, 10 do
    check.same(model:encode { texts[i] }, whole:rows(i, i), name .. ': alone, one thread')
  end
  print(('%s: %d texts'):format(name, #texts))
end
check.done()
