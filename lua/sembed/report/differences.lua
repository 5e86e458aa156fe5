-- What several runs have in common and what not, as rows of cells; the first row is a head.

local words = require 'sembed.report.words'

local differences = {}

-- The config's keys of all runs, sorted.
function differences.keys(runs)
  local seen, keys = {}, {}
  for _, run in ipairs(runs) do
    for key in pairs(run.config) do
      if not seen[key] then seen[key], keys[#keys + 1] = true, key end
    end
  end
  table.sort(keys)
  return keys
end

local function header(first, runs)
  local row = { first }
  for i, run in ipairs(runs) do row[i + 1] = run.label end
  return row
end

-- Keys whose values differ. `out` is another one in every run, and tells nothing.
function differences.config(runs)
  local rows = { head = true, header('', runs) }
  for _, key in ipairs(differences.keys(runs)) do
    local row, differs = { key }, false
    for i, run in ipairs(runs) do
      row[i + 1] = words.value(run.config[key])
      differs = differs or row[i + 1] ~= row[2]
    end
    if differs and key ~= 'out' and key ~= 'resume' then rows[#rows + 1] = row end
  end
  if #rows == 1 then rows[2] = { 'none: the configs are the same' } end
  return rows
end

-- The facts of each run: a column a run.
function differences.results(runs)
  local rows, at = { head = true, header('', runs) }, {}
  local function cell(name, i, value)
    if not at[name] then
      at[name] = { name }
      for k = 1, #runs do at[name][k + 1] = '–' end
      rows[#rows + 1] = at[name]
    end
    at[name][i + 1] = value
  end
  for i, run in ipairs(runs) do cell('state', i, (words.state(run))) end
  for i, run in ipairs(runs) do
    for _, fact in ipairs(words.facts(run)) do cell(fact.name, i, fact.value) end
  end
  return rows
end

return differences
