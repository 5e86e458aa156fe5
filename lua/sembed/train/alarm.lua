-- A step that came to numbers that are no loss: the batch that did it is saved, so that it can be
-- looked at and trained on alone, and the log tells why the run ended.
--
--   OUT/bad-batch-7.jsonl    a line for each pair of the batch, in its order: the texts by column,
--                            pair (its number in the data, from 1) and, of several data sets, set
--
-- Such a file is data as every other: data=OUT/bad-batch-7.jsonl. Where a source is gone or cannot
-- be read the texts are what the tokens say ("decoded": true).

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'

local C = core.C
local alarm = {}

local LIMIT = 1e6

-- Beyond which loss a training is taken for lost: cfg.loss_limit, 1e6 without.
function alarm.limit(cfg)
  local limit = rawget(cfg, 'loss_limit') or LIMIT
  fail.unless(type(limit) == 'number' and limit > 0,
    'train.steps: loss_limit=%s: a number above 0 is wanted', tostring(limit))
  return limit
end

-- What is wrong with a loss as the log holds it; nil: nothing.
function alarm.wrong(loss, limit)
  if loss == nil then return end
  local value = tonumber(loss)
  if not value or value ~= value or math.abs(value) == math.huge then
    return ('the loss is %s'):format(tostring(loss))
  end
  if math.abs(value) > limit then
    return ('the loss is %.4g, beyond loss_limit=%.4g'):format(value, limit)
  end
end

-- Writes the pairs of a batch; gives the file's path and how many there are.
local function write_batch(out, step, data, drawn)
  io.stderr:write(('step %d went wrong: looking up the texts of its batch\n'):format(step))
  local rows, lines = data:rows_of(drawn), {}
  for i, row in ipairs(rows) do lines[i] = json.encode(row, { order = data.columns }) end
  local path = ('%s/bad-batch-%d.jsonl'):format(out, step)
  files.write(path, table.concat(lines, '\n') .. '\n')
  return path, #rows
end

-- Saves the batch of a step and writes the line that ends the log. Gives the message with where the
-- batch is. self: a run (train.lua); drawn: what data:drawn() gave after that step's draw.
function alarm.tell(self, step, drawn, message)
  local name = ('step %d: '):format(step)
  if message:sub(1, #name) ~= name then message = name .. message end
  if not self.out or C.se_shard_index() > 0 then return message end
  C.se_interrupt_defer(false) -- a compressed source is read from its beginning
  local record = { step = step, error = message }
  if drawn then
    local ok, path, n = pcall(write_batch, self.out, step, self.parts.data, drawn)
    if ok then
      record.batch = path
      message = ('%s\nits batch of %d pairs is in %s'):format(message, n, path)
    else
      message = ('%s\nits batch could not be saved: %s'):format(message, tostring(path))
    end
  end
  pcall(self.log.flush, self.log) -- the cause is told, whatever state the disk is in
  pcall(self.log.write, self.log, record)
  return message
end

return alarm
