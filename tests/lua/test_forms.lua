-- Forms of pairs from Lua and from the shell, and the recipes that train on triplets and on talk
-- with older contexts.
local se = require 'sembed'
local check = require 'check'

local base = check.folder()
local tiny = check.data 'tiny-mpnet'
local talk = check.data 'comments/expected-pairs.jsonl.gz'

local lines, columns, left, right, texts = {}, { 'anchor,positive,negative' }, {}, {}, {}
for line in se.data.lines(tiny .. '/pairs.jsonl') do
  local pair = se.json.parse(line)
  texts[#texts + 1] = { pair.a, pair.b }
end
local function quoted(text) return '"' .. text:gsub('"', '""') .. '"' end
for i = 1, #texts do
  local a, b, n = texts[i][1], texts[i][2], texts[i % #texts + 1][2]
  lines[i] = se.json.encode { query = a, pos = se.json.array { b }, neg = se.json.array { n } }
  columns[i + 1] = ('%s,%s,%s'):format(quoted(a), quoted(b), quoted(n))
  left[i], right[i] = a, b
end
local function write(name, list)
  return check.write(base .. '/' .. name, table.concat(list, '\n') .. '\n')
end
local jsonl, csv = write('t.jsonl', lines), write('t.csv', columns)
local sts = write('sts.tsv', { 'one two\tone three\t3', 'four\tfive\t1', 'six\tsix\t5' })
write('left.txt', left)
write('right.txt', right)

-- Two files of plain text: in Lua, in a data_config.json, and from the shell beside the current
-- folder.
local both = se.data.pairs { base .. '/left.txt+' .. base .. '/right.txt' }
check.equal(both:count(), #texts, 'lines of both')
check.equal(both:text('response', 3), texts[3][2], 'a line of the right one')
check.write(base .. '/data_config.json', '[{"name": "left.txt+right.txt", "weight": 1}]')
local mixture = se.data.mixture.open { base .. '/data_config.json', tokens = base .. '/tokens',
  length = 128, tokenizer = se.tokenizer.open(tiny) }
check.equal(mixture:count(), #texts, 'lines of both in a data_config.json')
check.equal(mixture:text('context', 2), texts[2][1], 'a line of the left one')
local status = os.execute(('cd %s && "%s" tokens model="%s" in=left.txt+right.txt tokens=tokens ' ..
  '>said 2>&1'):format(base, se.files.absolute(se.run.program), se.files.absolute(tiny)))
local text = check.read(base .. '/said')
check.equal(status, 0, text)
check.ok(text:find(('%d pairs in '):format(#texts), 1, true), '%s', text)
check.ok(text:find('there already', 1, true), 'the token file is the one that is there: %s', text)

local function log_of(out)
  local list = {}
  for line in se.data.lines(base .. '/' .. out .. '/log.jsonl') do
    list[#list + 1] = se.json.parse(line)
  end
  return list
end
local function recipe(name, out, keys)
  text, status = check.run(('recipes/%s.lua weights=%s out=%s/%s tokens=%s/tokens steps=3 warmup=1 '
    .. 'batch=8 lr=1e-3 length=32 %s'):format(name, tiny, base, out, base, keys))
  check.equal(status, 0, text)
  local log, found = {}, {}
  for _, record in ipairs(log_of(out)) do
    if record.evaluation then found[#found + 1] = record.evaluation else log[#log + 1] = record end
  end
  check.equal(#log, 3, name .. ': steps')
  for _, step in ipairs(log) do check.ok(step.loss > 0 and step.norm > 0, '%s: a loss', name) end
  return log, found
end

-- The same triplets in two forms give the same losses; pairs are refused.
local a, found = recipe('nli_triplets', 'a', ('data=%s triplets=%s pairs=%s sts=%s evaluate=2 '
  .. 'best=accuracy'):format(jsonl, jsonl, jsonl, sts))
check.equal(#found, 3, 'evaluations: before, after step 2, after')
for _, name in ipairs { 'accuracy', 'one_of_100', 'mrr', 'spearman' } do
  check.ok(found[3][name] <= 1 and found[3][name] >= -1, 'evaluation: %s', name)
end
check.ok(se.files.exists(base .. '/a/best/model.safetensors'), 'OUT/best')
local b = recipe('nli_triplets', 'b', 'columns=anchor,positive,negative data=' .. csv)
for i = 1, 3 do check.equal(a[i].loss, b[i].loss, 'loss of jsonl and csv') end
text, status = check.run(('recipes/nli_triplets.lua weights=%s data=%s/left.txt+%s/right.txt '
  .. 'tokens=%s/tokens out=%s/c'):format(tiny, base, base, base, base))
check.equal(status, 1, text)
check.ok(text:find('pairs, triplets are wanted', 1, true), '%s', text)

-- Older contexts are joined, the newest first; with none of them the texts are shorter.
local with, told = recipe('reddit_multi_context', 'with', 'chunk=4 held=0.2 data=' .. talk)
check.ok(#told == 2 and told[2].one_of_100 <= 1, 'evaluated on what is held out')
local without = recipe('reddit_multi_context', 'without', 'contexts=0 held=0.2 data=' .. talk)
check.ok(with[1].tokens > without[1].tokens, 'tokens with older contexts')
local one = se.data.pairs { talk, columns = { 'context+context/0+context/1', 'response' } }
check.equal(one:text('context+context/0+context/1', 1),
  'Hello, how is it haning. Opps, sorry I meant hanging. hello?', 'joined')

check.done()
