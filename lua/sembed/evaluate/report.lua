-- Results of evaluations as text for people and as JSON.

local files = require 'sembed.files'
local json = require 'sembed.json'
local similarity = require 'sembed.evaluate.similarity'

local report = {}

-- 1234567 -> "1,234,567"
local function thousands(n)
  local text = ('%d'):format(n)
  repeat
    local changed
    text, changed = text:gsub('^(%d+)(%d%d%d)', '%1,%2')
  until changed == 0
  return text
end

local function number(value)
  if value == nil then return '' end
  if value == json.null then return 'undefined' end
  return ('%.4f'):format(value)
end

-- --- the lines of each task ---

-- rows of cells -> lines; the first column to the left, the others to the right.
local function grid(rows)
  local width, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do width[i] = math.max(width[i] or 0, #cell) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = (i == 1 and '%-' or '%') .. width[i] .. 's'
      cells[i] = cells[i]:format(cell)
    end
    lines[n] = '  ' .. table.concat(cells, '  '):gsub('%s+$', '')
  end
  return lines
end

-- Metrics named WHAT_SIMILARITY: a row a similarity, a column each of `whats`.
local function by_similarity(result, whats)
  local rows = { { '', unpack(whats) } }
  for _, name in ipairs(similarity.names) do
    local row = { name }
    for _, what in ipairs(whats) do row[#row + 1] = number(result.metrics[what .. '_' .. name]) end
    rows[#rows + 1] = row
  end
  return grid(rows)
end

-- A row a ranking (1-of-100, 1-of-ALL), a column a metric.
local function by_ranking(result)
  local whole = result.metrics.accuracy_all ~= nil
  local names = { 'accuracy', 'mrr', 'recall@3', 'recall@5', 'recall@10' }
  if whole then names[6] = 'recall@100' end
  local rows = { { '', unpack(names) } }
  for suffix, size in pairs { [''] = result.block, _all = whole and result.pairs or nil } do
    local row = { ('1-of-%d'):format(size) }
    for _, name in ipairs(names) do row[#row + 1] = number(result.metrics[name .. suffix]) end
    rows[suffix == '' and 2 or 3] = row
  end
  return grid(rows)
end

-- A row a metric, a column a cutoff.
local function by_cutoff(result)
  local rows, at = { { '' } }, {}
  for i, k in ipairs(result.cutoffs) do rows[1][i + 1] = '@' .. k end
  for _, name in ipairs(result.order) do
    local what = name:match '^(.-)@'
    if not at[what] then
      at[what] = { what }
      rows[#rows + 1] = at[what]
    end
    table.insert(at[what], number(result.metrics[name]))
  end
  return grid(rows)
end

local tasks = {
  beir = function(r)
    local size = ('split %s, %s queries, %s documents, by %s'):format(r.split,
      thousands(r.queries), thousands(r.documents), r.similarity)
    if r.unknown_documents > 0 then
      size = size .. (', %s judged documents are not there'):format(thousands(r.unknown_documents))
    end
    if r.queries_without_relevant > 0 then
      size = size .. (', %s queries have nothing relevant'):format(
        thousands(r.queries_without_relevant))
    end
    return size, by_cutoff(r)
  end,
  sts = function(r)
    return thousands(r.pairs) .. ' pairs', by_similarity(r, { 'pearson', 'spearman' })
  end,
  triplets = function(r)
    return thousands(r.triplets) .. ' triplets', by_similarity(r, { 'accuracy' })
  end,
  pairs = function(r)
    local size = ('%s of %s pairs in blocks of %s, by %s'):format(thousands(r.used),
      thousands(r.pairs), thousands(r.block), r.similarity)
    if r.ties > 0 then size = size .. (', %s with ties'):format(thousands(r.ties)) end
    return size, by_ranking(r)
  end,
}

-- One result as lines of text.
function report.text(result)
  local size, lines = tasks[result.task](result)
  local cut = result.truncated > 0 and (', %s texts cut'):format(thousands(result.truncated)) or ''
  return ('%s %s: %s%s; %.1f s, %s tokens/s\n%s\n'):format(result.task, result.source, size, cut,
    result.seconds, thousands(result.tokens_per_second), table.concat(lines, '\n'))
end

-- --- JSON ---

local function plain(result)
  local copy = {}
  for key, value in pairs(result) do
    if key ~= 'order' then copy[key] = value end
  end
  return copy
end

-- All results with what `about` tells (model, ...), as JSON text.
function report.json(about, results)
  local all = {}
  for key, value in pairs(about) do all[key] = value end
  all.results = json.array {}
  for i, result in ipairs(results) do all.results[i] = plain(result) end
  return json.encode(all, { indent = 2, order = { 'sembed', 'model' } }) .. '\n'
end

-- Writes report.json's text into a file, whole or not at all.
function report.save(path, about, results)
  files.write(path, report.json(about, results))
end

return report
