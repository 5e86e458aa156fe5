-- The worked pages of the manual (lua/manual/*.md) and the README are run. In an indented block
-- that begins with "> ", the lines after "> " and ">> " are typed at the prompt, a page a session;
-- what stands below them must be what the prompt shows ("..." alone: any lines).
--
--   sembed tests/lua/test_manual.lua rewrite=true      puts in the pages what the prompt shows now
--
-- Other indented blocks that begin with "local " or "--" are Lua and must at least parse.
local se = require 'sembed'
local check = require 'check'

local cfg = se.config { rewrite = false }
local top = se.run.folder .. '/../..'
local MARK = '\1' -- on a line of its own before the output of each command

local function pages()
  local names, pipe = { top .. '/README.md' }, io.popen(('ls "%s"/lua/manual/*.md'):format(top))
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

local function lines_of(text)
  local lines = {}
  for line in (text:gsub('\n$', '') .. '\n'):gmatch '(.-)\n' do lines[#lines + 1] = line end
  return lines
end

-- The indented blocks: { first = line number, lines = without the indent }.
local function blocks_of(lines)
  local blocks, open = {}, nil
  for i, line in ipairs(lines) do
    local code = line:match '^    (.*)$'
    if code and not open then
      open = { first = i, lines = {} }
      blocks[#blocks + 1] = open
    end
    if open and code then
      open.lines[#open.lines + 1] = code
    else
      open = nil
    end
  end
  return blocks
end

-- The commands of a transcript: { line, text, expected = lines }.
local function commands_of(block, all)
  for i, line in ipairs(block.lines) do
    local typed = line:match '^> ?(.*)$'
    local more = line:match '^>> ?(.*)$'
    local last = all[#all]
    if more then
      last.text, last.after = last.text .. '\n' .. more, block.first + i - 1
    elseif typed then
      local at = block.first + i - 1
      all[#all + 1] = { line = at, after = at, text = typed, expected = {} }
    else
      last.expected[#last.expected + 1] = line
    end
  end
end

-- What the prompt shows for each command of one session.
local function run_session(page, commands)
  local script = {}
  for _, c in ipairs(commands) do
    script[#script + 1] = ('print "\\1";\n%s\n'):format(c.text)
  end
  local input, folder = os.tmpname(), check.folder()
  check.write(input, table.concat(script))
  local pipe = io.popen(([[cd "%s" && ln -s "%s/recipes" "%s/tests" . &&
    NO_COLOR=1 LC_ALL=C.UTF-8 "%s" <"%s" 2>&1; echo "status $?"]]):format(folder, top, top,
    se.run.program, input))
  local text = pipe:read '*a'
  pipe:close()
  os.remove(input)
  local outputs = {}
  for part in text:gsub('status %d+\n$', ''):gmatch(MARK .. '\n([^' .. MARK .. ']*)') do
    outputs[#outputs + 1] = lines_of(part)
    if part == '' then outputs[#outputs] = {} end
  end
  local at = commands[math.max(1, #outputs)].line
  check.ok(text:match 'status 0\n$' and #outputs == #commands, '%s:%d: the session ended:\n%s',
    page, at, table.concat(outputs[#outputs] or { text }, '\n'))
  return outputs
end

-- Lines as expected, where "..." alone stands for any number of them?
local function fits(got, wanted, g, w)
  g, w = g or 1, w or 1
  if w > #wanted then return g > #got end
  if wanted[w] == '...' then
    for start = g, #got + 1 do
      if fits(got, wanted, start, w + 1) then return true end
    end
    return false
  end
  return got[g] == wanted[w] and fits(got, wanted, g + 1, w + 1)
end

local function rewrite(page, lines, commands, outputs)
  for i = #commands, 1, -1 do
    local c = commands[i]
    for _ = 1, #c.expected do table.remove(lines, c.after + 1) end
    for k, line in ipairs(outputs[i]) do table.insert(lines, c.after + k, '    ' .. line) end
  end
  check.write(page, table.concat(lines, '\n') .. '\n')
end

local function look(page)
  local lines, commands = lines_of(check.read(page)), {}
  for _, block in ipairs(blocks_of(lines)) do
    local first = block.lines[1]
    if first:match '^> ' then
      commands_of(block, commands)
    elseif first:match '^local ' or first:match '^%-%-' then
      local chunk, why = loadstring(table.concat(block.lines, '\n'), '=' .. block.first)
      check.ok(chunk, '%s: %s', page, tostring(why))
    end
  end
  if #commands == 0 then return end
  local outputs = run_session(page, commands)
  local changed = false
  for i, c in ipairs(commands) do
    local same = fits(outputs[i], c.expected)
    changed = changed or not same
    check.ok(same or cfg.rewrite, '%s:%d: %s\nshows\n%s\nnot\n%s', page, c.line, c.text,
      table.concat(outputs[i], '\n'), table.concat(c.expected, '\n'))
  end
  if changed then rewrite(page, lines, commands, outputs) end
end

for _, page in ipairs(pages()) do look(page) end
check.done()
