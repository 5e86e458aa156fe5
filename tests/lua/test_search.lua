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
for place = 0, 299, 23 do -- one row in hundreds, though fewer are asked for
  local one = se.where(se.equal(se.iota(300):reshape(300, 1), place), 0 / 0, se.ones(300, 37))
  check.fails(function() se.search.topk(q:rows(1, 2), one, 2) end, 'the corpus', 'not finite')
end
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

-- Pairs, groups and hard negatives: those of sentence-transformers, in its order; pairs whose
-- scores differ by no more than the rounding of f32 (rows that come twice) may stand in any.
local NEAR, score_of = 4e-7, {}
for _, pair in ipairs(reference.pairs) do score_of[pair[2] * 200 + pair[3]] = pair[1] end
for _, rows_of in ipairs { x, file } do
  local found = se.search.paraphrases(rows_of, { top = 5, most = 150 })
  check.equal(#found, #reference.pairs, 'pairs')
  local seen = {}
  for i, want in ipairs(reference.pairs) do
    local pair = found[i].a * 200 + found[i].b
    local score = score_of[pair]
    check.ok(not seen[pair], 'pair %d came before', i)
    seen[pair] = true
    check.ok(score and math.abs(score - want[1]) <= NEAR, 'pair %d: %d and %d came, %d and %d are '
      .. 'wanted', i, found[i].a, found[i].b, want[2], want[3])
    check.near(found[i].score, want[1], NEAR, 'score of pair ' .. i)
  end
  local groups = se.search.clusters(rows_of, { threshold = 0.75, least = 4 })
  check.equal(#groups, #reference.communities, 'groups')
  for i, want in ipairs(reference.communities) do
    check.equal(table.concat(groups[i], ' '), table.concat(want, ' '), 'group ' .. i)
  end
end
local few = se.search.paraphrases(x, { threshold = 0.999 })
check.equal(#few, 4, 'pairs of equal rows')
check.equal(#se.search.clusters(x, { least = 201 }), 0, 'no group is so large')
check.equal(#se.search.clusters(x, { threshold = -1, least = 4 })[1], 200, 'all in one group')

-- Rows of the two columns are the texts; the library counts a text that comes twice once.
local function mined(options)
  local names, rows_in, of_query, corpus, row_of, own = {}, {}, {}, {}, {}, {}
  for _, pair in ipairs(reference.anchors) do
    local a, b = pair[1], pair[2]
    if not of_query[a] then
      names[#names + 1], rows_in[#rows_in + 1], of_query[a] = a, a, #names + 1
      own[#own + 1] = {}
    end
    if not row_of[b] then row_of[b], corpus[#corpus + 1] = #corpus, b end
    local list, known = own[of_query[a]], false
    for _, row in ipairs(list) do known = known or row == row_of[b] end
    if not known then list[#list + 1] = row_of[b] end
  end
  local lists = se.search.negatives(x:take(se.tensor(rows_in, 'i32')),
    x:take(se.tensor(corpus, 'i32')), own, options)
  local triplets = {}
  for i, list in ipairs(lists) do
    for _, row in ipairs(own[i]) do
      for _, hit in ipairs(list) do
        triplets[#triplets + 1] = ('%03d %03d %03d'):format(names[i], corpus[row + 1],
          corpus[hit.row + 1])
      end
    end
  end
  table.sort(triplets)
  return triplets
end
for i, case in ipairs(reference.mined) do
  local o = case.options
  o.number = o.num_negatives
  local got = mined(o)
  check.equal(#got, #case.triplets, ('triplets of case %d'):format(i))
  for j, want in ipairs(case.triplets) do
    check.equal(got[j], ('%03d %03d %03d'):format(unpack(want)), ('case %d, %d'):format(i, j))
  end
end
local sample = { number = 3, range_max = 30, random = true, seed = 4 }
local one, other = table.concat(mined(sample), ','), table.concat(mined(sample), ',')
check.equal(one, other, 'a seed gives one sample')
sample.seed = 5
check.ok(table.concat(mined(sample), ',') ~= one, 'another seed gives another')
check.fails(function() mined { number = 3, range_max = 2 } end, 'negatives: 3 of the candidates')

-- The recipes, with the small model's texts.
local tiny, texts = check.data 'tiny-mpnet', {}
for one_line in se.data.lines(tiny .. '/pairs.jsonl') do
  texts[#texts + 1] = (se.json.parse(one_line).a:gsub('%s+', ' '))
end
local model = se.model.open(tiny)
local corpus = model:corpus(texts)
local hits = corpus:search(texts[3], 2)
check.ok(hits[1].row <= 2 and hits[1].score > 0.99999, 'a text finds itself')
check.ok(tostring(hits):find(hits[1].text, 1, true), 'results print')
check.equal(model:search(texts[3], texts, 2)[2].row, hits[2].row, 'model:search with a list')
check.write(folder .. '/texts.txt', table.concat(texts, '\n') .. '\n')
local function sembed(line, wanted)
  local text, code_of = check.run((line:gsub('@', folder .. '/'):gsub('TINY', tiny)))
  check.equal(code_of, wanted or 0, line .. ': ' .. text)
  return text
end
output = sembed 'search model=TINY corpus=@texts.txt query="a question" k=3 save=@texts.npy'
check.equal(select(2, output:gsub('\n', '')), 3, 'three results: ' .. output)
check.equal(sembed 'search model=TINY vectors=@texts.npy texts=@texts.txt query="a question" k=3',
  output, 'saved vectors give the same')
sembed('search model=TINY vectors=@texts.npy texts=@texts.txt queries=@texts.txt k=2 '
  .. 'out=@hits.jsonl')
local n_lines = 0
for one_line in se.data.lines(folder .. '/hits.jsonl') do
  n_lines = n_lines + 1
  local hit = se.json.parse(one_line)
  check.equal(hit.query, texts[n_lines], 'query ' .. n_lines)
  check.equal(hit.results[1].text, texts[hit.results[1].row + 1], 'text ' .. n_lines)
end
check.equal(n_lines, #texts, 'a line for each query')
check.write(folder .. '/asked', texts[1] .. '\n\n' .. texts[2] .. '\n')
output = sembed 'search model=TINY corpus=@texts.txt k=1 json=true < @asked'
check.equal(select(2, output:gsub('"rank"', '')), 2, 'two answers: ' .. output)
check.ok(sembed('search model=TINY corpus=@texts.txt vectors=@texts.npy', 1)
  :find('one of them', 1, true), 'corpus and vectors')
check.write(folder .. '/less.txt', 'one\n')
check.ok(sembed('search model=TINY vectors=@texts.npy texts=@less.txt query=a', 1)
  :find('holds 1 texts', 1, true), 'texts of another file')

sembed 'paraphrases in=@texts.txt vectors=@texts.npy out=@pairs.jsonl most=5'
local first_pair = se.json.parse(check.read(folder .. '/pairs.jsonl'):match '^[^\n]*')
check.equal(first_pair.texts[1], texts[first_pair.rows[1] + 1], 'text of a pair')
sembed 'cluster model=TINY in=@texts.txt out=@groups.jsonl threshold=-1 least=2'
local group = se.json.parse(check.read(folder .. '/groups.jsonl'):match '^[^\n]*')
check.equal(group.size, #texts, 'one group of all')
sembed 'mine model=TINY in=TINY/pairs.jsonl a=a b=b out=@mined.jsonl form=lists number=2'
local mined_one = se.json.parse(check.read(folder .. '/mined.jsonl'):match '^[^\n]*')
check.equal(#mined_one.neg, 2, 'two negatives')
check.ok(mined_one.neg[1] ~= mined_one.pos[1], 'no positive is a negative')
output = sembed('mine model=TINY in=@pairs.jsonl out=@none.jsonl', 1)
check.ok(output:find('pairs.jsonl:1: a pair of texts is wanted', 1, true), output)
check.ok(not se.files.exists(folder .. '/none.jsonl'), 'nothing is written')
check.done()
