-- What pictures as text have in common: sizes, marks, and lines of words.

local words = {}

local WIDEST, HIGH = 100, 16 -- characters, where no width and height are asked for
words.edges = {
  [true] = { side = '│', tick = '┤', corner = '└', base = '─', below = '┬' },
  [false] = { side = '|', tick = '+', corner = '+', base = '-', below = '+' },
}
local MARKS = {
  [true] = { '•', '×', '+', '○', '▪', '◇', '▴', '#' },
  [false] = { '*', '+', 'o', 'x', '#', '@', '%', '=' },
}
local COLORS = { 36, 33, 35, 32, 31, 34, 96, 93 } -- of the terminal's own palette

function words.width(p, style)
  return p.width or math.max(20, math.min(style.columns - 1, WIDEST))
end

-- A picture is not higher than the terminal, so that the command above it stays in view.
function words.height(p, style, most)
  return p.height or math.max(5, math.min(most or HIGH, (style.rows or 24) - 8))
end

function words.mark(i, style)
  local marks = MARKS[style.utf8]
  return marks[(i - 1) % #marks + 1]
end

-- s in the colour of series i.
function words.painted(s, i)
  return ('\27[%dm%s\27[0m'):format(COLORS[(i - 1) % #COLORS + 1], s)
end

-- Where only ASCII can be shown, other characters become "?".
function words.plain(s, style)
  return style.utf8 and s or (s:gsub('[\194-\244][\128-\191]*', '?'))
end

-- Characters, not bytes.
function words.length(s) return select(2, s:gsub('[^\128-\191]', '')) end

function words.right(s, width) return (' '):rep(width - words.length(s)) .. s end

function words.widest(labels)
  local most = 0
  for _, label in ipairs(labels) do most = math.max(most, #label) end
  return most
end

-- Texts beside each other, as many to a line as fit.
function words.wrap(texts, width, lines)
  local line, used = nil, 0
  for _, text in ipairs(texts) do
    local long = words.length(text:gsub('\27%[[%d;]*m', ''))
    if line and used + 3 + long > width then
      lines[#lines + 1], line = line, nil
    end
    used = line and used + 3 + long or long
    line = line and line .. '   ' .. text or text
  end
  lines[#lines + 1] = line
end

-- The lines of a picture, begun with its title.
function words.open(p, style)
  return { p.title and words.plain(p.title, style) }
end

function words.close(lines)
  for i, line in ipairs(lines) do lines[i] = line:gsub(' +$', '') end
  return table.concat(lines, '\n')
end

-- Labels { { column, text } } below a picture, those that do not touch the one before, within
-- `columns` columns.
function words.along(labels, columns, lines)
  local parts, used = {}, 0
  for _, label in ipairs(labels) do
    local from = math.max(0, math.min(label[1], columns - #label[2]))
    if from >= used then
      parts[#parts + 1] = (' '):rep(from - used) .. label[2] .. ' '
      used = from + #label[2] + 1
    end
  end
  lines[#lines + 1] = table.concat(parts)
end

return words
