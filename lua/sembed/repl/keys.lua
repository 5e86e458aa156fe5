-- What keys do: by the bytes that a terminal sends. Each function gets the line that is edited
-- (line.lua) and gives a result only where the line is over.

local places = require 'sembed.repl.places'

local keys = {}

-- --- moving ---

local function mover(place)
  return function(line) line.cursor = place(line.text, line.cursor) end
end

local function bind(names, act)
  for _, name in ipairs(names) do keys[name] = act end
end

bind({ '\2', '\27[D', '\27OD' }, mover(places.left))
bind({ '\6', '\27[C', '\27OC' }, mover(places.right))
bind({ '\27b', '\27[1;5D', '\27[1;3D' }, mover(places.word_start))
bind({ '\27f', '\27[1;5C', '\27[1;3C' }, mover(places.word_end))
bind({ '\1', '\27[H', '\27[1~', '\27[7~' }, mover(places.row_start))
bind({ '\5', '\27[F', '\27[4~', '\27[8~' }, mover(places.row_end))
bind({ '\16', '\27[A', '\27OA' }, function(line)
  if line.recalling or not line:move_row(-1) then line:recall(line.number - 1) end
end)
bind({ '\14', '\27[B', '\27OB' }, function(line)
  if line.recalling or not line:move_row(1) then line:recall(line.number + 1) end
end)
bind({ '\18' }, function(line) line:start_search() end)

-- --- changing ---

-- From the cursor to a place, either way.
local function remover(place, keep)
  return function(line)
    local other = place(line.text, line.cursor)
    line:remove(math.min(other, line.cursor), math.max(other, line.cursor), keep)
  end
end

bind({ '\8', '\127' }, remover(places.left))
bind({ '\27[3~' }, remover(places.right))
bind({ '\23', '\27\127', '\27\8' }, remover(places.word_start, true))
bind({ '\27d' }, remover(places.word_end, true))
bind({ '\11' }, remover(places.row_end, true))
bind({ '\21' }, remover(places.row_start, true))
bind({ '\25' }, function(line) line:insert(line.cut) end)
bind({ '\27\13', '\27\10' }, function(line) line:insert '\n' end)
bind({ '\9' }, function(line) line:finish_word() end)
bind({ '\27[200~' }, function(line)
  local ok, why = line:paste()
  if not ok then return nil, why == 'interrupted' and 'dropped' or 'end' end
end)

-- --- the whole line ---

bind({ '\13', '\10' }, function(line)
  if line:enter() then return line.text end
end)
bind({ '\3' }, function() return nil, 'dropped' end)
bind({ '\4' }, function(line)
  if line.text == '' then return nil, 'end' end
  keys['\27[3~'](line)
end)
bind({ '\12' }, function(line)
  io.write '\27[H\27[2J'
  line.screen:forget()
end)
bind({ '\26' }, function(line) line:pause() end)
bind({ '\27' }, function() end)

return keys
