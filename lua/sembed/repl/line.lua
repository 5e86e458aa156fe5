-- The line editor: keys become text. A line may have several rows of text: Enter ends it when the
-- text is whole, a paste comes as one piece.

local host = require 'sembed.host'
local actions = require 'sembed.repl.keys'
local places = require 'sembed.repl.places'
local screen = require 'sembed.repl.screen'

local line = {}
local Line = {}
Line.__index = Line

local LONE = 0.3 -- seconds after Escape within which the rest of a key's sequence comes

-- options: { history, complete(before) -> see complete.lua, whole(text) -> boolean,
-- color(prompt) }
function line.new(options)
  return setmetatable({ options = options, screen = screen.new(), cut = '' }, Line)
end

-- --- text and cursor ---

function Line:before() return self.text:sub(1, self.cursor) end
function Line:after() return self.text:sub(self.cursor + 1) end

function Line:insert(text)
  self.text, self.cursor = self:before() .. text .. self:after(), self.cursor + #text
end

function Line:set(text, cursor)
  self.text, self.cursor = text, cursor or #text
end

-- Removes the bytes between two places; `keep`: Ctrl-Y gives them back.
function Line:remove(from, to, keep)
  if keep and to > from then self.cut = self.text:sub(from + 1, to) end
  self:set(self.text:sub(1, from) .. self.text:sub(to + 1), from)
end

-- --- history ---

