-- What the comments of a Lua file say, so that help and manual have no words of their own: the
-- comment at the file's head tells of the module, the one right above a function tells of the
-- function. A function on the line below a function of one line shares its comment; one that hands
-- on to a module, function x.f(a) return require 'm' (a) end, has that module's head as well.
-- Requires nothing: lua/embed.lua calls it when the program is built.

local scan = {}

-- A comment's lines as text, without the dashes and what they are indented by.
local function text_of(lines)
  while lines[1] and not lines[1]:find '%S' do table.remove(lines, 1) end
  while lines[1] and not lines[#lines]:find '%S' do table.remove(lines) end
  return table.concat(lines, '\n')
end

local function lines_of(text)
  local lines = {}
  for line in (text .. '\n'):gmatch '(.-)\r?\n' do lines[#lines + 1] = line end
  return lines
end

-- The comment at the beginning of a file, and the line after it. A "#!" may stand before it.
function scan.head(text)
  local lines, said = lines_of(text), {}
  local at = lines[1] and lines[1]:sub(1, 2) == '#!' and 2 or 1
  while lines[at] and lines[at]:sub(1, 2) == '--' do
    said[#said + 1] = lines[at]:match '^%-%- ?(.*)$'
    at = at + 1
  end
  return text_of(said), at
end

-- What a line defines: its owner ('' for a local function, nil for the module itself), '.' or ':',
-- its name, and what follows.
local function defined(line)
  local owner, dot, name, rest = line:match '^function ([%w_]+)([.:])([%w_.]+)(%(.*)$'
  if owner then return owner, dot, name, rest end
  name, rest = line:match '^local function ([%w_]+)(%(.*)$'
  if not name then name, rest = line:match '^function ([%w_]+)(%(.*)$' end
  if name then return '', '', name, rest end
  rest = line:match '^return function(%(.*)$'
  if rest then return nil, '', '', rest end
  owner, name, rest = line:match '^([%w_]+)%.([%w_]+) = (.*)$'
  if owner then return owner, '.', name, rest end
  name = line:match '^  ([%w_]+) = {$' -- a table within one, as init.lua has
  if name then return '', '.', name, '' end
end

-- The arguments behind a name: "(a, b)"; '' where it is no function, or one made elsewhere.
local function arguments(rest)
  return rest:match '^%b()' or (rest:match '^function(%b())') or ''
end

-- The module that a function of one line, or of one statement, hands on to.
local function handed_on(rest, next_line, third)
  if not rest:find ' end$' then rest = ('%s %s %s'):format(rest, next_line or '', third or '') end
  return rest:match "^%b() +return %(?%l+ ?%(?'(sembed[%w_.]*)'%)? ?%([^:]*end$"
end

-- { head = text, returned = the name that the file returns, entries = { { owner, dot, name, args,
-- doc, line, on } ... } in the order of the file }; on: the module that a function hands on to.
function scan.module(text)
  local head, first = scan.head(text)
  local found, lines = { head = head, entries = {} }, lines_of(text)
  -- shared: what a function of one line has, for one on the line below it.
  local comment, shared = { head }, nil
  for i = first, #lines do
    local line = lines[i]
    local said = line:match '^ ? ?%-%- ?(.*)$'
    local owner, dot, name, rest = defined(line)
    if said then
      if said:find '^%-%-%- ' or said:find '^%-%- ' then said, comment = nil, {} end
      comment[#comment + 1], shared = said, nil
    elseif rest then
      local doc = text_of(comment)
      local behind = line:match '%-%- ?(.*)$'
      if doc == '' then doc = behind or shared or '' end
      found.entries[#found.entries + 1] = { owner = owner, dot = dot, name = name,
        args = arguments(rest), doc = doc, line = i,
        on = handed_on(rest, lines[i + 1], lines[i + 2]) }
      comment, shared = {}, line:find '%f[%w_]end%f[^%w_]' and doc or nil
    else
      comment, shared = {}, nil
    end
    found.returned = line:match '^return ([%w_]+)$' or found.returned
  end
  return found
end

return scan
