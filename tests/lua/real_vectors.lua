-- The real all-mpnet-base-v2 and all-MiniLM-L6-v2: the vectors of 60 texts (an empty and an
-- over-long one among them) next to float64 references, alone and among others bit for bit.
-- SEMBED_MODELS names the folder that tests/get_models.sh filled; without it the test is skipped
-- (exit status 77).
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'

for _, name in ipairs { 'all-mpnet-base-v2', 'all-MiniLM-L6-v2' } do
  local model = se.model.open(('%s/%s'):format(models, name))
  local texts, wanted, kinds = {}, {}, {}
  for line in se.data.lines(check.data(name .. '/vectors.jsonl')) do
    local o = se.json.parse(line)
    texts[#texts + 1], wanted[#wanted + 1], kinds[o.kind] = o.text, o.vector, true
  end
  check.ok(kinds.empty and #texts == 60, '%s: %d texts, 60 are wanted', name, #texts)
  local got, cut = model:encode(texts)
  local want = se.tensor(wanted)
  local worst, least = check.distance(got, want), (got * want):sum(2):min():item()
  check.ok(worst <= 5e-6, '%s: off by %g, 5e-6 is allowed', name, worst)
  -- The references are unit vectors to 7 digits, so their dot product with ours is the cosine.
  check.ok(least >= 0.999999, '%s: a cosine of %.9g, 0.999999 is wanted', name, least)
  check.ok(cut > 0, '%s: no text was cut', name)
  for _, i in ipairs { 1, 7, 30, 60 } do
    check.same(model:encode { texts[i] }, got:rows(i, i), ('%s: text %d alone'):format(name, i))
  end
  print(('%s: worst entry of %d vectors %.2g, least cosine %.9f')
    :format(name, #texts, worst, least))
end
check.done()
