-- Evaluation while training: when it is due, its line in the log, what a run that goes on knows.
--
--   {"step": 40, "evaluation": {"loss": 2.1, "one_of_100": 0.31}, "elapsed": 8.2, "seconds": 1.5}
--
-- A function of the recipe gives the numbers. The training is the same with and without it: what it
-- draws from se.random leaves no trace, and it has no part in the order of the data.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local json = require 'sembed.json'
local progress = require 'sembed.progress'
local random = require 'sembed.random'
local tensor = require 'sembed.tensor'

local evaluation = {}
local Evaluation = {}
Evaluation.__index = Evaluation

local TAIL = 65536 -- bytes at a log's end, more than a line has

-- f(step) -> { name = number }, or nil: nothing to tell; every: steps between, 0: before and after
-- the training alone. `seen` gets first and last, each { step = , name = number }.
function evaluation.new(f, every, steps)
  fail.unless(f == nil or type(f) == 'function', 'train.steps: evaluate is a %s: a function that '
    .. 'gives { name = number } is wanted', fail.kind(f))
  every = every or 0
  fail.unless(type(every) == 'number' and every >= 0 and every % 1 == 0,
    'train.steps: evaluate=%s: a count of steps is wanted, 0: before and after alone',
    tostring(every))
  return setmetatable({ f = f, every = every, steps = steps, seen = {} }, Evaluation)
end

function Evaluation:due(step)
  if not self.f then return false end
  return step == 0 or step == self.steps or self.every > 0 and step % self.every == 0
end

local function check(values)
  fail.unless(type(values) == 'table', 'evaluate: it gave a %s: { name = number } is wanted',
    fail.kind(values))
  for name, value in pairs(values) do
    fail.unless(type(name) == 'string' and type(value) == 'number',
      'evaluate: %s is a %s: a number is wanted', tostring(name), fail.kind(value))
  end
  return values
end

local function keep(self, step, values)
  local copy = {}
  for name, value in pairs(values) do copy[name] = value end
  copy.step = step
  self.seen.first = self.seen.first or copy
  self.seen.last = copy
end

local function names_of(values)
  local names = {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function show(self, step, values)
  local parts = {}
  for _, name in ipairs(names_of(values)) do
    parts[#parts + 1] = ('%s %.4f'):format(name, values[name])
  end
  progress.line(('step %d/%d  evaluation: %s'):format(step, self.steps,
    table.concat(parts, '  ')), true)
  progress.finish()
end

-- Runs it after a step and tells the log; began: when this session did. Gives the numbers.
function Evaluation:run(step, log, began)
  local start, drawn = tonumber(core.C.se_seconds()), random.state()
  local values = tensor.scope('evaluation', self.f, step)
  random.restore(drawn)
  if values == nil then return end
  keep(self, step, check(values))
  local now = tonumber(core.C.se_seconds())
  show(self, step, values)
  log:write { step = step, evaluation = values, elapsed = now - began, seconds = now - start }
  return values
end

-- --- a run that goes on ---

local function line_of(text)
  local ok, record = pcall(json.parse, text)
  return ok and type(record) == 'table' and type(record.evaluation) == 'table' and record or nil
end

local function take(self, record)
  if not record then return end
  local values = {}
  for name, value in pairs(record.evaluation) do values[name] = tonumber(value) end
  keep(self, record.step, values)
end

-- Reads the first and the last line of the log of a run that goes on.
function Evaluation:read(path)
  if not (self.f and files.exists(path)) then return end
  local file = assert(io.open(path, 'rb'))
  take(self, line_of(file:read '*l' or ''))
  local size = file:seek 'end'
  file:seek('set', math.max(0, size - TAIL))
  local tail = file:read '*a'
  file:close()
  take(self, line_of(tail:match '([^\n]+)\n$' or ''))
end

-- Was it run after this step? A run that was stopped there goes on with it.
function Evaluation:done(step) return self.seen.last ~= nil and self.seen.last.step == step end

return evaluation
