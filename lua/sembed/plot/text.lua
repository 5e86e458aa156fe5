-- Pictures as text. A style says what the terminal can show: { utf8, color, shades (more than 256
-- colours), columns, rows }.

local bit = require 'bit'
local scale = require 'sembed.plot.scale'
local values = require 'sembed.plot.values'
local words = require 'sembed.plot.text.words'

local text = { cells = require 'sembed.plot.text.cells' }

-- --- a canvas of dots: 2 x 4 of a character in braille, 1 x 1 otherwise ---

local FEW = 200 -- points that are marks; more are single dots
local BRAILLE = { { 1, 2, 4, 64 }, { 8, 16, 32, 128 } } -- bits of U+2800 by column and row

local function canvas(columns, rows, braille)
  local c = { columns = columns, rows = rows, braille = braille, dots = {}, owner = {},
    alone = {} } -- characters with a mark instead of dots
  c.across, c.down = braille and 2 or 1, braille and 4 or 1
  function c.dot(x, y, owner)
    local column, row = math.floor(x / c.across), math.floor(y / c.down)
    local k = row * columns + column
    local bits = braille and BRAILLE[x % 2 + 1][y % 4 + 1] or 1
    c.dots[k], c.owner[k] = bit.bor(c.dots[k] or 0, bits), owner
  end
  return c
end

-- J. Bresenham 1965, "Algorithm for computer control of a digital plotter".
local function stroke(c, x0, y0, x1, y1, owner)
  local dx, dy = math.abs(x1 - x0), -math.abs(y1 - y0)
  local sx, sy = x0 < x1 and 1 or -1, y0 < y1 and 1 or -1
  local off = dx + dy
  while true do
    c.dot(x0, y0, owner)
    if x0 == x1 and y0 == y1 then return end
    local twice = 2 * off
    if twice >= dy then off, x0 = off + dy, x0 + sx end
    if twice <= dx then off, y0 = off + dx, y0 + sy end
  end
end

local function nearest(v, most) return math.max(0, math.min(most, math.floor(v + 0.5))) end

local function draw(c, s, owner, axis_x, axis_y, points)
  local last_x, last_y
  local wide = c.columns * c.across - 1
  for i = 1, #s.xs do
    local x, y
    if s.xs[i] == s.xs[i] then
      x = nearest(axis_x.at(s.xs[i]) * wide, wide)
      -- The ends of the axis are in the middle of a row.
      local row = (1 - axis_y.at(s.ys[i])) * (c.rows - 1)
      y = nearest(row * c.down + (c.down - 1) / 2, c.rows * c.down - 1)
      stroke(c, not points and last_x or x, not points and last_y or y, x, y, owner)
      local follows = s.xs[i + 1] and s.xs[i + 1] == s.xs[i + 1]
      if points and #s.xs <= FEW or not (points or last_x or follows) then
        c.alone[math.floor(y / c.down) * c.columns + math.floor(x / c.across)] = true
      end
    end
    last_x, last_y = x, y
  end
end

local function character(c, k, style)
  local bits, owner = c.dots[k], c.owner[k]
  if not bits then return ' ' end
  if not c.braille or c.alone[k] then return words.mark(c.braille and 1 or owner, style) end
  return string.char(0xE2, 0xA0 + math.floor(bits / 64), 0x80 + bits % 64)
end

