-- The text of an einsum: 'bij,...jk->bik'. Part of einsum.lua.

local fail = require 'sembed.fail'

local letters = {}

-- 'f32[2,3]'
function letters.type(x) return (x:describe():match '^%S+') end

-- 'i...j' -> { 'i', '...', 'j' }
local function read(text, where)
  local list, at, dots = {}, 1, false
  while at <= #text do
    local c = text:sub(at, at)
    if text:sub(at, at + 2) == '...' then
      if dots then fail.raise('einsum: "..." comes twice in %s', where) end
      dots, list[#list + 1], at = true, '...', at + 3
    else
      if not c:match '%a' then
        fail.raise('einsum: "%s" in %s: letters, "..." and one "->" are wanted', c, where)
      end
      list[#list + 1], at = c, at + 1
    end
  end
  return list
end

-- 'ij,jk->ik' -> { {'i', 'j'}, {'j', 'k'} }, {'i', 'k'} or nil
function letters.text(spec)
  local text = spec:gsub('%s', '')
  local left, right = text:match '^(.-)%->(.*)$'
  local inputs = {}
  for part in ((left or text) .. ','):gmatch '([^,]*),' do
    inputs[#inputs + 1] = read(part, ('operand %d of "%s"'):format(#inputs + 1, spec))
  end
  return inputs, right and read(right, ('the result of "%s"'):format(spec))
end

-- `...` of an operand of that rank becomes axes 'n', .., '2', '1', counted from the last.
function letters.operand(named_list, rank, k, x)
  local named, dots, list = 0, false, {}
  for _, l in ipairs(named_list) do
    if l == '...' then dots = true else named = named + 1 end
  end
  if named > rank or (named < rank and not dots) then
    fail.raise('einsum: operand %d: "%s" names %d axes, %s has %d', k, table.concat(named_list),
      named, letters.type(x), rank)
  end
  for _, l in ipairs(named_list) do
    if l == '...' then
      for i = rank - named, 1, -1 do list[#list + 1] = tostring(i) end
    else
      list[#list + 1] = l
    end
  end
  return list, rank - named
end

-- The result's letters, with its `...` spread to `dots` axes.
function letters.result(right, seen, dots)
  local list = {}
  local function all_dots()
    for i = dots, 1, -1 do list[#list + 1] = tostring(i) end
  end
  if not right then
    all_dots()
    local once = {}
    for l, times in pairs(seen) do
      if times == 1 and l:match '%a' then once[#once + 1] = l end
    end
    table.sort(once)
    for _, l in ipairs(once) do list[#list + 1] = l end
    return list
  end
  local done = {}
  for _, l in ipairs(right) do
    if l == '...' then
      all_dots()
    else
      if not seen[l] then fail.raise('einsum: letter %s of the result is in no operand', l) end
      if done[l] then fail.raise('einsum: letter %s comes twice in the result', l) end
      done[l], list[#list + 1] = true, l
    end
  end
  return list
end

return letters
