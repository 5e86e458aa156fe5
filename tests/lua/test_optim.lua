-- Optimizers, parameter groups, clipping, moving averages and schedules against PyTorch and
-- transformers (tests/data/objectives); saved and resumed; mistakes.
local se = require 'sembed'
local check = require 'check'

local reference = se.json.load(check.data 'objectives/optimizers.json')
local names, rates = reference.names, reference.rates

local function fresh()
  local params = se.nn.params()
  for _, name in ipairs(names) do params:add(name, se.tensor(reference.start[name])) end
  return params
end

local function close(list, wanted, what)
  for i, name in ipairs(names) do
    -- float32, six steps over values of about 1
    check.near(list[i], se.tensor(wanted[name]), 2e-6, ('%s, %s'):format(what, name))
  end
end

-- --- optimizers ---

local GROUPS = {
  { pattern = '^norm', rate = 0.1, decay = 0 }, { pattern = 'bias$', decay = 0 },
  { pattern = 'weight$', decay = 0.1 }, -- the first that matches decides: not for norm.weight
}
local adamw, sgd = se.optim.adamw, se.optim.sgd
local CASES = {
  ['adamw'] = { adamw, { torch = true, decay = 0.1 } },
  ['adamw, groups'] = { adamw, { torch = true, decay = 0.1, groups = GROUPS }, ema = 0.9 },
  ['adamw, frozen'] = { adamw, { torch = true, decay = 0.1,
    groups = { { pattern = 'dense.weight', frozen = true } } }, clip = 1 },
  ['adamw, clip_value'] = { adamw, { torch = true }, clip_value = 0.5 },
  ['sgd'] = { sgd, { decay = 0.1 } },
  ['sgd, momentum'] = { sgd, { decay = 0.1, momentum = 0.9 }, clip = 1 },
  ['sgd, nesterov'] = { sgd, { decay = 0.1, momentum = 0.9, nesterov = true } },
  ['sgd, groups'] = { sgd, { decay = 0.1, momentum = 0.9, groups = GROUPS }, clip_value = 0.5 },
  ['sgd, frozen'] = { sgd, { momentum = 0.9,
    groups = { { pattern = '^norm', frozen = true } } }, ema = 0.99 },
}

local function gradients(t)
  local grads = {}
  for i, name in ipairs(names) do grads[i] = se.tensor(reference.grads[t][name]) end
  return grads
end

for name, wanted in pairs(reference.cases) do
  local case = CASES[name]
  check.ok(case, '%s is not compared', name)
  local params = fresh()
  local optimizer = case[1](params, case[2])
  local ema = case.ema and se.optim.ema(params, { decay = case.ema })
  for t, rate in ipairs(rates) do
    -- The rate as a number and as a tensor.
    local norm = optimizer:update(gradients(t), { clip = case.clip, clip_value = case.clip_value,
      rate = t % 2 == 0 and rate or se.full({}, rate) })
    if ema then ema:update() end
    check.close(norm:item(), wanted.norms[t], 1e-6, name .. ', norm')
    close(params, wanted.after[t], ('%s, step %d'):format(name, t))
    if ema then
      close(ema.average, reference.averages[name][t], ('%s, average %d'):format(name, t))
    end
  end
end

-- --- a moving average's turns ---

local params = fresh()
local ema = se.optim.ema(params, { decay = 0.5 })
local opt = sgd(params)
opt:update(gradients(1), { rate = 0.5 })
ema:update()
local now, mean = params[1]:bytes(), ema.average[1]:bytes()
check.ok(now ~= mean, 'the average is not the value')
local a, b = ema:with(function(x)
  check.equal(params[1]:bytes(), mean, 'within with')
  check.equal(ema.average[1]:bytes(), now, 'the other place')
  return x, 2
end, 1)
check.equal(a + b, 3, 'what with returns')
check.equal(params[1]:bytes(), now, 'after with')
check.equal(ema.average[1]:bytes(), mean, 'the average after with')
check.fails(function() ema:with(function() error 'within' end) end, 'within')
check.equal(params[1]:bytes(), now, 'after an error in with')

-- warmup: (1 + t) / (10 + t) until that is more than the decay; before: the average of t = 0.
params = fresh()
ema = se.optim.ema(params, { decay = 0.3, warmup = true })
local average = params[2]:totable()
for t = 1, 5 do
  local value = se.random.normal(t, { 4 })
  params[2]:assign(value)
  ema:update()
  local decay = math.min(0.3, (1 + t) / (10 + t))
  for i, v in ipairs(value:totable()) do average[i] = decay * average[i] + (1 - decay) * v end
  check.near(ema.average[2], se.tensor(average), 1e-6, 'warm-up of the average')
end

-- --- a step that is refused ---

params = fresh()
opt = sgd(params, { momentum = 0.9, nesterov = true })
ema = se.optim.ema(params)
local before, state = params[1]:bytes(), select(2, opt:state())[1]:bytes()
local grads = gradients(1)
grads[2] = grads[2] / 0
opt:update(grads, { rate = 0.1, clip_value = 1 })
ema:update()
check.fails(function() se.eval(params[1]) end, 'infinite')
check.equal(params[1]:bytes(), before, 'parameters after a refused step')
check.equal(select(2, opt:state())[1]:bytes(), state, 'momentum after a refused step')
check.equal(ema.average[1]:bytes(), before, 'the average after a refused step')

