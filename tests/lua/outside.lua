-- Ops from shared objects that tests/outside.sh made: used like any op, or refused with a message
-- that leaves nothing behind.
local se = require 'sembed'
local check = require 'check'

local cfg = se.config { folder = '', wrong = 0 }
local function file(name) return ('%s/%s.so'):format(cfg.folder, name) end
local names = #se.op.names

local function refused(name, ...)
  check.fails(function() se.op.load(file(name)) end, 'outside.lua:', 'op.load: ' .. file(name), ...)
end

-- Files that are not what they should be.
check.fails(function() se.op.load 'nothing.so' end, 'outside.lua:', 'op.load: ',
  '/nothing.so: there is no such file')
check.fails(function() se.op.load(7) end, 'outside.lua:', 'op.load: a path is wanted: number came')
refused 'text'
refused('nothing', 'exports no ops: it has no symbol se_op_exported, which SE_OP_EXPORT(...)')
refused('unknown_op', 'undefined symbol: se_op_no_such_op', 'this sembed has op.h of version')
refused('unknown_call', 'undefined symbol: se_no_such_call')
local version, size = check.read(se.run.folder .. '/../../core/op.h'):match 'SE_OP_VERSION = (%d+)',
  'ops of 1000 bytes'
refused('version', ('built with version %d of op.h, this sembed has version %d'):format(version + 1,
  version))
refused('size', size, ('built with version %d of op.h and'):format(version),
  ('this sembed has version %d and ops of '):format(version))

-- Fields that are not what they should be; a wrong op takes the right one beside it with it.
for i = 1, cfg.wrong do
  local said = check.read(('%s/wrong_%d.txt'):format(cfg.folder, i)):gsub('\n$', '')
  refused('wrong_' .. i, said)
end
check.equal(#se.op.names, names, 'number of ops after all refusals')
check.ok(not se.op.specs.twofold and not se.op.specs.twofold_pair, 'nothing half registered')
check.fails(function() return se.twofold end, 'unknown name "twofold"')

-- An op made in Lua has the name.
se.op.define { name = 'twofold', args = 'x', doc = 'x', expand = function(x) return x end }
check.fails(function() se.op.load(file 'good') end, 'twofold is there already, from')
check.ok(not se.op.specs.twofold_pair, 'nor is its neighbour there')

-- A good one.
local fresh, pair = se.op.load(file 'good_again')
check.equal(#se.op.names, names + 3, 'number of ops')
local x = se.tensor { { 1, -2, 3 }, { 4, 5, -6 } }
local y = se.tensor { 1, 2, 3 }
check.same(se.fresh(x), x * 2, 'se.NAME')
check.same(x:fresh(), x * 2, 'x:NAME')
check.same(fresh(x, { factor = 3 }), x * 3, 'what load returns')
check.same(x:fresh(1, 5, false, 'f32'), x * 5, 'by position')
local sum, product = pair(x, y)
check.same(sum, x + y, 'first output')
check.same(product, x * y, 'second output')
check.near(se.grad(product:sum(), y), x:sum(1), 0, 'gradient through an expansion')
check.same(se.zeros(0, 3):fresh(), se.zeros(0, 3), 'nothing to do')
local wide = se.random.normal(1, { 400, 300 })
check.same(wide:fresh(), wide * 2, 'split over threads')
check.same(wide:cast 'bf16':fresh(), (wide:cast 'bf16' * 2):cast 'bf16', 'bf16 is converted')

-- Help, and the same refusals as any op's.
local help = require 'sembed.help'
check.ok(help 'fresh':find('fresh(x, axes = ', 1, true), '? fresh: %s',
  help 'fresh')
check.equal(help 'fresh_pair', 'fresh_pair(x, y) -> total, product\nsum and product',
  '? fresh_pair')
check.fails(function() x:fresh { factr = 2 } end, 'outside.lua:',
  'fresh: unknown argument "factr"; did you mean "factor"')
check.fails(function() x:fresh(0) end, 'fresh: no axes 0: axes count from 1')
check.fails(function() x:fresh_pair(se.zeros(4)) end, 'outside.lua:',
  'fresh_pair: shapes do not fit: f32[2,3] and f32[4]')
check.fails(function() x:fersh() end, 'did you mean "fresh"')
check.fails(function() se.op.define { name = 'fresh', args = 'x', doc = 'd', replace = true,
  expand = print } end, 'fresh is there already, from ' .. file 'good_again')
check.fails(function() se.op.load(file 'good_again') end, 'fresh: is an op already: factor')
check.fails(function() se.grad(x:fresh():sum(), x) end, 'fresh: has no gradient',
  'outside.lua:')

-- Promises that are broken: a message each.
se.op.load(file 'empty')
check.fails(function() x:no_shape() end, 'outside.lua:', 'no_shape: .shape gave output 1 no type')
check.fails(function() x:empty(y) end, 'outside.lua:', 'empty: .expand left output 1 empty')
se.op.load(file 'sizes')
check.fails(function() x:sizes(y) end, 'outside.lua:',
  'sizes: .expand gives f32[] for output 1, .shape said f32[2,3]')
check.fails(function() se.grad(x:flat_grad():sum(), x) end, 'outside.lua:',
  'flat_grad: .grad gives f32[] for input 1, which is f32[2,3]')
se.op.load(file 'unnamed')
check.fails(function() x:uses_unnamed(y) end, 'outside.lua:',
  'unnamed: a rule uses this op, but the table lacks it: SE_OP_EXPORT has to name it')

se.op.load(file 'nulls') -- what comes after the first failure of a rule
check.fails(function() x:nulls(y) end, 'unnamed: a rule uses this op, but the table lacks it')
se.op.load(file 'unexpanded')
check.fails(function() x:unexpanded(y) end, 'unnamed: has no expansion')

-- se.op.check.
se.op.load(file 'right')
check.equal(se.op.check 'right', 'right: 4 cases, 19 gradients, 7 second derivatives', 'check')
check.equal(se.op.check 'right_pair', 'right_pair: 1 cases, 9 gradients, 9 second derivatives',
  'check of an expansion')
local function found(name, ...)
  se.op.load(file(name))
  check.fails(function() se.op.check(name) end, 'outside.lua:', 'op.check: ' .. name, ...)
  check.same(x + x, x * 2, 'f32 is float again')
end
found('wrong_grad', '(x:f32[2x3]): gradient of x at element 1: ', ', by differences ')
found('crowd', '(x:f32[2x3]): output 1: row 1 alone has other bits')
found('calls', '(x:f32[2x3]): output 1: 1 and 2 threads give different bits')
found('only_float', 'no kernel over doubles')
found('other', '(x:f32[2x3]): output 1: the expansion is off by ')

-- Seen by the profiler.
require('sembed.ffi').C.se_profile_start()
se.eval(x:fresh() + 1)
check.ok(se.profile():find 'fresh', 'in the profile')

check.done()
