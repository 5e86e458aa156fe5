-- `sembed help`: topics, names, and the whole manual as Markdown, in which nothing is missing,
-- every link leads somewhere, and headings and fences are as they should be.
local se = require 'sembed'
local check = require 'check'
local docs = require 'sembed.help.docs'
local index = require 'sembed.help.index'
local reach = require 'reach'

-- GitHub's anchor of a heading: small letters, no punctuation but - and _, spaces as -.
local function anchor_of(heading)
  return (heading:lower():gsub('[^%w _-]', ''):gsub(' ', '-'))
end

-- { anchors, links, headings = { [heading] = the text below it } }; fails where it is malformed.
local function read(name, text)
  local found = { anchors = {}, links = {}, headings = {} }
  local fence, level, current, titles = false, 0, nil, 0
  for line in text:gmatch '(.-)\n' do
    if line:find '^```' then
      fence = not fence
    elseif not fence and line:find '^#+ ' then
      local marks, heading = line:match '^(#+) (.*)$'
      check.ok(#marks <= level + 1, '%s: "%s" leaves a level out', name, line)
      level, current = #marks, heading
      titles = titles + (level == 1 and 1 or 0)
      found.headings[heading] = ''
      local anchor = anchor_of(heading)
      check.ok(not found.anchors[anchor] or not name, '%s: the anchor %s is there twice', name,
        anchor)
      found.anchors[anchor] = true
    elseif not fence and not line:find '^    ' then
      local bare = line:gsub('`[^`]*`', '')
      check.ok(not bare:find '%f[\\<]<%a', '%s: HTML: %s', name, line)
      for link in bare:gmatch '%]%(([^)]*)%)' do found.links[#found.links + 1] = link end
      for link in line:gmatch '%]%(([^)]*)%)' do
        if link:find '%.md' then found.links[#found.links + 1] = link end
      end
    end
    if current then found.headings[current] = found.headings[current] .. line .. '\n' end
  end
  check.ok(not fence, '%s: a fence is left open', name)
  check.ok(text:sub(1, 2) == '# ', '%s: no title', name)
  found.titles = titles
  return found
end

local folder = check.folder() .. '/manual'
local output, status = check.run('help markdown=true out=' .. folder)
check.equal(status, 0, output)
local pages = {}
for _, name in ipairs(se.files.list(folder)) do
  pages[name] = read(name, check.read(folder .. '/' .. name))
  check.equal(pages[name].titles, 1, 'titles of ' .. name)
end
check.ok(output:find(#se.files.list(folder) .. ' files', 1, true), 'what it wrote: %s', output)

-- --- links ---

local links = 0
for name, page in pairs(pages) do
  for _, link in ipairs(page.links) do
    links = links + 1
    local file, anchor = link:match '^([%w_]*%.?m?d?)#?(.*)$'
    local to = file == '' and page or pages[file]
    check.ok(to, '%s: no such file: %s', name, link)
    check.ok(anchor == '' or to.anchors[anchor], '%s: no such heading: %s', name, link)
  end
end
check.ok(links > 100, '%d links', links)
for _, name in ipairs(docs.pages()) do
  local linked = false
  for _, link in ipairs(pages['index.md'].links) do linked = linked or link == name .. '.md' end
  check.ok(linked, 'index.md: no link to %s.md', name)
end

-- --- nothing is missing ---

-- A heading's text has words besides the calls in fences.
local function explained(page, heading)
  local text = pages[page].headings[heading]
  check.ok(text, '%s: no "%s"', page, heading)
  local words = text:gsub('^#[^\n]*\n', ''):gsub('```.-\n```', ''):gsub('\\', '')
  check.ok(words:find '%a%a' or words:find '%w [-+/*<>] %w' or words:find '%-x',
    '%s: nothing is said of %s: %s', page, heading, text)
  return text
end

for _, name in ipairs(se.op.names) do
  local text, spec = explained('ops.md', name), se.op.specs[name]
  check.ok(text:find('se.' .. name .. '(', 1, true), '%s: how it is called: %s', name, text)
  local signature = se.op.signature_of(spec)
  for _, list in ipairs { signature.tensors, signature.attrs } do
    for _, argument in ipairs(list) do
      check.ok(text:find('%f[%w_]' .. argument.name .. '%f[^%w_]'), '%s lacks %s', name,
        argument.name)
    end
  end
  for out in (spec.outs or ''):gmatch '%S+' do
    check.ok(text:find('`' .. out .. '`', 1, true), '%s lacks its output %s', name, out)
  end
end
reach(function(path, value)
  if value == se.op.functions[path:match '^se%.(.*)$'] then return end
  local module = pages['library.md'].headings['Module ' .. path]
  explained('library.md', module and 'Module ' .. path or path)
end)
for _, method in ipairs { 'tensor:rows', 'tensor:item', 'model:encode', 'model:save' } do
  explained('library.md', ('%s of %s'):format(method, method:match '^%a+'))
end
for _, name in ipairs { 'time', 'who', 'show', 'profile', 'reload' } do
  explained('library.md', name)
end
for _, name in ipairs(docs.recipes()) do
  local text = explained('recipes.md', 'Recipe ' .. name)
  check.ok(text:find('se.config {', 1, true), '%s: its keys: %s', name, text)
end
local keys = pages['recipes.md'].headings['Recipe encode']
check.ok(keys:find "output = 'float32'", 'a key and its default: %s', keys)
local concat = pages['ops.md'].headings.concat
check.ok(concat:find('`axis` | axis, from 1; -1 is the last | `1` |', 1, true),
  'axes count from 1: %s', concat)

-- --- what pages and README name is there ---

local methods = {}
for _, entry in ipairs(index.all()) do
  if entry.kind == 'method' or entry.kind == 'op' then methods[entry.name] = true end
end

local function check_names(page, text)
  for path in text:gmatch '%f[%w_]se%.([%a_][%w_.]*)' do
    local value = se
    for part in path:gmatch '[%w_]+' do
      if value ~= nil and type(value) == 'table' then
        local ok, member = pcall(function() return value[part] end)
        value = ok and member or nil
      end
    end
    local made = text:find(("name = ['\"]%s['\"]"):format(path)) -- an op that the page adds
    check.ok(value ~= nil or made or path:find '^%u+$', '%s: no se.%s', page, path)
  end
  for code in text:gmatch '`([^`\n]*)`' do
    for name in code:gmatch '[%w_%)]:([%a_][%w_]*)[ (]' do
      check.ok(methods[name], '%s: no method %s: %s', page, name, code)
    end
  end
end

for _, name in ipairs(docs.pages()) do check_names(name .. '.md', docs.page(name)) end
for _, entry in ipairs(index.all()) do check_names('? ' .. entry.path, entry.doc) end
check_names('README.md', check.read(se.run.folder .. '/../../README.md'))

-- --- one text: the same, with links within it ---

local whole = check.run 'help markdown=true'
local one = read(nil, whole)
for _, link in ipairs(one.links) do
  check.ok(one.anchors[link:match '^#(.*)$'], 'one text: no such heading: %s', link)
end
check.ok(#whole > 50000, 'all of it: %d bytes', #whole)

-- --- names ---

local topics = check.run 'help'
for _, wanted in ipairs { 'tensors', 'encode', 'se.train', 'softmax', 'elementwise:' } do
  check.ok(topics:find(wanted, 1, true), 'topics lack %s:\n%s', wanted, topics)
end
check.equal((check.run 'help softmax'), se.help 'softmax' .. '\n', 'one name')
check.equal((check.run 'help softmax se.train.steps'),
  se.help 'softmax' .. '\n' .. se.help 'se.train.steps' .. '\n', 'two names')
output, status = check.run 'help sofmax'
check.equal(status, 1, 'a misspelt name')
check.equal(output:match '^sembed: no help on "sofmax"; did you mean softmax', 'sembed: no help on '
  .. '"sofmax"; did you mean softmax', output)
output, status = check.run 'help markdwon=true'
check.equal(status, 1, 'a misspelt key')
check.ok(output:find('did you mean "markdown"?', 1, true), output)
output, status = check.run 'help markdown=true out=/dev/null/manual'
check.equal(status, 1, output)
check.ok(output:find('/dev/null', 1, true), output)
check.ok(check.run '--help':find('sembed help', 1, true), '--help tells of help')
check.done()
