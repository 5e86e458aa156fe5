-- Training steps of mpnet-base's size on the conversations in recipes/data, as a share of this
-- machine's own rate of such products (2048 x 3072 x 768, all threads, the same precision),
-- measured before, between and after the steps of the same run.
--
--   sembed bench/train_step.lua [batch=64] [steps=4] [weights=DIR] [precision=bf16]
--
-- A training step costs 6 floating-point operations for each weight of the matrix products and
-- token: 510 MFLOP for mpnet-base.
local se = require 'sembed'

local cfg = se.config {
  weights = '', layers = 12, hidden = 768, heads = 12, vocab = '../recipes/data/vocab.txt',
  data = '../recipes/data/train.jsonl.gz',
  batch = 64, steps = 4, length = 128, warmup = 1, lr = 2e-5, scale = 20,
}

local model = cfg.weights ~= '' and se.model.mpnet(cfg.weights)
  or se.model.mpnet { layers = cfg.layers, hidden = cfg.hidden, heads = cfg.heads,
    vocab = cfg.vocab }
local talk = se.data.pairs { cfg.data, tokenizer = model.tokenizer, length = cfg.length }
local adam = se.optim.adamw(model.params)
local loss = se.loss.in_batch.symmetric(cfg)

local function encode(text) return (se.normalize(se.mean_pool(model(text), text))) end
local run = se.train.cached(encode, loss, { params = model.params })

local weights = 0 -- in the matrix products of the layers
for i, name in ipairs(model.params.names) do
  local dims = model.params[i]:shape()
  if name:match '^encoder%.layer' and #dims == 2 then weights = weights + dims[1] * dims[2] end
end

local function sgemm() return se.gemm_rate(2048, 3072, 768, 1, cfg.precision) end

local rates, tokens, seconds, began = { sgemm() }, 0, 0, nil
for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam }) do
  local now = se.seconds()
  if began and step > 2 then seconds = seconds + now - began end -- the first step warms up
  if step > 1 then
    rates[#rates + 1] = sgemm()
    tokens = tokens + batch.response.tokens + batch.context.tokens
  end
  began = se.seconds()
  local value, grads = run(batch.response, batch.context)
  local norm = adam:update(grads, { rate = 2e-5, clip = 1.0 })
  se.train.log { loss = value, norm = norm }
end
seconds = seconds + se.seconds() - began
rates[#rates + 1] = sgemm()

table.sort(rates)
local gflops = rates[math.floor((#rates + 1) / 2)]
local mflop = 6 * weights / 1e6
local rate = tokens / seconds
print(('%d weights in matrix products, %.0f MFLOP a token, %d threads, %s'):format(weights, mflop,
  se.threads(), se.isa()))
print(('products 2048x3072x768 in %s: median %.1f GFLOP/s of %d (%.1f to %.1f)'):format(
  cfg.precision, gflops, #rates, rates[1], rates[#rates]))
print(('training, batch %d: %.1f real tokens/s, %.2f s a step, %.2f of that rate'):format(
  cfg.batch, rate, seconds / (cfg.steps - 1), rate * mflop / 1e3 / gflops))