-- --- saved and resumed ---

local folder = check.data 'tiny-mpnet'
local out = check.folder()
local function train(last, cfg)
  local model = se.model.mpnet { vocab = folder .. '/vocab.txt', layers = 1, hidden = 32, heads = 2,
    length = 32, seed = 3 }
  local talk = se.data.pairs { folder .. '/pairs.jsonl', columns = { 'a', 'b' },
    tokenizer = model.tokenizer, length = 32 }
  local adam = adamw(model.params, { groups = { { pattern = 'embeddings', frozen = true },
    { pattern = 'bias$', decay = 0, rate = 2 } }, decay = 0.01 })
  local mean_of = se.optim.ema(model.params, { decay = 0.9, warmup = true })
  local run = se.train.cached(function(text) return (model:vectors(text, true)) end,
    se.loss.in_batch.symmetric(), { params = model.params })
  local parts = { model = model, adam = adam, also = { mean_of } }
  for step, batch in se.train.steps(talk, cfg, parts) do
    local _, g = run(batch.a, batch.b)
    adam:update(g, { rate = 1e-3 })
    mean_of:update()
    if step == last then break end
  end
  se.eval()
  se.train.abandon() -- what is made from here on belongs to no step
  local list = {}
  for i, p in ipairs(model.params) do
    list[2 * i - 1], list[2 * i] = p:bytes(), mean_of.average[i]:bytes()
  end
  return list
end
local whole = train(6, { steps = 6, batch = 8, seed = 1 })
train(5, { steps = 6, batch = 8, seed = 1, save = 2, out = out .. '/run' })
local resumed = train(6, { steps = 6, batch = 8, seed = 1, out = out .. '/run', resume = 'auto' })
for i, bytes in ipairs(whole) do
  check.ok(bytes == resumed[i], 'a resumed run: tensor %d has other bits', i)
end

-- --- schedules ---

local S = se.schedule
local cfg = { lr = 2, steps = 25, warmup = 5 }
local RATES = {
  ['constant'] = S.constant { lr = 2, warmup = 5 },
  ['linear'] = S.linear(cfg),
  ['cosine'] = S.cosine(cfg),
  ['cosine, cycles'] = S.cosine { lr = 2, steps = 25, warmup = 5, cycles = 3 },
  ['cosine, growth'] = S.cosine { lr = 2, steps = 28, least = 0.25, cycles = 3, growth = 2 },
}
-- Behind the last step ours stay at the least; there a cosine comes up again.
local LAST = { ['cosine'] = 26, ['cosine, growth'] = 28 }
for name, wanted in pairs(reference.schedules) do
  check.ok(RATES[name], '%s is not compared', name)
  for step = 1, LAST[name] or #wanted do
    check.near(RATES[name](step), wanted[step], 1e-12, ('%s, step %d'):format(name, step))
  end
end
check.near(S.linear { lr = 2, steps = 10, least = 0.5 }(6), 1.25, 1e-12, 'linear with least')
check.near(S.linear { lr = 2, steps = 10, least = 0.5 }(99), 0.5, 1e-12, 'linear at its end')
check.equal(S.warmup_linear(cfg)(9), S.linear(cfg)(9), 'one schedule, two names')
check.near(S.cosine { lr = 1, steps = 7, cycles = 2, growth = 0.5 }(8), 0, 1e-12, 'at the end')

-- --- mistakes ---

params = fresh()
local function groups(list) return function() adamw(params, { groups = list }) end end
check.fails(groups { { pattern = 'bais$' } }, 'test_optim.lua', '"bais$"', 'no parameter')
check.fails(groups { { pattern = 'bias$', weight_decay = 0 } }, 'group 1', 'weight_decay')
check.fails(groups { { pattern = 'bias$', deca = 0 } }, 'did you mean "decay"')
check.fails(groups { { pattern = 'bias$', frozen = 1 } }, 'frozen', 'boolean', 'number')
check.fails(groups { { 'bias$' } }, 'group 1', 'pattern')
check.fails(function()
  adamw({ params[1] }, { groups = { { pattern = 'bias$', decay = 0 } } })
end, 'names', 'se.nn.params()')
check.fails(function() sgd(params, { nesterov = true }) end, 'momentum')
opt = adamw(params)
check.fails(function() opt:update(gradients(1), { clip = 1 }) end, 'rate')
check.fails(function() opt:update(gradients(1), { rate = 1, clp = 1 }) end, '"clip"')
check.fails(function() opt:update(gradients(1), { rate = 1, clip = 1, clip_value = 1 }) end, 'both')
check.fails(function()
  local none = adamw(params, { groups = { { pattern = '.', frozen = true } } })
  none:update(gradients(1), { rate = 1 })
end, 'no parameter')
check.fails(function() se.optim.ema(params, { decay = 1 }) end, 'decay', '1 came')
check.fails(function() S.cosine { lr = 1, steps = 5, cycles = 1.5 } end, '1.5', 'count')
check.fails(function() S.linear { lr = 1 } end, 'steps is missing')
check.fails(function() S.linear { lr = '1', steps = 5 } end, 'lr', 'string')
check.done()
