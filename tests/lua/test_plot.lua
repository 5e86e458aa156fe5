-- Pictures as text, as they must look; axes, counts, and a message for whatever cannot be drawn.
local se = require 'sembed'
local check = require 'check'
local scale = require 'sembed.plot.scale'

local nan, inf = 0 / 0, 1 / 0
local BRAILLE = { utf8 = true, columns = 41 }
local ASCII = { utf8 = false, columns = 41 }
local COLORS = { utf8 = true, color = true, columns = 41 }

local function shows(picture, style, wanted)
  check.equal('\n' .. picture:text(style) .. '\n', wanted, 'picture')
end

-- --- lines as text ---

local square, wave = {}, {}
for i = 0, 20 do square[i + 1] = i * i end
for i = 1, 40 do
  wave[i] = {}
  for j = 1, 60 do wave[i][j] = math.sin(i / 10) * math.cos(j / 10) end
end
shows(se.plot(square, { title = 'Squares', height = 9 }), BRAILLE, [[

Squares
21 numbers, 0 to 400
400 ┤                                  ⡠
    │                               ⢀⠤⠊
300 ┤                            ⢀⡠⠒⠁
    │                          ⢀⠔⠁
200 ┤                       ⣀⠔⠊⠁
    │                   ⢀⡠⠒⠉
100 ┤               ⣀⡠⠤⠒⠁
    │         ⢀⣀⡠⠔⠊⠉
  0 ┤⠤⠒⠒⠒⠒⠒⠉⠉⠉⠁
    └───────────────┬────────────────┬──
                   10               20
]])
shows(se.plot(se.tensor(square), { height = 5 }), ASCII, [[

f32[21], 0 to 400
400 +                                ***
    |                           *****
200 +                     ******
    |             ********
  0 +*************
    +---------------+----------------+--
                   10               20
]])
-- Without colours, marks tell series apart; what is missing is a gap, and counted.
shows(se.plot({ loss = { 4, 3, 2, 1 }, eval = { 4, nan, 3, inf } }, { height = 5 }), ASCII, [[

* eval: 3 to 4, NaN 1, inf 1
+ loss: 1 to 4
4 +++++++
  |      ++++++++++++      *
2 +                  ++++++++++++
  |                              +++++++
0 +
  ++-----------+-----------+-----------+
   1           2           3           4
]])
shows(se.plot({ loss = { 4, 3, 2, 1 }, eval = { 4, nan, 3, inf } }, { height = 5 }), BRAILLE, [[

• eval: 3 to 4, NaN 1, inf 1
× loss: 1 to 4
4 ┤××××××
  │      ××××××××××××      •
2 ┤                  ××××××××××××
  │                              ×××××××
0 ┤
  └┬───────────┬───────────┬───────────┬
   1           2           3           4
]])
-- Each decade in the middle of a row; within less than two, other round numbers.
shows(se.plot({ 1, 10, 100, 0, 1000 }, { height = 7, log = true }), BRAILLE, [[

5 numbers, 1 to 1000, not above 0: 1
1000 ┤                                 •
     │
 100 ┤               ⢀⡠⠄
     │           ⢀⡠⠔⠊⠁
  10 ┤       ⣀⠤⠔⠊⠁
     │   ⣀⠤⠒⠉
   1 ┤⠤⠒⠉
     └────────┬────────────────┬────────
              2                4
]])
shows(se.plot({ 0.5, 0.7, 1.2 }, { height = 7, log = true }), BRAILLE, [[

3 numbers, 0.5 to 1.2
     │                                ⣀⠤
1.00 ┤                           ⢀⡠⠔⠒⠉
     │                      ⢀⡠⠤⠒⠉⠁
0.75 ┤                  ⣀⠤⠒⠊⠁
     │           ⢀⣀⠤⠔⠒⠊⠉
     │    ⢀⣀⠤⠤⠒⠊⠉⠁
0.50 ┤⠤⠒⠒⠉⠁
     └┬────────────────┬───────────────┬
      1                2               3
]])
shows(se.plot({ 3, nan, 3 }, { height = 5 }), BRAILLE, [[

3 numbers, all 3, NaN 1
3.5 ┤
    │
3.0 ┤•                                 •
    │
2.5 ┤
    └┬────────────────┬────────────────┬
     1                2                3
]])
shows(se.plot({ 1, 2, 3, 4 }, { x = { 10, 30, 20, 40 }, points = true, height = 5 }), BRAILLE, [[

4 numbers, 1 to 4
4 ┤                                    •
  │            •
2 ┤                        •
  │•
0 ┤
  └┬───────────┬───────────┬───────────┬
  10          20          30          40
]])

