-- What a job is made of: facts that must be the same for rows to belong into one file.

local core = require 'sembed.ffi'
local files = require 'sembed.files'

-- A file's facts: where it is, its size, its last change.
local function add_file(facts, key, path)
  if path == '-' then
    facts[key] = 'standard input'
    return
  end
  facts[key] = files.absolute(path)
  facts[key .. ' (bytes)'] = files.size(path)
  facts[key .. ' (changed)'] = files.time(path)
end

-- The files of a model folder, and of its modules' folders, that decide about vectors.
local function add_model(facts, path, within)
  if not files.is_folder(path) then return end
  within = within or ''
  for _, name in ipairs(files.list(path)) do
    local module = within == '' and name:match '^%d+_'
    if module then add_model(facts, path .. '/' .. name, name .. '/') end
    if name:match '%.safetensors$' or name:match '%.bin$' or name:match '%.json$'
      or name == 'vocab.txt' then
      add_file(facts, 'model/' .. within .. name, path .. '/' .. name)
    end
  end
end

-- cfg: the keys of `sembed encode`; inputs: paths of the texts.
return function(cfg, inputs)
  local facts = { sembed = require('sembed').version, isa = core.text(core.C.se_isa_used()),
    model = cfg.model, inputs = #inputs,
    precision = require('sembed.precision').now }
  add_model(facts, cfg.model)
  for i, path in ipairs(inputs) do add_file(facts, ('in, file %d'):format(i), path) end
  for i, path in ipairs(cfg.calibrate) do
    add_file(facts, ('calibrate, file %d'):format(i), path)
  end
  if cfg.ranges ~= '' then add_file(facts, 'ranges', cfg.ranges) end
  for _, key in ipairs { 'in_format', 'field', 'column', 'header', 'out_format', 'output', 'dims',
    'normalize', 'prompt', 'prompt_name', 'length', 'tokens' } do
    facts[key] = cfg[key]
  end
  return facts
end
