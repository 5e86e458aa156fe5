-- One line that tells how far a job is: overwritten in place on a terminal, else a plain line now
-- and then, so that a log file holds no carriage returns.

local ok, host = pcall(require, 'sembed.host')

local progress = {}

local EVERY = 10          -- seconds between two plain lines
local EVERY_TERMINAL = 0.1

local terminal = ok and host.is_terminal(2) or false
local last_time, shown = nil, 0

local function seconds() return tonumber(require('sembed.ffi').C.se_seconds()) end

local function write_over(line)
  local blank = math.max(0, shown - #line)
  io.stderr:write('\r', line, (' '):rep(blank), ('\b'):rep(blank))
  io.stderr:flush()
  shown = #line
end

-- Shows the line if the last one is long enough ago, or `now` is set.
function progress.line(line, now)
  local t = seconds()
  local pause = terminal and EVERY_TERMINAL or EVERY
  if not now and last_time and t - last_time < pause then return end
  last_time = t
  if terminal then
    write_over(line)
  else
    io.stderr:write(line, '\n')
    io.stderr:flush()
  end
end

-- Shown on a terminal, and nowhere else: for jobs that are silent in a pipe.
function progress.on_terminal(format, ...)
  if terminal then progress.line(format:format(...)) end
end

local first_time

-- Shows the line for jobs that may be over at once: nothing in the first moments.
function progress.show(format, ...)
  local t = seconds()
  first_time = first_time or t
  if t - first_time > (terminal and 0.5 or EVERY) then progress.line(format:format(...)) end
end

-- Leaves the line as it is and goes to the next one.
function progress.finish()
  if terminal and shown > 0 then io.stderr:write '\n' end
  shown, last_time, first_time = 0, nil, nil
end

-- Takes the line away.
function progress.clear()
  if terminal and shown > 0 then
    write_over('')
    io.stderr:write '\r'
  end
  shown, last_time, first_time = 0, nil, nil
end

-- Seconds as a clock shows them: 75 -> "1:15", 4000 -> "1:06:40".
function progress.clock(s)
  s = math.max(0, math.floor(s + 0.5))
  local h, m = math.floor(s / 3600), math.floor(s / 60) % 60
  if h > 0 then return ('%d:%02d:%02d'):format(h, m, s % 60) end
  return ('%d:%02d'):format(m, s % 60)
end

return progress
