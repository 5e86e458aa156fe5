-- What a run is, and on what it runs, for those who read its folder later: OUT/run.json, written
-- when the training begins and each time it goes on.
--
--   { command, folder (where it was typed), recipe, config, pairs, parameters, sessions = [ { after
--     (step), began (UTC), machine, cpu, cores, memory_gb, system, threads, isa, sembed } ] }

local core = require 'sembed.ffi'
local files = require 'sembed.files'
local json = require 'sembed.json'
local run = require 'sembed.run'

local C = core.C
local about = {}

-- The first line of a small file of the system; '' where there is none.
local function first_line(path)
  local file = io.open(path, 'rb')
  local line = file and file:read '*l' or ''
  if file then file:close() end
  return line
end

-- Linux tells its processors in /proc/cpuinfo and its memory in the first line of /proc/meminfo.
local function processors()
  local file, name, n = io.open('/proc/cpuinfo', 'rb'), nil, 0
  if not file then return nil, nil end
  for line in file:lines() do
    local key, value = line:match '^([^\t:]+)%s*: ?(.*)$'
    if key == 'processor' then n = n + 1 end
    if key == 'model name' then name = value end
  end
  file:close()
  return name, n > 0 and n or nil
end

-- This machine and program.
function about.machine()
  local cpu, cores = processors()
  local kilobytes = tonumber(first_line('/proc/meminfo'):match '(%d+) kB')
  return {
    machine = first_line '/proc/sys/kernel/hostname', cpu = cpu, cores = cores,
    memory_gb = kilobytes and math.floor(kilobytes * 1024 / 1e8 + 0.5) / 10,
    system = jit.os .. ' ' .. first_line '/proc/sys/kernel/osrelease' .. ' ' .. jit.arch,
    threads = C.se_threads(), isa = core.text(C.se_isa_used()), sembed = core.text(C.se_version()),
  }
end

local function parameters_of(model)
  if not (model and model.params) then return nil end
  local n = 0
  for _, p in ipairs(model.params) do
    local count = 1
    for _, size in ipairs(p:shape()) do count = count * size end
    n = n + count
  end
  return n
end

-- The run.json of a folder; nil where there is none that can be read.
function about.read(out)
  local path = out .. '/run.json'
  if not files.exists(path) then return nil end
  local ok, value = pcall(json.load, path, 'an object')
  return ok and value or nil
end

-- config: plain values; parts: model, data; after: the step that was the last one before.
function about.write(out, config, parts, after)
  local old = after > 0 and about.read(out)
  local sessions = old and type(old.sessions) == 'table' and old.sessions or {}
  local session = about.machine()
  session.after, session.began = after, os.date '!%Y-%m-%d %H:%M:%S'
  sessions[#sessions + 1] = session
  files.write(out .. '/run.json', json.encode({
    command = run.line(), folder = files.absolute '.', recipe = run.file, config = config,
    pairs = parts.data.count and parts.data:count(), parameters = parameters_of(parts.model),
    sessions = json.array(sessions),
  }, { indent = 2 }) .. '\n')
end

return about
