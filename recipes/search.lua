-- The texts of a corpus that are nearest to a query, exactly.
--
--   sembed search model=DIR corpus=FILE query="a question" [key=value]...
--   sembed search model=DIR vectors=FILE.npy texts=FILE queries=FILE out=FILE.jsonl
--
--   model=DIR          a sentence-transformers folder: encodes queries, and the corpus
--   corpus=FILE,...    texts to encode and search (lines, jsonl, tsv, csv; plain, gzip, zstd)
--   vectors=FILE.npy   instead: vectors that `sembed encode` wrote; mapped, so that they may be
--                      larger than memory
--   texts=FILE,...     with vectors=: their texts, in the same order, to be shown
--   save=FILE.npy      keep the vectors of corpus= for vectors=
--   query=TEXT         one query; queries=FILE: many, read like a corpus; else a line each from
--                      standard input, on a terminal with a prompt
--   k=10               results of a query
--   metric=cosine|dot
--   json=true          results as JSON lines; out=FILE.jsonl: into a file, whole or not there
--   field=text column= format=   which part of corpus=, texts= and queries= is the text
--   prompt=TEXT, corpus_prompt=TEXT   what stands before each query, before each text; else the
--                      folder's prompts "query" and "document", or its default
--   dims=N             only the first N numbers of each vector
--
-- A result is rank, score, row (from 0), text. Of equal scores the lower row comes first.
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', corpus = { '' }, vectors = '', texts = { '' }, save = '', query = '',
  queries = { '' }, k = 10, metric = 'cosine', json = false, out = '', field = 'text', column = '',
  format = '', prompt = '', corpus_prompt = '', dims = 0,
}
if cfg.model == '' then error('model= is missing; sembed search --help tells more', 0) end
if (given.corpus or false) == (given.vectors or false) then
  error('corpus=FILE or vectors=FILE.npy is wanted, one of them', 0)
end
if given.vectors and given.save then
  error('save= keeps the vectors of corpus=: vectors= has them already', 0)
end

local function reader(files)
  return se.data.texts { field = cfg.field, column = cfg.column, format = cfg.format,
    unpack(files) }
end

local function list_of(files)
  local list = {}
  for text in reader(files) do list[#list + 1] = text end
  return list
end

local model = se.model.open(cfg.model)
local function encode(texts, key, side, what)
  local prompt = given[key] and cfg[key] or model:own_prompt(side)
  return (se.search.encode(model, texts, { prompt = prompt,
    dims = cfg.dims > 0 and cfg.dims or nil, progress = what }))
end

local list = given.corpus and list_of(cfg.corpus)
local vectors = list and encode(list, 'corpus_prompt', 'document', 'corpus')
  or se.npy.open(cfg.vectors)
if cfg.save ~= '' then se.search.save(cfg.save, vectors) end

-- Texts of the rows that were found; with vectors= one pass over the file picks them out.
local function texts_of(hits)
  if list then return setmetatable({}, { __index = function(_, row) return list[row + 1] end }) end
  local wanted, found, row = {}, {}, 0
  for _, hit in ipairs(hits) do
    for _, one in ipairs(hit) do wanted[one.row] = true end
  end
  if not given.texts then return found end
  for text in reader(cfg.texts) do
    if wanted[row] then found[row] = text end
    row = row + 1
  end
  if row ~= vectors.rows then
    error(('texts= holds %d texts, vectors= %d rows'):format(row, vectors.rows), 0)
  end
  return found
end

local lines = {}
local function put(line)
  if cfg.out ~= '' then lines[#lines + 1] = line .. '\n' else print(line) end
end

local function show(query, hits, texts)
  if not cfg.json and cfg.out == '' then
    for rank, hit in ipairs(hits) do
      put(('%3d  %.4f  %6.0f  %s'):format(rank, hit.score, hit.row, texts[hit.row] or ''))
    end
    return
  end
  local results = se.json.array {}
  for rank, hit in ipairs(hits) do
    results[rank] = { rank = rank, score = hit.score, row = hit.row, text = texts[hit.row] }
  end
  put(se.json.encode { query = query, results = results })
end

local function answer(queries)
  if #queries == 0 then return end
  local hits = se.search.hits(encode(queries, 'prompt', 'query', 'queries'), vectors, cfg.k,
    { metric = cfg.metric, progress = 'search', name = cfg.vectors })
  local texts = texts_of(hits)
  for i, query in ipairs(queries) do
    if not cfg.json and cfg.out == '' and #queries > 1 then put('# ' .. query) end
    show(query, hits[i], texts)
  end
end

if given.query then
  answer { cfg.query }
elseif given.queries then
  answer(list_of(cfg.queries))
else
  for line in se.search.ask 'search> ' do answer { line } end
end
if cfg.out ~= '' then se.files.write(cfg.out, table.concat(lines)) end
