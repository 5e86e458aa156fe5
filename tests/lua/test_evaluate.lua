-- Evaluation: the numbers next to scipy's and trec_eval's, the tasks next to sentence-transformers
-- (tests/data/eval, tests/make/eval.py), mistakes in files, `sembed eval`.
local se = require 'sembed'
local check = require 'check'

local data, metrics = check.data 'eval', se.evaluate.metrics
local model = se.model.open(check.data 'tiny-mpnet')
local expected = se.json.load(data .. '/expected.json')

-- --- pure functions ---

for _, case in ipairs(se.json.load(data .. '/correlations.json')) do
  for _, name in ipairs { 'pearson', 'spearman' } do
    local got, wanted = metrics[name](case.x, case.y), case[name]
    local what = ('%s, %s'):format(case.name, name)
    if wanted == se.json.null then
      check.equal(got, nil, what)
    else
      check.near(got, wanted, 1e-12, what)
    end
  end
end
check.equal(table.concat(metrics.ranks { 5, 1, 5, 5, 0 }, ' '), '4 2 4 4 1', 'mean ranks')
check.equal(#metrics.ranks {}, 0, 'no ranks')
check.equal(metrics.pearson({}, {}), nil, 'no pairs')
check.fails(function() metrics.pearson({ 1 }, { 1, 2 }) end, '1 numbers', '2')
check.fails(function() metrics.ranks { 1, 0 / 0 } end, 'number 2 of 2')

for _, case in ipairs(se.json.load(data .. '/rankings.json')) do
  local relevant = 0
  for _, r in ipairs(case.judged) do relevant = relevant + (r > 0 and 1 or 0) end
  for _, k in ipairs { 1, 3, 5, 10, 100 } do
    local got = {
      ndcg = metrics.ndcg(case.found, case.judged, k),
      map = metrics.average_precision(case.found, relevant, k),
      recall = metrics.recall(case.found, relevant, k),
      precision = metrics.precision(case.found, k), mrr = metrics.reciprocal_rank(case.found, k),
    }
    for name, value in pairs(got) do
      local key = ('%s@%d'):format(name, k)
      check.near(value, case.metrics[key], 1e-12, case.name .. ', ' .. key)
    end
  end
end

-- --- tasks ---

local function same_metrics(result, wanted, tolerance, what)
  local n = 0
  for name, value in pairs(wanted) do
    n = n + 1
    check.near(result.metrics[name], value, tolerance(name), what .. ', ' .. name)
  end
  check.equal(#result.order, n, what .. ', metrics')
end

-- Ranks are exact; Pearson's r has the error of f32 similarities.
local function tolerance(name) return name:match '^pearson' and 2e-6 or 1e-12 end

local sts = se.evaluate.sts(model, data .. '/sts.tsv')
same_metrics(sts, expected.sts, tolerance, 'sts')
check.equal(sts.pairs, 60, 'pairs')
check.equal(sts.texts, 120, 'texts')
local found = se.evaluate.pairs(model, data .. '/pairs.jsonl', { block = 20, whole = true })
same_metrics(found, expected.pairs, tolerance, 'pairs')
check.equal(found.ties, 4, 'ties')
check.equal(found.used, 120, 'used')
local few = se.evaluate.pairs(model, data .. '/pairs.jsonl', { limit = 7 })
check.equal(few.used, 7, 'less than a block is a block')
local triplets = se.evaluate.triplets(model, data .. '/triplets.jsonl')
same_metrics(triplets, expected.triplets, tolerance, 'triplets')

-- one_of is the same number.
local a, b = {}, {}
for line in se.data.lines(data .. '/pairs.jsonl') do
  local pair = se.json.parse(line)
  a[#a + 1], b[#b + 1] = pair.context, pair.response
end
local share, used = se.evaluate.one_of(model:encode(a), model:encode(b), 20)
check.equal(share, expected.pairs.accuracy, 'one_of')
check.equal(used, 120, 'one_of, used')

-- Ranks among all pairs in tiles, next to counting one by one: small integers, many equal scores.
local function digits(rows, seed)
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
local one_side, other_side = digits(50, 1), digits(50, 2)
local scores = one_side:matmul(other_side:t()):totable()
for _, size in ipairs { 7, 25, 50 } do
  local parts_a, parts_b = {}, {}
  for first = 1, 50, size do
    local last = math.min(first + size - 1, 50)
    parts_a[#parts_a + 1], parts_b[#parts_b + 1] = one_side:rows(first, last),
      other_side:rows(first, last)
  end
  local ranks = require 'sembed.evaluate.pairs'.ranks_among_all(parts_a, parts_b)
  check.equal(#ranks, 50, 'ranks')
  for i, row in ipairs(scores) do
    local rank = 1
    for j, score in ipairs(row) do
      if score > row[i] or (score == row[i] and j < i) then rank = rank + 1 end
    end
    check.equal(ranks[i], rank, ('tiles of %d, rank %d'):format(size, i))
  end
end

-- --- forms of files ---

local folder = check.folder()
local function file(name, text) return check.write(folder .. '/' .. name, text) end
local function task(name, path, options) return se.evaluate[name](model, path, options).metrics end

-- Longer than what is encoded at once: the same lines again and again give the same numbers.
local function repeated(name, lines, times)
  local text = {}
  for line in se.data.lines(data .. '/' .. name) do
    text[#text + 1] = line .. '\n'
    if #text == lines then break end
  end
  return file('long_' .. name, table.concat(text):rep(times))
end
for name, value in pairs(task('sts', repeated('sts.tsv', 60, 10))) do
  check.near(value, sts.metrics[name], 1e-12, '600 pairs, ' .. name)
end
for name, value in pairs(task('triplets', repeated('triplets.jsonl', 50, 9))) do
  check.near(value, triplets.metrics[name], 1e-12, '450 triplets, ' .. name)
end
local long = repeated('pairs.jsonl', 120, 5)
for name, value in pairs(task('pairs', long, { block = 20 })) do
  check.near(value, found.metrics[name], 1e-12, '600 pairs in blocks, ' .. name)
end

local rows = 'a b\tc\t1\nx\ty z\t0.5\nhi you\tyou\t3\n'
local plain = task('sts', file('plain.tsv', rows)).pearson_cosine
local forms = {
  { 'sentence1\tsentence2\tscore\n' .. rows },
  { 'text1\ttext2\tscore\r\n' .. rows:gsub('\n', '\r\n') .. '\r\n' },
  { '\239\187\191sentence1\tsentence2\tscore\n' .. rows },
  { 'u\tv\tw\n' .. rows, { 'u', 'v', 'w' } },
  { 'w\tu\tv\n' .. rows:gsub('(.-)\t(.-)\t(.-)\n', '%3\t%1\t%2\n'), { 'u', 'v', 'w' } },
  { rows:gsub('(.-)\t(.-)\t(.-)\n', '%3\t%1\t%2\n'), { '2', '3', '1' } },
}
for i, form in ipairs(forms) do
  local got = task('sts', file('form.tsv', form[1]), { columns = form[2] }).pearson_cosine
  check.equal(got, plain, 'form ' .. i)
end
local json_rows = '{"sentence1":"a b","sentence2":"c","score":1}\n'
  .. '{"text1":"x","text2":"y z","score":0.5}\n{"texts":["hi you","you",3]}\n'
check.equal(task('sts', file('form', json_rows)).pearson_cosine, plain, 'JSON lines')

local two = {
  '{"context":"a b","response":"c"}\n["x","y z"]\n',
  '{"query":"a b","pos":["c","no"]}\n{"anchor":"x","positive":"y z"}\n',
  'a b\tc\nx\ty z\n',
  '{"texts":["a b","c"]}\n["x","y z"]',
}
for i, text in ipairs(two) do
  check.equal(task('pairs', file('pairs', text)).mrr, task('pairs', file('p', two[1])).mrr,
    'pairs ' .. i)
end
check.equal(se.evaluate.triplets(model,
  file('t', '{"query":"a","pos":["b","c"],"neg":["d","e","f"]}')).triplets, 6, 'lists of a triplet')

-- --- mistakes, each with its place ---

local function wrong(name, text, options, ...)
  local path = file('wrong.tsv', text)
  if text:match '^[%[{]' then path = file('wrong.jsonl', text) end
  return check.fails(function() se.evaluate[name](model, path, options) end, ...)
end
wrong('sts', '', {}, 'wrong.tsv: no pairs')
wrong('sts', 'a\tb\t1\na\tb\n', {}, 'wrong.tsv:2: 2 columns, at least 3')
wrong('sts', 'a\tb\t1\na\tb\tc\n', {}, 'wrong.tsv:2: the score "c" is no number')
wrong('sts', 'a\tb\t1\ncaf\233\tb\t1\n', {}, 'wrong.tsv:2: not UTF-8: byte 0xE9 at offset 3')
wrong('pairs', '["caf\233", "b"]', {}, 'wrong.jsonl:1', 'UTF-8')
wrong('sts', 'a\tb\tnan\n', {}, 'wrong.tsv:1: the score "nan"')
wrong('sts', 'u\tv\n', { columns = { 'u', 'v', 'w' } }, 'wrong.tsv:1: no column "w"', '"u", "v"')
wrong('sts', 'u\tv\tw\na\tb\t1\n', {}, 'wrong.tsv:1: the score "w"', 'columns=A,B,SCORE')
check.fails(function() se.evaluate.sts(model, file('a.csv', rows)) end, 'a.csv: csv is not')
wrong('sts', 'u\tv\n', { columns = { 'u', 'v' } }, 'columns=u,v: 3 are wanted')
wrong('sts', 'u\tv\n', { columns = { '0', '1', '2' } }, 'columns count from 1')
wrong('sts', '{"a":1}\n', {}, 'wrong.jsonl:1: no names', '"a"')
wrong('sts', '{"a":1}\n', { columns = { 'a', 'b', 'c' } }, 'wrong.jsonl:1: no "b"', 'keys are "a"')
wrong('pairs', '["a", 1]\n', {}, 'wrong.jsonl:1: a text is wanted: number')
wrong('pairs', '["a"]\n', {}, 'wrong.jsonl:1: 1 item, at least 2')
wrong('pairs', '["a", []]\n', {}, 'wrong.jsonl:1: an empty list')
wrong('pairs', '["a", "b"\n', {}, 'wrong.jsonl:1')
wrong('pairs', '["a", "b"]\n7\n', {}, 'wrong.jsonl:2: an object or an array')
wrong('pairs', 'a\tb\n', { block = 1 }, 'block=1')
wrong('pairs', 'a\tb\n', { similarity = 'cosin' }, 'did you mean "cosine"')
wrong('pairs', 'a\tb\n', { query_prompt = 'a', query_prompt_name = 'b' }, 'query_prompt_name')
wrong('triplets', '\n\n', {}, 'no triplets')
check.fails(function() se.evaluate.sts(model, folder .. '/none.tsv') end, 'none.tsv')
local one = se.evaluate.sts(model, file('one.tsv', 'a\tb\t1\n'))
check.equal(one.metrics.spearman_cosine, se.json.null, 'one pair')
check.ok(se.evaluate.report.text(one):find('undefined', 1, true), 'undefined is said')

for _, key in ipairs { 'batch', 'length', 'dims', 'limit' } do
  wrong('pairs', 'a\tb\n', { [key] = -1 }, key .. '=-1: a count')
end
wrong('pairs', 'a\tb\n', { batch = 1.5 }, 'batch=1.5: a count')
wrong('pairs', 'a\tb\n', { dims = 99 }, 'dims=99')

-- --- prompts: which stands before which text; a model that writes down what it is asked ---

local asked
local listener = { prompts = { query = 'q: ', passage = 'p: ', ask = 'a: ' }, length = 128,
  tokenizer = model.tokenizer, prompt = model.prompt,
  own_prompt = model.own_prompt }
function listener.encode(_, list, how)
  asked[#asked + 1] = how.prompt or '-'
  return model:encode(list)
end
local function prompts_of(name, path, options)
  asked = {}
  local result = se.evaluate[name](listener, path, options)
  return table.concat(asked, ''), result
end
local single = file('single.jsonl', '["a", "b", "c"]\n')
check.equal(prompts_of('triplets', single), 'q: p: p: ', "the folder's own prompts")
check.equal(prompts_of('triplets', single, { query_prompt_name = 'ask', document_prompt = 'x ' }),
  'a: x x ', 'prompts given')
local heard, noted = prompts_of('sts', folder .. '/one.tsv')
check.equal(heard, '--', 'sts has none by itself')
local plain_tokens = noted.tokens
heard, noted = prompts_of('sts', folder .. '/one.tsv', { prompt_name = 'ask' })
check.equal(heard, 'a: a: ', 'sts, a prompt given')
check.equal(noted.prompts.text, 'a: ', 'the prompt is told')
check.ok(noted.tokens > plain_tokens, 'its tokens count')
check.fails(function() prompts_of('sts', single, { prompt_name = 'asc' }) end,
  'unknown prompt "asc"', 'did you mean "ask"')
wrong('sts', 'a\tb\t1\n', { prompt_name = 'ask' }, 'unknown prompt "ask"')

-- --- the program ---

local out = folder .. '/out.json'
local text, status = check.run(('eval model=%s sts=%s pairs=%s,%s block=20 out=%s'):format(
  check.data 'tiny-mpnet', data .. '/sts.tsv', data .. '/pairs.jsonl', data .. '/pairs.jsonl', out))
check.equal(status, 0, text)
check.equal(select(2, text:gsub('1%-of%-20', '')), 2, 'two tables: ' .. text)
local saved = se.json.load(out)
check.equal(#saved.results, 3, 'results')
check.equal(saved.results[1].metrics.spearman_cosine, sts.metrics.spearman_cosine, 'in JSON')
check.equal(saved.options.block, 20, 'options')
text = check.run(('eval model=%s sts=%s json=true'):format(check.data 'tiny-mpnet',
  folder .. '/one.tsv'))
check.equal(se.json.parse(text).results[1].metrics.pearson_dot, se.json.null, 'JSON alone')
check.ok(check.run('eval'):find('beir=FOLDER', 1, true), 'the manual')
text, status = check.run('eval model=' .. check.data 'tiny-mpnet')
check.ok(status == 1 and text:find('nothing to do', 1, true), 'nothing to do: %s', text)
check.done()
