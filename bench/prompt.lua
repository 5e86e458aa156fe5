-- What a session at a terminal costs: sembed bench/prompt.lua [rounds=3]
-- Start: from the shell to the prompt and out again. Loops: compiled, as in a run, and in the
-- interpreter, as in a session, where Ctrl-C has to stop them. Training: steps of a small model,
-- as a run and under -i. The best of the rounds; the two sides take turns.
local se = require 'sembed'
local cfg = se.config { rounds = 3 }
local top = se.run.folder .. '/..'

local function best(f, ...)
  local start = se.seconds()
  f(...)
  return se.seconds() - start
end

local loops = {
  { 'sum of 1e8 numbers', 'local s = 0 for i = 1, 1e8 do s = s + i end' },
  { '1e7 numbers into a table', 'local a = {} for i = 1, 1e7 do a[i] = i end' },
  { '1e6 string.format', "local n = 0 for i = 1, 1e6 do n = n + #('%d'):format(i) end" },
  { '1e5 tensors added, computed in one', [[local se = require 'sembed'
    local x = se.ones(4) for _ = 1, 1e5 do x = x + 1 end se.eval(x)]] },
}

local function report(name, a, b)
  print(('%-36s %8.3f s  %8.3f s  %6.2f'):format(name, a, b, b / a))
end

local function compare(name, run, session)
  local a, b = math.huge, math.huge
  for _ = 1, cfg.rounds do a, b = math.min(a, best(run)), math.min(b, best(session)) end
  report(name, a, b)
end

local function at_terminal(arguments) -- end of input at once: the prompt is left
  return function()
    os.execute(([[cd "%s" && TERM=xterm HOME="$(mktemp -d)" \
      script -qec '"%s" %s' /dev/null </dev/null >/dev/null]]):format(top,
      se.run.program, arguments))
  end
end

local function in_shell(arguments)
  return function()
    os.execute(('cd "%s" && "%s" %s >/dev/null 2>&1'):format(top, se.run.program, arguments))
  end
end

print(('%-36s %10s  %10s  %6s'):format('', 'run', 'session', 'ratio'))
compare("sembed -e '' / the prompt", in_shell "-e \"\"", at_terminal '')
for _, loop in ipairs(loops) do
  local compiled = assert(loadstring(loop[2]))
  local interpreted = assert(loadstring(loop[2]))
  jit.off(interpreted, true)
  compare(loop[1], compiled, interpreted)
end
local out = os.tmpname()
local training = 'recipes/reddit_mpnet.lua layers=1 hidden=32 heads=2 batch=32 steps=100 eval=0 '
  .. 'data=recipes/data/test.jsonl.gz test=recipes/data/test.jsonl.gz out=' .. out
os.remove(out)
compare('100 steps of a small model', function()
  os.execute('rm -rf ' .. out)
  in_shell(training)()
end, function()
  os.execute('rm -rf ' .. out)
  at_terminal('-i ' .. training)()
end)
os.execute('rm -rf ' .. out .. '*')
