-- The path of a file of pairs. LEFT+RIGHT, two files of plain text whose lines belong together, has
-- two: core/data/source.h says when a + is taken so. find(path): where a path leads, of each.

local files = require 'sembed.files'

return function(path, find)
  local best, most = find(path), 0
  if not path:find('+', 1, true) or files.exists(best) then return best end
  for at in path:gmatch '()%+' do
    local left, right = path:sub(1, at - 1), path:sub(at + 1)
    if left ~= '' and right ~= '' then
      left, right = find(left), find(right)
      local there = (files.exists(left) and 1 or 0) + (files.exists(right) and 1 or 0)
      if there > most then best, most = left .. '+' .. right, there end
    end
  end
  return best
end
