-- Slices by Python's rules, and elements put in another order or repeated.

local se = require 'sembed'
local check = require 'check'

local function values(x)
  local list = x:totable()
  local function text(v)
    if type(v) ~= 'table' then return tostring(v) end
    local parts = {}
    for i, e in ipairs(v) do parts[i] = text(e) end
    return '{' .. table.concat(parts, ',') .. '}'
  end
  return text(list)
end

-- --- slice: tests/make/slices.py asked Python ---

local lists = {}
for _, size in ipairs { 0, 1, 5 } do
  lists[size] = size > 0 and se.iota(size) or se.zeros(0):cast 'i32'
  se.keep(lists[size])
end
local seen = 0
for line in io.lines(check.data 'slices/slices.txt') do
  local size, start, stop, step, items = line:match '^(%d+) (%S+) (%S+) (%S+) (%S+)$'
  local x = lists[tonumber(size)]
  local got = x:slice(1, tonumber(start), tonumber(stop), tonumber(step))
  check.equal(values(got), '{' .. (items == '-' and '' or items) .. '}', line)
  seen = seen + 1
end
check.ok(seen > 1000, 'only %d slices', seen)

local x = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
check.equal(values(x:slice(2, -1, -4, -2)), '{{3,1},{6,4}}', 'backwards by two')
check.equal(values(x:slice { axis = -1, start = 1, stop = 9 }), '{{2,3},{5,6}}', 'cut')
check.fails(function() return x:slice(2, 0, 2, 0) end, 'slice: step is 0')
check.fails(function() return x:slice(3, 0, 2) end, 'slice:', 'axis')

-- --- stack, flip, roll, pad, tile, expand ---

local y = x * 10
check.equal(values(se.stack({ x, y }, 1)), '{{{1,2,3},{4,5,6}},{{10,20,30},{40,50,60}}}', 'stack')
check.equal(values(se.stack({ x, y }, -1)),
  '{{{1,10},{2,20},{3,30}},{{4,40},{5,50},{6,60}}}', 'stack, last')
check.fails(function() return se.stack { x, x:t() } end, 'stack: tensors 1 and 2', 'f32[3,2]')

check.equal(values(x:flip { 1, 2 }), '{{6,5,4},{3,2,1}}', 'flip both')
check.equal(values(x:flip(2)), '{{3,2,1},{6,5,4}}', 'flip')
check.fails(function() return x:flip { 1, -2 } end, 'flip: axis 1 is named twice')

check.equal(values(x:roll(1, 2)), '{{3,1,2},{6,4,5}}', 'roll')
check.equal(values(x:roll(-4, 2)), '{{2,3,1},{5,6,4}}', 'roll back')

check.equal(values(x:pad({ 0, 1 }, { 1, 0 }, 7)), '{{7,1,2,3},{7,4,5,6},{7,7,7,7}}', 'pad')
check.equal(values(se.tensor({ 1 }, 'i32'):pad(1, 2)), '{0,1,0,0}', 'pad i32')
check.fails(function() return x:pad({ 1 }, { 1, 0 }) end, 'pad:', '2 axes')
check.fails(function() return x:pad({ 1, -1 }, { 1, 0 }) end, 'pad: -1 before')
check.fails(function() return x:cast('i32'):pad({ 1, 0 }, { 0, 0 }, 0.5) end, 'pad: value 0.5')

check.equal(values(se.tensor({ 1, 2 }):tile(2)), '{1,2,1,2}', 'tile')
check.equal(values(se.tensor({ 1, 2 }):tile { 2, 1 }), '{{1,2},{1,2}}', 'tile, new axis')
check.fails(function() return x:tile { -1 } end, 'tile: reps[1] = -1')

check.equal(values(se.tensor({ { 1 }, { 2 } }):expand(-1, 2)), '{{1,1},{2,2}}', 'expand')
check.fails(function() return x:expand { -1, 2, 3 } end, 'expand: size -1 of axis 1')
check.fails(function() return x:expand { 4, 3 } end, 'expand:', 'cannot be stretched')

-- Gradients pass through all of them: d/dx of the sum of what is kept.
local g = se.grad(x:slice(2, 2, 0, -1):sum(), { x })[1]
check.equal(values(g), '{{0,1,1},{0,1,1}}', 'gradient of slice')

check.done()
