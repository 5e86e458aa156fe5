-- The colours of shaded cells: from dark blue over green to pale yellow, ever lighter, so that they
-- also tell more from less without colour vision and in grey.

local ramp = {}

local STOPS = { -- red, green, blue
  { 26, 24, 72 }, { 38, 70, 130 }, { 30, 120, 140 }, { 52, 164, 120 }, { 140, 200, 90 },
  { 252, 234, 140 },
}

local function color(part)
  local at = math.max(0, math.min(part, 1)) * (#STOPS - 1)
  local k = math.min(math.floor(at), #STOPS - 2)
  local a, b, t = STOPS[k + 1], STOPS[k + 2], at - k
  return a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t, a[3] + (b[3] - a[3]) * t
end

-- part: 0..1. "#1a1848"
function ramp.web(part)
  local r, g, b = color(part)
  return ('#%02x%02x%02x'):format(r + 0.5, g + 0.5, b + 0.5)
end

-- Is black (else white) readable on it?
function ramp.light(part)
  local r, g, b = color(part)
  return 0.299 * r + 0.587 * g + 0.114 * b > 120
end

-- Of a terminal's 256 colours (16 and on are a cube of 6 x 6 x 6), on the same way. The nearest to
-- each place of the ramp would be only eight.
local TERMINAL = { 17, 18, 24, 25, 30, 36, 71, 107, 113, 149, 186, 229 }

-- As a terminal's escape sequences have it: "2;26;24;72", or of 256 colours, "5;17".
function ramp.terminal(part, shades)
  if shades then
    local r, g, b = color(part)
    return ('2;%d;%d;%d'):format(r + 0.5, g + 0.5, b + 0.5)
  end
  return ('5;%d'):format(TERMINAL[math.min(#TERMINAL, math.floor(part * #TERMINAL) + 1)])
end

return ramp
