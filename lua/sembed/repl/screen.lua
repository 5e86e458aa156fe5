-- Draws the line that is being typed: its prompt, its text over as many rows as it needs, and the
-- cursor. What lies above it on the terminal is left alone.

local host = require 'sembed.host'

local screen = {}
local Screen = {}
Screen.__index = Screen

-- row, column: of the cursor, from 0, row 0 being the first that is drawn; widths of the rows
function screen.new()
  return setmetatable({ row = 0, column = 0, widths = { 0 }, top = 1 }, Screen)
end

local function code_of(char)
  local a, b, c, d = char:byte(1, 4)
  if #char == 2 then return (a - 192) * 64 + b - 128 end
  if #char == 3 then return (a - 224) * 4096 + (b - 128) * 64 + c - 128 end
  return (a - 240) * 262144 + (b - 128) * 4096 + (c - 128) * 64 + d - 128
end

-- The bytes of the character at `at`: one of a byte that is no UTF-8.
function screen.char_at(text, at)
  local lead = text:byte(at)
  local n = lead >= 240 and lead < 245 and 4 or lead >= 224 and lead < 240 and 3
    or lead >= 194 and lead < 224 and 2 or 1
  if n == 1 or text:find('^' .. ('[\128-\191]'):rep(n - 1), at + 1) then
    return text:sub(at, at + n - 1)
  end
  return text:sub(at, at)
end

-- How a character is shown, and in how many columns.
local function shown(char)
  local byte = char:byte()
  if byte == 9 then return '  ', 2 end
  if byte < 32 then return '^' .. string.char(byte + 64), 2 end
  if byte == 127 then return '^?', 2 end
  if byte < 127 then return char, 1 end
  if #char == 1 then return ('\\x%02x'):format(byte), 4 end
  local width = host.width(code_of(char))
  if width < 0 then return '?', 1 end
  return char, width
end

-- Rows of at most `columns` columns: strings and widths; and where the cursor is (row from 1).
local function layout(line, columns)
  local rows, widths, parts, used = {}, {}, {}, 0
  local row, column
  local function finish()
    rows[#rows + 1], widths[#widths + 1] = table.concat(parts), used
    parts, used = {}, 0
  end
  local function put(text, width)
    if used + width > columns then finish() end
    parts[#parts + 1], used = text, used + width
  end
  local function start(prompt)
    if #prompt + 2 > columns then
      for char in prompt:gmatch '.' do put(char, 1) end
    elseif #prompt > 0 then
      put(line.color(prompt), #prompt)
    end
  end
  start(line.prompt)
  local text, at = line.text, 1
  while at <= #text do
    local char = screen.char_at(text, at)
    local show, width = '', 0
    if char ~= '\n' then
      show, width = shown(char)
      if used + width > columns then finish() end
    end
    if line.cursor == at - 1 then row, column = #rows + 1, math.min(used, columns - 1) end
    if char == '\n' then
      finish()
      start(line.more)
    else
      put(show, width)
    end
    at = at + #char
  end
  if not row then
    if used >= columns then finish() end
    row, column = #rows + 1, used
  end
  finish()
  return rows, widths, row, column
end

-- line: { prompt, more (before further lines), text, cursor (bytes before it), color (of prompts) }
function Screen:draw(line)
  local columns, most = host.terminal_size()
  local rows, widths, row, column = layout(line, columns)
  if row < self.top or #rows <= most then self.top = math.max(1, math.min(row, self.top)) end
  if #rows <= most then self.top = 1 end
  if row >= self.top + most then self.top = row - most + 1 end
  local last = math.min(#rows, self.top + most - 1)
  local out = { self.row > 0 and ('\27[%dA'):format(self.row) or '', '\r\27[J' }
  out[#out + 1] = table.concat(rows, '\r\n', self.top, last)
  if last > row then out[#out + 1] = ('\27[%dA'):format(last - row) end
  out[#out + 1] = column > 0 and ('\r\27[%dC'):format(column) or '\r'
  io.write(table.concat(out))
  self.row, self.column, self.below = row - self.top, column, last - row
  self.widths, self.columns = { unpack(widths, self.top, last) }, columns
end

-- A character of one column was added at the end of the text: is it enough to write just that?
function Screen:append(char)
  if self.below ~= 0 or not self.columns or self.column + 2 > self.columns then return false end
  io.write(char)
  self.column = self.column + 1
  self.widths[#self.widths] = self.column
  return true
end

-- The terminal has another size and has broken the rows anew, as most do: where is the first?
function Screen:resized()
  local columns, row = host.terminal_size(), math.floor(self.column / host.terminal_size())
  for i = 1, self.row do
    row = row + math.max(1, math.ceil((self.widths[i] or 0) / columns))
  end
  self.row = row
end

-- Leaves what is drawn as it is: what comes next stands below it.
function Screen:leave()
  io.write(self.below and self.below > 0 and ('\27[%dB'):format(self.below) or '', '\r\n')
  self:forget()
end

-- Nothing of ours is on the terminal: the cursor is at the start of a free row.
function Screen:forget()
  self.row, self.column, self.below, self.top, self.widths = 0, 0, 0, 1, { 0 }
end

-- Names in columns.
function screen.columns(names)
  local wide, lines = 0, {}
  local columns = (host.terminal_size())
  for _, name in ipairs(names) do wide = math.max(wide, #name) end
  local across = math.max(1, math.floor((columns + 1) / (wide + 2)))
  local down = math.ceil(#names / across)
  for i = 1, down do
    local line = {}
    for k = i, #names, down do
      line[#line + 1] = k + down <= #names and ('%-' .. wide .. 's'):format(names[k]) or names[k]
    end
    lines[i] = table.concat(line, '  ')
  end
  return table.concat(lines, '\r\n')
end

return screen
