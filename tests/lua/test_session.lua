-- What the prompt offers beside the ops: time, who, show, profile, reload; values as text.
local se = require 'sembed'
local check = require 'check'
local session, show = se.session, se.show

-- Values
check.equal(show.value(se.tensor { 1, 2, 3 }), 'f32[3] mean 2 spread 0.8165\n{1, 2, 3}', 'tensor')
check.equal(show.value(se.tensor { 1, 0 / 0, 1 / 0, 3 }),
  'f32[4] mean 2 spread 1 NaN 1 inf 1\n{1, nan, inf, 3}', 'not finite')
check.equal(show.value(se.tensor { 0 / 0 }), 'f32[1] no finite element NaN 1\n{nan}', 'NaN alone')
check.equal(show.value(se.tensor({ 1, 2 }, 'i32')), 'i32[2] mean 1.5 spread 0.5\n{1, 2}', 'i32')
check.equal(show.value(se.tensor { 1, 3 }:cast 'bf16'), 'bf16[2] mean 2 spread 1\n{1, 3}', 'bf16')
check.equal(show.value { 1, 'a"b', x = { y = true } }, '{1, "a\\"b", x = {y = true}}', 'table')
local cycle = { 1 }
cycle.own = cycle
check.equal(show.value(cycle), '{1, own = {itself}}', 'a table within itself')
check.equal(show.value { cycle, cycle }, '{{1, own = {itself}}, {1, own = {itself}}}', 'twice')
local big = se.ones(2000, 2000)
check.ok(show.value(big):find('f32[2000,2000] mean 1 spread 0\n', 1, true), 'large')

-- time
local timing = session.time(function(a) return a + 1 end, se.ones(4))
check.ok(timing.seconds >= 0 and timing.runs > 1 and timing.bytes > 0, 'time')
check.ok(tostring(timing):match '^%S+ s %(best of %d+%), at most %S+ MB more of tensors$', 'time')
check.fails(function() session.time(3) end, 'time: a function is wanted: number came')

-- show
local x = se.tensor { 1, 2 }
local y = (x + x):exp()
local text = session.show(y)
check.ok(text:match '^%%%d+ = f32%[2%] leaf .-\n.- add .- of .-\n.- exp ', 'show: %s', text)
check.ok(session.show(y, 'dot'):match '^digraph graph {', 'dot')
local path = check.folder() .. '/a.dot'
check.equal(session.show(y, path), 'written: ' .. path, 'file')
check.equal(check.read(path), session.show(y, 'dot'), 'file')
check.fails(function() session.show(y, 'picture') end, 'picture')
for _ = 1, 300 do y = y + x end
check.ok(session.show(y):match '^%.%.%. 20[0-9] more before these', 'long graph')

-- profile
text = session.profile(function() return x:exp() end)
check.ok(text:find ' exp ' and text:match 's in all$', 'profile: %s', text)
-- Products by their arithmetic, the rest by its bytes; numbers below their headings.
local a = se.random.normal(se.random.key(1), { 64, 64 })
text = session.profile(function()
  local z = a
  for _ = 1, 3 do z = z:matmul(a) end
  return z:tanh()
end)
local head = text:match '^[^\n]*'
check.ok(text:find '\n[^\n]+ 3 +[%d.]+ +[%d.]+ GFLOP/s  matmul [^\n]*test_session%.lua:%d+\n'
  and text:find '\n[^\n]+ 1 +[%d.]+ +[%d.]+ GB/s     tanh [^\n]*test_session%.lua:%d+\n',
  'profile: %s', text)
for line in text:gmatch '[^\n]*test_session[^\n]*' do
  for _, word in ipairs { 'share', 'calls', 'us a call', 'rate' } do
    local last = select(2, head:find(word, 1, true))
    check.ok(line:sub(last, last + 1):find '%S ', '%s: %s', word, text)
  end
end

-- who
local env = { a = se.zeros(3), model = { w = se.zeros(2, 5), [1] = se.zeros(1) }, lazy = x + 1 }
env.model.same = env.a
env.model.model = env.model
text = require 'sembed.session.who'.of(env)()
check.ok(text:match '^name[^\n]*\nmodel%.w %s+f32%[2,5%] %s+40 [^\n]*\na %s+f32%[3%] %s+12 ',
  'who: %s', text)
check.ok(text:find('model[1]', 1, true) and text:find '\n4 tensors with names, ', 'who: %s', text)

-- reload: state stays, code is new, wherever the old functions are held.
local folder = check.folder()
package.path = folder .. '/?.lua;' .. package.path
local source = [[
local m, state = { seen = {} }, { n = 0 }
function m.step() state.n = state.n + %d; return state.n end
return m
]]
check.write(folder .. '/counter.lua', source:format(1))
local counter = require 'counter'
HELD = { step = counter.step } -- luacheck: ignore 111
local held = HELD -- luacheck: ignore 113
counter.step()
counter.seen.here = true
check.write(folder .. '/counter.lua', source:format(10))
check.ok(session.reload 'counter' == counter, 'the same table')
check.equal(counter.step(), 11, 'new code, old state')
check.equal(held.step(), 21, 'held elsewhere')
check.ok(counter.seen.here, 'tables stay')
check.write(folder .. '/counter.lua', 'local x = = 1')
check.fails(function() session.reload 'counter' end, 'the old module stays', 'counter.lua:1')
check.equal(counter.step(), 31, 'after an error')
check.fails(function() session.reload 'nothing' end, '"nothing" is not loaded')
local finish = se.loss.in_batch.symmetric
session.reload 'sembed.loss.in_batch'
check.ok(se.loss.in_batch.symmetric ~= finish, 'a module of the library')

-- At the prompt.
check.write(folder .. '/in', 'x = se.ones(2)\nwho()\n')
text = check.run('< ' .. folder .. '/in')
check.ok(text:find('x     f32[2]             8  ', 1, true), 'prompt: %s', text)
check.done()
