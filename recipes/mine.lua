-- Hard negatives: to each pair texts that are near to its first and do not belong to it, as a file
-- to train on.
--
--   sembed mine model=DIR in=PAIRS.jsonl out=TRAIN.jsonl [key=value]...
--
--   in=FILE            lines [a, b, ...], {"context":, "response":}, {"anchor":, "positive":},
--                      {"query":, "pos": [...]}; or a=KEY b=KEY name the two texts of an object.
--                      The same a in several lines has several positives
--   corpus=FILE,...    more texts that may be negatives, beside all positives (field= column=
--                      format= as in `sembed encode`)
--   out=FILE.jsonl     form=triplets: [a, b, negative] a line; form=rows: [a, b, negatives...] for
--                      pairs with all of them; form=lists: {"query":, "pos": [...], "neg": [...]}
--   number=3           negatives of a pair
--   range_min=0 range_max=N       of the nearest candidates that remain, skip the first, stop here
--   max_score= min_score= absolute_margin= relative_margin=    see mining/negatives.lua
--   random=true        a sample of the candidates (seed=N), not the nearest
--   prompt= corpus_prompt=        put before each a; before each text of the corpus
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', ['in'] = '', a = '', b = '', corpus = { '' }, field = 'text', column = '',
  format = '', out = '', form = 'triplets', number = 3, range_min = 0, range_max = 0,
  max_score = 0, min_score = 0, absolute_margin = 0, relative_margin = 0, random = false,
  prompt = '', corpus_prompt = '',
}
for _, key in ipairs { 'model', 'in', 'out' } do
  if cfg[key] == '' then error(key .. '= is missing; sembed mine --help tells more', 0) end
end
if cfg.form ~= 'triplets' and cfg.form ~= 'rows' and cfg.form ~= 'lists' then
  error('form=' .. cfg.form .. ': triplets, rows or lists is wanted', 0)
end
for _, key in ipairs { 'number', 'range_min', 'range_max' } do
  if cfg[key] < 0 or cfg[key] % 1 ~= 0 then error(key .. '=: a count is wanted', 0) end
end

local KEYS = { { 'query', 'pos' }, { 'anchor', 'positive' }, { 'context', 'response' } }
if cfg.a ~= '' then KEYS = { { cfg.a, cfg.b } } end

-- A line -> its first text and the list of those that belong to it.
local function read(line, number)
  local where = ('%s:%d'):format(cfg['in'], number)
  local v = se.json.parse(line, where)
  local a, b
  if type(v) == 'table' then a, b = v[1], v[2] end
  for _, key in ipairs(KEYS) do
    if type(v) == 'table' and a == nil then a, b = v[key[1]], v[key[2]] end
  end
  local list = type(b) == 'table' and b or { b }
  for i = 0, math.max(#list, 1) do
    if type(i == 0 and a or list[i]) ~= 'string' then
      error(where .. ': a pair of texts is wanted: [a, b], or an object with the keys a= and b=', 0)
    end
  end
  return a, list
end

-- Texts that are the same are one: `numbers` has their rows from 0.
local function add(list, numbers, text)
  if not numbers[text] then
    numbers[text] = #list
    list[#list + 1] = text
  end
  return numbers[text]
end

local queries, query_row, corpus, corpus_row, positives = {}, {}, {}, {}, {}
if given.corpus then
  for text in se.data.texts { field = cfg.field, column = cfg.column, format = cfg.format,
    unpack(cfg.corpus) } do add(corpus, corpus_row, text) end
end
for line, number in se.data.lines(cfg['in']) do
  local a, list = read(line, number)
  local q = add(queries, query_row, a) + 1
  positives[q] = positives[q] or { seen = {} }
  for _, b in ipairs(list) do
    local row = add(corpus, corpus_row, b)
    if not positives[q].seen[row] then
      positives[q].seen[row] = true
      table.insert(positives[q], row)
    end
  end
end
if #queries == 0 then error(cfg['in'] .. ': no pairs', 0) end

local model = se.model.open(cfg.model)
local function encode(texts, prompt, what)
  return (se.search.encode(model, texts, { prompt = prompt ~= '' and prompt or nil,
    progress = what }))
end
local options = { number = cfg.number, range_min = cfg.range_min, random = cfg.random,
  seed = cfg.seed, progress = 'search' }
for _, key in ipairs { 'range_max', 'max_score', 'min_score', 'absolute_margin',
  'relative_margin' } do
  if given[key] then options[key] = cfg[key] end
end
local found = se.search.negatives(encode(queries, cfg.prompt, 'queries'),
  encode(corpus, cfg.corpus_prompt, 'corpus'), positives, options)

local lines, negatives = {}, 0
local function put(value) lines[#lines + 1] = se.json.encode(value) .. '\n' end
for q, a in ipairs(queries) do
  local neg, pos = se.json.array {}, se.json.array {}
  for i, hit in ipairs(found[q]) do neg[i] = corpus[hit.row + 1] end
  for i, row in ipairs(positives[q]) do pos[i] = corpus[row + 1] end
  negatives = negatives + #neg
  if cfg.form == 'lists' then put { query = a, pos = pos, neg = neg } end
  for _, b in ipairs(pos) do
    if cfg.form == 'rows' and #neg == cfg.number then put(se.json.array { a, b, unpack(neg) }) end
    for _, n in ipairs(cfg.form == 'triplets' and neg or {}) do put(se.json.array { a, b, n }) end
  end
end
se.files.write(cfg.out, table.concat(lines))
io.stderr:write(('%d queries, %d texts, %d negatives, %d lines -> %s\n'):format(#queries, #corpus,
  negatives, #lines, cfg.out))
