-- se.config, schedules, signatures: what needs no engine.
local se = require 'sembed'
local check = require 'check'
local run = se.run
local signature = require 'sembed.signature'

local function with(keys, f)
  local old, order = run.keys, run.order
  run.keys, run.order = keys, {}
  local ok, result, more = pcall(f)
  run.keys, run.order = old, order
  if not ok then error(result, 0) end
  return result, more
end

local function read()
  return se.config {
    batch = 256, lr = 2e-3, eval = true, dry = false, out = 'runs/x', list = { 1, 2 },
    presets = { small = { batch = 8, lr = 1 } },
  }
end

local cfg = with({}, read)
check.equal(cfg.batch, 256, 'default')
check.equal(cfg.threads, 0, 'engine key')
local given
cfg, given = with({ batch = '32', lr = '1e-4', eval = '0', dry = 'true', list = '3,4,5' }, read)
check.equal(cfg.batch, 32, 'batch')
check.equal(cfg.lr, 1e-4, 'lr')
check.equal(cfg.eval, false, 'eval=0 is false')
check.equal(cfg.dry, true, 'dry=true')
check.equal(#cfg.list, 3, 'list')
check.equal(given.batch, true, 'given')
check.equal(given.out, nil, 'not given')
cfg = with({ preset = 'small', lr = '5' }, read)
check.equal(cfg.batch, 8, 'preset')
check.equal(cfg.lr, 5, 'the shell wins over the preset')
check.equal(cfg.preset, 'small', 'preset itself')

check.fails(function() with({ bacth = '1' }, read) end, 'unknown key "bacth"', '"batch"')
check.fails(function() with({ batch = 'many' }, read) end, 'batch=many', 'number')
check.fails(function() with({ eval = 'yes' }, read) end, 'eval=yes', '0, 1, true or false')
check.fails(function() with({ preset = 'smal' }, read) end, 'unknown preset "smal"', '"small"')
check.fails(function() with({ device = 'tpu' }, read) end, 'device=tpu')
check.fails(function() with({ memory = 'lots' }, read) end, 'memory=lots')
check.fails(function() return cfg.bacth end, 'unknown key "bacth"')
check.equal(require('sembed.config').bytes '200M', 200 * 2 ^ 20, '200M')
check.equal(require('sembed.config').bytes '1.5g', 1.5 * 2 ^ 30, '1.5g')

-- Schedules: step t uses the rate at s = t - 1.
local rate = se.schedule.warmup_linear { lr = 2, warmup = 4, steps = 10 }
check.equal(rate(1), 0, 'step 1')
check.equal(rate(3), 1, 'half of the warm-up')
check.equal(rate(5), 2, 'top')
check.close(rate(10), 2 / 6, 1e-12, 'last step')
check.equal(rate(11), 0, 'after it')
check.equal(se.schedule.constant { lr = 3 }(7), 3, 'constant')
local cosine = se.schedule.cosine { lr = 1, warmup = 0, steps = 10 }
check.close(cosine(6), 0.5, 1e-12, 'cosine')

-- Signatures.
local s = signature.parse(
  'q bias? xs* heads:int eps:num=1e-5 axes:axes={} d:ints={1,-2} t:bool=false')
check.equal(#s.tensors, 3, 'tensors')
check.equal(s.tensors[2].optional, true, 'optional')
check.equal(s.variadic, true, 'variadic')
check.equal(s.attrs[1].default, nil, 'no default')
check.equal(s.attrs[2].default, 1e-5, 'number')
check.equal(s.attrs[4].default[2], -2, 'list')
check.equal(s.attrs[5].default, false, 'false')
local made_of_numbers = { iota = true, linspace = true, eye = true, shard_index = true }
for _, name in ipairs(se.op.names) do
  local spec = se.op.specs[name]
  check.ok(spec.doc ~= '', '%s: no help text', name)
  check.ok(#se.op.signature_of(spec).tensors > 0 or made_of_numbers[name], '%s: no tensors', name)
end
check.done()
