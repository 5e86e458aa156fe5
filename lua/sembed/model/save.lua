-- Writes a model folder that sentence-transformers of every version reads, its card included.

local files = require 'sembed.files'
local json = require 'sembed.json'
local safetensors = require 'sembed.safetensors'

local save = {}

local function pretty(value) return json.encode(value, { indent = 2 }) .. '\n' end

-- --- the card ---

local function table_of(values, heads)
  local keys, lines = {}, {}
  for key in pairs(values) do keys[#keys + 1] = key end
  table.sort(keys)
  lines[1] = ('| %s | %s |\n|---|---|'):format(heads[1], heads[2])
  for _, key in ipairs(keys) do
    local text = tostring(values[key]):gsub('|', '\\|'):gsub('\n', ' ')
    lines[#lines + 1] = ('| %s | %s |'):format(key, text)
  end
  return table.concat(lines, '\n') .. '\n'
end

local function module_text(m)
  if m.kind == 'Pooling' then
    return 'pooling: ' .. table.concat(m.modes, ', ')
      .. (m.include_prompt and '' or ' (the prompt left out)')
  end
  if m.kind == 'Dense' then
    return ('dense layer to %d numbers, %s'):format(m.dims,
      m.said.activation_function:match '([^.]+)$')
  end
  return m.kind == 'Normalize' and 'unit length' or 'layer norm'
end

-- model.card: data, parameters (a table), steps, seed, results (a table), each where known.
local function card_text(model)
  local c, card, lines = model.config, model.card or {}, {}
  local function add(text, ...)
    lines[#lines + 1] = select('#', ...) > 0 and text:format(...) or text
  end
  add '---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity'
  add 'tags:\n- sentence-transformers\n- feature-extraction\n- sentence-similarity\n---'
  add('# %s\n', card.title or 'A sentence encoder saved by sembed')
  add 'It maps a text to a vector; texts of like meaning have vectors of high cosine.\n'
  add '## Architecture\n'
  add('- %s: %d layers, hidden size %d, %d heads, feed-forward %d; %d parameters',
    c.model_type == 'bert' and 'BERT' or 'MPNet', c.num_hidden_layers, c.hidden_size,
    c.num_attention_heads, c.intermediate_size, model.params:count())
  for _, m in ipairs(model.modules) do add('- %s', module_text(m)) end
  add('- vectors of %d numbers; texts are cut to %d tokens\n', model.dims, model.length)
  add '## Use\n'
  add '```python\nfrom sentence_transformers import SentenceTransformer'
  add "model = SentenceTransformer('this folder')\nvectors = model.encode(['a text', 'another'])"
  add '```\n```\nsembed encode model=FOLDER in=TEXTS.jsonl field=text out=VECTORS.npy\n```\n'
  local quoted = {}
  for name, prompt in pairs(model.prompts) do
    if prompt ~= '' then quoted[name] = ('`%s`'):format(prompt) end
  end
  if next(quoted) then
    add '## Prompts\n'
    add(table_of(quoted, { 'name', 'put before a text' }))
  end
  if card.data or card.parameters or card.steps then
    add '## Training\n'
    if card.data then add('Data: %s\n', card.data) end
    if card.steps then
      local unfinished = card.of and card.of ~= card.steps
      add('Steps: %d%s%s\n', card.steps, unfinished and ' of ' .. card.of or '',
        card.seed and ('; seed %d'):format(card.seed) or '')
    end
    if card.parameters then add(table_of(card.parameters, { 'key', 'value' })) end
  end
  if card.results then
    add '## Results\n'
    add(table_of(card.results, { 'what', 'value' }))
  end
  return table.concat(lines, '\n') .. '\n'
end

function save.card(model, path) files.write(path .. '/README.md', card_text(model)) end

-- --- the folder ---

-- Names and tensors of the layers (with the pooler), or of a module.
local function write_weights(path, lists)
  local names, tensors = {}, {}
  for _, list in ipairs(lists) do
    for i, t in ipairs(list) do names[#names + 1], tensors[#tensors + 1] = list.names[i], t end
  end
  safetensors.save(path, names, tensors, { format = 'pt' })
end

local function place_of(i, m) return ('%d_%s'):format(i, m.kind) end

local function write_modules(model, path, add)
  local list = json.array { { idx = 0, name = '0', path = '',
    type = 'sentence_transformers.models.Transformer' } }
  for i, m in ipairs(model.modules) do
    local place = place_of(i, m)
    list[i + 1] = { idx = i, name = tostring(i), path = place,
      type = 'sentence_transformers.models.' .. m.kind }
    if m.config or m.params then files.make_folder(path .. '/' .. place) end
    if m.config then add(place .. '/config.json', pretty(m:config())) end
    if m.params then
      write_weights(('%s/%s/model.safetensors'):format(path, place), { m.params })
      add(place .. '/model.safetensors')
    end
  end
  add('modules.json', pretty(list))
end

local function write_all(model, path)
  local all = { 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt' }
  local function add(name, text)
    if text then files.write(path .. '/' .. name, text) end
    all[#all + 1] = name
  end
  files.make_folder(path)
  write_weights(path .. '/model.safetensors', { model.layer_params, model.kept })
  add 'model.safetensors'
  model.tokenizer:save(path, model.length)
  write_modules(model, path, add)
  local c = {}
  for key, value in pairs(model.config) do c[key] = value end
  c.transformers_version, c.torch_dtype, c.dtype = nil, 'float32', nil
  add('config.json', pretty(c))
  add('sentence_bert_config.json', pretty { max_seq_length = model.length, do_lower_case = false })
  add('config_sentence_transformers.json', pretty {
    prompts = model.prompts, default_prompt_name = model.default_prompt or json.null,
    similarity_fn_name = model.similarity or 'cosine',
  })
  add('README.md', card_text(model))
  table.sort(all)
  return all
end

-- Returns the names of its files. A new folder is there whole or not at all; one that is there
-- already (a save of a run, which has a whole of its own) is written into.
function save.folder(model, path)
  path = path:gsub('(.)/+$', '%1')
  if files.exists(path) then return write_all(model, path) end
  local part = path .. '.part'
  local all = write_all(model, part)
  for _, name in ipairs(all) do files.sync(part .. '/' .. name) end
  files.rename(part, path)
  return all
end

-- Takes the weights of a folder that the same model saved.
function save.restore(model, path)
  local function assign(file, lists)
    local weights = safetensors.open(file)
    for _, list in ipairs(lists) do
      for i, t in ipairs(list) do t:assign(weights:get(list.names[i])) end
    end
  end
  assign(path .. '/model.safetensors', { model.layer_params, model.kept })
  for i, m in ipairs(model.modules) do
    local file = ('%s/%s/model.safetensors'):format(path, place_of(i, m))
    if m.params then assign(file, { m.params }) end
  end
end

return save
