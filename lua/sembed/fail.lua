-- Errors at the recipe's own line. C gives a status and a message; here it becomes a Lua error
-- whose place is the first stack frame that is not sembed's own (chunk names of the library start
-- with "=sembed", see lua/embed.lua).

local fail = {}

local ok, host = pcall(require, 'sembed.host')

-- file, line of the recipe; nothing when the library was called from outside any recipe.
-- The host's version makes no tables: one is found for each graph node.
fail.place = ok and host.place or function()
  for level = 2, 200 do
    local info = debug.getinfo(level, 'Sl')
    if not info then return end
    if info.currentline > 0 and info.source:sub(1, 7) ~= '=sembed' then
      return info.source:gsub('^[@=]', ''), info.currentline
    end
  end
end

-- Stops with a message at the recipe's line.
function fail.raise(message, ...)
  if select('#', ...) > 0 then message = message:format(...) end
  local file, line = fail.place()
  if file then message = ('%s:%d: %s'):format(file, line, message) end
  error(message, 0)
end

-- For what a caller must hold: fail.unless(rate > 0, 'adamw: ...').
function fail.unless(condition, message, ...)
  if not condition then fail.raise(message, ...) end
  return condition
end

-- What came where something else was wanted: C's data are tensors, mostly.
function fail.kind(value)
  local kind = type(value)
  return kind == 'cdata' and 'tensor' or kind
end

-- An error that is no mistake: a run that was stopped on purpose. The program prints `text`.
local Stop = { __tostring = function(self) return self.text end }

function fail.stop(text)
  error(setmetatable({ text = text }, Stop), 0)
end

function fail.is_stop(value)
  return getmetatable(value) == Stop
end

-- An error message as it is being raised, with its place: one from inside the library names the
-- recipe's line, too. SEMBED_TRACE=1 adds the calls that led there.
function fail.with_place(message)
  if fail.is_stop(message) or type(message) ~= 'string' then return message end
  local trace = os.getenv 'SEMBED_TRACE' == '1' and '\n' .. debug.traceback('', 3) or ''
  if message:match '^sembed[%w_.]*:%d+:' then
    local file, line = fail.place()
    if file then message = ('%s:%d: %s'):format(file, line, message) end
  end
  return message .. trace
end

-- The known name nearest to a misspelt one, or nil when none is near.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

function fail.nearest(name, known)
  local best, least
  local ours = require('sembed.names')[name]
  for _, other in ipairs(ours and known or {}) do
    if other == ours or other == ours:match '^(.*)%.' then return ours end
  end
  for _, other in ipairs(known) do
    local d = distance(name, other)
    if not least or d < least or (d == least and other < best) then best, least = other, d end
  end
  if least and least < #name and least <= math.max(2, math.floor(#name / 2)) then return best end
end

-- 'unknown key "bacth"; did you mean "batch"?'
function fail.unknown(what, name, known)
  local near = fail.nearest(tostring(name), known)
  return ('unknown %s "%s"%s'):format(what, tostring(name),
    near and ('; did you mean "%s"?'):format(near) or '')
end

return fail
