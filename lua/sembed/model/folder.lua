-- How model folders are read, as sentence-transformers of every version writes them: modules.json,
-- config.json, 1_Pooling/config.json, sentence_bert_config.json, ...

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local modules = require 'sembed.model.modules'
local run = require 'sembed.run'

local folder = {}

local function load_if_there(path, kind)
  if files.exists(path) then return json.load(path, kind or 'an object') end
end

-- --- reading ---

-- modules.json names classes by full path, of several versions of the library; the last word tells.
-- Gives the folder of the layers and a list of { kind, type, path } of what follows them.
local function modules_of(path)
  local where = path .. '/modules.json'
  local list, found = load_if_there(where, 'a list'), {}
  if not list then return path, { { kind = 'Pooling', type = 'Pooling', path = '' } } end
  for i, m in ipairs(list) do
    if type(m) ~= 'table' or type(m.type) ~= 'string' then
      fail.raise('%s: module %d has no "type"', where, i)
    end
    local at = type(m.path) == 'string' and m.path or ''
    if at:find('..', 1, true) or at:sub(1, 1) == '/' then
      fail.raise('%s: module %d: path "%s"; a folder within is wanted', where, i, at)
    end
    found[i] = { kind = m.type:match '([^.]+)$' or '?', type = m.type, path = at }
  end
  local first = table.remove(found, 1)
  if not first or first.kind ~= 'Transformer' then
    fail.raise('%s: module %s is not supported at place 1; Transformer is wanted', where,
      first and first.type or 'none')
  end
  return first.path == '' and path or path .. '/' .. first.path, found
end

-- model_type of config.json, and that file's name.
function folder.model_type(path)
  if not files.is_folder(path) then fail.raise('%s: no such model folder', path) end
  local where = modules_of(path) .. '/config.json'
  return json.load(where, 'an object').model_type, where
end

-- Some files put "mpnet." before names; BERT's first ones call the weights of norms otherwise.
local function other_names(name, prefix)
  local first = name:gsub('LayerNorm%.weight$', 'LayerNorm.gamma')
    :gsub('LayerNorm%.bias$', 'LayerNorm.beta')
  return { prefix .. '.' .. name, first, prefix .. '.' .. first }
end

-- take(name, dims): a tensor of the file, its sizes checked.
local function taker(weights, prefix)
  return function(name, dims)
    local full = name
    for _, other in ipairs(other_names(name, prefix)) do
      if not weights:has(full) then full = other end
    end
    if not weights:has(full) then full = name end
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

-- Versions and architectures had names of their own for this file.
local function length_of(at)
  local where
  for _, kind in ipairs { 'bert', 'roberta', 'distilbert', 'mpnet' } do
    where = ('%s/sentence_%s_config.json'):format(at, kind)
    if files.exists(where) then break end
  end
  local c = load_if_there(where) or {}
  local length = c.max_seq_length
  if length == json.null then length = nil end
  if length and not (type(length) == 'number' and length >= 2 and length % 1 == 0) then
    fail.raise('%s: max_seq_length is %s; a count from 2 on is wanted', where, tostring(length))
  end
  local task = c.transformer_task
  if task ~= nil and task ~= 'feature-extraction' then
    fail.raise('%s: transformer_task is %s; feature-extraction is wanted', where, tostring(task))
  end
  if c.do_lower_case == true then
    local said = load_if_there(at .. '/tokenizer_config.json') or {}
    if said.do_lower_case == false then
      fail.raise('%s: do_lower_case is not supported for a tokenizer that keeps case', where)
    end
  end
  return length
end

local function prompts_of(path)
  local where = path .. '/config_sentence_transformers.json'
  local c = load_if_there(where) or {}
  local prompts, default = {}, c.default_prompt_name
  if type(c.model_type) == 'string' and c.model_type ~= 'SentenceTransformer' then
    fail.raise('%s: model_type is "%s"; "SentenceTransformer" is wanted', where, c.model_type)
  end
  if c.prompts ~= nil and type(c.prompts) ~= 'table' then
    fail.raise('%s: "prompts": an object is wanted', where)
  end
  for name, prompt in pairs(c.prompts or {}) do
    if type(prompt) == 'string' then prompts[name] = prompt end
  end
  if default == json.null then default = nil end
  if default ~= nil and not prompts[default] then
    fail.raise('%s: default_prompt_name is %s; there is no such prompt', where, tostring(default))
  end
  local similarity = c.similarity_fn_name
  return prompts, default, type(similarity) == 'string' and similarity or nil
end

-- What a folder holds: path (of the layers), name, config, take, length (most tokens of a text),
-- modules, prompts, default_prompt (its name), similarity. check(config, file) gives the config.
function folder.open(path, prefix, check)
  path = run.path(path)
  if not files.is_folder(path) then fail.raise('%s: no such model folder', path) end
  local at, list = modules_of(path)
  local config = json.load(at .. '/config.json', 'an object')
  if config.model_type and config.model_type ~= prefix then
    fail.raise('%s/config.json: model_type is "%s"; "%s" is wanted', at, config.model_type, prefix)
  end
  config = check(config, at .. '/config.json')
  local length = length_of(at)
  local prompts, default, similarity = prompts_of(path)
  return {
    path = at, config = config, take = taker(require('sembed.weights').open(at), prefix),
    length = length,
    modules = modules.open(path, list, config.hidden_size), prompts = prompts,
    default_prompt = default, similarity = similarity,
    name = files.absolute(path):match '([^/]+)/*$' or path,
  }
end

-- What a fresh model has in place of a folder.
function folder.standard(size)
  return { modules = modules.standard(size, true), prompts = {}, name = 'model' }
end

return folder
