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

-- Left by break: what is computed next finds that out; what was made in the last step and behind it
-- stays, an update made in it counts, and the log has the steps before it.
local model = se.model.mpnet(check.data 'tiny-mpnet')
local talk = se.data.pairs { check.data 'tiny-mpnet/pairs.jsonl', columns = { 'a', 'b' },
  tokenizer = model.tokenizer, length = 32 }
local cfg = { steps = 3, batch = 8, seed = 1 }
local function is_open() return (pcall(se.train.log, {})) end
local function lines_in(out) return select(2, check.read(out .. '/log.jsonl'):gsub('\n', '')) end
local stays, last, constant
local weight = se.keep(se.tensor { 1 })
cfg.out = base .. '/broken'
for step, batch in se.train.steps(talk, cfg) do
  if step == 1 then stays = model(batch.a) end
  last = model(batch.a):sum()
  check.ok(last:item(true) == last:item(true), 'a step computes')
  check.ok(is_open(), 'what the step computes does not end the loop')
  weight:assign(weight + 1)
  se.train.log { loss = step }
  if step == 2 then break end
end
constant = se.tensor { 7 }
check.ok(is_open(), 'nothing was computed yet')
check.equal((constant * 2):item(), 14, 'made behind the loop')
check.ok(not is_open(), 'the loop was left')
check.equal(weight:item(), 3, 'both updates')
check.ok(last:item(true) == last:item(true), 'of the last step')
check.fails(function() stays:totable(true) end, 'step 1')
check.equal(lines_in(cfg.out), 1, 'lines of the log')

-- Left by return, by an error that is caught, with no compute in between, from under a pcall.
cfg.out = nil
local function first_of(how)
  for step, batch in se.train.steps(talk, cfg) do
    if how == 'error' then error 'mine' end
    if step == 1 then return batch.a end
  end
end
local text_of_batch = first_of()
check.equal(text_of_batch.ids:size(1), #text_of_batch.ids:totable(true), 'left by return')
check.ok(not is_open(), 'left by return')
check.fails(function() first_of 'error' end, 'mine')
se.eval(constant)
check.ok(not is_open(), 'left by an error')
local n = 0
for step in se.train.steps(talk, cfg) do
  if step == 1 then break end
end
constant = se.tensor { 8 }
for _, batch in se.train.steps(talk, cfg) do
  n = n + 1
  pcall(function() check.fails(function() return batch.a.ids:totable() end, 'shard') end)
  check.equal(constant:item(), 8, 'made between two loops')
  check.equal(batch.a.count, 8, 'texts')
end
check.equal(n, 3, 'steps')

-- The iterator called by hand, and a loop in a coroutine that rests: neither is taken for left.
local following = se.train.steps(talk, cfg)
local _, batch = following()
check.equal(#model(batch.a), batch.a.tokens, 'by hand')
se.eval(constant + 1)
check.ok(is_open(), 'by hand')
check.equal(following(), 2, 'by hand')
se.train.abandon()
local resting = coroutine.wrap(function()
  for step in se.train.steps(talk, cfg) do coroutine.yield(step) end
end)
check.equal(resting(), 1, 'in a coroutine')
se.eval(constant + 1)
check.equal(resting(), 2, 'in a coroutine')
se.train.abandon()

-- Ctrl-C, which a step puts off to its end, ends what comes after a loop that was left.
local recipe = check.write(base .. '/left.lua', [[
local se = require 'sembed'
local cfg = se.config { out = '', steps = 9, batch = 8, pairs = '', folder = '' }
local model = se.model.mpnet(cfg.folder)
local talk = se.data.pairs { cfg.pairs, columns = { 'a', 'b' }, tokenizer = model.tokenizer,
  length = 32 }
for step in se.train.steps(talk, cfg) do
  se.train.log { loss = step }
  if step == 3 then break end
end
if os.getenv 'STOP' then
  model:encode 'some text'
  os.execute 'kill -TERM $PPID'
  for _ = 1, 200 do model:encode 'some text' end
end
]])
local keys = ('out=%s/left folder=%s pairs=%s'):format(base, check.data 'tiny-mpnet',
  check.data 'tiny-mpnet/pairs.jsonl')
local status
text, status = check.run(recipe .. ' ' .. keys)
check.equal(status, 0, text)
check.equal(lines_in(base .. '/left'), 2, 'the log of a program that ends behind a break')
os.execute(('rm -r %s/left'):format(base))
local pipe = io.popen(('STOP=1 "%s" %s %s 2>&1; echo "status $?"'):format(se.run.program, recipe,
  keys))
text = pipe:read '*a'
pipe:close()
check.ok(text:find('status 143', 1, true), 'stopped: %s', text)
check.fails(function() se.train.log { loss = 1 } end, 'only within')
check.fails(function() se.train.steps(talk, { steps = 0, batch = 8, seed = 1 }) end, 'steps=0')
local run = se.train.cached(function(t) return t end, function(t) return t end,
  { params = model.params, chunk = 4 })
check.fails(function() run(talk:pack('a', { 1, 2, 3, 4, 5 })) end, 'a tensor is wanted: table came')
check.done()
