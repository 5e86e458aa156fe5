-- se.weights: one object over the files that a model folder may have.
local se = require 'sembed'
local check = require 'check'

local folder = check.folder()
local function at(name) return folder .. '/' .. name end

local a = se.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
local b = se.tensor({ 0.5, -2 }, 'bf16')
local ids = se.tensor({ 0, 1, 2 }, 'i32')

check.fails(function() se.weights.open(folder) end, folder .. ': no weights in this folder',
  'model.safetensors, model.safetensors.index.json')
check.fails(function() se.weights.open(at 'none') end, at 'none' .. ': no such model folder')

-- --- shards ---

local function index(text) check.write(at 'model.safetensors.index.json', text) end

se.safetensors.save(at 'model-1.safetensors', { 'a', 'ids' }, { a, ids })
se.safetensors.save(at 'model-2.safetensors', { 'b' }, { b })
index [[{"metadata": {"total_size": 40},
  "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors",
                 "ids": "model-1.safetensors"}}]]
local w = se.weights.open(folder)
check.equal(table.concat(w.names, ' '), 'a b ids', 'names')
check.equal(w.path, at 'model.safetensors.index.json', 'path')
check.ok(w:has 'a' and w:has 'ids' and not w:has 'c', 'has')
check.same(w:get 'a', a, 'a')
check.same(w:get 'b', b:cast 'f32', 'b')
check.equal(w:get('b'):dtype(), 'f32', 'bf16 is converted')
check.fails(function() w:get 'ids' end, at 'model-1.safetensors', "tensor 'ids': dtype I32")
check.fails(function() w:get 'aa' end, at 'model.safetensors.index.json',
  'unknown tensor "aa"; did you mean "a"?')
local kept = w:get 'a'
w:close()
check.same(kept, a, 'a tensor outlives its file')

for text, message in pairs {
  ['{}'] = 'no "weight_map"', ['[]'] = 'no "weight_map"', ['7'] = 'no "weight_map"',
  ['{"weight_map": {}}'] = 'no "weight_map"',
  ['{"weight_map": {"a": 1}}'] = 'no text but a number',
  ['{"weight_map": {"a": "../x/model-1.safetensors"}}'] = '"../x/model-1.safetensors"; the name',
  ['{"weight_map": {"a": "/etc/passwd"}}'] = 'the name of a file in this folder is wanted',
  ['{"weight_map": {"a": ".."}}'] = 'the name of a file in this folder is wanted',
  ['{"weight_map": {"a": ""}}'] = 'the name of a file in this folder is wanted',
  ['{"weight_map": {"a": "model-2.safetensors"}}'] = 'is said to be in model-2.safetensors',
  ['{"weight_map": {"a": "model-3.safetensors"}}'] = 'model-3.safetensors: cannot read',
  ['{"weight_map": {"a": "model-1.safetensors", "a": "model-2.safetensors"}}'] = 'duplicate',
  ['{"weight_map": '] = 'model.safetensors.index.json:1:',
  [('['):rep(1000000)] = 'model.safetensors.index.json:1:',
  ['{"weight_map": ' .. ('{"a":'):rep(100000) .. '1' .. ('}'):rep(100001)] = 'index.json:1:',
  ['{"weight_map": {"a": ' .. ('9'):rep(1000000) .. '}}'] = 'model.safetensors.index.json',
  ['{"weight_map": {"a": null}}'] = 'the name of a file in this folder is wanted',
} do
  index(text)
  check.fails(function() se.weights.open(folder) end, folder, message)
end

-- --- one file goes before shards ---

se.safetensors.save(at 'model.safetensors', { 'only' }, { a })
check.equal(table.concat(se.weights.open(folder).names, ' '), 'only', 'the file is preferred')

-- --- PyTorch's own format ---

local shards = se.weights.open(check.data 'torch_bin/sharded')
check.equal(table.concat(shards.names, ' '), 'a b ids', 'names of shards')
for name, t in pairs(se.safetensors.load(check.data 'torch_bin/expected_shards.safetensors')) do
  check.same(shards:get(name), t, name)
end
check.fails(function() shards:get 'ids' end, 'pytorch_model-00001-of-00002.bin: offset ',
  'dtype I64, weights are F32')

local other = check.folder()
check.write(other .. '/pytorch_model.bin', check.read(check.data 'torch_bin/kinds.bin'))
local kinds, n = se.weights.open(other), 0
for name, t in pairs(se.safetensors.load(check.data 'torch_bin/expected.safetensors')) do
  check.same(kinds:get(name), t, name)
  n = n + 1
end
check.equal(n, 23, 'tensors of each kind')
check.ok(kinds:has 'embeddings.position_ids', 'integers are listed')
check.write(other .. '/pytorch_model.bin', check.read(check.data 'torch_bin/script.bin'))
check.fails(function() se.weights.open(other) end,
  other .. '/pytorch_model.bin: offset 66: pickle:', 'nothing was called')

-- --- a folder in a folder that the shell named ---

se.run.keys.model = 'models/one'
check.equal(se.run.path 'models/one/0_T', 'models/one/0_T', 'below a given path')
check.equal(se.run.path 'models/oneself', se.run.folder .. '/models/oneself', 'beside a given path')
se.run.keys.model = nil

check.done()
