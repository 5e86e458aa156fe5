-- The program: sembed [-i] FILE|NAME [word|key=value]..., -e CODE, or the prompt. main.c calls this
-- with the arguments and ends with the status it returns.

local fail = require 'sembed.fail'
local host = require 'sembed.host'
local run = require 'sembed.run'

local USAGE = [[
usage: sembed [-i] FILE|NAME [word|key=value]...
       sembed -e CODE [word|key=value]...
       sembed [key=value]...

  FILE        a recipe: has a "/" or ends with .lua
  NAME        a recipe that comes with sembed: %s
  key=value   sets a key of the recipe, or the engine: device threads profile memory precision seed
              mpi
  word        reaches the recipe in order
  -i          stay at the prompt afterwards
  -e CODE     run CODE
  --help, --version; sembed NAME --help tells of a recipe, sembed help of everything else
Without FILE and CODE: a prompt. SEMBED_LUA=DIR takes the Lua library from DIR; SEMBED_TRACE=1 shows
where an error came from.
]]

-- --- recipes ---

local function read(path)
  local file, why = io.open(path, 'rb')
  if not file then fail.raise('%s', why) end
  local text, reason = file:read('*a')
  file:close()
  if not text then fail.raise('%s: %s', path, reason) end
  return text
end

local function exists(path)
  local file = io.open(path, 'rb')
  if file then file:close() end
  return file ~= nil
end

