-- tests/data/tiny-mpnet: hidden states, vectors, losses and gradients against PyTorch in float64.
local se = require 'sembed'
local check = require 'check'

local folder = check.data 'tiny-mpnet'
local model = se.model.mpnet(folder)
local reference = se.json.load(folder .. '/reference.json')
local want = se.safetensors.load(folder .. '/reference.safetensors')

-- Buckets of the bias by distance.
local b = reference.bucket_of_distance
for i, bucket in ipairs(b.buckets) do
  check.equal(se.model.mpnet.bucket_of(b.first + i - 1, 32), bucket, 'bucket')
end

-- Hidden states of each layer, alone and all texts in one batch: within 1e-5, and the same bits.
local function vector(text)
  return (se.normalize(se.mean_pool(model(text), text)))
end
local lists = {}
for i, s in ipairs(reference.sequences) do lists[i] = s.ids end
local together = se.text.of_ids(lists)
local states, at = model:states(together), 0
for i, s in ipairs(reference.sequences) do
  local alone = se.text.of_ids { s.ids }
  local own = model:states(alone)
  for l = 0, 3 do
    local wanted = want[('%s.hidden.%d'):format(s.name, l)]
    check.near(own[l + 1], wanted, 1e-5, ('%s, layer %d'):format(s.name, l))
    check.same(states[l + 1]:rows(at + 1, at + s.length), own[l + 1], s.name .. ' among others')
  end
  -- 1e-6 of its largest element: f32 has no more (PyTorch's own mean of seq1 is 1.07e-6 off).
  local mean, wanted_mean = se.mean_pool(own[4], alone), want[s.name .. '.mean']
  local largest = math.max(1, wanted_mean:abs():max():item())
  check.near(mean:row(1), wanted_mean, 1e-6 * largest, s.name .. ', mean')
  check.near(se.normalize(mean):row(1), want[s.name .. '.mean_norm'], 1e-6, s.name .. ', vector')
  check.same(vector(together):row(i), se.normalize(mean):row(1), s.name .. ', vector among others')
  at = at + s.length
end
local pad = se.text.of_ids { want['pad_inside.ids']:totable() }
check.near(model(pad), want['pad_inside.hidden.3'], 1e-5, 'pad inside')
check.near(vector(pad):row(1), want['pad_inside.mean_norm'], 1e-6, 'pad inside, vector')
local longest = se.text.of_ids { want['longest.ids']:totable() }
check.near(vector(longest):row(1), want['longest.mean_norm'], 1e-6, '512 tokens')

-- model:encode, truncation included
local texts, vectors = {}, {}
for line in se.data.lines(folder .. '/vectors.jsonl') do
  local o = se.json.parse(line)
  texts[#texts + 1], vectors[#vectors + 1] = o.text, o.vector
end
local got = model:encode(texts)
check.near(got, se.tensor(vectors), 1e-6, 'encode')
check.same(model:encode(texts, { batch = 3 }), got, 'encode in batches of 3')
local many = {} -- more batches than an op takes tensors
for i = 1, 600 do many[i] = texts[1 + i % 2] end
check.same(model:encode(many, { batch = 1 }):rows(599, 600), model:encode { texts[2], texts[1] },
  '600 batches')

-- Losses and gradients.
local g = reference.gradient_batch
local u, v = se.text.of_ids(g.a), se.text.of_ids(g.b)
local function two(list) return (se.text.of_ids(list)) end
local makers = se.loss.in_batch
local cases = {
  symmetric = { makers.symmetric { scale = 20 }, { u, v } },
  oneway = { makers.one_way { scale = 20 }, { u, v } },
  triplet = { makers.one_way { scale = 20 }, { u, v, two(g.n) } },
}
for name, case in pairs(cases) do
  local run = se.train.cached(vector, case[1], { params = model.params })
  local value, grads = run(unpack(case[2]))
  check.close(value:item(), reference.losses[name].loss, 1e-6, name)
  local all = reference.losses[name].grad_norm
  check.close(se.optim.adamw(model.params):norm(grads):item(), all, 1e-6, name .. ', norm')
  for i, parameter in ipairs(model.params.names) do
    if not parameter:match 'k%.bias$' then
      local wanted = want[('%s.grad.%s'):format(name, parameter)]
      local d = grads[i] - wanted
      local error = (d * d):sum():sqrt():item()
      local own = reference.losses[name].grad_norms[parameter]
      check.ok(error <= 1e-5 * math.max(own, 1e-6 * all), '%s: gradient of %s is off by %g of %g',
        name, parameter, error, own)
    end
  end
end
check.equal(#model.params, #model.params.names, 'names')
check.equal(model.params:get 'encoder.layer.0.attention.attn.k.bias':dtype(), 'f32', 'k.bias')
check.near(model.params:get 'encoder.layer.0.attention.attn.k.bias',
  se.safetensors.load(folder .. '/model.safetensors')['encoder.layer.0.attention.attn.k.bias'], 0,
  'k.bias is what the file holds')
check.done()
