-- A run's folder as a report wants it: its log, and what run.json and the last save tell.
--
--   { name, folder, notes (of what is odd about the log), steps (the numbers of the steps),
--     values = { name = list, as long as steps; NaN: not there }, names (sorted),
--     evaluations = { { step = , values = {}, seconds = } }, failure = { step, error, batch },
--     elapsed (seconds, all sessions), config, command, where, sessions, finished, of (steps) }

local about = require 'sembed.train.about'
local clean = require 'sembed.plot.clean'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'

local NAN = 0 / 0

-- --- where the log is ---

local function runs_within(folder)
  local names = {}
  for _, name in ipairs(files.list(folder)) do
    if files.exists(('%s/%s/log.jsonl'):format(folder, name)) then names[#names + 1] = name end
  end
  return names
end

local function no_log(folder)
  local within = runs_within(folder)
  fail.unless(#within == 0, '%s is no run\'s folder: there is no log.jsonl in it; %s %s', folder,
    #within == 1 and 'a run in it is' or 'runs in it are', table.concat(within, ', '))
  fail.raise('%s is no run\'s folder: no log.jsonl in it; a training with out=%s writes it',
    folder, folder)
end

local function folder_of(path)
  local folder = path:gsub('([^/])/+$', '%1')
  if folder:match 'log%.jsonl$' and not files.is_folder(folder) then
    folder = files.folder_of(folder)
  end
  fail.unless(files.exists(folder), '%s: no such folder', path)
  fail.unless(files.is_folder(folder), '%s is a file: the folder of a run is wanted', path)
  if not files.exists(folder .. '/log.jsonl') then no_log(folder) end
  return folder
end

-- --- the log ---

local function number(value)
  if type(value) == 'number' then return value end
  return type(value) == 'string' and tonumber(value) or NAN -- "nan", "inf"
end

local function add_step(run, record)
  local n, step = #run.steps, record.step
  if n > 0 and step <= run.steps[n] then
    run.again = run.again or step
    while n > 0 and run.steps[n] >= step do -- the later line is what was gone on with
      run.steps[n] = nil
      n = n - 1
    end
  end
  n = n + 1
  run.steps[n] = step
  for key, value in pairs(record) do
    local kind = type(value)
    if key ~= 'step' and (kind == 'number' or kind == 'string') then
      run.values[key] = run.values[key] or {}
      run.values[key][n] = number(value)
    end
  end
end

local function add_evaluation(run, record)
  local list, values = run.evaluations, {}
  for name, value in pairs(record.evaluation) do values[name] = number(value) end
  while list[#list] and list[#list].step >= record.step do list[#list] = nil end
  list[#list + 1] = { step = record.step, values = values, seconds = record.seconds }
end

local function add(run, record)
  if type(record.step) ~= 'number' then return false end
  if record.error ~= nil then
    run.failure = { step = record.step, error = tostring(record.error), batch = record.batch }
  elseif type(record.evaluation) == 'table' then
    add_evaluation(run, record)
  else
    run.failure = nil
    add_step(run, record)
  end
  return true
end

local function read_log(run, path)
  local text, at, line, broken, first = files.read(path), 1, 0, 0, nil
  while at <= #text do
    local stop = text:find('\n', at, true)
    line = line + 1
    if not stop then
      run.notes[#run.notes + 1] = ('the log ends within line %d, which is left out'):format(line)
      break
    end
    local ok, record = pcall(json.parse, text:sub(at, stop - 1), path)
    if not (ok and type(record) == 'table' and add(run, record)) then
      broken, first = broken + 1, first or line
    end
    at = stop + 1
  end
  if broken > 0 then
    fail.unless(#run.steps + #run.evaluations > 0, '%s:%d: no line of a run\'s log', path, first)
    run.notes[#run.notes + 1] = ('%d line%s of the log cannot be read, the first is line %d')
      :format(broken, broken == 1 and '' or 's', first)
  end
  fail.unless(#run.steps + #run.evaluations > 0 or run.failure,
    '%s is empty: no step of this run has ended yet', path)
  if run.again then
    run.notes[#run.notes + 1] = ('step %d is there again: what came before it is taken for undone')
      :format(run.again)
  end
end

-- Columns as long as the steps; the seconds of all sessions.
local function finish(run)
  run.names = {}
  for name, list in pairs(run.values) do
    run.names[#run.names + 1] = name
    for i = 1, #run.steps do list[i] = list[i] or NAN end
    for i = #run.steps + 1, table.maxn(list) do list[i] = nil end
  end
  table.sort(run.names)
  local total, last = 0, 0
  for _, seconds in ipairs(run.values.elapsed or {}) do
    if seconds < last then total = total + last end
    last = seconds == seconds and seconds or last
  end
  run.elapsed = total + last
end

-- --- what else the folder tells ---

local function object(value) return type(value) == 'table' and value or {} end

local function last_save(folder)
  local ok, path, state = pcall(require('sembed.checkpoint').last, folder)
  if ok and path then return path, object(state) end
end

local function read_facts(run)
  local facts, path, state = object(about.read(run.folder)), last_save(run.folder)
  state = state or {}
  run.config = object(facts.config or state.config)
  run.command = facts.command or state.command
  run.where, run.sessions = facts.folder, object(facts.sessions)
  run.pairs, run.parameters = tonumber(facts.pairs), tonumber(facts.parameters)
  run.of = tonumber(run.config.steps)
  run.last = run.steps[#run.steps] or 0
  run.finished = run.of ~= nil and run.last >= run.of and not run.failure
  run.saved = path and tonumber(state.step)
end

-- The run in a folder (or of a log.jsonl in it).
return function(path)
  local folder = folder_of(path)
  local name = files.absolute(folder):match '([^/]+)$' or folder
  local run = { name = clean(name), folder = folder, notes = {}, steps = {}, values = {},
    evaluations = {} }
  read_log(run, folder .. '/log.jsonl')
  finish(run)
  read_facts(run)
  return run
end
