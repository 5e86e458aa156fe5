-- Groups of rows around a centre, as sentence-transformers' community_detection finds them: all
-- rows whose cosine with the centre is at least `threshold`. The largest group is taken first (of
-- equals, the one with the lower centre); its rows are taken out of the others.
--
--   se.search.clusters(x, { threshold = 0.75, least = 10 })  -> lists of rows from 0, centre first
--
-- x: f32[n, dims] or an opened file. Memory for max(2 * least, 50) numbers a row and one block: of
-- a larger group only the size is kept; its rows are searched again when its turn comes.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local rows_of = require 'sembed.mining.rows'
local search = require 'sembed.search'
local tensor = require 'sembed.tensor'

local BLOCK, ROOM = 1024, 2 ^ 22 -- queries at once; scores at once

local row_array, float = core.typeof 'int32_t[?]', core.typeof 'float'

-- The groups around the rows `centres` (from 0) with vectors x; where more than k are near enough,
-- those rows are searched again with a larger k, for the size of their groups alone.
local function around(x, centres, corpus, k, options, found, size_only)
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
      local members = not size_only and row_array(size) or nil
      for i = 0, members and size - 1 or -1 do members[i] = r[at + i] end
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
    around(op.functions.take(x, tensor.make(some, 'i32')), theirs, corpus, k, options, found,
      true)
  end
end

-- The rows of a group, the nearest to its centre first. A score depends on its two vectors alone:
-- the same rows come again.
local function members_of(group, corpus)
  if group.members then return group.members end
  local _, rows = search.topk(rows_of(corpus, group.centre, 1), corpus, group.size)
  local r, members = tensor.read(rows), row_array(group.size)
  for i = 0, group.size - 1 do members[i] = r[i] end
  core.hold(rows)
  return members
end

-- Takes the groups apart, the largest first.
local function separate(found, least, corpus)
  local used, groups = {}, {}
  table.sort(found, function(a, b)
    if a.size ~= b.size then return a.size > b.size end
    return a.centre < b.centre
  end)
  for _, group in ipairs(found) do
    if not used[group.centre] then
      local rows, free, members = { group.centre }, 0, members_of(group, corpus)
      for i = 0, group.size - 1 do
        local row = members[i]
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
  return separate(found, all.least, x)
end
