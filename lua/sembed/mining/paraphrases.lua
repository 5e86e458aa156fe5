-- The pairs of rows that are nearest to each other, as sentence-transformers' paraphrase_mining
-- finds them: of each row's `top` nearest, the best `most` pairs with a score of at least
-- `threshold`, each pair once. Memory for 2 * most pairs and one block of rows.
--
--   for _, pair in ipairs(se.search.paraphrases(x, { most = 1000 })) do
--     pair.score, pair.a, pair.b    rows from 0, a < b
--   end
--
-- x: f32[n, dims] or an opened file. Options: top (100), most (500000), threshold (none), metric.
-- The best pair comes first; of equal scores, the one with lower rows.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local rows_of = require 'sembed.mining.rows'
local search = require 'sembed.search'
local tensor = require 'sembed.tensor'

local BLOCK = 1024

local function better(x, y)
  if x.score ~= y.score then return x.score > y.score end
  if x.a ~= y.a then return x.a < y.a end
  return x.b < y.b
end

-- Keeps the best `most`; gives the score of the last of them once there are so many.
local function cut(list, seen, most, n)
  table.sort(list, better)
  for i = #list, most + 1, -1 do
    seen[list[i].a * n + list[i].b] = nil
    list[i] = nil
  end
  return #list == most and list[most].score or -math.huge
end

return function(x, options)
  options = options or {}
  local n = search.corpus(x)
  local top, most = options.top or 100, options.most or 500000
  local threshold = options.threshold or -math.huge
  fail.unless(top >= 1 and most >= 1, 'paraphrases: top = %s, most = %s: at least 1 is wanted',
    tostring(top), tostring(most))
  local list, seen, least = {}, {}, -math.huge
  for first = 0, n - 1, BLOCK do
    local count = math.min(BLOCK, n - first)
    local scores, rows = search.topk(rows_of(x, first, count), x, top + 1, options)
    local s, r, k = tensor.read(scores), tensor.read(rows), scores:size(2)
    for q = 0, count - 1 do
      local i, taken = first + q, 0
      for at = q * k, q * k + k - 1 do
        local j, score = r[at], tonumber(s[at])
        if j ~= i and taken < top then
          taken = taken + 1
          local a, b = math.min(i, j), math.max(i, j)
          if score >= threshold and score > least and not seen[a * n + b] then
            seen[a * n + b] = true
            list[#list + 1] = { score = score, a = a, b = b }
            if #list >= 2 * most then least = cut(list, seen, most, n) end
          end
        end
      end
    end
    if options.done then options.done(first + count, n) end
    core.hold(scores, rows)
  end
  cut(list, seen, most, n)
  return list
end