-- Where recipes lie as files: beside the library of SEMBED_LUA, in the source tree that the program
-- was built in, or installed.
local function recipe_folders()
  local _, self = host.facts()
  local list, bin = {}, self:match '^(.*)/[^/]*$' or '.'
  local library = os.getenv 'SEMBED_LUA'
  if library then list[1] = library .. '/../recipes' end
  list[#list + 1] = bin .. '/../recipes'
  list[#list + 1] = bin .. '/../share/sembed/recipes'
  return list
end

local function recipe_names()
  local names = {}
  for _, name in ipairs(host.embedded()) do
    names[#names + 1] = name:match '^recipes/(.*)%.lua$'
  end
  table.sort(names)
  return names
end

-- text, chunk name, folder of a recipe
local function find_recipe(name)
  if name:find('/', 1, true) or name:match '%.lua$' then
    return read(name), '@' .. name, name:match '^(.*)/[^/]*$' or '.'
  end
  for _, folder in ipairs(recipe_folders()) do
    local path = ('%s/%s.lua'):format(folder, name)
    if exists(path) then return read(path), ('@recipes/%s.lua'):format(name), folder end
  end
  local text = host.embedded('recipes/' .. name .. '.lua')
  if text then return text, ('@recipes/%s.lua'):format(name), '.' end
  return fail.raise('%s', fail.unknown('recipe', name, recipe_names()))
end

-- --- the command line ---

local function take_keys(args, from, job)
  for i = from, #args do
    local key, value = args[i]:match '^([%a_][%w_]*)=(.*)$'
    if job and (args[i] == '--help' or args[i] == '-h' or args[i] == 'help=true') then
      job.manual = true
    elseif not key then
      run.words[#run.words + 1] = args[i]
    else
      if not run.keys[key] then run.order[#run.order + 1] = key end
      run.keys[key] = value
    end
  end
end

local function parse(args)
  local job, i = {}, 1
  run.called = args[0] or run.called
  while args[i] and args[i]:sub(1, 1) == '-' do
    if args[i] == '-i' then
      job.stay = true
    elseif args[i] == '-e' then
      job.code = args[i + 1]
      if not job.code then fail.raise '-e: the code is missing' end
      take_keys(args, i + 2)
      return job
    elseif args[i] == '--help' or args[i] == '-h' then
      job.help = true
    elseif args[i] == '--version' then
      job.version = true
    else
      fail.raise('%s', fail.unknown('option', args[i], { '-i', '-e', '--help', '--version' }))
    end
    i = i + 1
  end
  if args[i] and args[i]:match '^[%a_][%w_]*=' then -- the prompt, with keys of the engine
    take_keys(args, i)
    return job
  end
  job.recipe = args[i]
  take_keys(args, i + 1, job)
  return job
end

-- --- running ---

local function load_job(job)
  if job.code then
    run.source, run.command = job.code, run.called .. ' -e ...'
    return assert(loadstring(job.seen and job.seen:source(job.code) or job.code, '=-e'))
  end
  local text, chunk, folder = find_recipe(job.recipe)
  run.source, run.file = text, job.recipe
  run.folder = require 'sembed.files'.absolute(folder)
  run.command = run.called .. ' ' .. job.recipe
  if job.manual then return run.print_manual end
  package.path = folder .. '/?.lua;' .. package.path
  text = text:gsub('^#[^\n]*', '') -- a recipe may be a script: #!/usr/bin/env sembed
  if job.seen then text = job.seen:source(text) end
  return assert(loadstring(text, chunk))
end

-- Keys that nobody asked for: the recipe has no se.config, or it is the prompt.
local function check_keys(who)
  if run.configured then return end
  local engine = require('sembed.config').engine
  for _, key in ipairs(run.order) do
    if engine[key] == nil then fail.raise('%s=%s: %s', key, run.keys[key], who) end
  end
end

local function show_profile()
  if not run.profile then return end
  local live, peak = require('sembed').memory()
  io.stderr:write(require('sembed').profile(),
    ('CPU time %.2f s, memory of tensors %.1f MB, at most %.1f MB\n'):format(os.clock(), live / 1e6,
      peak / 1e6))
end

local function work(job)
  require('sembed.config').engine_only()
  local chunk = load_job(job)
  if job.seen then job.seen.chunk = chunk end
  chunk(unpack(run.words))
  check_keys 'this recipe takes no keys (it has no se.config)'
  if package.loaded['sembed.train'] then require('sembed.train').abandon() end
  show_profile()
end

-- After an error or at the prompt: no step is open, no assign waits. A module whose loading was
-- interrupted can be loaded anew.
local function clean_up()
  local loaded = package.loaded
  for name, module in pairs(loaded) do
    local whole = type(module) == 'table' or type(module) == 'function'
    if name:match '^sembed' and not whole then loaded[name] = nil end
  end
  if loaded['sembed.ffi'] then loaded['sembed.ffi'].C.se_interrupt_defer(false) end
  if loaded['sembed.train'] then pcall(loaded['sembed.train'].abandon) end
  if loaded['sembed.tensor'] then loaded['sembed.tensor'].drop_pending() end
end

-- Writes what ended the run to standard error: of several processes one alone does.
local function tell(text)
  local shard = package.loaded['sembed.shard']
  if shard then text = shard.ending(text) end
  if text then host.tell(text .. '\n') end
end

local function status_of(problem)
  io.stdout:flush()
  local number = (host.facts())
  if fail.is_stop(problem) then
    tell(tostring(problem))
    return 128 + (number > 0 and number or 2)
  end
  local text = tostring(problem)
  local interrupted = number > 0 and text:match 'interrupted$'
  tell('sembed: ' .. (interrupted or text))
  return interrupted and 128 + number or 1
end

-- Reports what ended a recipe; the status to end with.
local function failed(problem)
  require('sembed.progress').finish()
  local train = package.loaded['sembed.train']
  if type(train) == 'table' then problem = train.what_stands(problem) end
  clean_up()
  return status_of(problem)
end

-- Runs the recipe, then the prompt.
local function stay(job)
  local seen = require('sembed.repl.seen').new()
  job.seen = seen
  require('sembed.repl.evaluate').prepare()
  local ok, problem = host.guarded(function() work(job) end,
    function(message) return seen:explain(message) end)
  if not ok then failed(problem) end
  seen.close()
  return require 'sembed.repl'(clean_up, seen)
end

-- A launcher of several processes tells so in the environment (core/shard/launch.c).
local function join_others(args)
  local force = false
  for _, word in ipairs(args) do force = force or word == 'mpi=true' or word == 'mpi=1' end
  for _, name in ipairs { 'OMPI_COMM_WORLD_SIZE', 'PMI_SIZE', 'PMIX_RANK', 'SLURM_STEP_ID' } do
    if force or os.getenv(name) then
      require('sembed.shard').start(force)
      return
    end
  end
end

-- The other processes learn how this one ended.
local function leave_others(status)
  local shard = package.loaded['sembed.shard']
  return type(shard) == 'table' and shard.finish(status) or status
end

local function main(args)
  run.program = select(2, host.facts())
  join_others(args)
  local job = parse(args)
  if job.help then
    io.write((USAGE:format(table.concat(recipe_names(), ', '))))
    return 0
  end
  if job.version then
    print('sembed ' .. require('sembed').version)
    return 0
  end
  local many = package.loaded['sembed.shard'] and require('sembed.shard').count > 1
  if many and (job.stay or not job.recipe and not job.code) then
    fail.raise 'the prompt is for one process: several were started'
  end
  if not job.recipe and not job.code then
    check_keys 'the prompt takes the keys of the engine alone (sembed --help)'
    require('sembed.config').engine_only()
    return require 'sembed.repl'(clean_up)
  end
  if job.stay then return stay(job) end
  local ok, problem = xpcall(function() work(job) end, fail.with_place)
  if ok then return 0 end
  return failed(problem)
end

return function(args)
  local ok, status = xpcall(function() return main(args) end, fail.with_place)
  if not ok then status = status_of(status) end
  return leave_others(status)
end
