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

local LEVELS = { 0, 95, 135, 175, 215, 255 } -- of xterm's 6 x 6 x 6 colours, numbers 16..231

local function level(v)
  local best = 1
  for i, l in ipairs(LEVELS) do
    if math.abs(l - v) < math.abs(LEVELS[best] - v) then best = i end
  end
  return best - 1
end

-- As a terminal's escape sequences have it: "2;26;24;72", or the nearest of 256 colours, "5;17".
function ramp.terminal(part, shades)
  local r, g, b = color(part)
  if shades then return ('2;%d;%d;%d'):format(r + 0.5, g + 0.5, b + 0.5) end
  return ('5;%d'):format(16 + 36 * level(r) + 6 * level(g) + level(b))
end

return ramp
