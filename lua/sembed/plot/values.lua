-- Numbers to draw, from tensors of any dtype or Lua lists, read once: a picture holds no tensor.
--
-- Numbers are { n, at = function(i) -> number, i from 0, name = "f32[8]", whole, tensor }.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local scale = require 'sembed.plot.scale'

local values = {}

local COLUMNS = 1200   -- of a picture, as far as what is kept of a long line goes
local GRID = 300       -- the same for points, each way
local LONGEST = 100000 -- points of a line whose x go back and forth

local function list_reader(what, list)
  for i = 1, #list do
    if type(list[i]) ~= 'number' then
      fail.raise('%s: value %d is a %s: a number is wanted', what, i, fail.kind(list[i]))
    end
  end
  return { n = #list, name = #list == 1 and '1 number' or #list .. ' numbers',
    at = function(i) return list[i + 1] end }
end

local function tensor_reader(t)
  local tensor = require 'sembed.tensor'
  local data, dims, dtype = tensor.read(t)
  local n = tensor.count(dims)
  local at = dtype == 'bf16' and function(i) return tensor.lua_value(data, i, 'bf16') end
    or function(i) return data[i] end
  return { n = n, at = at, dims = dims, tensor = t, whole = dtype == 'i32' or dtype == 'bool',
    name = ('%s[%s]'):format(dtype, table.concat(dims, ',')) }
end

-- rank: how many axes a tensor must have; nil for any.
function values.read(what, value, rank, hint)
  if core.is_tensor(value) then
    if rank and value:rank() ~= rank then
      fail.raise('%s: a tensor of %s is wanted: %s[%s] came%s', what,
        rank == 1 and '1 axis' or rank .. ' axes', value:dtype(),
        table.concat(value:shape(), ','), hint or '')
    end
    return tensor_reader(value)
  end
  if type(value) ~= 'table' then
    fail.raise('%s: a tensor or a list of numbers is wanted: %s came', what, fail.kind(value))
  end
  return list_reader(what, value)
end

-- Least and most of what can be drawn, and how many cannot: { least, most, nan, inf, below, n }.
-- `above`: only numbers above 0 can be (logarithms). least is nil where nothing can be drawn.
function values.facts(numbers, above)
  local at, finite = numbers.at, scale.finite
  local least, most, nan, inf, below = math.huge, -math.huge, 0, 0, 0
  for i = 0, numbers.n - 1 do
    local v = at(i)
    if v ~= v then
      nan = nan + 1
    elseif not finite(v) then
      inf = inf + 1
    elseif above and v <= 0 then
      below = below + 1
    else
      least, most = math.min(least, v), math.max(most, v)
    end
  end
  local drawn = numbers.n - nan - inf - below
  return { n = numbers.n, nan = nan, inf = inf, below = below, drawn = drawn,
    least = drawn > 0 and least or nil, most = drawn > 0 and most or nil }
end

