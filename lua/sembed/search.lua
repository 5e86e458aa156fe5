-- Exact search among vectors, block after block: any size of corpus, memory for the answers and one
-- block.
--
--   local scores, rows = se.search.topk(queries, corpus, 10)
--
-- queries f32[q, dims]; corpus f32[n, dims], or a file of vectors (se.npy.open). scores f32[q, k],
-- the largest first; rows i32[q, k], from 0. Of equal scores the lower row is the better one; k is
-- cut to n. Options: metric ('cosine', the default, or 'dot'), block (rows looked at in one go),
-- progress (a text to show it with). A score depends on its two vectors alone: not on blocks,
-- threads, or other queries. A corpus vector that is not a number is an error.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local host = require 'sembed.host'
local npy = require 'sembed.npy'
local op = require 'sembed.op'
local progress = require 'sembed.progress'
local tensor = require 'sembed.tensor'

local f = op.functions
local search = {}

local QUERIES = 256   -- at once: a block of the corpus is read from memory once for so many
local BLOCK = 16384   -- rows
local NONE = 2147483647

local function known_metric(metric)
  metric = metric or 'cosine'
  if metric ~= 'cosine' and metric ~= 'dot' then
    fail.raise('search: %s', fail.unknown('metric', metric, { 'cosine', 'dot' }))
  end
  return metric
end

