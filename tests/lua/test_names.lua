-- A name of numpy or PyTorch that is another one here is answered with ours.
local se = require 'sembed'
local check = require 'check'

local x = se.tensor { 1 }

local function has(owner, path)
  local value = owner
  for part in path:gmatch '[^.]+' do
    local ok, found = pcall(function() return value[part] end)
    if not ok then return false end
    value = found
  end
  return type(value) == 'function'
end

for theirs, ours in pairs(require 'sembed.names') do
  local here = not has(se, ours) and x or se
  check.ok(has(here, ours), '%s stands for %s, which is not there', theirs, ours)
  check.ok(not has(se, theirs) and not has(x, theirs), '%s is there', theirs)
  check.fails(function() return here[theirs] end, 'test_names.lua', theirs,
    ('did you mean "%s"?'):format(ours))
end
check.fails(function() return x:clamp(0, 1) end, 'unknown method "clamp"', 'did you mean "clip"?')
check.fails(function() return se.randn(2) end, 'did you mean "random.normal"?')
check.fails(function() return x:softmaxx() end, 'did you mean "softmax"?')

check.done()
