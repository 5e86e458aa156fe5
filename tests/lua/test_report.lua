-- The report of a run: a page that is well-formed whatever the log holds, with the log's numbers;
-- comparison; logs that are unfinished, broken or none.
local se = require 'sembed'
local check = require 'check'
local xml = require 'xml'

local base = check.folder()

local function folder(name, log, about)
  assert(os.execute(("mkdir -p '%s/%s'"):format(base, name)) == 0)
  if log then check.write(('%s/%s/log.jsonl'):format(base, name), log) end
  if about then
    check.write(('%s/%s/run.json'):format(base, name), se.json.encode(about) .. '\n')
  end
  return base .. '/' .. name
end

local function page_of(...)
  local page = se.report({ ... }):page()
  local start = '<!DOCTYPE html>\n'
  check.equal(page:sub(1, #start), start, 'what a browser wants first')
  local tree = xml.parse(page:sub(#start + 1))
  check.ok(tree, 'not well-formed: %s', page)
  check.ok(not page:find '<script' and not page:find 'src=' and not page:find 'href'
    and not page:find 'url%(' and not page:find '@import', 'on its own')
  check.ok(not page:find '[%z\1-\8\11-\31\127]', 'characters')
  check.ok(page:find('prefers-color-scheme:dark', 1, true), 'dark')
  return tree, page
end

-- name -> value of the tiles.
local function tiles_of(tree)
  local found = {}
  for _, tile in ipairs(xml.of_class(tree, 'div', 'tile')) do
    found[xml.text(xml.each(tile, 'h2')[1])] = xml.text(xml.each(tile, 'p')[1])
  end
  return found
end

-- The cells of the table below a heading.
local function table_of(tree, heading)
  for _, section in ipairs(xml.each(tree, 'section')) do
    local h2 = xml.each(section, 'h2')[1]
    if h2 and xml.text(h2):find(heading, 1, true) == 1 then
      local rows = {}
      for i, tr in ipairs(xml.each(section, 'tr')) do
        rows[i] = {}
        for _, cell in ipairs(tr.content) do rows[i][#rows[i] + 1] = xml.text(cell) end
      end
      return rows
    end
  end
  error('no table: ' .. heading)
end

local function row_of(rows, name)
  for _, row in ipairs(rows) do
    if row[1] == name then return row end
  end
  error('no row: ' .. name)
end

local function titles_of(tree)
  local names = {}
  for _, figure in ipairs(xml.each(tree, 'figure')) do
    names[#names + 1] = xml.text(xml.each(figure, 'title')[1])
  end
  return table.concat(names, ', ')
end

-- Where a curve's points are: x, y of the path with most of them.
local function curve_of(tree, number, class)
  local most = {}
  for _, path in ipairs(xml.of_class(xml.each(tree, 'figure')[number], 'path', class)) do
    local points = {}
    for x, y in path.attributes.d:gmatch '[ML]([%d.]+) ([%d.]+)' do
      points[#points + 1] = { tonumber(x), tonumber(y) }
    end
    if #points > #most then most = points end
  end
  return most
end

local function log_of(n, loss)
  local lines = { '{"step":0,"evaluation":{"rho":0.25,"loss":9.5},"elapsed":1,"seconds":1}' }
  for i = 1, n do
    lines[#lines + 1] = ('{"step":%d,"loss":%.17g,"norm":%g,"rate":%g,"elapsed":%d,"tokens":500,'
      .. '"tokens_per_second":%d}'):format(i, loss(i), 2 + i % 2, i / 1000, i + 1, 1000 + i % 3)
  end
  lines[#lines + 1] = ('{"step":%d,"evaluation":{"rho":0.7501,"loss":1.5},"elapsed":1}'):format(n)
  return table.concat(lines, '\n') .. '\n'
end

-- --- one run ---

local about = { command = 'sembed first.lua lr=0.1 resume=auto', folder = '/there',
  config = { steps = 20, lr = 0.1, out = 'runs/a', data = '', mixed = true },
  parameters = 1234567, pairs = 5000,
  sessions = { { after = 0, began = '2026-01-02 03:04:05', machine = 'one', threads = 4 },
    { after = 10, began = '2026-01-03 03:04:05', machine = 'two', threads = 8 } } }
local a = folder('a', log_of(20, function(i) return 21 - i end), about)
local tree = page_of(a)
local tiles = tiles_of(tree)
check.equal(xml.text(xml.each(tree, 'h1')[1]), 'a', 'name')
check.equal(xml.text(xml.of_class(tree, 'span', 'state')[1]), 'finished', 'state')
for name, value in pairs { steps = '20', loss = '1', ['evaluation: rho'] = '0.7501',
  ['evaluation: loss'] = '1.5', ['tokens a second'] = '1,001', time = '0:21' } do
  check.equal(tiles[name], value, name)
end
check.equal(titles_of(tree), 'Loss, Evaluation: loss, Evaluation: rho, Learning rate, '
  .. 'Norm of the gradients, Tokens a second', 'figures')
local points = curve_of(tree, 1, 'se-s1')
check.equal(#points, 20, 'points of the loss')
for i = 3, 20 do -- a straight line falls by as much in each step; places are rounded to 0.1
  check.near(points[i][2] - points[i - 1][2], points[2][2] - points[1][2], 0.21, 'falls')
  check.near(points[i][1] - points[i - 1][1], points[2][1] - points[1][1], 0.21, 'steps')
end
check.ok(points[20][2] > points[1][2] + 100, 'downwards')
local rows = table_of(tree, 'Evaluations')
check.equal(table.concat(rows[1], '|'), 'step|loss|rho', 'head')
check.equal(table.concat(rows[2], '|'), '0|9.5|0.25', 'before')
check.equal(table.concat(rows[3], '|'), '20|1.5|0.7501', 'after')
rows = table_of(tree, 'Config')
check.equal(row_of(rows, 'lr')[2], '0.1', 'lr')
check.equal(row_of(rows, 'data')[2], '(empty)', 'data')
check.equal(row_of(rows, 'mixed')[2], 'true', 'mixed')
rows = table_of(tree, 'Environment, 2 sessions')
check.equal(row_of(rows, 'parameters')[2], '1,234,567', 'parameters')
check.equal(table.concat(row_of(rows, 'threads'), '|'), 'threads|4|8', 'threads')
check.equal(table.concat(row_of(rows, 'after step'), '|'), 'after step|0|10', 'sessions')
check.equal(xml.text(xml.each(tree, 'pre')[1]), 'sembed first.lua lr=0.1', 'command')

-- Long enough for means: each step stands behind.
local b = folder('b', log_of(200, function(i) return i % 2 == 0 and 3 or 5 end),
  { config = { steps = 400, lr = 0.2, mixed = true }, command = 'sembed first.lua' })
tree = page_of(b)
check.equal(tiles_of(tree).loss, '4', 'the mean of 4 steps')
check.ok(curve_of(tree, 1, 'se-s2')[150][2] ~= curve_of(tree, 1, 'se-s1')[150][2], 'two curves')
check.equal(xml.text(xml.of_class(tree, 'span', 'state')[1]), 'unfinished, 50 % done', 'state')
check.equal(xml.text(xml.each(tree, 'pre')[1]), 'sembed first.lua resume=auto', 'to go on')
local text = se.report(b):text { utf8 = true, columns = 70 }
check.ok(text:find('mean of 4 steps', 1, true) and not text:find('each step', 1, true)
  and text:find('to go on:\n  sembed first.lua resume=auto', 1, true), 'text: %s', text)
local smooth = require('sembed.report.curves').smooth({ 1, 0 / 0, 3, 8, 1 / 0, 2 }, 2)
check.ok(smooth[1] == 1 and smooth[2] ~= smooth[2] and smooth[3] == 3 and smooth[4] == 5.5
  and smooth[5] ~= smooth[5] and smooth[6] == 2, 'means of what is finite')

-- --- several ---

tree = page_of(a, b)
rows = table_of(tree, 'Results')
check.equal(table.concat(rows[1], '|'), '|a|b', 'runs')
check.equal(table.concat(row_of(rows, 'loss'), '|'), 'loss|1|4', 'loss')
check.equal(table.concat(row_of(rows, 'state'), '|'), 'state|finished|unfinished, 50 % done', '')
rows = table_of(tree, 'Keys that differ')
check.equal(#rows, 4, 'data, lr, steps')
check.equal(table.concat(row_of(rows, 'lr'), '|'), 'lr|0.1|0.2', 'lr')
check.equal(table.concat(row_of(rows, 'data'), '|'), 'data|(empty)|–', 'data')
check.equal(#curve_of(tree, 1, 'se-s1'), 20, 'a')
check.equal(#curve_of(tree, 1, 'se-s2'), 200, 'b')
local same = folder('deep/a', log_of(3, function() return 2 end))
tree = page_of(a, same)
check.equal(table.concat(table_of(tree, 'Results')[1], '|'), '|' .. a .. '|' .. same, 'labels')
page_of(same, b, a)
check.ok(se.report({ a, b }):text { utf8 = false, columns = 60 }:find 'keys that differ\n', 'text')

-- --- what nobody expects ---

local nasty = '<b>&"\'\1\127\239\191\191 ]]> </script>'
local evil = folder('<i>&', se.json.encode { step = 1, loss = 'nan', [nasty] = 1, norm = 'inf',
  text = nasty } .. '\n' .. se.json.encode { step = 1, evaluation = { [nasty] = 'nan', x = 1 } }
  .. '\n' .. se.json.encode { step = 2, error = nasty, batch = nasty } .. '\n',
  { command = nasty, folder = nasty, config = { [nasty] = nasty, steps = 'many', list = { 1, 2 } },
    sessions = { { machine = nasty, threads = {} }, 7 } })
tree = page_of(evil)
check.equal(xml.text(xml.each(tree, 'h1')[1]), '<i>&', 'name')
check.equal(#xml.each(tree, 'b'), 1, 'no tags from the log') -- the page's own
check.equal(xml.text(xml.of_class(tree, 'span', 'state')[1]), 'went wrong in step 2', 'state')
check.ok(xml.text(xml.of_class(tree, 'p', 'bad')[1]):find('<b>&"', 1, true), 'the error')
page_of(evil, a)

local function noted(name, log, note)
  local found = page_of(folder(name, log))
  local notes = xml.of_class(found, 'p', 'note')
  check.equal(notes[1] and xml.text(notes[1]) or nil, note, name)
  return found
end
noted('cut', '{"step":1,"loss":2}\n{"step":2,"lo', 'the log ends within line 2, which is left out')
noted('holes', '{"step":1,"loss":2}\nrubbish\n\n[1]\n{"step":2,"loss":1}\n{"step":"x"}\n',
  '4 lines of the log cannot be read, the first is line 2')
tree = noted('again', '{"step":1,"loss":9}\n{"step":2,"loss":8}\n{"step":2,"loss":3}\n',
  'step 2 is there again: what came before it is taken for undone')
check.equal(#curve_of(tree, 1, 'se-s1'), 2, 'points')
check.equal(tiles_of(tree).loss, '3', 'the later one')
noted('few', '{"step":1}\n')
noted('some', '{"step":1,"loss":1}\n{"step":2,"new":1}\n{"step":3,"loss":4,"new":2}\n')
noted('failed', '{"step":1,"error":"step 1: mul"}\n', 'This run went wrong. step 1: mul')
page_of(folder('bad about', '{"step":1}\n', { 1, 2 }))
check.write(base .. '/few/run.json', '{"config":')
page_of(base .. '/few')
tree = page_of(a .. '/', b .. '/log.jsonl')
check.equal(table.concat(table_of(tree, 'Results')[1], '|'), '|a|b', 'paths')

local function refused(path, ...)
  return (check.fails(function() se.report { path } end, ...))
end
refused(base .. '/none', base .. '/none: no such folder')
refused(base .. '/a/run.json', 'a file', 'the folder of a run is wanted')
refused(folder 'nothing', 'no run\'s folder', 'no log.jsonl')
refused(base .. '/deep', 'no run\'s folder', 'a run in it is a')
refused(base, 'runs in it are ', 'again', 'holes')
refused(folder('empty', ''), 'log.jsonl is empty: no step of this run has ended yet')
refused(folder('rubbish', 'what\nis\nthis\n'), 'log.jsonl:1: no line of a run\'s log')
check.fails(function() se.report { a, b, a } end, 'is there twice')
check.fails(function() se.report {} end, 'the folder of a run is missing')
check.fails(function() se.report { 7 } end, 'a folder is a number')

-- --- the recipe, on a run that a training wrote ---

local SMALL = se.run.folder .. '/small_run.lua'
local out = base .. '/real'
local said, status = check.run(('%s out=%s eval=true evaluate=5 stop=7'):format(SMALL, out))
check.equal(status, 143, said)
local function report(words, wanted)
  local words_said, got = check.run('report ' .. words)
  check.equal(got, wanted or 0, words_said)
  return words_said
end
check.equal(report(out), ('written: %s/report.html\n'):format(out), 'what it says')
tree = xml.parse((check.read(out .. '/report.html'):gsub('^<!DOCTYPE html>\n', '')))
check.equal(tiles_of(tree).steps, '7', 'steps')
check.ok(xml.text(xml.each(tree, 'pre')[1]):find(' resume=auto', 1, true), 'to go on')
check.run(('%s out=%s eval=true evaluate=5 resume=auto'):format(SMALL, out))
report(out)
tree = xml.parse((check.read(out .. '/report.html'):gsub('^<!DOCTYPE html>\n', '')))
rows = table_of(tree, 'Environment, 2 sessions')
check.equal(table.concat(row_of(rows, 'after step'), '|'), 'after step|0|7', 'sessions')
check.equal(row_of(rows, 'sembed')[3], se.version, 'version')
check.equal(row_of(rows, 'threads')[2], tostring(se.threads()), 'threads')
check.equal(row_of(table_of(tree, 'Config'), 'batch')[2], '16', 'batch')
check.equal(#table_of(tree, 'Evaluations'), 5, 'evaluations after 0, 5, 10, 12')
check.ok(report(out .. ' text=true'):find('Evaluation: loss', 1, true), 'curves')
check.equal(report(('%s %s out=%s/two.html'):format(out, a, base)),
  ('written: %s/two.html\n'):format(base), 'two')
check.ok(report('runs/none', 1):find('runs/none: no such folder', 1, true), 'no folder')
check.ok(report('text=true', 1):find('sembed report RUN', 1, true), 'no words')
check.ok(report(out .. ' out=/none/x.html', 1):find('/none/x.html', 1, true), 'no place')
check.ok(report(''):find('sembed report RUN RUN2', 1, true), 'manual')
check.done()
