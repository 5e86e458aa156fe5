-- Pictures as SVG.

local frame = require 'sembed.plot.svg.frame'
local scale = require 'sembed.plot.scale'
local values = require 'sembed.plot.values'

local EDGE, LINE, LETTER = frame.EDGE, frame.LINE, frame.LETTER
local px = frame.px

local svg = { cells = require 'sembed.plot.svg.cells' }

-- Where the axes stand, below what is written from y on; how many steps the upright one may have.
local function box_of(axis_y, y, width, height)
  return { left = EDGE + frame.widest(axis_y.labels) + 8, right = width - EDGE - 8,
    top = math.min(y + 4, height - 3 * EDGE - 10), bottom = height - EDGE - LINE }
end

local function steps_of(y, height) return math.max(2, math.floor((height - y - 3 * EDGE) / 45)) end

-- --- lines ---

local function color_of(i) return (i - 1) % frame.series + 1 end

-- Beyond the colours there are, lines are dashed.
local function dash_of(i)
  if i <= frame.series then return '' end
  return (' stroke-dasharray="%s"'):format(i <= 2 * frame.series and '7 4' or '2 4')
end

local function legend(out, p, width, y)
  if #p.series == 1 then
    frame.label(out, EDGE, y, values.describe(p.series[1]), nil, ' se-soft')
    return y + LINE
  end
  local x = EDGE
  for i, s in ipairs(p.series) do
    local text = frame.cut(values.describe(s), width - 2 * EDGE - 28, LETTER)
    local takes = 28 + #text * LETTER + 18
    if x > EDGE and x + takes > width - EDGE then x, y = EDGE, y + LINE end
    out[#out + 1] = ('<path class="se-line se-s%d"%s d="M%s %sh20"/>\n'):format(
      color_of(i), dash_of(i), px(x), px(y - 4))
    frame.label(out, x + 28, y, text)
    x = x + takes
  end
  return y + LINE
end

local function series(out, s, i, place, points)
  local path, dots, drawing = {}, {}, false
  for k = 1, #s.xs do
    if s.xs[k] == s.xs[k] then
      local x, y = place(s.xs[k], s.ys[k])
      local follows = s.xs[k + 1] and s.xs[k + 1] == s.xs[k + 1]
      if points or not (drawing or follows) then
        dots[#dots + 1] = ('M%s %sh0'):format(px(x), px(y))
      else
        path[#path + 1] = ('%s%s %s'):format(drawing and 'L' or 'M', px(x), px(y))
      end
      drawing = true
    else
      drawing = false
    end
  end
  if path[1] then
    out[#out + 1] = ('<path class="se-line se-s%d"%s d="%s"/>\n'):format(color_of(i), dash_of(i),
      table.concat(path))
  end
  if dots[1] then
    out[#out + 1] = ('<path class="se-dots se-s%d" d="%s"/>\n'):format(color_of(i),
      table.concat(dots))
  end
end

function svg.lines(p)
  local width, height = p.width or frame.WIDTH, p.height or frame.HEIGHT
  local out, y = frame.open(p, width, height)
  y = legend(out, p, width, y)
  if not (p.x.lo and p.y.lo) then return frame.close(out) end
  local axis_y = (p.log and scale.log or scale.around)(p.y.lo, p.y.hi, steps_of(y, height))
  local box = box_of(axis_y, y, width, height)
  local wide, high = box.right - box.left, box.bottom - box.top
  local axis_x = scale.within(p.x.lo, p.x.hi, math.max(2, math.floor(wide / 80)), p.x.whole)
  frame.axes(out, box, axis_x, axis_y)
  for i, s in ipairs(p.series) do
    series(out, s, i, function(a, b)
      return box.left + axis_x.at(a) * wide, box.bottom - axis_y.at(b) * high
    end, p.points)
  end
  return frame.close(out)
end

-- --- bars ---

function svg.bars(p)
  local width, height = p.width or frame.WIDTH, p.height or frame.HEIGHT
  local out, y = frame.open(p, width, height)
  local facts = values.describe(p) .. (p.rule and '; ' .. p.rule or '')
  frame.label(out, EDGE, y, facts, nil, ' se-soft')
  y = y + LINE
  local n = #p.counts
  if n == 0 then return frame.close(out) end
  local most, first, last = 1, p.edges[1], p.edges[n + 1]
  for _, count in ipairs(p.counts) do most = math.max(most, count) end
  local axis_y = scale.around(0, most, steps_of(y, height), true)
  local box = box_of(axis_y, y, width, height)
  local wide, high = box.right - box.left, box.bottom - box.top
  local axis_x = scale.within(first, last, math.max(2, math.floor(wide / 80)), p.whole)
  if p.whole then -- a bin of one whole number is labelled at its middle
    local at = axis_x.at
    axis_x.at = function(v) return at(v) + 0.5 / n end
    if axis_x.ticks[#axis_x.ticks] == last then axis_x.ticks[#axis_x.ticks] = nil end
  end
  frame.axes(out, box, axis_x, axis_y)
  local each = wide / n
  local gap = each > 6 and 1 or 0
  for k, count in ipairs(p.counts) do
    local tall = axis_y.at(count) * high
    if count > 0 then
      out[#out + 1] = ('<rect class="se-b1" x="%s" y="%s" width="%s" height="%s"><title>%s</title>'
        .. '</rect>\n'):format(px(box.left + (k - 1) * each + gap / 2), px(box.bottom - tall),
        px(each - gap), px(tall), p.whole and ('%.4g: %d'):format(p.edges[k], count)
        or ('%.4g to %.4g: %d'):format(p.edges[k], p.edges[k + 1], count))
    end
  end
  return frame.close(out)
end

return svg
