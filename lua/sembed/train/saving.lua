-- The edge where a run meets its folder: what is saved after which step, what a stop leaves, and
-- how a run goes on. self: a run as train.lua makes it.

local checkpoint = require 'sembed.checkpoint'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local progress = require 'sembed.progress'
local run_facts = require 'sembed.run'
local shard = require 'sembed.shard'

local C = core.C
local saving = {}

local function log_bytes(self) return (self.log:bytes()) end

-- What train.best named within the step becomes a number, self.named; the log has it, too.
function saving.take_named(self, record)
  local value = record.best
  if core.is_tensor(value) then
    record.best = value:item()
    core.release(value)
  end
  self.named = record.best
end

-- What cfg.best names; nil: what the recipe says with train.best alone.
local function measure_of(self)
  local name = rawget(self.cfg, 'best')
  fail.unless(name == nil or type(name) == 'string',
    'train.steps: best is a %s: the name of a number of evaluate is wanted', fail.kind(name))
  return name ~= '' and name or nil
end

-- Of what an evaluation gave, the number that cfg.best names becomes self.named, with '-' before
-- the name its negative; but for a step that the recipe itself has given a value.
function saving.take_measured(self, values)
  local measure = measure_of(self)
  if not measure or self.named then return end
  local sign, name = measure:match '^(%-?)(.*)$'
  if not values[name] then
    local names = {}
    for known in pairs(values) do names[#names + 1] = known end
    fail.raise('train.steps: best=%s: %s', measure, fail.unknown('number of evaluate',
      name, names))
  end
  self.named = sign == '-' and -values[name] or values[name]
end

-- Whether the value that this step was given is above all before it.
local function is_best(self)
  local value = self.named
  if not value or value ~= value or math.abs(value) == math.huge then return false end
  if not self.best or value > self.best.value then
    self.best = { step = self.step, value = value, of = measure_of(self) }
  end
  return self.best.step == self.step
end

local function save(self)
  if not self.out then return end
  local best = is_best(self)
  return checkpoint.save(self.out, self.step, self.cfg, self.parts, {
    finished = self.step == self.steps, best = self.best,
    log_bytes = checkpoint.guard(self.out, log_bytes, self),
    elapsed = tonumber(C.se_seconds()) - self.began,
  }, best)
end

-- A save where one is due: after cfg.save steps, at the end, and of the best so far.
function saving.after_step(self)
  local every = rawget(self.cfg, 'save') or 0
  local due = self.step == self.steps or (every > 0 and self.step % every == 0)
  if due or is_best(self) then save(self) end
end

-- After an evaluation that a run which goes on has made up for: its step is saved already, and
-- where it is the best it is saved again.
function saving.after_late_evaluation(self)
  if self.step > 0 and is_best(self) then save(self) end
end

-- Ends the run after a whole step: it is saved, and the error tells how to go on.
function saving.stop(self)
  progress.finish()
  C.se_interrupt_defer(false)
  C.se_interrupt_clear()
  local where = save(self)
  if not where then fail.stop(('stopped after step %d; nothing was saved'):format(self.step)) end
  fail.stop(('stopped after step %d, saved in %s; to go on:\n  %s'):format(self.step, where,
    run_facts.line { resume = 'auto' }))
end

-- Puts everything back as the save has it; the log is cut to that step.
function saving.restore(self, path, state)
  checkpoint.restore(self.out, path, state, self.cfg, self.parts)
  local written = self.out .. '/log.jsonl'
  if files.exists(written) then files.cut(written, state.log_bytes) end
  shard.meet 'the log of the run' -- the first has cut it
  self.evaluation:read(written)
  self.step, self.before = state.step, state.elapsed or 0
  -- Values of another measure say nothing about this one's.
  if state.best and state.best.of == measure_of(self) then self.best = state.best end
  io.stderr:write(('going on after step %d, from %s\n'):format(state.step, path))
end

return saving
