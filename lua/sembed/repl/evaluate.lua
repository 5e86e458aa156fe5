-- Runs what was typed: values are shown, `_` is the last one, Ctrl-C stops it, an error is one
-- message with its place and leaves the locals of the frame that failed in `frame`.

local commands = require 'sembed.repl.commands'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local host = require 'sembed.host'
local near = require 'sembed.repl.near'

local evaluate = {}

-- --- code that Ctrl-C can stop ---

-- LuaJIT's compiled loops do not look at hooks, so Ctrl-C cannot stop them. In a session at a
-- terminal, code that is not the library's runs in the interpreter: what is typed, and the
-- functions of files. The library's own loops end. (bench/README.md has what this costs.)
local function stoppable()
  local function quiet(chunk, why)
    if type(chunk) == 'function' then jit.off(chunk, true) end
    return chunk, why
  end
  for _, name in ipairs { 'load', 'loadfile', 'loadstring' } do
    local plain = _G[name]
    _G[name] = function(...) return quiet(plain(...)) end
  end
  function _G.dofile(path)
    local chunk, why = loadfile(path)
    if not chunk then error(why, 2) end
    return chunk()
  end
  for i = 3, 4 do -- 1: preloaded, 2: the library (loader.lua), then files of Lua, modules of C
    local plain = package.loaders[i]
    package.loaders[i] = function(...) return quiet(plain(...)) end
  end
end

local prepared = false

-- For a session, before anything is run in it.
function evaluate.prepare()
  if not prepared and host.is_terminal(0) then stoppable() end
  prepared = true
  local limit = tonumber(core.C.se_memory_limit_now())
  host.memory_most(limit > 0 and limit or math.huge)
end

-- --- frames ---

local MOST = 60 -- frames looked at
local WIDE = 70 -- bytes shown of a local

-- The level of the first frame that is neither the library's nor C's, as the caller counts.
local function failing_level()
  for level = 2, MOST do
    local info = debug.getinfo(level, 'Sl')
    if not info then return end
    if info.currentline > 0 and info.source:sub(1, 7) ~= '=sembed' then return level - 1, info end
  end
end

-- What `frame` shows: a line each, not all that a table holds.
local Frame = {}

local function brief(value)
  local text = require('sembed.show').value(value, 3):gsub('%s+', ' ')
  return #text > WIDE and text:sub(1, WIDE - 3) .. '...' or text
end

function Frame:__tostring()
  local lines = {}
  for name, value in pairs(self) do lines[#lines + 1] = ('%s = %s'):format(name, brief(value)) end
  table.sort(lines)
  return table.concat(lines, '\n')
end

-- The locals of a level as a table; names alone, too, since a local may be nil.
function evaluate.locals(level)
  local values, names = {}, {}
  for i = 1, 250 do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    if name:match '^[%a_]' then values[name], names[name] = value, true end
  end
  return values, names
end

local function source_line(source, n, unit)
  local i, text = 0, source == '=prompt' and unit or nil
  if not text and source:sub(1, 1) == '@' then
    local file = io.open(source:sub(2), 'rb')
    text = file and file:read '*a'
    if file then file:close() end
  end
  for line in ((text or '') .. '\n'):gmatch '(.-)\n' do
    i = i + 1
    if i == n then return line end
  end
end

local function is_memory(message)
  return message:match 'not enough memory' or message:match 'out of memory'
end

-- The message of an error as it is being raised, with the nearest name; and the frame's locals,
-- nil at the prompt's own level and where memory is short. `unit`: the text of the command, or nil.
function evaluate.explain(message, env, unit)
  message = fail.with_place(message)
  local level, info = failing_level()
  if not level or is_memory(tostring(message)) then return message end
  local frame
  if info.source ~= '=prompt' or info.what ~= 'main' then
    frame = setmetatable(evaluate.locals(level), Frame)
  end
  if type(message) ~= 'string' then return message, frame end
  local look_up, names = near.scope(level, env)
  local line = source_line(info.source, info.currentline, unit)
  local ok, better = pcall(near.complete, message, line, look_up, names)
  return ok and better or message, frame
end

-- --- running ---

local function show_values(...)
  local show = require 'sembed.show'
  for i = 1, select('#', ...) do
    local value = (select(i, ...))
    if value ~= nil then print(show.value(value)) end
  end
end

-- A bare name, or a path of names, that leads to nothing.
local function look_for_name(session, command)
  local env = session.env
  local function look_up(name) return env[name] end
  if command.name then
    if session.declared[command.name] then return end
    fail.raise('%s', fail.unknown('name', command.name, near.keys(env)))
  end
  local path = command.text:match '^%s*([%a_][%w_]*%.[%w_.]*[%w_])%s*$'
  local found = path and near.of_path(path, look_up, {})
  if found then io.stderr:write(('nil; did you mean "%s"?\n'):format(found)) end
end

local function run_command(session, command)
  local env = session.env
  local function take(...)
    if not command.silent then show_values(...) end
    if select('#', ...) > 0 then env._ = (...) end
    if select('#', ...) == 1 and (...) == nil then look_for_name(session, command) end
  end
  setfenv(command.chunk, env)
  for name in pairs(command.declared) do session.declared[name] = true end
  if command.shows then return take(select(2, command.chunk())) end
  take(command.chunk())
end

-- session: { env, declared = {}, stoppable }. Gives true; or false and the problem.
function evaluate.run(session, unit)
  local bad = commands.bad_bytes(unit)
  if bad then return false, 'prompt: ' .. bad end
  local list, why = commands.of(unit)
  if not list then return false, why end
  local frame
  local ok, problem = host.guarded(function()
    for _, command in ipairs(list) do
      if session.stoppable then jit.off(command.chunk, true) end
      run_command(session, command)
    end
  end, function(message)
    local text
    text, frame = evaluate.explain(message, session.env, unit)
    return text
  end)
  if frame then rawset(session.env, 'frame', frame) end
  return ok, problem
end

return evaluate
