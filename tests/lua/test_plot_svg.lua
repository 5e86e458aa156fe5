-- Pictures as SVG: well-formed whatever comes in, points where they belong; many numbers; files.
local se = require 'sembed'
local check = require 'check'
local xml = require 'xml'

local nan, inf = 0 / 0, 1 / 0
local BRAILLE = { utf8 = true, columns = 41 }
local STYLES = { BRAILLE, { utf8 = false, columns = 41 },
  { utf8 = true, color = true, columns = 41 } }
local square, wave = {}, {}
for i = 0, 20 do square[i + 1] = i * i end
for i = 1, 40 do
  wave[i] = {}
  for j = 1, 60 do wave[i][j] = math.sin(i / 10) * math.cos(j / 10) end
end

-- --- SVG ---

local function parsed(picture)
  local svg = picture:svg()
  local tree = xml.parse(svg)
  check.ok(tree, 'not well-formed: %s', svg)
  check.ok(not svg:find '[%z\1-\8\11-\31\127]' and not svg:find 'nan' and not svg:find 'inf"',
    'characters and numbers: %s', svg)
  check.equal(tree.attributes.xmlns, 'http://www.w3.org/2000/svg', 'namespace')
  check.ok(not svg:find '<script' and not svg:find 'href' and not svg:find 'url%(', 'on its own')
  check.ok(svg:find('prefers-color-scheme:dark', 1, true), 'dark')
  return tree
end
check.ok(not xml.parse('<svg a="1"><b></svg>') and not xml.parse('<a>&</a>'),
  'the parser refuses')

local each, of_class = xml.each, xml.of_class

-- Where the ticks are: { [label] = place }; those of x are centred, those of y end at the axis.
local function tick_places(tree)
  local x, y = {}, {}
  for _, element in ipairs(of_class(tree, 'text', 'se-soft')) do
    local a = element.attributes
    if a['text-anchor'] == 'middle' then x[element.content[1]] = tonumber(a.x) end
    if a['text-anchor'] == 'end' then y[element.content[1]] = tonumber(a.y) - 4 end
  end
  return x, y
end

