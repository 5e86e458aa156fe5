-- What a person calls at the prompt beside the ops: time, who, show, profile, reload, and the
-- pictures plot, hist, heat.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local graph = require 'sembed.graph'

local C = core.C
local session = {}

local LONG, BUDGET, RUNS = 0.2, 0.5, 20 -- seconds of one run, of all; runs at most
local LINES = 100                       -- of a graph shown as text

local function callable(what, f)
  fail.unless(type(f) == 'function',
    '%s: a function is wanted: %s came; write %s(function() ... end)', what, type(f), what)
end

-- Calls f and computes the tensors that it gives.
local function run(f, ...)
  local wanted = {}
  local function sort_out(...)
    for i = 1, select('#', ...) do
      local value = (select(i, ...))
      if core.is_tensor(value) then wanted[#wanted + 1] = value end
    end
  end
  local start = C.se_seconds()
  sort_out(f(...))
  if wanted[1] then graph.eval(wanted) end
  return tonumber(C.se_seconds() - start)
end

local Timing = {}
Timing.__index = Timing
function Timing:__tostring()
  return ('%.4g s%s, at most %.1f MB more of tensors'):format(self.seconds,
    self.runs > 1 and (' (best of %d)'):format(self.runs) or '', self.bytes / 1e6)
end

-- time(f, ...): seconds of f(...) with the tensors it gives computed, the best of several runs when
-- they are short; and the bytes of tensors beyond those that were alive before.
-- Gives { seconds, runs, bytes }.
function session.time(f, ...)
  callable('time', f)
  local before = tonumber(C.se_memory_live())
  C.se_memory_peak_reset()
  local best = run(f, ...)
  local spent, runs = best, 1
  while best < LONG and spent < BUDGET and runs < RUNS do
    local seconds = run(f, ...)
    best, spent, runs = math.min(best, seconds), spent + seconds, runs + 1
  end
  local bytes = math.max(0, tonumber(C.se_memory_peak()) - before)
  return setmetatable({ seconds = best, runs = runs, bytes = bytes }, Timing)
end

-- profile(f, ...): runs f(...) once with the times of each op and recipe line taken, the slowest
-- first. Times taken so far (profile=true) are forgotten.
function session.profile(f, ...)
  callable('profile', f)
  C.se_profile_start()
  local seconds = run(f, ...)
  local text = C.se_profile_table()
  local lines = core.text(text)
  C.se_text_free(text)
  return ('%s%.4f s in all'):format(lines, seconds)
end

local function last_lines(text, n)
  local lines = {}
  for line in text:gmatch '[^\n]+' do lines[#lines + 1] = line end
  if #lines <= n then return table.concat(lines, '\n') end
  return ("... %d more before these; show(x, 'FILE.dot') writes all of them\n%s"):format(#lines - n,
    table.concat(lines, '\n', #lines - n + 1))
end

-- show(x): the graph behind a tensor, inputs first. show(x, 'dot') gives it as dot,
-- show(x, 'FILE.dot') writes that to a file.
function session.show(x, how)
  if not core.is_tensor(x) then return require('sembed.show').value(x) end
  if how == nil then return last_lines(x:graph(), LINES) end
  if how == 'dot' then return x:graph(true) end
  fail.unless(type(how) == 'string' and how:match '%.dot$',
    "show: 'dot' or a name that ends with .dot is wanted: %s came", tostring(how))
  local file, why = io.open(how, 'wb')
  if not file then fail.raise('show: %s', why) end
  local ok, reason = file:write(x:graph(true))
  file:close()
  if not ok then fail.raise('show: %s: %s', how, reason) end
  return 'written: ' .. how
end

-- who(): the tensors that the session's names lead to, the largest first, and the total.
function session.who() return (require('sembed.session.who').of(_G)()) end

-- Loads a module anew without losing state: reload 'sembed.loss.in_batch'.
function session.reload(name) return require('sembed.session.reload')(name) end

-- plot(y): y (a list of numbers, or a tensor with one axis) as a line; plot { loss = a, eval = b }
-- draws several, plot(y, 'loss.svg') into a file. ? se.plot tells of x, log and points.
function session.plot(...) return require('sembed.plot').plot(...) end

-- hist(x): how many of x's numbers lie where; hist(x, 'x.svg'). ? se.hist
function session.hist(...) return require('sembed.plot').hist(...) end

-- heat(m): a matrix as shaded cells; heat(m, 'm.svg'). ? se.heat
function session.heat(...) return require('sembed.plot').heat(...) end

-- The functions for a session whose names are in env.
function session.open(env)
  for _, name in ipairs { 'time', 'profile', 'show', 'reload', 'plot', 'hist', 'heat' } do
    rawset(env, name, session[name])
  end
  rawset(env, 'who', require('sembed.session.who').of(env))
end

return session
