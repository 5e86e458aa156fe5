-- Retrieval from a BEIR folder next to trec_eval (tests/data/eval, tests/make/eval.py), the
-- best of blocks next to the best of all, mistakes in the folder's files.
local se = require 'sembed'
local check = require 'check'

local data = check.data 'eval'
local model = se.model.open(check.data 'tiny-mpnet')
local expected = se.json.load(data .. '/expected.json').beir

for split, wanted in pairs(expected) do
  local result = se.evaluate.retrieval(model, data .. '/beir', { split = split })
  for name, value in pairs(wanted) do
    check.near(result.metrics[name], value, 1e-12, split .. ', ' .. name)
  end
  check.equal(#result.order, 25, 'metrics')
  check.equal(result.documents, 140, 'documents')
  check.equal(result.queries, split == 'test' and 13 or 3, 'queries')
  check.equal(result.unknown_documents, split == 'test' and 2 or 0, 'unknown documents')
  check.equal(result.queries_without_relevant, split == 'test' and 1 or 0, 'nothing relevant')
end
local by_dot = se.evaluate.retrieval(model, data .. '/beir', { similarity = 'dot' })
check.near(by_dot.metrics['ndcg@10'], expected.test['ndcg@10'], 1e-12, 'dot of unit vectors')

-- --- the best of blocks are the best of all ---

local function digits(rows, seed) -- small integers: exact products, many equal scores
  local list, state = {}, seed
  for i = 1, rows do
    list[i] = {}
    for j = 1, 3 do
      state = (state * 1103515245 + 12345) % 2 ^ 31
      list[i][j] = math.floor(state / 65536) % 4
    end
  end
  return se.tensor(list)
end

local queries, documents = digits(5, 1), digits(90, 2)
local scores = queries:matmul(documents:t()):totable()
for _, k in ipairs { 1, 7, 89, 90, 101 } do
  for _, block in ipairs { 1, 8, 90 } do
    local best = se.search.best(queries, k, 'dot')
    for first = 1, 90, block do best:add(documents:rows(first, math.min(first + block - 1, 90))) end
    check.equal(best.rows, 90, 'documents')
    local values, rows = best:results()
    values = values:totable()
    for i, list in ipairs(rows:totable()) do
      local order, row = {}, scores[i]
      for j = 1, 90 do order[j] = j end
      table.sort(order, function(a, b) return row[a] > row[b] or (row[a] == row[b] and a < b) end)
      for j = 1, k do
        local what = ('k %d, block %d, query %d, place %d'):format(k, block, i, j)
        check.equal(values[i][j], j <= 90 and row[order[j]] or -math.huge, what)
        if j <= 90 then check.equal(list[j], order[j] - 1, what) end
      end
    end
  end
end

-- --- forms of the folder ---

local function folder_of(corpus, texts, qrels, split)
  local folder = check.folder()
  os.execute('mkdir ' .. folder .. '/qrels')
  if corpus then check.write(folder .. '/corpus.jsonl', corpus) end
  if texts then check.write(folder .. '/queries.jsonl', texts) end
  if qrels then check.write(('%s/qrels/%s.tsv'):format(folder, split or 'test'), qrels) end
  return folder
end

local corpus = '{"_id":"a","title":"t","text":"one"}\n{"_id":"b","title":null,"text":"two"}\n'
local texts = '{"_id":"q","text":"one"}\n{"_id":"other","text":"two"}\n'
local qrels = 'query-id\tcorpus-id\tscore\nq\tb\t1\n'
local small = se.evaluate.retrieval(model, folder_of(corpus, texts, qrels))
check.equal(small.queries, 1, 'only judged queries')
check.equal(small.metrics['recall@3'], 1, 'fewer documents than k')
local packed = folder_of(corpus, texts, 'q\tb\t1\n')
os.execute(('gzip %s/corpus.jsonl %s/qrels/test.tsv'):format(packed, packed))
local again = se.evaluate.retrieval(model, packed)
check.equal(again.metrics['mrr@10'], small.metrics['mrr@10'], 'gzip, and no header')

local many = {}
for i = 1, 1030 do many[i] = ('{"_id":"%d","text":"number %d"}\n'):format(i, i) end
many[1029] = '{"_id":"b","text":"one"}\n'
local long = se.evaluate.retrieval(model, folder_of(table.concat(many), texts, qrels))
check.equal(long.metrics['ndcg@1'], 1, 'found behind the first block')
check.equal(long.documents, 1030, 'documents')

-- --- mistakes ---

local function wrong(folder, split, ...)
  check.fails(function() se.evaluate.retrieval(model, folder, { split = split }) end, ...)
end
wrong('/nothing/here', 'test', '/nothing/here: no such folder')
wrong(folder_of(nil, texts, qrels), 'test', 'corpus.jsonl: no such file')
wrong(folder_of(corpus, nil, qrels), 'test', 'queries.jsonl: no such file')
wrong(folder_of(corpus, texts, qrels), 'dev', 'qrels/dev.tsv: no such split; there is "test"')
wrong(folder_of(corpus, texts), 'dev', 'there are none')
wrong(folder_of('', texts, qrels), 'test', 'corpus.jsonl: no documents')
wrong(folder_of(corpus, texts, 'a\tb\tc\n'), 'test', 'test.tsv: no judgements')
wrong(folder_of(corpus, texts, ''), 'test', 'test.tsv: no judgements')
wrong(folder_of(corpus, texts, qrels .. 'q\ta\n'), 'test', 'test.tsv:3: 2 columns')
wrong(folder_of(corpus, texts, qrels .. 'q\ta\tx\n'), 'test', 'test.tsv:3: the relevance "x"')
wrong(folder_of(corpus, texts, qrels .. 'r\ta\t1\n'), 'test', '1 of the 2 queries', '"r"')
wrong(folder_of(corpus .. corpus, texts, qrels), 'test', 'corpus.jsonl:4: document "b"', 'twice')
wrong(folder_of(corpus, texts .. texts, qrels), 'test', 'queries.jsonl:3: query "q"', 'twice')
wrong(folder_of('{"_id":7,"text":"a"}', texts, qrels), 'test', 'corpus.jsonl:1: "_id" is no text')
wrong(folder_of('{"_id":"7"}', texts, qrels), 'test', 'corpus.jsonl:1: "text" is missing')
wrong(folder_of('{"_id":"7"', texts, qrels), 'test', 'corpus.jsonl:1')

-- --- the program ---

local tiny = check.data 'tiny-mpnet'
local text, status = check.run(('eval model=%s beir=%s/beir'):format(tiny, data))
check.equal(status, 0, text)
for _, part in ipairs { '13 queries', '140 documents', '2 judged documents are not there', '@100',
  ('%.4f'):format(expected.test['ndcg@10']) } do
  check.ok(text:find(part, 1, true), '"%s" is missing: %s', part, text)
end
check.done()
