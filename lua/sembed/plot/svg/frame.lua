-- The frame of an SVG picture: style, title, axes, text. A picture is one element that stands in a
-- file of its own or in a page, without scripts and fonts from elsewhere. Colours follow the
-- reader's light or dark setting. Class names begin with "se-" and are the same in every picture:
-- several may stand in one page.

local frame = {}

-- Pixels: of a picture, around it, from one line of text to the next; about the width of a figure.
local WIDTH, HEIGHT, EDGE, LINE, LETTER = 720, 400, 18, 20, 6.7
frame.WIDTH, frame.HEIGHT, frame.EDGE, frame.LINE, frame.LETTER = WIDTH, HEIGHT, EDGE, LINE, LETTER

-- Series in light and in dark: told apart without red and green, and in print by their lightness.
local SERIES = {
  { '#1668b8', '#5aa9f0' }, { '#d9661f', '#f39a5a' }, { '#2f8f6b', '#5cc9a0' },
  { '#a0459b', '#d98ad4' }, { '#b58a00', '#e6c34a' }, { '#4a5a6a', '#a9b8c6' },
}

local STYLE = [[
.se-paper{fill:#fff}
.se-ink{fill:#1f2933;font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.se-soft{fill:#5b6875}
.se-title{font-size:15px;font-weight:600}
.se-grid{stroke:#e3e7eb;stroke-width:1;fill:none}
.se-axis{stroke:#8996a3;stroke-width:1;fill:none}
.se-line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.se-dots{fill:none;stroke-width:5;stroke-linecap:round}
]]
local DARK = [[
.se-paper{fill:#15191e}
.se-ink{fill:#e4e9ee}
.se-soft{fill:#9aa7b4}
.se-grid{stroke:#2a323b}
.se-axis{stroke:#66737f}
]]

frame.series = #SERIES -- how many colours there are

local function style_text()
  local light, dark = { STYLE }, { DARK }
  for i, color in ipairs(SERIES) do
    light[#light + 1] = ('.se-s%d{stroke:%s}.se-b%d{fill:%s}\n'):format(i, color[1], i, color[1])
    dark[#dark + 1] = ('.se-s%d{stroke:%s}.se-b%d{fill:%s}\n'):format(i, color[2], i, color[2])
  end
  return ('<style>\n%s@media (prefers-color-scheme:dark){\n%s}\n</style>\n'):format(
    table.concat(light), table.concat(dark))
end

-- Text between tags and in attributes; what clean.lua has gone over is well-formed then.
local ENTITY = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }

function frame.escaped(s) return (s:gsub('[&<>"]', ENTITY)) end
local escaped = frame.escaped

-- At most as many characters as fit, each `letter` pixels wide.
function frame.cut(s, pixels, letter)
  local most, n = math.max(1, math.floor(pixels / letter)), 0
  for at in s:gmatch '()[^\128-\191]' do
    n = n + 1
    if n == most and s:find('[^\128-\191]', at + 1) then return s:sub(1, at - 1) .. '…' end
  end
  return s
end

-- A place to a tenth of a pixel: "12.3", "12".
local function px(v) return (('%.1f'):format(v):gsub('%.0$', ''):gsub('^%-0$', '0')) end
frame.px = px

function frame.label(out, x, y, s, anchor, class)
  anchor = anchor and (' text-anchor="%s"'):format(anchor) or ''
  out[#out + 1] = ('<text class="se-ink%s" x="%s" y="%s"%s>%s</text>\n'):format(class or '', px(x),
    px(y), anchor, escaped(s))
end

function frame.widest(labels)
  local most = 0
  for _, text in ipairs(labels) do most = math.max(most, #text) end
  return most * LETTER
end

-- The frame around a picture: out, and where the next line of text goes.
function frame.open(p, width, height)
  local out = {
    '<svg xmlns="http://www.w3.org/2000/svg" role="img" ',
    ('width="%d" height="%d" viewBox="0 0 %d %d">\n'):format(width, height, width, height),
    ('<title>%s</title>\n'):format(escaped(p.title or p.what or 'plot')),
    style_text(),
    ('<rect class="se-paper" width="%d" height="%d" rx="6"/>\n'):format(width, height),
  }
  local y = EDGE + 10
  if p.title then
    frame.label(out, EDGE, y + 2, frame.cut(p.title, width - 2 * EDGE, 8.5), nil, ' se-title')
    y = y + LINE + 2
  end
  return out, y
end

function frame.close(out)
  out[#out + 1] = '</svg>\n'
  return table.concat(out)
end

local function line_through(out, class, x0, y0, x1, y1)
  out[#out + 1] = ('<path class="%s" d="M%s %sL%s %s"/>\n'):format(class, px(x0), px(y0),
    px(x1), px(y1))
end

-- Grid and labels; box: { left, top, right, bottom } of the drawn part.
function frame.axes(out, box, axis_x, axis_y)
  local wide, high = box.right - box.left, box.bottom - box.top
  for i, v in ipairs(axis_y.ticks) do
    local y = box.bottom - axis_y.at(v) * high
    line_through(out, 'se-grid', box.left, y, box.right, y)
    frame.label(out, box.left - 8, y + 4, axis_y.labels[i], 'end', ' se-soft')
  end
  line_through(out, 'se-axis', box.left, box.bottom, box.right, box.bottom)
  for i, v in ipairs(axis_x.ticks) do
    local x = box.left + axis_x.at(v) * wide
    line_through(out, 'se-axis', x, box.bottom, x, box.bottom + 4)
    frame.label(out, x, box.bottom + LINE - 2, axis_x.labels[i], 'middle', ' se-soft')
  end
end

return frame
