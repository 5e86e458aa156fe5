-- Saves of a run in its folder OUT (core/io/checkpoint.h): OUT/save-STEP/ holds the model folder,
-- optimizer.safetensors, run.json (step, position in the data, config, length of the log) and the
-- recipe's text; OUT/last names the newest; the model's files stand in OUT itself, too.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local run = require 'sembed.run'
local safetensors = require 'sembed.safetensors'
local tensor = require 'sembed.tensor'

local C = core.C
local checkpoint = {}

local path_box, step_box = core.new 'char *[1]', core.new 'int64_t[1]'
local strings = core.typeof 'const char *[?]'

local function take_path()
  local path = path_box[0] ~= nil and core.text(path_box[0]) or nil
  C.se_io_free(path_box[0])
  return path
end

local function c_strings(list)
  local array = strings(math.max(#list, 1))
  for i, s in ipairs(list) do array[i - 1] = s end
  return array
end

-- The newest save's folder and what its run.json says; nil where there is none.
function checkpoint.last(out)
  core.check(C.se_save_last(out, path_box, step_box))
  local path = take_path()
  if not path then return end
  return path, json.load(path .. '/run.json')
end

-- --- the folder at the start of a run ---

-- A run's folder has a log or a save. Gives the save to go on from, or nil for a fresh start.
function checkpoint.prepare(out, resume)
  fail.unless(resume == '' or resume == 'auto', 'resume=%s: auto is what there is', resume)
  local log = out .. '/log.jsonl'
  local path, state
  if files.exists(out) then path, state = checkpoint.last(out) end
  if resume == 'auto' then
    if not path and files.exists(log) then files.cut(log, 0) end
    files.make_folder(out)
    return path, state
  end
  if path and state.finished then
    io.stderr:write(('%s holds a finished run: it is now %s\n'):format(out, files.aside(out)))
  elseif path or files.exists(log) then
    local line = path and state.command:gsub(' resume=auto', '') .. ' resume=auto'
    fail.raise('%s holds an unfinished run: go on with\n  %s\nor take another out=', out,
      line or run.line { resume = 'auto' })
  end
  files.make_folder(out)
end

-- --- saving ---

-- What of a config JSON can hold.
function checkpoint.plain(cfg)
  local copy = {}
  for key, value in pairs(cfg) do
    local kind = type(value)
    if kind == 'number' or kind == 'string' or kind == 'boolean' then copy[key] = value end
  end
  return copy
end

-- What the card in the model's folder tells of the run; results are the recipe's to fill.
local function fill_card(model, cfg, step)
  local card, parameters = model.card or {}, checkpoint.plain(cfg)
  -- What the card tells elsewhere, or what changes no number.
  for _, key in ipairs { 'out', 'resume', 'save', 'dry', 'eval', 'evaluate', 'sts', 'profile',
    'memory', 'threads', 'device', 'data', 'test', 'steps', 'seed', 'layers',
    'hidden', 'heads', 'inner', 'vocab' } do
    parameters[key] = nil
  end
  if parameters.weights ~= '' then parameters.dropout = model.config.hidden_dropout_prob end
  for key, value in pairs(parameters) do
    if value == '' then parameters[key] = nil end
  end
  local data = rawget(cfg, 'data')
  card.title = card.title or 'A sentence encoder trained with sembed'
  card.data = card.data or type(data) == 'table' and table.concat(data, ', ') or data
  card.parameters, card.steps, card.of = parameters, step, rawget(cfg, 'steps')
  card.seed = rawget(cfg, 'seed') or 1
  model.card = card
end

-- parts: model, optimizer (both optional), data. Everything is computed first, so the save is the
-- state after a whole step.
function checkpoint.save(out, step, cfg, parts, finished, log_bytes)
  tensor.eval()
  core.check(C.se_save_begin(out, step, path_box))
  local path, linked = take_path(), {}
  if parts.model then
    fill_card(parts.model, cfg, step)
    linked = parts.model:save(path)
  end
  if parts.optimizer then
    local names, tensors = parts.optimizer:state()
    safetensors.save(path .. '/optimizer.safetensors', names, tensors)
  end
  files.write(path .. '/recipe.lua', run.source)
  files.write(path .. '/run.json', json.encode({
    step = step, finished = finished, data = parts.data and parts.data:state(),
    log_bytes = log_bytes, config = checkpoint.plain(cfg), command = run.line(),
  }, { indent = 2 }) .. '\n')
  core.check(C.se_save_commit(out, step, #linked, c_strings(linked), rawget(cfg, 'keep') or 1,
    path_box))
  return take_path()
end

-- --- going on ---

local function assign_all(path, names, tensors)
  local file = safetensors.open(path)
  for i, name in ipairs(names) do tensor.assign(tensors[i], file:get(name)) end
end

-- Keys that decide what a step computes: a run that goes on with others is told so.
local function tell_changes(cfg, old)
  for _, key in ipairs { 'seed', 'batch', 'lr', 'steps', 'warmup', 'length', 'scale' } do
    local now, was = rawget(cfg, key), old and old[key]
    if was ~= nil and now ~= nil and now ~= was then
      io.stderr:write(('going on with %s=%s; it was %s\n'):format(key, tostring(now),
        tostring(was)))
    end
  end
end

function checkpoint.restore(path, state, cfg, parts)
  local model = parts.model
  if model then model:restore(path) end
  if parts.optimizer then
    assign_all(path .. '/optimizer.safetensors', parts.optimizer:state())
  end
  tensor.eval()
  if parts.data and state.data then parts.data:restore(state.data) end
  tell_changes(cfg, state.config)
end

return checkpoint
