-- What a step tells the log, and the line that is shown of it.

local core = require 'sembed.ffi'
local device = require 'sembed.device'
local progress = require 'sembed.progress'
local together = require 'sembed.train.together'

local C = core.C
local record = {}

-- run: steps, first, step, tokens, began, step_began, ahead (seconds before the first step), as
-- train.lua keeps them; values: what the recipe logged.
function record.of(run, values)
  local now, told = tonumber(C.se_seconds()), {}
  told.step, told.tokens = run.step, run.tokens
  told.elapsed = now - run.began
  told.tokens_per_second = run.tokens / math.max(1e-9, now - run.step_began)
  told.programs, told.sent = device.programs(), together.sent(run)
  for key, value in pairs(values) do told[key] = value end
  return told
end

function record.line(run, told)
  local parts = { ('step %d/%d'):format(told.step, run.steps) }
  local function add(format, value)
    if type(value) == 'number' then parts[#parts + 1] = format:format(value) end
  end
  add('loss %.4f', told.loss)
  add('accuracy %.1f %%', told.accuracy and told.accuracy * 100)
  add('rate %.2e', told.rate)
  add('%d tokens/s', told.tokens_per_second)
  add('%d programs', told.programs)
  local done = told.step - run.first + 1
  local left = (told.elapsed - run.ahead) / done * (run.steps - told.step)
  parts[#parts + 1] = progress.clock(left) .. ' left'
  return table.concat(parts, '  ')
end

return record
