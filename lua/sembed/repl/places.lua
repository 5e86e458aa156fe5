-- Places in a text, as the bytes before them: one character or word to the side, the ends of a row.

local screen = require 'sembed.repl.screen'

local places = {}

function places.left(text, at)
  if at == 0 then return 0 end
  local start = at
  while start > 1 and at - start < 3 and text:find('^[\128-\191]', start) do start = start - 1 end
  return #screen.char_at(text, start) == at - start + 1 and start - 1 or at - 1
end

function places.right(text, at)
  return at < #text and at + #screen.char_at(text, at + 1) or at
end

function places.word_start(text, at)
  local part = text:sub(1, at):gsub('[^%w_\128-\255]+$', '')
  return #(part:gsub('[%w_\128-\255]+$', ''))
end

function places.word_end(text, at)
  local _, last = text:find('^[^%w_\128-\255]*[%w_\128-\255]*', at + 1)
  return last or at
end

function places.row_start(text, at) return #text:sub(1, at):match '^(.-)[^\n]*$' end
function places.row_end(text, at) return (text:find('\n', at + 1, true) or #text + 1) - 1 end

return places
