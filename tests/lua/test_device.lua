-- device=: what is wrong is told; and, where SEMBED_PJRT_PLUGIN names a plugin (of a CPU: others
-- round otherwise), that values, gradients, assigns and trainings are those of the CPU executor.
local se = require 'sembed'
local check = require 'check'
local runs = require 'runs'

local plugin = os.getenv 'SEMBED_PJRT_PLUGIN' or ''

-- Runs the program with that plugin: what it wrote, and its status.
local function with(file, arguments)
  local pipe = io.popen(('SEMBED_PJRT_PLUGIN="%s" "%s" %s 2>&1; echo "status $?"'):format(file,
    se.run.program, arguments))
  local text = pipe:read '*a'
  pipe:close()
  return text
end

local function tells(file, arguments, ...)
  local text = with(file, arguments)
  check.ok(text:find('status 1\n', 1, true), '%s: %s', arguments, text)
  for _, part in ipairs { ... } do
    check.ok(text:find(part, 1, true), '"%s" is missing: %s', part, text)
  end
end

tells('', '-e 1 device=gpu', 'device=gpu: cpu or xla:N is wanted')
tells('', '-e 1 device=xla:0', 'device=xla:0: cpu or xla:N is wanted')
tells('', '-e 1 device=xla:two', 'device=xla:two: cpu or xla:N is wanted')
tells('', '-e 1 device=xla:2x', 'device=xla:2x: cpu or xla:N is wanted')
tells('/no/plugin.so', '-e 1 device=xla:1', 'device=xla:1: /no/plugin.so: not a PJRT plugin')
tells('libm.so.6', '-e 1 device=xla:1', 'libm.so.6: not a PJRT plugin: it has no GetPjrtApi')

tells('', 'devise=cpu </dev/null', 'devise=cpu: the prompt takes the keys of the engine')

if plugin == '' then
  print 'skipped: SEMBED_PJRT_PLUGIN names no plugin'
  check.done()
  os.exit(77, true)
end

-- In bf16: 257 has no bf16, the sum of products stays f32.
local told = with(plugin, '-e "local se = require [[sembed]] print(se.tensor({ { 257 } }):matmul('
  .. 'se.tensor { { 1 } }):item())" device=xla:1 precision=bf16')
check.ok(told:find('256\n', 1, true) or told:find('258\n', 1, true), 'bf16: %s', told)

local pipe = io.popen(('echo "(se.tensor { 1, 2 } * 3):sum():item()" | "%s" device=xla:1 2>&1')
  :format(se.run.program))
told = pipe:read '*a'
pipe:close()
check.equal(told, '9\n', 'the prompt')

-- A training on the device has the CPU's losses and norms; dropout draws the same. Few programs.
runs.small('cpu', 'steps=6')
runs.small('device', 'steps=6 device=xla:1')
local function same_curve(a, b)
  local x, y = runs.log(a), runs.log(b)
  check.equal(#x, #y, 'steps')
  for i = 1, #x do
    check.close(y[i].loss, x[i].loss, 1e-4, ('loss of step %d'):format(i))
    check.close(y[i].norm, x[i].norm, 1e-3, ('norm of step %d'):format(i))
  end
  return y
end
local log = same_curve('cpu', 'device')
check.ok(log[6].programs >= 1 and log[6].programs <= 6, '%d programs', log[6].programs)
runs.small('device', 'steps=9 device=xla:1 resume=auto')
runs.small('cpu', 'steps=9 resume=auto')
same_curve('cpu', 'device')
check.equal(#runs.log 'device', 9, 'steps after going on')

-- Two devices divide each batch, in chunks, too; one that does not divide is refused.
runs.small('two', 'steps=3 device=xla:2')
local function same_start(name)
  local x, y = runs.log 'cpu', runs.log(name)
  for i = 1, #y do
    check.close(y[i].loss, x[i].loss, 1e-4, ('%s: loss of step %d'):format(name, i))
    check.close(y[i].norm, x[i].norm, 1e-3, ('%s: norm of step %d'):format(name, i))
  end
end
same_start 'two'
runs.small('chunks', 'steps=2 device=xla:2 chunk=4')
same_start 'chunks'
local odd = runs.small('odd', 'device=xla:2 batch=15', 1)
check.ok(odd:find('batch=15 does not divide by the 2 devices', 1, true), '%s', odd)

-- A value that is not finite: the step's name and line; what was before stands.
local text = runs.small('bad', 'steps=9 bad=3 save=1 device=xla:1', 1)
check.ok(text:find('step 3: ', 1, true), 'step: %s', text)
check.ok(text:find('small_run.lua:', 1, true), 'line: %s', text)
runs.small('bad', 'steps=9 resume=auto device=xla:1')
runs.small('whole', 'steps=9')
same_curve('whole', 'bad')
check.done()
