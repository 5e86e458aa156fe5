-- Values as text: tensors in even columns with a summary that the engine takes, tables as Lua over
-- several lines, models in a few.
local se = require 'sembed'
local check = require 'check'
local core = require 'sembed.ffi'
local show = se.show

local nan, inf = 0 / 0, 1 / 0
local function shows(value, wanted) check.equal(show.value(value), wanted, 'text') end

-- --- tensors ---

shows(se.tensor { { 1, 2, 3 }, { 0.5, -10, 4 } }, [[
f32[2,3] mean 0.08333 spread 4.658
{{1.0,   2, 3},
 {0.5, -10, 4}}]])
shows(se.tensor { { 123.4, 0.0123 }, { 3, nan }, { -inf, 2 } }, [[
f32[3,2] mean 32.1 spread 52.72 NaN 1 inf 1
{{123.4, 0.0123},
 {  3.0,    nan},
 { -inf, 2.0000}}]])
shows(se.tensor { { 1e-9, 2 }, { 3, 1e9 } }, [[
f32[2,2] mean 2.5e+08 spread 4.33e+08
{{1e-09,     2},
 {    3, 1e+09}}]])
shows(se.tensor({ { 1, 22 }, { -333333333, 4 } }, 'i32'), [[
i32[2,2] mean -8.333e+07 spread 1.443e+08
{{         1, 22},
 {-333333333,  4}}]])
shows(se.tensor { { true, false }, { false, false } }, [[
bool[2,2] true 1
{{ true, false},
 {false, false}}]])
shows(se.tensor { 0.1, 100, 1 / 3 }, 'f32[3] mean 33.48 spread 47.04\n{0.1, 100, 0.3333}')
shows(se.tensor(3.5), 'f32[] 3.5')
shows(se.zeros(0, 3), 'f32[0,3]\n{}')
shows(se.zeros(2, 0), 'f32[2,0]\n{{},\n {}}')
shows(se.tensor { { { 1.5, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, -8 } } }, [[
f32[2,2,2] mean 2.563 spread 4.369
{{{1.5,  2},
  {3.0,  4}},
 {{5.0,  6},
  {7.0, -8}}}]])
local steps = {}
for i = 1, 8 do
  steps[i] = {}
  for j = 1, 9 do steps[i][j] = i * j end
end
shows(se.tensor(steps), [[
f32[8,9] mean 22.5 spread 17.36
{{1,  2,  3, ...,  7,  8,  9},
 {2,  4,  6, ..., 14, 16, 18},
 {3,  6,  9, ..., 21, 24, 27},
 ...,
 {6, 12, 18, ..., 42, 48, 54},
 {7, 14, 21, ..., 49, 56, 63},
 {8, 16, 24, ..., 56, 64, 72}}]])
