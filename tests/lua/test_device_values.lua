-- Tensors on a device, where SEMBED_PJRT_PLUGIN names a plugin: the golden model's hidden states,
-- losses and gradients, assigns, guards, values that only the host or only the device has.
local se = require 'sembed'
local check = require 'check'

if (os.getenv 'SEMBED_PJRT_PLUGIN' or '') == '' then
  print 'skipped: SEMBED_PJRT_PLUGIN names no plugin'
  os.exit(77, true)
end
local cfg = se.config { device = 'xla:1' }
check.equal(cfg.device, 'xla:1', 'device')

-- --- values ---

local x = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
check.near(x:matmul(x:t()), se.tensor { { 14, 32 }, { 32, 77 } }, 1e-5, 'matmul')
local y = (x + 1):keep()
check.near(y:reshape { 3, 2 }, se.tensor { { 2, 3 }, { 4, 5 }, { 6, 7 } }, 0, 'a view of a value')
check.near(y, se.tensor { { 2, 3, 4 }, { 5, 6, 7 } }, 0, 'the value itself')
check.equal(x:i32():sum():item(), 21, 'integers')
check.equal((x:sum() * 0.5):item(), 10.5, 'plain numbers')
check.equal((x:sum() * 0.25):item(), 5.25, 'other plain numbers, the same program')
check.equal(se.zeros(0, 3):sum():item(), 0, 'no elements')
check.fails(function() return se.tensor({ { 1 }, { 2 } })[se.tensor({ 2 }, 'i32')]:item() end,
  'take', '2')

-- --- assigns ---

local p = se.tensor { 1, 2, 3 }
for _ = 1, 3 do
  p:assign(p * 2)
  se.eval()
end
check.near(p, se.tensor { 8, 16, 24 }, 0, 'assigned on the device')
local before = p + 1
p:assign(p * 0)
check.near(before, se.tensor { 9, 17, 25 }, 0, 'a graph of the old value')
check.near(p, se.tensor { 0, 0, 0 }, 0, 'the new value')
local q = se.tensor { 5, 6 }
local old = q * 1
q:assign(q + 1)
se.eval()
check.near(q, se.tensor { 6, 7 }, 0, 'assigned')
check.near(old, se.tensor { 5, 6 }, 0, 'what waits for the old value keeps it')

-- A guarded value that is not finite: nothing is assigned, on the device neither.
local r, zero = se.tensor { 1, 2 }, se.tensor { 0, 1 }
r:assign(r + 1)
se.eval()
r:assign(r * 10)
local bad = require('sembed.tensor').guard(r / zero)
check.fails(function() se.eval(bad) end, 'not finite')
check.near(r, se.tensor { 2, 3 }, 0, 'the old value')
r:assign(r * 10)
se.eval()
check.near(r, se.tensor { 20, 30 }, 0, 'goes on')

-- --- the golden model ---

local folder = check.data 'tiny-mpnet'
local model = se.model.mpnet(folder)
local reference = se.json.load(folder .. '/reference.json')
local want = se.safetensors.load(folder .. '/reference.safetensors')
local s = reference.sequences[1]
local states = model:states(se.text.of_ids { s.ids })
for l = 0, 3 do
  check.near(states[l + 1]:rows(1, s.length), want[('%s.hidden.%d'):format(s.name, l)], 1e-4,
    ('hidden states of layer %d'):format(l))
end
local g = reference.gradient_batch
local u, v = se.text.of_ids(g.a), se.text.of_ids(g.b)
local function vector(text) return (se.normalize(se.mean_pool(model(text), text))) end
local run = se.train.cached(vector, se.loss.in_batch.symmetric { scale = 20 },
  { params = model.params })
local value, grads = run(u, v)
check.close(value:item(), reference.losses.symmetric.loss, 1e-4, 'loss')
local all = reference.losses.symmetric.grad_norm
check.close(se.optim.adamw(model.params):norm(grads):item(), all, 1e-4, 'norm')
se.eval(grads)
for i, parameter in ipairs(model.params.names) do
  if not parameter:match 'k%.bias$' then
    local d = grads[i] - want['symmetric.grad.' .. parameter]
    local own = reference.losses.symmetric.grad_norms[parameter]
    check.ok((d * d):sum():sqrt():item() <= 1e-4 * math.max(own, 1e-6 * all),
      'gradient of %s', parameter)
  end
end
local texts, vectors = {}, {}
for line in se.data.lines(folder .. '/vectors.jsonl') do
  local o = se.json.parse(line)
  texts[#texts + 1], vectors[#vectors + 1] = o.text, o.vector
end
check.near(model:encode(texts), se.tensor(vectors), 1e-4, 'encode')
check.done()
