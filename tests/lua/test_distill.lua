-- recipes/distill.lua with a small teacher: what the student learns is what the teacher gives for
-- the same texts, whatever the tokenizers; the distance falls; a killed run goes on to the same
-- bits. And the parts: some layers of a folder, principal components.
local se = require 'sembed'
local check = require 'check'

local RECIPE = se.run.folder .. '/../../recipes/distill.lua'
local tiny, pairs_file = check.data 'tiny-mpnet', check.data 'tiny-mpnet/pairs.jsonl'
local base = check.folder()

local function distill(out, keys, status)
  local text, got = check.run(('%s teacher=%s out=%s/%s tokens=%s/tokens batch=16 warmup=5 %s')
    :format(RECIPE, tiny, base, out, base, keys))
  check.equal(got, status or 0, ('%s: %s'):format(out, text))
  return text
end

-- The losses of the steps, and the first and last evaluation.
local function log_of(out)
  local losses, found = {}, {}
  for line in se.data.lines(('%s/%s/log.jsonl'):format(base, out)) do
    local record = se.json.parse(line)
    if record.evaluation then
      found[#found + 1] = record.evaluation
    else
      losses[#losses + 1] = record.loss
    end
  end
  return losses, found[1], found[#found]
end

-- --- some of a folder's layers ---

local teacher = se.model.open(tiny)
for _, case in ipairs { { 1, { 2 } }, { 2, { 1, 3 } }, { 3, { 1, 2, 3 } },
  { { 1, 2 }, { 1, 2 } } } do
  local wanted, layers = unpack(case)
  local model = se.model.open(tiny, { layers = wanted })
  check.equal(#model.layers, #layers, 'layers')
  check.equal(model.config.num_hidden_layers, #layers, 'config')
  for i, k in ipairs(layers) do
    for _, part in ipairs { 'attention.attn.q.weight', 'output.LayerNorm.bias' } do
      check.same(model.params:get(('encoder.layer.%d.%s'):format(i - 1, part)),
        teacher.params:get(('encoder.layer.%d.%s'):format(k - 1, part)), 'layer ' .. k)
    end
  end
  check.same(model.params:get 'embeddings.word_embeddings.weight',
    teacher.params:get 'embeddings.word_embeddings.weight', 'words')
end
se.model.open(tiny, { layers = 2 }):save(base .. '/two')
check.same(se.model.open(base .. '/two'):encode 'hello there',
  se.model.open(tiny, { layers = 2 }):encode 'hello there', 'saved')
local fewer = require 'sembed.model.fewer'
check.equal(table.concat(fewer(4, 12, ''), ' '), '2 5 8 11', '4 of 12')
check.equal(table.concat(fewer(6, 12, ''), ' '), '2 4 6 8 10 12', '6 of 12')
for _, wanted in ipairs { 0, 4, 1.5, {}, { 3, 1 }, { 1, 1 }, { 4 }, 'two' } do
  check.fails(function() se.model.open(tiny, { layers = wanted }) end, 'tiny-mpnet: layers')
end

-- --- principal components ---

-- Vectors of 12 numbers that differ in 5 directions.
local x = se.random.normal(1, { 200, 5 }):matmul(se.random.normal(2, { 5, 12 })) + 3
local components, share = se.pca(x, 5)
check.near(components:matmul(components:t()), se.eye(5), 1e-6, 'unit vectors at right angles')
check.near(share, 1, 1e-6, 'all of the variance') -- the other seven are rounding
local off = x - x:mean(1, true)
check.near(off:matmul(components:t()):matmul(components), off, 1e-5, 'nothing is lost') -- of 200
local scaled = off:t():matmul(off) / 200
local large = (components:matmul(scaled) * components):sum(2):totable()
check.near(components:matmul(scaled), components * se.tensor(large):unsqueeze(2), 1e-4,
  'eigenvectors: C v = l v, l up to 30')
for i = 2, 5 do check.ok(large[i] <= large[i - 1], 'the largest first') end
local two, part = se.pca(x, 2)
check.same(two, components:rows(1, 2), 'fewer of them')
check.near(part, (large[1] + large[2]) / scaled:diagonal():sum():item(), 1e-6, 'share')
check.fails(function() se.pca(x, 13) end, 'pca: 13 components: 1 to 12')
check.fails(function() se.pca(x, 6) end, 'fewer than 6 directions')
check.fails(function() se.pca(x:rows(1, 5), 5) end, '5 components of 5 vectors')
check.fails(function() se.pca({ 1 }, 1) end, 'f32[n, dims]', 'table')

-- --- the recipe ---

check.ok(check.run(RECIPE):find('hf:sentence-transformers/', 1, true), 'how to get a teacher')
local mine = 'columns=a,b held=0.2 data=' .. pairs_file .. ' '

-- All layers: the student is the teacher, so that there is nothing to learn.
distill('same', mine .. 'layers=3 steps=1')
local losses, first = log_of 'same'
check.ok(losses[1] < 1e-12, 'the same vectors: %g', losses[1])
check.ok(first.mse < 1e-12, 'the same vectors, held out: %g', first.mse)
check.near(first.cosine, 1, 1e-6, 'cosine')

-- One layer: the distance to the teacher falls, and is what the saved model has.
local text = distill('one', mine .. 'layers=1 steps=60 lr=3e-3')
local before, after
losses, before, after = log_of 'one'
check.ok(losses[60] < 0.25 * losses[1], 'loss: %g, %g', losses[1], losses[60])
check.ok(after.mse < 0.25 * before.mse, 'held out: %g, %g', before.mse, after.mse)
check.ok(after.cosine > before.cosine, 'cosine: %g, %g', before.cosine, after.cosine)
check.ok(text:find(('mse +%.4g before, %.4g after'):format(before.mse, after.mse)), '%s', text)
local student = se.model.open(base .. '/one')
check.equal(#student.layers, 1, 'layers')
local data = se.data.pairs { pairs_file, columns = { 'a', 'b' }, tokenizer = student.tokenizer,
  length = 128, tokens = base .. '/tokens' }
local _, held = data:split(0.2)
local sum = 0
for _, column in ipairs { 'a', 'b' } do
  local s, t = student:encode(held:texts(column)), teacher:encode(held:texts(column))
  sum = sum + se.square(s - t):mean():item() / 2
end
check.close(after.mse, sum, 1e-5, 'the distance of the saved model')
check.ok(text:find('one_of_100 +[%d.]+ before, [%d.]+ after; the teacher [%d.]+\n'), '%s', text)
local card = check.read(base .. '/one/README.md')
check.ok(card:find('learned from tiny-mpnet', 1, true) and card:find('| mse | ', 1, true), card)

-- The texts of the first batch of a run.
local function first_batch(reader, held_out)
  local train = reader:split(held_out)
  train:draw(16)
  local texts = {}
  for _, column in ipairs(train.columns) do texts[column] = {} end
  for i, row in ipairs(train:rows_of(train:drawn())) do
    for column, list in pairs(texts) do list[i] = row[column] end
  end
  return texts
end

-- Translations: both columns learn the first one's vector.
distill('parallel', mine .. 'layers=3 steps=1 parallel=true')
data = se.data.pairs { pairs_file, columns = { 'a', 'b' }, tokenizer = teacher.tokenizer,
  length = 128, seed = 1, tokens = base .. '/tokens' }
local texts = first_batch(data, 0.2)
local far = se.square(teacher:encode(texts.a) - teacher:encode(texts.b)):mean():item()
check.close(log_of('parallel')[1], far / 2, 1e-5, 'loss of step 1: a is where it should be')

-- Another tokenizer, plain lines, narrower vectors: those of the teacher, projected.
se.files.write(base .. '/lines.txt', table.concat(data:texts('a', 1, 120), '\n') .. '\n')
se.model.bert { vocab = se.run.folder .. '/../../recipes/data/vocab.txt', layers = 1, hidden = 32,
  heads = 2, dropout = 0, seed = 5 }:save(base .. '/other')
text = distill('other', ('data=%s/lines.txt weights=%s/other steps=1 held=0.1 fit=100'):format(base,
  base))
check.ok(text:find('the teacher reads 100 texts: the student learns 32 principal components of its '
  .. '64 numbers', 1, true), '%s', text)
local other = se.model.open(base .. '/other')
data = se.data.pairs { base .. '/lines.txt', tokenizer = other.tokenizer, length = 128, seed = 1,
  tokens = base .. '/tokens' }
check.equal(table.concat(data.columns), 'text', 'columns')
texts = first_batch(data, 0.1).text
local w = se.pca(teacher:encode(data:texts('text', 1, 100)), 32)
local narrow = se.normalize(teacher:encode(texts):matmul(w:t())) -- as the student's are
local wanted = se.square(other:encode(texts) - narrow):mean():item()
check.close(log_of('other')[1], wanted, 1e-5, 'loss of step 1, other tokens')

-- Random weights, narrower, dropout, chunks: killed after a save and gone on from.
local keys = mine .. 'hidden=32 layers=1 heads=2 chunk=5 lr=3e-3 save=10 keep=0 evaluate=10 '
distill('fresh', keys .. 'steps=30')
losses, before, after = log_of 'fresh'
check.ok(after.mse < before.mse, 'held out: %g, %g', before.mse, after.mse)
assert(os.execute(('cd %s && cp -a fresh killed && ln -sfn save-10 killed/last && '
  .. 'rm -r killed/save-20 killed/save-30'):format(base)) == 0)
text = distill('killed', keys .. 'steps=30 resume=auto')
check.ok(text:find('going on after step 10', 1, true), '%s', text)
check.equal(table.concat(log_of 'killed', ' '), table.concat(losses, ' '), 'losses')
for _, name in ipairs { 'model.safetensors', 'last/optimizer.safetensors',
  'best/model.safetensors' } do
  check.ok(check.read(('%s/fresh/%s'):format(base, name))
    == check.read(('%s/killed/%s'):format(base, name)), '%s differs', name)
end

-- What the teacher gave is remembered: in the second epoch it reads nothing, and the vectors are
-- the same bits; without room it reads all again. Equal texts are read once.
data = se.data.pairs { pairs_file, columns = { 'a', 'b' }, tokenizer = other.tokenizer,
  length = 32, seed = 1, tokens = base .. '/tokens' }
local count = data:count()
for _, room in ipairs { 2 ^ 30, 0 } do
  local lesson = se.train.teacher(teacher, other, { pairs_file, columns = { 'a', 'b' },
    length = 32, seed = 1, tokens = base .. '/tokens', fit = 100 })
  lesson.room = room
  local read, given, plain = 0, {}, teacher.vectors
  lesson.teacher = setmetatable({ vectors = function(_, packed)
    read = read + packed.count
    return plain(teacher, packed)
  end }, { __index = teacher })
  local cfg = { steps = 2 * math.ceil(count / 16), batch = 16, seed = 1 }
  for step, batch in se.train.steps(lesson.data, cfg) do
    local vectors = lesson:vectors(batch, 'a'):totable(true)
    local drawn = lesson.data:drawn()
    for i = 1, 16 do
      local number, values = tonumber(drawn.pair[i - 1]), table.concat(vectors[i], ' ')
      check.equal(given[number] or values, values, ('step %d: pair %d'):format(step, number))
      given[number] = values
    end
  end
  local different, n = {}, 0
  for _, text_of_a in ipairs(data:texts 'a') do
    n = n + (different[text_of_a] and 0 or 1)
    different[text_of_a] = true
  end
  check.equal(read, room == 0 and cfg.steps * 16 or n, 'texts that the teacher reads')
end

-- What cannot be.
check.ok(distill('wide', mine .. 'hidden=128', 1):find("128 numbers, the teacher's 64", 1, true),
  'a student that is wider')
check.ok(distill('both', mine .. 'layers=1 weights=' .. base .. '/other', 1):find(
  'layers= does not go with weights=', 1, true), 'layers of a folder')
check.fails(function() se.train.teacher(teacher, other, { pairs_file, columns = { 'a', 'b' },
  tokens = base .. '/tokens', fit = 100 }):vectors({}, 'aa') end, 'column', '"a"')
check.ok(distill('dry', mine .. 'dry=true'):find('GB of memory', 1, true), 'dry')
check.done()