for _, dims in ipairs { { 9, 9, 9 }, { 9, 9, 9, 9 }, { 9, 9, 9, 9, 9, 9 }, { 2, 2, 2, 2, 2, 2 } } do
  local _, lines = show.value(se.ones(dims)):gsub('\n', '')
  check.ok(lines <= 51, '%d axes of %d: %d lines', #dims, dims[1], lines)
end

-- --- the summary ---

local box = core.new 'se_summary'
local function summary(t)
  core.check(core.C.se_tensor_summary(t.c, false, box))
  return { n = tonumber(box.n), nan = tonumber(box.nan), inf = tonumber(box.inf), mean = box.mean,
    spread = box.spread }
end

-- The same in Lua, in double and one after the other.
local function plain(list)
  local s = { n = #list, nan = 0, inf = 0, mean = 0, spread = 0 }
  local good = {}
  for _, v in ipairs(list) do
    if v == true or v == false then v = v and 1 or 0 end
    if v ~= v then
      s.nan = s.nan + 1
    elseif v == inf or v == -inf then
      s.inf = s.inf + 1
    else
      good[#good + 1] = v
    end
  end
  for _, v in ipairs(good) do s.mean = s.mean + v / #good end
  for _, v in ipairs(good) do s.spread = s.spread + (v - s.mean) ^ 2 / #good end
  s.spread = math.sqrt(s.spread)
  return s
end

for _, n in ipairs { 0, 1, 2, 2047, 2048, 2049, 100003 } do
  local x = n < 2 and se.full({ n }, 3) or se.random.normal(se.random.key(n), { n }) * 10 + 1000
  for _, dtype in ipairs { 'f32', 'bf16', 'i32', 'bool' } do
    local t = x:cast(dtype)
    local got, wanted = summary(t), plain(t:totable())
    check.equal(got.n, n, 'n')
    check.equal(got.nan + got.inf, 0, 'finite')
    -- A sum of n doubles in any order is off by n * 2^-53 of the sum of the absolute values at
    -- most, and elements are below 1100; the spread is off by no more.
    check.near(got.mean, wanted.mean, n * 2 ^ -52 * 1100, dtype .. ' mean')
    check.near(got.spread, wanted.spread, n * 2 ^ -52 * 1100, dtype .. ' spread')
  end
end
local list = {}
for i = 1, 5000 do list[i] = i % 7 == 0 and nan or i % 11 == 0 and -inf or i end
local got, wanted = summary(se.tensor(list)), plain(list)
for key, v in pairs(wanted) do check.close(got[key], v, 1e-12, key) end
got = summary(se.tensor { nan, inf })
check.equal(got.nan + got.inf + got.mean + got.spread, 2, 'nothing finite')

-- The number of threads changes no bit, and numbers far from zero keep their spread.
local far = se.random.normal(se.random.key(5), { 300000 }) + 1e6
local before = core.C.se_threads()
local first
for threads = 1, 4 do
  core.C.se_threads_set(threads)
  got = summary(far)
  first = first or got
  check.ok(got.mean == first.mean and got.spread == first.spread, '%d threads', threads)
end
core.C.se_threads_set(before)
check.near(first.spread, 1, 0.01, 'spread') -- f32 near 1e6 has steps of 1/16

-- --- tables ---

shows({}, '{}')
shows({ 1, 'a"b', x = { y = true } }, '{1, "a\\"b", x = {y = true}}')
shows({ [3] = 1, [1.5] = 2, [true] = 3, ['a b'] = 4, f = print },
  '{[1.5] = 2, [3] = 1, ["a b"] = 4, f = function (built in), [true] = 3}')
shows({ 'a\nb\27[0m\0\r' }, '{"a\\nb\\27[0m\\0\\13"}')
shows({ t = se.zeros(2, 3) }, '{t = f32[2,3]}')
shows({ a = { b = { c = { d = 1 } } } }, '{a = {b = {c = {...}}}}')
shows({ a = { b = { c = {} } } }, '{a = {b = {c = {}}}}')
local text = show.value { ('ü'):rep(200) }
check.ok(text:find('^{\n  "' .. ('ü'):rep(36) .. '"%.%.%. %(400 bytes%)\n}$')
  or text:find('^{"' .. ('ü'):rep(36) .. '"%.%.%. %(400 bytes%)}$'), 'cut: %s', text)
list = {}
for i = 1, 1000 do list[i] = i * 1000 end
shows({ name = 'x', list = list }, [[
{
  list = {
    1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 11000, 12000, 13000, 14000,
    15000, 16000, 17000, 18000, 19000, 20000, ... 1000 in all
  },
  name = "x"
}]])
local cycle = { 1 }
cycle.own = cycle
shows({ cycle, cycle }, '{{1, own = {itself}}, {1, own = {itself}}}')
local wide = {}
for i = 1, 100 do
  wide['key' .. i] = {}
  for j = 1, 100 do wide['key' .. i][j] = { i, j } end
end
text = show.value(wide)
check.ok(#text < 20000 and text:find('... 100 keys in all', 1, true), 'limited: %d', #text)
for line in text:gmatch '[^\n]+' do check.ok(#line <= 92, 'wide: %s', line) end
check.ok(show.value(setmetatable({}, { __tostring = function() return 'mine\nmore' end }))
  == 'mine\nmore' and show.value { setmetatable({}, { __tostring = function()
    return 'mine\nmore'
  end }) } == '{mine}', 'what says itself how it looks')

-- --- functions, models ---

local function here() end
check.ok(show.value(here):find '^function .*test_show%.lua:%d+$', show.value(here))
check.ok(show.value(se.config):find '^function sembed:%d+$', show.value(se.config))
shows(print, 'function (built in)')
shows(se.ones(2).shape, 'a function: x:shape() calls it')
shows(se.ones(2).softmax, 'a function: x:softmax() calls it')
local model = se.model.mpnet(check.data 'tiny-mpnet')
shows(model, [[
mpnet tiny-mpnet: 3 layers of width 64, 4 heads
parameters: 53 tensors of 261568 numbers, 1.0 MB
vectors: 64 numbers of texts of 128 tokens at most, by Pooling, Normalize]])
text = show.value { model = model, tokenizer = model.tokenizer }
check.ok(text:find '^{model = mpnet tiny%-mpnet: 3 layers of width 64, 4 heads, tokenizer = tok'
  or text:find 'model = mpnet tiny%-mpnet: 3 layers of width 64, 4 heads,\n', text)
check.done()
