-- Groups of rows around a centre, as sentence-transformers' community_detection finds them: all
-- rows whose cosine with the centre is at least `threshold`. The largest group is taken first (of
-- equals, the one with the lower centre); its rows are taken out of the others.
--
--   se.search.clusters(x, { threshold = 0.75, least = 10 })  -> lists of rows from 0, centre first
--
-- x: f32[n, dims] or an opened file. Memory for the rows of all groups before they are taken apart,
-- and one block.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local rows_of = require 'sembed.mining.rows'
local search = require 'sembed.search'
local tensor = require 'sembed.tensor'

local BLOCK, ROOM = 1024, 2 ^ 22 -- queries at once; scores at once

local row_array, float = core.typeof 'int32_t[?]', core.typeof 'float'

-- The groups around the rows `centres` (from 0) with vectors x; where more than k are near enough,
-- those rows are searched again with a larger k.
local function around(x, centres, corpus, k, options, found)
  local n = search.corpus(corpus)
  local scores, rows = search.topk(x, corpus, k, { metric = 'cosine' })
  local s, r, again = tensor.read(scores), tensor.read(rows), {}
  k = scores:size(2)
  for q, centre in ipairs(centres) do
    local at, size = (q - 1) * k, 0
    while size < k and s[at + size] >= options.threshold do size = size + 1 end
    if size == k and k < n then
      again[#again + 1] = q - 1
    elseif size >= options.least then
      local members = row_array(size)
      for i = 0, size - 1 do members[i] = r[at + i] end
      found[#found + 1] = { centre = centre, size = size, members = members }
    end
  end
  core.hold(scores, rows)
  k = math.min(4 * k, n)
  local step = math.max(1, math.floor(ROOM / k))
  for first = 1, #again, step do
    local some, theirs = {}, {}
    for i = first, math.min(first + step - 1, #again) do
      some[#some + 1], theirs[#theirs + 1] = again[i], centres[again[i] + 1]
    end
    around(op.functions.take(x, tensor.make(some, 'i32')), theirs, corpus, k, options, found)
  end
end

-- Takes the groups apart, the largest first.
local function separate(found, least)
  local used, groups = {}, {}
  table.sort(found, function(a, b)
    if a.size ~= b.size then return a.size > b.size end
    return a.centre < b.centre
  end)
  for _, group in ipairs(found) do
    if not used[group.centre] then
      local rows, free = { group.centre }, 0
      for i = 0, group.size - 1 do
        local row = group.members[i]
        if not used[row] then
          free = free + 1
          if row ~= group.centre then rows[#rows + 1] = row end
        end
      end
      if free >= least then
        for _, row in ipairs(rows) do used[row] = true end
        rows.order = #groups
        groups[#groups + 1] = rows
      end
    end
  end
  table.sort(groups, function(a, b)
    if #a ~= #b then return #a > #b end
    return a.order < b.order
  end)
  return groups
end

return function(x, options)
  options = options or {}
  local n, found = search.corpus(x), {}
  -- Scores are f32, so is what they are compared with.
  local all = { least = options.least or 10,
    threshold = tonumber(float(options.threshold or 0.75)) }
  fail.unless(all.least >= 1, 'clusters: least = %s: at least 1 is wanted', tostring(all.least))
  if n < all.least then return {} end
  for first = 0, n - 1, BLOCK do
    local centres, count = {}, math.min(BLOCK, n - first)
    for i = 1, count do centres[i] = first + i - 1 end
    around(rows_of(x, first, count), centres, x, math.max(2 * all.least, 50), all, found)
    if options.done then options.done(first + count, n) end
  end
  return separate(found, all.least)
end
