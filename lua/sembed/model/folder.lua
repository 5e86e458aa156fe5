-- Model folders as sentence-transformers has them, read and written (shared names and layouts:
-- modules.json, config.json, 1_Pooling/config.json, sentence_bert_config.json, ...).

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local run = require 'sembed.run'
local safetensors = require 'sembed.safetensors'

local folder = {}

local function load_if_there(path, kind)
  if files.exists(path) then return json.load(path, kind or 'an object') end
end

-- --- reading ---

-- modules.json names classes by full path, of several versions of the library; the last word tells.
local function modules_of(path)
  local list, found = load_if_there(path .. '/modules.json', 'a list'), {}
  if not list then return { Transformer = '', Pooling = false, Normalize = false } end
  for _, m in ipairs(list) do
    local kind = (m.type or ''):match '([^.]+)$' or '?'
    if kind ~= 'Transformer' and kind ~= 'Pooling' and kind ~= 'Normalize' then
      fail.raise('%s/modules.json: module %s is not supported', path, tostring(m.type))
    end
    found[kind] = m.path or ''
  end
  return found
end

local function check_pooling(path, modules)
  if not modules.Pooling then return end
  local name = ('%s/%s/config.json'):format(path, modules.Pooling)
  local c = load_if_there(name)
  if not c then return end
  if c.pooling_mode and c.pooling_mode ~= 'mean' then
    fail.raise('%s: pooling mode %s is not supported', name, tostring(c.pooling_mode))
  end
  for key, value in pairs(c) do
    if value == true and key:match '^pooling_mode_' and key ~= 'pooling_mode_mean_tokens' then
      fail.raise('%s: %s is not supported', name, key)
    end
  end
end

-- take(name, dims): a tensor of the file, its sizes checked. Some files put "mpnet." before names.
local function taker(weights, prefix)
  return function(name, dims)
    local full = name
    if not weights:has(name) and weights:has(prefix .. '.' .. name) then
      full = prefix .. '.' .. name
    end
    if not weights:has(full) and name:match '^pooler%.' then
      -- No vector depends on the pooler; a file without one is whole.
      return (require('sembed.tensor').zeros(dims))
    end
    local t = weights:get(full)
    local got = table.concat(t:shape(), ',')
    if got ~= table.concat(dims, ',') then
      fail.raise('%s: tensor %s has the shape [%s]; config.json makes it [%s]', weights.path, full,
        got, table.concat(dims, ','))
    end
    return t
  end
end

-- The most tokens of a text, by sentence_bert_config.json; 0 where it says none.
function folder.length(path)
  local sentence = load_if_there(run.path(path) .. '/sentence_bert_config.json') or {}
  return type(sentence.max_seq_length) == 'number' and sentence.max_seq_length or 0
end

-- What a folder holds: path, config, take, length (most tokens of a text), normalize.
function folder.open(path, prefix)
  path = run.path(path)
  if not files.is_folder(path) then fail.raise('%s: no such model folder', path) end
  local modules = modules_of(path)
  local at = (modules.Transformer or '') == '' and path or path .. '/' .. modules.Transformer
  check_pooling(path, modules)
  local config = json.load(at .. '/config.json', 'an object')
  if config.model_type and config.model_type ~= prefix then
    fail.raise('%s/config.json: model_type is "%s"; "%s" is wanted', at, config.model_type, prefix)
  end
  local weights = require('sembed.weights').open(at)
  local sentence = load_if_there(at .. '/sentence_bert_config.json') or {}
  local length = sentence.max_seq_length
  return {
    path = at, config = config, take = taker(weights, prefix),
    length = type(length) == 'number' and length or nil,
    normalize = modules.Normalize and true or false,
  }
end

-- --- writing ---

local function modules_text(normalize)
  local list = {}
  for i, m in ipairs { { '', 'Transformer' }, { '1_Pooling', 'Pooling' },
    normalize and { '2_Normalize', 'Normalize' } or nil } do
    list[i] = { idx = i - 1, name = tostring(i - 1), path = m[1],
      type = 'sentence_transformers.models.' .. m[2] }
  end
  return json.encode(list, { indent = 2 })
end

local function readme(model)
  local c = model.config
  return ([[
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# A sentence encoder trained with sembed

MPNet: %d layers, hidden size %d, %d heads; mean of the tokens%s; texts are cut to %d tokens.

```python
from sentence_transformers import SentenceTransformer
model = SentenceTransformer('this folder')
vectors = model.encode(['a text', 'another'])
```
]]):format(c.num_hidden_layers, c.hidden_size, c.num_attention_heads,
    model.normalize and ', then unit length' or '', model.length)
end

local function config_text(config)
  local c = { transformers_version = nil, torch_dtype = 'float32' }
  for key, value in pairs(config) do c[key] = value end
  return json.encode(c, { indent = 2 })
end

-- Writes the whole folder; returns the names of its files.
function folder.save(model, path)
  files.make_folder(path)
  files.make_folder(path .. '/1_Pooling')
  local names, tensors = {}, {}
  for _, list in ipairs { model.params, model.kept } do
    for i, t in ipairs(list) do names[#names + 1], tensors[#tensors + 1] = list.names[i], t end
  end
  safetensors.save(path .. '/model.safetensors', names, tensors)
  model.tokenizer:save(path, model.length)
  local written = {
    ['config.json'] = config_text(model.config),
    ['modules.json'] = modules_text(model.normalize),
    ['1_Pooling/config.json'] = json.encode({
      word_embedding_dimension = model.config.hidden_size, pooling_mode_cls_token = false,
      pooling_mode_mean_tokens = true, pooling_mode_max_tokens = false,
      pooling_mode_mean_sqrt_len_tokens = false,
    }, { indent = 2 }),
    ['sentence_bert_config.json'] = json.encode(
      { max_seq_length = model.length, do_lower_case = false }, { indent = 2 }),
    ['config_sentence_transformers.json'] = json.encode(
      { prompts = {}, similarity_fn_name = 'cosine' }, { indent = 2 }),
    ['README.md'] = readme(model),
  }
  local all = { 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json',
    'special_tokens_map.json', 'vocab.txt' }
  for name, text in pairs(written) do
    files.write(path .. '/' .. name, text .. (text:sub(-1) == '\n' and '' or '\n'))
    all[#all + 1] = name
  end
  table.sort(all)
  return all
end

return folder
