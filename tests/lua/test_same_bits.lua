-- Fifty steps with dropout, chunks, noise and a mixture of two data sets: the same losses and
-- weights on any number of threads and after restarts; recipes/mixture.lua likewise.
local se = require 'sembed'
local check = require 'check'

local base = check.folder()
local tokens = base .. '/tokens'

local function run(recipe, out, keys)
  local text, status = check.run(('%s out=%s/%s tokens=%s steps=50 %s'):format(recipe, base, out,
    tokens, keys))
  check.equal(status, 0, ('%s %s: %s'):format(out, keys, text))
  return text
end

local function losses(out)
  local list = {}
  for line in se.data.lines(('%s/%s/log.jsonl'):format(base, out)) do
    local record = se.json.parse(line)
    list[#list + 1] = ('%d %.17g %.17g'):format(record.step, record.loss, record.norm)
  end
  return list
end

local function same(a, b)
  local x, y = losses(a), losses(b)
  check.equal(#x, 50, a .. ': steps')
  check.equal(table.concat(y, '\n'), table.concat(x, '\n'), b .. ': losses')
  for _, name in ipairs { 'model.safetensors', 'last/optimizer.safetensors' } do
    check.ok(check.read(('%s/%s/%s'):format(base, a, name))
      == check.read(('%s/%s/%s'):format(base, b, name)), '%s and %s: %s', a, b, name)
  end
end

-- Copies a run as it would be had it been killed after the save of a step: its `last` names that
-- one, and the log has lines that came after it.
local function killed_at(from, to, step)
  local path = base .. '/' .. to
  assert(os.execute(('cp -a %s/%s %s && ln -sfn save-%d %s/last && rm -r %s/save-50'):format(base,
    from, path, step, path, path)) == 0)
end

local small = se.run.folder .. '/restart_run.lua'
local data = se.run.folder .. '/../../recipes/data'
se.files.write(base .. '/data_config.json', se.json.encode {
  { name = data .. '/test.jsonl.gz', weight = 2 },
  { name = check.data 'tiny-mpnet/pairs.jsonl', weight = 1, columns = { 'a', 'b' } },
})
local mixture = data .. '/../mixture.lua'
local keys = 'layers=1 hidden=32 heads=2 batch=24 length=32 chunk=7 mixed=1 data=' .. base
  .. '/data_config.json'
for _, case in ipairs { { small, 'small', 'name_best=0' }, { mixture, 'mixture', keys } } do
  local recipe, name, more = unpack(case)
  more = more .. ' warmup=5 save=15 keep=0 '
  run(recipe, name, more .. 'threads=1')
  for threads = 2, 3 do
    run(recipe, name .. threads, more .. 'threads=' .. threads)
    same(name, name .. threads)
  end
  for _, step in ipairs { 15, 45 } do
    local again = ('%s_%d'):format(name, step)
    killed_at(name, again, step)
    local text = run(recipe, again, more .. 'resume=auto threads=2')
    check.ok(text:find('going on after step ' .. step, 1, true), '%s', text)
    same(name, again)
  end
  run(recipe, name .. '_seed', more .. 'seed=2')
  check.ok(losses(name .. '_seed')[1] ~= losses(name)[1], 'another seed is another run')
end
local manual = check.run(mixture)
check.ok(manual:find('data_config.json', 1, true), 'without data: %s', manual)
check.done()
