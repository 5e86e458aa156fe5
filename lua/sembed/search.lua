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

-- The queries in tiles, with the best so far of each.
local function tiles_of(queries, k, metric)
  local tiles = {}
  if metric == 'cosine' then queries = f.normalize(queries) end
  for first = 1, #queries, QUERIES do
    local last = math.min(first + QUERIES - 1, #queries)
    local tile = { queries = tensor.keep(queries:rows(first, last)),
      values = tensor.full({ last - first + 1, k }, -math.huge),
      places = tensor.full({ last - first + 1, k }, NONE, 'i32') }
    tensor.eval(tile.queries)
    tiles[#tiles + 1] = tile
  end
  return tiles
end

local function look_at(tile, part, from, count, name, metric)
  tensor.scope('search', function()
    local values, places = f.nearest(tile.queries, part, tile.values, tile.places,
      { from = from, count = count, name = name, cosine = metric == 'cosine' })
    tensor.eval(values, places)
    tile.values, tile.places = tensor.keep(values), tensor.keep(places)
  end)
end

local function check_places(places, what)
  if #places > 0 and places:size(2) > 0 and places:max():item() == NONE then
    fail.raise('search: %s holds vectors that are not finite numbers', what)
  end
end

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
  local tiles = tiles_of(queries, k, metric)
  for first = 0, n - 1, block do
    local count = math.min(block, n - first)
    local part, from = part_of(first, count)
    for _, tile in ipairs(tiles) do look_at(tile, part, from, count, first, metric) end
    if options.progress then
      progress.show('%s: %.0f of %.0f rows', options.progress, first + count, n)
    end
  end
  if options.progress then progress.clear() end
  local values, places = {}, {}
  for i, tile in ipairs(tiles) do values[i], places[i] = tile.values, tile.places end
  local scores, rows = tensor.keep(tensor.join(values)), tensor.keep(tensor.join(places))
  tensor.eval(scores, rows)
  check_places(rows, options.name or 'the corpus')
  return scores, rows
end

return search
