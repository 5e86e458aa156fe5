-- The first steps of fine-tuning real weights, dropout off, with everything that PyTorch needs to
-- do the same: each step's texts in order, its rate, loss and norm of the gradients, as JSON lines.
--
--   sembed bench/curve.lua weights=DIR [out=curve.jsonl] [steps=20] [batch=64]
--   python bench/curve_torch.py DIR curve.jsonl
local se = require 'sembed'

local cfg = se.config {
  weights = '', out = 'curve.jsonl', data = '../recipes/data/train.jsonl.gz',
  steps = 20, batch = 64, length = 128, warmup = 5, lr = 2e-5,
}
if cfg.weights == '' then error('weights=DIR is missing') end

local model = se.model.open(cfg.weights)
model.length = cfg.length
local talk = se.data.pairs { cfg.data, tokenizer = model.tokenizer, length = cfg.length,
  seed = cfg.seed }
local adam = se.optim.adamw(model.params, { torch = true, eps = 1e-6 })
local rate, loss = se.schedule.warmup_linear(cfg), se.loss.in_batch.symmetric { scale = 20 }
local run = se.train.cached(function(text) return (model:vectors(text, true)) end, loss,
  { params = model.params })

local steps, tokens, began = {}, 0, se.seconds()
local plan = { steps = cfg.steps, batch = cfg.batch, seed = cfg.seed }
for step, batch in se.train.steps(talk, plan) do
  local record = { rate = rate(step), context = {}, response = {} }
  for i, row in ipairs(talk:rows_of(talk:drawn())) do
    record.context[i], record.response[i] = row.context, row.response
  end
  for _, text in pairs(batch) do
    text.key, text.who = nil, nil -- what dropout draws from: without them there is none
    tokens = tokens + text.tokens
  end
  local value, grads = run(batch.response, batch.context)
  local norm = adam:update(grads, { rate = rate(step), clip = 1.0 })
  record.loss, record.norm = se.keep(value), se.keep(norm)
  steps[step] = record
end
local seconds = se.seconds() - began

local file = assert(io.open(cfg.out, 'wb'))
for step, record in ipairs(steps) do
  record.loss, record.norm = record.loss:item(), record.norm:item()
  print(('step %d  loss %.6f  norm %.4f'):format(step, record.loss, record.norm))
  assert(file:write(se.json.encode(record), '\n'))
end
assert(file:close())
print(('%d steps of %d pairs: %.1f real tokens/s'):format(cfg.steps, cfg.batch, tokens / seconds))