-- "f32[8], 0.1 to 3.2, NaN 2": what is shown, its range, and what a picture cannot show.
function values.describe(shown)
  local facts, parts = shown.facts, {}
  if not facts.least then
    parts[1] = 'nothing to draw'
  elseif facts.least == facts.most then
    parts[1] = ('all %.4g'):format(facts.least)
  else
    parts[1] = ('%.4g to %.4g'):format(facts.least, facts.most)
  end
  if facts.nan > 0 then parts[#parts + 1] = ('NaN %d'):format(facts.nan) end
  if facts.inf > 0 then parts[#parts + 1] = ('inf %d'):format(facts.inf) end
  if facts.below > 0 then parts[#parts + 1] = ('not above 0: %d'):format(facts.below) end
  local line = table.concat(parts, ', ')
  return shown.name and shown.name .. ': ' .. line or shown.what .. ', ' .. line
end

-- All points, one after the other; NaN, NaN where the line is broken.
local function whole_line(n, x, y, shown)
  local xs, ys = {}, {}
  for i = 0, n - 1 do
    local a, b = x(i), y(i)
    local good = shown(a, b)
    xs[i + 1], ys[i + 1] = good and a or 0 / 0, good and b or 0 / 0
  end
  return xs, ys
end

-- Of each run of points in one column of the picture the first, the least, the most and the last:
-- the line drawn through these fills the same dots as the line through all (U. Jugel et al. 2014,
-- "M4: a visualization-oriented time series data aggregation").
local function short_line(what, n, x, y, shown, lo, hi)
  local xs, ys, kept = {}, {}, 0
  local function keep(a, b)
    kept = kept + 1
    xs[kept], ys[kept] = a, b
  end
  local first, least, most, last, column = -1, -1, -1, -1, -1
  local function flush()
    if first < 0 then return end
    local low, high = math.min(least, most), math.max(least, most)
    keep(x(first), y(first))
    if low > first then keep(x(low), y(low)) end
    if high > low then keep(x(high), y(high)) end
    if last > high then keep(x(last), y(last)) end
    if kept > LONGEST then
      fail.raise('%s: x goes back and forth: a line of %d points at most can be drawn so, %d came; '
        .. '{ points = true } draws points', what, LONGEST, n)
    end
  end
  local each = (COLUMNS - 1) / math.max(hi - lo, 1e-290)
  for i = 0, n - 1 do
    local a, b = x(i), y(i)
    if shown(a, b) then
      local here = math.floor((a - lo) * each)
      if here == column then
        if b < y(least) then least = i end
        if b > y(most) then most = i end
        last = i
      else
        flush()
        if here > column + 1 and last >= 0 and last < i - 1 then keep(0 / 0, 0 / 0) end
        first, least, most, last, column = i, i, i, i, here
      end
    end
  end
  flush()
  return xs, ys
end

-- One point of those that fall on one place of a grid.
local function few_points(n, x, y, shown, box)
  local xs, ys, seen = {}, {}, {}
  local across = (GRID - 1) / math.max(box.x.hi - box.x.lo, 1e-290)
  local up = (GRID - 1) / math.max(box.y.hi - box.y.lo, 1e-290)
  for i = 0, n - 1 do
    local a, b = x(i), y(i)
    if shown(a, b) then
      local place = math.floor((a - box.x.lo) * across) * GRID + math.floor((b - box.y.lo) * up)
      if not seen[place] then
        seen[place] = true
        xs[#xs + 1], ys[#ys + 1] = a, b
      end
    end
  end
  return xs, ys
end

-- What is kept of a series for drawing: xs, ys. box: { x = { lo, hi }, y = { lo, hi } } of the
-- whole picture; points: no line is drawn through them; above: as for values.facts.
function values.curve(what, x, y, box, points, above)
  local finite, n = scale.finite, y.n
  local function shown(a, b) return finite(a) and finite(b) and not (above and b <= 0) end
  if n <= 4 * COLUMNS then return whole_line(n, x.at, y.at, shown) end
  if points then return few_points(n, x.at, y.at, shown, box) end
  return short_line(what, n, x.at, y.at, shown, box.x.lo, box.x.hi)
end

-- How many fall between each two edges; the last bin has both its edges. Edges are evenly apart.
function values.count(numbers, edges)
  local at, counts, finite = numbers.at, {}, scale.finite
  local n = #edges - 1
  local lo, each = edges[1], n / (edges[n + 1] - edges[1])
  for k = 1, n do counts[k] = 0 end
  for i = 0, numbers.n - 1 do
    local v = at(i)
    if finite(v) then
      local k = math.max(1, math.min(n, math.floor((v - lo) * each) + 1))
      -- The division may be off by one in the last place: the edges decide.
      if v < edges[k] and k > 1 then k = k - 1 end
      if k < n and v >= edges[k + 1] then k = k + 1 end
      counts[k] = counts[k] + 1
    end
  end
  return counts
end

-- A matrix averaged down to at most `rows` x `columns` cells:
-- { rows, columns, sum = {}, n = {} (finite numbers), from row to row }.
function values.average(numbers, rows, columns)
  local high, wide = numbers.dims[1], numbers.dims[2]
  rows, columns = math.min(rows, high), math.min(columns, wide)
  local sum, n, at, finite = {}, {}, numbers.at, scale.finite
  for k = 1, rows * columns do sum[k], n[k] = 0, 0 end
  for i = 0, high - 1 do
    local base = math.floor(i * rows / high) * columns + 1
    for j = 0, wide - 1 do
      local v = at(i * wide + j)
      if finite(v) then
        local k = base + math.floor(j * columns / wide)
        sum[k], n[k] = sum[k] + v, n[k] + 1
      end
    end
  end
  return { rows = rows, columns = columns, sum = sum, n = n }
end

-- The same of cells: for a picture with fewer of them.
function values.shrink(cells, rows, columns)
  rows, columns = math.min(rows, cells.rows), math.min(columns, cells.columns)
  if rows == cells.rows and columns == cells.columns then return cells end
  local sum, n = {}, {}
  for k = 1, rows * columns do sum[k], n[k] = 0, 0 end
  for i = 0, cells.rows - 1 do
    for j = 0, cells.columns - 1 do
      local from = i * cells.columns + j + 1
      local k = math.floor(i * rows / cells.rows) * columns
        + math.floor(j * columns / cells.columns) + 1
      sum[k], n[k] = sum[k] + cells.sum[from], n[k] + cells.n[from]
    end
  end
  return { rows = rows, columns = columns, sum = sum, n = n }
end

-- The averages of cells (nil where a cell has no finite number) and their range.
function values.means(cells)
  local means, least, most = {}, math.huge, -math.huge
  for k = 1, cells.rows * cells.columns do
    if cells.n[k] > 0 then
      local mean = cells.sum[k] / cells.n[k]
      means[k], least, most = mean, math.min(least, mean), math.max(most, mean)
    end
  end
  return means, least, most
end

return values