-- One row of the canvas; neighbours of one colour are painted together.
local function canvas_row(c, row, style, colored)
  local parts, run, owner = {}, {}, nil
  local function flush()
    local s = table.concat(run)
    parts[#parts + 1] = owner and words.painted(s, owner) or s
    run = {}
  end
  for k = row * c.columns, (row + 1) * c.columns - 1 do
    local mine = colored and c.owner[k] or nil
    if mine ~= owner then flush() end
    owner, run[#run + 1] = mine, character(c, k, style)
  end
  flush()
  return table.concat(parts)
end

local function rows_of(c, axis, style, colored, lines)
  local label, edge = {}, words.edges[style.utf8]
  for i, v in ipairs(axis.ticks) do
    label[nearest((1 - axis.at(v)) * (c.rows - 1), c.rows - 1)] = axis.labels[i]
  end
  local wide = words.widest(axis.labels)
  for row = 0, c.rows - 1 do
    lines[#lines + 1] = words.right(label[row] or '', wide) .. ' '
      .. (label[row] and edge.tick or edge.side) .. canvas_row(c, row, style, colored)
  end
  return wide
end

-- The axis below: ticks, and labels under them where they do not touch.
local function foot(axis, columns, indent, style, lines)
  local edge, base, labels = words.edges[style.utf8], {}, {}
  for column = 1, columns do base[column] = edge.base end
  for i, v in ipairs(axis.ticks) do
    local at = nearest(axis.at(v) * (columns - 1), columns - 1)
    base[at + 1] = edge.below
    labels[i] = { indent + 2 + at - math.floor(#axis.labels[i] / 2), axis.labels[i] }
  end
  lines[#lines + 1] = (' '):rep(indent + 1) .. edge.corner .. table.concat(base)
  words.along(labels, indent + 2 + columns, lines)
end

local function legend(p, style, several, width, lines)
  local parts = {}
  for i, s in ipairs(p.series) do
    local part, mark = words.plain(values.describe(s), style), ''
    if several then
      mark = (style.color and style.utf8 and '━━' or words.mark(i, style)) .. ' '
    end
    parts[i] = (style.color and several and words.painted(mark, i) or mark) .. part
  end
  words.wrap(parts, width, lines)
end

function text.lines(p, style)
  local width, rows = words.width(p, style), words.height(p, style)
  local several, lines = #p.series > 1, words.open(p, style)
  legend(p, style, several, width, lines)
  if not (p.x.lo and p.y.lo) then return words.close(lines) end
  local axis_y
  if p.log then
    axis_y = scale.log(p.y.lo, p.y.hi, math.max(1, math.floor(rows / 2)), rows)
  else
    axis_y = scale.rows(p.y.lo, p.y.hi, rows)
  end
  local indent = words.widest(axis_y.labels)
  local columns = math.max(8, width - indent - 2)
  local axis_x = scale.within(p.x.lo, p.x.hi, math.max(2, math.floor(columns / 9)), p.x.whole)
  -- Without colours, several series are told apart by their marks.
  local c = canvas(columns, axis_y.rows or rows, style.utf8 and (style.color or not several))
  for i, s in ipairs(p.series) do draw(c, s, i, axis_x, axis_y, p.points) end
  rows_of(c, axis_y, style, several and style.color, lines)
  foot(axis_x, columns, indent, style, lines)
  return words.close(lines)
end

-- --- bars ---

local EIGHTHS = { '▏', '▎', '▍', '▌', '▋', '▊', '▉' }

local function bar(count, most, columns, style)
  if count == 0 then return '' end
  if not style.utf8 then
    return ('#'):rep(math.max(1, math.floor(count / most * columns + 0.5)))
  end
  local eighths = math.max(1, math.floor(count / most * columns * 8 + 0.5))
  return ('█'):rep(math.floor(eighths / 8)) .. (EIGHTHS[eighths % 8] or '')
end

function text.bars(p, style)
  local width, lines = words.width(p, style), words.open(p, style)
  words.wrap({ values.describe(p), p.rule }, width, lines)
  local labels, most, edge = p.labels, 0, words.edges[style.utf8]
  if not labels then
    labels = {}
    for i, v in ipairs(p.edges) do labels[i] = ('%.4g'):format(v) end
  end
  for _, count in ipairs(p.counts) do most = math.max(most, count) end
  local indent = words.widest(labels)
  local columns = math.max(8, width - indent - 3 - #('%d'):format(most))
  for i, count in ipairs(p.counts) do
    local drawn = bar(count, most, columns, style)
    lines[#lines + 1] = words.right(labels[i], indent) .. ' ' .. edge.tick .. drawn
      .. (' %d'):format(count)
  end
  -- A bin goes from its label to the next; whole numbers have a bin each.
  if p.counts[1] and not p.whole then
    lines[#lines + 1] = words.right(labels[#labels], indent) .. ' ' .. edge.tick
  end
  return words.close(lines)
end

return text
