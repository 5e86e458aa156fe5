-- The numbers of an evaluation as pure functions over lists of numbers, in doubles. Where a number
-- is not defined (a correlation with a constant) nil comes back, never NaN.

local fail = require 'sembed.fail'

local metrics = {}

-- --- correlation ---

local function check_lists(what, x, y)
  fail.unless(#x == #y, '%s: %d numbers on one side and %d on the other', what, #x, #y)
end

local function is_constant(x)
  for i = 2, #x do
    if x[i] ~= x[1] then return false end
  end
  return true
end

-- The mean of a list; nil where it is empty.
function metrics.mean(x)
  local sum = 0
  for i = 1, #x do sum = sum + x[i] end
  return #x > 0 and sum / #x or nil
end

-- Pearson's r = sum (x - mx)(y - my) / sqrt(sum (x - mx)^2 sum (y - my)^2), in two passes and
-- within [-1, 1], as scipy.stats.pearsonr. nil for fewer than 2 pairs or where a side is constant.
function metrics.pearson(x, y)
  check_lists('pearson', x, y)
  if is_constant(x) or is_constant(y) then return nil end
  local mx, my = metrics.mean(x), metrics.mean(y)
  local xx, yy, xy = 0, 0, 0
  for i = 1, #x do
    local dx, dy = x[i] - mx, y[i] - my
    xx, yy, xy = xx + dx * dx, yy + dy * dy, xy + dx * dy
  end
  local r = xy / (math.sqrt(xx) * math.sqrt(yy))
  if r ~= r then return nil end -- differences too small to be squared
  return math.max(-1, math.min(1, r))
end

-- Ranks from 1, smallest first; equal values share the mean of their ranks, as scipy's rankdata.
function metrics.ranks(x)
  local order, ranks, n = {}, {}, #x
  for i = 1, n do
    fail.unless(x[i] == x[i], 'ranks: number %d of %d is not a number (nan)', i, n)
    order[i] = i
  end
  table.sort(order, function(a, b) return x[a] < x[b] end)
  local first = 1
  while first <= n do
    local last = first
    while last < n and x[order[last + 1]] == x[order[first]] do last = last + 1 end
    for i = first, last do ranks[order[i]] = (first + last) / 2 end
    first = last + 1
  end
  return ranks
end

-- Spearman's rho: Pearson's r of the ranks.
function metrics.spearman(x, y)
  check_lists('spearman', x, y)
  return (metrics.pearson(metrics.ranks(x), metrics.ranks(y)))
end

-- --- ranked lists ---
-- `found`: the relevance of what was found, best rank first, 0 for what nobody judged; an item is
-- relevant when its relevance is above 0. `relevant`: how many relevant items there are in all.
-- Formulas and corner cases as in trec_eval (m_ndcg_cut.c, m_map_cut.c, m_recall.c, m_P.c), which
-- BEIR's numbers come from. A query without relevant items has 0 in all of them.

local function gain(found, k)
  local sum = 0
  for i = 1, math.min(k, #found) do
    if found[i] > 0 then sum = sum + found[i] / (math.log(i + 1) / math.log(2)) end
  end
  return sum
end

-- Discounted cumulative gain over the best possible one: rel / log2(rank + 1) (linear gain).
-- judged: the relevance of all judged items, in any order.
function metrics.ndcg(found, judged, k)
  local ideal = {}
  for i = 1, #judged do ideal[i] = judged[i] end
  table.sort(ideal, function(a, b) return a > b end)
  local best = gain(ideal, k)
  return best > 0 and gain(found, k) / best or 0
end

local function hits(found, k)
  local n = 0
  for i = 1, math.min(k, #found) do
    if found[i] > 0 then n = n + 1 end
  end
  return n
end

-- The share of relevant items among the first k found; k counts whole where fewer were found.
function metrics.precision(found, k) return hits(found, k) / k end

-- The share of all `relevant` items that the first k found hold; 0 where nothing is relevant.
function metrics.recall(found, relevant, k)
  return relevant > 0 and hits(found, k) / relevant or 0
end

-- Average precision: the mean over ALL relevant items of the precision at their rank, 0 for those
-- not among the first k. (Some divide by min(k, relevant); trec_eval and BEIR do not.)
function metrics.average_precision(found, relevant, k)
  local sum, n = 0, 0
  for i = 1, math.min(k, #found) do
    if found[i] > 0 then
      n = n + 1
      sum = sum + n / i
    end
  end
  return relevant > 0 and sum / relevant or 0
end

-- 1 / rank of the first relevant item, 0 where it is not among the first k.
function metrics.reciprocal_rank(found, k)
  for i = 1, math.min(k, #found) do
    if found[i] > 0 then return 1 / i end
  end
  return 0
end

-- --- one right answer each ---

-- ranks: where the right answer stood, from 1. The share of those among the first k; nil for an
-- empty list.
function metrics.share_within(ranks, k)
  local n = 0
  for i = 1, #ranks do
    if ranks[i] <= k then n = n + 1 end
  end
  return #ranks > 0 and n / #ranks or nil
end

-- The mean of 1 / rank; nil for an empty list.
function metrics.mean_reciprocal_rank(ranks)
  local sum = 0
  for i = 1, #ranks do sum = sum + 1 / ranks[i] end
  return #ranks > 0 and sum / #ranks or nil
end

return metrics
