-- `?` and `? NAME`: words from the op table and the comments, for everything that can be reached.
local se = require 'sembed'
local check = require 'check'
local docs = require 'sembed.help.docs'
local index = require 'sembed.help.index'
local scan = require 'sembed.help.scan'
local reach = require 'reach'

local function has(name, ...)
  local text = se.help(name)
  for i = 1, select('#', ...) do
    local wanted = select(i, ...)
    check.ok(text:find(wanted, 1, true), '? %s lacks "%s":\n%s', name, wanted, text)
  end
end

local function starts(name, wanted)
  check.equal(se.help(name):sub(1, #wanted), wanted, '? ' .. name)
end

-- --- names ---

starts('softmax', 'softmax(x, axis = -1)\nexp(x) / sum(exp(x)) over an axis')
check.equal(se.help 'se.softmax', se.help 'softmax', 'with se.')
starts('concat', 'concat({xs, ...}, axis = 1)\n') -- axes count from 1
starts('se.train.steps', 'se.train.steps(data, cfg, parts)\n')
for _, name in ipairs { 'steps', 'train.steps', 'se.train.steps(data)' } do
  check.equal(se.help(name), se.help 'se.train.steps', name)
end
has('se.model', 'se.model.mpnet', 'se.model.open', 'Sentence encoders')
starts('adamw', 'se.optim.adamw(params, options)\nAdamW in the forms of')
has('adamw', 'AdamW:update', 'also', 'se.adamw')
starts('who', 'who()\n')
has('loss.in_batch', 'contrastive', 'se.loss.in_batch.symmetric')
starts('x:rows', 'tensor:rows(first, last)\n')
starts('x:matmul', 'matmul(a, b')
has('recipes', 'encode', 'a recipe: Texts -> vectors')
starts('encode', 'sembed encode [key=value]...\nTexts -> vectors.\n')
has('encode', 'calibrate=FILE', "output = 'float32'")
starts('training', '# Training\n')
has('data.md', '# Data')
has('ops', 'softmax', 'elementwise: ')
has('elementwise', 'sqrt')
starts('norm', 'norm(x, axes = {}') -- the op, and the group of ops beside it
has('norm', 'also', 'ops/norm', 'Ops over the last axis')
starts('ops/norm', 'ops/norm\nOps over the last axis')
has('se.op.define', 'args = ', 'From then on') -- the module that it hands on to
has('search.negatives', 'mine_hard_negatives', 'range_min')
starts('se.tensor', 'se.tensor(value, dtype)')

-- --- what is no name ---

has('sofmax', 'no help on "sofmax"', 'did you mean softmax')
has('x:matmull', 'matmul')
has('smoothing', '"smoothing" is mentioned by', 'se.cross_entropy')
has('detach', 'x:stop_grad()') -- the page's line that has the word
check.equal(se.help.find 'qqqqqqqqqqqqqqqq', nil, 'nothing near')
for _, name in ipairs { '%', '[', 'x:', ':', '.', '\0', ('a'):rep(10000), 'é', 'se.' } do
  check.equal(type(se.help(name)), 'string', name)
end

-- --- values of the session ---

local function at_prompt(text)
  local input = check.write(os.tmpname(), text)
  local output, status = check.run('<' .. input)
  os.remove(input)
  return output, status
end

local file = check.folder() .. '/mine.lua'
check.write(file, '-- Twice x, a tensor.\nfunction twice(x, more)\n  return x * 2\nend\n')
local said = at_prompt((
  "dofile '%s'\nx = se.ones(2)\n? x\n? twice\ncfg = {}\n? cfg\n"):format(file))
for _, wanted in ipairs { 'x is a tensor, f32[2]', 'twice(x, more)\nTwice x, a tensor.',
  'cfg is a table' } do
  check.ok(said:find(wanted, 1, true), 'a value of the session: %s', said)
end

-- --- how to begin: ten lines, of which the indented ones can be typed ---

local general, lines, typed = se.help '', 0, {}
for line in (general .. '\n'):gmatch '(.-)\n' do
  lines = lines + 1
  check.ok(#line <= 100, '"?": too wide: %s', line)
  typed[#typed + 1] = line:match '^  (%S.*)$'
end
check.equal(lines, 10, 'lines of "?"')
check.ok(#typed >= 4, 'an example')
local shown, status = at_prompt(table.concat(typed, '\n') .. '\n')
check.equal(status, 0, shown)
for _, wanted in ipairs { '{{0.4621, 0.8005}', '{{0.3728, 0.6019}', 'leaf prompt:1' } do
  check.ok(shown:find(wanted, 1, true), '"?" shows %s:\n%s', wanted, shown)
end
for name in general:gmatch '%? ([%l_][%w_.:]*)' do
  check.ok(se.help.find(name), '"?" names %s, which has no help', name)
end
for _, page in ipairs(docs.pages()) do
  check.ok(general:find(page, 1, true), '"?" lacks the page %s', page)
end

-- --- everything that se reaches has words ---

local named = {}
for _, entry in ipairs(index.all()) do
  check.ok(entry.doc ~= '', '%s has no words: a comment above it is missing', entry.path)
  check.ok(entry.doc:find '%a', '%s has no words', entry.path)
  named[entry.path] = true
end

local reached = 0
reach(function(path)
  reached = reached + 1
  check.ok(named[path], '%s is not in the index', path)
end)
check.ok(reached > 200, 'functions and modules: %d', reached)
for _, name in ipairs { 'time', 'who', 'show', 'profile', 'reload' } do
  check.ok(named[name], 'the prompt has %s', name)
end
for _, name in ipairs(se.op.names) do
  check.ok(named['se.' .. name], 'the op %s is in no group', name)
  check.ok(se.op.specs[name].doc ~= '', '%s: no doc', name)
end
for _, group in ipairs(index.groups()) do
  check.ok(group.name ~= 'others', 'ops in no file: %s', group.parts[1].name)
end

-- --- the comments that were built in are those of the files ---

local top = se.run.folder .. '/../../lua/sembed/'
for name, path in pairs { ['sembed.train'] = 'train.lua', ['sembed.nn'] = 'nn.lua' } do
  local fresh, built = scan.module(check.read(top .. path)), docs.module(name)
  check.equal(built.head, fresh.head, path)
  check.equal(#built.entries, #fresh.entries, path)
  for i, entry in ipairs(fresh.entries) do
    check.equal(built.entries[i].name .. built.entries[i].doc, entry.name .. entry.doc, path)
  end
end

-- --- how comments are read ---

local module = scan.module [[
#!/usr/bin/env luajit
-- The head.

local m = {}

-- --- a section ---

function m.silent() end

-- About a.
function m.a(x) return x end
function m.b(y) return y end

function m.c()
  return 1
end -- not this
m.d = function(z) return z end -- behind it
return m
]]
local got = {}
for i, e in ipairs(module.entries) do got[i] = e.name .. e.args .. '=' .. e.doc end
check.equal(table.concat(got, ' '), 'silent()= a(x)=About a. b(y)=About a. c()= d(z)=behind it',
  'comments')
check.equal(module.head, 'The head.', 'head')
check.equal(module.returned, 'm', 'returned')
check.done()
