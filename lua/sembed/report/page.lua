-- The page: one HTML file that needs no other, in light and dark as the reader's system says. All
-- text from runs goes through `escaped`. Every tag is closed, so that it is XML, too.

local clean = require 'sembed.plot.clean'
local curves = require 'sembed.report.curves'
local differences = require 'sembed.report.differences'
local frame = require 'sembed.plot.svg.frame'
local style = require 'sembed.report.style'
local words = require 'sembed.report.words'

local WIDTH, HEIGHT = 620, 330 -- pixels of a picture

local function escaped(s) return (frame.escaped(clean(tostring(s)))) end

local function put(out, format, ...)
  local list = { ... }
  for i = 1, select('#', ...) do
    list[i] = type(list[i]) == 'string' and escaped(list[i]) or list[i]
  end
  out[#out + 1] = format:format(unpack(list)) .. '\n'
end

-- --- parts ---

local function head(out, title)
  out[#out + 1] = '<!DOCTYPE html>\n'
  put(out, '<html lang="en"><head><meta charset="utf-8"/>')
  put(out, '<meta name="viewport" content="width=device-width, initial-scale=1"/>')
  put(out, '<meta name="color-scheme" content="light dark"/>')
  put(out, '<title>%s</title>', title)
  out[#out + 1] = '<style>' .. style .. '</style></head><body><main>\n'
end

local function state(out, run)
  local text, class = words.state(run)
  put(out, '<span class="state %s">%s</span>', class, text)
end

local function notes(out, run)
  if run.failure then
    put(out, '<p class="note bad"><b>This run went wrong.</b> %s%s</p>', run.failure.error,
      type(run.failure.batch) == 'string' and ' — its batch: ' .. run.failure.batch or '')
  end
  for _, note in ipairs(run.notes) do put(out, '<p class="note">%s</p>', note) end
end

local function tiles(out, run)
  put(out, '<section class="tiles">')
  for _, fact in ipairs(words.facts(run)) do
    put(out, '<div class="tile"><h2>%s</h2><p>%s</p><small>%s</small></div>', fact.name,
      fact.value, fact.remark)
  end
  put(out, '</section>')
end

local function figures(out, runs)
  put(out, '<section class="figures">')
  for _, figure in ipairs(curves.of(runs)) do
    put(out, '<figure class="%s">', figure.soft and 'soft' or 'plain')
    out[#out + 1] = figure.picture { width = WIDTH, height = HEIGHT }:svg()
    put(out, '</figure>')
  end
  put(out, '</section>')
end

-- rows: lists of cells; the first row is a head, the first cell of each a name.
local function grid(out, title, rows, class)
  put(out, '<section class="%s"><h2>%s</h2><div class="wide"><table>', class or 'facts', title)
  for i, row in ipairs(rows) do
    local cells = {}
    for k, cell in ipairs(row) do
      local tag = (i == 1 and rows.head or k == 1) and 'th' or 'td'
      cells[k] = ('<%s>%s</%s>'):format(tag, escaped(cell), tag)
    end
    out[#out + 1] = '<tr>' .. table.concat(cells) .. '</tr>\n'
  end
  put(out, '</table></div></section>')
end

local function evaluations(out, run)
  local names = curves.evaluated { run }
  if #names == 0 then return end
  local rows = { head = true, { 'step', unpack(names) } }
  for _, e in ipairs(run.evaluations) do
    local row = { words.thousands(e.step) }
    for k, name in ipairs(names) do row[k + 1] = words.number(e.values[name]) end
    rows[#rows + 1] = row
  end
  if #rows > 42 then -- the first and the last ones tell enough; the log has them all
    for i = 22, #rows - 20 do rows[i] = false end
    local few = { head = true }
    for i, row in ipairs(rows) do
      if row then few[#few + 1] = row end
      if i == 22 then few[#few + 1] = { '…' } end
    end
    rows = few
  end
  grid(out, 'Evaluations', rows, 'numbers')
end

local function config(out, run)
  local rows = {}
  for _, key in ipairs(differences.keys { run }) do
    rows[#rows + 1] = { key, words.value(run.config[key]) }
  end
  if #rows == 0 then rows[1] = { 'unknown', 'the folder has no run.json and no save' } end
  grid(out, 'Config', rows)
end

local SESSION = { { 'after', 'after step' }, { 'began', 'began (UTC)' }, { 'machine', 'machine' },
  { 'cpu', 'processor' }, { 'cores', 'cores' }, { 'memory_gb', 'memory, GB' },
  { 'system', 'system' }, { 'threads', 'threads' }, { 'isa', 'instructions' },
  { 'sembed', 'sembed' } }

local function environment(out, run)
  local rows = {}
  if run.parameters then rows[1] = { 'parameters', words.thousands(run.parameters) } end
  if run.pairs then rows[#rows + 1] = { 'pairs', words.thousands(run.pairs) } end
  for _, field in ipairs(SESSION) do
    local row, there = { field[2] }, false
    for _, session in ipairs(run.sessions) do
      local value = type(session) == 'table' and session[field[1]] or nil
      there = there or value ~= nil
      row[#row + 1] = words.value(value)
    end
    if there then rows[#rows + 1] = row end
  end
  if #rows > 0 then
    grid(out, #run.sessions > 1 and ('Environment, %d sessions'):format(#run.sessions)
      or 'Environment', rows)
  end
end

local function command(out, run)
  local line = words.command(run, not run.finished)
  if not line then return end
  local where = type(run.where) == 'string' and ' in ' .. run.where or ''
  put(out, '<section class="command"><h2>%s%s</h2><pre>%s</pre></section>',
    run.finished and 'The command' or 'To go on', where, line)
end

-- --- pages ---

local function one(run)
  local out = {}
  head(out, run.name .. ' – sembed')
  put(out, '<header><h1>%s</h1>', run.name)
  state(out, run)
  put(out, '<p class="path">%s</p></header>', run.folder)
  notes(out, run)
  tiles(out, run)
  figures(out, { run })
  evaluations(out, run)
  command(out, run)
  put(out, '<div class="pair">')
  config(out, run)
  environment(out, run)
  put(out, '</div>')
  return out
end

local function several(runs)
  local out, names = {}, {}
  for i, run in ipairs(runs) do names[i] = run.label end
  head(out, table.concat(names, ', ') .. ' – sembed')
  put(out, '<header><h1>%d runs</h1>', #runs)
  put(out, '<p class="path">%s</p></header>', table.concat(names, ', '))
  grid(out, 'Results', differences.results(runs), 'numbers')
  for _, run in ipairs(runs) do
    if run.failure or #run.notes > 0 then
      put(out, '<h3>%s</h3>', run.label)
      notes(out, run)
    end
  end
  figures(out, runs)
  grid(out, 'Keys that differ', differences.config(runs), 'numbers keys')
  for _, run in ipairs(runs) do
    put(out, '<details><summary>%s</summary>', run.label)
    state(out, run)
    command(out, run)
    put(out, '<div class="pair">')
    config(out, run)
    environment(out, run)
    put(out, '</div></details>')
  end
  return out
end

-- runs: what read.lua gives, each with a label of its own.
return function(runs)
  local out = #runs == 1 and one(runs[1]) or several(runs)
  put(out, '<footer>sembed report</footer></main></body></html>')
  return table.concat(out)
end
