-- The real all-mpnet-base-v2: the vectors of 60 texts next to float64 references, alone and among
-- others bit for bit. SEMBED_MODELS names the folder that tests/get_models.sh filled; without it
-- the test is skipped (exit status 77).
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'

local model = se.model.mpnet(models .. '/all-mpnet-base-v2')
local texts, wanted = {}, {}
for line in se.data.lines(check.data 'all-mpnet-base-v2/vectors.jsonl') do
  local o = se.json.parse(line)
  texts[#texts + 1], wanted[#wanted + 1] = o.text, o.vector
end
local got = model:encode(texts)
local worst = check.distance(got, se.tensor(wanted))
check.ok(worst <= 5e-6, 'off by %g, 5e-6 is allowed', worst)
for _, i in ipairs { 1, 7, 30, 60 } do
  check.same(model:encode { texts[i] }, got:rows(i, i), 'text ' .. i .. ' alone')
end
print(('worst entry of %d vectors: %.2g'):format(#texts, worst))
check.done()