-- --- histograms and matrices as text ---

shows(se.hist { 0, 1, 1, 2, 2, 2, 2.5, 4, nan, inf }, BRAILLE, [[

10 numbers, 0 to 4, NaN 1, inf 1
bins 1 wide by Sturges's rule
0 ┤████████▊ 1
1 ┤█████████████████▌ 2
2 ┤███████████████████████████████████ 4
3 ┤████████▊ 1
4 ┤
]])
shows(se.hist({ 0, 1, 1, 2, 2, 2, 2.5, 4, nan, inf }, { bins = 2 }), ASCII, [[

10 numbers, 0 to 4, NaN 1, inf 1
2 bins
0 +##################### 3
2 +################################### 5
4 +
]])
shows(se.hist(se.tensor({ 1, 1, 3 }, 'i32')), BRAILLE, [[

i32[3], 1 to 3
bins 1 wide by Sturges's rule
1 ┤███████████████████████████████████ 2
2 ┤ 0
3 ┤█████████████████▌ 1
]])
shows(se.heat { { 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, nan } }, BRAILLE, [[

f32[2,5], 0 to 4, NaN 1
1   ░░▒▒▓▓██
2 ██▓▓▒▒░░··
  1       5
  0 [    ░░░░▒▒▒▒▓▓▓▓████] 4   ·· no number
]])
shows(se.heat { { 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, nan } }, ASCII, [[

f32[2,5], 0 to 4, NaN 1
1   ::++##@@
2 @@##++::??
  1       5
  0 [  ..::--==++**##%%@@] 4   ?? no number
]])
shows(se.heat(wave, { width = 30 }), BRAILLE, [[

f32[40,60], -0.9987 to 0.9946
averaged down to 9 x 13
 1 ▓▓▓▓▒▒▒▒▒▒░░░░░░▒▒▒▒▒▒▓▓▓▓
   ██▓▓▓▓▒▒░░░░    ░░▒▒▒▒▓▓██
   ████▓▓▒▒░░        ▒▒▓▓████
   ████▓▓▒▒░░        ▒▒▓▓████
20 ████▓▓▒▒░░      ░░▒▒▓▓▓▓██
   ▓▓▓▓▓▓▒▒░░░░░░░░░░▒▒▒▒▓▓▓▓
   ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
   ░░▒▒▒▒▒▒▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒░░
40   ░░▒▒▒▒▓▓██████▓▓▒▒▒▒░░░░
   1         25        50
   -0.9799 [    ░░░░▒▒▒▒▓▓▓▓████] 0.937
]])

-- --- colours ---

local text = se.plot({ a = { 1, 2 }, b = { 2, 1 } }, { height = 5 }):text(COLORS)
check.ok(text:find('\27[36m━━ \27[0ma: 1 to 2   \27[33m━━ \27[0mb: 1 to 2\n', 1, true),
  'legend: %s', text)
check.ok(not se.plot({ 1, 2 }):text(COLORS):find '\27', 'one series needs no colour')
text = se.heat({ { 0, 1 }, { 1, nan } }):text(COLORS)
check.ok(text:find('1 \27[48;5;17m  \27[0m\27[48;5;229m  \27[0m\n2 \27[48;5;229m  \27[0m··\n', 1,
  true), 'cells: %s', text)
COLORS.shades = true
text = se.heat(wave, { height = 5 }):text(COLORS)
check.ok(text:find '\27%[38;2;%d+;%d+;%d+;48;2;%d+;%d+;%d+m▀', 'two cells in a character: %s', text)
for line in text:gsub('\27%[[%d;]*m', ''):gmatch '[^\n]+' do
  check.ok(select(2, line:gsub('[^\128-\191]', '')) <= 40, 'too wide: %s', line)
end

-- --- what the terminal can show ---

local function prints(environment, code)
  local pipe = io.popen(('%s "%s" -e "%s" 2>&1'):format(environment, se.run.program, code))
  local got = pipe:read '*a'
  pipe:close()
  return got
end
local two = "print(require 'sembed'.plot { 1, 2 })"
local plain = prints('LC_ALL=C', two)
check.ok(plain:find '\n2%.0 %+' and not plain:find '[\128-\255]', 'ASCII in another locale')
check.ok(prints('LC_ALL=en_US.UTF-8', two):find('\n2.0 ┤', 1, true), 'UTF-8')
check.ok(prints('LC_ALL= LC_CTYPE= LANG=de_DE.utf8', two):find('┤', 1, true), 'LANG')
check.ok(not prints('LC_ALL=C.UTF-8',
  "print(require 'sembed'.plot { a = { 1, 2 }, b = { 1, 3 } })"):find '\27',
  'no colours in a pipe')

-- --- axes ---

local function ticks(axis) return table.concat(axis.labels, ' ') end
check.equal(ticks(scale.within(0, 1, 5)), '0.0 0.2 0.4 0.6 0.8 1.0', 'ticks')
check.equal(ticks(scale.within(-0.3, 0.35, 4)), '-0.2 0.0 0.2', 'no -0')
check.equal(ticks(scale.within(1, 3, 9, true)), '1 2 3', 'whole numbers')
check.equal(ticks(scale.within(0, 1e7, 4)), '0 2.5e6 5e6 7.5e6 1e7', 'large')
check.equal(ticks(scale.within(0, 2e-5, 4)), '0 5e-6 1e-5 1.5e-5 2e-5', 'small')
check.equal(ticks(scale.within(1000000.25, 1000001.75, 3)), '1000000.5 1000001.0 1000001.5',
  'near')
check.equal(ticks(scale.around(0.12, 3.9, 5)), '0 1 2 3 4', 'around')
check.equal(ticks(scale.log(0.02, 30, 5)), '0.01 0.1 1 10 100', 'decades')
check.equal(ticks(scale.log(1e-30, 1e30, 4)), '1e-30 1e-15 1 1e15 1e30', 'many decades')
check.equal(ticks(scale.log(1, 20, 5)), '1 2 5 10 20', '1, 2, 5')
for _, range in ipairs { { 0, 1 }, { -3.7, 12.1 }, { 0.001, 0.0011 }, { -1e299, 1e299 }, { 5, 5 },
  { 1, 1 + 1e-15 }, { 0, 1e-310 } } do
  for rows = 3, 40 do
    local axis = scale.rows(range[1], range[2], rows)
    check.ok(axis.rows <= rows and axis.at(range[1]) >= -1e-9 and axis.at(range[2]) <= 1 + 1e-9,
      '%g to %g in %d rows', range[1], range[2], rows)
  end
end

-- --- histograms count ---

local numbers = {}
for i = 0, 999 do numbers[i + 1] = i / 1000 end
local h = se.hist(numbers, { bins = 10 })
for k = 1, 10 do check.equal(h.counts[k], 100, 'bin ' .. k) end
h = se.hist(se.tensor(numbers):reshape(10, 100))
local sum = 0
for k, count in ipairs(h.counts) do
  local wanted = 0
  for _, v in ipairs(numbers) do
    local last = k == #h.counts
    if v >= h.edges[k] and (v < h.edges[k + 1] or last) then wanted = wanted + 1 end
  end
  sum = sum + count
  check.ok(math.abs(count - wanted) <= 1, 'bin %d: %d, not %d', k, count, wanted) -- f32 at an edge
end
check.equal(sum, 1000, 'all counted')
check.equal(#h.counts, 10, "Sturges's 11 bins, the width rounded to 0.1")

local folder = check.folder()
local path = folder .. '/loss.svg'

-- --- mistakes ---

local function refuses(f, ...) check.fails(f, 'test_plot.lua:', ...) end
for _, value in ipairs { 3, 'x', true } do
  refuses(function() se.plot(value) end,
    'plot: a tensor or a list of numbers is wanted: ' .. type(value))
  refuses(function() se.hist(value) end, 'hist: a tensor or a list of numbers is wanted')
  refuses(function() se.heat(value) end, 'heat: a matrix is wanted')
end
refuses(function() se.plot() end, 'plot: ', 'nil came')
refuses(function() se.plot(se.zeros(2, 3)) end, 'plot: a tensor of 1 axis is wanted: f32[2,3]',
  'heat')
refuses(function() se.plot(se.zeros(2, 3):sum()) end, 'f32[] came')
refuses(function() se.heat(se.zeros(3)) end, 'heat: a tensor of 2 axes is wanted: f32[3]')
refuses(function() se.heat { { 1, 2 }, { 3 } } end, 'unequal length')
refuses(function() se.plot { 1, 'a' } end, 'plot: value 2 is a string')
refuses(function() se.plot { 1, b = { 2 } } end, 'plot: numbers and "b"')
refuses(function() se.plot { a = { 1, {} } } end, 'plot: a: value 2 is a table')
refuses(function() se.plot { a = 3 } end, 'plot: a is a number')
refuses(function() se.plot({ 1 }, { titel = 'x' }) end, 'did you mean "title"?')
refuses(function() se.plot({ 1 }, { title = 3 }) end, 'plot: title is a number')
refuses(function() se.plot({ 1 }, { width = 2.5 }) end, 'plot: width is 2.5')
refuses(function() se.plot({ 1 }, { height = nan }) end, 'plot: height is nan')
refuses(function() se.plot({ 1 }, { log = 1 }) end, 'plot: log is a number: true or false')
refuses(function() se.plot({ 1 }, { file = path, width = 100 }) end, '160 pixels or more')
refuses(function() se.plot({ 1, 2 }, { x = { 1 } }) end, 'plot: 2 values at 1 places x')
refuses(function() se.plot({ a = { 1 } }, { x = { b = { 1 } } }) end, 'plot: x has no values for a')
refuses(function() se.plot({ 1 }, { x = 3 }) end, 'plot: x is a number')
refuses(function() se.plot({ 1 }, 3) end, 'plot: a table of options or a file name is wanted')
refuses(function() se.hist({ 1 }, { bins = 0 }) end, 'hist: bins is 0')
refuses(function() se.hist({ 1 }, { x = { 1 } }) end, 'hist: unknown option "x"')
local apart = se.plot({ loss = { 1, 2, 3 }, eval = { 2, 1 } },
  { x = { loss = { 1, 2, 3 }, eval = { 1, 3 } } })
check.equal(#apart.series[1].xs, 2, 'series at places of their own')

-- --- at the prompt ---

check.write(folder .. '/in', [[
plot { 1, 2 }
hist { 1, 2 }
heat { { 1, 2 } };
heat { { 1, 2 } }
]])
text = check.run('< ' .. folder .. '/in')
check.ok(text:find '^2 numbers, 1 to 2\n' and text:find "Sturges's rule\n"
  and select(2, text:gsub('f32%[1,2%]', '')) == 1, 'prompt: %s', text)
check.done()
