-- Values as text: tensors as type, summary and corners; tables as Lua, over several lines where
-- they are long; functions with the place where they are written.

local core = require 'sembed.ffi'

local show = {}

local WIDE = 92     -- columns that a table may take in one line
local DEPTH = 3     -- tables within tables
local ITEMS = 20    -- of a list; as many again of other keys
local LONGEST = 72  -- bytes of a text within a table
local ENTRIES = 300 -- in all

show.tensor = require 'sembed.show.tensor'

-- A text as Lua would read it; a long one is cut, and its length said.
local function quoted(s)
  local head = s
  if #s > LONGEST then
    local n = LONGEST
    while n > LONGEST - 4 and s:byte(n + 1) >= 0x80 and s:byte(n + 1) < 0xC0 do n = n - 1 end
    head = s:sub(1, n)
  end
  local text = ('%q'):format(head):gsub('\\\n', '\\n')
  return #head < #s and ('%s... (%d bytes)'):format(text, #s) or text
end

local function function_text(f)
  local info = debug.getinfo(f, 'S')
  if info.what == 'C' then return 'function (built in)' end
  return ('function %s:%d'):format(info.source:gsub('^[@=]', ''), info.linedefined)
end

local function before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return x == 'number' or y ~= 'number' and tostring(a) < tostring(b) end
  if x == 'number' or x == 'string' then return a < b end
  return tostring(a) < tostring(b)
end

-- The keys that are not the list's, in order.
local function other_keys(value, n)
  local keys = {}
  for k in next, value do
    if not (type(k) == 'number' and k >= 1 and k <= n and k % 1 == 0) then keys[#keys + 1] = k end
  end
  table.sort(keys, before)
  return keys
end

local within -- a value as text inside of others

local function key_text(state, key)
  if type(key) == 'string' and key:match '^[%a_][%w_]*$' then return key end
  return '[' .. within(state, key, DEPTH) .. ']'
end

-- Parts in lines; those of a list stand side by side.
local function over_lines(items, pairs_of, depth)
  local indent, lines, line = ('  '):rep(depth + 1), {}, nil
  for _, item in ipairs(items) do
    local fits = line and #indent + #line + #item + 3 <= WIDE and not item:find('\n', 1, true)
    if line and not fits then lines[#lines + 1], line = line, nil end
    line = line and line .. ', ' .. item or item
  end
  lines[#lines + 1] = line
  for _, part in ipairs(pairs_of) do lines[#lines + 1] = part end
  return '{\n' .. indent .. table.concat(lines, ',\n' .. indent) .. '\n' .. ('  '):rep(depth) .. '}'
end

local function table_parts(state, value, depth)
  local items, pairs_of, n = {}, {}, #value
  for i = 1, math.min(n, ITEMS) do items[i] = within(state, value[i], depth + 1) end
  if n > ITEMS then items[ITEMS + 1] = ('... %d in all'):format(n) end
  local keys = other_keys(value, n)
  for i = 1, math.min(#keys, ITEMS) do
    local k = keys[i]
    local head = key_text(state, k) .. ' = '
    pairs_of[i] = head .. within(state, rawget(value, k), depth + 1, #head)
  end
  if #keys > ITEMS then pairs_of[ITEMS + 1] = ('... %d keys in all'):format(#keys) end
  return items, pairs_of
end

-- taken: columns of the line that stand before it.
local function table_text(state, value, depth, taken)
  if state.open[value] then return '{itself}' end
  if next(value) == nil then return '{}' end
  if depth >= DEPTH or state.entries > ENTRIES then return '{...}' end
  state.open[value] = true
  local items, pairs_of = table_parts(state, value, depth)
  state.open[value] = nil
  local all = {}
  for _, part in ipairs(items) do all[#all + 1] = part end
  for _, part in ipairs(pairs_of) do all[#all + 1] = part end
  local line = '{' .. table.concat(all, ', ') .. '}'
  if 2 * depth + taken + #line + 1 <= WIDE and not line:find('\n', 1, true) then return line end
  return over_lines(items, pairs_of, depth)
end

function within(state, value, depth, taken)
  state.entries = state.entries + 1
  if core.is_tensor(value) then return show.tensor(value, true) end
  if type(value) == 'string' then return quoted(value) end
  if type(value) == 'function' then return function_text(value) end
  if type(value) ~= 'table' then return tostring(value) end
  local meta = getmetatable(value)
  if type(meta) == 'table' and meta.__tostring then
    return (tostring(value):match '^[^\n]*')
  end
  return table_text(state, value, depth, taken or 0)
end

-- numpy's x.shape is x:shape() here: a tensor's method that was not called says how it is.
local function method_text(f)
  for name, method in pairs(require('sembed.tensor').methods) do
    if method == f then return ('a function: x:%s() calls it'):format(name) end
  end
end

-- Any value as one would write it in Lua.
function show.value(value)
  if type(value) == 'string' then return value end
  if type(value) == 'function' then return method_text(value) or function_text(value) end
  if core.is_tensor(value) then return show.tensor(value) end
  local meta = type(value) == 'table' and getmetatable(value)
  if type(meta) == 'table' and meta.__tostring then return tostring(value) end
  return within({ open = {}, entries = 0 }, value, 0)
end

return show
