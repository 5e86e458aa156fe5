-- One batch of the card (1,024 pairs) at mpnet-base size, with AdamW, in chunks of two sizes: how
-- far apart the gradients are, what a step takes (see bench/README.md):
--   build/sembed bench/card_chunks.lua [weights=DIR] [chunks=16,256] [batch=1024]
local se = require 'sembed'

local cfg = se.config { weights = '', chunks = { 16, 256 }, batch = 1024,
  data = '../recipes/data/train.jsonl.gz', vocab = '../recipes/data/vocab.txt' }
local model = cfg.weights ~= '' and se.model.open(cfg.weights)
  or se.model.mpnet { layers = 12, hidden = 768, heads = 12, vocab = cfg.vocab, length = 128 }
local talk = se.data.pairs { cfg.data, tokenizer = model.tokenizer, length = 128, seed = cfg.seed }
local adam = se.optim.adamw(model.params, { eps = 1e-6 })
local loss = se.loss.in_batch.symmetric()

local function encode(text) return (model:vectors(text, true)) end

-- The gradients of the batch in chunks of `size` texts, kept; the seconds that they took.
local function gradients(batch, size)
  local run = se.train.cached(encode, loss, { params = model.params, chunk = size })
  local began, list = os.time(), {}
  local value, grads = run(batch.response, batch.context)
  for i = 1, #model.params do list[i] = grads[i] and se.keep(grads[i]) or false end
  local computed = { value }
  for _, g in ipairs(list) do computed[#computed + 1] = g or nil end
  se.eval(computed)
  return list, value:item(), os.time() - began
end

for _, batch in se.train.steps(talk, { steps = 1, batch = cfg.batch, seed = 1 }) do
  local first
  for _, size in ipairs(cfg.chunks) do
    local list, value, seconds = gradients(batch, size)
    print(('chunks of %d texts: loss %.7f, %d s'):format(size, value, seconds))
    local apart, all = 0, 0
    for i, g in ipairs(list) do
      if g and first then
        local d = g - first[i]
        apart, all = apart + (d * d):sum():item(true), all + (g * g):sum():item(true)
      end
    end
    if first then
      print(('apart: %.3g of the norm of all gradients'):format(math.sqrt(apart / all)))
    end
    first = first or list
  end
  adam:update(first, { rate = 1e-5, clip = 1 })
end
for line in io.lines '/proc/self/status' do
  if line:match '^VmHWM' then print(line) end
end
