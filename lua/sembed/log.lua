-- The log of a run: one JSON object a line. Values may be tensors (handed over to the log): they
-- are read one step late, so that logging does not wait for the step that was just started.

local core = require 'sembed.ffi'
local files = require 'sembed.files'
local json = require 'sembed.json'

local log = {}
local Log = {}
Log.__index = Log

local ORDER = { 'step', 'loss', 'accuracy', 'norm', 'rate' }

-- `path` nil: nothing is written; records are still read and given to `seen`.
function log.open(path, seen)
  return setmetatable({ path = path, seen = seen }, Log)
end

local plain
function plain(value)
  if type(value) == 'table' then
    local copy = {}
    for key, v in pairs(value) do copy[key] = plain(v) end
    return copy
  end
  if core.is_tensor(value) then
    local number = value:item()
    core.release(value)
    value = number
  end
  if type(value) == 'number' and (value ~= value or math.abs(value) == math.huge) then
    return tostring(value) -- JSON has no NaN
  end
  return value
end

-- Writes a record without tensors, at once.
function Log:write(record)
  for key, value in pairs(record) do record[key] = plain(value) end
  if self.path then files.append(self.path, json.encode(record, { order = ORDER })) end
end

-- Writes the record that waits, if there is one.
function Log:flush()
  local record = self.waiting
  if not record then return end
  self.waiting = nil
  self:write(record)
  if self.seen then self.seen(record) end
end

function Log:add(record)
  self:flush()
  self.waiting = record
end

-- How long the file is once all is written and on the disk: a save remembers it, resuming cuts back
-- to it.
function Log:bytes()
  self:flush()
  if not self.path or not files.exists(self.path) then return 0 end
  files.sync(self.path)
  return files.size(self.path)
end

return log
