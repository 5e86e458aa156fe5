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

-- --- picked by ids ---

local function ids(list) return (se.tensor(list, 'i32')) end
check.equal(values(x:gather(ids { { 2, 0 }, { 1, 1 } }, 2)), '{{3,1},{5,5}}', 'gather')
check.equal(values(x:gather(ids { { 1, 0, 1 } }, 1)), '{{4,2,6}}', 'gather, first axis')
check.fails(function() return x:gather(ids { { 2, 0 }, { 1, 3 } }, 2):item() end,
  'gather: id 3 at [1,1] is out of range: 0 to 2')
check.fails(function() return x:gather(ids { 0 }, 1) end, 'gather: ids must have as many axes')
check.equal(values(x:index_select(ids { 2, 0, 2 }, 2)), '{{3,1,3},{6,4,6}}', 'index_select')
check.fails(function() return x:index_select(ids { 0, -1 }, 2):bytes() end,
  'index_select: id -1 at [1] is out of range: 0 to 2')
local starts = ids { 0, 0, 1, 2 }
check.equal(values(x:first_pool(starts)), '{{0,0,0},{1,2,3},{4,5,6}}', 'first_pool')
check.equal(se.dot(x[1], x[2]):item(), 32, 'dot')
check.equal(values(se.outer(ids { 1, 2 }, ids { 3, 4 })), '{{3,4},{6,8}}', 'outer')
check.fails(function() return se.dot(x, x) end, 'dot: two vectors are wanted')
check.fails(function() return se.dot(x[1], ids { 1 }) end, 'dot:', 'differ in length')

-- --- split, and rows by index ---

local one, two = x:split(2, 2)
check.equal(values(one), '{{1,2},{4,5}}', 'split')
check.equal(values(two), '{{3},{6}}', 'split: what is left')
local none, all = se.split(x, { 0, 2 })
check.equal(table.concat(none:shape(), ','), '0,3', 'split: an empty part')
check.equal(values(all), values(x), 'split: the rest')
check.equal(select('#', se.zeros(0, 2):split(3)), 1, 'split of nothing')
check.fails(function() return (x:split(0)) end, 'split: pieces of 0')
check.fails(function() return (x:split { 1, 2 }) end, 'split: the sizes make up 3 of 2')
check.fails(function() return (x:split { 3, -1 }) end, 'split: size 2 is -1')
check.fails(function() return (x:split(1, 3)) end, 'no axis 3')

check.equal(values(x[-1]), '{4,5,6}', 'the last row')
check.equal(x[2][3]:item(), 6, 'an element')
check.equal(values(x[{ 2, -2, 2 }]), '{{4,5,6},{1,2,3},{4,5,6}}', 'rows by a list')
check.equal(values(x[ids { 1, 0 }]), '{{4,5,6},{1,2,3}}', 'rows by ids')
check.fails(function() return x[3] end, 'no row 3 of 2')
check.fails(function() return x[0] end, 'no row 0 of 2')
check.fails(function() return x[{ 1, -3 }] end, 'no row -3 of 2')
check.fails(function() return x[1][1][1] end, 'a scalar has no rows')

-- Gradients pass through all of them: d/dx of the sum of what is kept.
local g = se.grad(x:slice(2, 2, 0, -1):sum(), { x })[1]
check.equal(values(g), '{{0,1,1},{0,1,1}}', 'gradient of slice')

check.done()
