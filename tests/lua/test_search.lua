-- Search: the rows and scores of sentence-transformers, the same bits for any blocks, threads and
-- neighbours; files larger than the memory that may be used.
local check = require 'check'
local se = require 'sembed'

local file = se.npy.open(check.data 'search/vectors.npy')
local x = file:part(0, file.rows)
local reference = se.json.parse(check.read(check.data 'search/reference.json'))
check.equal(file.rows, 200, 'rows')
check.equal(file.dims, 24, 'dims')
check.fails(function() file:part(199, 2) end, 'there are 200')

local every_ninth = {}
for i = 0, 199, 9 do every_ninth[#every_ninth + 1] = i end
local queries = x:take(se.tensor(every_ninth, 'i32'))

-- f32 against f64: rounding of 24 products of numbers up to 8.
for metric, scale in pairs { cosine = 1, dot = 100 } do
  for _, corpus in ipairs { x, file } do
    local scores, rows = se.search.topk(queries, corpus, 8, { metric = metric })
    local s, r = scores:totable(), rows:totable()
    for q, hits in ipairs(reference[metric]) do
      for i, hit in ipairs(hits) do
        check.equal(r[q][i], hit[1], ('%s: query %d, rank %d'):format(metric, q, i))
        check.near(s[q][i], hit[2], 4e-7 * scale, metric .. ': score')
      end
    end
  end
end

-- Any block, any number of threads, a query alone.
local scores, rows = se.search.topk(queries, x, 20)
for _, block in ipairs { 1, 7, 64, 199, 1000 } do
  local s, r = se.search.topk(queries, file, 20, { block = block })
  check.same(s, scores, 'scores by blocks of ' .. block)
  check.same(r, rows, 'rows by blocks of ' .. block)
end
local s, r = se.search.topk(queries:rows(5, 5), x, 20)
check.same(s, scores:rows(5, 5), 'scores of a query alone')
check.same(r, rows:rows(5, 5), 'rows of a query alone')

-- Wider and longer than any tile, against the whole product and topk.
math.randomseed(3)
local function random(n, d)
  local list = {}
  for i = 1, n do
    list[i] = {}
    for j = 1, d do list[i][j] = math.random() - 0.5 end
  end
  return se.tensor(list)
end
local q, c = random(301, 37), random(2003, 37)
local v, p = q:matmul(c:t()):topk(9)
s, r = se.search.topk(q, c, 9, { metric = 'dot', block = 700 })
check.near(s, v, 1e-6, 'scores of 301 queries')
check.equal(se.equal(r, p):cast('i32'):sum():item(), 301 * 9, 'rows of 301 queries')

-- Few rows, none, and mistakes.
s, r = se.search.topk(q, c:rows(1, 4), 9)
check.equal(s:size(2), 4, 'k is cut to the corpus')
check.equal(r:max():item(), 3, 'rows of a small corpus')
check.equal(#(se.search.topk(q, se.zeros(0, 37), 9)), 301, 'no corpus')
check.fails(function() se.search.topk(q, x, 9) end, 'queries of 24 numbers are wanted')
check.fails(function() se.search.topk(q, c, 0) end, 'a count is wanted')
check.fails(function() se.search.topk(q, c, 3, { metric = 'cosin' }) end, 'did you mean "cosine"')
check.fails(function() se.search.topk(q:rows(1, 2), se.full({ 3, 37 }, 0 / 0), 3) end,
  'not finite')
check.equal(se.search.topk(q:rows(1, 1), se.zeros(2, 37), 2):max():item(), 0, 'rows of zeros')

-- topk: of equals the first, a nan before all.
v, p = se.tensor({ 1, 3, 0 / 0, 3, 2 }):topk(4)
check.equal(table.concat(p:totable(), ' '), '2 1 3 4', 'places')
check.ok(v:totable()[1] ~= v:totable()[1] and v:totable()[4] == 2, 'values')
check.fails(function() return (x:topk(25)) end, 'topk: k = 25 of the 24 elements')

-- A file of 256 MB, most of it a hole, where 24 MB may be used.
local folder = check.folder()
local path, n = folder .. '/large.npy', 2 ^ 20
local out = assert(io.open(path, 'wb'))
out:write(se.npy.head('<f4', n, 64))
out:seek('cur', (n - 1) * 256)
out:write(se.full({ 64 }, 2):bytes())
out:close()
local code = [[
local se = require 'sembed'
local cfg = se.config { file = '' }
local large = se.npy.open(cfg.file)
local scores, rows = se.search.topk(se.ones(3, 64), large, 2)
print(scores:totable()[3][1], rows:totable()[3][1], rows:totable()[3][2])
]]
local output, status = check.run(('%s file=%s memory=24M'):format(
  check.write(folder .. '/large.lua', code), path))
check.equal(status, 0, output)
check.equal(output, ('1\t%d\t0\n'):format(n - 1), 'the row at the end')
check.done()
