-- Lua text as a list of tokens { kind, text, first, last }, kind: name, word (of the language),
-- text, number, sign. Comments are left out. A text or comment that does not end gives a last token
-- of kind "open", whose text is what stands before the end.

local tokens = {}

local words = {}
for word in ([[and break do else elseif end false for function if in local nil not or repeat return
  then true until while]]):gmatch '%a+' do words[word] = true end

-- [==[ ... ]==] at `at`: where it ends, or nil; and whether there is one.
local function long_end(text, at)
  local level = text:match('^%[(=*)%[', at)
  if not level then return nil, false end
  local _, last = text:find(']' .. level .. ']', at + #level + 2, true)
  return last, true
end

local function quoted_end(text, at)
  local quote, i = text:sub(at, at), at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then return i end
    if c == '\n' then return nil end
    i = i + (c == '\\' and 2 or 1)
  end
end

-- kind and last character of the token at `at`
local function token_at(text, at)
  local _, last = text:find('^[%a_\128-\255][%w_\128-\255]*', at)
  if last then return words[text:sub(at, last)] and 'word' or 'name', last end
  _, last = text:find('^%.?%d[%w.]*', at)
  if last then return 'number', last end
  if text:find('^["\']', at) then
    last = quoted_end(text, at)
    return last and 'text' or 'open', last or #text
  end
  local is_long
  last, is_long = long_end(text, at)
  if is_long then return last and 'text' or 'open', last or #text end
  _, last = text:find('^%.%.%.?', at)
  if not last then _, last = text:find('^[=~<>]=', at) end
  return 'sign', last or at
end

local function comment_end(text, at)
  local last, is_long = long_end(text, at + 2)
  if is_long then return last or #text end
  return (text:find('\n', at, true) or #text + 1) - 1
end

function tokens.list(text)
  local list, at = {}, 1
  while true do
    at = text:find('%S', at)
    if not at then return list end
    if text:find('^%-%-', at) then
      at = comment_end(text, at) + 1
    else
      local kind, last = token_at(text, at)
      list[#list + 1] = { kind = kind, text = text:sub(at, last), first = at, last = last }
      at = last + 1
    end
  end
end

local deeper = { ['do'] = 1, ['function'] = 1, ['if'] = 1, ['repeat'] = 1, ['end'] = -1,
  ['until'] = -1 }
local brackets = { ['('] = 1, ['['] = 1, ['{'] = 1, [')'] = -1, [']'] = -1, ['}'] = -1 }

-- How many blocks are open after a token, given how many were before it; the same for brackets.
function tokens.depth(token, depth)
  return depth + (token.kind == 'word' and deeper[token.text] or 0)
end

function tokens.bracket_depth(token, depth)
  return depth + (token.kind == 'sign' and brackets[token.text] or 0)
end

return tokens
