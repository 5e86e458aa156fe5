-- For the transcripts: a recipe of sembed -i.
local se = require 'sembed'
local cfg = se.config { batch = 4, fail = false, wait = false, early = false }
local weights = se.ones(cfg.batch) -- luacheck: ignore 211
local function loss(x)
  local doubled = x * 2
  if cfg.fail then error 'as asked' end
  if cfg.wait then print 'waits' end
  while cfg.wait do doubled = doubled end
  return doubled
end
local total = 0
for step = 1, 3 do
  local value = loss(step)
  total = total + value
end
if cfg.early then return end
print 'ran'
