-- A BEIR folder: corpus.jsonl and queries.jsonl (_id, title, text), qrels/SPLIT.tsv (a header, then
-- query id, document id, relevance); each file plain, .gz or .zst.
--
--   local set = beir.open(source, 'test')
--   set.queries                   a list of { id, text, judged = { [document id] = relevance } }
--   for id, text in set:corpus() do ... end
--
-- As in beir.datasets.data_loader only queries with judgements in the split take part, a judgement
-- that is repeated counts as the last one says, and a document's text is its title, a space and its
-- text, without spaces around (beir.retrieval.models.util.extract_corpus_sentences).

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local records = require 'sembed.evaluate.records'

local beir = {}
local Set = {}
Set.__index = Set

-- --- files of the folder ---

local function look_for(folder, name)
  for _, ending in ipairs { '', '.gz', '.zst' } do
    local path = folder.path .. '/' .. name .. ending
    if files.exists(path) then
      return { name = ('%s/%s%s'):format(folder.name, name, ending), path = path }
    end
  end
end

local function file_of(folder, name)
  return look_for(folder, name) or fail.raise('%s/%s: no such file', folder.name, name)
end

local function splits_of(folder)
  local names = {}
  if not files.is_folder(folder.path .. '/qrels') then return names end
  for _, name in ipairs(files.list(folder.path .. '/qrels')) do
    names[#names + 1] = name:match '^(.-)%.tsv'
  end
  table.sort(names)
  return names
end

local function qrels_of(folder, split)
  local source = look_for(folder, ('qrels/%s.tsv'):format(split))
  if source then return source end
  local known = splits_of(folder)
  return fail.raise('%s/qrels/%s.tsv: no such split; %s', folder.name, split,
    #known > 0 and 'there is ' .. records.list(known) or 'there are none')
end

-- --- judgements ---

local function read_judgements(source)
  local queries, by_id, first = {}, {}, true
  for fields, place in records.of(source) do
    fail.unless(#fields == 3, '%s: %d columns; query id, document id and relevance are wanted',
      place, #fields)
    local relevance = tonumber(fields[3])
    if relevance and relevance == relevance and math.abs(relevance) < math.huge then
      local query = by_id[fields[1]]
      if not query then
        query = { id = fields[1], judged = {} }
        by_id[query.id], queries[#queries + 1] = query, query
      end
      query.judged[fields[2]] = relevance
    elseif not first then -- the first line is a header
      fail.raise('%s: the relevance "%s" is no number', place, fields[3])
    end
    first = false
  end
  fail.unless(#queries > 0, '%s: no judgements in it', source.name)
  return queries, by_id
end

-- --- texts ---

local function text_of(record, key, place)
  local value = record[key]
  if type(value) == 'string' then return value end
  return fail.raise('%s: "%s" %s', place, key, (value == nil or value == json.null)
    and 'is missing' or 'is no text')
end

local function read_texts(set, source, by_id)
  local left = #set.queries
  for record, place in records.of(source) do
    local query = by_id[text_of(record, '_id', place)]
    if query then
      if query.text then fail.raise('%s: query "%s" is there twice', place, query.id) end
      query.text, left = text_of(record, 'text', place), left - 1
    end
  end
  if left == 0 then return end
  for _, query in ipairs(set.queries) do
    if not query.text then
      fail.raise('%s: %d of the %d queries that %s names are missing, "%s" is the first',
        source.name, left, #set.queries, set.qrels.name, query.id)
    end
  end
end

-- id, text, place of each document.
function Set:corpus()
  local next_record = records.of(self.documents)
  return function()
    local record, place = next_record()
    if not record then return nil end
    local title = record.title
    local text = text_of(record, 'text', place)
    if title ~= nil and title ~= json.null then
      text = text_of(record, 'title', place) .. ' ' .. text
    end
    return text_of(record, '_id', place), text:match '^%s*(.-)%s*$', place
  end
end

-- source: as records.source gives it.
function beir.open(source, split)
  if not files.is_folder(source.path) then fail.raise('%s: no such folder', source.name) end
  local set = setmetatable({ name = source.name, documents = file_of(source, 'corpus.jsonl') }, Set)
  local texts = file_of(source, 'queries.jsonl')
  set.qrels = qrels_of(source, split)
  local by_id
  set.queries, by_id = read_judgements(set.qrels)
  read_texts(set, texts, by_id)
  return set
end

return beir