function Line:recall(number)
  local list = self.options.history
  if number < 1 or number > #list + 1 then return self:bell() end
  if self.number == #list + 1 then self.draft = self.text end
  self.number, self.recalled = number, true -- the next arrow goes on, whatever rows there are
  self:set(number == #list + 1 and self.draft or list[number])
end

-- One row up or down within the text; false at its edge.
function Line:move_row(step)
  local start = places.row_start(self.text, self.cursor)
  local column = self.cursor - start
  local target
  if step < 0 then
    if start == 0 then return false end
    target = places.row_start(self.text, start - 1)
  else
    local stop = places.row_end(self.text, self.cursor)
    if stop == #self.text then return false end
    target = stop + 1
  end
  self.cursor = math.min(target + column, places.row_end(self.text, target))
  return true
end

-- --- showing ---

function Line.bell() io.write '\7' end

function Line:draw()
  local search = self.search
  self.screen:draw {
    text = self.text, cursor = self.cursor, more = '>> ', color = self.options.color,
    prompt = search and ('%s "%s": '):format(search.failed and 'not found' or 'search', search.part)
      or '> ',
  }
end

-- Text below the line; then the line again.
function Line:tell(text)
  local cursor = self.cursor
  self.cursor = #self.text
  self:draw()
  self.screen:leave()
  io.write((text:gsub('\r?\n', '\r\n')), '\r\n')
  self.cursor = cursor
end

-- --- keys ---

-- The next byte; nil and why where there is none.
function Line:byte(seconds)
  while self.waiting == '' do
    local keys, why = host.read_keys(seconds)
    if keys then
      self.waiting = keys
    elseif why == 'redraw' then
      self.screen:resized()
      self:draw()
    else
      return nil, why
    end
  end
  local byte = self.waiting:sub(1, 1)
  self.waiting = self.waiting:sub(2)
  return byte
end

-- What a key sends: characters (as many as have come), a control character, or a sequence that
-- starts with Escape.
function Line:key()
  if self.waiting == '' and not self.drawn then
    self:draw()
    self.drawn = true
  end
  local byte, why = self:byte()
  if not byte then return nil, why end
  if byte:find '[ -~\128-\255]' then
    local more = self.waiting:match '^[ -~\128-\255]*'
    self.waiting = self.waiting:sub(#more + 1)
    return byte .. more
  end
  if byte ~= '\27' then return byte end
  local second = self:byte(LONE)
  if not second then return byte end
  if second ~= '[' and second ~= 'O' then return byte .. second end
  local parts = { '\27[' }
  repeat
    local part = self:byte(LONE)
    parts[#parts + 1] = part
  until not part or part:find '[@-~]'
  return table.concat(parts)
end

-- What a terminal sends between the marks of a paste.
function Line:paste()
  local parts = {}
  while true do
    local first = self.waiting:find('\27[201~', 1, true)
    if first then
      parts[#parts + 1] = self.waiting:sub(1, first - 1)
      self.waiting = self.waiting:sub(first + 6)
      break
    end
    -- A part of the end mark may stand at the end of what has come.
    local held = self.waiting:match '\27[%[201]*$' or ''
    parts[#parts + 1] = self.waiting:sub(1, #self.waiting - #held)
    local keys, why = host.read_keys()
    if not keys and why ~= 'redraw' then return nil, why end
    self.waiting = held .. (keys or '')
  end
  self:insert((table.concat(parts):gsub('\r\n?', '\n')))
  return true
end

-- --- completion ---

function Line:finish_word()
  local found = self.options.complete(self:before())
  if found.call then return self:tell(found.call) end
  local words = found.words
  if #words == 0 then return self:bell() end
  local common = words[1]
  for _, word in ipairs(words) do
    while word:sub(1, #common) ~= common do common = common:sub(1, -2) end
  end
  local typed = self.cursor - found.from
  if #words == 1 then
    common = common .. (found.tail[common] or '')
  elseif #common <= typed then
    return self:tell(screen.columns(words))
  end
  self:remove(found.from, self.cursor)
  self:insert(common)
end

-- --- search ---

function Line:look(from, other)
  local search = self.search
  local number, at = self.options.history:find(search.part, from, other)
  search.failed = not number
  if not number then return self:bell() end
  self.number = number
  self:set(self.options.history[number], at - 1)
end

function Line:start_search()
  self.search = { part = '', text = self.text, cursor = self.cursor,
    number = #self.options.history + 1 }
end

-- True when the key was meant for the search; else the search is over.
function Line:search_key(key)
  local search = self.search
  if key == '\18' then
    self:look(self.number - 1, self.text)
  elseif key == '\8' or key == '\127' then
    search.part = search.part:sub(1, places.left(search.part, #search.part))
    self:look(#self.options.history)
  elseif key == '\7' or key == '\3' then
    self:set(search.text, search.cursor)
    self.number, self.search = search.number, nil
  elseif key:find '^[ -~\128-\255]' then
    search.part = search.part .. key
    self:look(math.min(self.number, #self.options.history))
  else
    self.search = nil
    return false
  end
  return true
end

-- --- reading ---

function Line:enter()
  if self.options.whole(self.text) then return true end
  self:insert '\n'
end

function Line:pause()
  local cursor = self.cursor
  self:close()
  host.pause()
  Line.open()
  self.cursor = cursor
end

-- Gives whether keys were typed before.
function Line.open()
  local ahead = host.raw(true)
  io.write '\27[?2004h' -- pastes come between marks
  return ahead
end

function Line:close()
  self.cursor = #self.text
  self:draw()
  io.write '\27[?2004l'
  self.screen:leave()
  io.flush()
  host.raw(false)
end

-- One key; a result when the line is over: the text; or nil and "end" or "dropped".
function Line:handle(key)
  local drawn = self.drawn
  self.drawn, self.recalling, self.recalled = false, self.recalled, false
  if self.search and self:search_key(key) then return end
  if key:find '^[ -~\128-\255]' or key == '\0' then
    local simple = #key == 1 and key:find '[ -~]' and self.cursor == #self.text
    self:insert(key)
    self.drawn = simple and self.waiting == '' and drawn and self.screen:append(key)
    return
  end
  local act = actions[key]
  if not act then return self:bell() end
  return act(self)
end

function Line:loop(ahead)
  if ahead and self.waiting == '' then
    self.waiting = host.read_keys(0) or ''
    -- What the terminal makes of a Ctrl-D that was typed while a command ran.
    self.waiting = self.waiting:gsub('^%z', '\4')
  end
  while true do
    local key, why = self:key()
    if not key then return nil, why == 'interrupted' and 'dropped' or 'end' end
    local result, reason = self:handle(key)
    if result or reason then return result, reason end
  end
end

-- The text typed; or nil and "end" (Ctrl-D), "dropped" (Ctrl-C).
function Line:read()
  self.text, self.cursor, self.waiting, self.search = '', 0, self.waiting or '', nil
  self.drawn = false
  self.number, self.draft = #self.options.history + 1, ''
  self.screen:forget()
  local ok, text, why = pcall(self.loop, self, Line.open())
  self.search = nil
  self:close()
  if not ok then error(text, 0) end
  return text, why
end

return line
