-- What the terminal can show.

local ok, host = pcall(require, 'sembed.host')

local terminal = {}

local COLUMNS, ROWS = 80, 24 -- where there is no terminal to ask

-- Is the locale's encoding UTF-8? POSIX: the first of these that is set and not empty decides.
function terminal.utf8()
  for _, name in ipairs { 'LC_ALL', 'LC_CTYPE', 'LANG' } do
    local value = os.getenv(name)
    if value and value ~= '' then return value:lower():match 'utf%-?8' ~= nil end
  end
  return false
end

-- May standard output be coloured? See no-color.org.
function terminal.color()
  local no = os.getenv 'NO_COLOR'
  if no and no ~= '' then return false end
  return ok and host.is_terminal(1) and os.getenv 'TERM' ~= 'dumb'
end

-- Is standard output a terminal?
function terminal.shown() return ok and host.is_terminal(1) or false end

-- Columns and rows of the terminal behind standard output. Only the program knows; the library
-- inside another one has no terminal of its own.
function terminal.size()
  if ok and host.terminal_size then return host.terminal_size() end
  return COLUMNS, ROWS
end

-- All of it, as pictures want it.
function terminal.style()
  local columns, rows = terminal.size()
  local shades = os.getenv 'COLORTERM' -- what terminals with more than 256 colours set
  return { utf8 = terminal.utf8(), color = terminal.color(), columns = columns, rows = rows,
    shades = shades == 'truecolor' or shades == '24bit' }
end

return terminal
