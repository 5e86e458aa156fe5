-- The loop: logs, saves, stopping, going on bit for bit, a step that fails.
local se = require 'sembed'
local check = require 'check'
local runs = require 'runs'

local base, small, log_of, same_run = runs.base, runs.small, runs.log, runs.same

-- An undisturbed run; the same with 1 and 2 threads.
local text = small('whole')
check.ok(not text:find('\r', 1, true), 'no carriage returns without a terminal')
local log = log_of 'whole'
check.equal(#log, 12, 'lines')
check.equal(log[1].rate, 0, 'rate of step 1')
check.ok(log[12].loss < log[1].loss, 'the loss fell: %g, %g', log[1].loss, log[12].loss)
check.ok(log[3].tokens > 16, 'tokens')
small('one', 'threads=1')
small('two', 'threads=2')
same_run('whole', 'one')
same_run('whole', 'two')
small('other', 'seed=2')
check.ok(log_of('other')[1].loss ~= log[1].loss, 'another seed is another run')

-- Stopped in a step: it is finished and saved; the line that goes on is printed, and works.
for _, stop in ipairs { 1, 5, 8 } do
  local out = 'stopped' .. stop
  text = small(out, 'stop=' .. stop, 143)
  check.ok(text:find(('stopped after step %d, saved in '):format(stop), 1, true), '%s', text)
  check.ok(text:find('resume=auto', 1, true), '%s', text)
  check.equal(#log_of(out), stop, 'log lines')
  check.ok(small(out, '', 1):find('unfinished', 1, true), 'an unfinished run is not overwritten')
  small(out, 'resume=auto')
  same_run('whole', out)
end

-- A step that fails: its name, the op, the line; the save before it stands and is gone on from.
text = small('bad', 'bad=7 save=3', 1)
check.ok(text:find('step 7: ', 1, true), 'step: %s', text)
check.ok(text:find('mul', 1, true), 'op: %s', text)
check.ok(text:find('small_run.lua:21', 1, true), 'line: %s', text)
small('bad', 'resume=auto save=3')
same_run('whole', 'bad')

-- What is not as it was is told: keys, the number of steps, the recipe's text; fewer steps than
-- were made are refused.
small('more', 'steps=6')
text = small('more', 'steps=12 lr=2e-2 resume=auto')
for _, part in ipairs { 'going on with lr=0.02; it was 0.01', 'going on with steps=12; it was 6',
  'going on after step 6' } do
  check.ok(text:find(part, 1, true), '"%s" is missing: %s', part, text)
end
check.ok(not text:find('threads', 1, true) and not text:find('text of the recipe', 1, true),
  'what is as it was is not told: %s', text)
check.equal(#log_of 'more', 12, 'log lines')
text = small('more', 'steps=8 resume=auto', 1)
check.ok(text:find('steps=8: the run in ', 1, true) and text:find('is at step 12', 1, true), '%s',
  text)
check.write(base .. '/more/last/recipe.lua', '-- another\n')
check.ok(small('more', 'steps=13 resume=auto'):find('another text of the recipe', 1, true),
  'another recipe')

-- A folder that cannot be written into is refused before the first step.
check.write(base .. '/file', '')
check.ok(small('file', '', 1):find('/file', 1, true), 'a file in the folder\'s place')

-- A finished run is moved aside, or gone on from with nothing left to do.
small('whole', 'resume=auto')
check.equal(#log_of 'whole', 12, 'nothing more')
text = small('whole')
check.ok(text:find('it is now ', 1, true), 'aside: %s', text)
check.equal(#log_of 'whole.1', 12, 'the old run')
same_run('whole', 'whole.1')
for _, name in ipairs { 'config.json', 'tokenizer.json', 'modules.json', '1_Pooling/config.json',
  'last/recipe.lua', 'last/run.json' } do
  check.ok(se.files.exists(('%s/whole/%s'):format(base, name)), '%s is missing', name)
end

-- Left by break: the next loop starts cleanly.
local model = se.model.mpnet(check.data 'tiny-mpnet')
local talk = se.data.pairs { check.data 'tiny-mpnet/pairs.jsonl', columns = { 'a', 'b' },
  tokenizer = model.tokenizer, length = 32 }
local cfg = { steps = 3, batch = 8, seed = 1 }
local seen
for step, batch in se.train.steps(talk, cfg) do
  seen = model(batch.a)
  if step == 2 then break end
end
local n = 0
for _, batch in se.train.steps(talk, cfg) do
  n = n + 1
  check.fails(function() return seen:totable(true) end, 'step 2')
  check.fails(function() return batch.a.ids:totable() end, 'shard')
  check.equal(batch.a.count, 8, 'texts')
end
check.equal(n, 3, 'steps')
check.fails(function() se.train.log { loss = 1 } end, 'only within')
check.fails(function() se.train.steps(talk, { steps = 0, batch = 8, seed = 1 }) end, 'steps=0')
local run = se.train.cached(function(t) return t end, function(t) return t end,
  { params = model.params, chunk = 4 })
check.fails(function() run(talk:pack('a', { 1, 2, 3, 4, 5 })) end, 'a tensor is wanted: table came')
check.done()
