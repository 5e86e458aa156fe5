-- Where graphs run, and the sizes that it asks for: a device has a program compiled for each
-- shape, so packed texts are rounded up to few numbers of rows and lengths. Texts stay as many as
-- they are, and rows that belong to none change nothing.

local core = require 'sembed.ffi'

local C = core.C
local device = {}
local facts = core.new 'se_device_facts'

-- Devices that run each program together; 0: the CPU runs graphs itself, without programs.
function device.shards()
  C.se_device_read(facts)
  return facts.shards
end

-- How many programs were made so far, how many of them had to be compiled, seconds for all of them,
-- and what makes them; nil on the CPU.
function device.programs()
  C.se_device_read(facts)
  if facts.shards == 0 then return nil end
  return tonumber(facts.programs), tonumber(facts.compiled), facts.make_seconds,
    core.text(facts.about)
end

-- n rounded up to `parts` steps between a power of two and the next, at least `least`.
local function round_up(n, parts, least)
  local power = least
  while power < n do power = power * 2 end
  local step = math.max(least / parts, power / 2 / parts)
  return math.max(least, math.ceil(n / step) * step)
end

-- Rows for so many tokens: at most a quarter more from 64 on.
function device.rows(tokens)
  if device.shards() == 0 then return tokens end
  return round_up(tokens, 4, 64)
end

-- The length that attention takes for a longest text of so many tokens.
function device.width(longest)
  if device.shards() == 0 then return longest end
  return round_up(longest, 2, 16)
end

return device
