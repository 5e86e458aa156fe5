-- The prompt: lines with editing and a history, several of them where the first is not complete;
-- a bare expression prints its value. Errors are one message and do not end it; Ctrl-C stops the
-- command, Ctrl-D leaves. Without a terminal: no prompt, and the first error ends it with status 1.

local core = require 'sembed.ffi'
local host = require 'sembed.host'

local HISTORY = os.getenv 'HOME' and os.getenv 'HOME' .. '/.sembed_history'

local function open_session()
  local se = require 'sembed'
  local env = setmetatable({ se = se, _G = _G }, { __index = _G })
  rawset(_G, 'se', se)
  require('sembed.session').open(env)
  return env
end

-- "local x = 1" stays known at the prompt: it is made a global of the session.
local function keep_locals(line)
  if line:match '^%s*local%s+function%s' then return (line:gsub('^%s*local%s+', '', 1)) end
  return (line:gsub('^%s*local%s+([%a_][%w_%s,]*=[^=])', '%1', 1))
end

-- A chunk; or nil and the message, and whether more lines could complete it.
local function compile(text)
  local chunk = loadstring('return ' .. text, '=prompt')
  if chunk then return chunk end
  local why
  chunk, why = loadstring(text, '=prompt')
  if chunk then return chunk end
  return nil, why, why:match "near '<eof>'$" ~= nil
end

local function print_values(...)
  local show = require 'sembed.show'
  for i = 1, select('#', ...) do
    local value = (select(i, ...))
    if value ~= nil then print(show.value(value)) end
  end
end

local function report(problem)
  io.stdout:flush()
  local text = tostring(problem)
  io.stderr:write(text:match 'interrupted$' or text, '\n')
end

local function evaluate(text, env)
  local silent = text:match ';%s*$' ~= nil
  local chunk, why = compile(keep_locals((text:gsub(';%s*$', ''))))
  if not chunk then return false, why end
  setfenv(chunk, env)
  jit.off(chunk, true) -- Ctrl-C stops loops of the interpreter, not compiled ones
  local results = { n = 0 }
  local ok, problem = xpcall(function()
    local function pack(...) results = { n = select('#', ...), ... } end
    pack(chunk())
    if not silent then print_values(unpack(results, 1, results.n)) end
  end, function(message) return message end)
  if ok and results.n > 0 then env._ = results[1] end
  return ok, problem
end

local function run_text(text, env, clean_up)
  core.C.se_interrupt_clear()
  local help = text:match '^%s*%?%s*(.-)%s*$'
  if help then
    print(require('sembed.help')(help, env))
    return true
  end
  local ok, problem = evaluate(text, env)
  if not ok then
    clean_up()
    report(problem)
  end
  return ok
end

-- Reads lines until they are a whole command; nil at the end of input, nil and true for one that
-- was dropped.
local function read_command(read)
  local text, dropped = read('> ')
  if not text then return nil, dropped end
  while not text:match '^%s*%?' do
    local chunk, _, incomplete = compile(keep_locals((text:gsub(';%s*$', ''))))
    if chunk or not incomplete then break end
    local more, stopped = read('>> ')
    if stopped then return nil, true end
    if not more then break end
    text = text .. '\n' .. more
  end
  return text
end

-- Ctrl-C while a line is typed drops what was typed: the line comes back as nil, and true.
local function type_line(prompt)
  core.C.se_interrupt_clear()
  core.C.se_interrupt_defer(true)
  local line = host.read_line(prompt)
  core.C.se_interrupt_defer(false)
  if not core.C.se_interrupted() then return line end
  core.C.se_interrupt_clear()
  print()
  return nil, true
end

local function from_terminal(env, clean_up)
  print(('sembed %s   %s, %d threads'):format(env.se.version, core.text(core.C.se_isa_used()),
    core.C.se_threads()))
  print '? for help, Ctrl-D to leave'
  if HISTORY then host.history('read', HISTORY) end
  while true do
    local text, dropped = read_command(type_line)
    if not text and not dropped then break end
    if text and text:match '%S' then
      host.history('add', text)
      if HISTORY then host.history('write', HISTORY) end
      run_text(text, env, clean_up)
    end
  end
  print()
  return 0
end

local function from_pipe(env, clean_up)
  local function read() return io.read '*l' end
  while true do
    local text = read_command(read)
    if not text then return 0 end
    if text:match '%S' and not run_text(text, env, clean_up) then return 1 end
  end
end

return function(clean_up)
  local env = open_session()
  return (host.is_terminal(0) and from_terminal or from_pipe)(env, clean_up)
end
