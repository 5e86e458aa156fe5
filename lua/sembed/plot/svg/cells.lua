-- A matrix as coloured rectangles, with the scale of the colours beside it.

local frame = require 'sembed.plot.svg.frame'
local ramp = require 'sembed.plot.ramp'
local scale = require 'sembed.plot.scale'
local values = require 'sembed.plot.values'

local EDGE, LINE, LETTER = frame.EDGE, frame.LINE, frame.LETTER
local px = frame.px

local LEVELS = 64 -- colours of a large matrix
local FEW = 1024  -- cells that are elements of their own, and say what they are

-- Where each column of cells begins, on whole pixels, and the rows; one list of n + 1 places.
local function places(from, size, n)
  local list = {}
  for i = 0, n do list[i + 1] = from + math.floor(size * i / n + 0.5) end
  return list
end

local function few_cells(out, p, cells, means, part, xs, ys)
  local whole = cells.rows == p.rows and cells.columns == p.columns
  for k, v in pairs(means) do
    local i, j = math.floor((k - 1) / cells.columns) + 1, (k - 1) % cells.columns + 1
    local x, y, wide, high = xs[j], ys[i], xs[j + 1] - xs[j], ys[i + 1] - ys[i]
    local name = whole and ('<title>%d, %d: %.4g</title>'):format(i, j, v) or ''
    out[#out + 1] = ('<rect x="%d" y="%d" width="%d" height="%d" fill="%s">%s</rect>\n'):format(x,
      y, wide, high, ramp.web(part(v)), name)
    if whole and wide >= 40 and high >= 18 then
      out[#out + 1] = ('<text x="%s" y="%s" text-anchor="middle" fill="%s" font-size="11" '
        .. 'font-family="system-ui,sans-serif">%.3g</text>\n'):format(px(x + wide / 2),
        px(y + high / 2 + 4), ramp.light(part(v)) and '#15191e' or '#ffffff', v)
    end
  end
end

local function many_cells(out, cells, means, part, xs, ys)
  local paths = {}
  for row = 1, cells.rows do
    for column = 1, cells.columns do
      local v = means[(row - 1) * cells.columns + column]
      if v then
        local level = math.min(LEVELS - 1, math.floor(part(v) * LEVELS))
        paths[level] = paths[level] or {}
        table.insert(paths[level], ('M%d %dh%dv%dh-%dz'):format(xs[column], ys[row],
          xs[column + 1] - xs[column], ys[row + 1] - ys[row], xs[column + 1] - xs[column]))
      end
    end
  end
  for level = 0, LEVELS - 1 do
    if paths[level] then
      out[#out + 1] = ('<path fill="%s" d="%s"/>\n'):format(ramp.web((level + 0.5) / LEVELS),
        table.concat(paths[level]))
    end
  end
end

-- The scale beside the cells.
local function colors(out, box, least, most)
  local x, n = box.right + 20, 32
  local ys = places(box.top, box.bottom - box.top, n)
  out[#out + 1] = '<g shape-rendering="crispEdges">\n'
  for i = 1, n do
    out[#out + 1] = ('<rect x="%d" y="%d" width="14" height="%d" fill="%s"/>\n'):format(x, ys[i],
      ys[i + 1] - ys[i], ramp.web((n - i + 0.5) / n))
  end
  out[#out + 1] = '</g>\n'
  if least == most then
    return frame.label(out, x + 20, (box.top + box.bottom) / 2 + 4, ('%.4g'):format(least), nil,
      ' se-soft')
  end
  local axis = scale.within(least, most, 6)
  for i, v in ipairs(axis.ticks) do
    local y = box.bottom - axis.at(v) * (box.bottom - box.top)
    frame.label(out, x + 20, y + 4, axis.labels[i], nil, ' se-soft')
  end
end

-- 1 and round numbers at the middle of the cell that holds them, `least` pixels apart or more:
-- { { number as text, pixels from the first cell's edge } }.
local function numbered(n, cells, size, least)
  local list, last = {}, nil
  local ticks = scale.within(1, n, math.max(1, size / 40), true).ticks
  table.insert(ticks, 1, 1)
  for _, v in ipairs(ticks) do
    local at = (math.floor((v - 1) * cells / n) + 0.5) / cells * size
    if v >= 1 and v <= n and (not last or at - last >= least) then
      list[#list + 1], last = { ('%d'):format(v), at }, at
    end
  end
  return list
end

local function numbers_along(out, p, cells, box)
  for _, tick in ipairs(numbered(p.rows, cells.rows, box.bottom - box.top, 14)) do
    frame.label(out, box.left - 8, box.top + tick[2] + 4, tick[1], 'end', ' se-soft')
  end
  local apart = 8 + LETTER * #('%d'):format(p.columns)
  for _, tick in ipairs(numbered(p.columns, cells.columns, box.right - box.left, apart)) do
    frame.label(out, box.left + tick[2], box.bottom + LINE - 4, tick[1], 'middle', ' se-soft')
  end
end

return function(p)
  local width, height = p.width or frame.WIDTH, p.height
  local left, right = EDGE + LETTER * #('%d'):format(p.rows) + 8, width - EDGE - 90
  -- Cells are square where nothing else is asked for and the picture does not become too tall.
  height = height or math.max(200, math.min(frame.WIDTH, math.floor((right - left) * p.rows
    / math.max(p.columns, 1)) + 4 * LINE + EDGE + (p.title and LINE or 0)))
  local out, y = frame.open(p, width, height)
  local text = values.describe(p)
  local cells = values.shrink(p.cells, math.max(1, height - y - 3 * EDGE),
    math.max(1, right - left))
  if p.facts.least and (cells.rows < p.rows or cells.columns < p.columns) then
    text = text .. (', averaged down to %d x %d'):format(cells.rows, cells.columns)
  end
  frame.label(out, EDGE, y, text, nil, ' se-soft')
  if not p.facts.least then return frame.close(out) end
  local box = { left = math.floor(left), right = math.floor(right), top = y + LINE - 8,
    bottom = height - EDGE - LINE + 4 }
  local square = math.min((box.right - box.left) / p.columns, (box.bottom - box.top) / p.rows)
  if not p.height then
    box.right = math.min(box.right, math.max(box.left + 40, box.left
      + math.floor(square * p.columns)))
  end
  local means, least, most = values.means(cells)
  local function part(v) return most > least and (v - least) / (most - least) or 0.5 end
  local xs = places(box.left, box.right - box.left, cells.columns)
  local ys = places(box.top, box.bottom - box.top, cells.rows)
  out[#out + 1] = '<g shape-rendering="crispEdges">\n'
  if cells.rows * cells.columns <= FEW then
    few_cells(out, p, cells, means, part, xs, ys)
  else
    many_cells(out, cells, means, part, xs, ys)
  end
  out[#out + 1] = '</g>\n'
  numbers_along(out, p, cells, box)
  colors(out, box, least, most)
  return frame.close(out)
end
