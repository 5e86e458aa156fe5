-- tests/data/modules: folders as sentence-transformers 6 and older versions write them, with every
-- pooling mode, dense layers and prompts, against its vectors in float64; what is not supported is
-- named; a saved model is the same model.
local se = require 'sembed'
local check = require 'check'

local data = check.data 'modules'
local expected = se.json.load(data .. '/expected.json')
local texts = expected.texts

-- A case and the BERT that all cases share, in one folder.
local function copy(from, to)
  for _, name in ipairs(se.files.list(from)) do
    if se.files.is_folder(from .. '/' .. name) then
      se.files.make_folder(to .. '/' .. name)
      copy(from .. '/' .. name, to .. '/' .. name)
    else
      check.write(to .. '/' .. name, check.read(from .. '/' .. name))
    end
  end
end

local function assemble(case)
  local folder = check.folder()
  copy(data .. '/bert', folder)
  if case then copy(data .. '/' .. case, folder) end
  return folder
end

-- f32 next to float64: 2e-6 of the largest number; more where few numbers are made longer.
local function near(got, wanted, what, allowed)
  local want = se.tensor(wanted)
  check.near(got, want, (allowed or 2e-6) * math.max(1, want:abs():max():item()), what)
end

local names = {}
for name in pairs(expected.cases) do names[#names + 1] = name end
table.sort(names)
check.equal(#names, 35, 'cases')
for _, name in ipairs(names) do
  local case, folder = expected.cases[name], assemble(name)
  local model = se.model.open(folder)
  local all = model:encode(texts)
  check.equal(model.length, name:match '_old$' and 24 or 32, name .. ': length')
  check.equal(model.dims, #case.plain[1], name .. ': dims')
  near(all, case.plain, name)
  near(model:encode(texts, { dims = 4, normalize = true }), case.dims4, name .. ': 4 dims', 1e-5)
  if case.passage then
    near(model:encode(texts, { prompt_name = 'passage' }), case.passage, name .. ': passage')
    near(model:encode(texts, { prompt = 'passage: ' }), case.passage, name .. ': a prompt')
    near(model:encode(texts, { prompt = '' }), case.none, name .. ': no prompt')
    check.fails(function() model:encode(texts, { prompt_name = 'qury' }) end,
      'unknown prompt "qury"; did you mean "query"?')
  end
  for i = 1, #texts do
    check.same(model:encode { texts[i] }, all:rows(i, i), name .. ': alone')
  end
  -- Saved and opened again; a new folder, and one that is there.
  local saved = folder .. '/saved'
  for _ = 1, 2 do
    local files = model:save(saved)
    for _, file in ipairs(files) do check.ok(se.files.exists(saved .. '/' .. file), file) end
    check.ok(not se.files.exists(saved .. '.part'), 'a part is left')
    check.same(se.model.open(saved):encode(texts), all, name .. ': saved')
  end
  for _, p in ipairs(model.params) do p:assign(p * 0) end
  check.ok(model:encode(texts):bytes() ~= all:bytes(), '%s: other weights', name)
  model:restore(saved)
  check.same(model:encode(texts), all, name .. ': taken back')
end

-- Unit length, asked for or forbidden.
local unit = se.model.open(assemble 'normalize_new')
near(unit:encode(texts, { normalize = false }), expected.cases.mean_new.plain, 'not normalised')
near(se.model.open(assemble 'mean_new'):encode(texts, { normalize = true }),
  expected.cases.normalize_new.plain, 'normalised')
-- A folder without modules.json, and one text.
local plain = se.model.open(assemble())
near(plain:encode(texts), expected.cases.mean_new.plain, 'no modules.json')
check.equal(#plain:encode('a'):shape(), 1, 'one text')
check.fails(function() plain:encode(texts, { dims = 17 }) end, 'dims=17', '1 to 16')

-- Names of tensors as other programs write them.
local odd, names_of, tensors = assemble(), {}, {}
for name, t in pairs(se.safetensors.load(odd .. '/model.safetensors')) do
  if not name:match '^pooler' then
    name = name:gsub('LayerNorm%.weight', 'LayerNorm.gamma'):gsub('LayerNorm%.bias',
      'LayerNorm.beta')
    names_of[#names_of + 1], tensors[#tensors + 1] = 'bert.' .. name, t
  end
end
se.safetensors.save(odd .. '/other', names_of, tensors)
se.files.rename(odd .. '/other', odd .. '/model.safetensors')
check.same(se.model.open(odd):encode(texts), plain:encode(texts), 'other names')

-- Activations: PyTorch's values in float64.
local x = se.tensor { -3, -1, -0.5, 0, 0.5, 1, 3 }
for name, values in pairs {
  gelu_new = { -0.00363739208, -0.15880800939, -0.15428599017, 0, 0.34571400983, 0.84119199061,
    2.99636260792 },
  silu = { -0.14227761953, -0.26894142137, -0.18877033440, 0, 0.31122966560, 0.73105857863,
    2.85772238047 },
  relu = { 0, 0, 0, 0, 0.5, 1, 3 },
} do
  check.near(se.nn.activations[name](x), se.tensor(values), 3e-7, name)
end

-- --- training ---

-- The loss falls along each weight's gradient as fast as the gradient says (central differences).
for _, name in ipairs { 'dense_many_new', 'all_old_order_new' } do
  local model = se.model.open(assemble(name))
  local packed = model.tokenizer:pack(texts, model.length)
  local function loss() return (model:vectors(packed):square():sum() / 100) end
  local grads = se.grad(loss(), model.params)
  for i, p in ipairs(model.params) do
    local g = grads[i]
    local whole = (g * g):sum():item()
    if not model.params.names[i]:match 'key%.bias$' then
      local old, step = p + 0, 2e-3 / math.sqrt(whole)
      se.eval(old)
      p:assign(old + g * step)
      local up = loss():item()
      p:assign(old - g * step)
      local down = loss():item()
      p:assign(old)
      -- f32 sums of a step that is small enough: 1.4 % at the worst.
      check.near((up - down) / (2 * step) / whole, 1, 0.03, name .. ' ' .. model.params.names[i])
    end
  end
end

-- --- what is not supported is named ---

local function broken(case, file, from, to, ...)
  local folder = assemble(case)
  local text = check.read(folder .. '/' .. file)
  local at = text:find(from, 1, true)
  check.ok(at, '%s: no %s', file, from)
  check.write(folder .. '/' .. file, text:sub(1, at - 1) .. to .. text:sub(at + #from))
  check.fails(function() se.model.open(folder) end, file, ...)
end

broken('dense_new', 'modules.json', 'dense.Dense', 'cnn.CNN', 'cnn.CNN', 'not supported')
broken('dense_new', 'modules.json', '1_Pooling', '../1_Pooling', '../1_Pooling')
broken('mean_new', '1_Pooling/config.json', '"mean"', '"meen"', 'did you mean "mean"')
broken('mean_old', '1_Pooling/config.json', '_lasttoken": false', '_median": true',
  'pooling_mode_median')
broken('dense_new', '2_Dense/config.json', 'Tanh', 'Hardshrink', 'Hardshrink', 'not supported')
broken('dense_new', '2_Dense/config.json', '16', '17', 'in_features is 17', '16 numbers')
broken('dense_new', '2_Dense/config.json', 'true', 'true, "use_residual": true', 'use_residual')
broken('dense_new', '2_Dense/config.json', '"sentence_embedding"', '"token_embeddings"',
  'module_input_name')
broken('mean_new', 'sentence_bert_config.json', 'feature-extraction', 'fill-mask', 'fill-mask')
broken('mean_new', 'config_sentence_transformers.json', '"SentenceTransformer"', '"CrossEncoder"',
  'CrossEncoder')
broken(nil, 'config.json', '"bert"', '"t5"', '"t5"', 'bert and mpnet')
broken(nil, 'config.json', '"gelu"', '"selu"', 'hidden_act', 'gelu_new')
broken('prompt_mean_new', 'config_sentence_transformers.json', '"query",', '"other",',
  'default_prompt_name')

-- --- the card ---

local model = se.model.open(assemble 'prompt_mean_new')
model.card = { data = 'some talk', steps = 7, seed = 3, parameters = { lr = 0.002 },
  results = { ['1-of-100, after'] = '50 %' } }
local folder = check.folder() .. '/card'
model:save(folder)
local card = check.read(folder .. '/README.md')
for _, part in ipairs { 'BERT: 2 layers', 'some talk', 'Steps: 7; seed 3', '| lr | 0.002 |',
  '| 1-of-100, after | 50 % |', 'library_name: sentence-transformers', '`query: `',
  '(the prompt left out)' } do
  check.ok(card:find(part, 1, true), 'the card lacks "%s"', part)
end
check.done()