local function points_of(path)
  local points = {}
  for kind, x, y in path.attributes.d:gmatch '([ML])(%-?[%d.]+) (%-?[%d.]+)' do
    points[#points + 1] = { kind, tonumber(x), tonumber(y) }
  end
  return points
end

local tree = parsed(se.plot { 0, 10, 20, nan, 10, 30 })
local x, y = tick_places(tree)
local line = points_of(of_class(tree, 'path', 'se-s1')[1])
for k, wanted in ipairs { { 'M', 1, 0 }, { 'L', 2, 10 }, { 'L', 3, 20 }, { 'M', 5, 10 },
  { 'L', 6, 30 } } do
  local point = line[k]
  check.ok(point[1] == wanted[1] and math.abs(point[2] - x[tostring(wanted[2])]) <= 0.1
    and math.abs(point[3] - y[tostring(wanted[3])]) <= 0.1, 'point %d: %s %g %g', k, unpack(point))
end
check.equal(#line, 5, 'points')

tree = parsed(se.plot({ 1, 10, 100 }, { log = true }))
x, y = tick_places(tree)
line = points_of(of_class(tree, 'path', 'se-s1')[1])
check.ok(math.abs(line[2][3] - (y['1'] + y['100']) / 2) <= 0.1 and line[2][3] == y['10'], 'log')
check.ok(line[3][2] == x['3'], 'log: x')

tree = parsed(se.plot({ loss = { 1, 2 }, eval = { 2, 3 } }, { title = 'a <b> & "c" ]]> \1\255 ü' }))
check.equal(#of_class(tree, 'path', 'se-s2'), 2, 'a line and its mark in the legend')
check.equal(each(tree, 'title')[1].content[1],
  'a &lt;b&gt; &amp; &quot;c&quot; ]]&gt; \239\191\189\239\191\189 ü', 'title')
parsed(se.plot({ ['<&">\0'] = { 1, 2 }, ['\237\160\128'] = { 2, 3 }, [('x'):rep(500)] = { 1, 1 } }))
tree = parsed(se.plot({ 1, 2, 3 }, { x = { 3, 1, 2 }, points = true }))
check.equal(#points_of(of_class(tree, 'path', 'se-dots')[1]), 3, 'points')

tree = parsed(se.hist { 0, 0, 0, 1, 1, 2 })
local bars = of_class(tree, 'rect', 'se-b1')
local count = {}
for k, bar in ipairs(bars) do
  count[k] = tonumber(bar.attributes.height)
  check.near(bar.attributes.y + bar.attributes.height, bars[1].attributes.y + count[1], 0.11,
    'on the axis') -- places are rounded to 0.1
end
check.ok(#bars >= 3 and math.abs(count[1] / 3 - count[#count]) <= 0.1, 'heights')

tree = parsed(se.heat { { 1, 2, 3 }, { 4, 5, nan } })
local cells = {}
for _, rect in ipairs(each(tree, 'rect')) do
  local title = each(rect, 'title')[1]
  if title then cells[title.content[1]] = rect.attributes end
end
check.ok(cells['1, 1: 1'].x == cells['2, 1: 4'].x and cells['1, 1: 1'].y == cells['1, 3: 3'].y,
  'rows and columns')
check.equal(cells['1, 1: 1'].x + cells['1, 1: 1'].width, tonumber(cells['1, 2: 2'].x),
  'side by side')
check.ok(not cells['2, 3: nan'] and cells['1, 1: 1'].fill ~= cells['2, 2: 5'].fill, 'NaN')

for _, picture in ipairs {
  se.plot {}, se.plot { nan }, se.plot { 5 }, se.plot { 5, 5 }, se.plot({ -1 }, { log = true }),
  se.plot { 1e308, -1e299, inf }, se.plot(square, { width = 160, height = 120 }),
  se.plot { a = {}, b = { 1 } }, se.hist {}, se.hist { 3 }, se.hist { nan },
  se.hist { -1e300, 1e300 },
  se.heat(se.zeros(0, 3)), se.heat { { 7 } }, se.heat { { nan } }, se.heat(wave),
  se.heat(se.ones(1, 300)), se.heat(se.ones(300, 1)), se.hist(se.tensor { true, false }),
} do
  parsed(picture)
  for _, style in ipairs(STYLES) do check.ok(#picture:text(style) > 0, 'text') end
end
check.equal(se.plot {}:text(BRAILLE), '0 numbers, nothing to draw', 'empty')
check.equal(se.plot { nan, inf }:text(BRAILLE), '2 numbers, nothing to draw, NaN 1, inf 1',
  'NaN alone')

-- --- many numbers ---

local long = se.random.normal(se.random.key(1), { 1000000 })
long = se.concat({ long, se.tensor { 100 }, long }, 1)
local picture = se.plot(long)
check.equal(picture.y.hi, 100, 'a peak of one number is seen')
check.ok(#picture:svg() < 100000, 'a file of %d bytes', #picture:svg())
x, y = tick_places(parsed(picture))
local top
for _, point in ipairs(points_of(of_class(parsed(picture), 'path', 'se-s1')[1])) do
  if not top or point[3] < top[3] then top = point end
end
check.ok(math.abs(top[2] - x['1e6']) <= 1 and math.abs(top[3] - y['100']) <= 0.1,
  'where the peak is')
for _, dtype in ipairs { 'bf16', 'i32', 'bool' } do
  local part = long:cast(dtype)
  check.ok(se.plot(part):text(BRAILLE):find(dtype .. '[2000001]', 1, true), dtype)
  check.ok(se.hist(part):text(BRAILLE):find(dtype .. '[2000001]', 1, true), dtype)
end
local mean = se.heat(long:slice(1, 0, 1000000):reshape(1000, 1000)).cells
check.equal(#mean.sum, 40000, 'averaged down')
local sum = 0
for k, v in ipairs(mean.sum) do
  if mean.n[k] ~= 25 then error 'each cell is of 25 numbers' end
  sum = sum + v
end
check.near(sum / 1e6, long:slice(1, 0, 1000000):mean():item(), 1e-6, 'the mean stays') -- f32 sums
check.fails(function() return se.plot(long, { x = long }) end, 'goes back and forth',
  '{ points = true }')
check.ok(#se.plot(long, { x = long, points = true }):svg() < 1000000, 'many points')

-- --- files ---

local folder = check.folder()
local path = folder .. '/loss.svg'
check.equal(se.plot(square, path), 'written: ' .. path, 'file')
check.equal(check.read(path), se.plot(square):svg(), 'file')
check.equal(se.hist(square, { file = path, title = 'x' }), 'written: ' .. path, 'file')
check.equal(check.read(path), se.hist(square, { title = 'x' }):svg(), 'written over')
check.fails(function() return se.plot(square, folder .. '/no/loss.svg') end, 'plot: ',
  '/no/loss.svg')
check.fails(function() return se.heat(wave, folder .. '/a.png') end, 'heat: ', '.svg', 'a.png')
assert(os.execute('mkdir ' .. folder .. '/dir.svg') == 0)
check.fails(function() return se.plot(square, folder .. '/dir.svg') end, 'dir.svg')
local list = table.concat(se.files.list(folder), ' ')
check.equal(list, 'dir.svg loss.svg', 'nothing is left')
check.done()
