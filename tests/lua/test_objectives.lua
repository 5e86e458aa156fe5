-- Losses: values and gradients against sentence-transformers and PyTorch (tests/data/objectives),
-- gradients against differences in double, chunks, and mistakes.
local se = require 'sembed'
local check = require 'check'

local reference = se.json.load(check.data 'objectives/losses.json')
local given, SCALE, MASK_SCALE = reference.given, reference.scale, reference.mask_scale

local function tensor_of(value)
  if type(value) == 'number' then return (se.full({}, value)) end
  return (se.tensor(value))
end

-- --- values and gradients ---

local same = {}
for i, numbers in ipairs(reference.same) do same[i] = se.tensor(numbers, 'i32') end

-- A loss over vectors of length 1.
local function unit(loss)
  return function(x, extra)
    local list = {}
    for i, v in ipairs(x) do list[i] = v:rank() == 2 and se.normalize(v) or v end
    list[#list + 1] = extra
    return (loss(unpack(list)))
  end
end
local function plain(loss)
  return function(x) return (loss(unpack(x))) end
end

local L = se.loss
local function joint(cfg)
  local all = { scale = SCALE, a_with_a = false, b_with_a = false, b_with_b = false }
  for key, value in pairs(cfg) do all[key] = value end
  return unit(L.in_batch.joint(all))
end
local function one_way(others, own)
  return unit(L.in_batch.one_way { scale = SCALE, hardness = { others = others, own = own } })
end
local symmetric = L.in_batch.symmetric { scale = SCALE }
local function masked(loss)
  return function(x) return (unit(loss)(x, { same = same })) end
end

-- name in the reference, the tensors that it takes, the loss as a function of their list
local CASES = {
  { 'one_way', 'a b', unit(L.in_batch.one_way()) },
  { 'one_way, negatives', 'a b n1 n2', unit(L.in_batch.one_way { scale = SCALE }) },
  { 'symmetric', 'a b', unit(symmetric) },
  { 'symmetric, negatives', 'a b n1 n2', unit(symmetric) },
  { 'joint', 'a b', unit(L.in_batch.joint()) },
  { 'joint, negatives', 'a b n1 n2', unit(L.in_batch.joint { scale = SCALE }) },
  { 'joint, a_with_a', 'a b', joint { a_with_a = true } },
  { 'joint, b_with_a', 'a b', joint { b_with_a = true } },
  { 'joint, b_with_b', 'a b n1', joint { b_with_b = true } },
  { 'hardness, in_batch_negatives', 'a b n1 n2', one_way(9, nil) },
  { 'hardness, hard_negatives', 'a b n1 n2', one_way(nil, 9) },
  { 'hardness, all_negatives', 'a b n1 n2', one_way(9, 9) },
  { 'symmetric, hardness', 'a b', unit(L.in_batch.symmetric { hardness = { others = 9 } }) },
  { 'symmetric, learned scale', 'a b log_scale', function(x)
    return (L.in_batch.symmetric { scale = x[3]:exp() }(x[1]:normalize(), x[2]:normalize()))
  end },
  { 'one_way, masked', 'a b n1', masked(L.in_batch.one_way { scale = MASK_SCALE }) },
  { 'symmetric, masked', 'a b n1', masked(L.in_batch.symmetric { scale = MASK_SCALE }) },
  { 'joint, masked', 'a b n1', masked(L.in_batch.joint { scale = MASK_SCALE }) },
  { 'cosent', 'a b labels', plain(L.cosent()) },
  { 'cosine_mse', 'a b labels', plain(L.cosine_mse()) },
  { 'margin_mse', 'a b n1 labels', plain(L.margin_mse()) },
  { 'margin_mse, margins', 'a b n1 n2 margins', plain(L.margin_mse()) },
  { 'margin_mse, scores', 'a b n1 n2 scores', plain(L.margin_mse()) },
  { 'vector_mse', 'a b', plain(L.vector_mse()) },
  { 'vector_mse, columns', 'a b n1 n2', plain(L.vector_mse()) },
  { 'triplet', 'a b n1', plain(L.triplet()) },
  { 'triplet, cosine', 'a b n1', plain(L.triplet { margin = 0.3,
    distance = function(x, y) return 1 - se.cosine(x, y) end }) },
  { 'matryoshka', 'a b', plain(L.matryoshka(symmetric, { dims = { 8, 4, 2 },
    weights = { 1, 0.5, 0.25 } })) },
  { 'matryoshka, cosent', 'a b labels', plain(L.matryoshka(L.cosent(), { dims = { 8, 3 } })) },
}

local LABELS = { labels = true, margins = true, scores = true }
local seen = {}
for _, case in ipairs(CASES) do
  local name, words, loss = unpack(case)
  local wanted, names, x = reference.cases[name], {}, {}
  check.ok(wanted, 'no reference for %s', name)
  seen[name] = true
  for word in words:gmatch '%S+' do
    names[#names + 1] = word
    x[#x + 1] = tensor_of(given[word])
  end
  local value = loss(x)
  -- float32 sums of some dozens of terms, scores up to 20
  check.close(value:item(), wanted.value, 3e-6, name)
  local grads = se.grad(value, x)
  for i, word in ipairs(names) do
    local g = wanted.grads[word]
    if not g then
      check.ok(LABELS[word] or not grads[i], '%s: a gradient of %s', name, word)
    else
      g = tensor_of(g)
      check.near(grads[i], g, 3e-6 * math.max(g:abs():max():item(), 0.1), name .. ', d ' .. word)
    end
  end
end
for name in pairs(reference.cases) do check.ok(seen[name], '%s is not compared', name) end

-- --- gradients by differences in double; other shapes and types give a result or a message ---

-- name, args, sample, loss. Hardness and a teacher's vectors are constants to the gradient but not
-- to differences: they stand in the reference alone.
local DIFFERENCES = {
  { 'symmetric', 'a b n', 'a:f32[4x3] b:f32[4x3] n:f32[4x3]', L.in_batch.symmetric { scale = 3 } },
  { 'one_way', 'a b n m', 'a:f32[4x3] b:f32[4x3] n:f32[4x3] m:f32[4x3]',
    L.in_batch.one_way { scale = 3 } },
  { 'joint', 'a b n', 'a:f32[4x3] b:f32[4x3] n:f32[4x3]', L.in_batch.joint { scale = 3 } },
  { 'masked', 'a b s t', 'a:f32[4x3] b:f32[4x3] s:i32[4]=0,1,2,0 t:i32[4]=3,4,5,4',
    function(a, b, s, t) return (L.in_batch.joint { scale = 3 }(a, b, { same = { s, t } })) end },
  { 'learned', 'a b s', 'a:f32[4x3] b:f32[4x3] s:f32[]=0.7',
    function(a, b, s) return (L.in_batch.symmetric { scale = s:exp() }(a, b)) end },
  { 'cosent', 'a b y', 'a:f32[4x3] b:f32[4x3] y:f32[4]=1,0,0.5,0.5!', L.cosent { scale = 3 } },
  { 'cosine_mse', 'a b y', 'a:f32[4x3] b:f32[4x3] y:f32[4]', L.cosine_mse() },
  { 'margin_mse', 'a b n m y', 'a:f32[4x3] b:f32[4x3] n:f32[4x3] m:f32[4x3] y:f32[4x2]',
    L.margin_mse() },
  { 'vector_mse', 'a t', 'a:f32[4x3] t:f32[4x3]!', L.vector_mse() },
  { 'triplet', 'a b n', 'a:f32[4x3] b:f32[4x3] n:f32[4x3]', L.triplet { margin = 4 } },
  { 'matryoshka', 'a b', 'a:f32[4x3] b:f32[4x3]',
    L.matryoshka(L.in_batch.symmetric { scale = 3 }, { dims = { 3, 2 } }) },
}
for _, case in ipairs(DIFFERENCES) do
  local name, args, sample, loss = unpack(case)
  se.op.define { name = 'loss_' .. name, args = args, doc = 'a loss', sample = sample,
    expand = function(...) return (loss(...)) end }
  local line = se.op.check('loss_' .. name)
  check.ok(tonumber(line:match ' (%d+) gradients') >= 12, '%s', line)
end

-- --- in training: chunks, equal texts, what goes on to the loss, learned scale ---

local folder = check.data 'tiny-mpnet'
local model = se.model.mpnet { vocab = folder .. '/vocab.txt', layers = 1, hidden = 32, heads = 2,
  length = 32, dropout = 0.1, seed = 3 }
local lines = {}
for i = 1, 12 do
  lines[i] = ('{"a": "who is number %d", "b": "it is number %d"}\n'):format(i, i % 5)
end
local out = check.folder()
local talk = se.data.pairs { check.write(out .. '/pairs.jsonl', table.concat(lines)),
  columns = { 'a', 'b' }, tokenizer = model.tokenizer, length = 32, duplicates = 'mask' }
local scale = se.loss.scale(5)
local params = se.nn.params()
params:join('model', model)
params:join('loss', scale)
local function encode(text) return (model:vectors(text, true)) end

-- Chunks of 5 texts and none: the same value and gradients. inputs: of run, by the batch.
local function compare(name, loss, inputs)
  local results = {}
  for _, batch in se.train.steps(talk, { steps = 1, batch = 12, seed = 5 }) do
    for i, chunk in ipairs { 0, 5 } do
      local run = se.train.cached(encode, loss, { params = params, chunk = chunk })
      local value, grads = run(inputs(batch))
      local list = { value }
      for k = 1, #params do list[k + 1] = grads[k] or se.zeros(params[k]:shape()) end
      se.eval(list)
      results[i] = list
    end
    local apart, all = 0, 0
    for k, g in ipairs(results[1]) do
      local d = results[2][k] - g
      apart, all = apart + (d * d):sum():item(true), all + (g * g):sum():item(true)
    end
    check.ok(all > 0 and math.sqrt(apart) <= 2e-6 * math.sqrt(all), '%s in chunks: off by %g', name,
      math.sqrt(apart / all))
    results = results[1][#params + 1]:item(true)
  end
  return results -- the gradient of the last parameter
end

local function both(batch) return batch.a, batch.b end
local function labels_of(batch)
  local labels = {}
  for i = 1, batch.a.count do labels[i] = i % 4 / 4 end
  return batch.a, batch.b, se.vary(se.tensor(labels), 12)
end
local by_scale = compare('symmetric', L.in_batch.symmetric { scale = scale }, both)
check.ok(by_scale ~= 0, 'no gradient of the learned scale')
compare('joint', L.in_batch.joint { scale = scale, hardness = { others = 2 } }, both)
compare('cosent', L.cosent(), labels_of)
compare('matryoshka', L.matryoshka(L.in_batch.one_way { scale = scale }, { dims = { 32, 8 } }),
  both)
local teacher = se.random.normal(9, { 12, 32 }):totable()
compare('a teacher', L.vector_mse(), function(batch)
  return batch.a, se.vary(se.tensor(teacher), 12)
end)
compare('SimCSE', L.in_batch.one_way(), function(batch) return batch.a, batch.a:again() end)

-- What the loss is called with; equal texts have equal numbers.
for _, batch in se.train.steps(talk, { steps = 1, batch = 12, seed = 5 }) do
  local came
  se.train.cached(encode, function(...)
    came = { n = select('#', ...), ... }
    came[3] = { same = came[3].same }
    return (came[1]:sum())
  end, { params = params })(batch.a, batch.b)
  check.equal(came.n, 3, 'arguments of the loss')
  local a, b = came[3].same[1]:totable(), came[3].same[2]:totable()
  local count = {}
  for i = 1, 12 do
    count[b[i]] = (count[b[i]] or 0) + 1
    check.equal(count[a[i]], nil, 'a text of both columns')
  end
  local twice = 0
  for _, n in pairs(count) do twice = twice + (n > 1 and 1 or 0) end
  check.equal(twice, 5, 'texts that come more than once')

  -- With equal texts masked, a pair's partners in other pairs do not repel it.
  local va, vb = encode(batch.a), encode(batch.b)
  local with = symmetric(va, vb, came[3]):item()
  local without = symmetric(va, vb):item()
  check.ok(with < without, 'masking leaves the loss at %g, %g', with, without)
end

-- A loss of one's own that does not look at them is refused, with its place.
local function careless(a, b)
  return (se.cross_entropy(a:matmul(b:t()), se.shard.rows(a)):mean())
end
local careless_line = debug.getinfo(careless, 'S').linedefined
local function step_with(loss, chunk)
  for _, batch in se.train.steps(talk, { steps = 1, batch = 12, seed = 5 }) do
    local run = se.train.cached(encode, loss, { params = params, chunk = chunk })
    se.eval((run(batch.a, batch.b)))
  end
end
for _, loss in ipairs { careless, L.matryoshka(careless, { dims = { 32, 8 } }) } do
  for _, chunk in ipairs { 0, 5 } do
    local message = check.fails(function() step_with(loss, chunk) end, "duplicates = 'mask'",
      'takes no notice of equal texts', loss == careless and ':' .. careless_line .. ')' or '')
    check.ok(message:find('^[^:]*test_objectives.lua:%d+: train.cached: '), '%s', message)
  end
end
step_with(function(a, b, extra) -- one that does
  return ((a * b):sum() + 0 * extra.same[1]:f32():sum())
end, 5)
step_with(L.vector_mse(), 0) -- one to which equal texts make no difference

-- A learned scale is trained, saved and restored.
local cfg = { steps = 2, batch = 12, seed = 5, out = out .. '/run' }
local function train_scale(learned, resume)
  local adam = se.optim.adamw(learned.params)
  local run = se.train.cached(encode, L.in_batch.symmetric { scale = learned },
    { params = learned.params })
  cfg.resume = resume
  for _, batch in se.train.steps(talk, cfg, { adam = adam, also = { learned } }) do
    local _, grads = run(batch.a, batch.b)
    adam:update(grads, { rate = 0.1 })
  end
  return learned():item()
end
local trained = train_scale(se.loss.scale(5))
check.ok(math.abs(trained - 5) > 0.5, 'the scale is still %g', trained)
check.equal(train_scale(se.loss.scale(5), 'auto'), trained, 'a restored scale')
cfg.out = out .. '/twice'
check.fails(function()
  for _ in se.train.steps(talk, cfg, { also = { scale, scale } }) do scale.params:count() end
end, 'log_scale', 'twice')

-- --- mistakes ---

local x, y = se.random.normal(1, { 4, 8 }), se.random.normal(2, { 4, 6 })
check.fails(function() L.in_batch.symmetric { scal = 3 } end, 'test_objectives.lua', '"scale"')
check.fails(function() L.in_batch.one_way { hardness = { other = 3 } } end, 'other', 'others')
check.fails(function() symmetric(x) end, '2 tensors', '1 came')
check.fails(function() symmetric(x, y) end, 'argument 2 is {4, 6}', '{4, 8}')
check.fails(function() symmetric(x, x, { same = { same[1] } }) end, '1 columns', 'there are 2')
check.fails(function() L.cosent()(x, x, x) end, 'labels of shape {4}', '{4, 8}')
check.fails(function() L.margin_mse()(x, x, x, x, se.zeros { 4, 5 }) end, '{4, 2}', '{4, 5}')
check.fails(function() L.vector_mse()(x, x, x) end, '3 tensors')
check.fails(function() L.matryoshka(symmetric, { dims = { 8, 4 }, weights = { 1 } }) end, '2 dims')
check.fails(function() L.matryoshka(symmetric, { dims = { 9 } })(x, x) end, '9', '8 dims')
check.fails(function() L.matryoshka { dims = { 9 } } end, 'function', 'table')
check.fails(function() L.scale(-1) end, '-1')
check.done()
