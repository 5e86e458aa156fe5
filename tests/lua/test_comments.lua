-- Comments -> pairs: the pairs that the builder of the Reddit data set makes, whatever the memory,
-- the threads and the stops; markdown taken out.
local se = require 'sembed'
local check = require 'check'

local base = check.folder()

-- The lines of a finished job or of a file, in an order of their own.
local function lines_of(path, side)
  local list = {}
  for line in se.data.lines(path) do
    local pair = se.json.parse(line)
    pair.split = pair.split or side
    local keys, parts = {}, {}
    for key in pairs(pair) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do parts[i] = ('%s=%q'):format(key, pair[key]) end
    list[#list + 1] = table.concat(parts, ' ')
  end
  return list
end

local function pairs_of(out)
  local list = lines_of(out .. '/train.jsonl.gz', 'train')
  for _, line in ipairs(lines_of(out .. '/test.jsonl.gz', 'test')) do list[#list + 1] = line end
  table.sort(list)
  return list
end

local ALL = 'all=true contexts=9'
local function build(name, source, keys, status)
  local out = base .. '/' .. name
  local text, got = check.run(('pairs in=%s out=%s %s'):format(source, out, keys))
  check.equal(got, status or 0, ('%s: %s'):format(name, text))
  return out, text
end

local edge, sample = check.data 'comments/comments-edge.jsonl',
  check.data 'comments/comments-sample.jsonl.gz'
for _, case in ipairs { { 'edge', edge, 'comments/expected-edge-pairs.jsonl', 37 },
  { 'sample', sample, 'comments/expected-pairs.jsonl.gz', 2964 } } do
  local out, text = build(case[1], case[2], ALL)
  local got, wanted = pairs_of(out), lines_of(check.data(case[3]))
  table.sort(wanted)
  check.equal(#wanted, case[4], case[3])
  check.equal(table.concat(got, '\n'), table.concat(wanted, '\n'), case[1])
  check.ok(text:find('pairs for training', 1, true), '%s', text)
  check.ok(not se.files.exists(out .. '/parts'), 'the folder of parts is gone')
end

-- One thread, several: the same bytes. Little memory, from standard input, whose size is not known,
-- and parts that turn out too large and are split: the same pairs.
local function bytes(out)
  return check.read(out .. '/train.jsonl.gz') .. check.read(out .. '/test.jsonl.gz')
end
local plain = base .. '/sample.jsonl'
local all, four = {}, {}
for line in se.data.lines(sample) do all[#all + 1] = line end
for i = 1, 4 do
  for _, line in ipairs(all) do four[#four + 1] = line:gsub('t3_', 't3_' .. i .. 'x') end
end
se.files.write(plain, table.concat(all, '\n') .. '\n')
se.files.write(base .. '/four.jsonl', table.concat(four, '\n') .. '\n')
check.equal(os.execute(('gzip -c %s/four.jsonl >%s/four'):format(base, base)), 0, 'gzip')
local function job(name, source, steps)
  local options = { all = true, contexts = 9, memory = '1M' }
  return se.data.comments.open(base .. '/' .. name, { source }, options):run(steps)
end
check.ok(bytes(build('one', plain, ALL .. ' threads=1')) == bytes(build('three', plain, ALL
  .. ' threads=3')), 'threads change nothing')
local _, status = check.run(('pairs in=- out=%s/piped %s <%s'):format(base, ALL, plain))
check.equal(status, 0, 'from standard input')
local wanted = table.concat(pairs_of(base .. '/sample'), '\n')
job('little', plain)
for _, name in ipairs { 'one', 'piped', 'little' } do
  check.equal(table.concat(pairs_of(base .. '/' .. name), '\n'), wanted, name)
end
check.equal(job('four_split', base .. '/four').train,
  job('four_plain', base .. '/four.jsonl').train, 'split parts: as many pairs')
check.equal(table.concat(pairs_of(base .. '/four_split'), '\n'),
  table.concat(pairs_of(base .. '/four_plain'), '\n'), 'split parts: the same pairs')

-- Stopped after each piece of the work and opened anew.
local steps, made = 0
repeat
  made = job('stopped', plain, 1 + steps % 3)
  steps = steps + 1
until made.done
check.ok(steps > 5, '%d stops', steps)
check.ok(bytes(base .. '/stopped') == bytes(base .. '/little'), 'stops change nothing')
steps = 0
repeat
  made = job('four_stopped', base .. '/four', 2)
  steps = steps + 1
until made.done
check.ok(steps > 20, '%d stops', steps)
check.ok(bytes(base .. '/four_stopped') == bytes(base .. '/four_split'), 'nor of split parts')
check.fails(function() job('stopped', plain) end, 'holds finished pairs')
local half = se.data.comments.open(base .. '/half', { plain }, { memory = '1M' })
half:run(2)
local function open_other()
  se.data.comments.open(base .. '/half', { edge }, { memory = '1M' })
end
check.fails(open_other, 'a job of other files or options')
check.fails(function() half:run() end, 'this job is closed')
check.ok(not se.files.exists(base .. '/half/lock'), 'a lock was left')

-- Only what training needs; mistakes.
local pair = lines_of(build('short', edge, '') .. '/train.jsonl.gz', 'train')[1]
check.ok(pair:match '^context=".-" response=".-" split="train"$', '%s', pair)
se.files.write(base .. '/bad.jsonl', all[1] .. '\n{"id": "x", "link_id": null}\nnothing\n')
local _, text = build('bad', base .. '/bad.jsonl', '', 1)
check.ok(text:find('bad.jsonl:2: "link_id" is null, expected a string', 1, true), '%s', text)
_, text = build('skipped', base .. '/bad.jsonl', 'skip_bad=true')
check.ok(text:find('2 lines were no comments', 1, true), '%s', text)
se.files.write(base .. '/empty.jsonl', '\n')
_, text = build('empty', base .. '/empty.jsonl', '', 1)
check.ok(text:find('no comments: blank lines only', 1, true), '%s', text)

-- Markdown.
for text_in, text_out in pairs {
  ['**so** [what](http://x.y/z)?'] = 'so what?', ['2 * 3 * 4'] = '2 * 3 * 4',
  ['> quoted\nanswer *yes*'] = 'answer yes', ['&gt; q\n&amp;amp; &#39;x&#39;'] = "&amp; 'x'",
  ['a_b_c _em_ __strong__'] = 'a_b_c em strong', ['# Head\n\n* one\n1. two'] = 'Head one two',
  ['\\*not\\*'] = '*not*', ['>!spoiler!< ok'] = 'spoiler ok', ['***both***'] = 'both',
  ['[x]('] = '[x](', ['**'] = '**', [''] = '', ['x^2 ^^tiny ^(up there)'] = 'x^2 tiny up there',
  ['`a *b*` ~~gone~~'] = 'a *b* gone', ['caf\195\169  ok'] = 'caf\195\169 ok',
} do
  check.equal(se.data.markdown(text_in), text_out, text_in)
end
local clean = { '{"id":"a","link_id":"t3_t","parent_id":"t3_t","body":"**A bold claim**, it is"}',
  '{"id":"b","link_id":"t3_t","parent_id":"t1_a","body":"> A bold claim\\n\\nNo, *really* not"}' }
se.files.write(base .. '/marked.jsonl', table.concat(clean, '\n'))
local out = build('clean', base .. '/marked.jsonl', 'clean=true')
check.equal(pairs_of(out)[1]:match '^context="A bold claim, it is" response="No, really not"'
  ~= nil, true, 'markdown is taken out')

check.done()
