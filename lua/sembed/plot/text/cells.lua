-- A matrix as shaded characters, or coloured ones where there are colours.

local ramp = require 'sembed.plot.ramp'
local scale = require 'sembed.plot.scale'
local values = require 'sembed.plot.values'
local words = require 'sembed.plot.text.words'

-- Rows of text at most, where no height is asked for; rows and columns of cells at least.
local HIGH, SIDE = 32, 8

local SHADES = { [true] = { ' ', '░', '▒', '▓', '█' },
  [false] = { ' ', '.', ':', '-', '=', '+', '*', '#', '%', '@' } }
local EMPTY = { [true] = '·', [false] = '?' }

local function part_of(v, least, most)
  return most > least and (v - least) / (most - least) or 0.5
end

local function shade(part, style)
  local shades = SHADES[style.utf8]
  return shades[math.min(#shades, math.floor(part * #shades) + 1)]
end

-- Characters in colours, neighbours of one colour together; codes[k] is nil for the terminal's own.
local function painted(codes, characters)
  local parts, n, k = {}, #characters, 1
  while k <= n do
    local last = k
    while last < n and codes[last + 1] == codes[k] do last = last + 1 end
    local run = table.concat(characters, '', k, last)
    parts[#parts + 1] = codes[k] and ('\27[%sm%s\27[0m'):format(codes[k], run) or run
    k = last + 1
  end
  return table.concat(parts)
end

-- Two cells below each other as one character: the upper half in one colour on the other.
local function halves(upper, lower)
  if not (upper or lower) then return nil, EMPTY[true] end
  if not lower then return '38;' .. upper, '▀' end
  if not upper then return '38;' .. lower, '▄' end
  return ('38;%s;48;%s'):format(upper, lower), '▀'
end

-- The characters of one row of cells.
local function cell_row(cells, means, range, row, style, dense)
  local characters, codes = {}, {}
  local function color(i, j)
    local v = i < cells.rows and means[i * cells.columns + j + 1]
    return v and ramp.terminal(part_of(v, range[1], range[2]), style.shades) or nil
  end
  for j = 0, cells.columns - 1 do
    local v = means[row * cells.columns + j + 1]
    if dense then
      codes[j + 1], characters[j + 1] = halves(color(row, j), color(row + 1, j))
    elseif v and style.color then
      codes[j + 1], characters[j + 1] = '48;' .. color(row, j), '  '
    else
      local s = v and shade(part_of(v, range[1], range[2]), style) or EMPTY[style.utf8]
      characters[j + 1] = s:rep(2)
    end
  end
  return painted(codes, characters)
end

-- How many rows and columns of square cells: all where they fit, else in the matrix's own
-- proportions, but not fewer than SIDE. dense: two rows and two columns where there is one.
local function size_of(p, rows, columns, dense)
  rows, columns = dense and 2 * rows or rows, dense and columns or math.floor(columns / 2)
  if p.rows <= rows and p.columns <= columns then return p.rows, p.columns end
  local wide = math.min(p.columns, columns)
  local high = math.min(rows, math.max(math.ceil(wide * p.rows / p.columns), SIDE), p.rows)
  if not p.width then
    wide = math.min(wide, math.max(math.ceil(high * p.columns / p.rows), SIDE))
  end
  return p.height and math.min(rows, p.rows) or high, wide
end

-- 1 and round numbers, each at the cell that holds it: { [cell from 0] = label }.
local function numbered(n, cells, most)
  local labels, at = {}, function(i) return math.floor((i - 1) * cells / n) end
  labels[0] = '1'
  for i, v in ipairs(scale.within(1, n, math.max(1, most), true).ticks) do
    if v >= 1 and v <= n and not (at(v) == 0 and i > 0) then labels[at(v)] = ('%d'):format(v) end
  end
  return labels
end

local function scale_line(range, style)
  local characters, codes = {}, {}
  for i = 1, 20 do
    local part = (i - 0.5) / 20
    characters[i] = style.color and ' ' or shade(part, style)
    codes[i] = style.color and '48;' .. ramp.terminal(part, style.shades) or nil
  end
  return (style.color and '%.4g %s %.4g' or '%.4g [%s] %.4g'):format(range[1],
    painted(codes, characters), range[2])
end

return function(p, style)
  local width, rows = words.width(p, style), words.height(p, style, HIGH)
  local lines = words.open(p, style)
  if not p.facts.least then
    words.wrap({ values.describe(p) }, width, lines)
    return words.close(lines)
  end
  local indent = #('%d'):format(p.rows)
  local columns = width - indent - 1
  local dense = style.color and style.utf8 and (p.rows > rows or 2 * p.columns > columns)
  local cells = values.shrink(p.cells, size_of(p, rows, columns, dense))
  local shrunk = cells.rows < p.rows or cells.columns < p.columns
  words.wrap({ values.describe(p), shrunk and ('averaged down to %d x %d'):format(cells.rows,
    cells.columns) or nil }, width, lines)
  local means, least, most = values.means(cells)
  local each, wide = dense and 2 or 1, dense and 1 or 2
  local labels = numbered(p.rows, cells.rows, cells.rows / each / 3)
  for row = 0, cells.rows - 1, each do
    local label = labels[row] or dense and labels[row + 1] or ''
    lines[#lines + 1] = words.right(label, indent) .. ' '
      .. cell_row(cells, means, { least, most }, row, style, dense)
  end
  local below = {}
  labels = numbered(p.columns, cells.columns, cells.columns * wide / 9)
  for column = 0, cells.columns - 1 do
    if labels[column] then
      below[#below + 1] = { indent + 1 + column * wide, labels[column] }
    end
  end
  words.along(below, width, lines)
  local line = (' '):rep(indent + 1) .. scale_line({ least, most }, style)
  if p.facts.drawn < p.facts.n then
    line = line .. ('   %s no number'):format(EMPTY[style.utf8]:rep(wide))
  end
  lines[#lines + 1] = line
  return words.close(lines)
end
