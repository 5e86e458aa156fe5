-- tests/data/tiny-mpnet: four training runs, every loss and norm, and parameters after some steps.
local se = require 'sembed'
local check = require 'check'

local folder = check.data 'tiny-mpnet'
local training = se.json.load(folder .. '/training.json')
local want = se.safetensors.load(folder .. '/training.safetensors')
local pairs_of = {}
for line in se.data.lines(folder .. '/pairs.jsonl') do
  pairs_of[#pairs_of + 1] = se.json.parse(line)
end

local function batch(step, key)
  local lists = {}
  for i = 8 * (step - 1) + 1, 8 * step do lists[#lists + 1] = pairs_of[i][key] end
  return (se.text.of_ids(lists))
end

local function compare(model, name, step)
  local prefix = ('%s.step%d.'):format(name, step)
  for i, parameter in ipairs(model.params.names) do
    local wanted = want[prefix .. parameter]
    if wanted and not parameter:match 'k%.bias$' then
      -- Adam divides by the root of tiny second moments: entries with tiny gradients are noisy
      -- where eps is 1e-8.
      local loose = name == 'adamw_torch' and parameter:match 'word_embeddings'
      check.near(model.params[i], wanted, loose and 5e-5 or 3e-6, prefix .. parameter)
    end
  end
end

local function train(name, torch)
  local model, run = se.model.mpnet(folder), training[name]
  local settings = run.settings
  local adam = se.optim.adamw(model.params,
    { eps = settings.eps, decay = settings.weight_decay, torch = torch })
  local rate = se.schedule.warmup_linear { lr = 1e-3, warmup = 5, steps = 30 }
  local function encode(text) return (se.normalize(se.mean_pool(model(text), text))) end
  local loss = se.loss.in_batch.symmetric { scale = 20 }
  local step_of = se.train.cached(encode, loss, { params = model.params })
  for step, wanted in ipairs(run.float64) do
    se.scope('step ' .. step, function()
      local value, grads = step_of(batch(step, 'a_ids'), batch(step, 'b_ids'))
      check.near(rate(step), wanted.lr, 1e-12, 'rate')
      local norm = adam:update(grads, { rate = rate(step), clip = settings.clip_global_norm })
      se.eval(value, norm)
      check.close(value:item(), wanted.loss, 1e-6, ('%s, loss of step %d'):format(name, step))
      check.close(norm:item(), wanted.grad_norm, 5e-6, ('%s, norm of step %d'):format(name, step))
    end)
    compare(model, name, step)
  end
  return model
end

local model = train('adamw_hf')
train('adamw_hf_decay')
train('adamw_torch', true)
train('adamw_hf_clip3')

-- The pooler is kept as it was; the folder written loads again and gives the same vectors.
local out = check.folder()
model:save(out)
local again = se.model.mpnet(out)
local text = batch(1, 'a_ids')
check.same(again(text), model(text), 'saved and loaded')
local first = se.safetensors.load(folder .. '/model.safetensors')
check.same(again.kept[1], first['pooler.dense.weight'], 'pooler')
check.done()
