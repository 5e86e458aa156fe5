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
--   out=FILE.jsonl     "-" for standard output. form=triplets: [a, b, negative] a line; form=rows:
--                      [a, b, negatives...] for pairs with all of them; form=lists: {"query":,
--                      "pos": [...], "neg": [...]}. How many pairs have fewer negatives is told
--   number=3           negatives of a pair
--   range_min=0 range_max=N       of the nearest candidates that remain, skip the first, stop here
--   max_score= min_score= absolute_margin= relative_margin=    see mining/negatives.lua
--   random=true        a sample of the candidates (seed=N), not the nearest
--   prompt= corpus_prompt=        put before each a; before each text of the corpus; else the
--                      folder's prompts "query" and "document", nothing where it has none
--   header=true        corpus=, with column=N: the first line is a header
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', ['in'] = '', a = '', b = '', corpus = { '' }, field = 'text', column = '',
  format = '', out = '', form = 'triplets', number = 3, range_min = 0, range_max = 0,
  max_score = 0, min_score = 0, absolute_margin = 0, relative_margin = 0, random = false,
  prompt = '', corpus_prompt = '', header = false,
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
if (cfg.a == '') ~= (cfg.b == '') then error('a=KEY and b=KEY go together', 0) end
if cfg.number < 1 then error('number=0: at least 1 is wanted', 0) end
if given.range_max and cfg.range_max - cfg.range_min < cfg.number then
  error(('number=%d: range_min=%d and range_max=%d leave fewer'):format(cfg.number,
    cfg.range_min, cfg.range_max), 0)
end
se.search.check_out(cfg.out)

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
    header = cfg.header, unpack(cfg.corpus) } do add(corpus, corpus_row, text) end
end
for a, list in se.search.pairs(cfg['in'], cfg.a, cfg.b) do
  local q = add(queries, query_row, a) + 1
  positives[q] = positives[q] or {} -- twice counts twice
  for _, b in ipairs(list) do table.insert(positives[q], add(corpus, corpus_row, b)) end
end
if #queries == 0 then error(cfg['in'] .. ': no pairs', 0) end

local model = se.model.open(cfg.model)
local function encode(texts, key, name, what) -- the folder's default prompt is for neither side
  local prompt = given[key] and cfg[key] or model:own_prompt(name) or ''
  return (se.search.encode(model, texts, { prompt = prompt, progress = what }))
end
local options = { number = cfg.number, range_min = cfg.range_min, random = cfg.random,
  seed = cfg.seed, progress = 'search' }
for _, key in ipairs { 'range_max', 'max_score', 'min_score', 'absolute_margin',
  'relative_margin' } do
  if given[key] then options[key] = cfg[key] end
end
local found = se.search.negatives(encode(queries, 'prompt', 'query', 'queries'),
  encode(corpus, 'corpus_prompt', 'document', 'corpus'), positives, options)

local lines, negatives, n_pairs, fewer = {}, 0, 0, 0
local function put(value) lines[#lines + 1] = se.json.encode(value) .. '\n' end
for q, a in ipairs(queries) do
  local neg, pos = se.json.array {}, se.json.array {}
  for i, hit in ipairs(found[q]) do neg[i] = corpus[hit.row + 1] end
  local own = {}
  for _, row in ipairs(positives[q]) do add(pos, own, corpus[row + 1]) end
  negatives, n_pairs = negatives + #neg, n_pairs + #pos
  if #neg < cfg.number then fewer = fewer + #pos end
  if cfg.form == 'lists' then put { query = a, pos = pos, neg = neg } end
  for _, b in ipairs(pos) do
    if cfg.form == 'rows' and #neg == cfg.number then put(se.json.array { a, b, unpack(neg) }) end
    for _, n in ipairs(cfg.form == 'triplets' and neg or {}) do put(se.json.array { a, b, n }) end
  end
end
se.search.put(cfg.out, lines)
io.stderr:write(('%d queries, %d texts, %d negatives, %d lines -> %s\n'):format(#queries, #corpus,
  negatives, #lines, cfg.out))
if fewer > 0 then
  io.stderr:write(('%d of %d pairs have fewer than %d negatives%s\n'):format(fewer, n_pairs,
    cfg.number, cfg.form == 'rows' and ' and are left out' or ''))
end
