-- The program: files, names, -e, words and keys, the prompt through a pipe, messages and status.
local check = require 'check'

local folder = check.folder()

local function recipe(text)
  return check.write(folder .. '/recipe.lua', text)
end

local function lines_of(text, status)
  local output, got = check.run(text)
  check.equal(got, status, text .. ': status (' .. output .. ')')
  return output
end

check.ok(lines_of('--version', 0):match '^sembed %d', 'version')
check.ok(lines_of('--help', 0):match 'usage', 'help')
check.equal(lines_of([[-e "print(1 + 1)"]], 0), '2\n', '-e')
check.equal(lines_of([[-e "print(...)" a b=1 c 2>/dev/null || true]], 0), 'a\tc\n', 'words')

-- An error: one message with its place, status 1.
local file = recipe 'local se = require "sembed"\nlocal x = se.zeros(2, 3)\nlocal y = x:matmul(x)\n'
local output = lines_of(file, 1)
check.equal(select(2, output:gsub('\n', '')), 1, 'one line: ' .. output)
check.ok(output:find('recipe.lua:3: matmul', 1, true), 'place: %s', output)
output = lines_of(recipe 'local t = nil\nprint(t.x)\n', 1)
check.ok(output:find('recipe.lua:2: ', 1, true), 'place of a Lua error: %s', output)
output = lines_of(recipe 'local x = = 1\n', 1)
check.ok(output:find('recipe.lua:1: ', 1, true), 'place of a syntax error: %s', output)
output = lines_of(recipe 'require "sembed".config { batch = 1 }\n' .. ' bach=2', 1)
check.ok(output:find('did you mean "batch"', 1, true), 'nearest key: %s', output)
output = lines_of(recipe 'print(1)\n' .. ' batch=2', 1)
check.ok(output:find('takes no keys', 1, true), 'no config: %s', output)
check.ok(lines_of('redit_mpnet', 1):find('"reddit_mpnet"', 1, true), 'nearest recipe')
check.ok(lines_of('nothing/here.lua', 1):find('nothing/here.lua', 1, true), 'missing file')

-- The manual of a recipe is the comment at its head.
output = lines_of(recipe '#!/bin/sembed\n-- What it does.\n--\n--   a=1  a key\nerror()\n--x'
  .. ' a=2 --help', 0)
check.ok(output:find('^What it does%.\n\n  a=1  a key\n\nEvery recipe: threads=N'), output)
check.ok(lines_of('encode --help', 0):find('model=', 1, true), 'by name')
check.ok(lines_of(recipe 'print(1)\n' .. ' help=true', 0):find 'no comment at its head', 'none')
check.equal(lines_of('-e "print(...)" --help', 0), '--help\n', 'words of -e')

-- Files beside the recipe; paths in it are relative to it, paths from the shell are not.
check.write(folder .. '/beside.lua', 'return 42\n')
check.write(folder .. '/one.txt', 'in the recipe\'s folder\n')
file = recipe [[
local se = require 'sembed'
local cfg = se.config { file = 'one.txt' }
print(require 'beside')
for line in se.data.lines(cfg.file) do print(line) end
]]
check.equal(lines_of(file, 0), "42\nin the recipe's folder\n", 'beside')
check.ok(lines_of(file .. ' file=one.txt', 1):find 'one.txt', 'from the shell: current folder')
file = recipe [[
local se = require 'sembed'
for path in se.config { files = '' }.files:gmatch '=([^,]+)' do se.data.lines(path)() end
]]
check.equal(lines_of(file .. ' files=a=README.md,b=LICENSE', 0), '', 'NAME=PATH from the shell')
check.ok(lines_of(file .. ' files=a=README.md,b=EADME.md', 1):find 'EADME.md', 'part of a path')

-- The prompt through a pipe: bare expressions print, locals stay, the first error ends it.
local function prompt(text, status)
  check.write(folder .. '/input', text)
  return lines_of('< ' .. folder .. '/input', status)
end
check.equal(prompt('1 + 1\nlocal x = 5\nx * 2\nfor i = 1, 2 do\nprint(i)\nend\n', 0),
  '2\n10\n1\n2\n', 'prompt')
check.equal(prompt('x = 3;\nx\n{1, 2, a = {b = 3}}\n', 0), '3\n{1, 2, a = {b = 3}}\n', 'values')
check.ok(prompt('nothing.x\nprint(7)\n', 1):find 'nothing' , 'error')
check.equal(prompt('(-se.tensor({2})):item()\n', 0), '-2\n', 'minus')
output = prompt('se.tensor({{1, 2}, {3, 4}})\n? softmax\n', 0)
check.ok(output:find('f32[2,2] mean 2.5', 1, true), 'tensor: %s', output)
check.ok(output:find('softmax(x', 1, true), 'help: %s', output)
output = lines_of('-i ' .. recipe 'G = 11\n' .. ' < ' .. check.write(folder .. '/in', 'G + 1\n'), 0)
check.equal(output, '12\n', '-i')
-- sembed tokenize: one JSON object a line, ids as the tokenizers library gives them.
local se = require 'sembed'
local tiny = check.data 'tiny-mpnet'
output = lines_of(('tokenize model=%s in=%s/pairs.jsonl field=a truncate=false'):format(tiny,
  tiny), 0)
local got = {}
for line in output:gmatch '[^\n]+' do got[#got + 1] = se.json.parse(line) end
local n = 0
for line in se.data.lines(tiny .. '/pairs.jsonl') do
  n = n + 1
  local wanted = se.json.parse(line)
  check.equal(table.concat(got[n].ids, ' '), table.concat(wanted.a_ids, ' '), 'ids of line ' .. n)
  check.equal(#got[n].offsets, #wanted.a_ids, 'offsets of line ' .. n)
end
check.equal(#got, n, 'lines')
check.done()
