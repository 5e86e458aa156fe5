-- Help at the prompt and from the shell: `? NAME`, `sembed help NAME`. All words come from the op
-- table and from the comments of the modules and recipes themselves (help/docs.lua).
--
--   help(name, env)          the text for a name, '' for how to begin; env: the session's names
--   help.find(name, env)     the same, or nil and the message where there is no such name

local fail = require 'sembed.fail'
local index = require 'sembed.help.index'

local help = {}

local GENERAL = [[
  x = se.tensor {{1, 2}, {3, 4}}         -- a tensor; axes count from 1, -1 is the last
  y = (x:matmul(x:t()) / 10):tanh()      -- a graph: nothing is computed yet
  y                                      -- showing a value computes it
  se.grad(y:sum(), x)                    -- gradients are tensors, too
  who()                                  -- the tensors that you have
? NAME    an op, function, method, module or recipe: ? softmax  ? se.train.steps  ? x:rows  ? encode
? PAGE    to read in order: tensors gradients models losses data training devices adding tree
? WORD    what mentions a word: ? smoothing
? ops     lists the ops; ? se the modules and functions; ? recipes what `sembed NAME` runs
Ctrl-D leaves, Ctrl-C stops a command; sembed help markdown=true out=DIR writes the whole manual]]

local MOST = 24  -- of entries that mention a word
local WIDE = 92

local RANK = { prompt = 1, module = 2, op = 3, recipe = 4, page = 5, group = 6, ['function'] = 7,
  method = 8 }

-- --- text ---

local function wrap(list, indent)
  local lines, line = {}, nil
  for _, word in ipairs(list) do
    if line and #line + #word + 1 > WIDE then
      lines[#lines + 1], line = line, nil
    end
    line = line and line .. ' ' .. word or indent .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, '\n')
end

