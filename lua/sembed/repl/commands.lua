-- From what was typed to what can be run. A unit is what was typed or pasted at once; it becomes
-- one or several commands, each an expression whose values are shown or statements.
--
-- "local x = 1" stays known at the prompt: outside of blocks, `local` makes a name of the session.

local tokens = require 'sembed.repl.tokens'

local commands = {}

-- The names after `local` from token i on, and the first token behind them.
local function names_after(list, i)
  local names = {}
  while list[i] and list[i].kind == 'name' do
    names[#names + 1] = list[i].text
    local comma = list[i + 1]
    if not comma or comma.text ~= ',' then return names, i + 1 end
    i = i + 2
  end
  return nil
end

-- The text with each `local` that stands in no block left out, and the names so declared.
function commands.without_local(text)
  local list, parts, at, depth, declared = tokens.list(text), {}, 1, 0, {}
  for i, token in ipairs(list) do
    if depth == 0 and token.kind == 'word' and token.text == 'local' then
      local next_token = list[i + 1]
      local names, behind = names_after(list, i + 1)
      if names or (next_token and next_token.text == 'function') then
        parts[#parts + 1], at = text:sub(at, token.first - 1), token.last + 1
      end
      if names then
        for _, name in ipairs(names) do declared[name] = true end
        local stop = list[behind]
        if not stop or stop.text ~= '=' then
          parts[#parts + 1] = text:sub(at, list[behind - 1].last) .. ' = nil'
            .. (stop and stop.text ~= ';' and ';' or '')
          at = list[behind - 1].last + 1
        end
      end
    end
    depth = tokens.depth(token, depth)
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts), declared
end

local function only_name(list)
  return #list == 1 and list[1].kind == 'name' and list[1].text or nil
end

-- One command; or nil, the message, and whether more text could complete it. `above`: lines of the
-- unit that stand above it, so that messages count lines from the unit's first.
local function command_of(text, above)
  local list, pad = tokens.list(text), ('\n'):rep(above)
  local last = list[#list]
  local silent = last and last.text == ';' or false
  local bare = silent and text:sub(1, last.first - 1) or text
  if not last then return { chunk = function() end, declared = {}, text = text } end
  -- With a value before it the expression is no tail call, which would lose the line of errors.
  local chunk = loadstring(pad .. 'return nil, ' .. bare, '=prompt')
  if chunk then
    return { chunk = chunk, silent = silent, declared = {}, text = bare, name = only_name(list),
      shows = true }
  end
  local plain, declared = commands.without_local(text)
  local why
  chunk, why = loadstring(pad .. plain, '=prompt')
  if chunk then return { chunk = chunk, silent = silent, declared = declared, text = text } end
  local quote = why:match 'unfinished string' -- "abc: a quote does not go on in the next line
  return nil, why, not quote and why:match "near '<eof>'$" ~= nil
end

-- Do lines 1..n end where a command can end? A list of booleans, one for each line.
local function line_ends(text)
  local list, i, ends, at = tokens.list(text), 1, {}, 1
  local blocks, open = 0, 0
  for line in (text .. '\n'):gmatch '(.-)\n' do
    local last = at + #line
    while list[i] and list[i].first <= last do
      blocks, open = tokens.depth(list[i], blocks), tokens.bracket_depth(list[i], open)
      i = i + 1
    end
    local across = list[i - 1] and list[i - 1].last > last
    ends[#ends + 1] = blocks <= 0 and open <= 0 and not across
    at = last + 1
  end
  return ends
end

-- The commands that a unit of several lines would be if it were typed line by line; nil if some
-- line is none, or may be meant to go on with the one above it.
local function split(text)
  local ends, list, held, above, n = line_ends(text), {}, nil, 0, 0
  for line in (text .. '\n'):gmatch '(.-)\n' do
    n = n + 1
    if held or line:match '%S' then
      if not held and list[1] and line:match '^%s*[%({%["\']' then return nil end
      held = held and held .. '\n' .. line or line
      if ends[n] then
        local command, _, incomplete = command_of(held, above)
        if not command and not incomplete then return nil end
        if command then
          list[#list + 1], held = command, nil
        end
      end
    end
    if not held then above = n end
  end
  return not held and list or nil
end

-- The commands of a unit; or nil, the message, and whether more text could complete it.
function commands.of(text)
  if text:find('\n', 1, true) then
    local list = split(text)
    if list then return list end
  end
  local command, why, incomplete = command_of(text, 0)
  if not command then return nil, why, incomplete end
  return { command }
end

-- Where the text is no UTF-8 or holds a NUL byte: a message, or nil.
function commands.bad_bytes(text)
  local at = 1
  while at <= #text do
    local byte = text:byte(at)
    local length = byte < 128 and 1 or byte >= 194 and byte < 224 and 2
      or byte >= 224 and byte < 240 and 3 or byte >= 240 and byte < 245 and 4 or 0
    if byte == 0 then return ('a NUL byte at offset %d; in a text it is written \\0'):format(at) end
    if length == 0 or not text:find('^' .. ('[\128-\191]'):rep(length - 1), at + 1) then
      return ('not UTF-8: byte 0x%02X at offset %d; in a text it is written \\%d'):format(byte, at,
        byte)
    end
    at = at + length
  end
end

return commands
