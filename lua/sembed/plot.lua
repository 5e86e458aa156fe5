-- Pictures of numbers, as text for a terminal or as an SVG file:
--
--   plot(y)                              a line; y is a tensor with one axis or a list of numbers
--   plot { loss = a, eval = b }          several
--   plot(y, { x = steps, log = true })   at these x (1, 2, ... without); y by its logarithm
--   plot(y, { x = x, points = true })    points instead of a line
--   hist(x), hist(x, { bins = 20 })      how many numbers lie where; a tensor of any shape
--   heat(m)                              a matrix as shaded cells, a large one averaged down
--   plot(y, 'loss.svg')                  to a file; also { file = 'loss.svg', title = 'Loss' }
--
-- width and height are characters, pixels in a file. A picture is a table with tostring(picture)
-- and picture:svg(); it holds no tensor.

local clean = require 'sembed.plot.clean'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local scale = require 'sembed.plot.scale'
local values = require 'sembed.plot.values'

local CELLS = 200 -- a matrix keeps so many rows and columns
local BINS = 200

local Picture = {}
Picture.__index = Picture

-- style: { utf8, color, columns } for another terminal than the one there is.
function Picture:text(style)
  return require('sembed.plot.text')[self.kind](self, style or require 'sembed.terminal'.style())
end

function Picture:svg() return require('sembed.plot.svg')[self.kind](self) end
function Picture:__tostring() return self:text() end

-- --- options ---

local function at_least(least, most)
  return function(what, key, v)
    if type(v) ~= 'number' or v % 1 ~= 0 or v < least or v > most then
      fail.raise('%s: %s is %s: a whole number from %d to %d is wanted', what, key,
        type(v) == 'number' and tostring(v) or 'a ' .. fail.kind(v), least, most)
    end
  end
end

local function of_type(wanted, words)
  return function(what, key, v)
    if type(v) ~= wanted then
      fail.raise('%s: %s is a %s: %s is wanted', what, key, fail.kind(v), words)
    end
  end
end

local yes_or_no = of_type('boolean', 'true or false')

local function svg_name(what, _, name)
  if type(name) ~= 'string' or not name:lower():match '%.svg$' then
    fail.raise('%s: a file name that ends with .svg is wanted: %s came', what,
      type(name) == 'string' and '"' .. name .. '"' or fail.kind(name))
  end
end

local common = { title = of_type('string', 'a text'), file = svg_name,
  width = at_least(20, 10000), height = at_least(3, 10000) }

