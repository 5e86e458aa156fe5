-- Pairs, groups and hard negatives as a newcomer meets them: mistakes, odd input, the folder's
-- prompts. That they are sentence-transformers' own is tested in test_search.lua.
local check = require 'check'
local se = require 'sembed'

local tiny, folder = check.data 'tiny-mpnet', check.folder()
local file = se.npy.open(check.data 'search/vectors.npy')
local x = file:part(0, file.rows)

local function sembed(line, wanted)
  local text, code = check.run((line:gsub('@', folder .. '/'):gsub('TINY', tiny)))
  check.equal(code, wanted or 0, line .. ': ' .. text)
  return text
end
local output

check.fails(function() se.search.paraphrases(x, { most = 0 }) end, 'at least 1 is wanted')
check.equal(#se.search.paraphrases(se.zeros(1, 24)), 0, 'pairs of one row')
check.equal(#se.search.clusters(se.zeros(0, 24), { least = 1 }), 0, 'groups of no row')
local equal = se.ones(60, 24)
check.equal(#se.search.clusters(equal, { least = 60 })[1], 60, 'more equal rows than are looked at')
check.equal(#se.search.clusters(equal, { threshold = 1.5, least = 1 }), 0, 'threshold above 1')
check.equal(#se.search.paraphrases(equal, { threshold = 1.5 }), 0, 'pairs above 1')
check.equal(#se.search.paraphrases(equal, { top = 100 }), 60 * 59 / 2, 'each pair once')
-- 0.7 as f32 is less than 0.7: a cosine of just that is near enough, as in sentence-transformers.
local edge = se.tensor { { 1, 0 }, { 0.7, math.sqrt(0.51) } }
local cosine = se.search.topk(edge:rows(1, 1), edge, 2):totable()[1][2]
check.equal(#se.search.clusters(edge, { threshold = cosine, least = 2 }), 1, 'at the threshold')
check.equal(#se.search.clusters(edge, { threshold = cosine + 1e-12, least = 2 }), 1, 'f32 of it')
-- Large groups that overlap: those of sentence-transformers.
local reference = se.json.parse(check.read(check.data 'mining/communities.json'))
for _, case in ipairs(reference.cases) do
  for _, corpus in ipairs { x, file } do
    local groups = se.search.clusters(corpus, case)
    local what = ('threshold %g, least %d'):format(case.threshold, case.least)
    check.equal(#groups, #case.groups, what)
    for i, want in ipairs(case.groups) do
      check.equal(table.concat(groups[i], ' '), table.concat(want, ' '), what .. ': group ' .. i)
    end
  end
end
-- Groups that overlap widely take no memory but for one of them.
collectgarbage()
local before, more = collectgarbage 'count', nil
local alike = se.search.clusters(se.ones(2000, 8), { done = function(n, all)
  if n == all then
    collectgarbage()
    more = collectgarbage 'count' - before
  end
end })
check.equal(#alike[1], 2000, 'one group of all')
check.equal(alike[1][2000], 1999, 'its last row')
check.ok(more < 4000, ('2000 groups of 2000 rows: %d KB'):format(more))
local firsts = 0
for seed = 1, 20 do
  local list = se.search.negatives(x:rows(1, 1), x, { { 0 } },
    { number = 1, range_max = 20, random = true, seed = seed })
  local top = se.search.negatives(x:rows(1, 1), x, { { 0 } }, { number = 1 })
  if list[1][1].row == top[1][1].row then firsts = firsts + 1 end
end
check.ok(firsts < 10, ('a sample is not the nearest: %d of 20'):format(firsts))

check.write(folder .. '/none.txt', '')
check.write(folder .. '/texts.txt', 'one\ntwo\nthree\n')
sembed 'encode model=TINY in=@texts.txt out=@texts.npy'
check.write(folder .. '/same.txt', ('same\n'):rep(30))
for _, name in ipairs { 'paraphrases', 'cluster' } do
  sembed(name .. ' model=TINY in=@none.txt out=@odd.jsonl')
  check.equal(check.read(folder .. '/odd.jsonl'), '', name .. ': nothing of nothing')
  sembed(name .. ' model=TINY in=@same.txt out=@odd.jsonl threshold=1.5')
  check.equal(check.read(folder .. '/odd.jsonl'), '', name .. ': nothing is above 1')
  for line, message in pairs {
    ['model=TINY in=@same.txt out=@no/x.jsonl'] = 'there is no folder',
    ['model=TINY in=@same.txt out=@'] = 'a file is wanted',
    ['in=@same.txt out=@odd.jsonl'] = 'one of them',
    ['model=TINY vectors=@texts.npy in=@texts.txt out=@odd.jsonl'] = 'one of them',
    ['model=TINY in=@same.txt out=@odd.jsonl threshold=nan'] = 'a number is wanted',
    ['model=TINY in=@missing.txt out=@odd.jsonl'] = 'missing.txt',
    ['vectors=@texts.npy in=@same.txt out=@odd.jsonl'] = '30 texts came with it',
  } do
    output = sembed(name .. ' ' .. line, 1)
    check.ok(output:find(message, 1, true), name .. ' ' .. line .. ': ' .. output)
  end
end
output = sembed 'cluster model=TINY in=@same.txt out=-'
check.equal(se.json.parse(output:match '{[^\n]*').size, 30, 'standard output')
check.write(folder .. '/table.csv', 'number,text\n1,same\n2,same\n')
sembed 'cluster model=TINY in=@table.csv column=2 header=true least=2 out=@odd.jsonl'
check.equal(se.json.parse(check.read(folder .. '/odd.jsonl')).size, 2, 'a header is no text')

check.write(folder .. '/few.jsonl', '["a","b"]\n["a","c"]\n["d","e"]\n')
output = sembed 'mine model=TINY in=@few.jsonl out=@odd.jsonl form=rows number=2'
check.ok(output:find('2 of 3 pairs have fewer than 2 negatives and are left out', 1, true), output)
check.equal(#se.json.parse(check.read(folder .. '/odd.jsonl')), 4, 'the pair that has two')
check.write(folder .. '/twice.jsonl', '["a","b"]\n["a","b"]\n["d","e"]\n')
sembed 'mine model=TINY in=@twice.jsonl out=@odd.jsonl form=lists number=1'
check.equal(table.concat(se.json.parse(check.read(folder .. '/odd.jsonl'):match '[^\n]*').pos, ' '),
  'b', 'a pair that comes twice is one')
for line, message in pairs {
  ['number=0'] = 'at least 1', ['range_max=2'] = 'leave fewer', ['a=x'] = 'go together',
} do
  output = sembed('mine model=TINY in=@few.jsonl out=@odd.jsonl ' .. line, 1)
  check.ok(output:find(message, 1, true), line .. ': ' .. output)
end

check.write(folder .. '/keys.jsonl', '{"query":"x","anchor":"a","positive":"b"}\n'
  .. '["a",["c","d"]]\n{"context":"e","response":"f"}\n{"query":"g","pos":[]}\n')
local read = {}
check.fails(function()
  for a, list in se.search.pairs(folder .. '/keys.jsonl', '', '') do
    read[#read + 1] = a .. ':' .. table.concat(list, ',')
  end
end, 'keys.jsonl:4: a pair of texts is wanted')
check.equal(table.concat(read, ' '), 'a:b a:c,d e:f', 'pairs')
-- A folder's default prompt is for neither side: queries have "query", the corpus "document".
check.equal(os.execute(("cp -r '%s' '%s/asks'"):format(tiny, folder)), 0, 'a folder of our own')
check.write(folder .. '/asks/config_sentence_transformers.json',
  '{"prompts": {"query": "what is ", "document": "", "loud": "now! "},'
  .. '"default_prompt_name": "loud"}')
local function mine(options)
  sembed('mine model=@asks in=TINY/pairs.jsonl a=a b=b form=lists number=8 out=@asked.jsonl '
    .. options)
  return (check.read(folder .. '/asked.jsonl'))
end
local own = mine ''
check.equal(mine 'prompt="what is " corpus_prompt=', own, "the folder's prompts")
check.ok(mine 'prompt= corpus_prompt=' ~= own, 'no prompt at all is something else')
check.ok(mine 'corpus_prompt="now! "' ~= own, 'so is the default prompt before the corpus')

-- `sembed search` takes the same two.
local function search(options)
  return (sembed('search model=@asks corpus=@words.txt query=dog json=true ' .. options))
end
check.write(folder .. '/words.txt', 'a dog\na cat\nwhat is a house\n')
own = search ''
check.equal(search 'prompt="what is " corpus_prompt=', own, "search: the folder's prompts")
check.ok(search 'prompt="now! " corpus_prompt="now! "' ~= own, 'search: not the default prompt')
check.done()
