-- require 'sembed': ops by their names, and the modules below, each loaded at its first use.

local modules = {
  -- Texts and pairs of texts, read from files.
  data = {
    comments = function() return require 'sembed.data.comments' end,
    lines = function() return require 'sembed.data.lines' end,
    markdown = function() return require 'sembed.data.markdown' end,
    mixture = function() return require 'sembed.data.mixture' end,
    pairs = function() return require 'sembed.data.pairs' end,
    texts = function() return require 'sembed.data.texts' end,
    tokens = function() return require 'sembed.data.tokens' end,
  },
  -- Losses: functions of vectors that give a number.
  loss = {
    cosent = function() return require 'sembed.loss.cosent' end,
    cosine_mse = function() return require 'sembed.loss.cosine_mse' end,
    in_batch = function() return require 'sembed.loss.in_batch' end,
    margin_mse = function() return require 'sembed.loss.margin_mse' end,
    matryoshka = function() return require 'sembed.loss.matryoshka' end,
    same = function() return require('sembed.loss.options').same end,
    scale = function() return require 'sembed.loss.scale' end,
    triplet = function() return require 'sembed.loss.triplet' end,
    vector_mse = function() return require 'sembed.loss.vector_mse' end,
  },
  -- Sentence encoders, from folders or from fresh weights.
  model = {
    bert = function() return require 'sembed.model.bert' end,
    folder = function() return require 'sembed.model.folder' end,
    mpnet = function() return require 'sembed.model.mpnet' end,
    open = function() return require 'sembed.model.open' end,
  },
  -- Optimizers: what a step does with the gradients.
  optim = {
    adamw = function() return require 'sembed.optim.adamw' end,
    ema = function() return require 'sembed.optim.ema' end,
    sgd = function() return require 'sembed.optim.sgd' end,
  },
  -- The parts of a job that turns texts into a file of vectors, as recipes/encode.lua puts them
  -- together.
  vectors = {
    calibrate = function() return require 'sembed.vectors.calibrate' end,
    chunks = function() return require 'sembed.vectors.chunks' end,
    create = function() return require 'sembed.vectors.writer' end,
    formats = function() return require 'sembed.vectors.formats' end,
    facts = function() return require 'sembed.vectors.facts' end,
    options = function() return require 'sembed.vectors.options' end,
    tokens = function() return require 'sembed.vectors.tokens' end,
  },
  einsum = function() return require 'sembed.einsum' end,
  evaluate = function() return require 'sembed.evaluate' end,
  files = function() return require 'sembed.files' end,
  help = function() return require 'sembed.help' end,
  heat = function() return require('sembed.plot').heat end,
  hist = function() return require('sembed.plot').hist end,
  hub = function() return require 'sembed.hub' end,
  json = function() return require 'sembed.json' end,
  nn = function() return require 'sembed.nn' end,
  npy = function() return require 'sembed.npy' end,
  op = function() return require 'sembed.op' end,
  pca = function() return require 'sembed.pca' end,
  plot = function() return require('sembed.plot').plot end,
  precision = function() return require 'sembed.precision' end,
  quantize = function() return require 'sembed.quantize' end,
  progress = function() return require 'sembed.progress' end,
  random = function() return require 'sembed.random' end,
  report = function() return require 'sembed.report' end,
  run = function() return require 'sembed.run' end,
  safetensors = function() return require 'sembed.safetensors' end,
  schedule = function() return require 'sembed.schedule' end,
  search = function() return require 'sembed.search' end,
  serve = function() return require 'sembed.serve' end,
  session = function() return require 'sembed.session' end,
  shard = function() return require 'sembed.shard' end,
  show = function() return require 'sembed.show' end,
  text = function() return require 'sembed.text' end,
  tokenizer = function() return require 'sembed.tokenizer' end,
  train = function() return require 'sembed.train' end,
  weights = function() return require 'sembed.weights' end,
}

-- A table whose members are loaded when they are first asked for.
local function namespace(loaders, self)
  return setmetatable(self, {
    loaders = loaders, -- for those who ask which names there are
    __index = function(_, key)
      local load = loaders[key]
      if not load then
        local fail, known = require 'sembed.fail', {}
        for name in pairs(loaders) do known[#known + 1] = name end
        for name in pairs(self) do known[#known + 1] = name end
        fail.raise('sembed: %s', fail.unknown('name', key, known))
      end
      local value = type(load) == 'table' and namespace(load, {}) or load()
      rawset(self, key, value)
      return value
    end,
  })
end

local core = require 'sembed.ffi'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local se = {}
for name, f in pairs(op.functions) do se[name] = f end
for _, name in ipairs { 'zeros', 'ones', 'full', 'eval', 'grad', 'assign', 'keep', 'guard', 'scope',
  'vary', 'allclose', 'array_equal', 'is_close', 'masked_select',
  'meshgrid', 'nonzero', 'arange', 'chunk', 'flatten', 'full_like', 'ones_like',
  'repeat_interleave', 'unbind', 'zeros_like' } do
  se[name] = tensor[name]
end
se.tensor, se.is_tensor = tensor.make, tensor.is
se.split, se.unique = tensor.methods.split, tensor.methods.unique

-- A recipe's options, which the shell may set as key=value: local cfg, given = se.config { batch =
-- 256, out = 'runs' }. The default's type is the key's type; an unknown key is refused with the
-- nearest name. presets = { NAME = { batch = 64 } } are chosen by preset=NAME. given[key] is true
-- for what came from the shell.
function se.config(defaults) return require('sembed.config').read(defaults) end

-- Bytes of tensors now live, and the most there have been; the limit is memory=SIZE.
function se.memory()
  return tonumber(core.C.se_memory_live()), tonumber(core.C.se_memory_peak())
end

-- What the engine counted: nodes and handles alive, the last program's nodes, bytes and seconds.
function se.stats()
  local box, stats = core.new 'se_stats', {}
  core.C.se_stats_read(box)
  for _, key in ipairs { 'nodes_alive', 'handles_alive', 'arena_bytes', 'plan_nodes',
    'plan_arena_bytes', 'plan_seconds', 'run_seconds' } do
    stats[key] = tonumber(box[key])
  end
  return stats
end

-- Time, calls and rate (GFLOP/s of products, GB/s of the rest) of each op and recipe line so far,
-- as text (profile=true).
function se.profile()
  local text = core.C.se_profile_table()
  local lines = core.text(text)
  core.C.se_text_free(text)
  return lines
end

-- Seconds of a clock that only goes forward, from some moment in the past.
function se.seconds() return tonumber(core.C.se_seconds()) end

-- How many threads compute.
function se.threads() return core.C.se_threads() end

-- The instruction set in use: 'portable', 'avx2' or 'avx512'.
function se.isa() return core.text(core.C.se_isa_used()) end

-- GFLOP/s of products (m x k) (k x n) with all threads, the best within `seconds`, in f32 or
-- another precision ('bf16', 'int8': there with weights that are packed before).
function se.gemm_rate(m, n, k, seconds, precision)
  local number = require('sembed.precision').number(precision or 'f32')
  return tonumber(core.C.se_gemm_rate(number, m, n, k, seconds or 1))
end

se.version = core.text(core.C.se_version())

return namespace(modules, se)