local function words(text)
  local list = {}
  for word in text:gmatch '%S+' do list[#list + 1] = word end
  return list
end

local function line_with(word, text)
  for line in text:gmatch '[^\n]+' do
    if line:lower():find(word:lower(), 1, true) then return line end
  end
end

-- One line an entry: what to type, and its first sentence. A page's is its title, or the line in
-- which the word stands that was looked for.
local function listing(entries, word)
  local lines, wide = {}, 0
  for _, e in ipairs(entries) do wide = math.max(wide, #e.path) end
  wide = math.min(wide, 32)
  for _, e in ipairs(entries) do
    local doc = e.kind == 'page' and 'a page: ' .. (word and line_with(word, e.doc)
      or e.doc:match '^# ([^\n]*)') or e.doc
    if e.kind == 'recipe' then doc = 'a recipe: ' .. doc end
    local head = ('  %-' .. wide .. 's  '):format(e.path)
    lines[#lines + 1] = head .. index.brief(doc, math.max(WIDE - #head, 30))
  end
  return table.concat(lines, '\n')
end

local function names_of(entries)
  local names = {}
  for _, e in ipairs(entries) do names[#names + 1] = e.name end
  return names
end

local function full_text(e)
  local call = e.kind == 'op' and e.name .. e.args or e.path .. e.args
  if e.kind == 'page' then return e.doc end
  local doc = e.kind == 'op' and wrap(words(e.doc), '') or e.doc
  local text = doc == '' and call or call .. '\n' .. doc
  if e.kind == 'recipe' then
    text = ('sembed %s [key=value]...\n%s'):format(e.path, e.doc)
    if e.keys ~= '' then text = text .. '\n\nKeys and their defaults: ' .. e.keys end
  elseif e.kind == 'group' then
    text = ('%s\n%s'):format(text, wrap(names_of(e.parts), '  '))
  elseif e.parts and e.parts[1] then
    text = ('%s\n\n%s'):format(text, listing(e.parts))
  end
  return text
end

-- --- finding ---

-- What a name that somebody types may mean, the likeliest first.
local function matches(name, all)
  local found = {}
  local bare = name:gsub('^se%.', '')
  local method = name:match '^[%w_]+:([%w_]+)$'
  for _, e in ipairs(all) do
    local same = e.path == name or e.path == 'se.' .. bare or e.name == name
      or e.path:sub(-#bare - 1) == '.' .. bare
    if method then same = e.name == method and (e.kind == 'method' or e.kind == 'op') end
    if same then found[#found + 1] = e end
  end
  table.sort(found, function(a, b)
    local exact_a, exact_b = a.path == name, b.path == name
    if exact_a ~= exact_b and name:find('.', 1, true) then return exact_a end
    if method and a.kind ~= b.kind then return a.kind == 'method' end
    if a.kind ~= b.kind then return RANK[a.kind] < RANK[b.kind] end
    return a.path < b.path
  end)
  return found
end

local function mentions(word, all)
  local found, rest = {}, 0
  word = word:lower()
  for _, e in ipairs(all) do
    local text = (e.path .. e.args .. '\n' .. e.doc):lower()
    if text:find(word, 1, true) then
      if #found < MOST then found[#found + 1] = e else rest = rest + 1 end
    end
  end
  return found, rest
end

-- The names that are nearest to a misspelt one: at most three.
local function nearest(name, all)
  local known, seen, list = {}, {}, {}
  for _, e in ipairs(all) do
    for _, text in ipairs { e.path, e.name } do
      if not seen[text] then known[#known + 1], seen[text] = text, true end
    end
  end
  while #list < 3 do
    local near = fail.nearest(name, known)
    if not near then break end
    list[#list + 1] = near
    for i, text in ipairs(known) do
      if text == near then table.remove(known, i) break end
    end
  end
  return list
end

-- A value of the session by its name, `a.b` and `a:b` too; nil where there is none.
local function session_value(name, env)
  local value = env
  for part in name:gmatch '[%w_]+' do
    local ok, inner = pcall(function() return value[part] end)
    if not ok or inner == nil then return nil end
    value = inner
  end
  return name:find '^[%a_][%w_.:]*$' and value or nil
end

local function describe(name, value)
  local kind = require('sembed.ffi').is_tensor(value) and 'tensor' or type(value)
  if kind == 'tensor' then
    return ('%s is a tensor, %s; ? tensor lists its methods'):format(name, value:describe())
  elseif kind ~= 'function' then
    return ('%s is a %s of this session'):format(name, kind)
  end
  local entry = require('sembed.help.docs').of(value)
  local info = debug.getinfo(value, 'S')
  return ('%s%s\n%s'):format(name, entry and entry.args or '(...)', entry and entry.doc ~= ''
    and entry.doc or ('a function of %s:%d'):format(info.short_src, info.linedefined))
end

-- The text of a name that stands for a whole list; nil for others.
local function lists(name)
  local list = { ops = index.groups, recipes = index.recipes, pages = index.pages,
    manual = index.pages, modules = function() return index.modules()[1].parts end }
  if not list[name] then return nil end
  local entries, lines = list[name](), {}
  if name ~= 'ops' then return listing(entries) end
  for _, group in ipairs(entries) do
    local said = index.brief(group.doc, WIDE - #group.name - 2)
    lines[#lines + 1] = ('%s: %s\n%s'):format(group.name, said, wrap(names_of(group.parts), '    '))
  end
  return table.concat(lines, '\n')
end

-- What there is to ask for, for `sembed help`.
function help.topics()
    local lines = { 'sembed help NAME, or ? NAME at the prompt: one of these, a method, '
    .. 'or any word' }
  local function list(title, entries)
    local names = {}
    for i, e in ipairs(entries) do names[i] = e.path end
    lines[#lines + 1] = ('\n%s\n%s'):format(title, wrap(names, '  '))
  end
  list('Pages', index.pages())
  list('Recipes, run by sembed NAME', index.recipes())
  list('Modules', index.modules())
  lines[#lines + 1] = '\nOps\n' .. lists 'ops'
  return table.concat(lines, '\n')
end

-- The whole manual as Markdown: files in a folder, which is made; without one, as one text.
function help.manual(folder)
  local markdown = require 'sembed.help.markdown'
  if not folder then return markdown.text() end
  return ('%d files in %s; index.md is the first'):format(markdown.write(folder), folder)
end

-- The text for a name, or nil and a message that has the nearest names.
function help.find(name, env)
  if name == '' then return GENERAL end
    name = name:gsub('%s*%(.*$', ''):gsub('%.lua$', ''):gsub('^recipes/', '')
  local page = name:match '^(.*)%.md$'
  local listed = lists(name)
  if listed then return listed end
  local all = index.all()
  local found = matches(page or name, all)
  if page then
    for _, e in ipairs(found) do
      if e.kind == 'page' then return e.doc end
    end
  end
  if found[1] then
    local text, others = full_text(found[1]), { unpack(found, 2) }
    return others[1] and ('%s\n\nalso\n%s'):format(text, listing(others)) or text
  end
  local value = env and session_value(name, env)
  if value ~= nil then return describe(name, value) end
  local near = nearest(name, all)
  local guess = near[1] and ('; did you mean %s?'):format(table.concat(near, ', ')) or ''
  local mention, rest = mentions(name, all)
  if not mention[1] then return nil, ('no help on "%s"%s'):format(name, guess) end
  return ('"%s" is mentioned by\n%s%s'):format(name,
    listing(mention, name),
    rest > 0 and ('\n  and %d more'):format(rest) or '')
end

return setmetatable(help, { __call = function(_, name, env)
  local text, message = help.find(name, env)
  return text or message
end })