local function options_of(what, given, own)
  if given == nil then return {} end
  if type(given) == 'string' then given = { file = given } end
  if type(given) ~= 'table' then
    fail.raise('%s: a table of options or a file name is wanted: %s came', what, fail.kind(given))
  end
  local known = {}
  for key in pairs(common) do known[#known + 1] = key end
  for key in pairs(own) do known[#known + 1] = key end
  for key, v in pairs(given) do
    local look = own[key] or common[key]
    if not look then fail.raise('%s: %s', what, fail.unknown('option', key, known)) end
    look(what, key, v)
  end
  local least = given.file and { width = 160, height = 120 } or {}
  for key, n in pairs(least) do
    if given[key] and given[key] < n then
      fail.raise('%s: %s is %d: %d pixels or more are wanted in a file', what, key, given[key], n)
    end
  end
  return given
end

-- Writes the picture where a file is asked for.
local function finish(what, picture, options)
  picture.title = options.title and clean(options.title)
  picture.width, picture.height = options.width, options.height
  setmetatable(picture, Picture)
  if not options.file then return picture end
  local path = require('sembed.run').path(options.file)
  local C = core.C
  local svg = picture:svg()
  if C.se_file_write(path, svg, #svg) ~= C.SE_OK then
    fail.raise('%s: %s', what, core.text(C.se_message()))
  end
  return 'written: ' .. options.file
end

-- --- lines ---

local function is_series(value)
  return core.is_tensor(value) or type(value) == 'table'
end

-- { { name, value } }: numbered ones first, then by name.
local function series_of(what, given)
  if core.is_tensor(given) or type(given) ~= 'table' then return { { value = given } } end
  if next(given) == nil or type(given[1]) == 'number' then
    for key in pairs(given) do
      if type(key) ~= 'number' then
        fail.raise('%s: numbers and "%s" in one list: a list of numbers, or series with names, are '
          .. 'wanted', what, tostring(key))
      end
    end
    return { { value = given } }
  end
  local list, names = {}, {}
  for key, value in pairs(given) do
    if not is_series(value) then
      fail.raise('%s: %s is a %s: a tensor or a list of numbers is wanted', what, tostring(key),
        fail.kind(value))
    end
    if type(key) ~= 'number' then names[#names + 1] = tostring(key) end
  end
  for i, value in ipairs(given) do list[i] = { name = tostring(i), key = i, value = value } end
  table.sort(names)
  for _, name in ipairs(names) do
    list[#list + 1] = { name = name, key = name, value = given[name] }
  end
  return list
end

local HINT = '; heat(x) shows a matrix, hist(x) how its numbers are spread'

-- The x of a series: its own of a table with the same names, or those of all.
local function places_of(what, s, x, n)
  if x == nil then
    return { n = n, at = function(i) return i + 1 end, whole = true }
  end
  local own = x
  if s.key and type(x) == 'table' and type(x[1]) ~= 'number' then own = x[s.key] end
  if own == nil then fail.raise('%s: x has no values for %s', what, s.name) end
  local places = values.read(what .. ': x', own, 1)
  if places.n ~= n then
    fail.raise('%s: %d values at %d places x%s', what, n, places.n,
      s.name and ' in ' .. s.name or '')
  end
  return places
end

local function widen(range, facts)
  if not facts.least then return end
  range.lo = math.min(range.lo or facts.least, facts.least)
  range.hi = math.max(range.hi or facts.most, facts.most)
end

local plot_options = {
  log = yes_or_no, points = yes_or_no,
  x = function(what, _, v)
    if not is_series(v) then
      fail.raise('%s: x is a %s: a tensor or a list of numbers is wanted', what, fail.kind(v))
    end
  end,
}

-- A line through numbers, as text or as a file: plot(y); several: plot { loss = a, eval = b }.
-- Options: x (where the numbers stand; 1, 2, ... without; { loss = ..., eval = ... } for each), log
-- (true: by the logarithm of y), points (true: no line), title, width, height (characters; pixels
-- in a file), file ('loss.svg'; plot(y, 'loss.svg') is the same). A long y keeps all its peaks.
local function plot(given, options)
  options = options_of('plot', options, plot_options)
  local list = series_of('plot', given)
  local picture = { kind = 'lines', series = {}, log = options.log, points = options.points,
    x = { whole = true }, y = {} }
  for i, s in ipairs(list) do
    s.y = values.read(s.name and 'plot: ' .. s.name or 'plot', s.value, 1, HINT)
    s.x = places_of('plot', s, options.x, s.y.n)
    s.facts = values.facts(s.y, options.log)
    widen(picture.x, values.facts(s.x))
    widen(picture.y, s.facts)
    picture.x.whole = picture.x.whole and s.x.whole
    picture.series[i] = { name = s.name and clean(s.name), what = s.y.name, facts = s.facts }
  end
  for i, s in ipairs(list) do
    local kept = picture.series[i]
    if picture.x.lo and picture.y.lo then
      kept.xs, kept.ys = values.curve('plot', s.x, s.y, picture, options.points, options.log)
    else
      kept.xs, kept.ys = {}, {}
    end
    core.hold(s.x.tensor)
    core.hold(s.y.tensor)
  end
  return finish('plot', picture, options)
end

-- --- histograms ---

local function even(lo, hi, n)
  local edges = {}
  lo, hi = scale.room(lo, hi)
  for k = 0, n do edges[k + 1] = k == n and hi or lo + (hi - lo) * (k / n) end
  return edges
end

-- How many numbers lie where: a tensor of any shape, or a list. Bins are as wide as Sturges's rule
-- says, rounded; or bins = N. Other options: title, width, height, file.
local function hist(given, options)
  options = options_of('hist', options, { bins = at_least(1, BINS) })
  local numbers = values.read('hist', given)
  local facts = values.facts(numbers)
  local picture = { kind = 'bars', what = numbers.name, facts = facts, edges = {}, counts = {} }
  if facts.least then
    if options.bins then
      picture.edges = even(facts.least, facts.most, options.bins)
      picture.rule = ('%d bins'):format(options.bins)
    else
      local step
      picture.edges, step = scale.bins(facts.least, facts.most, facts.drawn, numbers.whole)
      picture.labels = scale.labels(picture.edges, step)
      picture.whole = numbers.whole and step.size == 1
      picture.rule = ("bins %.4g wide by Sturges's rule"):format(step.size)
    end
    picture.counts = values.count(numbers, picture.edges)
  end
  core.hold(numbers.tensor)
  return finish('hist', picture, options)
end

-- --- matrices ---

-- A matrix as shaded cells with their scale: a tensor with two axes or a list of lists. A large one
-- is averaged down. Options: title, width, height, file.
local function heat(given, options)
  options = options_of('heat', options, {})
  if not is_series(given) then
    fail.raise('heat: a matrix is wanted, a tensor or a list of lists: %s came', fail.kind(given))
  end
  local matrix = core.is_tensor(given) and given or require('sembed.tensor').make(given)
  local numbers = values.read('heat', matrix, 2)
  local picture = { kind = 'cells', what = numbers.name, facts = values.facts(numbers),
    rows = numbers.dims[1], columns = numbers.dims[2],
    cells = values.average(numbers, CELLS, CELLS) }
  core.hold(numbers.tensor)
  return finish('heat', picture, options)
end

return { plot = plot, hist = hist, heat = heat }
