-- Titles and names as a terminal and XML can take them: any bytes become UTF-8 without control
-- characters, which could move a terminal's cursor and which XML 1.0 has no place for.

local UNKNOWN = '\239\191\189' -- U+FFFD

-- How many bytes the character at `at` has (RFC 3629, table of section 4); nil where there is none
-- or it is a control character, U+FFFE or U+FFFF.
local function character(s, at)
  local a, b, c, d = s:byte(at, at + 3)
  local function more(x, low, high) return x and x >= (low or 0x80) and x <= (high or 0xBF) end
  if a < 0x80 then return a >= 0x20 and a ~= 0x7F and 1 or nil end
  if a >= 0xC2 and a <= 0xDF then return more(b, a == 0xC2 and 0xA0) and 2 or nil end
  if a >= 0xE0 and a <= 0xEF then
    if a == 0xEF and b == 0xBF and c and c >= 0xBE then return nil end
    return more(b, a == 0xE0 and 0xA0, a == 0xED and 0x9F) and more(c) and 3 or nil
  end
  if a >= 0xF0 and a <= 0xF4 then
    return more(b, a == 0xF0 and 0x90, a == 0xF4 and 0x8F) and more(c) and more(d) and 4 or nil
  end
end

return function(s)
  local parts, at = {}, 1
  while at <= #s do
    local n = character(s, at)
    local byte = s:byte(at)
    parts[#parts + 1] = n and s:sub(at, at + n - 1) or byte >= 9 and byte <= 13 and ' ' or UNKNOWN
    at = at + (n or 1)
  end
  return table.concat(parts)
end