-- Rows, dims, and a function (first, count) -> tensor, from which row of it on.
function search.corpus(corpus)
  if not core.is_tensor(corpus) then
    fail.unless(type(corpus) == 'table' and corpus.part,
      'search: a corpus is a tensor or an opened file: %s came', type(corpus))
    return corpus.rows, corpus.dims, function(first, count) return corpus:part(first, count), 0 end
  end
  local shape = corpus:shape()
  fail.unless(#shape == 2, 'search: rows of numbers are wanted: %s came', corpus:describe())
  return shape[1], shape[2], function(first) return corpus, first end
end

-- --- the best so far, while rows come in blocks ---

local Best = {}
Best.__index = Best

-- What search.topk does, for a corpus that comes block after block: best:add(part) for each, then
-- best:results(). Memory for the queries and their answers.
function search.best(queries, k, metric)
  local self = setmetatable({ tiles = {}, rows = 0, metric = known_metric(metric) }, Best)
  if self.metric == 'cosine' then queries = f.normalize(queries) end
  for first = 1, #queries, QUERIES do
    local last = math.min(first + QUERIES - 1, #queries)
    local tile = { queries = tensor.keep(queries:rows(first, last)),
      values = tensor.keep(tensor.full({ last - first + 1, k }, -math.huge)),
      places = tensor.keep(tensor.full({ last - first + 1, k }, NONE, 'i32')) }
    tensor.eval(tile.queries)
    self.tiles[#self.tiles + 1] = tile
  end
  return self
end

-- The next `count` rows of the corpus: those of `part` from row `from` on (all of it if not given).
function Best:add(part, from, count)
  from, count = from or 0, count or #part
  for _, tile in ipairs(self.tiles) do
    tensor.scope('search', function()
      local values, places = f.nearest(tile.queries, part, tile.values, tile.places,
        { from = from, count = count, name = self.rows, cosine = self.metric == 'cosine' })
      tensor.eval(values, places)
      tile.values, tile.places = tensor.keep(values), tensor.keep(places)
    end)
  end
  self.rows = self.rows + count
end

-- scores f32[q, k], rows i32[q, k]; where there were less than k rows, the last scores are -inf.
-- what: whose vectors they are, for the message where one is not a finite number.
function Best:results(what)
  local values, places = {}, {}
  for i, tile in ipairs(self.tiles) do values[i], places[i] = tile.values, tile.places end
  local scores, rows = tensor.keep(tensor.join(values)), tensor.keep(tensor.join(places))
  tensor.eval(scores, rows)
  local top = scores:size(2) > 0 and #scores > 0 and scores:max():item() or 0
  if top ~= top or top == math.huge then
    fail.raise('search: %s holds vectors that are not finite numbers', what or 'the corpus')
  end
  return scores, rows
end

-- The k best rows of a corpus for each query: scores f32[q, k], the largest first, and rows i32[q,
-- k] from 0 (of equal scores the lower row first; fewer than k where the corpus has fewer). queries
-- f32[q, dims]; corpus f32[n, dims] or an opened file (se.npy.open). options: metric ('cosine',
-- 'dot'), block (rows at once), progress (a text to show), name (of the corpus, in messages).
function search.topk(queries, corpus, k, options)
  options = options or {}
  local metric = known_metric(options.metric)
  local n, dims, part_of = search.corpus(corpus)
  fail.unless(core.is_tensor(queries) and queries:rank() == 2 and queries:size(2) == dims,
    'search: queries of %d numbers are wanted: %s came', dims,
    core.is_tensor(queries) and queries:describe() or type(queries))
  fail.unless(type(k) == 'number' and k >= 1 and k % 1 == 0, 'search: k = %s: a count is wanted',
    tostring(k))
  fail.unless(n < NONE, 'search: %d rows: at most %d can be searched', n, NONE - 1)
  local q, block = #queries, options.block or BLOCK
  k = math.min(k, n)
  if q == 0 or k == 0 then
    return tensor.zeros(q, k), tensor.zeros(q, k):cast 'i32'
  end
  local best = search.best(queries, k, metric)
  for first = 0, n - 1, block do
    local count = math.min(block, n - first)
    local part, from = part_of(first, count)
    best:add(part, from, count)
    if options.progress then
      progress.show('%s: %.0f of %.0f rows', options.progress, first + count, n)
    end
  end
  if options.progress then progress.clear() end
  return best:results(options.name)
end

-- --- texts ---

-- Texts -> f32[n, dims], some at a time, so that a stop is soon obeyed. Options: those of
-- model:encode, and progress.
function search.encode(model, texts, options)
  options = options or {}
  local parts, AT_ONCE = {}, 1024
  for first = 1, #texts, AT_ONCE do
    local some = {}
    for i = first, math.min(first + AT_ONCE - 1, #texts) do some[#some + 1] = texts[i] end
    parts[#parts + 1] = (model:encode(some, options))
    if options.progress then
      progress.show('%s: %d of %d texts', options.progress, first + #some - 1, #texts)
    end
  end
  if options.progress then progress.clear() end
  if not parts[1] then return tensor.zeros(0, options.dims or model.dims) end
  local x = tensor.keep(tensor.join(parts))
  tensor.eval(x)
  return x
end

-- in=, vectors=, model= of a recipe -> the texts, and their vectors: a tensor or an opened file.
function search.read(cfg)
  local texts, x = {}
  fail.unless((cfg.vectors == '') ~= (cfg.model == ''),
    'model=DIR or vectors=FILE.npy is wanted, one of them')
  for text in require 'sembed.data.texts' { field = cfg.field, column = cfg.column,
    format = cfg.format, header = cfg.header, unpack(cfg['in']) } do texts[#texts + 1] = text end
  if cfg.vectors ~= '' then
    x = npy.open(cfg.vectors)
    fail.unless(x.rows == #texts, '%s: %d rows, %d texts came with it', x.path, x.rows, #texts)
  else
    x = search.encode(require 'sembed.model.open'(cfg.model), texts, { progress = 'texts',
      prompt = cfg.prompt ~= '' and cfg.prompt or nil })
  end
  return texts, x
end

-- A place where nothing can be written is told before the work, not after it.
function search.check_out(path)
  local folder = files.folder_of(path)
  fail.unless(folder == '' or files.is_folder(folder), 'out=%s: there is no folder %s', path,
    folder)
  fail.unless(not files.is_folder(path), 'out=%s: is a folder, a file is wanted', path)
end

-- Lines into a file, whole or not at all; "-" is standard output.
function search.put(path, lines)
  if path == '-' then io.write(table.concat(lines)) else files.write(path, table.concat(lines)) end
end

-- Writes f32[n, dims] as a .npy file, whole or not at all.
function search.save(path, x)
  files.write(path, npy.head('<f4', x:size(1), x:size(2)) .. x:bytes())
end

-- The answers of topk as Lua lists, one a query: { { row = from 0, score = }, ... }
function search.hits(queries, corpus, k, options)
  local scores, rows = search.topk(queries, corpus, k, options)
  local s, r, lists = scores:totable(), rows:totable(), {}
  for q = 1, #s do
    lists[q] = {}
    for i = 1, #s[q] do lists[q][i] = { row = r[q][i], score = s[q][i] } end
  end
  return lists
end

-- Lines of standard input that are not empty; on a terminal `prompt` asks for each.
function search.ask(prompt)
  return function()
    while true do
      if host.is_terminal(0) then
        io.stderr:write(prompt)
        io.stderr:flush()
      end
      local line = io.read '*l'
      if not line or line:find '%S' then return line end
    end
  end
end

-- --- what is made of it ---

-- The pairs of rows that are nearest to each other, the best first.
function search.paraphrases(x, o) return require 'sembed.mining.paraphrases' (x, o) end

-- Groups of rows around a centre, the largest first.
function search.clusters(x, o) return require 'sembed.mining.clusters' (x, o) end

-- Hard negatives of queries.
function search.negatives(queries, corpus, positives, o)
  return require 'sembed.mining.negatives' (queries, corpus, positives, o)
end

-- The pairs of a file, for mining.
function search.pairs(path, a, b) return require 'sembed.mining.pairs' (path, a, b) end

-- --- at the prompt ---

local Corpus, Results = {}, {}
Corpus.__index = Corpus

function Results.__tostring(results)
  local lines = {}
  for rank, hit in ipairs(results) do
    lines[rank] = ('%3d  %.4f  %6.0f  %s'):format(rank, hit.score, hit.row, hit.text)
  end
  return lines[1] and table.concat(lines, '\n') or 'nothing found'
end

-- Texts with their vectors, made once: local c = model:corpus(texts); c:search('a question', 5)
function search.texts(model, texts, options)
  fail.unless(type(texts) == 'table', 'corpus: a list of texts is wanted: %s came', type(texts))
  return setmetatable({ model = model, texts = texts, options = options,
    vectors = search.encode(model, texts, options) }, Corpus)
end

function Corpus.__len(corpus) return #corpus.texts end

function Corpus.__tostring(corpus)
  return ('a corpus of %d texts: c:search(query, k)'):format(#corpus.texts)
end

-- The k (10) best texts: a list of { row, score, text }, row from 0, that prints as a table.
function Corpus:search(query, k, options)
  fail.unless(type(query) == 'string', 'search: the query is a text: %s came', type(query))
  local x = search.encode(self.model, { query }, self.options)
  local hits = search.hits(x, self.vectors, k or 10, options)[1]
  for _, hit in ipairs(hits) do hit.text = self.texts[hit.row + 1] end
  return setmetatable(hits, Results)
end

return search
