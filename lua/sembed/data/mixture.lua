-- Several data sets, drawn by weight.
--
--   local talk = se.data.mixture.open { 'data_config.json', tokenizer = model.tokenizer }
--   local talk = se.data.mixture.open { { 'a.jsonl', weight = 3 }, { 'b.jsonl', weight = 1 },
--     tokenizer = model.tokenizer }
--
-- A data_config.json is a list of { "name": file, "weight": number }; paths are relative to it. A
-- data set may have columns of its own: { 'a.tsv', weight = 3, columns = { 'title', 'body' } }, or
-- "columns": [...] in the file.
-- A batch is of one data set, with probability weight / sum of weights; with mixed = true every
-- row of it may be of another. Each data set has its own epochs. Other options: those of
-- se.data.pairs.

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local run = require 'sembed.run'
local source_path = require 'sembed.data.source_path'

local mixture = {}

local function check_weight(place, weight)
  fail.unless(type(weight) == 'number' and weight > 0 and weight < math.huge,
    '%s: weight is %s, a number above 0 is wanted', place, tostring(weight))
  return weight
end

-- The data sets of a data_config.json: { path = , weight = }, in its order.
function mixture.read(path)
  path = run.path(path)
  local list, folder, sets = json.load(path), files.folder_of(path), {}
  fail.unless(type(list) == 'table' and #list > 0,
    '%s: a list of { "name": file, "weight": number } is wanted', path)
  local function beside(name) return name:sub(1, 1) == '/' and name or folder .. '/' .. name end
  for i, entry in ipairs(list) do
    local place = ('%s: entry %d'):format(path, i)
    fail.unless(type(entry) == 'table' and type(entry.name) == 'string', '%s has no "name"', place)
    sets[i] = { path = source_path(entry.name, beside),
      weight = check_weight(place, entry.weight), columns = entry.columns }
  end
  return sets
end

local function sets_of(options)
  if type(options[1]) == 'string' then return (mixture.read(options[1])) end
  local sets = {}
  for i, set in ipairs(options) do
    fail.unless(type(set) == 'table' and type(set[1]) == 'string',
      'data.mixture: data set %d: { file, weight = number } is wanted', i)
    sets[i] = { path = source_path(set[1], run.path),
      weight = check_weight(('data.mixture: data set %d'):format(i), set.weight),
      columns = set.columns }
  end
  fail.unless(#sets > 0, 'data.mixture: a data_config.json or a list of data sets is wanted')
  return sets
end

-- Opens all data sets; their token files are made where they are not there.
function mixture.open(options)
  fail.unless(type(options) == 'table' and options.tokenizer, 'data.mixture: tokenizer is missing')
  local opened, weights = {}, {}
  for i, set in ipairs(sets_of(options)) do
    opened[i] = require('sembed.data.tokens').file({ set.path },
      set.columns or options.columns or {}, options)
    weights[i] = set.weight
  end
  return (require('sembed.data.token_pairs')(opened, weights, options))
end

return mixture
