-- What was typed before, in a file: an entry a line, a newline in it as \n, a backslash as \\.

local host = require 'sembed.host'

local history = {}
local History = {}
History.__index = History

local MOST = 5000 -- entries kept

local function encode(text) return (text:gsub('[\\\n]', { ['\\'] = '\\\\', ['\n'] = '\\n' })) end
local function decode(line)
  return (line:gsub('\\(.)', function(c) return c == 'n' and '\n' or c end))
end

-- `path` nil: nothing is kept in a file.
function history.open(path)
  local self = setmetatable({ path = path }, History)
  local file = path and io.open(path, 'rb')
  if not file then return self end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  local first = math.max(1, #lines - MOST + 1)
  for i = first, #lines do self[#self + 1] = decode(lines[i]) end
  if first > MOST then -- twice as long as is kept
    os.remove(path)
    host.append(path, table.concat(lines, '\n', first) .. '\n')
  end
  return self
end

-- Gives a message where the file cannot be written; nothing more is tried then.
function History:add(text)
  if self[#self] == text then return end
  self[#self + 1] = text
  if not self.path then return end
  local ok, why = host.append(self.path, encode(text) .. '\n')
  if ok then return end
  self.path = nil
  return 'the history is not kept: ' .. why
end

-- The newest entry at or before number `from` that holds `part` and is not `other`: its number and
-- where the part is.
function History:find(part, from, other)
  for i = math.min(from, #self), 1, -1 do
    local at = self[i] ~= other and self[i]:find(part, 1, true)
    if at then return i, at end
  end
end

return history
