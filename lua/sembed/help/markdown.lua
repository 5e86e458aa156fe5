-- The whole manual as Markdown, out of the same words as `? NAME`: an index, the worked pages, and
-- references of ops, modules and recipes. Headings have the anchors that GitHub makes of them.

local files = require 'sembed.files'
local index = require 'sembed.help.index'
local op = require 'sembed.op'
local signature = require 'sembed.signature'

local markdown = {}

-- The order in which the pages are to be read; others come behind.
local READ = { 'tensors', 'gradients', 'models', 'losses', 'data', 'training', 'devices', 'adding',
  'tree' }

local KINDS = { int = 'whole number', num = 'number', bool = 'true or false', dtype = 'dtype',
  axis = 'axis, from 1; -1 is the last', axes = 'list of axes, from 1; one may stand alone',
  ints = 'list of whole numbers' }

-- --- Markdown of plain text ---

-- The anchor of a heading.
function markdown.slug(heading)
  return (heading:lower():gsub('[^%w%s_-]', ''):gsub('%s', '-'))
end

-- Letters that would mean something, outside `code`.
local function plain(text)
  return (text:gsub('[*%[<]', '\\%0'):gsub('%f[%w_]_', '\\_'))
end

local function escape(text)
  if select(2, text:gsub('`', '')) % 2 == 1 then
    text = plain(text:gsub('`', '\\`'))
  else
    text = text:gsub('([^`]*)(`?[^`]*`?)', function(before, code) return plain(before) .. code end)
  end
  return (text:gsub('^([-+#>])', '\\%1'):gsub('^(%d+)([.)])', '%1\\%2'))
end

