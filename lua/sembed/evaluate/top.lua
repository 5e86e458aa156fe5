-- The k best documents of each query, kept while documents come in blocks: memory for queries * 2k
-- scores and numbers, and one block of scores.
--
--   local top = Top.new(query_vectors, k)
--   top:add(vectors)          of the next documents
--   top:lists(visit)          visit(query, documents): from 1 and from 0, the best document first
--
-- Scores are dot products. Of equal scores the earlier document is the better one.

local core = require 'sembed.ffi'
local tensor = require 'sembed.tensor'

local Top = {}
Top.__index = Top

local QUERIES = 2048 -- queries that a block is scored for at once

function Top.new(queries, k)
  local lists = {}
  for i = 1, #queries do lists[i] = { n = 0, least = -math.huge, scores = {}, numbers = {} } end
  return setmetatable({ queries = queries, k = k, list = lists, documents = 0 }, Top)
end

-- The k best of a list, in order; what comes later must be above the last of them.
local function cut(list, k)
  local order, scores, numbers = {}, {}, {}
  for i = 1, list.n do order[i] = i end
  table.sort(order, function(a, b)
    if list.scores[a] ~= list.scores[b] then return list.scores[a] > list.scores[b] end
    return list.numbers[a] < list.numbers[b]
  end)
  local n = math.min(k, list.n)
  for i = 1, n do scores[i], numbers[i] = list.scores[order[i]], list.numbers[order[i]] end
  list.n, list.scores, list.numbers = n, scores, numbers
  if n == k then list.least = scores[k] end
end

-- Takes those of n scores that are above the list's least; cuts when there are twice too many.
local function take(list, data, at, n, first, k)
  for j = 0, n - 1 do
    local score = data[at + j]
    if score > list.least then
      local m = list.n + 1
      list.n, list.scores[m], list.numbers[m] = m, score, first + j
      if m == 2 * k then cut(list, k) end
    end
  end
end

function Top:add(vectors)
  local n = #vectors
  for first = 1, #self.list, QUERIES do
    local last = math.min(first + QUERIES - 1, #self.list)
    tensor.scope('top', function()
      local scores = self.queries:rows(first, last):matmul(vectors:t())
      local data = tensor.read(scores)
      for i = first, last do
        take(self.list[i], data, (i - first) * n, n, self.documents, self.k)
      end
      core.hold(scores)
    end)
  end
  self.documents = self.documents + n
end

function Top:lists(visit)
  for i, list in ipairs(self.list) do
    cut(list, self.k)
    visit(i, list.numbers)
  end
end

return Top
