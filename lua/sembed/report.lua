-- What a training did, as a page and as text:
--
--   se.report { 'runs/base', 'runs/first' }   ->  a report of one run or of several
--   report:page()         one HTML file that needs no other (report/page.lua)
--   report:text(style)    the facts and curves for a terminal; report:show() writes them to it
--   report.runs           what the folders hold (report/read.lua)

local curves = require 'sembed.report.curves'
local differences = require 'sembed.report.differences'
local fail = require 'sembed.fail'
local words = require 'sembed.report.words'

local Report = {}
Report.__index = Report

-- Names for the curves: the folder's, or where two have the same one, the whole path.
local function label(runs)
  local count = {}
  for _, run in ipairs(runs) do count[run.name] = (count[run.name] or 0) + 1 end
  for _, run in ipairs(runs) do
    run.label = count[run.name] > 1 and run.folder or run.name
  end
end

-- The HTML page as a string.
function Report:page() return (require 'sembed.report.page'(self.runs)) end

local function grid(rows)
  local width, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do width[i] = math.max(width[i] or 0, #cell) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = cell .. (' '):rep(width[i] - #cell) end
    lines[n] = '  ' .. table.concat(cells, '  '):gsub('%s+$', '')
  end
  return table.concat(lines, '\n')
end

local TALL = 9 -- rows of a curve

-- Facts, notes, curves as text; style: as of pictures, the terminal's without.
function Report:text(style)
  local parts = { grid(differences.results(self.runs)) }
  for _, run in ipairs(self.runs) do
    for _, note in ipairs(run.notes) do parts[#parts + 1] = ('%s: %s'):format(run.label, note) end
    if run.failure then
      parts[#parts + 1] = ('%s: %s'):format(run.label, run.failure.error)
    end
  end
  for _, figure in ipairs(curves.of(self.runs)) do
    parts[#parts + 1] = figure.picture({ height = TALL }, true):text(style)
  end
  if #self.runs > 1 then
    parts[#parts + 1] = 'keys that differ\n' .. grid(differences.config(self.runs))
  else
    local run = self.runs[1]
    local line = not run.finished and words.command(run, true)
    if line then parts[#parts + 1] = 'to go on:\n  ' .. line end
  end
  return table.concat(parts, '\n\n') .. '\n'
end

-- Writes the text to standard output where that is a terminal, or `always`.
function Report:show(always)
  local terminal = require 'sembed.terminal'
  if always or terminal.shown() then io.write(self:text(terminal.style()), '\n') end
end

-- folders: of runs, in the order they are to be shown.
return function(folders)
  if type(folders) == 'string' then folders = { folders } end
  fail.unless(type(folders) == 'table' and #folders > 0, 'report: the folder of a run is missing')
  local read, runs, seen = require 'sembed.report.read', {}, {}
  for _, folder in ipairs(folders) do
    fail.unless(type(folder) == 'string', 'report: a folder is a %s: a path is wanted',
      fail.kind(folder))
    local run = read(folder)
    fail.unless(not seen[run.folder], 'report: %s is there twice', folder)
    seen[run.folder], runs[#runs + 1] = true, run
  end
  label(runs)
  return setmetatable({ runs = runs }, Report)
end
