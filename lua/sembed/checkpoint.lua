-- Saves of a run in its folder OUT (core/io/checkpoint.h): OUT/save-STEP/ holds the model folder,
-- optimizer.safetensors, run.json (step, position in the data, random state, config, length of the
-- log) and the recipe's text; OUT/last names the newest, OUT/best that of the step with the best
-- value; the model's files stand in OUT itself, too.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local lock = require 'sembed.lock'
local random = require 'sembed.random'
local run = require 'sembed.run'
local safetensors = require 'sembed.safetensors'
local shard = require 'sembed.shard'
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

-- A folder that is this run's alone and can be written into, or an error before any step is
-- computed.
local function take(out)
  files.make_folder(out)
  lock.take(out)
  files.write(out .. '/probe', '')
  files.remove(out .. '/probe')
end

local function prepare(out, resume)
  fail.unless(resume == '' or resume == 'auto', 'resume=%s: auto is what there is', resume)
  take(out)
  local log = out .. '/log.jsonl'
  local path, state = checkpoint.last(out)
  if resume == 'auto' then
    if not path and files.exists(log) then files.cut(log, 0) end
    return path
  end
  if path and state.finished then
    io.stderr:write(('%s holds a finished run: it is now %s\n'):format(out, files.aside(out)))
    take(out)
  elseif path or files.exists(log) then
    local line = path and state.command:gsub(' resume=auto', '') .. ' resume=auto'
    fail.raise('%s holds an unfinished run: go on with\n  %s\nor take another out=', out,
      line or run.line { resume = 'auto' })
  end
end

-- A run's folder has a log or a save. Gives the save to go on from, or nil for a fresh start.
function checkpoint.prepare(out, resume)
  local path = shard.told('the folder of the run', function() return prepare(out, resume) or '' end)
  if path == '' then return end
  fail.unless(files.exists(path), '%s is not to be seen by every process: out= has to be in a '
    .. 'folder that all of them share', path)
  return path, json.load(path .. '/run.json')
end

-- What an error leaves: the newest whole save, and how to go on.
function checkpoint.what_stands(out)
  local looked, path = pcall(checkpoint.last, out)
  return looked and path and ('the save before it is whole: ' .. path) or 'nothing was saved yet',
    run.line { resume = 'auto' }
end

-- Calls f(...), which writes into a run's folder. The message of an error tells, too, what stands
-- and how to go on.
function checkpoint.guard(out, f, ...)
  local ok, result = pcall(f, ...)
  if ok then return result end
  local told = type(result) == 'string' and not result:match 'interrupted$'
  if not out or not told then error(result, 0) end
  error(('%s\n%s; when that is mended, go on with\n  %s'):format(result,
    checkpoint.what_stands(out)), 0)
end

-- --- saving ---

-- What of a config JSON can hold.
function checkpoint.plain(cfg)
  local copy = {}
  for key, value in pairs(cfg) do
    local kind = type(value)
    if kind == 'table' then
      copy[key] = #value > 0 and table.concat(value, ',') or nil
    elseif kind == 'number' or kind == 'string' or kind == 'boolean' then
      copy[key] = value
    end
  end
  return copy
end

-- What the card in the model's folder tells of the run; results are the recipe's to fill.
local function fill_card(model, cfg, step)
  local card, parameters = model.card or {}, checkpoint.plain(cfg)
  -- What the card tells elsewhere, or what changes no number.
  for _, key in ipairs { 'out', 'resume', 'save', 'dry', 'eval', 'evaluate', 'sts', 'profile',
    'memory', 'threads', 'device', 'data', 'test', 'steps', 'seed', 'layers',
    'hidden', 'heads', 'inner', 'vocab', 'keep', 'best', 'tokens', 'columns' } do
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

-- Writes all of a save into its folder; gives the model's files.
local function write_save(path, step, cfg, parts, state)
  local linked = {}
  if parts.model then
    fill_card(parts.model, cfg, step)
    linked = parts.model:save(path)
  end
  if parts.optimizer then
    local names, tensors = parts.optimizer:state()
    safetensors.save(path .. '/optimizer.safetensors', names, tensors)
  end
  files.write(path .. '/recipe.lua', run.source)
  local all = {
    step = step, data = parts.data and parts.data:state(), random = random.state(),
    files = json.array(linked), config = checkpoint.plain(cfg), command = run.line(),
  }
  for key, value in pairs(state) do all[key] = value end
  files.write(path .. '/run.json', json.encode(all, { indent = 2 }) .. '\n')
  return linked
end

local function write_and_commit(out, step, cfg, parts, state, best)
  if C.se_shard_index() > 0 then return write_save(out .. '/save', step, cfg, parts, state) end
  core.check(C.se_save_begin(out, step, path_box))
  local path = take_path()
  local ok, linked = pcall(write_save, path, step, cfg, parts, state)
  if not ok then
    C.se_folder_remove(path) -- what there is of it may be what fills the disk
    error(linked, 0)
  end
  core.check(C.se_save_commit(out, step, #linked, c_strings(linked), rawget(cfg, 'keep') or 1,
    best or false, path_box))
  return take_path()
end

-- parts: model, optimizer (both optional), data. state: what else run.json holds (finished,
-- log_bytes, elapsed, best). best: this save is the best. Everything is computed first, so the
-- save is the state after a whole step.
function checkpoint.save(out, step, cfg, parts, state, best)
  tensor.eval()
  return (checkpoint.guard(out, write_and_commit, out, step, cfg, parts, state, best))
end

-- --- going on ---

-- Keys that change no number of a run.
local quiet = { out = true, resume = true, save = true, keep = true, threads = true, memory = true,
  profile = true, eval = true, evaluate = true, dry = true }

-- A run that goes on with other keys, or another recipe, is told so.
local function tell_changes(cfg, path, old)
  local now, names = checkpoint.plain(cfg), {}
  for key in pairs(now) do names[#names + 1] = key end
  table.sort(names)
  for _, key in ipairs(names) do
    if old[key] ~= nil and now[key] ~= old[key] and not quiet[key] then
      io.stderr:write(('going on with %s=%s; it was %s\n'):format(key, tostring(now[key]),
        tostring(old[key])))
    end
  end
  local recipe = path .. '/recipe.lua'
  if files.exists(recipe) and files.read(recipe) ~= run.source then
    io.stderr:write(('going on with another text of the recipe; it was %s\n'):format(recipe))
  end
end

-- What a crash between a save and its links left undone is done.
local function heal(out, state)
  if C.se_shard_index() > 0 then return end
  local linked = state.files or {}
  core.check(C.se_save_link(out, #linked, c_strings(linked)))
  if state.best and state.best.step == state.step then core.check(C.se_save_best(out)) end
end

function checkpoint.restore(out, path, state, cfg, parts)
  fail.unless(state.step <= cfg.steps, 'steps=%s: the run in %s is at step %d', tostring(cfg.steps),
    out, state.step)
  tell_changes(cfg, path, state.config or {})
  checkpoint.guard(out, heal, out, state)
  if parts.model then parts.model:restore(path) end
  if parts.optimizer then
    local file = safetensors.open(path .. '/optimizer.safetensors')
    parts.optimizer:restore(function(name) return file:get(name) end)
  end
  tensor.eval()
  if parts.data and state.data then parts.data:restore(state.data) end
  if state.random then random.restore(state.random) end
end

return checkpoint
