-- The prompt: what is typed is run, a bare expression prints its value. Errors are one message and
-- do not end it; Ctrl-C stops the command, Ctrl-D leaves. Without a terminal: no prompt, and the
-- first error ends it with status 1.
--
--   repl/line.lua, keys.lua, places.lua, screen.lua, history.lua    typing
--   repl/complete.lua                                               what Tab offers
--   repl/tokens.lua, commands.lua, evaluate.lua, near.lua           running what was typed

local commands = require 'sembed.repl.commands'
local core = require 'sembed.ffi'
local evaluate = require 'sembed.repl.evaluate'
local host = require 'sembed.host'

local C = core.C
local LONG = 0.5     -- seconds of a command after which its time is told
local LONGEST = 1000 -- bytes of a message
local TERM = 15      -- the signal that ends a process

local function colored(stream)
  local no = os.getenv 'NO_COLOR'
  local plain = (no and no ~= '') or os.getenv 'TERM' == 'dumb' or not host.is_terminal(stream)
  return function(code, text)
    return plain and text or ('\27[%sm%s\27[0m'):format(code, text)
  end
end

-- known: what the recipe of -i left (repl/seen.lua), or nil
local function open_session(known, at_terminal)
  local se = require 'sembed'
  local env = setmetatable({ se = se, _G = _G }, { __index = _G })
  rawset(_G, 'se', se)
  require('sembed.session').open(env)
  local session = { env = env, declared = {}, stoppable = at_terminal, told = colored(2) }
  if known then
    for name in pairs(known.names or {}) do
      env[name], session.declared[name] = known.values[name], true
    end
    env.frame = known.frame
  end
  evaluate.prepare()
  return session
end

-- --- commands ---

local function report(session, problem)
  io.stdout:flush()
  local text = tostring(problem)
  text = text:match 'interrupted$' or text
  if text == 'not enough memory' then
    text = ("out of memory: Lua's own values may take %.1f MB"):format(host.memory_most() / 1e6)
  end
  if #text > LONGEST then
    text = text:sub(1, LONGEST / 2) .. ' ... ' .. text:sub(-LONGEST / 2)
  end
  io.stderr:write(session.told('31', text), '\n')
end

local function help(session, topic)
  return pcall(function() print(require('sembed.help')(topic, session.env)) end)
end

local function shell(command)
  io.stdout:flush()
  local status = os.execute(command)
  if status == 0 then return true end
  return false, ('%s: status %d'):format(command, status > 255 and status / 256 or status)
end

local function run(session, text)
  local topic, command = text:match '^%s*%?%s*(.-)%s*$', text:match '^%s*!%s*(.*)$'
  if topic then return help(session, topic) end
  if command then return shell(command) end
  return evaluate.run(session, text)
end

-- Runs one unit: what was typed until it was whole.
local function run_unit(session, text, clean_up)
  C.se_interrupt_clear()
  -- LuaJIT does not collect when memory is short.
  if collectgarbage 'count' * 1024 > host.memory_most() / 2 then collectgarbage() end
  local ok, problem = run(session, text)
  if not ok then
    clean_up()
    C.se_interrupt_defer(true)
    report(session, problem)
  end
  return ok
end

local function is_whole(text)
  if text:match '^%s*[%?!]' then return true end
  local list, _, incomplete = commands.of(text)
  return list ~= nil or not incomplete
end

-- --- at a terminal ---

local function timed(session, text, clean_up)
  local start, before = C.se_seconds(), tonumber(C.se_memory_peak())
  C.se_memory_peak_reset()
  run_unit(session, text, clean_up)
  local seconds, peak = tonumber(C.se_seconds() - start), tonumber(C.se_memory_peak())
  if seconds > LONG then
    print(('%.1f s, tensors at most %.1f MB'):format(seconds, peak / 1e6))
  end
  core.peak = math.max(core.peak or 0, before, peak) -- who() tells the most of the session
end

local function type_units(session)
  local home, line = os.getenv 'HOME', require 'sembed.repl.line'
  local color = colored(1)
  local history = require('sembed.repl.history').open(home and home .. '/.sembed_history')
  local editor = line.new {
    history = history, whole = is_whole,
    color = function(text) return color('1', text) end,
    complete = function(before)
      return require('sembed.repl.complete').at(before, session.env)
    end,
  }
  return function()
    local text, why = editor:read()
    if text and text:match '%S' then
      local problem = history:add(text)
      if problem then io.stderr:write(problem, '\n') end
    end
    return text, why
  end
end

-- Where the terminal knows no more than a typewriter.
local function typewriter()
  return function()
    local text
    repeat
      io.write(text and '>> ' or '> ')
      io.flush()
      local more = host.read_line()
      if not more then
        print()
        return nil, C.se_interrupted() and 'dropped' or 'end'
      end
      text = text and text .. '\n' .. more or more
    until is_whole(text)
    return text
  end
end

-- The status to end with when a signal ended the reading; nil where none did.
local function stopped()
  return C.se_interrupted() and 128 + (host.facts()) or nil
end

local function from_terminal(session, clean_up)
  print(('sembed %s   %s, %d threads'):format(session.env.se.version, core.text(C.se_isa_used()),
    C.se_threads()))
  print '? for help, Ctrl-D to leave'
  local terminal = os.getenv 'TERM'
  local plain = not terminal or terminal == 'dumb' or not host.is_terminal(1)
  local read = plain and typewriter() or type_units(session)
  while true do
    C.se_interrupt_clear()
    local text, why = read()
    if why == 'end' then return 0 end
    if why == 'dropped' and stopped() == 128 + TERM then return stopped() end
    if text and text:match '%S' then timed(session, text, clean_up) end
  end
end

-- --- from a pipe or file ---

local function from_pipe(session, clean_up)
  while true do
    local text = host.read_line()
    if not text then return stopped() or 0 end
    while not is_whole(text) do
      local more = host.read_line()
      if not more then break end
      text = text .. '\n' .. more
    end
    if text:match '%S' and not run_unit(session, text, clean_up) then return 1 end
  end
end

return function(clean_up, known)
  local at_terminal = host.is_terminal(0)
  C.se_interrupt_defer(true)
  local session = open_session(known, at_terminal)
  local loop = at_terminal and from_terminal or from_pipe
  return loop(session, clean_up)
end
