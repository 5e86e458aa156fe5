-- Rows of a corpus that are near to a query and not its positives, chosen as sentence-transformers'
-- mine_hard_negatives does.
--
--   local lists = se.search.negatives(queries, corpus, positives, { number = 3 })
--   for _, negative in ipairs(lists[q]) do negative.row, negative.score end
--
-- queries f32[q, dims], corpus f32[n, dims]; positives: for each query a list of rows (from 0) that
-- are never taken; the longer the longest, the more candidates are looked at. Options, none
-- of which is set by default:
--   number (3)            negatives of a query, at most
--   range_min, range_max  of the candidates that remain, skip the first; take up to the last
--   max_score, min_score  of a candidate's cosine with the query
--   absolute_margin       a candidate's score is at most the positive's less this
--   relative_margin       the same with this share of the positive's score; of several positives
--                         the one with the lowest score counts
--   random, seed          a sample of the candidates, not the first of them

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local search = require 'sembed.search'
local tensor = require 'sembed.tensor'

local f = op.functions

local function range_of(o, number, positives)
  if o.range_max then return o.range_max end
  local strict = o.absolute_margin or o.relative_margin or o.max_score
  return (o.range_min or 0) + number * (strict and 10 or 1) + positives
end

-- The lowest cosine of each query with one of its positives.
local function positive_scores(queries, corpus, positives)
  local q, p, lowest = {}, {}, {}
  for i, list in ipairs(positives) do
    lowest[i] = math.huge
    for _, row in ipairs(list) do q[#q + 1], p[#p + 1] = i - 1, row end
  end
  local BLOCK = 8192
  for first = 1, #q, BLOCK do
    local a, b = {}, {}
    for i = first, math.min(first + BLOCK - 1, #q) do a[#a + 1], b[#b + 1] = q[i], p[i] end
    local x = f.normalize(f.take(queries, tensor.make(a, 'i32')))
    local y = f.normalize(f.take(corpus, tensor.make(b, 'i32')))
    for i, score in ipairs((x * y):sum(2):totable()) do
      local query = a[i] + 1
      lowest[query] = math.min(lowest[query], score)
    end
  end
  return lowest
end

local function allowed(score, positive, o)
  return not (o.absolute_margin and score + o.absolute_margin > positive)
    and not (o.relative_margin and score > positive - math.abs(positive) * o.relative_margin)
    and not (o.max_score and score > o.max_score) and not (o.min_score and score < o.min_score)
end

-- `number` of the list: the first, or a sample in the list's order.
local function choose(list, number, random)
  local chosen, needed = {}, math.min(number, #list)
  for i, candidate in ipairs(list) do
    local take = not random or random() * (#list - i + 1) < needed
    if needed > 0 and take then
      chosen[#chosen + 1], needed = candidate, needed - 1
    end
  end
  return chosen
end

-- Numbers from 0 to 1 that a seed fixes (Park and Miller's generator).
local function generator(seed)
  local state = seed % 2147483646 + 1
  local function draw()
    state = state * 48271 % 2147483647
    return state / 2147483647
  end
  for _ = 1, 4 do draw() end -- the first of a small seed is near to 0
  return draw
end

return function(queries, corpus, positives, o)
  o = o or {}
  local number, skip, most = o.number or 3, o.range_min or 0, 0
  for _, list in ipairs(positives) do most = math.max(most, #list) end
  local last = range_of(o, number, most)
  fail.unless(number >= 1 and skip >= 0 and last - skip >= number,
    'negatives: %d of the candidates from %d to %d are wanted', number, skip, last)
  fail.unless(#positives == #queries, 'negatives: %d lists of positives for %d queries',
    #positives, #queries)
  local scores, rows = search.topk(queries, corpus, last + most, { progress = o.progress })
  local s, r, k = tensor.read(scores), tensor.read(rows), scores:size(2)
  local lowest = positive_scores(queries, corpus, positives)
  local random, lists = o.random and generator(o.seed or 1), {}
  for i, own in ipairs(positives) do
    local is_own, left, rank = {}, {}, 0
    for _, row in ipairs(own) do is_own[row] = true end
    for at = (i - 1) * k, i * k - 1 do
      local row, score = tonumber(r[at]), tonumber(s[at])
      if not is_own[row] and allowed(score, lowest[i], o) then
        rank = rank + 1
        if rank > skip and rank <= last then left[#left + 1] = { row = row, score = score } end
      end
    end
    lists[i] = choose(left, number, random)
  end
  core.hold(scores, rows)
  return lists
end
