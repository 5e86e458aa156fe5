-- The weights of a model folder, whatever files hold them:
--
--   local weights = se.weights.open 'FOLDER'
--   weights.names, weights:has(name)  all tensors there are, integers (position_ids) included
--   weights:get(name)                 f32: the mapped file itself where it holds f32; f16, bf16 and
--                                     f64 are converted; other types are an error
--   weights.path                      the file, or the index of several, for messages
--   weights:close()                   lets go of the files; tensors made from them live on

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local safetensors = require 'sembed.safetensors'
local torch_bin = require 'sembed.torch_bin'

local weights = {}
local Weights = {}
Weights.__index = Weights

-- A shard's name comes from a file that somebody else wrote: it may only lead to a neighbour.
local function check_shard(index, name, file)
  if type(file) ~= 'string' or file == '' or file:find '[/%z]' or file == '.' or file == '..' then
    fail.raise('%s: tensor "%s" is said to be in %s; the name of a file in this folder is wanted',
      index, name, type(file) == 'string' and '"' .. file .. '"' or 'no text but a ' .. type(file))
  end
end

-- { "weight_map": { tensor: file } }; every file is opened and has to hold what is said of it.
local function open_shards(folder, index, open)
  local map = json.load(index)
  map = type(map) == 'table' and map.weight_map
  if type(map) ~= 'table' or next(map) == nil then
    fail.raise('%s: no "weight_map"; an object of tensor names and file names is wanted', index)
  end
  local names, of, shards = {}, {}, {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local file = map[name]
    check_shard(index, name, file)
    shards[file] = shards[file] or open(folder .. '/' .. file)
    of[name] = shards[file]
    if not of[name]:has(name) then
      fail.raise('%s: tensor "%s" is said to be in %s; it is not', index, name, file)
    end
  end
  return names, of
end

-- In the order in which they are looked for.
local forms = {
  { name = 'model.safetensors', open = safetensors.open },
  { name = 'model.safetensors.index.json', open = safetensors.open, sharded = true },
  { name = 'pytorch_model.bin', open = torch_bin.open },
  { name = 'pytorch_model.bin.index.json', open = torch_bin.open, sharded = true },
}

local function find_form(folder)
  local wanted = {}
  for i, form in ipairs(forms) do
    if files.exists(folder .. '/' .. form.name) then return form end
    wanted[i] = form.name
  end
  if not files.is_folder(folder) then fail.raise('%s: no such model folder', folder) end
  return fail.raise('%s: no weights in this folder; one of %s is wanted', folder,
    table.concat(wanted, ', '))
end

-- Opens a folder, which is relative to the recipe: model.safetensors or pytorch_model.bin, whole or
-- in parts; where there is neither, an error says what was looked for.
function weights.open(folder)
  folder = require('sembed.run').path(folder)
  local form = find_form(folder)
  local self = setmetatable({ path = folder .. '/' .. form.name }, Weights)
  if form.sharded then
    self.names, self.of = open_shards(folder, self.path, form.open)
  else
    local file = form.open(self.path)
    self.names, self.of = file.names, {}
    for _, name in ipairs(file.names) do self.of[name] = file end
  end
  return self
end

-- true where there is a tensor of that name.
function Weights:has(name) return self.of[name] ~= nil end

-- A tensor by its name as f32; an error with the nearest name where there is none.
function Weights:get(name)
  local file = self.of[name]
  if not file then fail.raise('%s: %s', self.path, fail.unknown('tensor', name, self.names)) end
  return (file:weight(name))
end

-- Lets go of the files; tensors made from them live on.
function Weights:close()
  self.names, self.of = {}, {}
end

return weights