-- A comment: what is indented is code, all else is prose.
local function prose(text)
  local out, code = {}, false
  for line in (text .. '\n'):gmatch '(.-)\n' do
    local indented = line:find '^  ' ~= nil
    if indented ~= code and (indented or line:find '%S') then
      while code and out[#out] == '' do table.remove(out) end
      if not code and out[#out] ~= '' and out[1] then out[#out + 1] = '' end
      out[#out + 1] = code and '```\n' or '```'
      code = indented
    end
    out[#out + 1] = code and line:gsub('^  ', '') or escape(line)
  end
  while out[#out] == '' do table.remove(out) end
  if code then out[#out + 1] = '```' end
  return table.concat(out, '\n')
end

local function heading(level, text) return ('#'):rep(level) .. ' ' .. text .. '\n' end
local function fence(text) return ('```lua\n%s\n```\n'):format(text) end
local function link(text, file, anchor)
  return ('[%s](%s%s)'):format(text, file, anchor and '#' .. markdown.slug(anchor) or '')
end

-- --- ops ---

-- A row for each argument; none where all are tensors that must be given.
local function argument_rows(spec)
  local rows, parsed = {}, op.signature_of(spec)
  local last = parsed.tensors[#parsed.tensors]
  if #parsed.attrs == 0 and not (last and (last.optional or last.variadic)) then return rows end
  for _, t in ipairs(parsed.tensors) do
    rows[#rows + 1] = ('| `%s` | %s | %s |'):format(t.name, t.variadic and 'tensors, any number'
      or 'tensor', t.optional and 'may be left out' or '')
  end
  for _, a in ipairs(parsed.attrs) do
    local default = signature.default(parsed, a)
    rows[#rows + 1] = ('| `%s` | %s | %s |'):format(a.name, KINDS[a.kind] or a.kind,
      default and '`' .. default .. '`' or 'must be given')
  end
  return rows
end

local function op_text(entry)
  local spec = op.specs[entry.name]
  local parts = { heading(3, entry.name), fence(entry.path .. entry.args),
    prose(entry.doc) .. '\n' }
  local rows = argument_rows(spec)
  if rows[1] then
    parts[#parts + 1] = '| argument | what | default |\n|---|---|---|\n' .. table.concat(rows, '\n')
      .. '\n'
  end
  if spec.outs then
    local names = {}
    for name in spec.outs:gmatch '%S+' do names[#names + 1] = '`' .. name .. '`' end
    parts[#parts + 1] = ('Gives %s.\n'):format(table.concat(names, ', '))
  end
  return table.concat(parts, '\n')
end

local OPS = [[
An op is called as `se.NAME(...)`, or as a method of its first tensor: `x:NAME(...)`. Tensors come
first, then the others in order; a table at the end may name any of them:
`x:sum { axes = 1, keep = true }`. Where any number of tensors is taken they may stand in a list:
`se.concat({ a, b }, 1)`. Axes count from 1, -1 is the last; numbers inside tensors count from 0.
]]

local function ops_page()
  local parts = { heading(1, 'Ops'), OPS }
  for _, group in ipairs(index.groups()) do
    parts[#parts + 1] = heading(2, 'Group ' .. group.name)
    parts[#parts + 1] = prose(group.doc) .. '\n'
    for _, entry in ipairs(group.parts) do parts[#parts + 1] = op_text(entry) end
  end
  return table.concat(parts, '\n')
end

-- --- modules and recipes ---

local function module_text(module)
  local parts, inner = { heading(2, 'Module ' .. module.path) }, {}
  if module.args ~= '' then parts[#parts + 1] = fence(module.path .. module.args) end
  parts[#parts + 1] = prose(module.doc) .. '\n'
  for _, entry in ipairs(module.parts) do
    if entry.kind == 'module' then
      inner[#inner + 1] = link(entry.path, 'library.md', 'Module ' .. entry.path)
    end
  end
  if inner[1] then parts[#parts + 1] = 'Holds ' .. table.concat(inner, ', ') .. '.\n' end
  for _, entry in ipairs(module.parts) do
    if entry.kind ~= 'module' then
      local of = entry.kind == 'method' and ' of ' .. module.path or ''
      parts[#parts + 1] = heading(3, entry.path .. of)
      if entry.args ~= '' then parts[#parts + 1] = fence(entry.path .. entry.args) end
      parts[#parts + 1] = prose(entry.doc) .. '\n'
    end
  end
  return table.concat(parts, '\n')
end

local function library_page()
  local parts = { heading(1, 'Modules') }
  for _, module in ipairs(index.modules()) do parts[#parts + 1] = module_text(module) end
  return table.concat(parts, '\n')
end

local RECIPES = [[
Each runs as `sembed NAME key=value ...`. All of them know the keys of the engine, too:
`threads=N memory=8G seed=N profile=true device=xla:1 precision=f32|bf16|int8`.
]]

local function recipes_page()
  local parts = { heading(1, 'Recipes'), RECIPES }
  for _, entry in ipairs(index.recipes()) do
    parts[#parts + 1] = heading(2, 'Recipe ' .. entry.name)
    parts[#parts + 1] = prose(entry.doc) .. '\n'
    if entry.keys ~= '' then
      parts[#parts + 1] = 'Keys and their defaults:\n'
      parts[#parts + 1] = fence('se.config ' .. entry.keys)
    end
  end
  return table.concat(parts, '\n')
end

-- --- the whole ---

local function ordered_pages()
  local list, by_name = {}, {}
  for _, page in ipairs(index.pages()) do by_name[page.name] = page end
  for _, name in ipairs(READ) do list[#list + 1], by_name[name] = by_name[name], nil end
  for _, page in ipairs(index.pages()) do list[#list + 1] = by_name[page.name] end
  return list
end

local function index_page(pages)
  local parts = { heading(1, 'The manual of sembed ' .. require('sembed').version),
    'Made by `sembed help markdown=true`. At the prompt `? NAME` shows the same words.\n',
    heading(2, 'To read in order') }
  for _, page in ipairs(pages) do
    local title = page.doc:match '^# ([^\n]*)'
    parts[#parts + 1] = ('- %s'):format(link(title, page.name .. '.md'))
  end
  parts[#parts + 1] = '\n' .. heading(2, 'Reference')
  local function list(title, file, entries, word)
    parts[#parts + 1] = ('- %s'):format(link(title, file))
    for _, e in ipairs(entries) do
      local name = e.kind == 'group' and e.name or e.path
      parts[#parts + 1] = ('  - %s: %s'):format(link(name, file, word .. ' ' .. name),
        escape(index.brief(e.doc, 120)))
    end
  end
  list('Ops', 'ops.md', index.groups(), 'Group')
  list('Modules', 'library.md', index.modules(), 'Module')
  list('Recipes', 'recipes.md', index.recipes(), 'Recipe')
  parts[#parts + 1] = ''
  return table.concat(parts, '\n')
end

-- The files of the manual in order: a list of { name, text }.
function markdown.pages()
  local pages = ordered_pages()
  local list = { { name = 'index.md', text = index_page(pages) } }
  for i, page in ipairs(pages) do list[i + 1] = { name = page.name .. '.md', text = page.doc } end
  list[#list + 1] = { name = 'ops.md', text = ops_page() }
  list[#list + 1] = { name = 'library.md', text = library_page() }
  list[#list + 1] = { name = 'recipes.md', text = recipes_page() }
  return list
end

-- All of it as one text, with the links within it.
function markdown.text()
  local parts, title = {}, {}
  for _, page in ipairs(markdown.pages()) do title[page.name] = page.text:match '^# ([^\n]*)' end
  for _, page in ipairs(markdown.pages()) do
    parts[#parts + 1] = page.text:gsub('%]%(([%w_]+%.md)(#?[^)]*)%)', function(file, anchor)
      if not title[file] then return nil end
      return ('](%s)'):format(anchor ~= '' and anchor or '#' .. markdown.slug(title[file]))
    end)
  end
  return table.concat(parts, '\n')
end

-- Writes the files into a folder, which is made.
function markdown.write(folder)
  files.make_folder(folder)
  local pages = markdown.pages()
  for _, page in ipairs(pages) do files.write(('%s/%s'):format(folder, page.name), page.text) end
  return #pages
end

return markdown
